//! `/v1/reports`: named questions, answered as JSON, CSV and more.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use landfall_core::keys::Scalar;
use landfall_engine::report::{ReportDefinition, ReportFormat};
use serde_json::{Value, json};

use crate::config::DeclaredReport;
use crate::http::{
    call::Call,
    openapi::operation::{Operation, flag_parameter, query_parameter, schema_reference},
    problem::{Outcome, Problem, ProblemKind},
    query::QueryParameters,
    resources::results::{ResultCache, stored_result},
    route::{REPORT, Route, routes},
    service::Service,
    values::respond_json,
};

/// The routes of reports.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    GET get "/v1/reports" REPORT, list_reports, Some(list_reports_operation);
    GET get "/v1/reports/{report}" REPORT, show_report, Some(show_report_operation);
};

/// The reports that the caller may read.
pub(in crate::http) async fn list_reports(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    // The guard of the route has read it. Here it only must not count as unknown.
    query.take_value("token")?;
    query.refuse_remaining(&[])?;
    let seen = call.service.reports.iter().filter(|report| call.caller.sees_report(&report.name));
    let reports: Vec<Value> = seen.map(|report| describe_report(report, &call.service.results)).collect();
    Ok(respond_json(StatusCode::OK, &json!({ "reports": reports })))
}

fn describe_report(report: &DeclaredReport, results: &ResultCache) -> Value {
    let mut described = report.describe_report();
    described["refreshed_at"] = json!(results.oldest_of(&report.name).map(|at| at.to_string()));
    described
}

/// The report that the path names, where the caller may read it, and what is asked of it.
pub(in crate::http) fn named_report(call: &Call) -> Outcome<(&DeclaredReport, QueryParameters)> {
    let name = call.path_part("report");
    let report = call.service.reports.iter().find(|report| report.name == name);
    let report = report.filter(|_| call.caller.sees_report(name)).ok_or_else(|| Problem::not_found("report"))?;
    let mut query = call.query_parameters()?;
    // Not a parameter of the report, and so not a part of what a result is kept under.
    query.take_value("token")?;
    Ok((report, query))
}

impl DeclaredReport {
    /// The report with its SQL, and the values of its parameters.
    pub(in crate::http) async fn bind_query(
        &self,
        service: &Service,
        query: QueryParameters,
    ) -> Outcome<(ReportDefinition, Vec<(String, Scalar)>)> {
        let definition = self.load_definition(service).await.map_err(|fault| {
            // Only for the log: it names files of the server.
            tracing::error!(fault, "a report cannot be run");
            Problem::new(ProblemKind::INTERNAL, "the report cannot be run; the service's log says more")
        })?;
        let values = definition
            .bind_values(&query.into_remaining())
            .map_err(|error| Problem::wrong_parameter(error.to_string()))?;
        Ok((definition, values))
    }

    /// The report with its SQL, which is read anew each time: it may have been changed. A disk may take long, so another thread waits for it.
    pub(in crate::http) async fn load_definition(&self, service: &Service) -> Result<ReportDefinition, String> {
        let (report, kind) = (self.clone(), service.kind);
        let read = tokio::task::spawn_blocking(move || report.read_definition(kind)).await;
        read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

/// One report, run, or its stored result.
pub(in crate::http) async fn show_report(call: Call) -> Outcome {
    let (report, mut query) = named_report(&call)?;
    let guard = query.take_value("guard_formulas")?;
    let format = choose_format(query.take_value("format")?.as_deref(), guard.as_deref(), &call.headers)?;
    let given = query.remaining_pairs().to_vec();
    let (definition, values) = report.bind_query(&call.service, query).await?;
    if report.refresh.is_some()
        && let Some(held) = stored_result(&call.service, call.caller.name(), &definition, &values, given).await?
    {
        let (body, tag) = held.render_result(&definition, format)?;
        let mut response = respond_with_tag(&call.headers, format, &tag, || Response::new(Body::from(body)));
        let at = held.at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(at) = HeaderValue::from_str(&at) {
            response.headers_mut().insert(header::LAST_MODIFIED, at);
        }
        return Ok(response);
    }
    let (caller, limit, mut out) = (call.caller.name(), call.service.api.report_timeout, call.begin_answer());
    // Written to its end first: a client may take it as slowly as it likes, and nobody takes a part of it for the whole.
    let written = call.service.desk.run_report(caller, limit, move |target| {
        definition.run(target, &values, format, &mut out)?;
        out.finish_answer()
    });
    let spooled = written.await?;
    let tag = spooled.tag.clone();
    Ok(respond_with_tag(&call.headers, format, &tag, || spooled.into_response()))
}

/// The tag of an answer: a digest of its bytes.
pub(in crate::http) fn entity_tag(body: &[u8]) -> String {
    format!("\"{}\"", &blake3::hash(body).to_hex()[..32])
}

/// A whole answer, with its tag; none where the client has just this.
fn respond_with_tag(
    headers: &HeaderMap,
    format: ReportFormat,
    tag: &str,
    respond: impl FnOnce() -> Response,
) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let same = known.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        // A proxy that compresses makes a tag weak. If-None-Match compares weakly (RFC 9110, 13.1.2).
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    });
    let mut response = if same { Response::new(Body::empty()) } else { respond() };
    if same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, media(format));
    }
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    // Kept by the client alone, and asked for again each time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept, Authorization"));
    response
}

