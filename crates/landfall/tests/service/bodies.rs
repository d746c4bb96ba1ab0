//! Bodies from a suite of tests for JSON parsers, as rows.

use super::{asked::Answer, place::Kind, served::Served, support::conformance_folder};

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn every_body_of_the_suite_has_the_answer_that_it_deserves() {
    let Some(folder) = conformance_folder() else {
        println!("SKIPPED: set LANDFALL_CONFORMANCE to the folder that holds conformance/json-parsing");
        return;
    };
    let package =
        "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: any}, {name: b, type: any}]}}]";
    let served = Served::package(Kind::Sqlite, package, "");
    let mut files = 0;
    for entry in std::fs::read_dir(folder.join("conformance/json-parsing")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read(&path).unwrap();
        let answer = served.send("POST", "/v1/tables/things/rows", &[("Content-Type", "application/json")], &body);
        judge(&name, &answer);
        files += 1;
    }
    assert!(files > 300, "{files}");
    assert_eq!(served.get("/readyz").status, 200);
    served.verifies();
}

fn judge(name: &str, answer: &Answer) {
    let kind = if answer.header("content-type") == Some("application/problem+json") {
        answer.problem()
    } else {
        String::new()
    };
    let is_syntax = matches!(kind.as_str(), "not-json" | "not-utf-8");
    match name.as_bytes()[0] {
        // `[]` is sound JSON, and no rows.
        b'y' => assert!(!is_syntax && answer.status < 500, "{name}: {} {}", answer.status, answer.text()),
        b'n' if answer.body.is_empty() => panic!("{name}"),
        b'n' => assert!(
            answer.status == 400 && is_syntax || kind == "no-rows",
            "{name}: {} {}",
            answer.status,
            answer.text()
        ),
        _ => assert!(answer.status < 500, "{name}: {} {}", answer.status, answer.text()),
    }
}
