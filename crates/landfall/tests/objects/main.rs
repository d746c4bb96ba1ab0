//! Backups in object storage: real servers that verify signatures, and a network that fails.
//!
//! `LANDFALL_SOAK=1` makes the test that kills something do so `LANDFALL_SOAK_ROUNDS` times (1000 by default).
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod contract;
mod damage;
mod failures;
mod guards;
mod kills;
mod site;
