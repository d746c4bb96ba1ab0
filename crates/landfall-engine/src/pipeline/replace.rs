//! What is particular to a replace: the tables are emptied first, and it is looked at what would be left of them before it commits.

use std::fmt;

use serde::Serialize;

use super::{
    LoadOptions,
    knowledge::find_replace_loads,
    layout::apply_overrides,
    load::LoadSession,
    plan::{LoadStep, child_tables},
    resume::abandon_load,
    staging::{is_in_circle, needs_lookups},
    writer::{ChunkWriter, MoreChunks},
};
use crate::{
    count_noun,
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::{LoadEntry, LoadFilter},
    targets::{Fence, Pace, Table, Transaction},
};

/// Why a replace was stopped: it would remove rows, and leave little or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReplaceRefusal {
    /// What would be left.
    pub reason: ReplaceRefusalReason,
    /// The rows that it would remove.
    pub removes: u64,
    /// The rows that the table would have.
    pub keeps: u64,
    /// The records that would be rejected.
    pub rejects: u64,
}

/// The kinds of [`ReplaceRefusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplaceRefusalReason {
    /// The table would be empty.
    LeavesEmpty,
    /// There are rejects, and it is all or nothing.
    HasRejects,
    /// The table would have fewer rows than there are rejects.
    KeepsFewerThanRejects,
}

impl ReplaceRefusal {
    /// The refusal of a replace that removes `removes` rows, and after which there are `keeps` rows and `rejects` rejects.
    pub(super) fn check_replace(options: &LoadOptions, removes: u64, keeps: u64, rejects: u64) -> Option<Self> {
        let reason = match keeps {
            _ if removes == 0 => return None,
            0 if !options.allow_empty => ReplaceRefusalReason::LeavesEmpty,
            _ if options.atomic && rejects > 0 => ReplaceRefusalReason::HasRejects,
            _ if keeps < rejects && !options.allow_empty && !options.allow_rejects => {
                ReplaceRefusalReason::KeepsFewerThanRejects
            }
            _ => return None,
        };
        Some(Self { reason, removes, keeps, rejects })
    }
}

impl fmt::Display for ReplaceRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { removes, keeps, rejects, .. } = self;
        let rows = |count: u64| count_noun(count, "row");
        let rejected =
            || format!("{} {} rejected", count_noun(*rejects, "record"), if *rejects == 1 { "is" } else { "are" });
        write!(f, "it would remove {} and ", rows(*removes))?;
        match self.reason {
            ReplaceRefusalReason::LeavesEmpty => write!(f, "leave the table empty")?,
            ReplaceRefusalReason::KeepsFewerThanRejects => write!(f, "keep only {}", rows(*keeps))?,
            ReplaceRefusalReason::HasRejects => return write!(f, "put {keeps} in their place, and {}", rejected()),
        }
        if *rejects == 0 { Ok(()) } else { write!(f, ", since {}", rejected()) }
    }
}

/// How the tables of a replace lost their rows.
#[derive(Debug, Default)]
pub(super) struct EmptiedTables {
    /// The rows that each table lost, in the order of the steps.
    pub(super) removed: Vec<u64>,
    /// Whether the tables are made anew, so that their rows cannot be looked for.
    pub(super) anew: bool,
}

/// Empties the tables of a replace, or has them made anew where `may_make_anew`. Loads of them that were interrupted do not go on.
pub(super) fn empty_tables(
    session: &LoadSession<'_>,
    writer: &mut ChunkWriter<'_>,
    steps: &[&LoadStep],
    may_make_anew: bool,
) -> Result<EmptiedTables> {
    let tables: Vec<&Table> = steps.iter().map(|step| session.table_at(step.position)).collect();
    for table in &tables {
        let interrupted = LoadFilter { resumable: true, ..LoadFilter::loads_of_sources(&table.name) };
        for entry in writer.read().find_loads(&interrupted)? {
            // If it went on later, it would add its old rows to the new ones.
            abandon_load(session, writer, entry)?;
        }
    }
    let searched = !may_make_anew || steps.iter().any(|step| needs_lookups(session, step.position));
    writer.write_chunk(Fence::Pipeline, Pace::InStep, |transaction| {
        if !searched && let Some(removed) = transaction.begin_replacement(&tables)? {
            return Ok((EmptiedTables { removed, anew: true }, MoreChunks::No));
        }
        // Children first: a foreign key made by another program may not wait for the end of the transaction.
        let removed: Result<Vec<u64>> = tables.iter().rev().map(|table| transaction.delete_rows(table)).collect();
        let removed = removed?.into_iter().rev().collect();
        Ok((EmptiedTables { removed, anew: false }, MoreChunks::No))
    })
}

