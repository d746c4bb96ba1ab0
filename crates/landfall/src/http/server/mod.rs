//! Connections and their limits: what is true of every request, whatever it asks for.

pub(in crate::http) mod body;
pub(in crate::http) mod connections;
pub(in crate::http) mod form;
pub(in crate::http) mod framing;
pub(in crate::http) mod limits;
pub(in crate::http) mod listener;
pub(in crate::http) mod metrics;
pub(in crate::http) mod observe;
pub(in crate::http) mod ranges;
pub(in crate::http) mod ready;
pub(in crate::http) mod refusals;
pub(in crate::http) mod sites;
pub(in crate::http) mod spool;
pub(in crate::http) mod stall_timer;
pub(in crate::http) mod streamed_body;
pub(in crate::http) mod tls;
