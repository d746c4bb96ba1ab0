//! What is looked at before anything is touched: that the target can take every table, and that the beginning of every source can be
//! read. So a mistake further down leaves no table that is empty, and none that is loaded without those that belong to it.

use super::{layout::apply_overrides, load::LoadSession, open_source::OpenSource, plan::LoadStep};
use crate::{
    error::{Error, Result},
    ledger::Mode,
    source::Source,
    targets::{Table, Target},
};

/// Looks at the tables and sources of `steps`.
///
/// # Errors
/// A table that the target cannot take, or that is there and differs from the dictionary; a source that cannot be opened or decompressed, or whose header contradicts the schema.
pub(super) fn check_before(session: &LoadSession<'_>, target: &mut dyn Target, steps: &[LoadStep]) -> Result<()> {
    check_tables(session, target)?;
    let target = &*target;
    for step in steps {
        let table = session.table_at(step.position);
        if session.options.mode == Mode::Replace
            && let Some(first) = step.sources.first()
        {
            refuse_nothing(session, table, first)?;
        }
        step.sources.iter().try_for_each(|source| check_source(session, target, step, source))?;
    }
    Ok(())
}

/// Holds the tables that are there against the dictionary, and the others against what the target can take. What a load that kept nothing
/// left of another dictionary is removed; a dry run takes it for not there.
fn check_tables(session: &LoadSession<'_>, target: &mut dyn Target) -> Result<()> {
    let tables = session.project.tables_to_make();
    let mut unused = Vec::new();
    if session.options.dry_run {
        unused = target.find_remakable(&tables)?;
    } else {
        target.drop_remakable(&tables)?;
    }
    let (mut present, mut missing) = (Vec::new(), Vec::new());
    for table in tables {
        let is_there = target.has_table(&table)? && unused.iter().all(|unused| unused.name != table.name);
        let of_its_kind = if is_there { &mut present } else { &mut missing };
        of_its_kind.push(table);
    }
    // Of tables that are all there, none is made.
    target.prepare_tables(&present)?;
    target.check_makable(&missing)
}

/// Reads the header and the first block of `source`.
fn check_source(session: &LoadSession<'_>, target: &dyn Target, step: &LoadStep, source: &Source) -> Result<()> {
    let resource = apply_overrides(&session.options.overrides, &session.project.package[step.position])?;
    let limits = target.table_limits(session.table_at(step.position));
    source.read_stamp()?;
    // Only reading shows whether a compressed file can be decompressed.
    OpenSource::new(source, &resource, &limits, session.options.work, 0)?.next_piece().map(drop)
}

/// Refuses to replace a table by nothing at all, not even a header: a program that should have written the source has more likely
/// failed.
pub(super) fn refuse_nothing(session: &LoadSession<'_>, table: &Table, source: &Source) -> Result<()> {
    if source.read_stamp()?.size != Some(0) || session.options.allow_empty {
        return Ok(());
    }
    Err(Error::source_error(
        &source.name,
        format!(
            "it is empty, and a replace would leave the table {:?} empty. If that is meant, allow it with {}",
            &*table.name,
            session.options.option_style.name_option("allow-empty")
        ),
    ))
}
