//! Backups over HTTP, and those that the schedule wants.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{ObjectStorage, ObjectStorageKind};

use super::{
    access::wait_for_tokens,
    asked::{connect, exchange, request},
    files::ended_at,
    place::Kind,
    served::{Served, on_every_database},
};

fn backed_up(served: &Served, body: &str) -> Value {
    let task = served.post("/v1/backups?wait=60", body).of(200);
    assert_eq!(task["state"], "done", "{task}");
    task["backup"].clone()
}

fn digests(set: &Value) -> Vec<Value> {
    set["tables"].as_array().unwrap().iter().map(|entry| entry["digest"].clone()).collect()
}

fn a_backup_is_made_listed_fetched_and_restored(kind: Kind) {
    let served = Served::example(kind);
    served.run(&["load", "-q"]).exits(0);
    let set = backed_up(&served, "");
    let name = set["set"].as_str().unwrap();
    assert_eq!(set["tables"].as_array().unwrap().len(), 3);
    let listed = served.get("/v1/backups").of(200);
    assert_eq!(listed["backups"][0]["tables"], set["tables"]);
    assert_eq!(listed["next"], Value::Null);
    let file = served.get(&format!("/v1/backups/{name}/hired_employees.avro"));
    assert_eq!((file.status, file.header("content-type")), (200, Some("application/avro")));
    assert_eq!(file.body.len() as u64, set["tables"][2]["bytes"].as_u64().unwrap());
    for nowhere in [
        "/v1/backups/latest/jobs.avro",
        &format!("/v1/backups/{name}/manifest.json"),
        &format!("/v1/backups/{name}/..%2F..%2Flandfall.avro"),
    ] {
        assert_eq!(served.get(nowhere).problem(), "not-found", "{nowhere}");
    }
    let rows = served.count("hired_employees");
    let changes = format!("DELETE FROM {0} WHERE id < 500", served.place.quoted("hired_employees"));
    served.place.run(&changes);
    assert!(served.count("hired_employees") < rows);
    let task = served.post("/v1/tables/hired_employees/restore?wait=60", "").of(200);
    assert_eq!((&task["state"], &task["restore"]["set"]), (&json!("done"), &json!(name)), "{task}");
    assert_eq!(task["restore"]["loads"][0]["inserted"], rows, "{task}");
    // The file that was fetched is as good.
    served.place.run(&changes);
    let headers = [("Content-Type", "application/avro")];
    let task = served.send("POST", "/v1/tables/hired_employees/restore?wait=60", &headers, &file.body).of(200);
    assert_eq!((&task["state"], &task["restore"]["set"]), (&json!("done"), &Value::Null), "{task}");
    assert_eq!(served.count("hired_employees"), rows);
    assert_eq!(digests(&backed_up(&served, "")), digests(&set));
    served.verifies();
}

on_every_database! { a_backup_is_made_listed_fetched_and_restored }

/// With backups in object storage: the same routes; and one whose storage is gone fails, and says so.
#[test]
fn backups_may_be_in_object_storage() {
    let storage = ObjectStorage::start(ObjectStorageKind::S3).unwrap();
    let served = Served::prepared(Kind::Sqlite, |project| {
        for (name, value) in storage.credential_variables() {
            project.set(name, &value);
        }
        let settings = project.read("landfall.yaml");
        let (to, endpoint) = (storage.object_url("service"), storage.endpoint_url());
        let storage = format!("{{endpoint: '{endpoint}', allowHttp: true, allowPrivateAddresses: true}}");
        project.write("landfall.yaml", format!("{settings}\nbackup: {{to: '{to}'}}\nstorage: {storage}\n"));
    });
    served.run(&["load", "-q"]).exits(0);
    let set = backed_up(&served, "");
    let name = set["set"].as_str().unwrap();
    assert_eq!(served.get("/v1/backups").of(200)["backups"][0]["tables"], set["tables"]);
    let path = format!("/v1/backups/{name}/hired_employees.avro");
    let file = served.get(&path);
    assert_eq!((file.status, file.header("content-type")), (200, Some("application/avro")));
    let stored = storage.bucket_folder().join("service").join(name).join("hired_employees.avro");
    assert!(file.body == std::fs::read(stored).unwrap());
    assert_eq!(served.get("/v1/backups/20260101T000000.000000Z-01234567/jobs.avro").problem(), "not-found");
    let rows = served.count("hired_employees");
    served.place.run("DELETE FROM hired_employees WHERE id < 500");
    let task = served.post("/v1/tables/hired_employees/restore?wait=60", "").of(200);
    assert_eq!((&task["state"], &task["restore"]["set"]), (&json!("done"), &json!(name)), "{task}");
    assert_eq!(served.count("hired_employees"), rows);
    storage.stop_server().unwrap();
    assert_eq!(served.get(&path).problem(), "storage");
    assert_eq!(served.get("/v1/backups").problem(), "storage");
    let task = served.post("/v1/backups?wait=60", "").of(200);
    assert_eq!((&task["state"], &task["problem"]["status"]), (&json!("failed"), &json!(503)), "{task}");
    assert!(!task.to_string().contains("127.0.0.1"), "{task}");
    let task = served.post("/v1/tables/hired_employees/restore?wait=60", "").of(200);
    assert_eq!(task["state"], "failed", "{task}");
    storage.restart_server().unwrap();
    assert_eq!(served.get("/v1/backups").of(200)["backups"].as_array().unwrap().len(), 1);
    assert_eq!(digests(&backed_up(&served, "")), digests(&set));
    served.verifies();
}

