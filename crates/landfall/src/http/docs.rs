//! `/docs`: a page to try the service with, which needs nothing from the network.

use std::sync::{Arc, LazyLock};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use utoipa_swagger_ui::Config;

use super::{
    call::Call,
    problem::{Kind, Outcome, Problem},
};

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(Config::new(["/openapi.json"]).try_it_out_enabled(true).filter(true).validator_url("none"))
});

/// What the page may load: its own files, and styles that it makes itself.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// Leads who only knows the service's address to the documentation.
pub(super) async fn root(_call: Call) -> Outcome {
    Ok(elsewhere("/docs"))
}

/// Leads to the page.
pub(super) async fn page(_call: Call) -> Outcome {
    Ok(elsewhere("/docs/index.html"))
}

fn elsewhere(path: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
    response
}

/// A file of the page.
pub(super) async fn file(call: Call) -> Outcome {
    let found = utoipa_swagger_ui::serve(call.part("file"), CONFIG.clone());
    let found = found.map_err(|_| Problem::new(Kind::INTERNAL, "the page cannot be made"))?;
    let file = found.ok_or_else(|| Problem::not_found("file"))?;
    let media = HeaderValue::from_str(&file.content_type).unwrap_or(HeaderValue::from_static("text/plain"));
    let mut response = Response::new(Body::from(file.bytes.into_owned()));
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}
