//! `landfall backups`.

use anyhow::Result;
use clap::Subcommand;
use jiff::tz::TimeZone;
use landfall_engine::backup::{Keep, SetId, Store, examine, verify_set};
use serde_json::json;

use super::{Invocation, backup::Place};
use crate::{
    cli::summary,
    exit::{Exit, Fault},
    output,
};

/// List, verify or prune the backup sets.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the sets, the last one at the end.
    List {
        #[command(flatten)]
        place: Place,
        /// Print them as one JSON document, with their manifests.
        #[arg(long)]
        json: bool,
    },
    /// Read sets again and hold every byte against their manifests; ends with code 1 where one differs.
    Verify {
        /// The sets, or latest; all where none is named.
        #[arg(value_name = "SET")]
        sets: Vec<String>,
        #[command(flatten)]
        place: Place,
        /// Print what was found as one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Remove the sets that no rule keeps. The rules are those of landfall.yaml, unless some are typed.
    Prune(Prune),
}

#[derive(Debug, clap::Args)]
struct Prune {
    #[command(flatten)]
    place: Place,
    /// Keep the last N sets.
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// Keep the last set of each of the last N days that have one.
    #[arg(long, value_name = "N")]
    keep_daily: Option<u32>,
    /// Keep the last set of each of the last N weeks that have one.
    #[arg(long, value_name = "N")]
    keep_weekly: Option<u32>,
    /// Keep the last set of each of the last N months that have one.
    #[arg(long, value_name = "N")]
    keep_monthly: Option<u32>,
    /// Keep the last set of each of the last N years that have one.
    #[arg(long, value_name = "N")]
    keep_yearly: Option<u32>,
    /// Tell what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print what was kept and removed as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.settings()?;
    match args.action {
        Action::List { place, json } => list(&*place.store(&settings)?, json),
        Action::Verify { sets, place, json } => verify(&*place.store(&settings)?, &sets, json),
        Action::Prune(prune) => {
            let typed = Keep {
                last: prune.keep_last,
                daily: prune.keep_daily,
                weekly: prune.keep_weekly,
                monthly: prune.keep_monthly,
                yearly: prune.keep_yearly,
            };
            let keep = if typed == Keep::default() { settings.backup.keep } else { typed };
            let zone = settings.backup.schedule.as_ref().map_or(TimeZone::UTC, |schedule| schedule.zone());
            remove(&prune, &*prune.place.store(&settings)?, keep, &zone, invocation)
        }
    }
}

fn list(store: &dyn Store, json: bool) -> Result<Exit> {
    let sets = store.sets()?;
    let manifests: Vec<_> = sets.iter().map(|set| Ok((set, examine(store, set)?))).collect::<Result<_>>()?;
    if json {
        let told = manifests.iter().map(|(set, manifest)| match manifest {
            Ok(manifest) => serde_json::to_value(manifest),
            Err(error) => Ok(json!({"set": set.as_str(), "error": error})),
        });
        let told: Vec<_> = told.collect::<Result<_, _>>()?;
        output::print(&format!("{}\n", json!({"location": store.location(), "sets": told})))?;
    } else {
        output::print(&summary::backup_sets(&store.location(), &manifests))?;
    }
    Ok(Exit::Done)
}

/// The set that a person names: by its name, or as the latest.
pub(super) fn named(store: &dyn Store, name: &str) -> Result<SetId> {
    if name == "latest" {
        let last = store.sets()?.pop();
        return last.ok_or_else(|| Fault::usage(format!("there is no backup set in {}", store.location())).into());
    }
    let found = SetId::parse(name);
    found.ok_or_else(|| {
        Fault::usage(format!("{name:?} is not the name of a backup set; `landfall backups list` shows them")).into()
    })
}

fn verify(store: &dyn Store, names: &[String], json: bool) -> Result<Exit> {
    let sets = if names.is_empty() {
        store.sets()?
    } else {
        names.iter().map(|name| named(store, name)).collect::<Result<_>>()?
    };
    let verified: Vec<_> = sets.iter().map(|set| verify_set(store, set)).collect::<Result<_, _>>()?;
    let clean = verified.iter().all(|set| set.findings.is_empty());
    if json {
        output::print(&format!("{}\n", json!({"location": store.location(), "sets": verified})))?;
    } else {
        output::print(&summary::verified_sets(&store.location(), &verified))?;
    }
    Ok(if clean { Exit::Done } else { Exit::Found })
}

fn remove(args: &Prune, store: &dyn Store, keep: Keep, zone: &TimeZone, invocation: &Invocation) -> Result<Exit> {
    if keep == Keep::default() {
        let words =
            "nothing says which backups are kept: write `keep` under `backup` in landfall.yaml, or --keep-last N";
        return Err(Fault::usage(words).into());
    }
    let sets = store.sets()?;
    let superfluous = keep.superfluous(&sets, zone);
    if superfluous.len() == sets.len() && !sets.is_empty() {
        return Err(Fault::usage("this would remove every backup; keep one at least").into());
    }
    if !args.dry_run {
        superfluous.iter().try_for_each(|set| store.remove(set))?;
    }
    let kept: Vec<&str> = sets.iter().filter(|set| !superfluous.contains(set)).map(SetId::as_str).collect();
    let removed: Vec<&str> = superfluous.iter().map(SetId::as_str).collect();
    if args.json {
        let told = json!({"location": store.location(), "kept": kept, "removed": removed, "dry_run": args.dry_run});
        output::print(&format!("{told}\n"))?;
    } else if !invocation.globals.quiet {
        let verb = if args.dry_run { "would be removed" } else { "removed" };
        let lines: String = removed.iter().map(|set| format!("{set} {verb}\n")).collect();
        output::print(&format!("{lines}{} kept, {} {verb}\n", kept.len(), removed.len()))?;
    }
    Ok(Exit::Done)
}
