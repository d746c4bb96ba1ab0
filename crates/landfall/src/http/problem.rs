//! Errors as problem details (RFC 9457). They show nothing of the database, of files, or of rows that were not sent.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use landfall_engine::{Error, PublicError, PublicErrorCode};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

/// What a handler gives back.
pub(super) type Outcome<T = Response> = Result<T, Problem>;

/// An error as the client is told it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: ProblemKind,
    detail: String,
    /// Bytes of the body before the place at fault.
    offset: Option<u64>,
    /// Seconds after which the same request may succeed.
    retry_after: Option<u32>,
}

/// The kinds of problem: what a program can tell from one. They do not change between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProblemKind {
    /// The last part of the problem's `type`.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) status: u16,
}

macro_rules! kinds {
    ($($constant:ident = $status:literal $name:literal $title:literal;)+) => {
        impl ProblemKind {
            $(pub(crate) const $constant: Self = Self { name: $name, title: $title, status: $status };)+
            /// All kinds, for the documentation.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$constant),+];
        }
    };
}

kinds! {
    NOT_JSON = 400 "not-json" "The body is not JSON";
    NOT_UTF8 = 400 "not-utf-8" "The body is not text in UTF-8";
    BAD_REQUEST = 400 "bad-request" "The request is not sound HTTP";
    BAD_PARAMETER = 400 "bad-parameter" "A parameter of the request is wrong";
    BAD_HEADER = 400 "bad-header" "A header of the request is wrong";
    UNAUTHORIZED = 401 "unauthorized" "No valid token";
    FORBIDDEN = 403 "forbidden" "The token does not allow this";
    NOT_FOUND = 404 "not-found" "There is no such thing";
    METHOD_NOT_ALLOWED = 405 "method-not-allowed" "There is no such method here";
    NOT_ACCEPTABLE = 406 "not-acceptable" "There is no such format";
    TIMEOUT = 408 "request-timeout" "The request came too slowly";
    IN_FLIGHT = 409 "request-in-flight" "A request with the same Idempotency-Key is under way";
    CONFLICT = 409 "conflict" "The state of things does not allow this";
    GONE = 410 "gone" "It was there, and is no more";
    TOO_LARGE = 413 "content-too-large" "The body is too large";
    TOO_MANY_ROWS = 422 "too-many-rows" "There are too many rows";
    URI_TOO_LONG = 414 "uri-too-long" "The path and query are too long";
    UNSUPPORTED_MEDIA = 415 "unsupported-media-type" "The body is of a type that is not taken here";
    CONTRADICTION = 422 "contradiction" "What is asked for contradicts itself";
    WRONG_SHAPE = 422 "wrong-shape" "The body is not what is expected here";
    NO_ROWS = 422 "no-rows" "There are no rows";
    KEY_REUSED = 422 "idempotency-key-reused" "Another request had the same Idempotency-Key";
    RANGE = 416 "range-not-satisfiable" "The file does not have these bytes";
    TOO_MANY_REQUESTS = 429 "too-many-requests" "Too many requests";
    HEAD_TOO_LARGE = 431 "request-header-fields-too-large" "The headers are too large";
    INTERNAL = 500 "internal" "A mistake of the service";
    BUSY = 503 "busy" "The service has too much to do";
    DATABASE = 503 "database" "The database cannot be used now";
    STORAGE = 503 "storage" "The object storage cannot be used now";
    STOPPING = 503 "stopping" "The service is being stopped";
    REPORT_TIMEOUT = 504 "report-timeout" "The report took too long";
    QUARANTINE_FULL = 507 "quarantine-full" "There is no room for more rejects";
    NO_SPACE = 507 "no-space" "No space is left for files";
}