/// The loads of a replace that the ledger knows: the table holds just the sources' content already.
pub(super) fn known_replace(
    session: &LoadSession<'_>,
    writer: &ChunkWriter<'_>,
    step: &LoadStep,
) -> Result<Option<Vec<LoadEntry>>> {
    let resource = apply_overrides(&session.options.overrides, &session.project.package[step.position])?;
    find_replace_loads(writer.read(), &resource, &step.sources, session.options)
}

/// Refuses a replace of `steps`, of which `loaded` were read, that would take parents away from rows of other tables.
pub(super) fn check_children(
    session: &LoadSession<'_>,
    transaction: &dyn Transaction,
    steps: &[LoadStep],
    loaded: &[&LoadStep],
) -> Result<()> {
    let mut affected: Vec<&Table> = steps.iter().map(|step| session.table_at(step.position)).collect();
    for step in steps {
        for child in child_tables(&session.project.package, session.tables, session.table_at(step.position)) {
            if transaction.has_table(child)? {
                affected.push(child);
            }
        }
    }
    // A table may be replaced itself and refer to another one that is.
    affected.sort_by(|a, b| a.name.cmp(&b.name));
    affected.dedup_by(|a, b| a.name == b.name);
    // In a circle, rows of the first table may name rows of the last one that were there before.
    let sound = loaded.iter().filter(|step| !is_in_circle(session, step.position));
    let sound: Vec<&Table> = sound.map(|step| session.table_at(step.position)).collect();
    let orphans = transaction.find_orphans(&affected, &sound)?;
    if orphans.is_empty() {
        return Ok(());
    }
    let message = format!("the tables were left as they were, since {}", orphans.join(", and "));
    let remedy = Some("replace those tables with them");
    Err(Error::Target(TargetError { remedy, ..TargetError::new(TargetErrorKind::Constraint, message) }))
}

#[cfg(test)]
mod tests {
    use super::{LoadOptions, ReplaceRefusal, ReplaceRefusalReason};

    #[test]
    fn a_replace_that_leaves_little_or_nothing_is_refused_unless_it_is_allowed() {
        let (empty, few) = (Some(ReplaceRefusalReason::LeavesEmpty), Some(ReplaceRefusalReason::KeepsFewerThanRejects));
        for (removes, keeps, rejects, reason) in
            [(3, 0, 0, empty), (3, 0, 3, empty), (3, 1, 2, few), (3, 2, 2, None), (0, 0, 9, None), (0, 1, 9, None)]
        {
            let of = |allow_rejects, allow_empty| {
                let options = LoadOptions { allow_rejects, allow_empty, ..LoadOptions::default() };
                ReplaceRefusal::check_replace(&options, removes, keeps, rejects).map(|refusal| refusal.reason)
            };
            assert_eq!(of(false, false), reason, "{removes} {keeps} {rejects}");
            assert_eq!(
                of(true, false),
                reason.filter(|_| reason == empty),
                "rejects are allowed, an empty table is not"
            );
            assert_eq!(of(false, true), None);
        }
    }

    #[test]
    fn a_refusal_says_how_many_rows_would_go() {
        let told = |removes, keeps, rejects| {
            ReplaceRefusal::check_replace(&LoadOptions::default(), removes, keeps, rejects)
                .expect("a refusal")
                .to_string()
        };
        assert_eq!(told(3, 0, 0), "it would remove 3 rows and leave the table empty");
        assert_eq!(told(1, 0, 1), "it would remove 1 row and leave the table empty, since 1 record is rejected");
        assert_eq!(told(9, 1, 2), "it would remove 9 rows and keep only 1 row, since 2 records are rejected");
    }
}
