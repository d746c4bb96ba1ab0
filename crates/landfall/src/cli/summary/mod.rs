//! What a person reads after a command: counts, reasons, and what to do next.

mod backups;
mod loads;
mod one_cause;
mod push;
mod reasons;
mod records;
mod schema;
mod verification;

pub(crate) use backups::{list_backup_sets, summarize_backup, summarize_restore, verified_sets};
pub(crate) use loads::{print_dry_run, print_loads, render_document, summarize_check};
pub(crate) use push::PushSummary;
pub(crate) use records::reject_lines;
pub(crate) use schema::{describe_remaining, list_differences, render_additions, render_schema, summarize_apply};
pub(crate) use verification::summarize_verification;
