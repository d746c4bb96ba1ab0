//! A disk that is full under the service: what is refused, how that is told, and that all goes on once there is room.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{Mariadb, Postgres, ServerOptions};

use super::{
    asked::Answer,
    files::ended_at,
    place::{Kind, Place},
    served::Served,
    support::small_disk::SmallDisk,
};

const PACKAGE: &str = "resources:\n\
    - {name: notes, path: n.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: text, type: string}]}}\n";

/// How soon `/readyz` tells what has changed.
const SOON: Duration = Duration::from_secs(20);

/// Sends the rows of `batch`, a quarter of a megabyte, under its key.
fn send(served: &Served, batch: u64) -> Answer {
    let row = |at: u64| json!({"id": batch * 100 + at, "text": "x".repeat(2500)});
    let rows = json!((0..100).map(row).collect::<Vec<_>>()).to_string();
    let key = format!("batch {batch}");
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
    served.send("POST", "/v1/tables/notes/rows", &headers, rows.as_bytes())
}

/// Asks `/readyz` until it says this of writing.
#[track_caller]
fn wait_until_writing_is(served: &Served, finding: &str) -> Value {
    let begun = Instant::now();
    loop {
        let answer = served.get("/readyz");
        let body = answer.json();
        if body["checks"]["database_write"] == finding {
            assert_eq!(answer.status, if finding == "ok" { 200 } else { 503 }, "{body}");
            return body;
        }
        assert!(begun.elapsed() < SOON, "{body}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Sends rows until there is no space for more; how many batches were acknowledged.
fn send_until_full(served: &Served) -> u64 {
    let begun = Instant::now();
    for batch in 1.. {
        let answer = send(served, batch);
        if answer.status == 201 {
            assert!(begun.elapsed() < Duration::from_secs(60), "the disk does not become full");
            continue;
        }
        assert_eq!((answer.status, answer.problem().as_str()), (503, "database"), "{}", answer.text());
        assert!(answer.text().contains("no space left"), "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
        return batch - 1;
    }
    unreachable!()
}

/// What was refused is done by the same request once there is room, and what was acknowledged is there.
fn assert_goes_on(served: &Served, acknowledged: u64) {
    assert_eq!(served.count("notes"), acknowledged * 100, "nothing of what was refused is there");
    for batch in 1..=acknowledged + 3 {
        let answer = send(served, batch);
        assert_eq!(answer.status, 201, "batch {batch}: {}", answer.text());
        assert_eq!(answer.header("idempotency-replayed").is_some(), batch <= acknowledged, "batch {batch}");
    }
    let file = served.send("POST", "/v1/tables/notes/files", &[], b"id,text\n1,a\n2,b\n").of(202);
    assert_eq!(ended_at(served.address, &file)["inserted"], 2);
    assert_eq!(served.count("notes"), (acknowledged + 3) * 100 + 2);
    served.verifies();
}

#[test]
fn a_full_disk_is_told_and_the_service_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::new(16, "0") else { return };
    let mut served = Served::package_at(Place::fresh(Kind::Sqlite, &disk.folder), PACKAGE);
    let uploads = disk.folder.join("uploads");
    let settings = served.project.read("landfall.yaml");
    served.project.write("landfall.yaml", format!("{settings}api: {{uploadFolder: '{}'}}\n", uploads.display()));
    served.kill();
    served.start();
    wait_until_writing_is(&served, "ok");
    disk.fill();
    let acknowledged = send_until_full(&served);
    let body = wait_until_writing_is(&served, "full");
    assert_eq!((&body["status"], &body["checks"]["database_read"]), (&json!("unavailable"), &json!("ok")), "{body}");
    // What needs no space goes on, and a file that has none is refused before it becomes a task.
    assert_eq!(served.get("/v1/tables/notes").of(200)["rows"], acknowledged * 100);
    let large = [&b"id,text\n"[..], &vec![b'7'; 300_000]].concat();
    let file = served.send("POST", "/v1/tables/notes/files", &[], &large);
    assert_eq!((file.status, file.problem().as_str()), (507, "no-space"), "{}", file.text());
    assert_eq!(send(&served, acknowledged + 1).problem(), "database");
    disk.make_room();
    wait_until_writing_is(&served, "ok");
    assert_goes_on(&served, acknowledged);
}

/// On a server, a small write may still find room in a page that is there: `/readyz` says what such a write finds.
fn a_full_disk_of_the_server_is_told(kind: Kind, disk: &SmallDisk, place: Place) {
    let served = Served::package_at(place, PACKAGE);
    let acknowledged = send_until_full(&served);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        let checks = served.get("/readyz").json()["checks"].clone();
        assert!(["ok", "full"].contains(&checks["database_write"].as_str().unwrap()), "{kind:?}: {checks}");
        assert_eq!(checks["database_read"], "ok", "{kind:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(served.get("/v1/tables/notes").of(200)["rows"], acknowledged * 100);
    disk.grow(200);
    wait_until_writing_is(&served, "ok");
    assert_goes_on(&served, acknowledged);
}

#[test]
fn a_full_disk_of_postgres_is_told_and_the_service_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::new(16, "postgres") else { return };
    let server = Postgres::start_with(&ServerOptions::default()).unwrap();
    let place = Place::on(Kind::Postgres, disk.postgres_database(&server));
    a_full_disk_of_the_server_is_told(Kind::Postgres, &disk, place);
}

#[test]
fn a_full_disk_of_mariadb_is_told_and_the_service_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::new(16, "mysql") else { return };
    let server = Mariadb::start().unwrap();
    let place = Place::on(Kind::Mariadb, disk.mariadb_database(&server));
    a_full_disk_of_the_server_is_told(Kind::Mariadb, &disk, place);
}
