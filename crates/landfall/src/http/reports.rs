//! `/v1/reports`: named questions, answered as JSON, CSV and more.

use std::{
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::{StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use landfall_core::{keys::Scalar, schema::told::field};
use landfall_engine::report::{Format, Parameter, ReportDefinition};
use serde_json::{Value, json};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{
    call::Call,
    problem::{Kind, Outcome, Problem},
    query::Query,
    results::{Results, result},
    service::Service,
    values::respond,
};
use crate::config::Report;

/// Bytes that are sent at once.
const PART: usize = 64 << 10;
/// Parts that wait for a slow client.
const PARTS: usize = 8;
/// How long to wait before a slow client is looked at again.
const PAUSE: Duration = Duration::from_millis(5);
/// An answer up to this many bytes is told with its ETag.
const WHOLE: usize = 1 << 20;

/// The reports that the caller may read.
pub(super) async fn list(call: Call) -> Outcome {
    let mut query = call.query()?;
    query.take("token")?;
    query.finish(&[])?;
    let seen = call.service.reports.iter().filter(|report| call.caller.sees_report(&report.name));
    let reports: Vec<Value> = seen.map(|report| described(report, &call.service.results)).collect();
    Ok(respond(StatusCode::OK, &json!({ "reports": reports })))
}

fn described(report: &Report, results: &Results) -> Value {
    let parameter = |parameter: &Parameter| {
        let mut described = field(&parameter.field);
        described["default"] = json!(parameter.default);
        described
    };
    json!({
        "name": report.name, "title": report.title, "description": report.description,
        "parameters": report.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "refresh": report.refresh.as_ref().map(ToString::to_string),
        "refreshed_at": results.oldest(&report.name).map(|at| at.to_string()),
    })
}

/// The report that the path names, where the caller may read it, and what is asked of it.
pub(super) fn asked(call: &Call) -> Outcome<(&Report, Query)> {
    let name = call.part("report");
    let report = call.service.reports.iter().find(|report| report.name == name);
    let report = report.filter(|_| call.caller.sees_report(name)).ok_or_else(|| Problem::not_found("report"))?;
    let mut query = call.query()?;
    query.take("token")?;
    Ok((report, query))
}

impl Report {
    /// The report with its SQL, and the values of its parameters.
    pub(super) fn bound(&self, service: &Service, query: Query) -> Outcome<(ReportDefinition, Vec<(String, Scalar)>)> {
        let definition = self.definition(service.kind).map_err(|fault| {
            tracing::error!(%fault, "a report cannot be run");
            Problem::new(Kind::INTERNAL, "the report cannot be run; the service's log says more")
        })?;
        let values = definition.bind(&query.rest()).map_err(|error| Problem::parameter(error.to_string()))?;
        Ok((definition, values))
    }
}

/// One report, run, or its stored result.
pub(super) async fn one(call: Call) -> Outcome {
    let (report, mut query) = asked(&call)?;
    let guard = query.take("guard_formulas")?;
    let format = format(query.take("format")?.as_deref(), guard.as_deref(), &call.headers)?;
    let given = query.pairs().to_vec();
    let (definition, values) = report.bound(&call.service, query)?;
    if report.refresh.is_some()
        && let Some(held) = result(&call.service, &definition, &values, given).await?
    {
        let (body, tag) = held.written(&definition, format)?;
        let mut response = tagged(&call.headers, format, body, &tag);
        let at = held.at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(at) = HeaderValue::from_str(&at) {
            response.headers_mut().insert(header::LAST_MODIFIED, at);
        }
        return Ok(response);
    }
    let (parts, mut sent) = mpsc::channel(PARTS);
    let (told, hears) = oneshot::channel();
    let (service, patience) = (call.service.clone(), call.service.pause());
    // The answer begins before the report ends, so that it need not fit into memory.
    tokio::spawn(async move {
        let outcome = service.desk.read(move |target| {
            let mut out = Parts { parts, held: Vec::with_capacity(PART), patience };
            definition.run(target, &values, format, &mut out)
        });
        let _ = told.send(outcome.await);
    });
    let mut whole = Vec::new();
    while let Some(part) = sent.recv().await {
        whole.extend_from_slice(&part);
        if whole.len() > WHOLE {
            return Ok(streamed(format, whole, sent, hears));
        }
    }
    match hears.await {
        Ok(Ok(_)) => {
            let tag = tag_of(&whole);
            Ok(tagged(&call.headers, format, whole.into(), &tag))
        }
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err(Problem::new(Kind::INTERNAL, "the report was lost")),
    }
}

/// Sends a report part by part. One that fails on the way ends without its end, so that nobody takes it for whole.
fn streamed(
    format: Format,
    first: Vec<u8>,
    sent: mpsc::Receiver<Bytes>,
    hears: oneshot::Receiver<Outcome<u64>>,
) -> Response {
    let parts = Sending { first: Some(Bytes::from(first)), sent, hears: Some(hears) };
    let mut response = Response::new(Body::new(UnsyncBoxBody::new(StreamBody::new(parts))));
    response.headers_mut().insert(header::CONTENT_TYPE, media(format));
    response
}

/// The parts of a report as a stream.
struct Sending {
    first: Option<Bytes>,
    sent: mpsc::Receiver<Bytes>,
    /// Tells, at the end, whether it is whole.
    hears: Option<oneshot::Receiver<Outcome<u64>>>,
}

impl futures_core::Stream for Sending {
    type Item = io::Result<Frame<Bytes>>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        use std::{future::Future as _, task::Poll};
        let Self { first, sent, hears } = &mut *self;
        if let Some(first) = first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match sent.poll_recv(context) {
            Poll::Ready(Some(part)) => return Poll::Ready(Some(Ok(Frame::data(part)))),
            Poll::Ready(None) => {}
            Poll::Pending => return Poll::Pending,
        }
        let Some(outcome) = hears else { return Poll::Ready(None) };
        let Poll::Ready(outcome) = std::pin::Pin::new(outcome).poll(context) else { return Poll::Pending };
        *hears = None;
        match outcome {
            Ok(Ok(_)) => Poll::Ready(None),
            _ => Poll::Ready(Some(Err(io::Error::other("the report failed on the way")))),
        }
    }
}

/// The tag of an answer: a digest of its bytes.
pub(super) fn tag_of(body: &[u8]) -> String {
    format!("\"{}\"", &blake3::hash(body).to_hex()[..32])
}

/// A whole answer, with its tag; none where the client has just this.
fn tagged(headers: &HeaderMap, format: Format, body: Bytes, tag: &str) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let same = known.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    });
    let mut response = Response::new(if same { Body::empty() } else { Body::from(body) });
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