#[test]
fn what_cannot_be_restored_is_told() {
    let served = Served::example(Kind::Sqlite);
    served.run(&["load", "-q"]).exits(0);
    let failed = |path: &str, body: &[u8]| {
        let task = served.send("POST", path, &[("Content-Type", "application/avro")], body).of(200);
        assert_eq!(task["state"], "failed", "{task}");
        task["problem"]["detail"].as_str().unwrap().to_owned()
    };
    let path = "/v1/tables/jobs/restore?wait=60";
    assert!(failed(path, b"").contains("no such set"));
    assert!(failed(path, b"id,job\n1,x\n").contains("Avro"));
    let set = backed_up(&served, r#"{"tables": ["jobs"], "codec": "deflate"}"#);
    let name = set["set"].as_str().unwrap();
    let file = served.get(&format!("/v1/backups/{name}/jobs.avro")).body;
    let before = served.count("jobs");
    let told = failed(path, &file[..file.len() - 20]);
    assert!(told.contains("block"), "{told}");
    let told = failed("/v1/tables/departments/restore?wait=60", &file);
    // In the words of HTTP: the options of the command line mean nothing here.
    assert!(told.contains("say with map ") && !told.contains("--"), "{told}");
    assert_eq!(served.count("jobs"), before);
    for (path, body, problem) in [
        ("/v1/tables/jobs/restore?set=..", "", "not-found"),
        ("/v1/tables/jobs/restore?mode=retry", "", "bad-parameter"),
        ("/v1/tables/jobs/restore?map=x", "", "bad-parameter"),
        ("/v1/tables/jobs/restore?set=latest", "something", "contradiction"),
        ("/v1/backups", r#"{"tables": ["nothing"]}"#, "not-found"),
        ("/v1/backups", r#"{"table": "jobs"}"#, "wrong-shape"),
        ("/v1/backups", r#"{"codec": "zip"}"#, "wrong-shape"),
        ("/v1/backups", r#"{"scheduled_at": "x"}"#, "wrong-shape"),
    ] {
        assert_eq!(served.post(path, body).problem(), problem, "{path} {body}");
    }
}

/// A token for some tables sees nothing of others.
#[test]
fn an_admin_of_one_table_backs_that_one_up() {
    let served = Served::example(Kind::Sqlite);
    served.run(&["load", "-q"]).exits(0);
    let all = backed_up(&served, "");
    let token = served.make_token(&["--role", "admin", "--table", "jobs"]);
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    wait_for_tokens(&served);
    let task = served.send("POST", "/v1/backups?wait=60", &headers, b"").of(200);
    assert_eq!(task["backup"]["tables"].as_array().unwrap().len(), 1, "{task}");
    let listed = served.send("GET", "/v1/backups", &headers, b"").of(200);
    for set in listed["backups"].as_array().unwrap() {
        assert_eq!(set["tables"].as_array().unwrap().len(), 1, "{set}");
    }
    let name = all["set"].as_str().unwrap();
    let get = |table: &str| served.send("GET", &format!("/v1/backups/{name}/{table}.avro"), &headers, b"").status;
    assert_eq!((get("jobs"), get("departments")), (200, 404));
    let restore = |query: &str| served.send("POST", &format!("/v1/tables/jobs/restore?wait=60{query}"), &headers, b"");
    assert_eq!(restore("&with_dependents=true").problem(), "forbidden");
    assert_eq!(restore("&mode=upsert").of(200)["state"], "done");
}

/// Two services of one project, each with the schedule: each time is one backup.
#[test]
fn the_schedule_is_kept_by_one_service_of_several() {
    let served = Served::package(
        Kind::Sqlite,
        "resources: [{name: notes, path: notes.csv, schema: {fields: [{name: text, type: string}]}}]",
        "backup: {cron: \"* * * * *\", keep: {last: 2}}\n",
    );
    let other = served.beside();
    // Both know the time from which on the schedule holds; it was long ago.
    let begun = Instant::now();
    let documents = served.place.own("documents");
    loop {
        let count = served.place.number(&format!("SELECT count(*) FROM {documents} WHERE kind = 'scheduled-backup'"));
        if count >= 1 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(50));
    }
    let listed = || served.get("/v1/tasks").of(200)["tasks"].as_array().unwrap().clone();
    while listed().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(75), "no backup was made");
        std::thread::sleep(Duration::from_millis(200));
    }
    let task = ended_at(served.address, &listed()[0]);
    assert_eq!((&task["state"], &task["kind"]), (&json!("done"), &json!("backup")), "{task}");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(listed().len(), 1);
    // Whichever made it counts it.
    let counted = [served.address, other.address].map(|address| {
        let metrics = exchange(&mut connect(address).unwrap(), &request("GET", "/metrics", &[], b"")).unwrap().text();
        metrics.lines().filter(|line| *line == "landfall_backups_total{outcome=\"made\"} 1").count()
    });
    assert_eq!(counted.iter().sum::<usize>(), 1, "{counted:?}");
}

/// A service that did not run when a backup was due makes it when it runs again.
#[test]
fn a_backup_that_was_missed_is_made_up() {
    let mut served = Served::package(
        Kind::Sqlite,
        "resources: [{name: notes, path: notes.csv, schema: {fields: [{name: text, type: string}]}}]",
        "backup: {cron: \"0 0 1 * *\"}\n",
    );
    std::thread::sleep(Duration::from_millis(1500));
    served.kill();
    let documents = served.place.own("documents");
    served.place.run(&format!("UPDATE {documents} SET name = '2026-01-15T00:00:00Z' WHERE kind = 'scheduled-backup'"));
    served.start();
    let begun = Instant::now();
    loop {
        let tasks = served.get("/v1/tasks").of(200)["tasks"].as_array().unwrap().clone();
        if let Some(task) = tasks.first() {
            assert_eq!(ended_at(served.address, task)["state"], "done");
            assert_eq!(tasks.len(), 1, "one for all that were missed");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(100));
    }
}
