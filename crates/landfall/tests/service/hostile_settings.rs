//! Settings of a server, a database or a role that rewrite values or cut answers: rows that come over HTTP are those that SQLite has.

use serde_json::{Value, json};

use super::{
    place::{Kind, Place},
    served::Served,
    support::hostile,
};

const PACKAGE: &str = "resources:
  - name: things
    path: t.csv
    schema:
      fields:
        - {name: id, type: integer}
        - {name: text, type: string}
        - {name: amount, type: number}
        - {name: day, type: date}
        - {name: clock, type: time}
        - {name: at, type: datetime}
        - {name: flag, type: boolean}
        - {name: parent, type: integer}
      primaryKey: id
      uniqueKeys: [[text]]
      foreignKeys: [{fields: parent, reference: {fields: id}}]
";

/// Rows of which each names one before it; what is written at the `version` of them.
fn rows(from: i32, to: i32, version: i32) -> String {
    let row = |id: i32| {
        json!({
            "id": id, "text": format!("a\\b 'ü' \"{id}\" % \t "), "amount": f64::from(id) + 0.5, "day": "2024-02-29",
            "clock": "23:59:59.000001", "at": format!("2024-05-06T07:08:0{version}.000001Z"), "flag": id % 2 == 0,
            "parent": (id > 0).then_some(id / 2),
        })
    };
    Value::from((from..to).map(row).collect::<Vec<_>>()).to_string()
}

/// Rows and pages of them, after rows were inserted, updated, refused, and released; and what a backup has.
fn lived_through(served: &Served) -> (Vec<Value>, Value) {
    let path = "/v1/tables/things/rows";
    let counts = |answer: Value| ["inserted", "updated", "unchanged", "rejected"].map(|name| answer[name].clone());
    let mut told = Vec::new();
    told.push(json!(counts(served.post(path, &rows(0, 700, 0)).of(201))));
    // Some have no parent yet; the next ones are theirs.
    told.push(json!(counts(served.post(path, &rows(1500, 1600, 0)).of(422))));
    told.push(json!(counts(served.post(&format!("{path}?on_conflict=update"), &rows(500, 1000, 1)).of(201))));
    told.push(json!(counts(served.post(path, &rows(990, 1010, 0)).of(200))));
    let mut next = format!("{path}?limit=1000");
    loop {
        let mut page = served.get(&next).of(200);
        told.append(page["rows"].as_array_mut().unwrap());
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("{path}?limit=1000&after={cursor}");
    }
    served.verifies();
    let set = served.run(&["backup", "--json", "--to", "sets"]).exits(0).json();
    (told, set["tables"][0]["digest"].clone())
}

#[test]
fn settings_of_a_server_do_not_change_rows_over_http() {
    let wanted = lived_through(&Served::package(Kind::Sqlite, PACKAGE, ""));
    assert!(wanted.0.len() > 1000, "{}", wanted.0.len());
    let place = Place::fresh(Kind::Postgres, std::path::Path::new(""));
    for statement in hostile::postgres_statements(place.database().name()) {
        place.superuser().run_sql(&statement).unwrap();
    }
    assert_eq!(lived_through(&Served::package_at(place, PACKAGE)), wanted);
    let (_server, database) = hostile::mariadb();
    assert_eq!(lived_through(&Served::package_at(Place::on(Kind::Mariadb, database), PACKAGE)), wanted);
}