const fn media(format: Format) -> HeaderValue {
    HeaderValue::from_static(match format {
        Format::Json => "application/json",
        Format::JsonLines => "application/x-ndjson",
        Format::Csv { .. } => "text/csv; charset=utf-8",
        Format::Markdown => "text/markdown; charset=utf-8",
        Format::Html => "text/html; charset=utf-8",
        Format::Table => "text/plain; charset=utf-8",
    })
}

/// The format that is asked for: by name, else by what the client accepts, else JSON.
fn format(named: Option<&str>, guard: Option<&str>, headers: &HeaderMap) -> Outcome<Format> {
    let guard_formulas = match guard {
        None => false,
        Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Problem::parameter("the parameter guard_formulas must be true or false")),
    };
    let of_name = |name: &str| match name {
        "json" => Some(Format::Json),
        "ndjson" => Some(Format::JsonLines),
        "csv" => Some(Format::Csv { guard_formulas }),
        "markdown" => Some(Format::Markdown),
        "html" => Some(Format::Html),
        _ => None,
    };
    if let Some(name) = named {
        return of_name(name).ok_or_else(|| Problem::parameter("the format is json, ndjson, csv, markdown or html"));
    }
    let Some(accepted) = headers.get(header::ACCEPT) else { return Ok(Format::Json) };
    let mut best: Option<(f32, Format)> = None;
    for range in accepted.to_str().unwrap_or_default().split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "*/*" | "application/*" | "application/json" => "json",
            "application/x-ndjson" | "application/ndjson" => "ndjson",
            "text/csv" => "csv",
            "text/markdown" => "markdown",
            "text/html" | "text/*" => "html",
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|text| text.parse().ok()).unwrap_or(1.0);
        if weight > 0.0 && best.is_none_or(|(known, _)| weight > known) {
            best = of_name(name).map(|format| (weight, format));
        }
    }
    let none = || Problem::new(Kind::NOT_ACCEPTABLE, "reports are given as JSON, NDJSON, CSV, Markdown and HTML");
    best.map(|(_, format)| format).ok_or_else(none)
}

/// Hands what is written over in parts, and waits where the client is slow.
struct Parts {
    parts: mpsc::Sender<Bytes>,
    held: Vec<u8>,
    /// How long a client may take for the next part.
    patience: Duration,
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PART {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut part = Bytes::from(std::mem::replace(&mut self.held, Vec::with_capacity(PART)));
        let begun = Instant::now();
        loop {
            part = match self.parts.try_send(part) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(part)) if begun.elapsed() < self.patience => part,
                // The thread that reads has others to serve.
                Err(TrySendError::Full(_)) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes the report too slowly"));
                }
                Err(TrySendError::Closed(_)) => {
                    return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone"));
                }
            };
            thread::sleep(PAUSE);
        }
    }
}