impl ProblemKind {
    /// The kind of problem that a code of the engine is.
    const fn of_code(code: PublicErrorCode) -> Self {
        match code {
            PublicErrorCode::NotJson => Self::NOT_JSON,
            PublicErrorCode::NotUtf8 => Self::NOT_UTF8,
            PublicErrorCode::NotFound => Self::NOT_FOUND,
            PublicErrorCode::Conflict => Self::CONFLICT,
            PublicErrorCode::ContentTooLarge => Self::TOO_LARGE,
            PublicErrorCode::TooManyRows => Self::TOO_MANY_ROWS,
            PublicErrorCode::WrongShape => Self::WRONG_SHAPE,
            PublicErrorCode::Internal => Self::INTERNAL,
            PublicErrorCode::Database => Self::DATABASE,
            PublicErrorCode::Storage => Self::STORAGE,
            PublicErrorCode::QuarantineFull => Self::QUARANTINE_FULL,
            PublicErrorCode::NoSpace => Self::NO_SPACE,
        }
    }
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), offset: None, retry_after: None }
    }

    /// The sentence.
    pub(super) fn detail_text(&self) -> &str {
        &self.detail
    }

    /// A parameter that is wrong.
    pub(super) fn wrong_parameter(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::BAD_PARAMETER, detail)
    }

    /// What was asked for does not exist, or is not for this token to see.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(ProblemKind::NOT_FOUND, format!("there is no such {what}"))
    }

    /// The service has too much to do.
    pub(super) fn too_busy(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::BUSY, detail).retry_after(1)
    }

    /// The same request may succeed after `seconds`.
    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The problem as it is told.
    pub(super) fn to_json(&self) -> Value {
        let mut body = Map::new();
        // A URN and no URL: the name is all there is, and nobody needs to look anything up.
        body.insert("type".into(), json!(format!("urn:landfall:problem:{}", self.kind.name)));
        body.insert("title".into(), json!(self.kind.title));
        body.insert("status".into(), json!(self.kind.status));
        body.insert("detail".into(), json!(self.detail));
        body.extend(self.offset.map(|offset| ("offset".to_owned(), json!(offset))));
        Value::Object(body)
    }

    /// What stopped the engine's work, as a client may know it.
    pub(crate) fn from_engine(error: &Error) -> Self {
        PublicError::describe(error).into()
    }
}

impl From<PublicError> for Problem {
    fn from(error: PublicError) -> Self {
        let PublicError { code, detail, offset, retry_after } = error;
        Self { kind: ProblemKind::of_code(code), detail, offset, retry_after }
    }
}

/// The problem of a job, as it is stored, as a client sees it. Older versions stored what the client saw.
pub(super) fn render_stored_problem(stored: Value) -> Value {
    match PublicError::deserialize(&stored) {
        Ok(error) => Problem::from(error).to_json(),
        Err(_) => stored,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::from_engine(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 wants it with each 401, and libraries of clients ask by it.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client tells by the code what happened, and the code is the last part of the problem's type.
    #[test]
    fn codes_of_the_engine_are_names_of_problems() {
        use PublicErrorCode::{
            Conflict, ContentTooLarge, Database, Internal, NoSpace, NotFound, NotJson, NotUtf8, QuarantineFull,
            Storage, TooManyRows, WrongShape,
        };
        let codes = [
            Conflict,
            ContentTooLarge,
            Database,
            Internal,
            NoSpace,
            NotFound,
            NotJson,
            NotUtf8,
            QuarantineFull,
            Storage,
            TooManyRows,
            WrongShape,
        ];
        for code in codes {
            assert_eq!(json!(code), json!(ProblemKind::of_code(code).name));
        }
    }

    #[test]
    fn a_stored_problem_is_shown_whatever_version_stored_it() {
        let shown = Problem::new(ProblemKind::CONFLICT, "no").to_json();
        assert_eq!(render_stored_problem(json!(PublicError::new(PublicErrorCode::Conflict, "no"))), shown);
        assert_eq!(render_stored_problem(shown.clone()), shown);
        assert_eq!(render_stored_problem(Value::Null), Value::Null);
    }
}
