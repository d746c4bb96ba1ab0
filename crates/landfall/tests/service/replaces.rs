//! Replaces over HTTP that would leave little or nothing.

use serde_json::{Value, json};

use super::{
    place::Kind,
    served::{Served, on_every_database},
};

const PEOPLE: &str = "resources:\n\
    - {name: people, path: people.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: name, type: string}]}}\n";

impl Served {
    /// The task that sending `body` begins, once it has ended.
    #[track_caller]
    fn replaced_by(&self, path: &str, body: &[u8]) -> Value {
        self.send("POST", &format!("/v1/tables/people/{path}&wait=60"), &[], body).of(200)
    }
}

fn a_replace_that_leaves_little_or_nothing_took_effect(kind: Kind) {
    let served = Served::package(kind, PEOPLE, "");
    served.replaced_by("files?mode=append", b"id,name\n1,a\n2,b\n3,c\n");
    let (none, bad, few) = (&b"id,name\n"[..], &b"id,name\nx,a\ny,b\nz,c\n"[..], &b"id,name\n7,a\ny,b\nz,c\n"[..]);
    for (body, mend, refusal) in [
        (none, "allow_empty=true", json!({"reason": "leaves-empty", "removes": 3, "keeps": 0, "rejects": 0})),
        (bad, "allow_empty=true", json!({"reason": "leaves-empty", "removes": 3, "keeps": 0, "rejects": 3})),
        (few, "max_rejects", json!({"reason": "keeps-fewer-than-rejects", "removes": 3, "keeps": 1, "rejects": 2})),
    ] {
        let task = served.replaced_by("files?mode=replace", body);
        assert_eq!((&task["state"], &task["refusal"]), (&json!("failed"), &refusal), "{task}");
        let detail = task["problem"]["detail"].as_str().unwrap();
        assert!(detail.contains("would remove 3 rows") && detail.contains(mend), "{task}");
        assert_eq!(served.count("people"), 3);
    }
    let task = served.replaced_by("files?mode=replace&max_rejects=2", few);
    assert_eq!((&task["state"], &task["removed"], served.count("people")), (&json!("done"), &json!(3), 1), "{task}");
    let task = served.replaced_by("files?mode=replace&allow_empty=true", none);
    assert_eq!((&task["state"], &task["removed"], served.count("people")), (&json!("done"), &json!(1), 0), "{task}");
    served.verifies();
}

fn a_restore_that_leaves_nothing_or_has_rejects_took_effect(kind: Kind) {
    let served = Served::package(kind, PEOPLE, "");
    served.replaced_by("files?mode=append", b"id,name\n");
    let set = served.post("/v1/backups?wait=60", "").of(200)["backup"]["set"].as_str().unwrap().to_owned();
    let avro = served.get(&format!("/v1/backups/{set}/people.avro")).body;
    served.replaced_by("files?mode=append", b"id,name\n1,a\n2,b\n3,c\n");
    for (path, body) in [("restore?set=latest", &b""[..]), ("restore?mode=replace", &avro)] {
        let task = served.replaced_by(path, body);
        assert_eq!(task["state"], "failed", "{task}");
        assert_eq!(task["restore"]["loads"][0]["refusal"]["removes"], 3, "{task}");
        assert!(task["problem"]["detail"].as_str().unwrap().contains("would remove 3 rows"), "{task}");
        assert_eq!(served.count("people"), 3);
    }
    let task = served.replaced_by("restore?allow_empty=true", b"");
    assert_eq!((&task["state"], served.count("people")), (&json!("done"), 0), "{task}");
    assert_eq!(task["restore"]["loads"][0]["removed"], 3, "{task}");
    served.verifies();
}

on_every_database! {
    a_replace_that_leaves_little_or_nothing_took_effect,
    a_restore_that_leaves_nothing_or_has_rejects_took_effect
}

#[test]
fn how_many_rejects_are_allowed_is_said_as_everywhere() {
    let served = Served::package(Kind::Sqlite, PEOPLE, "");
    for path in ["files?mode=replace&max_rejects=some", "restore?max_rejects=some", "restore?allow_empty=yes"] {
        let answer = served.send("POST", &format!("/v1/tables/people/{path}"), &[], b"");
        assert_eq!(answer.problem(), "bad-parameter", "{path}");
    }
}
