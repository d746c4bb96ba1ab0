//! What a job says of its loads.

use serde_json::{Value, json};

use crate::{
    ledger::LoadState,
    pipeline::{LoadOutcome, ReplaceRefusalReason},
    public_error::{PublicError, PublicErrorCode},
};

/// Number, state and counts of a load.
pub(super) fn render_counts(load: &LoadOutcome) -> Value {
    let counts = load.counts;
    json!({
        "load_id": load.load_id.to_stored(), "load_state": load.state, "read": counts.read, "inserted": counts.inserted,
        "updated": counts.updated, "unchanged": counts.unchanged, "rejected": counts.rejected,
    })
}

/// All of a load, with what it did to the table and to earlier rejects.
pub(super) fn render_load(load: &LoadOutcome) -> Value {
    let mut rendered = render_counts(load);
    if let Some(removed) = load.removed {
        rendered["removed"] = removed.into();
    }
    if !load.closed_rejects.is_empty() {
        rendered["closed_rejects"] = json!(load.closed_rejects);
    }
    if let Some(refusal) = load.refusal {
        rendered["refusal"] = json!(refusal);
    }
    rendered
}

/// A load that released rejects of `table`.
pub(super) fn render_released(load: &LoadOutcome) -> Value {
    let mut rendered = render_counts(load);
    if let Value::Object(members) = &mut rendered {
        members.remove("load_state");
    }
    rendered["table"] = load.table.as_str().into();
    rendered
}

/// Why loads did not come to their end, or would not in a dry run.
pub(super) fn find_stop(outcomes: &[LoadOutcome], dry_run: bool) -> Option<PublicError> {
    let refusal = outcomes.iter().find_map(|outcome| outcome.refusal);
    let any = |state| outcomes.iter().any(|outcome| outcome.state == state);
    let what_stays = if dry_run { "a load would keep what it had read, and stop" } else { "what was read is kept" };
    let detail = match refusal {
        Some(refusal) => {
            let mend = match refusal.reason {
                ReplaceRefusalReason::LeavesEmpty => "allow_empty=true",
                _ => "max_rejects",
            };
            format!("the replace was stopped: {refusal}. Nothing was changed. If that is meant, send it with {mend}")
        }
        None if any(LoadState::RolledBack) => {
            "there are rejects, and the load was all or nothing: no row was inserted".to_owned()
        }
        None if outcomes.iter().any(|outcome| outcome.max_reject_bytes.is_some()) => {
            format!("the rejects have more bytes than load.maxRejectBytes allows; {what_stays}")
        }
        None if outcomes.iter().any(|outcome| outcome.max_project_reject_bytes.is_some()) => {
            format!("all open rejects together have more bytes than load.maxProjectRejectBytes allows; {what_stays}")
        }
        None if any(LoadState::Stopped) => {
            format!("there are more rejects than max_rejects allows; {what_stays}")
        }
        None => return None,
    };
    Some(PublicError::new(PublicErrorCode::Conflict, detail))
}
