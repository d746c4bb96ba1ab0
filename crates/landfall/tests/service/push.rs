//! `landfall push`: every record of a file once in the table or once in the quarantine, whatever happens on the way.

use std::{
    io::Write as _,
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use testbed::{Postgres, Proxy, ProxyRule, ServerOptions, Tls};

use super::{
    place::Kind,
    served::Served,
    support::{Project, Run},
};

/// A table that has no key, so that a row which came twice is there twice.
const THINGS: &str = "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]";

fn things(more: &str) -> Served {
    Served::package(Kind::Sqlite, THINGS, more)
}

/// A file for that table with so many records, 1 in 100 of them bad.
fn numbers(count: u64) -> String {
    let line = |number: u64| if number.is_multiple_of(100) { "x\n".to_owned() } else { format!("{number}\n") };
    std::iter::once("a\n".to_owned()).chain((1..=count).map(line)).collect()
}

fn arguments<'a>(to: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["push", "t.csv", "--to", to, "--table", "things"][..], more].concat()
}

fn push(served: &Served, more: &[&str]) -> Run {
    served.run(&arguments(&served.url(), more))
}

/// The one push of a summary in JSON.
#[track_caller]
fn pushed(run: &Run) -> Value {
    run.json()["loads"][0].clone()
}

/// Each good number is there once, and each bad one is in the quarantine.
#[track_caller]
fn holds_numbers(served: &Served, count: u64) {
    let rows = served.place.rows("SELECT count(*), count(DISTINCT a) FROM things");
    let good = (count - count / 100).to_string();
    assert_eq!(rows, [[good.clone(), good]]);
    assert_eq!(served.get("/v1/rejects?limit=1").of(200)["count"], count / 100);
    served.verifies();
}

#[test]
fn the_example_comes_in_as_by_a_load() {
    let loaded = Project::example();
    let load = loaded.run(&["load", "--json"]).exits(0).json();
    let served = Served::example(Kind::Sqlite);
    for (at, table) in ["departments", "jobs", "hired_employees"].into_iter().enumerate() {
        let file = format!("data/{table}.csv");
        let url = served.url();
        let words = ["push", &file, "--to", &url, "--table", table, "--batch", "300", "--parallel", "1", "--json"];
        let push = pushed(&served.run(&words).exits(0));
        let load = &load["loads"][at];
        for part in ["table", "source", "state", "read", "inserted", "updated", "unchanged", "rejected", "reasons"] {
            assert_eq!(push[part], load[part], "{table}: {part}");
        }
        assert_eq!(push["batches"], load["read"].as_u64().unwrap().div_ceil(300));
        assert_eq!((&push["retries"], &push["replayed"]), (&json!(0), &json!(0)));
        assert_eq!(push["to"], format!("{url}/"));
    }
    let rows = "SELECT group_concat(id || name || datetime || department_id || job_id) FROM (SELECT * FROM hired_employees ORDER BY id)";
    let of_load: String = loaded.database().query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(served.place.rows(rows), [[of_load]]);
    served.verifies();
}

