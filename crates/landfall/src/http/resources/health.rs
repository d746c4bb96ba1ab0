//! `/healthz`, `/readyz`, `/metrics`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;

use crate::http::{
    access::oidc::{KeysState, OidcProvider},
    call::Call,
    openapi::operation::{Operation, schema_reference},
    problem::Outcome,
    route::{Route, RouteAccess, routes},
    server::ready::{CheckResults, current_results},
    values::respond_json,
};

/// The routes of the service itself.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    GET get "/healthz" RouteAccess::Everybody, healthz, Some(healthz_operation);
    GET get "/readyz" RouteAccess::Everybody, readyz, Some(readyz_operation);
    GET get "/metrics" RouteAccess::Known, show_metrics, Some(show_metrics_operation);
};

/// The process is there.
pub(in crate::http) async fn healthz(_call: Call) -> Outcome {
    Ok(respond_json(StatusCode::OK, &json!({"status": "ok"})))
}

/// The process can do its work.
pub(in crate::http) async fn readyz(call: Call) -> Outcome {
    let CheckResults { read, write, tables, .. } = current_results(&call.service).await;
    let keys = call.service.oidc.as_ref().map(OidcProvider::keys_state);
    // Keys that are stale still verify the tokens that they signed, and leave the service ready.
    let ready = [read, write, tables].iter().all(|finding| finding.is_sound()) && keys != Some(KeysState::Unavailable);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({
        "status": if ready { "ready" } else { "unavailable" },
        "checks": {"database_read": read.as_str(), "database_write": write.as_str(), "tables": tables.as_str()},
    });
    if let Some(keys) = keys {
        body["checks"]["oidc_keys"] = keys.as_str().into();
    }
    Ok(respond_json(status, &body))
}

/// What was counted.
pub(in crate::http) async fn show_metrics(call: Call) -> Outcome {
    let sees = |table: &str| call.caller.sees_table(table);
    let text = call.service.metrics.render_text(&call.service.desk, call.service.jobs.control.count_active(), &sees);
    let mut response = Response::new(text.into());
    let media = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    Ok(response)
}

fn healthz_operation() -> Operation {
    Operation::new("service", "Whether the process is alive", schema_reference("Health"))
}

fn readyz_operation() -> Operation {
    let answers = [200, 503].map(|status| (status, "application/json", schema_reference("Readiness")));
    Operation { answers: answers.into(), ..Operation::new("service", "Whether the service can do its work", json!({})) }
}

fn show_metrics_operation() -> Operation {
    Operation {
        answers: vec![(200, "application/openmetrics-text", json!({"type": "string"}))],
        ..Operation::new("service", "Metrics for Prometheus", json!({}))
    }
}
