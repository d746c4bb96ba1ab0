//! Dry runs of files and restores over HTTP: the real run, rolled back.

use serde_json::{Value, json};

use super::{
    place::Kind,
    served::{Served, on_every_database},
};

const PACKAGE: &str = "
resources:
  - {name: people, path: p.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: name, type: string}]}}
  - name: pets
    path: q.csv
    schema:
      primaryKey: id
      fields: [{name: id, type: integer}, {name: owner, type: integer}]
      foreignKeys: [{fields: owner, reference: {resource: people, fields: id}}]
";

/// What a task tells of its work, without what differs from one run to the next.
const TOLD: [&str; 11] = [
    "state",
    "load_state",
    "read",
    "inserted",
    "updated",
    "unchanged",
    "rejected",
    "reasons",
    "removed",
    "refusal",
    "closed_rejects",
];

fn told(task: &Value) -> Vec<(&str, Value)> {
    TOLD.iter().map(|name| (*name, task[*name].clone())).collect()
}

/// A task of the same work with other numbers and times.
fn without_numbers(load: &Value) -> Value {
    let mut load = load.clone();
    load["load_id"] = Value::Null;
    load
}

impl Served {
    #[track_caller]
    fn task_of(&self, path: &str, body: &[u8]) -> Value {
        self.send("POST", &format!("/v1/tables/{path}&wait=60"), &[], body).of(200)
    }

    /// All that a dry run must leave as it is, but for its own task.
    fn everything(&self) -> Value {
        let rows = |table: &str| self.get(&format!("/v1/tables/{table}/rows")).of(200);
        let counted = self.get("/metrics").text();
        let is_of_loads = |line: &&str| {
            ["landfall_rows_total{", "landfall_loads_total{", "landfall_reject_errors_total{"]
                .iter()
                .any(|name| line.starts_with(name))
        };
        let counted: Vec<&str> = counted.lines().filter(is_of_loads).collect();
        assert!(!counted.is_empty());
        json!({
            "people": rows("people"), "pets": rows("pets"), "loads": self.get("/v1/loads").of(200),
            "rejects": self.get("/v1/rejects").of(200), "released": self.get("/v1/rejects?state=released").of(200),
            "counted": counted,
        })
    }
}

fn a_dry_run_of_a_file_tells_what_the_load_would_do(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    served.task_of("people/files?mode=append", b"id,name\n1,a\n2,b\n3,c\n");
    served.task_of("pets/files?mode=append", b"id,owner\n1,1\n2,9\n");
    for (query, body) in [
        ("mode=append", &b"id,name\n1,a\n2,x\nx,y\n9,i\n"[..]),
        ("mode=append&max_rejects=0", b"id,name\n20,a\nx,y\n21,i\n"),
        ("mode=append&atomic=true", b"id,name\n30,a\nx,y\n"),
        ("mode=upsert", b"id,name\n1,z\n2,b\n40,n\n"),
        ("mode=append&on_conflict=keep", b"id,name\n1,k\n50,n\n"),
        ("mode=append&delimiter=;", b"id;name\n60;n\n"),
        ("mode=append&delimiter=;", b"id;name\n60;n\n"),
    ] {
        let path = format!("people/files?{query}");
        let before = served.everything();
        let tried = served.task_of(&format!("{path}&dry_run=true"), body);
        assert_eq!(served.everything(), before, "{query}: {tried}");
        assert_eq!(tried["dry_run"], true, "{tried}");
        let is_known = tried["load_state"] == "known";
        assert_eq!(
            (tried["load_id"].is_null(), tried["links"].get("load").is_none()),
            (!is_known, !is_known),
            "{tried}"
        );
        let done = served.task_of(&path, body);
        assert_eq!(told(&tried), told(&done), "{query}");
        assert_eq!(done.get("dry_run"), None);
        let released =
            |task: &Value| -> Vec<Value> { task["released"].as_array().unwrap().iter().map(without_numbers).collect() };
        assert_eq!(released(&tried), released(&done), "{query}");
    }
    served.verifies();
}

