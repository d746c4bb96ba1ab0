//! Which rejects are meant.

use clap::{Args, ValueEnum, builder::PossibleValuesParser};
use landfall_core::{reject::ErrorCode, schema::Package};
use landfall_engine::{
    ledger::LoadId,
    quarantine::{RejectFilter, RejectId, RejectState},
};

use crate::{
    cli::{complete, selection::require_tables},
    exit::CommandError,
};

/// Which rejects are meant; all open ones where nothing is given.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(super) struct FilterArgs {
    /// Only rejects of this table.
    #[arg(long, value_name = "TABLE", add = complete::offer_tables())]
    table: Option<String>,
    /// Only rejects of this load.
    #[arg(long, value_name = "ID")]
    load: Option<LoadId>,
    /// Only rejects with an error of this code, such as type-error.
    #[arg(long, value_name = "CODE", value_parser = code_values(), hide_possible_values = true)]
    code: Option<String>,
    /// Only rejects with an error at this field.
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Only this reject.
    #[arg(long, value_name = "ID")]
    id: Option<RejectId>,
}

/// In which state rejects are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum TypedState {
    /// In the quarantine.
    #[default]
    Open,
    /// Passed in a retry.
    Released,
    /// The same content was loaded again.
    Superseded,
    /// Discarded.
    Discarded,
    /// All of them.
    Any,
}

fn code_values() -> PossibleValuesParser {
    PossibleValuesParser::new(ErrorCode::ALL.map(ErrorCode::as_str))
}

impl FilterArgs {
    /// What is asked of the quarantine, once the table is known to exist.
    pub(super) fn resolve_filter(&self, package: &Package) -> Result<RejectFilter, CommandError> {
        require_tables(&self.table, package)?;
        Ok(RejectFilter {
            table: self.table.clone(),
            load: self.load,
            code: self.code.as_deref().and_then(ErrorCode::parse),
            field: self.field.clone(),
            id: self.id,
            ..RejectFilter::default()
        })
    }

    /// Whether nothing was typed.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self { table: None, load: None, code: None, field: None, id: None }
    }
}

impl TypedState {
    /// `filter` for rejects in this state.
    pub(super) fn apply_to(self, filter: RejectFilter) -> RejectFilter {
        let state = match self {
            // For `any` this says nothing: `any_state` below counts.
            Self::Open | Self::Any => RejectState::Open,
            Self::Released => RejectState::Released,
            Self::Superseded => RejectState::Superseded,
            Self::Discarded => RejectState::Discarded,
        };
        RejectFilter { state: Some(state), any_state: self == Self::Any, ..filter }
    }
}
