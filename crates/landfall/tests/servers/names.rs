//! Names of tables and fields that a database would read otherwise, cut or fold together.

use super::{
    cells::Form,
    place::{Kind, OWN_TABLES},
    site::{Column, Site, assert_same},
};
use crate::support::Project;

/// Tables and fields with keywords, mixed case, blanks, quotes and letters from elsewhere.
const ODD: [(&str, &[Column]); 4] = [
    ("select", &[("from", Form::Plain), ("Group By", Form::Plain), ("where", Form::Number)]),
    ("Mixed Case", &[("ID", Form::Plain), ("naïve \"quoted\" `name`", Form::Datetime), ("order", Form::Plain)]),
    ("größe'; --", &[("ключ", Form::Plain), ("漢 字", Form::Boolean), ("a.b", Form::Plain)]),
    ("%s {} $1 :x ?", &[("$1", Form::Plain), (":year", Form::Plain), ("?", Form::Plain)]),
];

const PACKAGE: &str = r#"resources:
  - name: select
    path: a.csv
    schema:
      fields:
        - {name: from, type: integer, constraints: {required: true}}
        - {name: Group By, type: string, constraints: {maxLength: 50}}
        - {name: where, type: number}
      primaryKey: [from]
      uniqueKeys: [[Group By]]
  - name: Mixed Case
    path: b.csv
    schema:
      fields:
        - {name: ID, type: integer, constraints: {required: true}}
        - {name: 'naïve "quoted" `name`', type: datetime}
        - {name: order, type: integer}
      primaryKey: [ID]
      foreignKeys: [{fields: [order], reference: {resource: select, fields: [from]}}]
  - name: "größe'; --"
    path: c.csv
    schema:
      fields:
        - {name: ключ, type: string, constraints: {required: true, maxLength: 50}}
        - {name: 漢 字, type: boolean}
        - {name: a.b, type: integer}
      primaryKey: [ключ]
      foreignKeys: [{fields: [a.b], reference: {resource: Mixed Case, fields: [ID]}}]
  - name: "%s {} $1 :x ?"
    path: d.csv
    schema:
      fields:
        - {name: $1, type: integer, constraints: {required: true}}
        - {name: ':year', type: integer}
        - {name: '?', type: string}
      primaryKey: [$1]
      foreignKeys: [{fields: [':year'], reference: {resource: '', fields: [$1]}}]
"#;

fn odd() -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    project.write("a.csv", "from,Group By,where\n1,one,1.5\n2,two,\n2,other,3\n3,one,x\n");
    project
        .write("b.csv", "ID,\"naïve \"\"quoted\"\" `name`\",order\n1,2021-01-01T00:00:00Z,2\n2,,9\n3,never,1\n4,,1\n");
    project.write("c.csv", "ключ,漢 字,a.b\nя,true,1\nЯ,false,\nя,true,1\nz,maybe,77\n");
    project.write("d.csv", "$1,:year,?\n1,2,later\n2,,'quoted'\n3,99,missing\n3,1,\"a\nb\"\n");
    project.write("landfall.yaml", "reports: {keys: {sql: keys.sql}}\n");
    project
}

/// How names are quoted in a report's SQL.
fn report(site: &Site) -> String {
    let name = |name: &str| site.place.quoted(name);
    format!(
        "SELECT c.{} AS {}, b.{} AS {} FROM {} c JOIN {} b ON b.{} = c.{} JOIN {} a ON a.{} = b.{} ORDER BY 1\n",
        name("ключ"),
        name("the key, as \"declared\""),
        name("ID"),
        name("select"),
        name("größe'; --"),
        name("Mixed Case"),
        name("ID"),
        name("a.b"),
        name("select"),
        name("from"),
        name("order")
    )
}

#[test]
fn odd_names_work_on_all_targets() {
    let seen = |site: &Site| {
        site.write("keys.sql", report(site));
        let mut lines = site.outcome(&ODD);
        lines.extend(site.rejects());
        lines.push(site.run(&["report", "keys", "--format", "csv"]).exits(0).stdout);
        lines.extend(["verify", "check"].map(|command| site.run(&[command]).stdout));
        lines
    };
    let reference = Site::new(odd(), Kind::Sqlite);
    reference.run(&["load", "-q"]).exits(0);
    let wanted = seen(&reference);
    assert!(reference.content("%s {} $1 :x ?", ODD[3].1).len() == 3, "{wanted:#?}");
    for kind in Kind::SERVERS {
        let site = Site::new(odd(), kind);
        site.run(&["load", "-q", "--chunk-records", "2"]).exits(0);
        assert_same(&seen(&site), &wanted, &format!("{kind:?}"));
        site.run(&["load", "--mode", "upsert", "--force", "-q"]).exits(0);
        site.run(&["load", "--mode", "replace", "--force", "-q"]).exits(0);
        site.run(&["rejects", "retry"]).exits(0);
        site.audit(&[]);
    }
}

