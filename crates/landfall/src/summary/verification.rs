//! What `verify` found.

use std::fmt::Write as _;

use landfall_engine::shown;

use crate::engine_calls::verify::Verification;

/// The findings, or that there are none.
pub(crate) fn verified(verification: &Verification) -> String {
    let mut text = String::new();
    for finding in &verification.findings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {}: {}", shown(&finding.table), shown(&finding.source), shown(&finding.message));
    }
    match verification.findings.len() {
        0 => text.push_str("Every record is accounted for.\n"),
        count => {
            let _ = writeln!(text, "{count} discrepancies.");
        }
    }
    text
}
