//! The service: rows and questions over HTTP, under the same rules as files.
//!
//! A request goes through `listener` (connections and their limits), `observe` (numbers, log, metrics), `router` (the lists of all
//! resources, with the roles that may take each route: what is on none does not exist) and its handler, which hands work for the database
//! to the `desk`: the threads that own targets. Everything here is asynchronous, and nothing behind the desk is.

mod access;
mod call;
mod desk;
mod job_hooks;
mod once;
mod openapi;
mod problem;
mod query;
mod readers;
mod resources;
mod reused_target;
mod route;
mod router;
mod server;
mod service;
mod uploads;
mod values;

pub(crate) use access::oidc::OidcProvider;
pub(crate) use server::listener::serve_until;
pub(crate) use server::tls::tls_acceptor;
pub(crate) use service::{Service, Settings as ServiceSettings};
