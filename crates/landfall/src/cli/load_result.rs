//! How a command ends that loaded: its exit code, and what standard error is told, where scripts and `--quiet` look.

use anyhow::Result;
use landfall_engine::{
    escape_controls,
    pipeline::{LoadOutcome, ReplaceRefusal, ReplaceRefusalReason},
};

use super::Invocation;
use crate::{exit::Exit, failure};

/// The exit code for `outcomes`; a load that was stopped is told. `atomic` says what was all or nothing, where something was.
pub(super) fn end_loads(outcomes: &[LoadOutcome], atomic: Option<&str>, invocation: &Invocation) -> Exit {
    let exit = Exit::from_loads(outcomes);
    let refused = outcomes.iter().find_map(|outcome| Some((&*outcome.table, outcome.refusal?)));
    let (message, exit) = match (exit, refused, atomic) {
        (Exit::TooManyRejects, ..) => (format!("stopped: {}; what was read is kept", describe_excess(outcomes)), exit),
        (Exit::RolledBack, Some((table, refusal)), _) => {
            let is_atomic = atomic.is_some() && refusal.rejects > 0;
            (refused_words(table, &refusal, is_atomic), if is_atomic { exit } else { Exit::LeavesLittle })
        }
        (Exit::RolledBack, None, Some(words)) => (format!("rolled back: {words}"), exit),
        (Exit::RolledBack, None, None) => {
            (format!("stopped: {}; the tables were left as they were", describe_excess(outcomes)), Exit::TooManyRejects)
        }
        _ => return exit,
    };
    failure::print_error(&message, exit, &invocation.globals);
    exit
}

/// Of what there is more than is allowed.
fn describe_excess(outcomes: &[LoadOutcome]) -> &'static str {
    if outcomes.iter().any(|outcome| outcome.max_reject_bytes.is_some()) {
        return "the rejects have more bytes than maxRejectBytes (in landfall.yaml, under load) allows";
    }
    if outcomes.iter().any(|outcome| outcome.max_project_reject_bytes.is_some()) {
        return "all open rejects have more bytes than maxProjectRejectBytes (in landfall.yaml, under load) allows";
    }
    "there are more rejects than --max-rejects allows"
}

/// What stopped a replace, and how it goes on.
fn refused_words(table: &str, refusal: &ReplaceRefusal, is_atomic: bool) -> String {
    let mend = match refusal.reason {
        ReplaceRefusalReason::LeavesEmpty if is_atomic => "add --max-rejects N and --allow-empty",
        ReplaceRefusalReason::LeavesEmpty => "add --allow-empty",
        _ => "add --max-rejects N",
    };
    let table = escape_controls(table);
    format!("the replace of {table:?} was stopped: {refusal}. Nothing was changed. If that is meant, {mend}")
}

/// How a command ends that has also written files about it: why it failed comes before a file that could not be written.
pub(super) fn combine_outcomes(ended: Result<Exit>, written: Result<()>) -> Result<Exit> {
    match (ended, written) {
        // Only if all went well. Otherwise the exit code must say what is wrong with the data.
        (Ok(Exit::Done), Err(unwritten)) => Err(unwritten),
        (ended, Err(unwritten)) => {
            tracing::error!(error = %format!("{unwritten:#}"), "what was acknowledged was not written down");
            ended
        }
        (ended, Ok(())) => ended,
    }
}
