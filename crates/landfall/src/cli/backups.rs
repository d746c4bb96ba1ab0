//! `landfall backups`.

use anyhow::Result;
use clap::Subcommand;
use jiff::tz::TimeZone;
use landfall_engine::backup::{BackupStore, RetentionRules, SetId, read_manifest, verify_set};
use serde_json::json;

use super::{Invocation, backup::BackupPlace, complete};
use crate::{
    cli::summary,
    exit::{CommandError, Exit},
    output,
};

/// List, verify or prune the backup sets.
#[derive(Debug, clap::Args)]
pub(super) struct BackupsArgs {
    #[command(subcommand)]
    action: BackupsAction,
}

#[derive(Debug, Subcommand)]
enum BackupsAction {
    /// List the sets, the newest last.
    List {
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Read sets again and compare every byte with their manifests; ends with code 1 if one differs.
    Verify {
        /// The sets, or latest; all of them if none is named.
        #[arg(value_name = "SET", add = complete::offer_sets())]
        sets: Vec<String>,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Remove the sets that no rule keeps. Options replace the rules of landfall.yaml.
    Prune(PruneArgs),
}

#[derive(Debug, clap::Args)]
struct PruneArgs {
    #[command(flatten)]
    place: BackupPlace,
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
    /// Show what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: BackupsArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    match args.action {
        BackupsAction::List { place } => list_sets(&*place.open_store(&settings)?, invocation),
        BackupsAction::Verify { sets, place } => verify_sets(&*place.open_store(&settings)?, &sets, invocation),
        BackupsAction::Prune(prune) => {
            let typed = RetentionRules {
                last: prune.keep_last,
                daily: prune.keep_daily,
                weekly: prune.keep_weekly,
                monthly: prune.keep_monthly,
                yearly: prune.keep_yearly,
            };
            // All or none: rules that are typed next to rules of the project would keep more than either says.
            let keep = if typed == RetentionRules::default() { settings.backup.keep } else { typed };
            let zone = settings.backup.schedule.as_ref().map_or(TimeZone::UTC, |schedule| schedule.time_zone());
            remove(&prune, &*prune.place.open_store(&settings)?, keep, &zone, invocation)
        }
    }
}

fn list_sets(store: &dyn BackupStore, invocation: &Invocation) -> Result<Exit> {
    let sets = store.list_sets()?;
    let manifests: Vec<_> = sets.iter().map(|set| Ok((set, read_manifest(store, set)?))).collect::<Result<_>>()?;
    if invocation.globals.json {
        let told = manifests.iter().map(|(set, manifest)| match manifest {
            Ok(manifest) => serde_json::to_value(manifest),
            Err(error) => Ok(json!({"set": set.as_str(), "error": error})),
        });
        let told: Vec<_> = told.collect::<Result<_, _>>()?;
        output::print_document(&json!({"location": store.location(), "sets": told}))?;
    } else {
        output::print_result(&summary::list_backup_sets(&store.location(), &manifests))?;
    }
    Ok(Exit::Done)
}

/// The set that a person names: by its name, or as the latest.
pub(super) fn find_set(store: &dyn BackupStore, name: &str) -> Result<SetId> {
    if name == "latest" {
        let last = store.list_sets()?.pop();
        return last.ok_or_else(|| {
            CommandError::usage_error(format!("there is no backup set in {}", store.location())).into()
        });
    }
    let found = SetId::parse(name);
    found.ok_or_else(|| {
        CommandError::usage_error(format!(
            "{name:?} is not the name of a backup set; `landfall backups list` shows them"
        ))
        .into()
    })
}

fn verify_sets(store: &dyn BackupStore, names: &[String], invocation: &Invocation) -> Result<Exit> {
    let sets = if names.is_empty() {
        store.list_sets()?
    } else {
        names.iter().map(|name| find_set(store, name)).collect::<Result<_>>()?
    };
    let verified: Vec<_> = sets.iter().map(|set| verify_set(store, set)).collect::<Result<_, _>>()?;
    let clean = verified.iter().all(|set| set.findings.is_empty());
    if invocation.globals.json {
        output::print_document(&json!({"location": store.location(), "sets": verified}))?;
    } else {
        output::print_result(&summary::verified_sets(&store.location(), &verified))?;
    }
    Ok(if clean { Exit::Done } else { Exit::Found })
}

fn remove(
    args: &PruneArgs,
    store: &dyn BackupStore,
    keep: RetentionRules,
    zone: &TimeZone,
    invocation: &Invocation,
) -> Result<Exit> {
    if keep == RetentionRules::default() {
        let words =
            "nothing says which backups are kept: write `keep` under `backup` in landfall.yaml, or --keep-last N";
        return Err(CommandError::usage_error(words).into());
    }
    let sets = store.list_sets()?;
    let superfluous = keep.find_superfluous(&sets, zone);
    // `--keep-last 0` alone would do it.
    if superfluous.len() == sets.len() && !sets.is_empty() {
        return Err(CommandError::usage_error("this would remove every backup; keep one at least").into());
    }
    if !args.dry_run {
        superfluous.iter().try_for_each(|set| store.remove(set))?;
    }
    let kept: Vec<&str> = sets.iter().filter(|set| !superfluous.contains(set)).map(SetId::as_str).collect();
    let removed: Vec<&str> = superfluous.iter().map(SetId::as_str).collect();
    if invocation.globals.json {
        let location = store.location();
        output::print_document(
            &json!({"location": location, "kept": kept, "removed": removed, "dry_run": args.dry_run}),
        )?;
    } else if !invocation.globals.quiet {
        let verb = if args.dry_run { "would be removed" } else { "removed" };
        let lines: String = removed.iter().map(|set| format!("{set} {verb}\n")).collect();
        output::print_result(&format!("{lines}{} kept, {} {verb}\n", kept.len(), removed.len()))?;
    }
    Ok(Exit::Done)
}
