//! Which tables of a command are built aside: those that do not exist yet, as far as no row of theirs must be looked for
//! while they are loaded.

use std::collections::HashSet;

use landfall_core::schema::TableIndex;

use super::{ledger_questions::has_load_of_any, load::LoadSession, plan::LoadStep};
use crate::{
    error::Result,
    ledger::{LoadEntry, LoadFilter, Mode, OnConflict},
    targets::{Table, Target},
};

/// The tables of a command that are still to be made.
#[derive(Debug, Default)]
pub(super) struct StagingPlan {
    /// Positions of those to build aside.
    aside: HashSet<TableIndex>,
}

impl StagingPlan {
    /// Whether all tables of `steps` would be built aside: nobody sees anything of them before they are whole, so that they need no
    /// transaction for all of it.
    pub(super) fn stages_all(session: &LoadSession<'_>, target: &dyn Target, steps: &[LoadStep]) -> Result<bool> {
        for step in steps {
            if !Self::is_staged(session, target, step.position)? || is_of_others(session, target, step)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the table at `position` is built aside.
    fn is_staged(session: &LoadSession<'_>, target: &dyn Target, position: TableIndex) -> Result<bool> {
        Ok(!needs_lookups(session, position) && target.can_stage(session.table_at(position))?)
    }

    /// Plans for a command of `steps`; all tables that exist are checked, and those that need not wait are made.
    pub(super) fn plan_tables(session: &LoadSession<'_>, target: &mut dyn Target, steps: &[LoadStep]) -> Result<Self> {
        let mut plan = Self::default();
        for step in steps {
            if Self::is_staged(session, target, step.position)? {
                plan.aside.insert(step.position);
            }
        }
        let mut now = Vec::new();
        // A table that refers to one that is built aside has to wait: its foreign key needs the finished table.
        for (position, table) in session.project.package.table_positions().zip(session.tables) {
            if target.has_table(table)? || !plan.waits_for_staging(session, position) {
                now.push(table.clone());
            }
        }
        target.prepare_tables(&now)?;
        Ok(plan)
    }

    /// Whether a table is built aside, or refers to one that is, however far away.
    fn waits_for_staging(&self, session: &LoadSession<'_>, position: TableIndex) -> bool {
        find_ancestors(session, position).iter().any(|at| self.aside.contains(at))
    }

    /// Makes the table of `step`, or begins to build it; the tables that it refers to are there afterwards.
    pub(super) fn begin_table(
        &mut self,
        session: &LoadSession<'_>,
        target: &mut dyn Target,
        step: &LoadStep,
    ) -> Result<()> {
        let build = self.aside.contains(&step.position);
        let needed = |at: &TableIndex| !build || *at != step.position;
        let mut needed: Vec<TableIndex> = find_ancestors(session, step.position).into_iter().filter(needed).collect();
        // In the order of the data package: a set has none.
        needed.sort_unstable();
        let tables: Vec<Table> = needed.iter().map(|&at| session.table_at(at).clone()).collect();
        target.prepare_tables(&tables)?;
        if build {
            let table = session.table_at(step.position);
            let resumes = has_load_of_any(&*target, &table.name, &step.sources)?;
            target.begin_staging(table, resumes)?;
        }
        Ok(())
    }
}

/// Whether rows of the table at `position` must be looked for while it is loaded.
pub(super) fn needs_lookups(session: &LoadSession<'_>, position: TableIndex) -> bool {
    let options = session.options;
    options.max_rejects.is_some() || options.on_conflict == OnConflict::Update || is_in_circle(session, position)
}

/// Whether the table of `step` is being built by an interrupted load that is not this one: its rows are not to be mixed with those
/// of a replace.
fn is_of_others(session: &LoadSession<'_>, target: &dyn Target, step: &LoadStep) -> Result<bool> {
    let table = session.table_at(step.position);
    if !target.is_staged(table)? {
        return Ok(false);
    }
    let newest = LoadFilter { newest_first: true, limit: Some(1), ..LoadFilter::loads_of_sources(&table.name) };
    let last = target.find_loads(&newest)?.pop();
    let own = |entry: &LoadEntry| step.sources.iter().any(|source| source.name == entry.source);
    Ok(!last.is_some_and(|entry| own(&entry) && (entry.mode == Mode::Replace || step.sources.len() > 1)))
}

/// The table at `position` and all that it refers to, directly or not.
pub(super) fn find_ancestors(session: &LoadSession<'_>, position: TableIndex) -> HashSet<TableIndex> {
    let mut found = HashSet::from([position]);
    let mut open = vec![position];
    while let Some(at) = open.pop() {
        for key in &session.table_at(at).schema.foreign_keys {
            let parent = session.project.package.table_position(&key.parent);
            open.extend(parent.filter(|&parent| found.insert(parent)));
        }
    }
    found
}

/// Whether a table refers to itself, directly or through others.
pub(super) fn is_in_circle(session: &LoadSession<'_>, position: TableIndex) -> bool {
    let refers = |at: TableIndex| session.table_at(at).schema.foreign_keys.iter().map(|key| key.parent.clone());
    find_ancestors(session, position)
        .into_iter()
        .any(|at| refers(at).any(|parent| parent == session.table_at(position).name))
}
