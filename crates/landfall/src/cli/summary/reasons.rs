//! Why records were rejected, counted over loads.

use std::collections::BTreeMap;

use landfall_engine::{
    escape_controls,
    pipeline::{LoadOutcome, RejectReason},
    plural_noun,
};

use crate::counts::group_thousands;

/// The causes that are listed; the rest is counted.
const SHOWN: usize = 24;

/// One line for each cause in `loads`, the most frequent first, indented.
pub(super) fn reason_lines(loads: &[&LoadOutcome]) -> String {
    let reasons = merge_reasons(loads);
    let width = reasons.iter().take(SHOWN).map(|reason| format_place(reason).chars().count()).max().unwrap_or_default();
    let mut text: String = reasons.iter().take(SHOWN).map(|reason| format_reason(reason, width)).collect();
    if reasons.len() > SHOWN {
        let more = (reasons.len() - SHOWN) as u64;
        text.push_str(&format!("    and {} more {}\n", group_thousands(more), plural_noun(more, "cause")));
    }
    text
}

fn format_reason(reason: &RejectReason, width: usize) -> String {
    let place = format_place(reason);
    let blanks = " ".repeat(width.saturating_sub(place.chars().count()));
    format!("    {place}{blanks}  {:<16} {:>9}\n", reason.code, group_thousands(reason.count))
}

fn format_place(reason: &RejectReason) -> String {
    reason.field.as_deref().map_or_else(|| "(record)".into(), |field| escape_controls(field).into_owned())
}

/// The causes in `loads` with their counts, the most frequent first.
pub(super) fn merge_reasons(loads: &[&LoadOutcome]) -> Vec<RejectReason> {
    let mut counts = BTreeMap::new();
    for reason in loads.iter().flat_map(|load| &load.reasons) {
        *counts.entry((reason.code, reason.field.clone())).or_insert(0) += reason.count;
    }
    let mut reasons: Vec<RejectReason> =
        counts.into_iter().map(|((code, field), count)| RejectReason { code, field, count }).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    reasons
}
