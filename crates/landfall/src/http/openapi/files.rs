//! What the route of files says of itself.

use landfall_core::schema::DialectOverrides;
use landfall_engine::ledger::{Mode, OnConflict};
use serde_json::json;

use super::words::{DRY_RUN, RouteWords, flag_parameter, query_parameter, task_answers, wait_parameter};

pub(super) fn file_words() -> RouteWords {
    let file = json!({"schema": {"type": "string", "format": "binary"}});
    let form = json!({"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}});
    let modes = [Mode::Append, Mode::Upsert, Mode::Replace].map(Mode::as_str);
    let rules = [OnConflict::Reject, OnConflict::Update, OnConflict::Keep].map(OnConflict::as_str);
    let text = |name: &str, words: &str| query_parameter(name, words, json!({"type": "string"}));
    let dialect = DialectOverrides::NAMES.map(|name| {
        let character =
            |least: usize| json!({"type": "string", "pattern": "^[!-~]*$", "minLength": least, "maxLength": 1});
        let schema = match name {
            "doubleQuote" | "skipInitialSpace" | "header" => json!({"type": "boolean"}),
            "delimiter" => character(1),
            "quoteChar" | "escapeChar" | "commentChar" => character(0),
            "encoding" => {
                json!({"type": "string", "enum": ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "iso-8859-15"]})
            }
            _ => json!({"type": "string"}),
        };
        query_parameter(name, "As in a Table Dialect: in what the file differs from the table's own", schema)
    });
    RouteWords {
        body: Some(json!({"required": true, "content": {
            "text/csv": file, "application/gzip": file, "application/octet-stream": file, "multipart/form-data": form,
        }})),
        answers: task_answers(),
        problems: vec![408, 409, 413, 415, 422, 507],
        ..RouteWords::new("rows", "Send a CSV file, plain or compressed, to be loaded as a task", json!({}))
    }
    .with_query([
        query_parameter("mode", "How to treat what the table holds", json!({"type": "string", "enum": modes})),
        query_parameter(
            "on_conflict",
            "What to do with a row whose key the table holds with other content",
            json!({"type": "string", "enum": rules}),
        ),
        flag_parameter("atomic", "One rejected record, and none is inserted"),
        flag_parameter("force", "Read the file although the ledger knows its content"),
        query_parameter(
            "max_rejects",
            "Stop beyond so many rejects, or beyond such a share, as 5%",
            json!({"type": "string", "pattern": "^[0-9]{1,2}%?$"}),
        ),
        flag_parameter("allow_empty", "Let a replace leave the table empty, or keep fewer rows than it rejects"),
        flag_parameter("dry_run", DRY_RUN),
        text("name", "The name of the file, for those who read of the task"),
        wait_parameter(),
    ])
    .with_query(dialect)
}
