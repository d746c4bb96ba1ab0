//! `/openapi.json`: the service described in OpenAPI 3.1. What belongs to all routes alike is added here to each of them, so that
//! the document cannot forget it.

use std::sync::LazyLock;

use axum::http::StatusCode;
use landfall_core::reject::ErrorCode;
use landfall_engine::ledger::{LoadState, Mode, OnConflict};
use serde_json::{Map, Value, json};

use super::{
    call::Call,
    problem::{Kind, Outcome},
    route::{ROUTES, Route, Who},
    values::of_text,
};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| written().to_string());

/// The document.
pub(super) async fn document(_call: Call) -> Outcome {
    Ok(of_text(StatusCode::OK, DOCUMENT.clone()))
}

/// The document, made from the list of routes.
pub(crate) fn written() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter().filter(|route| !route.path.starts_with("/docs")) {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Landfall",
            "description": "Rows come ashore: into a SQL database, under the rules of the data package, with every row accounted for.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas(), "securitySchemes": {
            "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A token of the service's own, or a JWT of the OpenID Connect provider that is configured",
            },
            "query": {"type": "apiKey", "in": "query", "name": "token", "description": "The same, for programs that cannot send headers"},
        }},
    })
}

/// What one route says of itself.
struct Words {
    summary: &'static str,
    description: Option<&'static str>,
    tag: &'static str,
    /// Parameters of the query.
    query: Vec<Value>,
    /// Parameters in headers.
    headers: Vec<Value>,
    body: Option<Value>,
    /// Answers: status, media type, schema.
    answers: Vec<(u16, &'static str, Value)>,
    /// Problems of its own.
    problems: Vec<u16>,
}

impl Words {
    fn new(tag: &'static str, summary: &'static str, answer: Value) -> Self {
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

    fn says(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    fn query(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.query.extend(parameters);
        self
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn number(name: &str, description: &str) -> Value {
    parameter(name, description, json!({"type": "integer", "minimum": 1, "maximum": i64::MAX}))
}

fn flag(name: &str, description: &str) -> Value {
    parameter(name, description, json!({"type": "boolean", "default": false}))
}

fn limit(most: u64) -> Value {
    parameter("limit", "At most so many", json!({"type": "integer", "minimum": 1, "maximum": most, "default": 100}))
}

fn words(route: &Route) -> Words {
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
    let state =
        || parameter("state", "In this state", json!({"type": "string", "enum": ["open", "released", "superseded"]}));
    match (route.method.as_str(), route.path) {
        ("GET", "/healthz") => Words::new("service", "Whether the process is there", reference("Health")),
        ("GET", "/readyz") => Words {
            answers: vec![
                (200, "application/json", reference("Readiness")),
                (503, "application/json", reference("Readiness")),
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
            Words::new("tables", "The tables", reference("Tables")).query([counts])
        }
        ("GET", "/v1/tables/{table}") => {
            let counts = parameter("counts", "Count its rows", json!({"type": "boolean", "default": true}));
            Words::new(
                "tables",
                "A table: how its files are written, its schema and its number of rows",
                reference("Table"),
            )
            .query([counts])
        }
        ("GET", "/v1/tables/{table}/rows") => {
            let fields = parameter("fields", "Only these fields, separated by commas", json!({"type": "string"}));
            let after =
                parameter("after", "The page behind this one: `next` of the page before", json!({"type": "string"}));
            Words::new("tables", "Rows, in the order of the primary key", reference("Page")).query([
                limit(10_000),
                after,
                fields,
            ])
        }
        ("POST", "/v1/tables/{table}/rows") => rows("Send rows for one table", "Rows", "RowsAnswer", true),
        ("POST", "/v1/rows") => {
            rows("Send rows for several tables, in one transaction", "RowsOfTables", "RowsOfTablesAnswer", false)
        }
        ("GET", "/v1/loads") => {
            let states = [
                LoadState::Running,
                LoadState::Complete,
                LoadState::Stopped,
                LoadState::RolledBack,
                LoadState::Abandoned,
            ];
            let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
            Words::new("loads", "The ledger, the newest load first", reference("Loads")).query([
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
        ("GET", "/v1/loads/{load}") => Words::new("loads", "A load", reference("Load")),
        ("GET", "/v1/rejects") => Words::new("rejects", "Rejects, by their numbers", reference("Rejects"))
            .query([table(), state(), limit(1000)])
            .query([parameter(
                "after",
                "Only rejects after this one",
                json!({"type": "integer", "minimum": 0, "maximum": i64::MAX}),
            )])
            .query(rejects()),
        ("GET", "/v1/rejects/groups") => Words::new("rejects", "Rejects by cause", reference("RejectGroups"))
            .query([table(), state()])
            .query(rejects()),
        ("GET", "/v1/rejects/{reject}") => {
            Words::new("rejects", "A reject, with what was done to it", reference("Reject"))
        }
        ("GET", "/v1/rejects/{reject}/raw") => Words {
            answers: vec![(200, "application/octet-stream", json!({}))],
            ..Words::new("rejects", "The bytes of a reject, as they came", json!({}))
        },
        ("POST", "/v1/rejects/{reject}/retry") => Words {
            problems: vec![409],
            ..Words::new("rejects", "Try a reject again, by the rules of now", reference("Retried"))
        },
        ("POST", "/v1/tables/{table}/rejects/retry") => Words {
            problems: vec![409],
            ..Words::new("rejects", "Try the rejects of a table again", reference("Retried")).query(rejects())
        },
        ("GET", "/v1/tables/{table}/rejects.csv") => Words {
            answers: vec![(200, "text/csv", text())],
            problems: vec![409],
            ..Words::new("rejects", "The open rejects of a table, to be mended", json!({})).query(rejects())
        },
        ("GET", "/v1/reports") => Words::new("reports", "The reports, with their parameters", reference("Reports")),
        ("GET", "/v1/reports/{report}") => report(),
        _ => Words::new("service", "", json!({})),
    }
}

fn report() -> Words {
    let formats = ["json", "ndjson", "csv", "markdown", "html"];
    let array = json!({"type": "array", "items": {"type": "object"}});
    let text = || json!({"type": "string"});
    Words {
        answers: vec![
            (200, "application/json", array),
            (200, "application/x-ndjson", text()),
            (200, "text/csv", text()),
            (200, "text/markdown", text()),
            (200, "text/html", text()),
        ],
        problems: vec![406],
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
    let mut content = json!({"application/json": {"schema": reference(schema)}});
    if single {
        content["application/x-ndjson"] = json!({"schema": {"type": "string"}});
        content["text/csv"] = json!({"schema": {"type": "string"}});
    }
    Words {
        headers: vec![json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "However often a request is sent under one key, it has one effect and one answer",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
        })],
        body: Some(json!({"required": true, "content": content})),
        answers: vec![
            (201, "application/json", reference(answer)),
            (200, "application/json", reference(answer)),
            (422, "application/json", reference(answer)),
        ],
        problems: vec![408, 409, 413, 415, 422],
        ..Words::new("rows", summary, json!({}))
    }
    .query([
        parameter(
            "on_conflict",
            "What to do with a row whose key the table holds with other content",
            json!({"type": "string", "enum": rules, "default": "reject"}),
        ),
        flag("atomic", "One rejected row, and none is inserted"),
        flag("dry_run", "Only say what would become of the rows"),
    ])
}

fn operation(route: &Route) -> Value {
    let words = words(route);
    let mut responses: Map<String, Value> = Map::new();
    for (status, media, schema) in &words.answers {
        let response =
            responses.entry(status.to_string()).or_insert_with(|| json!({"description": said(*status), "content": {}}));
        response["content"][media] = json!({ "schema": schema });
    }
    let mut problems = vec![400, 500, 503];
    if route.who != Who::Everybody {
        problems.extend([401, 403, 429]);
    }
    if route.path.contains('{') {
        problems.push(404);
    }
    if matches!(route.path, "/v1/loads" | "/v1/rejects" | "/v1/rejects/groups") {
        problems.push(404);
    }
    problems.extend(&words.problems);
    if matches!(route.path, "/healthz" | "/openapi.json") {
        problems.clear();
    }
    for status in problems {
        let response =
            responses.entry(status.to_string()).or_insert_with(|| json!({"description": said(status), "content": {}}));
        response["content"]["application/problem+json"] = json!({"schema": reference("Problem")});
    }
    if route.path.starts_with("/v1/reports/") {
        responses.insert("304".into(), json!({"description": "The client has just this"}));
    }
    let mut parameters: Vec<Value> = parts(route.path);
    parameters.extend(words.query);
    parameters.extend(words.headers);
    let mut operation = json!({
        "operationId": name(route), "summary": words.summary, "tags": [words.tag],
        "parameters": parameters, "responses": responses, "security": security(route.who),
    });
    if let Some(description) = words.description {
        operation["description"] = description.into();
    }
    if let Some(body) = words.body {
        operation["requestBody"] = body;
    }
    operation
}

fn said(status: u16) -> String {
    match status {
        200 => "Done".into(),
        201 => "All rows passed".into(),
        _ => {
            let titles = Kind::ALL.iter().filter(|kind| kind.status == status).map(|kind| kind.title);
            titles.collect::<Vec<_>>().join("; ")
        }
    }
}

fn security(who: Who) -> Value {
    match who {
        Who::Everybody => json!([]),
        Who::Known | Who::Has(_) => json!([{"bearer": []}]),
        Who::HasInQuery(_) => json!([{"bearer": []}, {"query": []}]),
    }
}

/// `get_v1_tables_table_rows`.
fn name(route: &Route) -> String {
    let words = route.path.split(['/', '.']).filter(|part| !part.is_empty()).map(|part| part.trim_matches(['{', '}']));
    std::iter::once(route.method.as_str().to_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

/// The parameters in a path.
fn parts(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let part = |name: &str| {
        let schema = match name {
            "load" | "reject" => json!({"type": "integer", "minimum": 1, "maximum": i64::MAX}),
            _ => json!({"type": "string", "minLength": 1}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    };
    names.map(part).collect()
}

/// An object of which all `properties` are required.
fn object(properties: Value) -> Value {
    let required: Vec<String> = properties.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    json!({"type": "object", "properties": properties, "required": required})
}

fn schemas() -> Value {
    let count = || json!({"type": "integer", "minimum": 0, "maximum": i64::MAX});
    let text = || json!({"type": "string"});
    let maybe = |kind: &str| json!({"type": [kind, "null"]});
    let list = |name: &str| json!({"type": "array", "items": reference(name)});
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let row_error = |table: bool| {
        let mut properties = json!({
            "row": {"type": "integer", "minimum": 0, "description": "The row, counted from 0"},
            "field": maybe("string"), "code": {"type": "string", "enum": codes}, "message": text(),
        });
        if table {
            properties["table"] = text();
        }
        object(properties)
    };
    let counts = |mut more: Value| {
        for name in ["read", "inserted", "updated", "unchanged", "rejected"] {
            more[name] = count();
        }
        object(more)
    };
    let modes: Vec<&str> =
        [Mode::Append, Mode::Upsert, Mode::Replace, Mode::Retry, Mode::Rows].iter().map(|mode| mode.as_str()).collect();
    let row = json!({"type": "object", "description": "The fields of the table; a field that is left out is missing"});
    json!({
        "Health": object(json!({"status": {"const": "ok"}})),
        "Readiness": object(json!({
            "status": {"type": "string", "enum": ["ready", "unavailable"]},
            "checks": {"type": "object", "additionalProperties": {"type": "string", "enum": ["ok", "stale", "unavailable"]}},
        })),
        "Problem": {
            "type": "object", "description": "RFC 9457",
            "properties": {"type": text(), "title": text(), "status": {"type": "integer"}, "detail": text(), "offset": count()},
            "required": ["type", "title", "status", "detail"],
        },
        "Tables": object(json!({"tables": {"type": "array", "items": {
            "type": "object", "properties": {"name": text(), "rows": count()}, "required": ["name"],
        }}})),
        "Table": {
            "type": "object",
            "properties": {
                "name": text(), "rows": count(),
                "dialect": {"type": "object", "description": "A Table Dialect: https://datapackage.org/standard/table-dialect/"},
                "encoding": {"type": "string", "description": "Of files, and of rows that are sent as CSV"},
                "schema": {"type": "object", "description": "A Table Schema: https://datapackage.org/standard/table-schema/"},
            },
            "required": ["name", "dialect", "encoding", "schema"],
        },
        "Page": object(json!({"rows": {"type": "array", "items": {"type": "object"}}, "next": maybe("string")})),
        "Rows": {"type": "array", "items": row, "minItems": 1},
        "RowsOfTables": {"type": "object", "additionalProperties": {"type": "array", "items": row}, "minProperties": 1},
        "RowError": row_error(false),
        "RowErrorOfTable": row_error(true),
        "RowsAnswer": counts(json!({"load_id": maybe("integer"), "errors": list("RowError")})),
        "RowsOfTablesAnswer": counts(json!({
            "errors": list("RowErrorOfTable"),
            "tables": {"type": "object", "additionalProperties": reference("RowsAnswer")},
        })),
        "Load": counts(json!({
            "load_id": {"type": "integer"}, "table": text(), "source": text(), "mode": {"type": "string", "enum": modes},
            "on_conflict": text(), "state": text(), "started_at": text(), "changed_at": text(), "seconds": {"type": "number"},
        })),
        "Loads": object(json!({"loads": list("Load"), "next": maybe("integer")})),
        "Reject": {
            "type": "object",
            "properties": {
                "reject_id": {"type": "integer"}, "load_id": {"type": "integer"}, "table": text(), "source": text(),
                "record": count(), "line": count(), "offset": count(), "raw": text(), "raw_escaped": {"type": "boolean"},
                "state": text(), "errors": {"type": "array", "items": {"type": "object"}},
                "events": {"type": "array", "items": object(json!({"action": text(), "load_id": {"type": "integer"}, "at": text()}))},
            },
            "required": ["reject_id", "load_id", "table", "source", "record", "line", "offset", "raw", "state", "errors"],
        },
        "Rejects": object(json!({"rejects": list("Reject"), "count": count(), "next": maybe("integer")})),
        "RejectGroups": object(json!({"groups": {"type": "array", "items": object(json!({
            "table": text(), "code": text(), "field": maybe("string"), "count": count(), "example": maybe("string"),
        }))}})),
        "Retried": object(json!({"loads": {"type": "array", "items": counts(json!({
            "load_id": {"type": "integer"}, "table": text(), "reasons": {"type": "array", "items": {"type": "object"}},
        }))}})),
        "Reports": object(json!({"reports": {"type": "array", "items": object(json!({
            "name": text(), "title": maybe("string"), "description": maybe("string"),
            "parameters": {"type": "array", "items": {"type": "object"}},
        }))}})),
    })
}
