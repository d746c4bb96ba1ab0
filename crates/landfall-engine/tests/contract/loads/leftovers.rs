//! Empty tables that a load left which kept nothing: the mended data package makes them anew, and touches nobody else's.

use std::io::Write as _;

use landfall_core::schema::SourcePath;
use landfall_engine::{
    Error, Project, TargetErrorKind,
    ledger::LoadState,
    pipeline::{LoadOptions, LoadOutcome, Selection, SilentObserver, WorkLimits, load_tables},
    quarantine::RejectFilter,
};

use super::project::Files;
use crate::{
    ground::Ground,
    tables::{content, package, resource, row},
};

const TEAMS: &str = "{fields: [{name: id, type: integer}, {name: title, type: string}], primaryKey: id}";
/// The mistake: a title that is no number.
const MISTAKEN: &str = "{fields: [{name: id, type: integer}, {name: title, type: integer}], primaryKey: id}";
const MEMBERS: &str = "{fields: [{name: id, type: integer}, {name: team, type: integer}], primaryKey: id, \
                       foreignKeys: [{fields: team, reference: {resource: teams, fields: id}}]}";

/// Teams by the rules of `teams`, and their members.
fn files(teams: &str) -> Files {
    let files = Files::of(&format!("{}{}", resource("teams", teams), resource("members", MEMBERS)));
    files.write("teams.csv", "id,title\n1,one\n2,two\n");
    files.write("members.csv", "id,team\n7,1\n8,2\n");
    files
}

/// The same files by the mended rules.
fn mended(files: &Files) -> Project {
    let package = package(&format!("{}{}", resource("teams", TEAMS), resource("members", MEMBERS)));
    Project { folder: files.project.folder.clone(), package }
}

fn run(ground: &Ground, project: &Project, tables: &[&str], options: &LoadOptions) -> Result<Vec<LoadOutcome>, Error> {
    let selection = |table: &&str| {
        let file = if table.contains('.') { (*table).to_owned() } else { format!("{table}.csv") };
        let path = project.folder.join(file).to_string_lossy().into_owned();
        Selection { table: table.split('.').next().unwrap().into(), source: Some(SourcePath(path)) }
    };
    let selections: Vec<Selection> = tables.iter().map(selection).collect();
    load_tables(&mut *ground.open(), project, &selections, options, &SilentObserver)
}

#[track_caller]
fn fails(outcome: Result<Vec<LoadOutcome>, Error>) {
    match outcome {
        Err(Error::Target(error)) => assert_eq!(error.kind, TargetErrorKind::Mismatch, "{}", error.message),
        other => panic!("{other:?}"),
    }
}

/// Loads by the mended rules; both tables have their rows then, and no reject is left open.
#[track_caller]
fn load_mended(ground: &Ground, files: &Files) {
    let project = mended(files);
    let outcomes = run(ground, &project, &["teams", "members"], &LoadOptions::default()).unwrap();
    // Members that waited for their teams are released.
    let fine = |outcome: &LoadOutcome| matches!(outcome.state, LoadState::Complete | LoadState::Known);
    assert!(outcomes.iter().all(fine), "{outcomes:?}");
    let (target, tables) = (ground.open(), project.target_tables());
    assert_eq!(content(&*target, &tables[0]), [row![1, "one"], row![2, "two"]]);
    assert_eq!(content(&*target, &tables[1]), [row![7, 1], row![8, 2]]);
    assert_eq!(target.reject_count(&RejectFilter::default()).unwrap(), 0);
    let serious: Vec<_> = target.find_differences(&tables).unwrap();
    assert!(serious.is_empty(), "{serious:?}");
}

fn a_table_whose_records_were_all_rejected_is_made_anew(ground: &Ground) {
    let files = files(MISTAKEN);
    let outcomes = run(ground, &files.project, &["teams", "members"], &LoadOptions::default()).unwrap();
    assert_eq!(outcomes.iter().map(|outcome| outcome.counts.rejected).collect::<Vec<_>>(), [2, 2]);
    load_mended(ground, &files);
}

fn a_table_of_a_load_that_was_rolled_back_is_made_anew(ground: &Ground) {
    let files = files(MISTAKEN);
    let options = LoadOptions { atomic: true, ..LoadOptions::default() };
    let outcomes = run(ground, &files.project, &["teams", "members"], &options).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.state == LoadState::RolledBack), "{outcomes:?}");
    load_mended(ground, &files);
}

fn a_table_whose_source_broke_before_anything_was_kept_is_made_anew(ground: &Ground) {
    let files = files(MISTAKEN);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"id,title\n").unwrap();
    for number in 0..40_000_u64 {
        writeln!(packed, "{number},{}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).unwrap();
    }
    let packed = packed.finish().unwrap();
    std::fs::write(files.path().join("teams.csv.gz"), &packed[..packed.len() - 100]).unwrap();
    let options =
        LoadOptions { work: WorkLimits { block_bytes: 16 << 10, ..WorkLimits::default() }, ..LoadOptions::default() };
    let error = run(ground, &files.project, &["teams.csv.gz", "members"], &options).unwrap_err().to_string();
    assert!(error.contains("teams.csv.gz"), "{error}");
    load_mended(ground, &files);
}