/// A table of a name with two fields.
fn package(table: &str, fields: [&str; 2]) -> Project {
    let project = Project::empty();
    let [table, one, two] = [table, fields[0], fields[1]].map(|name| serde_json::to_string(name).unwrap());
    project.write(
        "datapackage.yaml",
        format!(
            "resources:
  - name: {table}
    path: t.csv
    schema:
      fields: [{{name: {one}, type: integer, constraints: {{required: true}}}}, {{name: {two}, type: string}}]
      primaryKey: [{one}]\n"
        ),
    );
    project.write("t.csv", format!("{one},{two}\n1,x\n").replace('\\', ""));
    project
}

#[test]
fn names_that_a_database_would_cut_or_fold_are_refused_before_anything_is_made() {
    // Of 64 bytes, which is one too many for PostgreSQL; MySQL would take 64 characters.
    let (long, longer) = ("ä".repeat(32), "y".repeat(64));
    for (kind, table, fields, words, code) in [
        (Kind::Postgres, &*long, ["id", "name"], "63 bytes", 3),
        (Kind::Postgres, "t", ["id", &longer], "63 bytes", 3),
        (Kind::Postgres, "t", ["id", "ctid"], "system column", 12),
        (Kind::Mariadb, &long, ["id", "name"], "63 bytes", 3),
        (Kind::Mariadb, "t", ["id", "ID"], "differs only in case", 3),
        (Kind::Mariadb, "t", ["id", "crab \u{1F980}"], "U+FFFF", 12),
        (Kind::Mariadb, "t ", ["id", "name"], "blank", 12),
    ] {
        let site = Site::new(package(table, fields), kind);
        let error = site.run(&["load"]).fails(code);
        assert!(error.contains(words), "{kind:?}: {words:?} is not in {error}");
        let made = site.place.tables();
        assert!(made.iter().all(|name| name.starts_with("landfall")), "{kind:?}: {made:?}");
    }
}

#[test]
fn the_longest_names_are_held_and_kept_apart() {
    for kind in Kind::SERVERS {
        for letter in ["ä", "x"] {
            // The two fields differ in their last letter only.
            let name = letter.repeat(62 / letter.len());
            let fields = ["a", "b"].map(|last| format!("{name}{last}"));
            let site = Site::new(package(&name, [&fields[0], &fields[1]]), kind);
            for _ in 0..2 {
                site.run(&["load", "-q", "--force"]).exits(0);
            }
            let [one, other] = [&fields[0], &fields[1]].map(|field| site.place.quoted(field));
            let sql = format!("SELECT {one}, {other} FROM {}", site.place.quoted(&name));
            assert_eq!(site.place.rows(&sql), [["1", "x"]], "{kind:?}");
            site.audit(&[]);
        }
    }
}

/// A table of PostgreSQL got its name in Landfall's own schema, where one of Landfall's tables had it: "relation already exists".
#[test]
fn tables_may_have_the_names_of_landfalls_own_tables() {
    for kind in [Kind::Postgres, Kind::Mariadb] {
        let project = Project::empty();
        let mut package = "resources:\n".to_owned();
        for name in OWN_TABLES {
            package += &format!(
                "  - {{name: {name}, path: {name}.csv, schema: {{fields: [{{name: id, type: integer}}], primaryKey: id}}}}\n"
            );
            project.write(&format!("{name}.csv"), "id\n1\n2\n2\nx\n");
        }
        project.write("datapackage.yaml", package);
        let site = Site::new(project, kind);
        for mode in ["append", "replace"] {
            let run = site.run(&["load", "--mode", mode, "--force", "--max-rejects", "5", "--json"]).exits(0);
            for name in OWN_TABLES {
                let counts = run.counts(name);
                assert_eq!([counts[0], counts[4]], [4, 1], "{kind:?}, {mode}, {name}: {counts:?}");
                assert_eq!(site.count(name), 2, "{kind:?}, {mode}, {name}");
            }
        }
        site.audit(&[]);
    }
}
