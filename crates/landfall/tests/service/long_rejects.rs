//! Rejects of rows that are long: as of a file, the quarantine keeps a set number of bytes of each.

use serde_json::json;

use super::{place::Kind, served::Served};

const THINGS: &str = "resources: [{name: things, path: t.csv, schema: {fields: [{name: id, type: integer}, {name: text, type: string}]}}]";

#[test]
fn a_long_row_was_kept_whole_as_a_reject() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Mariadb] {
        let served = Served::package(kind, THINGS, "load: {maxRejectedRecordBytes: 1000}\n");
        let row = json!({"id": "x", "text": "a".repeat(1 << 20)}).to_string();
        for (type_, body) in [
            ("application/json", format!("[{row},{{\"id\":1,\"text\":\"b\"}}]")),
            ("text/csv", format!("id,text\nx,{}\n2,b\n", "a".repeat(1 << 20))),
        ] {
            let answer =
                served.send("POST", "/v1/tables/things/rows", &[("Content-Type", type_)], body.as_bytes()).of(200);
            let codes: Vec<&str> =
                answer["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
            assert_eq!(codes, ["type-error", "record-too-long"], "{kind:?} {type_}");
        }
        let kept =
            served.place.rows(&format!("SELECT length(raw), length > 1000000 FROM {}", served.place.own("rejects")));
        let yes = if matches!(kind, Kind::Postgres) { "t" } else { "1" };
        assert_eq!(kept, [["1000", yes], ["1000", yes]], "{kind:?}");
        let rejects = served.get("/v1/rejects").of(200).to_string();
        assert!(rejects.len() < 20_000 && rejects.contains("BLAKE3 of all"), "{}", rejects.len());
        served.verifies();
    }
}
