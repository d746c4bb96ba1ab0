//! Where the rows of a load come from.

use serde::{Deserialize, Serialize};

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
}

/// The name of standard input, in commands and in the ledger.
pub const STANDARD_INPUT: &str = "-";
/// The name of the quarantine as a source.
pub(crate) const QUARANTINE: &str = "quarantine";
/// What the names of uploads begin with.
pub(crate) const UPLOAD: &str = "upload:";
/// What the names of files of backup sets begin with.
pub(crate) const BACKUP: &str = "backup:";