fn a_dry_run_tells_what_the_mended_rules_would_do(ground: &Ground) {
    let files = files(MISTAKEN);
    run(ground, &files.project, &["teams"], &LoadOptions::default()).unwrap();
    let options = LoadOptions { dry_run: true, ..LoadOptions::default() };
    let outcomes = run(ground, &mended(&files), &["teams", "members"], &options).unwrap();
    assert_eq!(outcomes.iter().map(|outcome| outcome.counts.inserted).collect::<Vec<_>>(), [2, 2]);
    let target = ground.open();
    assert_eq!(target.find_differences(&files.project.target_tables()[..1]).unwrap(), [], "nothing was altered");
    load_mended(ground, &files);
}

fn a_table_without_keys_takes_the_same_file_by_the_mended_rules(ground: &Ground) {
    let keyless = |kind: &str| format!("{{fields: [{{name: id, type: integer}}, {{name: title, type: {kind}}}]}}");
    let files = Files::of(&resource("teams", &keyless("integer")));
    files.write("teams.csv", "id,title\n1,one\n2,two\n");
    run(ground, &files.project, &["teams"], &LoadOptions::default()).unwrap();
    let project =
        Project { folder: files.project.folder.clone(), package: package(&resource("teams", &keyless("string"))) };
    let outcomes = run(ground, &project, &["teams"], &LoadOptions::default()).unwrap();
    assert_eq!(outcomes[0].counts.inserted, 2);
}

fn a_table_with_rows_is_not_made_anew(ground: &Ground) {
    let files = files(MISTAKEN);
    files.write("teams.csv", "id,title\n1,one\n2,2\n");
    run(ground, &files.project, &["teams"], &LoadOptions::default()).unwrap();
    fails(run(ground, &mended(&files), &["teams"], &LoadOptions::default()));
    assert_eq!(content(&*ground.open(), &files.project.target_tables()[0]), [row![2, 2]]);
}

fn a_parent_of_a_table_with_rows_is_not_made_anew(ground: &Ground) {
    let files = files(MISTAKEN);
    files.write("members.csv", "id,team\n7,\n");
    run(ground, &files.project, &["teams", "members"], &LoadOptions::default()).unwrap();
    fails(run(ground, &mended(&files), &["teams"], &LoadOptions::default()));
    assert_eq!(content(&*ground.open(), &files.project.target_tables()[1]), [row![7, ()]]);
}

/// What somebody may do to a table, as a statement.
fn changes(ground: &Ground) -> Vec<&'static str> {
    let mut changes = vec![
        "CREATE INDEX of_somebody ON teams (title)",
        "CREATE VIEW of_somebody AS SELECT id FROM teams",
        "ALTER TABLE teams ADD COLUMN more integer",
    ];
    match ground.dialect() {
        "postgres" => changes.extend([
            "COMMENT ON TABLE teams IS 'ours'",
            "GRANT SELECT ON teams TO PUBLIC",
            "ALTER TABLE teams ENABLE ROW LEVEL SECURITY",
            "CREATE RULE of_somebody AS ON DELETE TO teams DO ALSO NOTIFY gone",
        ]),
        "sqlite" => changes.push("CREATE TRIGGER of_somebody AFTER INSERT ON teams BEGIN SELECT 1; END"),
        _ => changes.extend([
            "ALTER TABLE teams COMMENT 'ours'",
            "CREATE TRIGGER of_somebody BEFORE INSERT ON teams FOR EACH ROW SET NEW.id = NEW.id",
        ]),
    }
    changes
}

fn a_table_that_somebody_changed_is_not_made_anew(ground: &Ground) {
    for change in changes(ground) {
        let ground = ground.fresh();
        let files = files(MISTAKEN);
        run(&ground, &files.project, &["teams"], &LoadOptions::default()).unwrap();
        ground.sql(change);
        let outcome = run(&ground, &mended(&files), &["teams"], &LoadOptions::default());
        assert!(
            matches!(&outcome, Err(Error::Target(error)) if error.kind == TargetErrorKind::Mismatch),
            "{change}: {outcome:?}"
        );
        assert_eq!(ground.open().find_remakable(&mended(&files).target_tables()).unwrap().len(), 0, "{change}");
    }
}

fn a_table_that_somebody_else_made_is_not_made_anew(ground: &Ground) {
    ground.sql("CREATE TABLE teams (id bigint NOT NULL PRIMARY KEY, title bigint)");
    let files = files(MISTAKEN);
    fails(run(ground, &mended(&files), &["teams"], &LoadOptions::default()));
    assert!(ground.open().has_table(&files.project.target_tables()[0]).unwrap());
}

contract! {
    a_table_whose_records_were_all_rejected_is_made_anew,
    a_table_of_a_load_that_was_rolled_back_is_made_anew,
    a_table_whose_source_broke_before_anything_was_kept_is_made_anew,
    a_dry_run_tells_what_the_mended_rules_would_do,
    a_table_without_keys_takes_the_same_file_by_the_mended_rules,
    a_table_with_rows_is_not_made_anew,
    a_parent_of_a_table_with_rows_is_not_made_anew,
}

contract_in_sql! {
    a_table_that_somebody_changed_is_not_made_anew,
    a_table_that_somebody_else_made_is_not_made_anew,
}
