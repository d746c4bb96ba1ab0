//! The time of day for the ledger.

use jiff::{Timestamp, Unit};

/// Now, RFC 3339 in UTC, to the second.
#[must_use]
pub(crate) fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}
