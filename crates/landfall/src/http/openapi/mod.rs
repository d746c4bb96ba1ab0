//! The service described in OpenAPI 3.1: the description of each route stands beside its handler, and is put together here.

pub(super) mod document;
pub(super) mod operation;
mod schemas;
