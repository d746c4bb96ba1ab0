//! One request, as handlers see it.

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts as _, RawPathParams, Request},
    http::{HeaderMap, Method, Uri},
};

use landfall_core::schema::TableIndex;
use landfall_engine::targets::Target;

use super::{
    access::RequestCaller,
    problem::{Outcome, Problem, ProblemKind},
    query::QueryParameters,
    server::body::{PacedBody, ReadBody},
    server::spool::AnswerSpool,
    service::Service,
};

/// One request.
pub(super) struct Call {
    pub(super) service: Arc<Service>,
    pub(super) caller: RequestCaller,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// In a mutex, so that a request may be looked at from several threads; a body alone may not.
    body: Mutex<Body>,
    parts: HashMap<String, String>,
}

impl FromRequest<Arc<Service>> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let params = RawPathParams::from_request_parts(&mut parts, service).await;
        // What is not UTF-8 names nothing.
        let params = params.map_err(|_| Problem::not_found("resource"))?;
        // Nothing has such a name, and not every database can be asked for it.
        if params.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Problem::not_found("resource"));
        }
        let named = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let caller = parts.extensions.get::<RequestCaller>().cloned();
        // The guard of the route has put it there. A route without a guard must fail, and not run for nobody.
        let caller = caller.ok_or_else(|| Problem::new(ProblemKind::UNAUTHORIZED, "nobody asks"))?;
        Ok(Self {
            service: service.clone(),
            caller,
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            // Wrapped for every handler, so that none can forget to bound how slowly a body comes.
            body: Mutex::new(PacedBody::wrap_body(body, service.pause())),
            parts: named,
        })
    }
}

impl Call {
    /// The part of the path that is called `name`.
    pub(super) fn path_part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", String::as_str)
    }

    /// The number in the part of the path that is called `name`.
    pub(super) fn path_number<I: FromStr>(&self, name: &str, what: &str) -> Outcome<I> {
        self.path_part(name).parse().ok().ok_or_else(|| Problem::not_found(what))
    }

    /// The position of the table that the path names, where the caller may touch it.
    pub(super) fn named_table(&self) -> Outcome<TableIndex> {
        self.table_called(self.path_part("table"))
    }

    /// The position of a table, where the caller may touch it. One that it may not touch does not exist for it.
    pub(super) fn table_called(&self, name: &str) -> Outcome<TableIndex> {
        let found = self.service.rules.rules_project().package.table_position(name);
        // Both give the same 404, so that nobody learns the names of tables that are not for them.
        found.filter(|_| self.caller.sees_table(name)).ok_or_else(|| Problem::not_found("table"))
    }

    /// The parameters of the query. A token among them has been looked at.
    pub(super) fn query_parameters(&self) -> Outcome<QueryParameters> {
        QueryParameters::parse(self.uri.query())
    }

    /// A header that is text.
    pub(super) fn text_header(&self, name: &str) -> Outcome<Option<&str>> {
        let Some(value) = self.headers.get(name) else { return Ok(None) };
        let text =
            value.to_str().map_err(|_| Problem::new(ProblemKind::BAD_HEADER, format!("{name} is not plain text")))?;
        // A proxy and this service might each take another one of the two.
        if self.headers.get_all(name).iter().count() > 1 {
            return Err(Problem::new(ProblemKind::BAD_HEADER, format!("{name} is given twice")));
        }
        Ok(Some(text))
    }

    /// Runs `work` on a target that only reads, within the caller's share of those that do. Who gives up waiting stops it.
    pub(super) async fn read<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Target) -> landfall_engine::Result<R> + Send + 'static,
    ) -> Outcome<R> {
        self.service.desk.read(self.caller.name(), work).await
    }

    /// Begins an answer that may be large.
    pub(super) fn begin_answer(&self) -> AnswerSpool {
        self.service.spools.begin_spool(self.caller.name())
    }

    /// The body, to be read part by part.
    pub(super) fn take_body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The body, read to its end; at most `most` bytes.
    pub(super) async fn read_body(&mut self, most: usize) -> Outcome<ReadBody> {
        let body = self.take_body();
        self.service.memory.read(self.caller.name(), &self.headers, body, most).await
    }
}
