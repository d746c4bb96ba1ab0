//! Rows that are longer than a record of a file may be: what is backed up can be restored, on every database.

use testbed::{Mariadb, ServerOptions};

use super::{
    place::{Kind, Place},
    site::Site,
};
use crate::support::Project;

const MIB: usize = 1 << 20;

#[test]
fn rows_longer_than_a_record_were_backed_up_and_not_restored() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Pooled, Kind::Mariadb] {
        let project = Project::empty();
        project.write(
            "datapackage.yaml",
            "resources: [{name: texts, path: texts.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, \
             {name: a, type: string}, {name: b, type: string}]}}]",
        );
        project.write("texts.csv", "id,a,b\n0,x,y\n");
        let site = Site::new(project, kind);
        site.run(&["load", "-q"]).exits(0);
        // Two wide cells; and one whose characters take six bytes each as JSON.
        let control = if kind == Kind::Postgres || kind == Kind::Pooled { "chr(1)" } else { "char(1)" };
        let repeat = |text: &str, mebibytes: usize| match kind {
            Kind::Sqlite => format!("replace(hex(zeroblob({})), '00', {text})", mebibytes * MIB),
            _ => format!("repeat({text}, {})", mebibytes * MIB),
        };
        site.place.run(&format!(
            "INSERT INTO texts (id, a, b) VALUES (1, {}, {}), (2, {}, 'z')",
            // MariaDB hands over no row of more than its max_allowed_packet, of 16 MiB.
            repeat("'x'", if kind == Kind::Mariadb { 7 } else { 10 }),
            repeat("'y'", if kind == Kind::Mariadb { 6 } else { 9 }),
            repeat(control, 4)
        ));
        let lengths = || site.place.rows("SELECT id, length(a), length(b) FROM texts ORDER BY id");
        let wide = lengths();
        let set = site.run(&["backup", "--json", "--to", "sets"]).exits(0).json();
        site.run(&["backups", "verify", "latest", "--in", "sets"]).exits(0);
        site.run(&["restore", "texts", "-q", "--in", "sets"]).exits(0);
        assert_eq!(lengths(), wide, "{kind:?}");
        let again = site.run(&["backup", "--json", "--to", "sets"]).exits(0).json();
        assert_eq!(again["tables"][0]["digest"], set["tables"][0]["digest"], "{kind:?}");
        // A file from elsewhere is held to the limit of records, which can be raised.
        let file = format!("{}/texts.avro", again["location"].as_str().unwrap());
        let error = site.run(&["restore", "texts", "--from", &file]).fails(4);
        assert!(error.contains("16777216"), "{kind:?}: {error}");
        site.run(&["restore", "texts", "-q", "--from", &file, "--max-record-bytes", "67108864"]).exits(0);
        assert_eq!(lengths(), wide, "{kind:?}");
        site.assert_nothing_wrong();
    }
}

#[test]
fn a_row_that_mariadb_does_not_hand_over_was_told_as_a_lost_connection() {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        "resources: [{name: texts, path: texts.csv, schema: {fields: [{name: a, type: string}, {name: b, type: string}]}}]",
    );
    project.write("texts.csv", "a,b\nx,y\n");
    let site = Site::new(project, Kind::Mariadb);
    site.run(&["load", "-q"]).exits(0);
    site.place.run("INSERT INTO texts VALUES (repeat('x', 10 << 20), repeat('y', 9 << 20))");
    let error = site.run(&["backup", "--to", "sets"]).fails(5);
    assert!(error.contains("max_allowed_packet"), "{error}");
    assert!(!site.path().join("sets").exists() || site.run(&["backups", "--in", "sets"]).stdout.is_empty());
}

/// A row that the server takes and never hands over again stopped the backup, and a long reject stopped the load, with "run again".
#[test]
fn records_beyond_the_packet_of_mariadb_were_no_rejects() {
    let server = Mariadb::start_with(&ServerOptions::default().with_setting("max_allowed_packet", "1M")).unwrap();
    let project = Project::empty();
    let place = Place::on(Kind::Mariadb, server.fresh_database().unwrap());
    project.write(
        "datapackage.yaml",
        "resources: [{name: texts, path: texts.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, \
         {name: a, type: string}, {name: b, type: string}]}}]",
    );
    let text = |kibibytes: usize| "x".repeat(kibibytes << 10);
    project.write(
        "texts.csv",
        format!(
            "id,a,b\n1,{},{}\n2,{},{}\n3,{},y\nx,{},z\n",
            text(400),
            text(400),
            text(600),
            text(600),
            text(1100),
            text(1500)
        ),
    );
    let site = Site::at(project, place);
    assert_eq!(site.run(&["load", "--json"]).exits(0).counts("texts"), [4, 1, 0, 0, 3]);
    let rejects = site.run(&["rejects", "list", "--json"]).exits(0).json_list();
    let told: Vec<(u64, &str)> = rejects
        .iter()
        .map(|reject| (reject["line"].as_u64().unwrap(), reject["errors"][0]["message"].as_str().unwrap()))
        .collect();
    assert!(told[0].0 == 3 && told[0].1.contains("1228800 bytes together"), "{told:?}");
    assert!(told[1].0 == 4 && told[1].1.contains("the database can hold at most"), "{told:?}");
    assert_eq!(rejects[0]["errors"].as_array().unwrap().len(), 1, "one reason is enough");
    site.run(&["backup", "-q", "--to", "sets"]).exits(0);
    site.run(&["restore", "texts", "-q", "--in", "sets"]).exits(0);
    assert_eq!(site.count("texts"), 1);
    assert!(site.run(&["rejects", "show", "3", "--raw"]).exits(0).stdout.len() > 1500 << 10, "all of it is kept");
    site.assert_nothing_wrong();
}
