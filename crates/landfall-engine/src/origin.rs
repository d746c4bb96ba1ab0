//! Where the rows of a load come from.

use serde::{Deserialize, Serialize};

use crate::ledger::Mode;

/// Where the rows of a load come from: what decides whether its source can be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A file that stays where it is.
    #[default]
    File,
    /// Standard input, which cannot be read again.
    StandardInput,
    /// A file that was sent to the service, which does not keep it.
    Upload,
    /// A file of a backup set.
    Backup,
    /// Rejects of the quarantine.
    Quarantine,
    /// Rows that were sent to the service, by themselves.
    Rows,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::File, Self::StandardInput, Self::Upload, Self::Backup, Self::Quarantine, Self::Rows];

    /// The origin as it is written in the ledger and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::StandardInput => "standard-input",
            Self::Upload => "upload",
            Self::Backup => "backup",
            Self::Quarantine => "quarantine",
            Self::Rows => "rows",
        }
    }

    /// The origin written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == text)
    }

    /// The name by which the ledger knows an upload whose bytes have `digest`: the same bytes have the same name.
    #[must_use]
    pub fn upload_name(digest: &str) -> String {
        format!("{UPLOAD}{digest}")
    }

    /// The name by which the ledger knows `file` of the backup set `set`.
    #[must_use]
    pub fn backup_name(set: &str, file: &str) -> String {
        format!("{BACKUP}{set}/{file}")
    }

    /// The origin of a ledger entry of version 0.1.0, which told it by the beginning of the source's name.
    pub(crate) fn of_earlier_entry(mode: Mode, source: &str) -> Self {
        match mode {
            Mode::Rows => Self::Rows,
            Mode::Retry => Self::Quarantine,
            _ if source == STANDARD_INPUT => Self::StandardInput,
            _ if source.starts_with(UPLOAD) => Self::Upload,
            _ if source.starts_with(BACKUP) => Self::Backup,
            _ => Self::File,
        }
    }
}

/// The name of standard input, in commands and in the ledger.
pub const STANDARD_INPUT: &str = "-";
/// The name of the quarantine as a source.
pub(crate) const QUARANTINE: &str = "quarantine";
const UPLOAD: &str = "upload:";
const BACKUP: &str = "backup:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_version_0_1_0_keep_their_origin() {
        for (mode, source, origin) in [
            (Mode::Append, "data/t.csv", Origin::File),
            (Mode::Append, "-", Origin::StandardInput),
            (Mode::Upsert, "upload:abc", Origin::Upload),
            (Mode::Replace, "backup:20260101T000000Z/t.avro", Origin::Backup),
            (Mode::Retry, "quarantine", Origin::Quarantine),
            (Mode::Retry, "mended.csv", Origin::Quarantine),
            (Mode::Append, "quarantine", Origin::File),
            (Mode::Rows, "rows", Origin::Rows),
        ] {
            assert_eq!(Origin::of_earlier_entry(mode, source), origin, "{mode:?} {source}");
            assert_eq!(Origin::parse(origin.as_str()), Some(origin));
        }
    }
}
