//! What each route says of itself.

use landfall_core::reject::ErrorCode;
use landfall_engine::{
    job::JobState,
    ledger::{LoadState, OnConflict},
    report::ReportFormat,
};
use serde_json::{Value, json};

use super::{super::route::Route, schema_reference};

/// What one route says of itself.
pub(super) struct Words {
    pub(super) summary: &'static str,
    pub(super) description: Option<&'static str>,
    pub(super) tag: &'static str,
    /// Parameters of the query.
    pub(super) query: Vec<Value>,
    /// Parameters in headers.
    pub(super) headers: Vec<Value>,
    pub(super) body: Option<Value>,
    /// Answers: status, media type, schema.
    pub(super) answers: Vec<(u16, &'static str, Value)>,
    /// Problems of its own.
    pub(super) problems: Vec<u16>,
}

impl Words {
    pub(super) fn new(tag: &'static str, summary: &'static str, answer: Value) -> Self {
        let answers = vec![(200, "application/json", answer)];
        Self {
            summary,
            description: None,
            tag,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            answers,
            problems: Vec::new(),
        }
    }

    pub(super) fn says(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    pub(super) fn query(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.query.extend(parameters);
        self
    }
}

pub(super) fn parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn number(name: &str, description: &str) -> Value {
    parameter(name, description, json!({"type": "integer", "minimum": 1, "maximum": i64::MAX}))
}

pub(super) fn flag(name: &str, description: &str) -> Value {
    parameter(name, description, json!({"type": "boolean", "default": false}))
}

fn limit(most: u64) -> Value {
    parameter("limit", "At most so many", json!({"type": "integer", "minimum": 1, "maximum": most, "default": 100}))
}

/// What `route` says of itself.
pub(super) fn words(route: &Route) -> Words {
    let text = || json!({"type": "string"});
    let table = || parameter("table", "Of this table", json!({"type": "string"}));
    let rejects = || {
        let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        [
            number("load", "Of this load"),
            parameter("code", "With an error of this code", json!({"type": "string", "enum": codes})),
            parameter("field", "With an error at this field", json!({"type": "string"})),
        ]
    };
    let state = || {
        parameter(
            "state",
            "In this state",
            json!({"type": "string", "enum": ["open", "released", "superseded", "discarded"]}),
        )
    };
    match (route.method.as_str(), route.path) {
        ("GET", "/healthz") => Words::new("service", "Whether the process is there", schema_reference("Health")),
        ("GET", "/readyz") => Words {
            answers: vec![
                (200, "application/json", schema_reference("Readiness")),
                (503, "application/json", schema_reference("Readiness")),
            ],
            ..Words::new("service", "Whether the service can do its work", json!({}))
        },
        ("GET", "/metrics") => Words {
            answers: vec![(200, "application/openmetrics-text", text())],
            ..Words::new("service", "What was counted, for Prometheus", json!({}))
        },
        ("GET", "/openapi.json") => Words::new("service", "This document", json!({"type": "object"})),
        ("GET", "/v1/tables") => {
            let counts = flag("counts", "Count the rows of each table");
            Words::new("tables", "The tables", schema_reference("Tables")).query([counts])
        }
        ("GET", "/v1/tables/{table}") => {
            let counts = parameter("counts", "Count its rows", json!({"type": "boolean", "default": true}));
            Words::new(
                "tables",
                "A table: how its files are written, its schema and its number of rows",
                schema_reference("Table"),
            )
            .query([counts])
        }
        ("GET", "/v1/tables/{table}/rows") => {
            let fields = parameter("fields", "Only these fields, separated by commas", json!({"type": "string"}));
            let after =
                parameter("after", "The page behind this one: `next` of the page before", json!({"type": "string"}));
            Words::new("tables", "Rows, in the order of the primary key", schema_reference("Page"))
                .query([limit(10_000), after, fields])
                .says(PAGE)
        }
        ("POST", "/v1/tables/{table}/rows") => rows("Send rows for one table", "Rows", "RowsAnswer", true),
        ("POST", "/v1/rows") => {
            rows("Send rows for several tables, in one transaction", "RowsOfTables", "RowsOfTablesAnswer", false)
        }
        ("POST", "/v1/tables/{table}/files") => super::files::file_words(),
        ("GET", "/v1/tasks") => Words::new("tasks", "The tasks, the newest first", schema_reference("Tasks"))
            .query([
                table(),
                parameter(
                    "state",
                    "In this state",
                    json!({"type": "string", "enum": JobState::ALL.map(JobState::as_str)}),
                ),
                parameter("before", "Only tasks made before this one: `next` of the page before", text()),
                limit(1000),
            ])
            .says(PAGE),
        ("GET", "/v1/tasks/{task}") => Words::new("tasks", "A task", schema_reference("Task")),
        ("DELETE", "/v1/tasks/{task}") => Words {
            answers: vec![
                (200, "application/json", schema_reference("Task")),
                (202, "application/json", schema_reference("Task")),
            ],
            problems: vec![409],
            ..Words::new("tasks", "Cancel a task", json!({}))
        }
        .says("What a load has committed before stays; the ledger has it as stopped, and the same file goes on there."),
        ("GET", "/v1/tasks/{task}/events") => Words {
            answers: vec![(200, "text/event-stream", json!({}))],
            ..Words::new("tasks", "What becomes of a task, as server-sent events", json!({}))
        },
        ("GET", "/v1/loads") => {
            let states = [
                LoadState::Running,
                LoadState::Complete,
                LoadState::Stopped,
                LoadState::RolledBack,
                LoadState::Abandoned,
            ];
            let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
            Words::new("loads", "The ledger, the newest load first", schema_reference("Loads")).query([
                table(),
                parameter("state", "In this state", json!({"type": "string", "enum": states})),
                parameter(
                    "source",
                    "Of rows that were sent, or of files",
                    json!({"type": "string", "enum": ["rows", "files"]}),
                ),
                number("before", "Only loads before this one: `next` of the page before"),
                limit(1000),
            ])
        }
        ("GET", "/v1/loads/{load}") => Words::new("loads", "A load", schema_reference("Load")),
        ("GET", "/v1/rejects") => Words::new("rejects", "Rejects, by their numbers", schema_reference("Rejects"))
            .query([table(), state(), limit(1000)])
            .query([parameter(
                "after",
                "Only rejects after this one",
                json!({"type": "integer", "minimum": 0, "maximum": i64::MAX}),
            )])
            .query(rejects())
            .says(PAGE),
        ("GET", "/v1/rejects/groups") => Words::new("rejects", "Rejects by cause", schema_reference("RejectGroups"))
            .query([table(), state()])
            .query(rejects()),
        ("GET", "/v1/rejects/{reject}") => {
            Words::new("rejects", "A reject, with what was done to it", schema_reference("Reject"))
        }
        ("GET", "/v1/rejects/{reject}/raw") => Words {
            answers: vec![(200, "application/octet-stream", json!({}))],
            ..Words::new("rejects", "The bytes of a reject, as they came", json!({}))
        },
        ("POST", "/v1/rejects/{reject}/retry") => Words {
            problems: vec![409],
            ..Words::new("rejects", "Try a reject again, by the rules of now", schema_reference("Retried"))
        },
        ("POST", "/v1/tables/{table}/rejects/retry") => Words {
            problems: vec![409],
            ..Words::new("rejects", "Try the rejects of a table again", schema_reference("Retried")).query(rejects())
        },
        ("GET", "/v1/tables/{table}/rejects.csv") => Words {
            answers: vec![(200, "text/csv", text())],
            problems: vec![409],
            ..Words::new("rejects", "The open rejects of a table, to be mended", json!({})).query(rejects())
        }
        .query([flag(
            "guard_formulas",
            "Put ' before cells that a spreadsheet would run as a formula: such a file cannot be mended",
        )]),
        ("PATCH", "/v1/rejects/{reject}") => Words {
            body: Some(json!({"required": true, "content": {"application/json": {"schema": {
                "type": "object", "minProperties": 1,
                "description": "Fields with the values that they should have, as they would stand in the source; null for a missing one",
            }}}})),
            answers: vec![
                (200, "application/json", schema_reference("Corrected")),
                (422, "application/json", schema_reference("Corrected")),
            ],
            problems: vec![408, 409, 413, 415, 422],
            ..Words::new("rejects", "Mend a reject, and try it again", json!({}))
        },
        ("POST", "/v1/rejects/{reject}/discard") => discard("Give a reject up"),
        ("POST", "/v1/tables/{table}/rejects/discard") => discard("Give rejects of a table up").query(rejects()),
        ("POST", "/v1/tables/{table}/rejects.csv") => Words {
            body: Some(json!({"required": true, "content": {"text/csv": {"schema": text()}}})),
            problems: vec![408, 413, 415, 422],
            ..Words::new("rejects", "Send the file of a table's rejects back, mended", schema_reference("Retried"))
        }
        .query([flag("allow_other_changes", "Take in changes of cells that had no error, too")]),
        ("GET", "/v1/reports") => {
            Words::new("reports", "The reports, with their parameters", schema_reference("Reports"))
        }
        ("GET", "/v1/reports/{report}") => report(),
        ("POST", "/v1/reports/{report}/exports") => Words {
            answers: vec![(201, "application/json", schema_reference("Export"))],
            problems: vec![422, 504, 507],
            ..Words::new(
                "reports",
                "Run a report into a CSV file behind a link that needs no token, for a time",
                json!({}),
            )
        }
        .query([parameter(
            "guard_formulas",
            "Put ' before texts that a spreadsheet would run as a formula",
            json!({"type": "boolean", "default": true}),
        )])
        .says("Beside this parameter, a report takes its own, as `/v1/reports` lists them."),
        ("GET", "/v1/exports/{export}/{file}") => Words {
            answers: vec![(200, "text/csv", text()), (206, "text/csv", text())],
            problems: vec![410, 416],
            ..Words::new("reports", "The file behind a link", json!({}))
        }
        .query([
            parameter("expires", "As the link has it", json!({"type": "integer", "minimum": 1, "maximum": i64::MAX})),
            parameter("signature", "As the link has it", text()),
        ]),
        (method, path) => super::backups::backup_words(method, path),
    }
}

fn discard(summary: &'static str) -> Words {
    let reason = json!({"type": "string", "minLength": 1, "maxLength": 1000, "pattern": "[^ \\t\\r\\n]"});
    let schema = json!({
        "type": "object", "properties": {"reason": reason}, "required": ["reason"], "additionalProperties": false,
    });
    let discarded =
        json!({"type": "object", "properties": {"discarded": {"type": "integer"}}, "required": ["discarded"]});
    Words {
        body: Some(json!({"required": true, "content": {"application/json": {"schema": schema}}})),
        problems: vec![408, 409, 413, 415, 422],
        ..Words::new("rejects", summary, discarded)
    }
    .says("They stay in the quarantine as discarded, with the reason, and are not tried again.")
}

fn report() -> Words {
    let formats = ReportFormat::STREAMED.map(ReportFormat::as_str);
    let answer = |format: ReportFormat| {
        let schema = match format {
            ReportFormat::Json => json!({"type": "array", "items": {"type": "object"}}),
            _ => json!({"type": "string"}),
        };
        (200, format.media_type(), schema)
    };
    Words {
        answers: ReportFormat::STREAMED.into_iter().map(answer).collect(),
        problems: vec![406, 504],
        ..Words::new("reports", "Run a report", json!({}))
    }
    .query([
        parameter("format", "The format; by Accept where it is not given", json!({"type": "string", "enum": formats})),
        flag("guard_formulas", "In CSV, put ' before texts that a spreadsheet would run as a formula"),
    ])
    .says("Beside these parameters, a report takes its own, as `/v1/reports` lists them.")
}

fn rows(summary: &'static str, schema: &str, answer: &str, single: bool) -> Words {
    let rules: Vec<&str> =
        [OnConflict::Reject, OnConflict::Update, OnConflict::Keep].iter().map(|rule| rule.as_str()).collect();
    let mut content = json!({"application/json": {"schema": schema_reference(schema)}});
    if single {
        content["application/x-ndjson"] = json!({"schema": {"type": "string"}});
        content["text/csv"] = json!({"schema": {"type": "string"}});
    }
    Words {
        body: Some(json!({"required": true, "content": content})),
        answers: vec![
            (202, "application/json", schema_reference("Task")),
            (201, "application/json", schema_reference(answer)),
            (200, "application/json", schema_reference(answer)),
            (422, "application/json", schema_reference(answer)),
        ],
        problems: vec![408, 409, 413, 415, 422, 507],
        ..Words::new("rows", summary, json!({}))
    }
    .query([
        parameter(
            "on_conflict",
            "What to do with a row whose key the table holds with other content",
            json!({"type": "string", "enum": rules, "default": "reject"}),
        ),
        flag("atomic", "One rejected row, and none is inserted"),
        flag("dry_run", "Only say what would become of the rows: 200 where any would pass, 422 where none would"),
    ])
    .says("With the header `Prefer: respond-async`, the rows are stored and taken as a task.")
}

pub(super) fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header",
        "description": "However often a request is sent under one key, it has one effect and one answer",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]([ !#-~]*[!#-~])?$"},
    })
}

/// What a list says of its pages.
const PAGE: &str =
    "A page of 8 MiB ends, even if it has fewer entries than `limit`; `next` tells where the next page begins.";

/// What a task says of a dry run.
pub(super) const DRY_RUN: &str =
    "Do everything in one transaction, and roll it back: the task tells what would become of the records";

/// The answers of a request that is taken on as a task.
pub(super) fn task() -> Vec<(u16, &'static str, Value)> {
    vec![(202, "application/json", schema_reference("Task")), (200, "application/json", schema_reference("Task"))]
}

/// How long the answer of a task may take.
pub(super) fn wait() -> Value {
    parameter(
        "wait",
        "Wait for so many seconds for the task to end",
        json!({"type": "integer", "minimum": 0, "maximum": 300, "default": 0}),
    )
}
