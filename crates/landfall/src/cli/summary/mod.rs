//! What a person reads after a command: counts, reasons, and what to do next.

mod backups;
mod loads;
mod push;
mod reasons;
mod records;
mod schema;
mod verification;

pub(crate) use backups::{backed_up, backup_sets, restored, verified_sets};
pub(crate) use loads::{checked, print_dry_run, print_loads};
pub(crate) use push::Summary as PushSummary;
pub(crate) use records::reject_lines;
pub(crate) use schema::{additions, applied, differences, schema, unmended};
pub(crate) use verification::verified;
