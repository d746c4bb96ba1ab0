//! The whole program on real servers: what it does on SQLite, it does on PostgreSQL (directly and through `PgBouncer`) and on
//! MariaDB. One program, so that one server of each kind serves all its tests; those that hurt a server start their own.
//!
//! `LANDFALL_SOAK=1` makes the tests that kill something do so `LANDFALL_SOAK_ROUNDS` times (1000 by default).
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod anew;
mod backups;
mod bounded;
mod cells;
mod commits;
mod disks;
mod doors;
mod faults;
mod hostile_settings;
mod kills;
mod long_rows;
mod names;
mod order;
mod partial;
mod place;
mod pool;
mod replaces;
mod rights;
mod same;
mod site;
mod swallowed;
mod tables;
mod things;
mod together;
mod warnings;
mod wide;
