//! `landfall schema apply`.

use anyhow::Result;
use landfall_engine::targets::{Difference, Table, Target, TargetAccess};
use serde_json::json;

use crate::{
    cli::summary,
    cli::{Invocation, invocation::OpenProject},
    exit::Exit,
    failure, output,
};

/// Add missing tables, columns and keys to the database.
///
/// Shows the statements, then runs them. Nothing that exists is changed or removed. Other differences are listed; if they stop loads,
/// the command ends with code 12.
#[derive(Debug, clap::Args)]
pub(super) struct ApplyArgs {
    /// Show the statements, and run none.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: ApplyArgs, invocation: &Invocation) -> Result<Exit> {
    let OpenProject { project, target } = invocation.open(TargetAccess::Read)?;
    let (tables, location) = (project.tables_to_make(), target.location());
    let (additions, mut remaining) = split_differences(super::find_differences(&*target, &tables)?);
    let statements: Vec<&str> = additions.iter().filter_map(|found| found.addition.as_deref()).collect();
    let tells = !invocation.globals.json && !invocation.globals.quiet;
    if tells {
        output::print_result(&summary::render_additions(&statements))?;
    }
    drop(target);
    if !args.dry_run && !additions.is_empty() {
        remaining = add_missing(&additions, &tables, invocation)?;
    }
    if invocation.globals.json {
        output::print_document(&json!({
            "target": location, "dry_run": args.dry_run, "statements": statements, "remaining": remaining,
        }))?;
    } else if tells {
        output::print_result(&summary::summarize_apply(statements.len(), &remaining, &location, args.dry_run))?;
    }
    Ok(end_apply(&remaining, invocation))
}

/// The differences that adding mends, and the others.
fn split_differences(differences: Vec<Difference>) -> (Vec<Difference>, Vec<Difference>) {
    differences.into_iter().partition(|found| found.addition.is_some())
}

/// Carries out what was shown, but for what another process has added meanwhile; how the database differs then.
fn add_missing(shown: &[Difference], tables: &[Table], invocation: &Invocation) -> Result<Vec<Difference>> {
    let mut target = invocation.open(TargetAccess::Write)?.target;
    let still = |target: &dyn Target| -> Result<Vec<Difference>> {
        let (additions, _) = split_differences(super::find_differences(target, tables)?);
        // Nothing that the user has not seen, even if the database has changed meanwhile.
        Ok(additions.into_iter().filter(|found| shown.contains(found)).collect())
    };
    let mut additions = still(&*target)?;
    // Two processes may add the same at once. As long as something becomes less, another one was faster.
    while let Err(error) = target.add_missing(&additions) {
        let left = still(&*target)?;
        if left.len() >= additions.len() {
            return Err(error.into());
        }
        additions = left;
    }
    target.flush_commits()?;
    super::find_differences(&*target, tables)
}

/// How the command ends; what stops loads is told on standard error too, where scripts and `--quiet` look.
fn end_apply(remaining: &[Difference], invocation: &Invocation) -> Exit {
    let serious: Vec<Difference> = remaining.iter().filter(|found| !found.harmless).cloned().collect();
    if serious.is_empty() {
        return Exit::Done;
    }
    failure::print_error(&summary::describe_remaining(&serious), Exit::Mismatch, &invocation.globals);
    Exit::Mismatch
}
