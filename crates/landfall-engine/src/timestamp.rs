//! The time of day for the ledger.

use jiff::{Timestamp, Unit};

/// Now, RFC 3339 in UTC, to the second.
#[must_use]
pub(crate) fn now_utc() -> String {
    format_utc(Timestamp::now())
}

/// The same for another time.
#[must_use]
pub(crate) fn format_utc(time: Timestamp) -> String {
    time.round(Unit::Second).unwrap_or(time).to_string()
}
