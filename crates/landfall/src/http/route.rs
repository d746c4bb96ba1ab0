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
    access::{RequestCaller, require_role},
    call::Call,
    openapi,
    problem::{Problem, ProblemKind},
    query::QueryParameters,
    resources::backups,
    resources::docs,
    resources::exports,
    resources::files,
    resources::health,
    resources::loads,
    resources::mend,
    resources::rejects,
    resources::reports,
    resources::rows,
    resources::tables,
    resources::tasks,
    server::limits::RequestUnderWay,
    server::observe,
    server::refusals,
    service::Service,
};

/// A route.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// The path, with its parts in braces.
    pub(crate) path: &'static str,
    pub(crate) who: RouteAccess,
    handler: fn() -> MethodRouter<Arc<Service>>,
}

/// Who may take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteAccess {
    /// Everybody: it tells nothing of the data.
    Everybody,
    /// Whoever has a token.
    Known,
    /// Whoever has one of these roles; an admin has all.
    Has(&'static [Role]),
    /// The same, and the token may stand in the query: for programs that cannot send headers.
    HasInQuery(&'static [Role]),
}

const READ: RouteAccess = RouteAccess::Has(&[Role::Reader]);
const REPORT: RouteAccess = RouteAccess::HasInQuery(&[Role::Reader]);
const WRITE: RouteAccess = RouteAccess::Has(&[Role::Writer]);
const ADMIN: RouteAccess = RouteAccess::Has(&[Role::Admin]);
const EITHER: RouteAccess = RouteAccess::Has(&[Role::Reader, Role::Writer]);

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
    GET get "/healthz" RouteAccess::Everybody, health::healthz;
    GET get "/readyz" RouteAccess::Everybody, health::readyz;
    GET get "/metrics" RouteAccess::Known, health::show_metrics;
    GET get "/openapi.json" RouteAccess::Everybody, openapi::openapi_document;
    GET get "/" RouteAccess::Everybody, docs::redirect_root;
    GET get "/docs" RouteAccess::Everybody, docs::redirect_page;
    GET get "/docs/{file}" RouteAccess::Everybody, docs::serve_file;
    GET get "/v1/tables" EITHER, tables::list_tables;
    GET get "/v1/tables/{table}" EITHER, tables::show_table;
    GET get "/v1/tables/{table}/rows" READ, tables::list_rows;
    POST post "/v1/tables/{table}/rows" WRITE, rows::into_table;
    POST post "/v1/rows" WRITE, rows::into_tables;
    GET get "/v1/loads" EITHER, loads::list_loads;
    GET get "/v1/loads/{load}" EITHER, loads::show_load;
    GET get "/v1/rejects" WRITE, rejects::list_rejects;
    GET get "/v1/rejects/groups" WRITE, rejects::list_groups;
    GET get "/v1/rejects/{reject}" WRITE, rejects::show_reject;
    GET get "/v1/rejects/{reject}/raw" WRITE, rejects::show_raw;
    POST post "/v1/rejects/{reject}/retry" WRITE, mend::retry_one;
    POST post "/v1/tables/{table}/rejects/retry" WRITE, mend::retry_table;
    PATCH patch "/v1/rejects/{reject}" WRITE, mend::correct_one;
    POST post "/v1/rejects/{reject}/discard" ADMIN, mend::discard_one;
    POST post "/v1/tables/{table}/rejects/discard" ADMIN, mend::discard_table;
    GET get "/v1/tables/{table}/rejects.csv" WRITE, rejects::export_table;
    POST post "/v1/tables/{table}/rejects.csv" WRITE, mend::import_rejects;
    POST post "/v1/tables/{table}/files" WRITE, files::into_table;
    POST post "/v1/tables/{table}/restore" ADMIN, backups::restore_table;
    POST post "/v1/backups" ADMIN, backups::create_backup;
    GET get "/v1/backups" ADMIN, backups::list_backups;
    GET get "/v1/backups/{set}/{file}" ADMIN, backups::serve_table_file;
    GET get "/v1/tasks" WRITE, tasks::list_tasks;
    GET get "/v1/tasks/{task}" WRITE, tasks::show_task;
    DELETE delete "/v1/tasks/{task}" WRITE, tasks::cancel_task;
    GET get "/v1/tasks/{task}/events" WRITE, tasks::stream_events;
    GET get "/v1/reports" REPORT, reports::list_reports;
    GET get "/v1/reports/{report}" REPORT, reports::show_report;
    POST post "/v1/reports/{report}/exports" READ, exports::create_export;
    GET get "/v1/exports/{export}/{file}" RouteAccess::Everybody, exports::fetch_export;
}

/// The router over all routes.
pub(super) fn build_router(service: &Arc<Service>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let guarded = (route.handler)().layer(from_fn_with_state((service.clone(), route.who), guard_route));
        router = router.route(route.path, guarded);
    }
    let nowhere = || async { Problem::not_found("resource") };
    let other =
        || async { Problem::new(ProblemKind::METHOD_NOT_ALLOWED, "this resource has other methods; see Allow") };
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(other)
        .layer(cross_origin(service))
        .layer(from_fn(refusals::refuse_unsound))
        .layer(from_fn_with_state(service.clone(), observe::observe_request))
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
async fn guard_route(
    State((service, who)): State<(Arc<Service>, RouteAccess)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, query) = (request.method().clone(), request.uri().query().map(str::to_owned));
    match admit_caller(&service, who, &method, query.as_deref(), request.headers().clone()).await {
        Ok((caller, under_way)) => {
            request.extensions_mut().insert(caller);
            let response = next.run(request).await;
            drop(under_way);
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit_caller(
    service: &Service,
    who: RouteAccess,
    method: &Method,
    query: Option<&str>,
    headers: HeaderMap,
) -> Result<(RequestCaller, Option<RequestUnderWay>), Problem> {
    let headers = &headers;
    let caller = match who {
        // What tells nothing of the data is not counted: whoever watches the service asks for it.
        RouteAccess::Everybody => return Ok((RequestCaller::Anybody, None)),
        RouteAccess::Known => service.identify_caller(headers, None).await?,
        RouteAccess::Has(roles) => {
            let caller = service.identify_caller(headers, None).await?;
            require_role(&caller, roles, method)?;
            caller
        }
        RouteAccess::HasInQuery(roles) => {
            let token = QueryParameters::parse(query)?.take_value("token")?;
            let caller = service.identify_caller(headers, token.as_deref()).await?;
            require_role(&caller, roles, method)?;
            caller
        }
    };
    let under_way = service.limits.admit_request(caller.name())?;
    Ok((caller, Some(under_way)))
}
