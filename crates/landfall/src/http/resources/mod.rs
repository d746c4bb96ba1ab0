//! What the service has: each resource with its routes, their handlers, and what the OpenAPI document says of them.
//!
//! A new route is one line in the list of its resource, with a handler and a description beside it.

pub(in crate::http) mod accepted_rows;
pub(in crate::http) mod backups;
pub(in crate::http) mod docs;
pub(in crate::http) mod exports;
pub(in crate::http) mod files;
pub(in crate::http) mod health;
pub(in crate::http) mod loads;
pub(in crate::http) mod mend;
pub(in crate::http) mod rejects;
pub(in crate::http) mod reports;
pub(in crate::http) mod results;
pub(in crate::http) mod rows;
pub(in crate::http) mod tables;
pub(in crate::http) mod task_view;
pub(in crate::http) mod tasks;
