//! Rows of a table that refers to itself: a parent may come further down in the same request, or rows may name each other. The
//! largest set in which every need is met is taken over, as with sources.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use landfall_core::{
    batches::filter_rows,
    keys::KeyColumns,
    validate::{RecordPositions, ValidatedBlock},
};

use super::{
    super::{
        adopt::greatest_fixpoint,
        judge::BlockJudge,
        keys::{ParentKnowledge, TableKeys},
        resolve::{record_of_row, resolve_keys},
        trial::{KeyNeeds, key_claim},
    },
    account::MergedAccount,
};
use crate::{error::Result, quarantine::NewReject, targets::Table};

/// Takes over the rejected rows of `account` that only lack parents which are among them.
pub(super) fn settle_own_parents(
    account: &mut MergedAccount<'_>,
    table: &Table,
    keys: &mut TableKeys,
    tables: &[Table],
) -> Result<()> {
    let candidates = find_candidates(account);
    if candidates.is_empty() {
        return Ok(());
    }
    let rows = &account.validated.rows;
    let pardoned =
        greatest_fixpoint(candidates.iter().filter_map(|&(row, _)| needs_of_row(rows, row, table, keys)).collect());
    if pardoned.is_empty() {
        return Ok(());
    }
    let met = |row: usize| {
        let uniques = keys.uniques.iter();
        let mut claims = uniques.filter_map(|unique| {
            key_claim(&table.name, &unique.positions, &KeyColumns::new(rows, &unique.positions), row)
        });
        claims.any(|claim| pardoned.contains(&claim))
    };
    let settled: Vec<(usize, u32)> = candidates.into_iter().filter(|&(row, _)| met(row)).collect();
    let wanted: HashSet<usize> = settled.iter().map(|(row, _)| *row).collect();
    let validated = ValidatedBlock {
        rows: filter_rows(rows, |row| wanted.contains(&row)),
        row_records: RecordPositions::Some(settled.iter().map(|(_, record)| *record).collect()),
        rejects: Vec::new(),
        rejected_rows: RecordBatch::new_empty(rows.schema()),
        presence: account.validated.presence.clone(),
        lacking: account.validated.lacking.clone(),
    };
    // Before they are judged again: each record must be counted once.
    settled.iter().for_each(|(_, record)| account.withdraw_reject(*record));
    let mut again = MergedAccount {
        transaction: &mut *account.transaction,
        on_conflict: account.on_conflict,
        validated: &validated,
        stretches: account.stretches,
        slots: &mut *account.slots,
    };
    // Fresh ones: the old keys have seen these very rows, which would clash with themselves.
    let mut fresh = TableKeys::for_new_rows(table, tables, &*again.transaction);
    let on_conflict = again.on_conflict;
    let mut judge = BlockJudge::new(&mut again, table, &validated).with_pardons(pardoned);
    judge.learn_block(&mut fresh, false)?;
    resolve_keys(&mut fresh, &validated, Vec::new(), on_conflict, &mut judge)?;
    judge.finish_block()?;
    super::super::chunk::hold_parents(again.transaction, &mut fresh)
}

/// The rows, with their records, that were rejected since parents are missing.
fn find_candidates(account: &MergedAccount<'_>) -> Vec<(usize, u32)> {
    let waits = |record: u32| account.find_reject(record).is_some_and(NewReject::waits_for_parent);
    let rows = 0..account.validated.rows.num_rows();
    rows.map(|row| (row, record_of_row(&account.validated.row_records, row)))
        .filter(|(_, record)| waits(*record))
        .collect()
}

/// What `row` claims and needs; none where it lacks a parent of another table.
fn needs_of_row(rows: &RecordBatch, row: usize, table: &Table, keys: &TableKeys) -> Option<KeyNeeds> {
    let mut wanted = KeyNeeds::default();
    for unique in &keys.uniques {
        let columns = KeyColumns::new(rows, &unique.positions);
        wanted.claims.extend(key_claim(&table.name, &unique.positions, &columns, row));
    }
    for foreign in &keys.foreigns {
        let columns = KeyColumns::new(rows, &foreign.positions);
        let there = |answer| answer == landfall_core::keys::Membership::Yes;
        match &foreign.parents {
            ParentKnowledge::Other(set) if there(set.contains_parent(&columns, row)) => {}
            ParentKnowledge::Other(_) => return None,
            ParentKnowledge::Own(at) if there(keys.uniques[*at].seen.contains_parent(&columns, row)) => {}
            ParentKnowledge::Own(_) => {
                wanted.needs.extend(key_claim(&table.name, &foreign.parent_positions, &columns, row))
            }
        }
    }
    Some(wanted)
}
