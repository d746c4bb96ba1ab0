//! Reports behind links, and reports that are answered from a stored result.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    place::Kind,
    served::{Served, on_every_database},
    support::Project,
};

const PACKAGE: &str = "resources:\n\
    - {name: things, path: t.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: name, type: string}]}}\n";

const COUNT: &str = "SELECT count(*) AS things, :least AS least FROM things WHERE id >= :least";

fn served(kind: Kind, refresh: &str, more: &str) -> Served {
    let parameters = "parameters: [{name: least, type: integer, default: 0}]";
    let reports =
        format!("reports:\n  count: {{sql: count.sql, {refresh}{parameters}}}\n  all: {{sql: all.sql}}\n{more}");
    let mut served = Served::package(kind, PACKAGE, &reports);
    served.project.write("count.sql", COUNT);
    served.project.write("all.sql", "SELECT id, name FROM things ORDER BY id");
    served.kill();
    served.start();
    served
}

fn things(project: &Project, count: u64) {
    let lines: String = (1..=count).map(|id| format!("{id},thing {id}\n")).collect();
    project.write("t.csv", format!("id,name\n{lines}"));
}

fn a_report_is_fetched_by_a_link(kind: Kind) {
    let served = served(kind, "", "");
    served.post("/v1/tables/things/rows", r#"[{"id":1,"name":"=1+1"},{"id":2,"name":"b,c"}]"#).of(201);
    let export = served.send("POST", "/v1/reports/all/exports", &[], b"").of(201);
    assert_eq!((export["rows"].as_u64(), export["report"].as_str()), (Some(2), Some("all")), "{export}");
    let url = export["url"].as_str().unwrap();
    let file = served.get(url);
    assert_eq!((file.status, file.text().as_str()), (200, "id,name\n1,'=1+1\n2,\"b,c\"\n"));
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"all.csv\""));
    assert_eq!(export["bytes"].as_u64(), Some(file.body.len() as u64));
    let plain = served.send("POST", "/v1/reports/all/exports?guard_formulas=false", &[], b"").of(201);
    assert!(served.get(plain["url"].as_str().unwrap()).text().contains("\n1,=1+1\n"));
    let asked = served.send("POST", "/v1/reports/count/exports?least=2", &[], b"").of(201);
    assert_eq!(served.get(asked["url"].as_str().unwrap()).text(), "things,least\n1,2\n");
    // Only just this link.
    let digit = |char: char| if char == '0' { '1' } else { '0' };
    let last = url.chars().last().unwrap();
    for wrong in [
        format!("{}{}", &url[..url.len() - 1], digit(last)),
        url.replace("all.csv", "count.csv"),
        url.replace("expires=", "expires=1"),
        url.replace("&signature", "&other"),
        url.split('?').next().unwrap().to_owned(),
        url.replace("/v1/exports/", "/v1/exports/..%2f"),
    ] {
        assert!([400, 404].contains(&served.get(&wrong).status), "{wrong}");
    }
    assert_eq!(served.send("POST", "/v1/reports/none/exports", &[], b"").status, 404);
    assert_eq!(served.send("POST", "/v1/reports/count/exports?least=x", &[], b"").problem(), "bad-parameter");
    // Another key takes all links away.
    served.run(&["token", "revoke-links"]).exits(0);
    assert_eq!(served.get(url).status, 404);
}

fn a_stored_result_is_renewed_after_loads(kind: Kind) {
    let mut served = served(kind, "refresh: on_load, ", "");
    let counted = |served: &Served, least: u64| {
        let answer = served.get(&format!("/v1/reports/count?least={least}"));
        assert!(answer.header("last-modified").is_some_and(|at| at.ends_with(" GMT")), "{answer:?}");
        answer.json()[0]["things"].as_u64().unwrap()
    };
    let becomes = |served: &Served, least: u64, count: u64| {
        let begun = Instant::now();
        while counted(served, least) != count {
            assert!(begun.elapsed() < Duration::from_secs(20), "{kind:?}: {}", counted(served, least));
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    assert_eq!((counted(&served, 0), counted(&served, 3)), (0, 0));
    served.post("/v1/tables/things/rows", r#"[{"id":1,"name":"a"},{"id":5,"name":"b"}]"#).of(201);
    becomes(&served, 0, 2);
    becomes(&served, 3, 1);
    // A load of another process.
    things(&served.project, 100);
    served.run(&["load", "--quiet", "--on-conflict", "update"]);
    becomes(&served, 0, 100);
    becomes(&served, 3, 98);
    let reports = served.get("/v1/reports").of(200);
    assert_eq!(reports["reports"][0]["refresh"], "on_load");
    assert!(reports["reports"][0]["refreshed_at"].is_string(), "{reports}");
    for (format, text) in [("csv", "things,least\n98,3\n"), ("ndjson", "{\"things\":98,\"least\":3}\n")] {
        assert_eq!(served.get(&format!("/v1/reports/count?least=3&format={format}")).text(), text);
    }
    served.kill();
    served.start();
    assert_eq!(counted(&served, 3), 98);
}

on_every_database!(a_report_is_fetched_by_a_link, a_stored_result_is_renewed_after_loads);

#[test]
fn a_result_on_a_schedule_stays_until_its_time() {
    let mut served = served(Kind::Sqlite, "refresh: {cron: \"0 0 1 1 *\", timezone: Europe/Berlin}, ", "");
    let counted = |served: &Served| served.get("/v1/reports/count").of(200)[0]["things"].clone();
    assert_eq!(counted(&served), json!(0));
    served.post("/v1/tables/things/rows", r#"[{"id":1,"name":"a"}]"#).of(201);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(counted(&served), json!(0));
    // Also after a restart, and from another service.
    served.kill();
    served.start();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(counted(&served), json!(0));
    // Another question is one of its own, and other SQL too.
    assert_eq!(served.get("/v1/reports/count?least=1").of(200)[0]["things"], 1);
    served.project.write("count.sql", COUNT.replace("count(*)", "count(*) + 0"));
    assert_eq!(counted(&served), json!(1));
    let wrong = served.project.read("landfall.yaml");
    for (cron, words) in [
        ("{cron: \"0 0 30 2 *\"}", "is not five fields of cron"),
        ("daily", "says no time"),
        ("{cron: \"0 0 * * *\", timezone: Mars}", "no time zone"),
    ] {
        let text = wrong.replace("{cron: \"0 0 1 1 *\", timezone: Europe/Berlin}", cron);
        served.project.write("landfall.yaml", text);
        let run = served.run(&["serve"]);
        assert!(run.code == 3 && run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn a_link_ends_and_its_file_goes() {
    let served = served(Kind::Sqlite, "", "api: {exportHours: 1, exportSpace: 200}\n");
    served.post("/v1/tables/things/rows", r#"[{"id":1,"name":"a"}]"#).of(201);
    let export = served.send("POST", "/v1/reports/all/exports", &[], b"").of(201);
    let folder = served.project.path().join(".landfall/exports");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    // As if an hour had passed: what has ended is removed before another one is made.
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    std::fs::rename(&file, folder.join(format!("1000-{}", name.split_once('-').unwrap().1))).unwrap();
    assert_eq!(served.get(export["url"].as_str().unwrap()).problem(), "gone");
    served.send("POST", "/v1/reports/all/exports", &[], b"").of(201);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    let rows: Vec<Value> = (10..60).map(|id| json!({"id": id, "name": "some name"})).collect();
    served.post("/v1/tables/things/rows", &json!(rows).to_string()).of(201);
    assert_eq!(served.send("POST", "/v1/reports/all/exports", &[], b"").problem(), "no-space");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}
