//! `/healthz`, `/readyz`, `/metrics`.

use std::time::{Duration, Instant};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;
use tokio::time::timeout;

use super::{
    call::Call,
    oidc::{Provider, State},
    problem::Outcome,
    service::Service,
    values::respond,
};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long what is known of the tables holds.
const TABLES_HOLD: Duration = Duration::from_secs(3);

/// The process is there.
pub(super) async fn healthz(_call: Call) -> Outcome {
    Ok(respond(StatusCode::OK, &json!({"status": "ok"})))
}

/// The process can do its work.
pub(super) async fn readyz(call: Call) -> Outcome {
    let desk = &call.service.desk;
    let (reads, writes) = tokio::join!(
        timeout(PATIENCE, desk.read(|target| target.document("token", "-").map(drop))),
        timeout(PATIENCE, desk.write(|target| target.document("token", "-").map(drop))),
    );
    let tables = reads_tables(&call.service).await;
    let word = |sound: bool| if sound { "ok" } else { "unavailable" };
    let (reads, writes) = (matches!(reads, Ok(Ok(()))), matches!(writes, Ok(Ok(()))));
    let keys = call.service.oidc.as_ref().map(Provider::state);
    let ready = reads && writes && tables && keys != Some(State::Unavailable);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({
        "status": if ready { "ready" } else { "unavailable" },
        "checks": {"database_read": word(reads), "database_write": word(writes), "tables": word(tables)},
    });
    if let Some(keys) = keys {
        body["checks"]["oidc_keys"] = keys.as_str().into();
    }
    Ok(respond(status, &body))
}

/// Whether all tables are there. They are not asked for again at once, since anybody may ask whether the service is ready.
async fn reads_tables(service: &Service) -> bool {
    let known = *service.tables_seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, sound)) = known.filter(|(at, _)| at.elapsed() < TABLES_HOLD) {
        return sound;
    }
    let rules = service.rules.clone();
    let asked = service.desk.read(move |target| {
        for table in rules.tables() {
            if !target.has_table(table)? {
                tracing::error!(table = &*table.name, "the table is not in the database any more");
                return Ok(false);
            }
        }
        Ok(true)
    });
    let sound = matches!(timeout(PATIENCE, asked).await, Ok(Ok(true)));
    *service.tables_seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((Instant::now(), sound));
    sound
}

/// What was counted.
pub(super) async fn metrics(call: Call) -> Outcome {
    let sees = |table: &str| call.caller.sees_table(table);
    let text = call.service.metrics.text(&call.service.desk, call.service.tasks.under_way(), &sees);
    let mut response = Response::new(text.into());
    let media = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    Ok(response)
}
