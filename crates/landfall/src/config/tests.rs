#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use landfall_engine::{
    ledger::{Mode, OnConflict},
    pipeline::MaxRejects,
    targets::{Location, TargetKind},
};

use super::{LoadDefaults, ProjectSettings};
use crate::exit::Exit;

const PACKAGE: &str = "resources: [{name: a, path: a.csv, schema: {fields: [{name: id, type: integer}]}}]";

fn environment(name: &str) -> Option<String> {
    match name {
        "DATABASE" => Some("sqlite:other.db".into()),
        "THREADS" => Some("3".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

/// A project with a data package and `text` as its landfall.yaml.
fn open(text: &str) -> Result<ProjectSettings, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("datapackage.yaml"), PACKAGE).unwrap();
    std::fs::write(folder.path().join("landfall.yaml"), text).unwrap();
    ProjectSettings::open(folder.path(), &environment).map_err(|error| {
        assert_eq!(Exit::from_error(&error), Exit::Project);
        error.to_string().replace(&format!("{}/", folder.path().display()), "")
    })
}

fn file_of(settings: &ProjectSettings) -> String {
    let Location::Sqlite(path) = &settings.target else { panic!("not a file: {}", settings.target) };
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_data_package_alone_is_a_project() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("datapackage.yml"), PACKAGE).unwrap();
    let settings = ProjectSettings::open(folder.path(), &environment).unwrap();
    assert_eq!(file_of(&settings), "landfall.db");
    assert_eq!(settings.load, LoadDefaults::default());
    assert_eq!(settings.package.resources.len(), 1);
}

#[test]
fn a_project_file_of_comments_is_all_defaults() {
    assert_eq!(file_of(&open("# target: sqlite:other.db\n\n").unwrap()), "landfall.db");
}

#[test]
fn values_come_from_the_environment() {
    assert_eq!(file_of(&open("target: ${DATABASE}\n").unwrap()), "other.db");
    assert_eq!(file_of(&open("target: sqlite:${NO}${NO:-x}.db\n".replace("${NO}", "").as_str()).unwrap()), "x.db");
    assert_eq!(file_of(&open("target: sqlite:${EMPTY:-x}.db\n").unwrap()), "x.db");
    assert_eq!(open("load: {threads: '${THREADS}'}\n").unwrap().load.threads, Some(3));
}

#[test]
fn a_variable_that_is_not_set_is_named_with_its_line() {
    let expected = "landfall.yaml:2:9: the environment variable NO is not set\n  2 | target: ${NO}\n    |         ^^^^^\n  \
                    mend: set it, or write ${NO:-default}";
    assert_eq!(open("# how it runs\ntarget: ${NO}\n").unwrap_err(), expected);
    assert!(open("target: ${DATABASE\n").unwrap_err().contains("has no \"}\" after it"));
    assert!(open("target: ${1X}\n").unwrap_err().contains("does not name an environment variable"));
}

#[test]
fn an_unknown_key_is_pointed_at_with_the_near_name() {
    let expected =
        "landfall.yaml:1:1: unknown property \"taget\"; did you mean \"target\"?\n  1 | taget: x\n    | ^^^^^";
    assert_eq!(open("taget: x\n").unwrap_err(), expected);
    assert!(open("load: {max_rejects: 1}\n").unwrap_err().contains("did you mean \"maxRejects\"?"));
    assert!(open("reports: {a: {sgl: b.sql}}\n").unwrap_err().contains("did you mean \"sql\"?"));
}

