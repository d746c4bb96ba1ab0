//! Which sources are read into which tables, in which order.

use landfall_core::schema::{Package, Resource, TableIndex};

use super::Selection;
use crate::{
    error::{Error, Result},
    origin::STANDARD_INPUT,
    project::Project,
    source::Source,
    targets::Table,
};

/// One step: the sources of one table.
#[derive(Debug, Clone)]
pub(super) struct LoadStep {
    /// The position of the table in the data package.
    pub(super) position: TableIndex,
    /// What is read into it, in order.
    pub(super) sources: Vec<Source>,
}

/// The steps for `selections` (all tables where there are none), parents before children. Every source is looked for
/// before anything is read.
pub(super) fn plan_steps(project: &Project, selections: &[Selection]) -> Result<Vec<LoadStep>> {
    let wanted =
        if selections.is_empty() { steps_for_all(project)? } else { steps_for_selections(project, selections)? };
    Ok(order_steps(project, &wanted))
}

/// The steps for `sources`, each with the position of its table, parents before children.
pub(super) fn order_sources(project: &Project, sources: Vec<(TableIndex, Source)>) -> Vec<LoadStep> {
    let mut wanted: Vec<LoadStep> = Vec::new();
    for (position, source) in sources {
        match wanted.iter_mut().find(|step| step.position == position) {
            Some(step) => step.sources.push(source),
            None => wanted.push(LoadStep { position, sources: vec![source] }),
        }
    }
    order_steps(project, &wanted)
}

fn order_steps(project: &Project, wanted: &[LoadStep]) -> Vec<LoadStep> {
    let order = project.package.load_order().into_iter().flatten();
    order.filter_map(|position| wanted.iter().find(|step| step.position == position).cloned()).collect()
}

fn steps_for_all(project: &Project) -> Result<Vec<LoadStep>> {
    let step = |position| Ok(LoadStep { position, sources: project.declared_sources(&project.package[position])? });
    project.package.table_positions().map(step).collect()
}

fn steps_for_selections(project: &Project, selections: &[Selection]) -> Result<Vec<LoadStep>> {
    let piped = |selection: &&Selection| selection.source.as_ref().is_some_and(|source| source.0 == STANDARD_INPUT);
    if selections.iter().filter(piped).count() > 1 {
        return Err(Error::Usage("standard input (-) can be the source of one table only".into()));
    }
    let mut steps: Vec<LoadStep> = Vec::new();
    for selection in selections {
        let position = project.find_position(&selection.table)?;
        let sources = match &selection.source {
            Some(path) => project.typed_sources(path)?,
            None => project.declared_sources(&project.package[position])?,
        };
        match steps.iter_mut().find(|step| step.position == position) {
            Some(step) => step.sources.extend(sources),
            None => steps.push(LoadStep { position, sources }),
        }
    }
    Ok(steps)
}

/// The tables that refer to `parent`, itself left out.
pub(super) fn child_tables<'t>(package: &Package, tables: &'t [Table], parent: &Table) -> Vec<&'t Table> {
    let refers = |resource: &Resource| {
        resource.name != parent.name && resource.schema.foreign_keys.iter().any(|key| key.parent == parent.name)
    };
    package.resources.iter().zip(tables).filter(|(resource, _)| refers(resource)).map(|(_, table)| table).collect()
}