const fn media(format: ReportFormat) -> HeaderValue {
    HeaderValue::from_static(match format {
        ReportFormat::Table => "text/plain; charset=utf-8",
        ReportFormat::Csv { .. } => "text/csv; charset=utf-8",
        ReportFormat::Markdown => "text/markdown; charset=utf-8",
        ReportFormat::Html => "text/html; charset=utf-8",
        ReportFormat::Json | ReportFormat::JsonLines => format.media_type(),
    })
}

/// The format that is asked for: by name, else by what the client accepts, else JSON.
fn choose_format(named: Option<&str>, guard: Option<&str>, headers: &HeaderMap) -> Outcome<ReportFormat> {
    let guard_formulas = match guard {
        None => false,
        Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Problem::wrong_parameter("the parameter guard_formulas must be true or false")),
    };
    if let Some(name) = named {
        let format = ReportFormat::STREAMED.into_iter().find(|format| format.as_str() == name);
        let names = ReportFormat::STREAMED.map(ReportFormat::as_str).join(", ");
        return format
            .map(|format| format.with_guard(guard_formulas))
            .ok_or_else(|| Problem::wrong_parameter(format!("the format is one of {names}")));
    }
    let Some(accepted) = headers.get(header::ACCEPT) else { return Ok(ReportFormat::Json) };
    let mut best: Option<(f32, ReportFormat)> = None;
    for range in accepted.to_str().unwrap_or_default().split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some(format) = accepted_format(&parts.next().unwrap_or_default().to_ascii_lowercase()) else { continue };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|text| text.parse().ok()).unwrap_or(1.0);
        // Of equal weights, the first one; `q=0` is what the client does not want.
        if weight > 0.0 && best.is_none_or(|(known, _)| weight > known) {
            best = Some((weight, format.with_guard(guard_formulas)));
        }
    }
    let none = || {
        let types = ReportFormat::STREAMED.map(ReportFormat::media_type).join(", ");
        Problem::new(ProblemKind::NOT_ACCEPTABLE, format!("the media types of a report are {types}"))
    };
    best.map(|(_, format)| format).ok_or_else(none)
}

/// The format for a range of media types of `Accept`, in small letters.
fn accepted_format(range: &str) -> Option<ReportFormat> {
    match range {
        "*/*" | "application/*" => Some(ReportFormat::Json),
        "text/*" => Some(ReportFormat::Html),
        "application/ndjson" => Some(ReportFormat::JsonLines),
        media_type => ReportFormat::STREAMED.into_iter().find(|format| format.media_type() == media_type),
    }
}

fn list_reports_operation() -> Operation {
    Operation::new("reports", "The reports, with their parameters", schema_reference("Reports"))
}

fn show_report_operation() -> Operation {
    let formats = ReportFormat::STREAMED.map(ReportFormat::as_str);
    let answer = |format: ReportFormat| {
        let schema = match format {
            ReportFormat::Json => json!({"type": "array", "items": {"type": "object"}}),
            _ => json!({"type": "string"}),
        };
        (200, format.media_type(), schema)
    };
    let format = "The format. Without it, the header Accept decides";
    Operation {
        answers: ReportFormat::STREAMED.into_iter().map(answer).collect(),
        problems: vec![406, 504],
        ..Operation::new("reports", "Run a report", json!({}))
    }
    .with_query([
        query_parameter("format", format, json!({"type": "string", "enum": formats})),
        flag_parameter("guard_formulas", "In CSV, put ' before texts that a spreadsheet would run as a formula"),
    ])
    .with_description("A report also takes its own parameters, as `/v1/reports` lists them.")
}
