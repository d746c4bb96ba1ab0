//! Values as people type them, on the command line, in landfall.yaml and in the queries of requests.

use clap::ValueEnum;
use landfall_engine::{
    ledger::{Mode, OnConflict},
    pipeline::MaxRejects,
};

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

/// Reads a number of rejects, or a share of the records in percent.
pub(crate) fn parse_max_rejects(text: &str) -> Result<MaxRejects, String> {
    let wrong = || format!("{text:?} is neither a number of records nor a share such as 5%");
    match text.strip_suffix('%') {
        Some(share) => {
            let plain = share.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let share: f64 = share.trim().parse().map_err(|_| wrong())?;
            (plain && share <= 100.0).then_some(MaxRejects::Percent(share)).ok_or_else(wrong)
        }
        None => text.parse().map(MaxRejects::Count).map_err(|_| wrong()),
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
    let factor = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor).ok_or_else(wrong)?;
    let number: usize = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|size| *size > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_rejects_are_a_number_or_a_share() {
        assert_eq!(parse_max_rejects("0"), Ok(MaxRejects::Count(0)));
        assert_eq!(parse_max_rejects("2.5%"), Ok(MaxRejects::Percent(2.5)));
        for wrong in ["", "%", "-1", "1e1%", "101%", "nan%", "many"] {
            assert!(parse_max_rejects(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("16MiB"), Ok(16 << 20));
        assert_eq!(parse_size("4096"), Ok(4096));
        for wrong in ["", "MiB", "0", "-1", "1.5MiB", "99999999999999999999", "18446744073709551615KiB", "1 furlong"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
