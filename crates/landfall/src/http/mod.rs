//! The service: rows and questions over HTTP, under the same rules as files.
//!
//! A request goes through `listener` (connections and their limits), `observe` (numbers, log, metrics), `route` (the list of all
//! routes with the roles that may take them: what is not on it does not exist) and its handler, which hands work for the database
//! to the `desk`: the threads that own targets. Everything here is asynchronous, and nothing behind the desk is.

mod accepted_rows;
mod access;
mod backups;
mod body;
mod call;
mod connections;
mod desk;
mod docs;
mod exports;
mod files;
mod form;
mod framing;
mod health;
mod job_hooks;
mod limits;
mod listener;
mod loads;
mod mend;
mod metrics;
mod observe;
mod oidc;
mod once;
mod openapi;
mod problem;
mod query;
mod ranges;
mod readers;
mod ready;
mod refusals;
mod rejects;
mod reports;
mod results;
mod reused_target;
mod route;
mod rows;
mod service;
mod shares;
mod sites;
mod spool;
mod stall_timer;
mod streamed_body;
mod tables;
mod task_view;
mod tasks;
mod tls;
mod uploads;
mod values;

pub(crate) use listener::serve_until;
pub(crate) use oidc::OidcProvider;
pub(crate) use service::{Service, Settings as ServiceSettings};
pub(crate) use tls::tls_acceptor;
