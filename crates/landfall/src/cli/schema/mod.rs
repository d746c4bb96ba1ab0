//! `landfall schema`: the tables as SQL, and how the database differs from the data package.

mod apply;
mod diff;

use anyhow::Result;
use clap::Subcommand;
use landfall_engine::targets::{Difference, Table, Target, TargetAccess};
use serde_json::json;

use super::Invocation;
use crate::{cli::summary, exit::Exit, output};

/// Show the tables as SQL, and how the database differs from the data package.
///
/// Without a command, prints the statements that create the tables, in the SQL of the target and in the order in which they run. The
/// differences follow as comments. Changes nothing.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct SchemaArgs {
    #[command(subcommand)]
    command: Option<SchemaCommand>,
}

#[derive(Debug, Subcommand)]
enum SchemaCommand {
    Diff(diff::DiffArgs),
    Apply(apply::ApplyArgs),
}

pub(super) fn run(args: SchemaArgs, invocation: &Invocation) -> Result<Exit> {
    match args.command {
        Some(SchemaCommand::Diff(args)) => diff::run(args, invocation),
        Some(SchemaCommand::Apply(args)) => apply::run(args, invocation),
        None => print_schema(invocation),
    }
}

fn print_schema(invocation: &Invocation) -> Result<Exit> {
    let opened = invocation.open(TargetAccess::Read)?;
    let (target, tables) = (&*opened.target, opened.project.tables_to_make());
    let (statements, differences) = (target.table_statements(&tables)?, find_differences(target, &tables)?);
    let location = target.location();
    if invocation.globals.json {
        output::print_document(&json!({ "target": location, "statements": statements, "differences": differences }))?;
    } else {
        output::print_result(&summary::render_schema(&statements, &differences, &location))?;
    }
    Ok(Exit::Done)
}

/// How the database of `target` differs from `tables`. Empty tables that the next load makes anew need no mending.
fn find_differences(target: &dyn Target, tables: &[Table]) -> Result<Vec<Difference>> {
    let unused = target.find_remakable(tables)?;
    let mut differences = target.find_differences(tables)?;
    differences.retain(|found| unused.iter().all(|table| table.name != found.table));
    differences.extend(unused.into_iter().map(|table| Difference {
        table: table.name,
        message: "is empty, as Landfall made it for another data package: the next load makes it anew".into(),
        addition: None,
        harmless: true,
    }));
    Ok(differences)
}
