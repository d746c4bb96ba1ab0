//! The character NUL, which not every database takes: it is refused, or a row's own error, and never the service's.

use super::{
    place::Kind,
    served::{Served, on_every_database},
};

const PACKAGE: &str = "resources:
- {name: things, path: t.csv, schema: {primaryKey: id, fields: [{name: id, type: string}, {name: text, type: string}]}}
";

/// PostgreSQL refused what was asked of it, and the client was told of a mistake of the service.
fn nul_in_any_part_of_a_request_is_no_mistake_of_the_service(kind: Kind) {
    let mut served =
        Served::package(kind, PACKAGE, "reports: {one: {sql: one.sql, parameters: [{name: p, type: string}]}}\n");
    served.project.write("one.sql", "SELECT text FROM things WHERE text = :p");
    served.kill();
    served.start();
    served.post("/v1/tables/things/rows", r#"[{"id":"a","text":5}]"#).of(422);
    for path in [
        "/v1/tables/a%00b",
        "/v1/tables/things%00/rows",
        "/v1/loads/1%00",
        "/v1/rejects/1%00",
        "/v1/rejects/1%00/raw",
        "/v1/tasks/a%00b",
        "/v1/tasks/a%00b/events",
        "/v1/backups/a%00b/c.avro",
        "/v1/backups/latest/a%00b.avro",
        "/v1/reports/one%00",
        "/v1/exports/a%00b/c.csv?expires=1&signature=x",
    ] {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
    for path in [
        "/v1/tables/things/rows?after=a%00b",
        "/v1/tables/things/rows?id=a%00b",
        "/v1/tables/things/rows?text[gte]=%00",
        "/v1/tables/things/rows?a%00b=1",
        "/v1/tables/things/rows?fields=id%00",
        "/v1/loads?table=a%00b",
        "/v1/rejects?table=a%00b",
        "/v1/rejects?field=a%00b",
        "/v1/rejects?code=a%00b",
        "/v1/rejects/groups?field=%00",
        "/v1/tasks?before=a%00b",
        "/v1/tasks?table=a%00b",
        "/v1/backups?before=a%00b",
        "/v1/reports/one?p=a%00b",
        "/v1/tables/things/rejects.csv?field=a%00b",
    ] {
        assert_eq!(served.get(path).problem(), "bad-parameter", "{path}");
    }
    for (method, path, body, statuses) in [
        ("POST", "/v1/rejects/1/discard", "{\"reason\":\"a\\u0000b\"}", &[422][..]),
        ("POST", "/v1/tables/things/rejects/discard", "{\"reason\":\"\\u0000\"}", &[422]),
        ("POST", "/v1/tables/things/rejects/discard?field=a%00b", "{\"reason\":\"r\"}", &[400]),
        ("POST", "/v1/tables/things/rejects/retry?field=a%00b", "", &[400]),
        ("PATCH", "/v1/rejects/1", "{\"te\\u0000xt\":\"a\"}", &[422]),
        ("POST", "/v1/rows", "{\"thi\\u0000ngs\":[{\"id\":\"a\"}]}", &[422]),
        ("POST", "/v1/tables/things/rows", "[{\"id\":\"x\",\"te\\u0000xt\":\"a\"}]", &[422]),
        ("POST", "/v1/backups", "{\"tables\":[\"a\\u0000b\"]}", &[404]),
        ("POST", "/v1/backups", "{\"a\\u0000b\":1}", &[422]),
        ("POST", "/v1/tables/things/restore?map=a%00b=c", "", &[400]),
        ("POST", "/v1/tables/things/restore?set=a%00b", "", &[400]),
        ("POST", "/v1/tables/things/files?name=a%00b", "id,text\na,b\n", &[400]),
        ("POST", "/v1/reports/one/exports?p=a%00b", "", &[400]),
        ("DELETE", "/v1/tasks/a%00b", "", &[404]),
        // A value may have one where the database takes it; elsewhere it is a reject.
        ("POST", "/v1/tables/things/rows", "[{\"id\":\"a\\u0000b\",\"text\":\"c\\u0000\"}]", &[201, 422]),
        ("POST", "/v1/tables/things/rows?on_conflict=update", "[{\"id\":\"a\\u0000b\",\"text\":\"d\"}]", &[201, 422]),
        ("POST", "/v1/tables/things/rows?dry_run=true", "[{\"id\":\"\\u0000\"}]", &[200, 422]),
        ("PATCH", "/v1/rejects/1", "{\"text\":\"a\\u0000b\"}", &[200, 422]),
    ] {
        let answer = served.send(method, path, &[("Content-Type", "application/json")], body.as_bytes());
        assert!(statuses.contains(&answer.status), "{path} {body}: {} {}", answer.status, answer.text());
    }
    let csv = b"id,text\n\0,x\na\0b,c\n";
    let headers = [("Content-Type", "text/csv")];
    assert!(served.send("POST", "/v1/tables/things/rows", &headers, csv).status < 500);
    let task = served.send("POST", "/v1/tables/things/files?wait=60", &headers, csv).of(200);
    assert_eq!(task["state"], "done", "{task}");
    let form = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\0b.csv\"\r\n\r\nid,text\nz,y\n\r\n--b--\r\n";
    let headers = [("Content-Type", "multipart/form-data; boundary=b")];
    assert!(served.send("POST", "/v1/tables/things/files", &headers, form).status < 500);
    served.get("/v1/rejects").of(200);
    served.get("/v1/rejects/groups").of(200);
    served.get("/v1/tables/things/rejects.csv");
    served.verifies();
}

on_every_database! { nul_in_any_part_of_a_request_is_no_mistake_of_the_service }

/// A token in the query with this character was a bad parameter, also beside a token in the header that is good.
#[test]
fn a_token_with_nul_is_one_that_nobody_has() {
    let mut served = Served::example(Kind::Sqlite);
    let token = served.make_token(&["--role", "reader"]);
    super::access::wait_for_tokens(&served);
    served.token = Some(token);
    assert_eq!(served.get("/v1/reports?token=%00").status, 200);
    assert_eq!(served.get("/v1/reports?other=%00").problem(), "bad-parameter");
    served.token = None;
    assert_eq!(served.get("/v1/reports?token=%00").problem(), "unauthorized");
}
