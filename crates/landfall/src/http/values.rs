//! Values of the data as JSON: numbers keep their digits, and JSON stays JSON.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use landfall_core::{
    keys::Scalar,
    schema::FieldType,
    validate::render::{boolean_text, datetime_text, integer_text, push_date, push_time},
};
use serde_json::Value;

/// An answer in JSON.
pub(super) fn respond_json(status: StatusCode, body: &Value) -> Response {
    respond_text(status, body.to_string())
}

/// An answer whose JSON is written already.
pub(super) fn respond_text(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Writes a value of a field as JSON.
pub(super) fn push_value(out: &mut String, kind: &FieldType, value: &Scalar) {
    match value {
        Scalar::Null => out.push_str("null"),
        Scalar::Integer(value) => integer_text(*value, out),
        Scalar::Boolean(value) => boolean_text(*value, out),
        // JSON has no such numbers.
        Scalar::Number(text) if matches!(text.as_str(), "NaN" | "INF" | "-INF") => push_text(out, text),
        // As a number with all its digits: exact decimals are also valid JSON.
        Scalar::Number(text) => out.push_str(text),
        Scalar::Date(days) => push_quoted(out, |out| push_date(*days, out)),
        Scalar::Time(micros) => push_quoted(out, |out| push_time(*micros, out)),
        Scalar::Datetime(micros) => push_quoted(out, |out| datetime_text(*micros, out)),
        Scalar::Text(text) if is_json(kind) && is_valid_json(text) => out.push_str(text),
        Scalar::Text(text) => push_text(out, text),
    }
}

/// The text of a value, as it may be asked for again.
pub(super) fn value_text(value: &Scalar) -> String {
    let mut out = String::new();
    match value {
        Scalar::Null => {}
        Scalar::Integer(value) => integer_text(*value, &mut out),
        Scalar::Boolean(value) => boolean_text(*value, &mut out),
        Scalar::Date(days) => push_date(*days, &mut out),
        Scalar::Time(micros) => push_time(*micros, &mut out),
        Scalar::Datetime(micros) => datetime_text(*micros, &mut out),
        Scalar::Number(text) | Scalar::Text(text) => out.push_str(text),
    }
    out
}

/// Writes a text as JSON.
pub(super) fn push_text(out: &mut String, text: &str) {
    out.push_str(&Value::from(text).to_string());
}

fn push_quoted(out: &mut String, write: impl FnOnce(&mut String)) {
    out.push('"');
    write(out);
    out.push('"');
}

/// Whether the values of a type are stored as JSON.
const fn is_json(kind: &FieldType) -> bool {
    matches!(
        kind,
        FieldType::Object | FieldType::Array | FieldType::List { .. } | FieldType::Geopoint(_) | FieldType::Geojson(_)
    )
}

/// Another program may have stored what is no JSON.
fn is_valid_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
