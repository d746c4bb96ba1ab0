//! `landfall rejects`: the quarantine as a person works with it.

use crate::support::Project;

/// Two good records, and two bad ones with three errors.
fn loaded() -> Project {
    let project = Project::people("1,Ann,30\n2,,old\n3,Bob,young\n4,Eve,\n");
    project.run(&["load", "-q"]).exits(0);
    project
}

#[test]
fn the_list_has_a_line_for_each_reason() {
    let expected = "#1 people.csv:3: people.name: constraint-error: the value is missing, and the field is required
#1 people.csv:3: people.age: type-error: \"old\" is not an integer; write it with digits only, like 1234 or -5
#2 people.csv:4: people.age: type-error: \"young\" is not an integer; write it with digits only, like 1234 or -5
";
    let project = loaded();
    assert_eq!(project.run(&["rejects", "list"]).exits(0).stdout, expected);
    assert_eq!(project.run(&["rejects"]).exits(0).stdout, expected);
}

#[test]
fn the_list_can_be_filtered() {
    let project = loaded();
    for (filter, count) in [
        (&["--code", "type-error"][..], 2),
        (&["--field", "name"], 1),
        (&["--table", "people"], 2),
        (&["--load", "1"], 2),
        (&["--load", "7"], 0),
        (&["--id", "2"], 1),
        (&["--limit", "1"], 1),
        (&["--limit", "0"], 0),
        (&["--state", "released"], 0),
        (&["--state", "any"], 2),
    ] {
        let arguments = [&["rejects", "list", "--json"], filter].concat();
        assert_eq!(project.run(&arguments).exits(0).json_list().len(), count, "{filter:?}");
    }
}

#[test]
fn long_lists_are_read_in_pages() {
    let many: String = (0..300).map(|id| format!("{id},,\n")).collect();
    let project = Project::people(&many);
    project.run(&["load", "-q"]).exits(0);
    let lines = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
    let ids: Vec<i64> = lines.iter().filter_map(|line| line["id"].as_i64()).collect();
    assert_eq!(ids, (1..=300).collect::<Vec<_>>());
    assert_eq!(project.run(&["rejects", "list", "--json", "--limit", "100"]).exits(0).json_list().len(), 100);
}

#[test]
fn causes_are_counted() {
    let expected =
        "        2  type-error        people.age   such as \"old\"\n        1  constraint-error  people.name\n";
    let project = loaded();
    assert_eq!(project.run(&["rejects", "group"]).exits(0).stdout, expected);
    assert_eq!(project.run(&["rejects", "groups"]).exits(0).stdout, expected);
}

#[test]
fn one_reject_is_shown_with_its_raw_record() {
    let project = Project::people("1,\"\u{1b}[31m\" Ann,30\n");
    project.run(&["load", "-q"]).exits(0);
    let shown = project.run(&["rejects", "show", "1"]).exits(0).stdout;
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let raw = project.run(&["rejects", "show", "1", "--raw"]).exits(0).stdout;
    assert_eq!(raw, "1,\"\u{1b}[31m\" Ann,30");
}

#[test]
fn a_quarantine_without_a_database_is_empty_and_makes_none() {
    let project = Project::people("");
    let run = project.run(&["rejects"]).exits(0);
    assert_eq!((&*run.stdout, &*run.stderr), ("", "No rejects.\n"));
    assert!(!project.path().join("landfall.db").exists());
}

#[test]
fn rejects_are_exported_mended_and_tried_again() {
    let project = loaded();
    project.run(&["rejects", "export", "--table", "people", "--out", "bad.csv"]).exits(0);
    let exported = project.read("bad.csv");
    assert!(exported.starts_with("id,name,age,"), "{exported}");
    let error = project.run(&["rejects", "export", "--out", "bad.csv"]).fails(2);
    assert_eq!(error, "bad.csv exists; --force replaces it");
    project.write("bad.csv", exported.replacen("2,,old", "2,Cleo,40", 1));
    let run = project.run(&["rejects", "retry", "--from", "bad.csv", "--json"]).exits(0);
    assert_eq!(run.json()["loads"][0]["inserted"], 1, "{}", run.stdout);
    assert_eq!(project.run(&["rejects", "list", "--json"]).exits(0).json_list().len(), 1);
    let shown = project.run(&["rejects", "show", "1"]).exits(0).stdout;
    assert!(shown.contains("(released)") && shown.contains("mended to\n  2,Cleo,40"), "{shown}");
    project.run(&["verify"]).exits(0);
}

