//! What the routes of backups say of themselves.

use landfall_engine::ledger::Mode;
use serde_json::{Value, json};

use super::{
    schema_reference,
    words::{DRY_RUN, RouteWords, flag_parameter, query_parameter, task_answers, wait_parameter},
};

fn text_parameter(name: &str, description: &str) -> Value {
    query_parameter(name, description, json!({"type": "string"}))
}

pub(super) fn backup_words(method: &str, path: &str) -> RouteWords {
    match (method, path) {
        ("POST", "/v1/backups") => RouteWords {
            answers: task_answers(),
                body: Some(json!({"required": false, "content": {"application/json": {"schema": schema_reference("WantedBackup")}}})),
            problems: vec![404, 408, 409, 413, 415, 422, 507],
            ..RouteWords::new("backups", "Make a backup, as a task", json!({}))
        }
        .with_query([wait_parameter()])
        .with_description("All tables of a backup are from one moment, and others may go on writing. Without a body, all tables are backed up."),
        ("GET", "/v1/backups") => {
            let limit = json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100});
            RouteWords::new("backups", "The backup sets, the newest first", schema_reference("Backups")).with_query([
                query_parameter("limit", "At most this many", limit),
                text_parameter("before", "Only sets before this one: `next` of the page before"),
            ])
        }
        ("GET", "/v1/backups/{set}/{file}") => RouteWords {
            answers: [200, 206].map(|status| (status, "application/avro", json!({"type": "string", "format": "binary"}))).into(),
            problems: vec![416],
            ..RouteWords::new("backups", "The Avro file of a table: its name is TABLE.avro", json!({}))
        },
        ("POST", "/v1/tables/{table}/restore") => restore_words(),
        _ => RouteWords::new("service", "", json!({})),
    }
}

fn restore_words() -> RouteWords {
    let modes = [Mode::Replace, Mode::Append, Mode::Upsert].map(Mode::as_str);
    let file = json!({"schema": {"type": "string", "format": "binary"}});
    RouteWords {
        answers: task_answers(),
        body: Some(json!({"required": false, "content": {"application/octet-stream": file}})),
        problems: vec![408, 409, 413, 422, 507],
        ..RouteWords::new("backups", "Restore a table, as a task: from a backup set, or from the Avro file that is sent", json!({}))
    }
    .with_query([
        query_parameter(
            "set",
            "The set, or latest: the last one that has the table",
            json!({"type": "string", "pattern": "^(latest|[0-9]{8}T[0-9]{6}\\.[0-9]{6}Z-[0-9a-f]{8})$"}),
        ),
        query_parameter("mode", "How to treat what the table holds", json!({"type": "string", "enum": modes, "default": "replace"})),
        flag_parameter("with_dependents", "Restore the tables too that refer to this one"),
        flag_parameter("ignore_extra", "Leave fields out that the file has and the table has not"),
        query_parameter(
            "map",
            "Pairs of a field of the file and the field of the table that it becomes: theirs=ours,other=own",
            json!({"type": "string", "pattern": "^[^=,\\u0000]+=[^=,\\u0000]+(,[^=,\\u0000]+=[^=,\\u0000]+)*$"}),
        ),
        flag_parameter("atomic", "One rejected row, and none is restored; a replace is so unless max_rejects is given"),
        query_parameter(
            "max_rejects",
            "Stop beyond so many rejects, or beyond such a share, as 5%",
            json!({"type": "string", "pattern": "^[0-9]{1,2}%?$"}),
        ),
        flag_parameter("allow_empty", "Let a replace leave the table empty, or keep fewer rows than it rejects"),
        flag_parameter("dry_run", DRY_RUN),
        wait_parameter(),
    ])
    .with_description("The whole file is looked at before the table is touched. Every row passes the rules of the table; what breaks one stops a replace, unless max_rejects allows it, and goes to the quarantine.")
}
