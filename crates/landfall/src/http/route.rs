//! All routes, with the roles that may take them. What is not on this list does not exist.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, delete, get, patch, post},
};
use landfall_engine::token::Role;
use tower_http::cors::CorsLayer;

use super::{
    access::{Caller, allow},
    backups,
    call::Call,
    docs, exports, files, health,
    limits::UnderWay,
    loads, mend, observe, openapi,
    problem::{Kind, Problem},
    query::Query,
    refusals, rejects, reports, rows,
    service::Service,
    tables, tasks,
};

/// A route.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// The path, with its parts in braces.
    pub(crate) path: &'static str,
    pub(crate) who: Who,
    handler: fn() -> MethodRouter<Arc<Service>>,
}

/// Who may take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everybody: it tells nothing of the data.
    Everybody,
    /// Whoever has a token.
    Known,
    /// Whoever has one of these roles; an admin has all.
    Has(&'static [Role]),
    /// The same, and the token may stand in the query: for programs that cannot send headers.
    HasInQuery(&'static [Role]),
}

const READ: Who = Who::Has(&[Role::Reader]);
const REPORT: Who = Who::HasInQuery(&[Role::Reader]);
const WRITE: Who = Who::Has(&[Role::Writer]);
const ADMIN: Who = Who::Has(&[Role::Admin]);
const EITHER: Who = Who::Has(&[Role::Reader, Role::Writer]);

macro_rules! routes {
    ($($method:ident $how:ident $path:literal $who:expr, $handler:path;)+) => {
        /// All routes.
        pub(crate) const ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            who: $who,
            handler: || $how(|call: Call| async move { $handler(call).await }),
        }),+];
    };
}

routes! {
    GET get "/healthz" Who::Everybody, health::healthz;
    GET get "/readyz" Who::Everybody, health::readyz;
    GET get "/metrics" Who::Known, health::metrics;
    GET get "/openapi.json" Who::Everybody, openapi::document;
    GET get "/" Who::Everybody, docs::root;
    GET get "/docs" Who::Everybody, docs::page;
    GET get "/docs/{file}" Who::Everybody, docs::file;
    GET get "/v1/tables" EITHER, tables::list;
    GET get "/v1/tables/{table}" EITHER, tables::one;
    GET get "/v1/tables/{table}/rows" READ, tables::rows;
    POST post "/v1/tables/{table}/rows" WRITE, rows::into_table;
    POST post "/v1/rows" WRITE, rows::into_tables;
    GET get "/v1/loads" EITHER, loads::list;
    GET get "/v1/loads/{load}" EITHER, loads::one;
    GET get "/v1/rejects" WRITE, rejects::list;
    GET get "/v1/rejects/groups" WRITE, rejects::groups;
    GET get "/v1/rejects/{reject}" WRITE, rejects::one;
    GET get "/v1/rejects/{reject}/raw" WRITE, rejects::raw;
    POST post "/v1/rejects/{reject}/retry" WRITE, mend::retry_one;
    POST post "/v1/tables/{table}/rejects/retry" WRITE, mend::retry_table;
    PATCH patch "/v1/rejects/{reject}" WRITE, mend::correct;
    POST post "/v1/rejects/{reject}/discard" ADMIN, mend::discard_one;
    POST post "/v1/tables/{table}/rejects/discard" ADMIN, mend::discard_table;
    GET get "/v1/tables/{table}/rejects.csv" WRITE, rejects::export;
    POST post "/v1/tables/{table}/rejects.csv" WRITE, mend::import;
    POST post "/v1/tables/{table}/files" WRITE, files::into_table;
    POST post "/v1/tables/{table}/restore" ADMIN, backups::restore;
    POST post "/v1/backups" ADMIN, backups::create;
    GET get "/v1/backups" ADMIN, backups::list;
    GET get "/v1/backups/{set}/{file}" ADMIN, backups::file;
    GET get "/v1/tasks" WRITE, tasks::list;
    GET get "/v1/tasks/{task}" WRITE, tasks::one;
    DELETE delete "/v1/tasks/{task}" WRITE, tasks::cancel;
    GET get "/v1/tasks/{task}/events" WRITE, tasks::events;
    GET get "/v1/reports" REPORT, reports::list;
    GET get "/v1/reports/{report}" REPORT, reports::one;
    POST post "/v1/reports/{report}/exports" READ, exports::create;
    GET get "/v1/exports/{export}/{file}" Who::Everybody, exports::fetch;
}

/// The router over all routes.
pub(super) fn router(service: &Arc<Service>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let guarded = (route.handler)().layer(from_fn_with_state((service.clone(), route.who), guard));
        router = router.route(route.path, guarded);
    }
    let nowhere = || async { Problem::not_found("resource") };
    let other = || async { Problem::new(Kind::METHOD_NOT_ALLOWED, "this resource has other methods; see Allow") };
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(other)
        .layer(cross_origin(service))
        .layer(from_fn(refusals::sound))
        .layer(from_fn_with_state(service.clone(), observe::observe))
        .with_state(service.clone())
}

/// What pages of other sites may do: nothing, but for those that are configured.
fn cross_origin(service: &Service) -> CorsLayer {
    let origins: Vec<HeaderValue> =
        service.api.cors.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return CorsLayer::new();
    }
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers(READ_HEADERS.map(HeaderName::from_static))
        .expose_headers(SENT_HEADERS.map(HeaderName::from_static))
}

/// The headers of requests that the service reads. A browser lets a page of another site send no others.
const READ_HEADERS: [&str; 15] = [
    "accept",
    "authorization",
    "content-encoding",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "prefer",
    "range",
    "traceparent",
    "tracestate",
    "x-request-id",
];

/// The headers of answers that tell something. A browser lets a page of another site see no others.
const SENT_HEADERS: [&str; 15] = [
    "accept-ranges",
    "allow",
    "content-disposition",
    "content-length",
    "content-range",
    "etag",
    "idempotency-replayed",
    "last-modified",
    "link",
    "location",
    "preference-applied",
    "retry-after",
    "vary",
    "www-authenticate",
    "x-request-id",
];

/// Lets a request through where its caller may take the route.
async fn guard(State((service, who)): State<(Arc<Service>, Who)>, mut request: Request, next: Next) -> Response {
    let (method, query) = (request.method().clone(), request.uri().query().map(str::to_owned));
    match admitted(&service, who, &method, query.as_deref(), request.headers().clone()).await {
        Ok((caller, under_way)) => {
            request.extensions_mut().insert(caller);
            let response = next.run(request).await;
            drop(under_way);
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admitted(
    service: &Service,
    who: Who,
    method: &Method,
    query: Option<&str>,
    headers: HeaderMap,
) -> Result<(Caller, Option<UnderWay>), Problem> {
    let headers = &headers;
    let caller = match who {
        // What tells nothing of the data is not counted: whoever watches the service asks for it.
        Who::Everybody => return Ok((Caller::Anybody, None)),
        Who::Known => service.caller(headers, None).await?,
        Who::Has(roles) => {
            let caller = service.caller(headers, None).await?;
            allow(&caller, roles, method)?;
            caller
        }
        Who::HasInQuery(roles) => {
            let token = Query::parse(query)?.take("token")?;
            let caller = service.caller(headers, token.as_deref()).await?;
            allow(&caller, roles, method)?;
            caller
        }
    };
    let under_way = service.limits.enter(caller.name())?;
    Ok((caller, Some(under_way)))
}
