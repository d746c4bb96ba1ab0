//! `/openapi.json`: the service described in OpenAPI 3.1. What belongs to all routes alike is added here to each of them, so that
//! the document cannot forget it.

use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    operation::{Operation, idempotency_key, schema_reference},
    schemas::all_schemas,
};
use crate::http::{
    call::Call,
    problem::{Outcome, ProblemKind},
    route::{Route, RouteAccess},
    router::all_routes,
    values::respond_text,
};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| build_document().to_string());

/// The document.
pub(in crate::http) async fn openapi_document(_call: Call) -> Outcome {
    Ok(respond_text(StatusCode::OK, DOCUMENT.clone()))
}

/// The document, made from the list of routes.
pub(crate) fn build_document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in all_routes() {
        let Some(describe) = route.operation else { continue };
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = build_operation(route, describe());
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
        "components": {"schemas": all_schemas(), "securitySchemes": {
            "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A token of the service's own, or a JWT of the OpenID Connect provider that is configured",
            },
            "query": {"type": "apiKey", "in": "query", "name": "token", "description": "The same, for programs that cannot send headers"},
        }},
    })
}

/// Whether an answer may be so large that it needs space on the disk until it is sent.
fn is_spooled(path: &str) -> bool {
    ["/rows", "/tasks", "/rejects", "/raw", "/rejects.csv", "/v1/reports/{report}"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn build_operation(route: &Route, mut described: Operation) -> Value {
    let mut responses: Map<String, Value> = Map::new();
    for (status, media, schema) in &described.answers {
        let response = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({"description": describe_status(*status), "content": {}}));
        response["content"][media] = json!({ "schema": schema });
    }
    let mut problems = vec![400, 500, 503];
    if route.who != RouteAccess::Everybody {
        problems.extend([401, 403, 429]);
    }
    if route.path.contains('{') {
        problems.push(404);
    }
    problems.extend(&described.problems);
    // What has an effect has it once under a key.
    if route.method != Method::GET {
        described.headers.push(idempotency_key());
        problems.extend([409, 422]);
    }
    if route.method == Method::GET && is_spooled(route.path) {
        problems.push(507);
    }
    if matches!(route.path, "/healthz" | "/openapi.json") {
        problems.clear();
    }
    for status in problems {
        let response = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({"description": describe_status(status), "content": {}}));
        response["content"]["application/problem+json"] = json!({"schema": schema_reference("Problem")});
    }
    if route.path.starts_with("/v1/reports/") {
        responses.insert("304".into(), json!({"description": "The client has just this"}));
    }
    let mut parameters: Vec<Value> = path_parameters(route.path);
    parameters.extend(described.query.into_iter().map(without_nul));
    parameters.extend(described.headers);
    let mut operation = json!({
        "operationId": name(route), "summary": described.summary, "tags": [described.tag],
        "parameters": parameters, "responses": responses, "security": route_security(route.who),
    });
    if let Some(description) = described.description {
        operation["description"] = description.into();
    }
    if let Some(body) = described.body {
        operation["requestBody"] = body;
    }
    operation
}

/// A parameter of the query that is any text has no NUL in it (see `Query::parse`).
fn without_nul(mut parameter: Value) -> Value {
    let schema = &mut parameter["schema"];
    if schema["type"] == "string" && schema.get("enum").is_none() && schema.get("pattern").is_none() {
        schema["pattern"] = json!("^[^\\u0000]*$");
    }
    parameter
}

fn describe_status(status: u16) -> String {
    match status {
        200 => "Done".into(),
        201 => "All rows passed".into(),
        202 => "Taken on as a task".into(),
        206 => "A part of the file".into(),
        _ => {
            let titles = ProblemKind::ALL.iter().filter(|kind| kind.status == status).map(|kind| kind.title);
            titles.collect::<Vec<_>>().join("; ")
        }
    }
}

fn route_security(who: RouteAccess) -> Value {
    match who {
        RouteAccess::Everybody => json!([]),
        RouteAccess::Known | RouteAccess::Has(_) => json!([{"bearer": []}]),
        RouteAccess::HasInQuery(_) => json!([{"bearer": []}, {"query": []}]),
    }
}

/// `get_v1_tables_table_rows`.
fn name(route: &Route) -> String {
    let words = route.path.split(['/', '.']).filter(|part| !part.is_empty()).map(|part| part.trim_matches(['{', '}']));
    std::iter::once(route.method.as_str().to_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

/// The parameters in a path.
fn path_parameters(path: &str) -> Vec<Value> {
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
