//! Backups and restores, as tasks do them.

use std::{path::Path, sync::Arc};

use landfall_core::avro::resolve::FieldMapping;
use landfall_engine::{
    Error, Result,
    avro::AvroCodec,
    backup::{
        BackupOptions, BackupOutcome, BackupStore, PreparedRestore, RestoreFrom, RestoreOptions, RestoreOutcome, SetId,
        backup_tables, read_manifest,
    },
    origin::Origin,
    pipeline::LoadOutcome,
    targets::Target,
    task::{Task, TaskState},
};
use serde_json::{Value, json};

use super::{
    backups::{BackupWork, RestoreWork},
    loading::{Watch, comes_back, number_of, stopped, watched, with_effects},
    problem::{Kind, Problem},
    runner::End,
    service::Service,
    tasks::Live,
};
use crate::{config::BackupConfig, typed::parse_max_rejects};

/// Where backups go, and how.
pub(crate) struct Backups {
    pub(super) settings: BackupConfig,
    pub(super) store: Arc<dyn BackupStore>,
}

/// Makes a backup. One that the schedule wanted is followed by removing those that no rule keeps.
pub(super) fn make(
    service: &Arc<Service>,
    target: &mut dyn Target,
    task: &Task,
    work: &BackupWork,
    live: &Arc<Live>,
) -> End {
    let watch = Watch::new(service, live);
    let store = &*service.backups.store;
    let options = BackupOptions {
        tables: work.tables.clone(),
        codec: work.codec.as_deref().and_then(AvroCodec::parse).unwrap_or(service.backups.settings.codec),
        // The requests that come meanwhile need processors too.
        threads: 1,
    };
    let made =
        watched(service, task, live, || backup_tables(target, service.rules.rules_project(), store, &options, &watch));
    service.metrics.backup(made.is_ok());
    let ended = match made {
        Ok(outcome) => {
            tracing::info!(set = outcome.set, tables = outcome.tables.len(), "a backup was made");
            End::As(TaskState::Done, told(&outcome), Value::Null)
        }
        Err(error) => failed(task, live, error, "a backup has failed; the older ones are as they were"),
    };
    if work.scheduled_at.is_some() && matches!(&ended, End::As(TaskState::Done, ..)) {
        prune(service, store);
    }
    ended
}

fn told(outcome: &BackupOutcome) -> Value {
    json!({"backup": {"set": outcome.set, "tables": outcome.tables, "missing": outcome.missing}})
}

fn prune(service: &Service, store: &dyn BackupStore) {
    let settings = &service.backups.settings;
    let zone = settings.schedule.as_ref().map_or(jiff::tz::TimeZone::UTC, |schedule| schedule.time_zone());
    let removed = store.list_sets().and_then(|sets| {
        let superfluous = settings.keep.find_superfluous(&sets, &zone);
        superfluous.iter().try_for_each(|set| store.remove(set)).map(|()| superfluous.len())
    });
    match removed {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "backups that no rule keeps were removed"),
        Err(error) => tracing::error!(%error, "backups that no rule keeps cannot be removed"),
    }
}

/// Restores a table.
pub(super) fn restore(
    service: &Arc<Service>,
    target: &mut dyn Target,
    task: &Task,
    work: &RestoreWork,
    path: &Path,
    live: &Arc<Live>,
) -> End {
    let watch = Watch::new(service, live);
    match watched(service, task, live, || attempt(service, target, work, path, &watch)) {
        Ok(outcome) => {
            if !work.dry_run {
                outcome.loads.iter().for_each(|load| service.metrics.load(load));
            }
            let loads: Vec<Value> = outcome.loads.iter().map(told_load).collect();
            let problem = stopped(&outcome.loads, work.dry_run);
            let outcome = json!({"restore": {"set": outcome.set, "tables": outcome.tables, "loads": loads}});
            match problem {
                Some(problem) => End::As(TaskState::Failed, outcome, problem.body()),
                None => End::As(TaskState::Done, outcome, Value::Null),
            }
        }
        Err(error) => failed(task, live, error, "a restore has failed"),
    }
}

fn told_load(load: &LoadOutcome) -> Value {
    let counts = load.counts;
    with_effects(
        load,
        json!({
            "load_id": number_of(load), "table": load.table, "load_state": load.state, "read": counts.read, "inserted": counts.inserted,
            "updated": counts.updated, "unchanged": counts.unchanged, "rejected": counts.rejected,
        }),
    )
}

fn attempt(
    service: &Service,
    target: &mut dyn Target,
    work: &RestoreWork,
    path: &Path,
    watch: &Watch<'_>,
) -> Result<RestoreOutcome> {
    let project = service.rules.rules_project();
    let store = &*service.backups.store;
    let names = [work.table.clone()];
    let from = match (&work.set, &work.source) {
        (None, Some(source)) => {
            RestoreFrom::File { name: source.clone(), origin: Origin::Upload, path: path.to_path_buf() }
        }
        (set, _) => RestoreFrom::Set(chosen(store, set.as_deref().unwrap_or("latest"), &work.table)?),
    };
    let options = RestoreOptions {
        mode: work.mode,
        with_dependents: work.with_dependents,
        atomic: work.atomic,
        max_rejects: work.max_rejects.as_deref().and_then(|text| parse_max_rejects(text).ok()),
        allow_empty: work.allow_empty,
        mapping: FieldMapping {
            renames: work.renames.clone(),
            ignore_extra: work.ignore_extra,
            ..FieldMapping::default()
        },
        most_bytes: Some(service.api.max_upload).filter(|_| work.source.is_some()),
        work: service.load.default_work(),
    };
    let restore = PreparedRestore::prepare_restore(project, store, &names, &from, &options, watch)?;
    if work.dry_run { restore.run_and_roll_back(target, project, watch) } else { restore.run(target, project, watch) }
}

/// The set of that name; the last one that has the table.
fn chosen(store: &dyn BackupStore, name: &str, table: &str) -> Result<SetId> {
    let none = || Error::source_error("the backups", "there is no such set");
    if name != "latest" {
        return SetId::parse(name).ok_or_else(none);
    }
    for set in store.list_sets()?.into_iter().rev() {
        if read_manifest(store, &set)?.is_ok_and(|manifest| manifest.find_table(table).is_some()) {
            return Ok(set);
        }
    }
    Err(none())
}

/// How a task ends that could not be done.
fn failed(task: &Task, live: &Live, error: Error, words: &str) -> End {
    match error {
        Error::Cancelled if live.is_cancelled() => End::As(TaskState::Cancelled, Value::Null, Value::Null),
        Error::Cancelled => End::HandedBack,
        Error::Target(error) if comes_back(error.kind) => End::Later(Problem::of_engine(&error.into())),
        error => {
            tracing::error!(%error, task = task.id, "{words}");
            let problem = match &error {
                Error::Source { reason, .. } => Problem::new(Kind::WRONG_SHAPE, reason.clone()),
                Error::Usage(reason) => Problem::new(Kind::CONFLICT, reason.clone()),
                Error::Target(error) if error.kind == landfall_engine::TargetErrorKind::Constraint => {
                    let detail = "rows of other tables need rows that this restore would take away; restore those tables with it \
                                  (with_dependents), nothing was changed";
                    Problem::new(Kind::CONFLICT, detail)
                }
                error => Problem::of_engine(error),
            };
            End::As(TaskState::Failed, Value::Null, problem.body())
        }
    }
}
