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
pub(super) struct RouteWords {
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

impl RouteWords {
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

    pub(super) fn with_description(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    pub(super) fn with_query(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.query.extend(parameters);
        self
    }
}

pub(super) fn query_parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn number_parameter(name: &str, description: &str) -> Value {
    query_parameter(name, description, json!({"type": "integer", "minimum": 1, "maximum": i64::MAX}))
}

pub(super) fn flag_parameter(name: &str, description: &str) -> Value {
    query_parameter(name, description, json!({"type": "boolean", "default": false}))
}

fn limit_parameter(most: u64) -> Value {
    query_parameter(
        "limit",
        "At most so many",
        json!({"type": "integer", "minimum": 1, "maximum": most, "default": 100}),
    )
}

/// What `route` says of itself.
pub(super) fn route_words(route: &Route) -> RouteWords {
    let text = || json!({"type": "string"});
    let table = || query_parameter("table", "Of this table", json!({"type": "string"}));
    let rejects = || {
        let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        [
            number_parameter("load", "Of this load"),
            query_parameter("code", "With an error of this code", json!({"type": "string", "enum": codes})),
            query_parameter("field", "With an error at this field", json!({"type": "string"})),
        ]
    };
    let state = || {
        query_parameter(
            "state",
            "In this state",
            json!({"type": "string", "enum": ["open", "released", "superseded", "discarded"]}),
        )
    };
    match (route.method.as_str(), route.path) {
        ("GET", "/healthz") => RouteWords::new("service", "Whether the process is there", schema_reference("Health")),
        ("GET", "/readyz") => RouteWords {
            answers: vec![
                (200, "application/json", schema_reference("Readiness")),
                (503, "application/json", schema_reference("Readiness")),
            ],
            ..RouteWords::new("service", "Whether the service can do its work", json!({}))
        },
        ("GET", "/metrics") => RouteWords {
            answers: vec![(200, "application/openmetrics-text", text())],
            ..RouteWords::new("service", "What was counted, for Prometheus", json!({}))
        },
        ("GET", "/openapi.json") => RouteWords::new("service", "This document", json!({"type": "object"})),
        ("GET", "/v1/tables") => {
            let counts = flag_parameter("counts", "Count the rows of each table");
            RouteWords::new("tables", "The tables", schema_reference("Tables")).with_query([counts])
        }
        ("GET", "/v1/tables/{table}") => {
            let counts = query_parameter("counts", "Count its rows", json!({"type": "boolean", "default": true}));
            RouteWords::new(
                "tables",
                "A table: how its files are written, its schema and its number of rows",
                schema_reference("Table"),
            )
            .with_query([counts])
        }
        ("GET", "/v1/tables/{table}/rows") => {
            let fields = query_parameter("fields", "Only these fields, separated by commas", json!({"type": "string"}));
            let after = query_parameter(
                "after",
                "The page behind this one: `next` of the page before",
                json!({"type": "string"}),
            );
            RouteWords::new("tables", "Rows, in the order of the primary key", schema_reference("Page"))
                .with_query([limit_parameter(10_000), after, fields])
                .with_description(PAGE)
        }
        ("POST", "/v1/tables/{table}/rows") => rows_words("Send rows for one table", "Rows", "RowsAnswer", true),
        ("POST", "/v1/rows") => {
            rows_words("Send rows for several tables, in one transaction", "RowsOfTables", "RowsOfTablesAnswer", false)
        }
        ("POST", "/v1/tables/{table}/files") => super::files::file_words(),
        ("GET", "/v1/tasks") => RouteWords::new("tasks", "The tasks, the newest first", schema_reference("Tasks"))
            .with_query([
                table(),
                query_parameter(
                    "state",
                    "In this state",
                    json!({"type": "string", "enum": JobState::ALL.map(JobState::as_str)}),
                ),
                query_parameter("before", "Only tasks made before this one: `next` of the page before", text()),
                limit_parameter(1000),
            ])
            .with_description(PAGE),
        ("GET", "/v1/tasks/{task}") => RouteWords::new("tasks", "A task", schema_reference("Task")),
        ("DELETE", "/v1/tasks/{task}") => RouteWords {
            answers: vec![
                (200, "application/json", schema_reference("Task")),
                (202, "application/json", schema_reference("Task")),
            ],
            problems: vec![409],
            ..RouteWords::new("tasks", "Cancel a task", json!({}))
        }
        .with_description(
            "What a load has committed before stays; the ledger has it as stopped, and the same file goes on there.",
        ),
        ("GET", "/v1/tasks/{task}/events") => RouteWords {
            answers: vec![(200, "text/event-stream", json!({}))],
            ..RouteWords::new("tasks", "What becomes of a task, as server-sent events", json!({}))
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
            RouteWords::new("loads", "The ledger, the newest load first", schema_reference("Loads")).with_query([
                table(),
                query_parameter("state", "In this state", json!({"type": "string", "enum": states})),
                query_parameter(
                    "source",
                    "Of rows that were sent, or of files",
                    json!({"type": "string", "enum": ["rows", "files"]}),
                ),
                number_parameter("before", "Only loads before this one: `next` of the page before"),
                limit_parameter(1000),
            ])
        }
        ("GET", "/v1/loads/{load}") => RouteWords::new("loads", "A load", schema_reference("Load")),
        ("GET", "/v1/rejects") => RouteWords::new("rejects", "Rejects, by their numbers", schema_reference("Rejects"))
            .with_query([table(), state(), limit_parameter(1000)])
            .with_query([query_parameter(
                "after",
                "Only rejects after this one",
                json!({"type": "integer", "minimum": 0, "maximum": i64::MAX}),
            )])
            .with_query(rejects())
            .with_description(PAGE),
        ("GET", "/v1/rejects/groups") => {
            RouteWords::new("rejects", "Rejects by cause", schema_reference("RejectGroups"))
                .with_query([table(), state()])
                .with_query(rejects())
        }
        ("GET", "/v1/rejects/{reject}") => {
            RouteWords::new("rejects", "A reject, with what was done to it", schema_reference("Reject"))
        }
        ("GET", "/v1/rejects/{reject}/raw") => RouteWords {
            answers: vec![(200, "application/octet-stream", json!({}))],
            ..RouteWords::new("rejects", "The bytes of a reject, as they came", json!({}))
        },
        ("POST", "/v1/rejects/{reject}/retry") => RouteWords {
            problems: vec![409],
            ..RouteWords::new("rejects", "Try a reject again, by the rules of now", schema_reference("Retried"))
        },
        ("POST", "/v1/tables/{table}/rejects/retry") => RouteWords {
            problems: vec![409],
            ..RouteWords::new("rejects", "Try the rejects of a table again", schema_reference("Retried"))
                .with_query(rejects())
        },
        ("GET", "/v1/tables/{table}/rejects.csv") => RouteWords {
            answers: vec![(200, "text/csv", text())],
            problems: vec![409],
            ..RouteWords::new("rejects", "The open rejects of a table, to be mended", json!({})).with_query(rejects())
        }
        .with_query([flag_parameter(
            "guard_formulas",
            "Put ' before cells that a spreadsheet would run as a formula: such a file cannot be mended",
        )]),
        ("PATCH", "/v1/rejects/{reject}") => RouteWords {
            body: Some(json!({"required": true, "content": {"application/json": {"schema": {
                "type": "object", "minProperties": 1,
                "description": "Fields with the values that they should have, as they would stand in the source; null for a missing one",
            }}}})),
            answers: vec![
                (200, "application/json", schema_reference("Corrected")),
                (422, "application/json", schema_reference("Corrected")),
            ],
            problems: vec![408, 409, 413, 415, 422],
            ..RouteWords::new("rejects", "Mend a reject, and try it again", json!({}))
        },
        ("POST", "/v1/rejects/{reject}/discard") => discard_words("Give a reject up"),
        ("POST", "/v1/tables/{table}/rejects/discard") => {
            discard_words("Give rejects of a table up").with_query(rejects())
        }
        ("POST", "/v1/tables/{table}/rejects.csv") => RouteWords {
            body: Some(json!({"required": true, "content": {"text/csv": {"schema": text()}}})),
            problems: vec![408, 413, 415, 422],
            ..RouteWords::new("rejects", "Send the file of a table's rejects back, mended", schema_reference("Retried"))
        }
        .with_query([flag_parameter("allow_other_changes", "Take in changes of cells that had no error, too")]),
        ("GET", "/v1/reports") => {
            RouteWords::new("reports", "The reports, with their parameters", schema_reference("Reports"))
        }
        ("GET", "/v1/reports/{report}") => report_words(),
        ("POST", "/v1/reports/{report}/exports") => RouteWords {
            answers: vec![(201, "application/json", schema_reference("Export"))],
            problems: vec![422, 504, 507],
            ..RouteWords::new(
                "reports",
                "Run a report into a CSV file behind a link that needs no token, for a time",
                json!({}),
            )
        }
        .with_query([query_parameter(
            "guard_formulas",
            "Put ' before texts that a spreadsheet would run as a formula",
            json!({"type": "boolean", "default": true}),
        )])
        .with_description("Beside this parameter, a report takes its own, as `/v1/reports` lists them."),
        ("GET", "/v1/exports/{export}/{file}") => RouteWords {
            answers: vec![(200, "text/csv", text()), (206, "text/csv", text())],
            problems: vec![410, 416],
            ..RouteWords::new("reports", "The file behind a link", json!({}))
        }
        .with_query([
            query_parameter(
                "expires",
                "As the link has it",
                json!({"type": "integer", "minimum": 1, "maximum": i64::MAX}),
            ),
            query_parameter("signature", "As the link has it", text()),
        ]),
        (method, path) => super::backups::backup_words(method, path),
    }
}

fn discard_words(summary: &'static str) -> RouteWords {
    let reason = json!({"type": "string", "minLength": 1, "maxLength": 1000, "pattern": "[^ \\t\\r\\n]"});
    let schema = json!({
        "type": "object", "properties": {"reason": reason}, "required": ["reason"], "additionalProperties": false,
    });
    let discarded =
        json!({"type": "object", "properties": {"discarded": {"type": "integer"}}, "required": ["discarded"]});
    RouteWords {
        body: Some(json!({"required": true, "content": {"application/json": {"schema": schema}}})),
        problems: vec![408, 409, 413, 415, 422],
        ..RouteWords::new("rejects", summary, discarded)
    }
    .with_description("They stay in the quarantine as discarded, with the reason, and are not tried again.")
}

fn report_words() -> RouteWords {
    let formats = ReportFormat::STREAMED.map(ReportFormat::as_str);
    let answer = |format: ReportFormat| {
        let schema = match format {
            ReportFormat::Json => json!({"type": "array", "items": {"type": "object"}}),
            _ => json!({"type": "string"}),
        };
        (200, format.media_type(), schema)
    };
    RouteWords {
        answers: ReportFormat::STREAMED.into_iter().map(answer).collect(),
        problems: vec![406, 504],
        ..RouteWords::new("reports", "Run a report", json!({}))
    }
    .with_query([
        query_parameter(
            "format",
            "The format; by Accept where it is not given",
            json!({"type": "string", "enum": formats}),
        ),
        flag_parameter("guard_formulas", "In CSV, put ' before texts that a spreadsheet would run as a formula"),
    ])
    .with_description("Beside these parameters, a report takes its own, as `/v1/reports` lists them.")
}

fn rows_words(summary: &'static str, schema: &str, answer: &str, single: bool) -> RouteWords {
    let rules: Vec<&str> =
        [OnConflict::Reject, OnConflict::Update, OnConflict::Keep].iter().map(|rule| rule.as_str()).collect();
    let mut content = json!({"application/json": {"schema": schema_reference(schema)}});
    if single {
        content["application/x-ndjson"] = json!({"schema": {"type": "string"}});
        content["text/csv"] = json!({"schema": {"type": "string"}});
    }
    RouteWords {
        body: Some(json!({"required": true, "content": content})),
        answers: vec![
            (202, "application/json", schema_reference("Task")),
            (201, "application/json", schema_reference(answer)),
            (200, "application/json", schema_reference(answer)),
            (422, "application/json", schema_reference(answer)),
        ],
        problems: vec![408, 409, 413, 415, 422, 507],
        ..RouteWords::new("rows", summary, json!({}))
    }
    .with_query([
        query_parameter(
            "on_conflict",
            "What to do with a row whose key the table holds with other content",
            json!({"type": "string", "enum": rules, "default": "reject"}),
        ),
        flag_parameter("atomic", "One rejected row, and none is inserted"),
        flag_parameter(
            "dry_run",
            "Only say what would become of the rows: 200 where any would pass, 422 where none would",
        ),
    ])
    .with_description("With the header `Prefer: respond-async`, the rows are stored and taken as a task.")
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
pub(super) fn task_answers() -> Vec<(u16, &'static str, Value)> {
    vec![(202, "application/json", schema_reference("Task")), (200, "application/json", schema_reference("Task"))]
}

/// How long the answer of a task may take.
pub(super) fn wait_parameter() -> Value {
    query_parameter(
        "wait",
        "Wait for so many seconds for the task to end",
        json!({"type": "integer", "minimum": 0, "maximum": 300, "default": 0}),
    )
}