#[test]
fn rejects_are_told_where_they_stand_in_the_file() {
    let served = things("");
    served.project.write("t.csv", "a\n1\nx\n\"\n\"\n4\ny\n");
    let run = push(&served, &["--batch", "2", "--json"]).exits(0);
    let places: Vec<(u64, u64)> = pushed(&run)["examples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|example| (example["record"].as_u64().unwrap(), example["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(places, [(2, 3), (3, 4), (5, 7)]);
    let text = push(&served, &["--batch", "2"]).exits(0).stdout;
    assert!(text.contains("5 read = 2 inserted + 0 updated + 0 unchanged + 3 rejected"), "{text}");
    assert!(text.contains("record 2, line 3: ") && text.contains("3 known before"), "{text}");
}

#[test]
fn the_same_command_does_nothing_twice_unless_it_is_told_to() {
    let served = things("");
    served.project.write("t.csv", numbers(2500));
    let first = pushed(&push(&served, &["--json", "--history", "one.csv"]).exits(0));
    assert_eq!((&first["read"], &first["inserted"], &first["rejected"]), (&json!(2500), &json!(2475), &json!(25)));
    let again = pushed(&push(&served, &["--json", "--history", "two.csv", "--parallel", "2"]).exits(0));
    assert_eq!((&again["replayed"], &again["inserted"]), (&json!(3), &json!(2475)));
    holds_numbers(&served, 2500);
    let history = |name: &str| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(served.project.path().join(name)).unwrap();
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    let (one, two) = (history("one.csv"), history("two.csv"));
    assert_eq!(one.len(), 3);
    for (at, (one, two)) in one.iter().zip(&two).enumerate() {
        assert_eq!(
            one[..4],
            [(at * 1000 + 1).to_string(), ["1000", "1000", "500"][at].into(), "1".into(), "200".into()]
        );
        assert_eq!(one[..9], two[..9], "the answer is the same");
        assert_eq!((&*one[10], &*two[10]), ("false", "true"));
    }
    let other = pushed(&push(&served, &["--json", "--again"]).exits(0));
    assert_eq!((&other["replayed"], &other["inserted"]), (&json!(0), &json!(2475)));
    assert_eq!(served.count("things"), 2 * 2475);
}

/// Each batch of each file is another request, however alike they are.
#[test]
fn equal_batches_are_each_taken() {
    let served = things("");
    served.project.write("t.csv", format!("a\n{}", "1\n".repeat(40)));
    push(&served, &["--batch", "10"]).exits(0);
    assert_eq!(served.count("things"), 40);
    served.project.write("t.csv", format!("a\n{}", "1\n".repeat(50)));
    push(&served, &["--batch", "10"]).exits(0);
    assert_eq!(served.count("things"), 90);
}

#[test]
fn what_a_network_does_changes_nothing() {
    let served = things("");
    served.project.write("t.csv", numbers(3000));
    let proxy = Proxy::start(served.address.port()).unwrap();
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let mut sent_again = 0;
    for (round, rule) in [
        // Of the question for the table, of a batch in its midst, and of an answer that was there.
        ProxyRule::Refuse,
        ProxyRule::CutAfterFromClient(5000),
        ProxyRule::CutAfterFromServer(900),
        ProxyRule::swallow_answer("POST", 2),
    ]
    .into_iter()
    .enumerate()
    {
        let refuses = rule == ProxyRule::Refuse;
        proxy.set(rule);
        let mut child = start(&served, &arguments(&url, &["--batch", "100", "--json", "--again"]));
        if refuses {
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(child.try_wait().unwrap(), None);
            proxy.set(ProxyRule::Pass);
        }
        let run = Run::of(&child.wait_with_output().unwrap()).exits(0);
        sent_again += pushed(&run)["retries"].as_u64().unwrap();
        assert_eq!(served.count("things"), (round as u64 + 1) * 2970, "round {round}: {}", run.stderr);
    }
    assert!(sent_again >= 3 && proxy.times_fired() == 3, "{sent_again} {}", proxy.times_fired());
    served.verifies();
}

fn start(served: &Served, arguments: &[&str]) -> Child {
    served.project.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until some rows are there, and not all.
#[track_caller]
fn wait_for_rows(served: &Served, least: u64, most: u64) {
    for _ in 0..2000 {
        let count = served.count("things");
        if count >= least {
            assert!(count < most, "it was too fast for this test");
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no rows come");
}

#[test]
fn a_service_that_is_killed_gets_each_record_once() {
    let mut served = things("");
    served.project.write("t.csv", numbers(20_000));
    let url = served.url();
    let child = start(&served, &arguments(&url, &["--batch", "50", "--json"]));
    wait_for_rows(&served, 1000, 19_000);
    served.kill();
    std::thread::sleep(Duration::from_millis(150));
    served.start_again();
    let run = Run::of(&child.wait_with_output().unwrap()).exits(0);
    let push = pushed(&run);
    assert!(push["retries"].as_u64().unwrap() > 0, "{push}");
    assert_eq!((&push["read"], &push["inserted"]), (&json!(20_000), &json!(19_800)));
    holds_numbers(&served, 20_000);
}

#[test]
fn a_push_that_is_killed_goes_on() {
    let served = things("");
    served.project.write("t.csv", numbers(20_000));
    let url = served.url();
    let words = arguments(&url, &["--batch", "50", "--json"]);
    let mut child = start(&served, &words);
    wait_for_rows(&served, 1000, 19_000);
    child.kill().unwrap();
    child.wait().unwrap();
    let push = pushed(&served.run(&words).exits(0));
    assert!((20..400).contains(&push["replayed"].as_u64().unwrap()), "{push}");
    assert_eq!((&push["read"], &push["batches"]), (&json!(20_000), &json!(400)));
    holds_numbers(&served, 20_000);
}

#[test]
fn a_batch_that_is_too_much_is_halved() {
    for limit in ["api: {maxBody: 700B}\n", "api: {maxRows: 80}\n"] {
        let served = things(limit);
        served.project.write("t.csv", numbers(2000));
        let push = pushed(&super::push::push(&served, &["--json"]).exits(0));
        assert_eq!((&push["read"], &push["inserted"]), (&json!(2000), &json!(1980)));
        assert!(push["batches"].as_u64().unwrap() >= 16, "{push}");
        let again = pushed(&super::push::push(&served, &["--json"]).exits(0));
        assert_eq!(again["replayed"], push["batches"]);
        holds_numbers(&served, 2000);
    }
    let served = things("api: {maxBody: 700B}\n");
    served.project.write("t.csv", format!("a\n1\n2\n{}\n4\n", "3".repeat(800)));
    let run = push(&served, &["--batch", "1", "--parallel", "1", "--history", "h.csv"]).exits(4);
    let history = served.project.read("h.csv");
    assert_eq!(history.lines().count(), 4, "{history}");
    assert!(history.lines().last().unwrap().starts_with("3,1,1,413,,,,,,"), "{history}");
    assert!(run.stderr.contains("records 3 to 3: The body is too large (413)"), "{}", run.stderr);
    assert!(run.stderr.contains("2 read = 2 inserted"), "{}", run.stderr);
    assert_eq!(served.count("things"), 2);
}

#[test]
fn a_limit_of_the_service_is_waited_for() {
    let served = things("api: {requestsPerSecond: 20, concurrentRequests: 2}\n");
    served.project.write("t.csv", numbers(300));
    let push = pushed(&push(&served, &["--batch", "10", "--json"]).exits(0));
    assert_eq!((&push["batches"], &push["inserted"]), (&json!(30), &json!(297)));
    assert!(push["retries"].as_u64().unwrap() > 0, "{push}");
}

#[test]
fn a_file_may_be_compressed_or_come_from_a_pipe() {
    let served = things("");
    let text = numbers(1200);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    served.project.write("t.csv", gzip.finish().unwrap());
    push(&served, &["--quiet"]).exits(0);
    holds_numbers(&served, 1200);
    let url = served.url();
    let words = ["push", "-", "--to", &url, "--table", "things", "--json"];
    let run = served.project.run_with_input(&words, text.as_bytes()).exits(0);
    assert_eq!(
        (&pushed(&run)["replayed"], &pushed(&run)["source"]),
        (&json!(2), &json!("-")),
        "the bytes are the same"
    );
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    assert_eq!(pushed(&served.project.run_with_input(&words, &zstd).exits(0))["replayed"], 2);
    holds_numbers(&served, 1200);
}

#[test]
fn each_dialect_and_encoding_is_sent_as_it_stands() {
    let package = |dialect: &str, encoding: &str| {
        format!(
            "resources: [{{name: things, path: t.csv, dialect: {dialect}, encoding: {encoding}, schema: {{fieldsMatch: equal, fields: \
             [{{name: id, type: integer}}, {{name: name, type: string}}], primaryKey: [id]}}}}]"
        )
    };
    let text = "name;id\nÄrger;1\n'a;b\nc';2\n# no row\n\n'open;3\nü;4\n";
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(|unit: u16| unit.to_be_bytes()).collect();
    let latin1: Vec<u8> = text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect();
    let dialect = "{delimiter: ';', quoteChar: \"'\", commentChar: '#'}";
    let titled = [b"a title\n# and a word\n".as_slice(), text.as_bytes()].concat();
    for (dialect, encoding, bytes) in [
        (dialect, "utf-8", text.as_bytes()),
        (dialect, "utf-16", &utf16),
        (dialect, "iso-8859-1", &latin1),
        ("{delimiter: ';', quoteChar: \"'\", commentChar: '#', headerRows: [3]}", "utf-8", &titled),
    ] {
        let served = Served::package(Kind::Sqlite, &package(dialect, encoding), "");
        served.project.write("t.csv", bytes);
        let loaded = Project::empty();
        loaded.write("datapackage.yaml", package(dialect, encoding));
        loaded.write("t.csv", bytes);
        let load = loaded.run(&["load", "--json"]).exits(0).json()["loads"][0].clone();
        let push = pushed(&push(&served, &["--batch", "1", "--json"]).exits(0));
        for part in ["read", "inserted", "rejected", "reasons"] {
            assert_eq!(push[part], load[part], "{encoding} {part}");
        }
        let rows = served.place.rows("SELECT id, name FROM things ORDER BY id");
        assert_eq!(rows, [["1", "Ärger"], ["2", "a;b\nc"], ["4", "ü"]], "{dialect} {encoding}");
    }
}

#[test]
fn what_cannot_be_sent_is_told() {
    let mut served = Served::package(Kind::Sqlite, THINGS, "");
    served.project.write("t.csv", "a\n1\n");
    served.project.write("b.csv", "b\n1\n");
    served.project.write("empty.csv", "");
    served.project.write("none.csv", "a\n");
    served.project.write("long.csv", [b"a\n1\n\"", vec![b'x'; 17 << 20].as_slice(), b"\"\n"].concat());
    let url = served.url();
    let with = |file: &str, to: &str, more: &[&str]| {
        served.run(&[&["push", file, "--to", to, "--table", "things", "--retries", "1"], more].concat())
    };
    for (file, more, code, words) in [
        ("b.csv", &[][..], 4, "its header is not that of the table"),
        ("empty.csv", &[], 4, "it has no header"),
        ("none.csv", &[], 0, "There is no record in it."),
        ("long.csv", &[], 4, "long.csv:3: record 2 is longer than 16 MiB"),
        ("no.csv", &[], 4, "no.csv"),
        ("t.csv", &["--batch", "1001"], 2, "1..=1000"),
    ] {
        let run = with(file, &url, more).exits(code);
        assert!(run.stderr.contains(words), "{file} {more:?}: {}", run.stderr);
    }
    // What stands before the record that is too long.
    assert_eq!(served.count("things"), 1);
    let table = served.run(&["push", "t.csv", "--to", &url, "--table", "nothing"]).fails(2);
    assert!(table.contains("has no table \"nothing\""), "{table}");
    let nowhere = with("t.csv", "http://127.0.0.1:1", &[]).fails(13);
    assert!(nowhere.starts_with("cannot ask http://127.0.0.1:1/ for the table, 2 times: "), "{nowhere}");
    let in_the_open = with("t.csv", "http://rows.example.com", &["--token", "x"]).fails(2);
    assert!(in_the_open.contains("--plain-http"), "{in_the_open}");
    served.token = Some(served.make_token(&["--role", "reader"]));
    let reader = served.token.clone().unwrap();
    std::thread::sleep(Duration::from_millis(2200));
    let with = |token: &str| served.run(&arguments(&url, &["--again", "--token", token]));
    assert!(with("wrong").fails(5).contains("No valid token (401)"));
    assert!(with(&reader).exits(5).stderr.contains("needs the role writer"));
    let writer = served.make_token(&["--role", "writer"]);
    std::thread::sleep(Duration::from_millis(2200));
    let mut command = served.project.command(&arguments(&url, &["--again", "--json"]));
    let run = Run::of(&command.env("LANDFALL_TOKEN", writer).output().unwrap()).exits(0);
    assert_eq!(pushed(&run)["inserted"], 1);
}

#[test]
fn records_that_are_comments_by_their_number_are_not_sent_wrongly() {
    let package = THINGS.replace("path: t.csv", "path: t.csv, dialect: {commentRows: [3]}");
    let served = Served::package(Kind::Sqlite, &package, "");
    served.project.write("t.csv", "a\n1\n2\n3\n");
    let error = push(&served, &["--batch", "1"]).fails(4);
    assert!(error.contains("commentRows"), "{error}");
    assert_eq!(served.count("things"), 0);
}

#[test]
fn a_batch_can_be_all_or_nothing_and_a_clash_an_update() {
    let package =
        THINGS.replace("integer}", "integer}, {name: b, type: string}").replace("]}}]", "], primaryKey: [a]}}]");
    let served = Served::package(Kind::Sqlite, &package, "");
    served.project.write("t.csv", "a,b\n1,x\n2,x\nno,x\n4,x\n");
    let run = push(&served, &["--batch", "2", "--atomic"]).exits(11);
    assert!(
        run.stderr.contains("rolled back: --atomic inserts all of a batch or nothing, and 1 had rejects"),
        "{}",
        run.stderr
    );
    assert_eq!(served.count("things"), 2);
    served.project.write("t.csv", "a,b\n1,y\n2,x\n");
    let update = pushed(&push(&served, &["--on-conflict", "update", "--json"]).exits(0));
    assert_eq!((&update["updated"], &update["unchanged"]), (&json!(1), &json!(1)));
}

#[test]
fn a_certificate_must_be_trusted() {
    let server = Postgres::start_with(&ServerOptions::default().with_tls(Tls::On)).unwrap();
    let certificates = server.certificates().unwrap();
    let (certificate, key) = (certificates.server_file(), certificates.key_file());
    let served =
        things(&format!("api: {{tls: {{certificate: '{}', key: '{}'}}}}\n", certificate.display(), key.display()));
    served.project.write("t.csv", numbers(200));
    let url = format!("https://{}", served.address);
    let with = |ca: &str| served.run(&arguments(&url, &["--retries", "1", "--ca", ca]));
    with(&certificates.authority_file().display().to_string()).exits(0);
    assert_eq!(served.count("things"), 198);
    let other = with(&certificates.unrelated_authority().display().to_string()).fails(5);
    assert!(other.contains("certificate") && !other.contains("times"), "{other}");
    assert!(served.run(&arguments(&url, &["--retries", "0"])).fails(5).contains("certificate"));
    assert!(with("t.csv").fails(2).contains("PEM"));
}
