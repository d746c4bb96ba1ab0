//! What is asked of a load or a check.

use landfall_core::schema::{DialectOverrides, SourcePath};

use crate::OptionStyle;
use crate::ledger::{self, Mode, OnConflict};

/// A table to load, with the sources typed for it; those of its resource where none was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The table's name.
    pub table: String,
    /// A path, glob or `-`, relative to the current folder.
    pub source: Option<SourcePath>,
}

/// How many rejects are too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxRejects {
    /// More than this many, for each load.
    Count(u64),
    /// More than this share of the records read, in percent; once a thousand records were read, and at the end.
    Percent(f64),
}

impl MaxRejects {
    /// Records before a percentage is looked at.
    const LEAST: u64 = 1000;

    /// Reads a number of rejects, or a share of the records in percent.
    ///
    /// # Errors
    /// What is wrong with another text, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a number of records nor a share such as 5%");
        match text.strip_suffix('%') {
            Some(share) => {
                // `f64` would also read `inf`, `NaN` and exponents.
                let plain = share.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let share: f64 = share.trim().parse().map_err(|_| wrong())?;
                (plain && share <= 100.0).then_some(Self::Percent(share)).ok_or_else(wrong)
            }
            None => text.parse().map(Self::Count).map_err(|_| wrong()),
        }
    }

    /// Whether `rejected` of `read` records are too many; `end` where there are no more.
    #[must_use]
    pub fn is_exceeded(self, rejected: u64, read: u64, end: bool) -> bool {
        match self {
            Self::Count(most) => rejected > most,
            #[expect(clippy::cast_precision_loss, reason = "a percentage of counts far below 2^52")]
            Self::Percent(most) => (end || read >= Self::LEAST) && rejected as f64 * 100.0 > most * read as f64,
        }
    }
}

/// How to load.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// How to treat what the tables hold.
    pub mode: Mode,
    /// What to do with conflicting rows.
    pub on_conflict: OnConflict,
    /// All of it or nothing: one reject in any of the tables, and no row is inserted.
    pub atomic: bool,
    /// Stop a load beyond this many rejects.
    pub max_rejects: Option<MaxRejects>,
    /// Somebody has said how many rejects are allowed, so that a replace may keep fewer rows than it rejects.
    pub allow_rejects: bool,
    /// A replace may leave a table empty, or keep fewer rows than it rejects.
    pub allow_empty: bool,
    /// Read a source although the ledger knows its content.
    pub force: bool,
    /// The same, for tables whose keys tell rows apart.
    pub force_keyed: bool,
    /// Do everything in one transaction, and roll it back at the end.
    pub dry_run: bool,
    /// In what the sources are written otherwise than declared.
    pub overrides: DialectOverrides,
    /// How options are named in what is said of a fault.
    pub option_style: OptionStyle,
    /// How the work is cut.
    pub work: WorkLimits,
}

impl LoadOptions {
    /// Whether all of it takes effect in one step, or nothing does.
    pub(super) fn takes_effect_at_once(&self) -> bool {
        self.atomic || self.mode == Mode::Replace
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Append,
            on_conflict: OnConflict::Reject,
            atomic: false,
            max_rejects: None,
            allow_rejects: false,
            allow_empty: false,
            force: false,
            force_keyed: false,
            dry_run: false,
            overrides: DialectOverrides::default(),
            option_style: OptionStyle::default(),
            work: WorkLimits::default(),
        }
    }
}

/// How the work is cut: none of it changes the result (promise 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkLimits {
    /// Threads that decode and validate.
    pub threads: usize,
    /// Records that commit at once, at least.
    pub chunk_records: u64,
    /// Bytes that are decoded at once.
    pub block_bytes: usize,
    /// The most bytes of a record; a longer one is rejected.
    pub record_bytes: usize,
    /// The most bytes of the rejects of a load, with their reasons; a load with more is stopped.
    pub reject_bytes: u64,
    /// The most bytes of all open rejects of the project; a load that would add to them beyond that is stopped.
    pub project_reject_bytes: u64,
    /// The most bytes of a rejected record that the quarantine keeps, beside the length and digest of all. Those that wait for a parent
    /// are kept whole.
    pub rejected_record_bytes: u64,
}

impl WorkLimits {
    /// The most bytes of a record where nothing else is asked for.
    pub const RECORD_BYTES: usize = ledger::RECORD_BYTES;
    /// The most bytes of a load's rejects where nothing else is asked for.
    pub const REJECT_BYTES: u64 = 1 << 30;
    /// The most bytes of all open rejects where nothing else is asked for.
    pub const PROJECT_REJECT_BYTES: u64 = 8 << 30;
}

impl Default for WorkLimits {
    /// As many threads as there are cores, chunks of 50,000 records, blocks of 512 KiB, records of at most 16 MiB, rejects of at
    /// most 1 GiB in a load and 8 GiB in all.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            threads: cores,
            chunk_records: 50_000,
            block_bytes: 512 << 10,
            record_bytes: Self::RECORD_BYTES,
            reject_bytes: Self::REJECT_BYTES,
            project_reject_bytes: Self::PROJECT_REJECT_BYTES,
            rejected_record_bytes: Self::RECORD_BYTES as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_rejects_are_a_number_or_a_share() {
        assert_eq!(MaxRejects::parse("0"), Ok(MaxRejects::Count(0)));
        assert_eq!(MaxRejects::parse("2.5%"), Ok(MaxRejects::Percent(2.5)));
        for wrong in ["", "%", "-1", "1e1%", "101%", "nan%", "many"] {
            assert!(MaxRejects::parse(wrong).is_err(), "{wrong}");
        }
    }
}
