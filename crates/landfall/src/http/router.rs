//! All routes, with the roles that may take them. What no resource lists does not exist.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use tower_http::cors::CorsLayer;

use super::{
    access::{RequestCaller, require_role},
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
    route::{Route, RouteAccess},
    server::limits::RequestUnderWay,
    server::observe,
    server::refusals,
    service::Service,
};

/// The routes of all resources.
const RESOURCES: &[&[Route]] = &[
    health::ROUTES,
    docs::ROUTES,
    tables::ROUTES,
    rows::ROUTES,
    files::ROUTES,
    loads::ROUTES,
    rejects::ROUTES,
    mend::ROUTES,
    backups::ROUTES,
    tasks::ROUTES,
    reports::ROUTES,
    exports::ROUTES,
];

/// All routes.
pub(super) fn all_routes() -> impl Iterator<Item = &'static Route> {
    RESOURCES.iter().copied().flatten()
}

/// The router over all routes.
pub(super) fn build_router(service: &Arc<Service>) -> Router {
    let mut router = Router::new();
    for route in all_routes() {
        // Each route gets its guard here, so that no list of a resource can leave it out.
        let guarded = (route.handler)().layer(from_fn_with_state((service.clone(), route.who), guard_route));
        router = router.route(route.path, guarded);
    }
    let nowhere = || async { Problem::not_found("resource") };
    let other =
        || async { Problem::new(ProblemKind::METHOD_NOT_ALLOWED, "this resource has other methods; see Allow") };
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(other)
        // The layer that is added last runs first: each request is counted, and an unsound one never reaches CORS.
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
            // Only now: the answer's head is made, and the next request of this caller may come.
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
