//! What a route is: each resource lists its own.

use std::sync::Arc;

use axum::{http::Method, routing::MethodRouter};
use landfall_engine::token::Role;

use super::{openapi::operation::Operation, service::Service};

/// A route.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// The path, with its parts in braces.
    pub(crate) path: &'static str,
    pub(crate) who: RouteAccess,
    /// Makes its part of the OpenAPI document; none, if it is no part of the API.
    pub(super) operation: Option<fn() -> Operation>,
    pub(super) handler: fn() -> MethodRouter<Arc<Service>>,
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

pub(super) const READ: RouteAccess = RouteAccess::Has(&[Role::Reader]);
pub(super) const REPORT: RouteAccess = RouteAccess::HasInQuery(&[Role::Reader]);
pub(super) const WRITE: RouteAccess = RouteAccess::Has(&[Role::Writer]);
pub(super) const ADMIN: RouteAccess = RouteAccess::Has(&[Role::Admin]);
pub(super) const EITHER: RouteAccess = RouteAccess::Has(&[Role::Reader, Role::Writer]);

/// A list of routes, one a line: method twice, path, access, handler, and what the OpenAPI document says of it, if anything.
macro_rules! routes {
    ($($method:ident $how:ident $path:literal $who:expr, $handler:path, $operation:expr;)+) => {
        &[$($crate::http::route::Route {
            method: axum::http::Method::$method,
            path: $path,
            who: $who,
            operation: $operation,
            handler: || axum::routing::$how(|call: $crate::http::call::Call| async move { $handler(call).await }),
        }),+]
    };
}
pub(super) use routes;