#[test]
fn defaults_of_load_are_read_as_on_the_command_line() {
    let text = "load: {mode: replace, onConflict: keep, maxRejects: 5%, threads: 2, chunkRecords: 10, \
                maxRecordBytes: 1MiB, maxRejectBytes: 2MB, maxProjectRejectBytes: 3MB, \
                maxRejectedRecordBytes: 2KiB}\n";
    let expected = LoadDefaults {
        mode: Some(Mode::Replace),
        on_conflict: Some(OnConflict::Keep),
        max_rejects: Some(MaxRejects::Percent(5.0)),
        threads: Some(2),
        chunk_records: Some(10),
        max_record_bytes: Some(1 << 20),
        max_reject_bytes: Some(2_000_000),
        max_project_reject_bytes: Some(3_000_000),
        max_rejected_record_bytes: Some(2 << 10),
    };
    assert_eq!(open(text).unwrap().load, expected);
    assert!(open("load: {mode: upsret}\n").unwrap_err().contains("did you mean \"upsert\"?"));
    assert!(open("load: {threads: 0}\n").unwrap_err().contains("1 or more"));
    assert!(open("load: {mode: upsert, onConflict: keep}\n").unwrap_err().contains("contradicts"));
}

#[test]
fn the_sql_of_a_report_stays_within_the_project() {
    for path in ["../a.sql", "/a.sql", "a/../../b.sql", "''"] {
        let error = open(&format!("reports: {{a: {{sql: {path}}}}}\n")).unwrap_err();
        assert!(error.contains("does not stay within the project"), "{path}: {error}");
    }
    assert!(open("reports: {a: {}}\n").unwrap_err().contains("needs the property \"sql\""));
}

#[test]
fn a_report_has_one_sql_for_all_databases_or_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["all", "own"] {
        std::fs::write(folder.path().join(format!("{name}.sql")), format!("SELECT '{name}'")).unwrap();
    }
    std::fs::write(folder.path().join("datapackage.yaml"), PACKAGE).unwrap();
    let text = "reports: {one: {sql: all.sql}, two: {sql: {default: all.sql, postgres: own.sql}}, \
                three: {sql: {mysql: own.sql}}}\n";
    std::fs::write(folder.path().join("landfall.yaml"), text).unwrap();
    let settings = ProjectSettings::open(folder.path(), &environment).unwrap();
    let sql = |kind: TargetKind| {
        let definitions = settings.reports.iter().map(|report| report.read_definition(kind));
        definitions.map(|definition| definition.map_or_else(|error| error.to_string(), |it| it.sql)).collect::<Vec<_>>()
    };
    let none =
        "report three has no SQL for sqlite; in landfall.yaml, name a file as `default` or `sqlite` below its `sql`";
    assert_eq!(sql(TargetKind::Sqlite), ["SELECT 'all'", "SELECT 'all'", none]);
    assert_eq!(sql(TargetKind::Postgres), ["SELECT 'all'", "SELECT 'own'", &none.replace("sqlite", "postgres")]);
    assert_eq!(sql(TargetKind::Mysql), ["SELECT 'all'", "SELECT 'all'", "SELECT 'own'"]);
}

#[test]
fn a_database_that_there_is_not_is_pointed_at() {
    let wrong = ["{default: a.sql, postgers: b.sql}", "{oracle: b.sql}", "{}", "{default: ../a.sql}", "[a.sql]"];
    let errors = wrong.map(|sql| open(&format!("reports: {{a: {{sql: {sql}}}}}\n")).unwrap_err());
    insta::assert_snapshot!("sql-files", errors.join("\n\n"));
}

#[test]
fn parameters_of_a_report_are_fields_with_a_default() {
    let parameter = "{name: year, type: integer, default: 2021, constraints: {minimum: 1}}";
    let settings = open(&format!("reports: {{a: {{sql: a.sql, parameters: [{parameter}]}}}}\n")).unwrap();
    let summaries: Vec<String> =
        settings.reports[0].parameters.iter().map(|parameter| parameter.describe_parameter()).collect();
    assert_eq!(summaries, ["year (integer, default 2021)"]);
    let wrong = "reports: {a: {sql: a.sql, parameters: [{name: year, type: intger}]}}\n";
    assert!(open(wrong).unwrap_err().contains("landfall.yaml:1:"));
}

#[test]
fn an_unknown_target_is_told_without_its_secret() {
    let error = open("target: mongodb://me:secret@host/db\n").unwrap_err();
    assert!(error.contains("mongodb://") && !error.contains("secret"), "{error}");
}
