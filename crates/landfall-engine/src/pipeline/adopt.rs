//! Rejects whose parents arrived become rows.
use super::{LoadOutcome, chunk::Tally, load::Session};
use crate::{error::Result, ledger::LoadEntry, target::{Table, Target, Transaction}};

pub(super) fn settle_own_orphans(_s: &Session<'_>, _t: &mut dyn Transaction, _tally: &mut Tally, _table: &Table, _e: &LoadEntry) -> Result<()> { Ok(()) }
pub(super) fn release_waiting(_s: &Session<'_>, _t: &mut dyn Target, _o: &[LoadOutcome]) -> Result<Vec<LoadOutcome>> { Ok(Vec::new()) }