fn a_dry_run_of_a_replace_tells_what_would_go(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    served.task_of("people/files?mode=append", b"id,name\n1,a\n2,b\n3,c\n");
    for (query, body, state) in [
        ("mode=replace", &b"id,name\n"[..], "failed"),
        ("mode=replace&allow_empty=true", b"id,name\n", "done"),
        ("mode=replace", b"id,name\n7,a\n8,b\n", "done"),
    ] {
        let path = format!("people/files?{query}");
        let before = served.everything();
        let tried = served.task_of(&format!("{path}&dry_run=true"), body);
        assert_eq!(served.everything(), before, "{query}: {tried}");
        let done = served.task_of(&path, body);
        assert_eq!(told(&tried), told(&done), "{query}");
        assert_eq!((&tried["state"], &tried["problem"]), (&json!(state), &done["problem"]), "{query}");
    }
    served.verifies();
}

fn a_dry_run_of_a_restore_tells_what_it_would_do(kind: Kind) {
    let served = Served::package(kind, PACKAGE, "");
    served.task_of("people/files?mode=append", b"id,name\n1,a\n2,b\n3,c\n");
    let set = served.post("/v1/backups?wait=60", "").of(200)["backup"]["set"].as_str().unwrap().to_owned();
    let avro = served.get(&format!("/v1/backups/{set}/people.avro")).body;
    served.task_of("people/files?mode=replace", b"id,name\n2,other\n5,e\n6,f\n7,g\n");
    served.task_of("pets/files?mode=append", b"id,owner\n1,5\n");
    for (query, body, state) in [
        // A row of another table needs one that would go.
        ("mode=replace", &b""[..], "failed"),
        ("mode=append", b"", "done"),
        ("mode=upsert", &avro, "done"),
        ("mode=append&atomic=true", &avro, "done"),
    ] {
        let path = format!("people/restore?{query}");
        let before = served.everything();
        let tried = served.task_of(&format!("{path}&dry_run=true"), body);
        assert_eq!(served.everything(), before, "{query}: {tried}");
        assert_eq!((&tried["dry_run"], &tried["state"]), (&json!(true), &json!(state)), "{query}: {tried}");
        let done = served.task_of(&path, body);
        assert_eq!((&tried["state"], &tried["problem"]), (&done["state"], &done["problem"]), "{query}");
        if state == "done" {
            let load = |task: &Value| without_numbers(&task["restore"]["loads"][0]);
            assert_eq!(load(&tried), load(&done), "{query}");
            assert_eq!(tried["restore"]["loads"][0]["load_id"], Value::Null, "{tried}");
        }
    }
    served.verifies();
}

on_every_database! {
    a_dry_run_of_a_file_tells_what_the_load_would_do,
    a_dry_run_of_a_replace_tells_what_would_go,
    a_dry_run_of_a_restore_tells_what_it_would_do,
}

/// A dry run and the load that follows it are two requests, also under a key.
#[test]
fn a_dry_run_does_not_answer_for_the_load() {
    let served = Served::package(Kind::Sqlite, PACKAGE, "");
    let send = |query: &str, key: &str| {
        let headers = [("Content-Type", "text/csv"), ("Idempotency-Key", key)];
        served.send("POST", &format!("/v1/tables/people/files?wait=60{query}"), &headers, b"id,name\n1,a\n")
    };
    assert_eq!(send("&dry_run=true", "a").of(200)["inserted"], 1);
    assert_eq!(served.count("people"), 0);
    assert_eq!(send("", "a").problem(), "idempotency-key-reused");
    assert_eq!(send("", "b").of(200)["inserted"], 1);
    assert_eq!(served.count("people"), 1);
    assert_eq!(send("&dry_run=yes", "c").problem(), "bad-parameter");
}
