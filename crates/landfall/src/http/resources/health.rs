//! `/healthz`, `/readyz`, `/metrics`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;

use crate::http::{
    access::oidc::{KeysState, OidcProvider},
    call::Call,
    problem::Outcome,
    server::ready::{CheckResults, current_results},
    values::respond_json,
};

/// The process is there.
pub(in crate::http) async fn healthz(_call: Call) -> Outcome {
    Ok(respond_json(StatusCode::OK, &json!({"status": "ok"})))
}

/// The process can do its work.
pub(in crate::http) async fn readyz(call: Call) -> Outcome {
    let CheckResults { read, write, tables, .. } = current_results(&call.service).await;
    let keys = call.service.oidc.as_ref().map(OidcProvider::keys_state);
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