#[test]
fn rejects_are_tried_again_under_mended_rules() {
    let project = loaded();
    let rules = project.read("datapackage.yaml");
    project.write(
        "datapackage.yaml",
        rules.replace("name: age, type: integer", "name: age, type: integer, missingValues: ['', young]"),
    );
    let run = project.run(&["rejects", "retry", "--json"]).exits(0);
    assert_eq!(run.json()["loads"][0]["inserted"], 1, "{}", run.stdout);
    assert_eq!(project.run(&["rejects", "list", "--json"]).exits(0).json_list().len(), 1);
}

/// A file of a megabyte, once it was decompressed, became ten gigabytes of rejects.
#[test]
fn the_rejects_of_a_load_are_bounded_in_bytes() {
    let mut project = Project::people("");
    project.write("landfall.yaml", "load: {maxRejectBytes: 100kB, chunkRecords: 1000}\n");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, b"id,name,age\n1,Ann,30\n").unwrap();
    std::io::Write::write_all(&mut gzip, &b"x,,\n".repeat(100_000)).unwrap();
    project.write("many.csv.gz", gzip.finish().unwrap());
    let load = ["load", "people=many.csv.gz"];
    let run = project.run(&load).exits(10);
    let told = format!("{}{}", run.stdout, run.stderr);
    assert!(told.contains("its rejects have more than 100,000 bytes") && told.contains("maxRejectBytes"), "{told}");
    let stored = |project: &Project| -> (u64, u64) {
        let sql = "SELECT count(*), coalesce(sum(length(raw) + length(errors)), 0) FROM landfall_rejects";
        project.database().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let (count, bytes) = stored(&project);
    assert!((100..2000).contains(&count) && bytes < 200_000, "{count} rejects, {bytes} bytes");
    // The same command does not go on, and a script is told why.
    let json = project.run(&[&load[..], &["--json"]].concat()).exits(10).json();
    assert_eq!(
        (&json["loads"][0]["state"], &json["loads"][0]["max_reject_bytes"]),
        (&"stopped".into(), &100_000.into())
    );
    assert_eq!(stored(&project), (count, bytes));
    project.assert_nothing_wrong();
    // With a higher limit it goes on to the end.
    project.write("landfall.yaml", "load: {maxRejectBytes: 1GiB}\n");
    project.run(&load).exits(0);
    assert_eq!(stored(&project).0, 100_000);
    project.assert_nothing_wrong();
    // So it is in one transaction: nothing is inserted, and the rejects are bounded all the same.
    project = Project::people("");
    project.write("landfall.yaml", "load: {maxRejectBytes: 100kB}\n");
    project.write("many.csv", [b"id,name,age\n1,Ann,30\n", &b"x,,\n".repeat(20_000)[..]].concat());
    project.run(&["load", "people=many.csv", "--atomic"]).exits(11);
    assert!(stored(&project).0 < 2000, "{:?}", stored(&project));
}

/// Load after load could fill the database, each below its own bound.
#[test]
fn the_rejects_of_a_project_are_bounded_in_bytes() {
    let project = Project::people("");
    project.write("landfall.yaml", "load: {maxProjectRejectBytes: 100kB, chunkRecords: 1000}\n");
    let file = |name: &str, from: u64| {
        let lines: String = (from..from + 200).map(|id| format!("{id},,x\n")).collect();
        project.write(name, format!("id,name,age\n{lines}"));
    };
    file("one.csv", 0);
    file("two.csv", 1000);
    project.run(&["load", "-q", "people=one.csv"]).exits(0);
    let run = project.run(&["load", "people=two.csv", "--json"]).exits(10);
    let (load, told) = (&run.json()["loads"][0], &run.stderr);
    assert_eq!((&load["state"], &load["max_project_reject_bytes"]), (&"stopped".into(), &100_000.into()), "{load}");
    assert_eq!(load.get("max_reject_bytes"), None);
    assert!(told.contains("maxProjectRejectBytes"), "{told}");
    let run = project.run(&["load", "people=two.csv"]).exits(10);
    assert!(run.stdout.contains("all open rejects have more than 100,000 bytes"), "{}", run.stdout);
    // A load without rejects needs no room, and what is given up makes some.
    project.write("good.csv", "id,name,age\n5000,Ann,30\n");
    project.run(&["load", "-q", "people=good.csv"]).exits(0);
    project.run(&["rejects", "discard", "--load", "1", "--reason", "r"]).exits(0);
    project.run(&["load", "-q", "people=two.csv"]).exits(0);
    let open: u64 = project
        .database()
        .query_row("SELECT count(*) FROM landfall_rejects WHERE state = 'open'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(open, 200);
    project.assert_nothing_wrong();
}
