//! How a load treats what its table has.

use serde::{Deserialize, Serialize};

/// What a load does with a row whose key the table holds with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The record is rejected.
    #[default]
    Reject,
    /// The table's row is given the new content.
    Update,
    /// The table's row is kept; the record counts as unchanged.
    Keep,
}

impl OnConflict {
    /// The rule as it is written in the ledger and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Update => "update",
            Self::Keep => "keep",
        }
    }

    /// The rule written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Reject, Self::Update, Self::Keep].into_iter().find(|rule| rule.as_str() == text)
    }
}

/// How a load treats what the table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Rows are added.
    #[default]
    Append,
    /// Rows are added, or replace the row with their key.
    Upsert,
    /// The table holds the source's rows and no others afterwards.
    Replace,
    /// Rejects of the quarantine are tried again.
    Retry,
    /// Rows that were sent to the service, by themselves.
    Rows,
}

impl Mode {
    /// The mode as it is written in the ledger and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Upsert => "upsert",
            Self::Replace => "replace",
            Self::Retry => "retry",
            Self::Rows => "rows",
        }
    }

    /// What a load of this mode does with conflicting rows: `requested`, else `default` (the project's), else what the mode means. None
    /// if `requested` contradicts the mode: an upsert updates.
    #[must_use]
    pub fn choose_conflict_rule(
        self,
        requested: Option<OnConflict>,
        default: Option<OnConflict>,
    ) -> Option<OnConflict> {
        match (self, requested) {
            (Self::Upsert, None | Some(OnConflict::Update)) => Some(OnConflict::Update),
            (Self::Upsert, Some(OnConflict::Reject | OnConflict::Keep)) => None,
            _ => Some(requested.or(default).unwrap_or_default()),
        }
    }

    /// The mode written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Append, Self::Upsert, Self::Replace, Self::Retry, Self::Rows]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upsert_updates_whatever_the_project_says() {
        use OnConflict::{Keep, Reject, Update};
        for (mode, requested, default, chosen) in [
            (Mode::Append, None, None, Some(Reject)),
            (Mode::Append, None, Some(Keep), Some(Keep)),
            (Mode::Replace, Some(Update), Some(Keep), Some(Update)),
            (Mode::Upsert, None, Some(Keep), Some(Update)),
            (Mode::Upsert, Some(Update), None, Some(Update)),
            (Mode::Upsert, Some(Keep), None, None),
            (Mode::Upsert, Some(Reject), Some(Update), None),
        ] {
            assert_eq!(mode.choose_conflict_rule(requested, default), chosen, "{mode:?} {requested:?} {default:?}");
        }
    }
}
