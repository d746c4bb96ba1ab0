//! Which tables of a command are built aside: those that do not exist yet, as far as no row of theirs must be looked for
//! while they are loaded.

use std::collections::HashSet;

use super::{load::Session, plan::Step};
use crate::{
    error::Result,
    ledger::{LoadFilter, OnConflict},
    target::{Table, Target},
};

/// The tables of a command that are still to be made.
#[derive(Debug, Default)]
pub(super) struct Building {
    /// Positions of those to build aside.
    aside: HashSet<usize>,
}

impl Building {
    /// Plans for a command of `steps`; all tables that exist are checked, and those that need not wait are made.
    pub(super) fn plan(session: &Session<'_>, target: &mut dyn Target, steps: &[Step]) -> Result<Self> {
        let mut plan = Self::default();
        if session.options.max_rejects.is_none() && session.options.on_conflict != OnConflict::Update {
            for step in steps {
                let table = &session.tables[step.position];
                if !in_circle(session, step.position) && target.can_build(table)? {
                    plan.aside.insert(step.position);
                }
            }
        }
        let mut now = Vec::new();
        for (position, table) in session.tables.iter().enumerate() {
            if target.has_table(table)? || !plan.waits(session, position) {
                now.push(table.clone());
            }
        }
        target.prepare(&now)?;
        Ok(plan)
    }

    /// Whether a table is built aside, or refers to one that is, however far away.
    fn waits(&self, session: &Session<'_>, position: usize) -> bool {
        ancestors(session, position).iter().any(|at| self.aside.contains(at))
    }

    /// Makes the table of `step`, or begins to build it; the tables that it refers to are there afterwards.
    pub(super) fn begin(&mut self, session: &Session<'_>, target: &mut dyn Target, step: &Step) -> Result<()> {
        let build = self.aside.contains(&step.position);
        let needed = |at: &usize| !build || *at != step.position;
        let mut needed: Vec<usize> = ancestors(session, step.position).into_iter().filter(needed).collect();
        needed.sort_unstable();
        let tables: Vec<Table> = needed.iter().map(|&at| session.tables[at].clone()).collect();
        target.prepare(&tables)?;
        if build {
            let table = &session.tables[step.position];
            let own = |name: &str| step.sources.iter().any(|source| source.name == name);
            let resumes = target.loads_of(&LoadFilter::of_sources(&table.name))?.iter().any(|entry| own(&entry.source));
            target.build(table, resumes)?;
        }
        Ok(())
    }
}

/// The table at `position` and all that it refers to, directly or not.
fn ancestors(session: &Session<'_>, position: usize) -> HashSet<usize> {
    let mut found = HashSet::from([position]);
    let mut open = vec![position];
    while let Some(at) = open.pop() {
        for key in &session.tables[at].schema.foreign_keys {
            let parent = session.tables.iter().position(|table| table.name == key.parent);
            open.extend(parent.filter(|&parent| found.insert(parent)));
        }
    }
    found
}

/// Whether a table refers to itself, directly or through others.
fn in_circle(session: &Session<'_>, position: usize) -> bool {
    let refers = |at: usize| session.tables[at].schema.foreign_keys.iter().map(|key| key.parent.clone());
    ancestors(session, position).into_iter().any(|at| refers(at).any(|parent| parent == session.tables[position].name))
}
