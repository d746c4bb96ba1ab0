//! Values as people type them, on the command line, in landfall.yaml and in the queries of requests.

use std::time::Duration;

use clap::ValueEnum;
use landfall_engine::ledger::{Mode, OnConflict};

/// The mode of a load, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypedMode {
    Append,
    Upsert,
    Replace,
}

impl From<TypedMode> for Mode {
    fn from(mode: TypedMode) -> Self {
        match mode {
            TypedMode::Append => Self::Append,
            TypedMode::Upsert => Self::Upsert,
            TypedMode::Replace => Self::Replace,
        }
    }
}

/// The conflict rule of a load, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypedRule {
    Reject,
    Update,
    Keep,
}

impl From<TypedRule> for OnConflict {
    fn from(rule: TypedRule) -> Self {
        match rule {
            TypedRule::Reject => Self::Reject,
            TypedRule::Update => Self::Update,
            TypedRule::Keep => Self::Keep,
        }
    }
}

const UNITS: [(&str, usize); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
    ("", 1),
];

/// Reads a size such as `16MiB`; at least one byte.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is not a size; write bytes, or a number with KiB, MiB or GiB, such as 16MiB");
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    // Exact in its letters: `16m` might mean milli or mebi.
    let factor = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor).ok_or_else(wrong)?;
    let number: usize = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|size| *size > 0).ok_or_else(wrong)
}

const TIME_UNITS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 24 * 3600), ("", 1)];

/// Reads a time such as `15s`, `10m`, `12h` or `30d`; at least one second, at most ten years.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time; write seconds, or a number with s, m, h or d, such as 15s or 30d");
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = TIME_UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
    let seconds = factor.zip(number.parse().ok()).and_then(|(factor, number): (u64, u64)| number.checked_mul(factor));
    seconds.filter(|seconds| (1..=3653 * 24 * 3600).contains(seconds)).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("16MiB"), Ok(16 << 20));
        assert_eq!(parse_size("4096"), Ok(4096));
        for wrong in ["", "MiB", "0", "-1", "1.5MiB", "99999999999999999999", "18446744073709551615KiB", "1 furlong"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        let seconds = |text| parse_duration(text).map(|time| time.as_secs());
        assert_eq!(["15s", "10m", "12h", "30d", "7"].map(seconds), [15, 600, 43_200, 2_592_000, 7].map(Ok));
        for wrong in ["", "s", "0s", "-1s", "1.5h", "1w", "99999999999999999999s", "4000d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
