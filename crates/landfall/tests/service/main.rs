//! `landfall serve`, as its clients see it: a process of its own, asked over plain connections.
//!
//! `LANDFALL_SOAK=1` makes the tests that kill something do so `LANDFALL_SOAK_ROUNDS` times (1000 by default).
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "a service needs less of a database than the tests of servers")]
#[path = "../servers/place.rs"]
mod place;
#[path = "../support/mod.rs"]
mod support;

mod access;
mod asked;
mod backups;
mod bodies;
mod clocks;
mod connections;
mod crashes;
mod dialects;
mod disks;
mod documents;
mod dry_runs;
mod files;
mod framing;
mod generated;
mod greedy;
mod hostile;
mod hostile_settings;
mod issuer;
mod jobs;
mod kept;
mod kills;
mod limited;
mod long_rejects;
mod mended;
mod nul;
mod oidc;
mod once;
mod pages;
mod push;
mod quarantines;
mod receipts;
mod replaces;
mod rows;
mod served;
mod settings;
mod strings;
mod workers;
