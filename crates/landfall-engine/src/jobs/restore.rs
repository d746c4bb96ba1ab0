//! The restore of a table.

use landfall_core::avro::resolve::FieldMapping;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Job, JobContext,
    backup::end_after,
    context::{EarlyEnd, to_json},
    load_result::{find_stop, render_load},
};
use crate::{
    OptionStyle,
    backup::{BackupStore, PreparedRestore, RestoreFrom, RestoreOptions, RestoreOutcome, SetId, read_manifest},
    error::{Error, Result},
    job::JobEnd,
    ledger::Mode,
    origin::Origin,
    pipeline::{LoadOutcome, MaxRejects},
};

/// A table that is to be restored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RestoreTable {
    /// The table.
    pub table: String,
    /// The set; none if a file was sent.
    pub set: Option<String>,
    /// The name of the file in the ledger, if one was sent.
    pub source: Option<String>,
    /// Bytes of the file.
    pub bytes: u64,
    /// How to treat what the table holds.
    pub mode: Mode,
    /// Tables that refer to it are restored with it.
    pub with_dependents: bool,
    /// Fields that the table does not have are left out.
    pub ignore_extra: bool,
    /// Names of fields in the file, and theirs in the table.
    pub renames: Vec<(String, String)>,
    /// All of it or nothing.
    #[serde(default)]
    pub atomic: bool,
    /// How many rejects are too many, as it was sent.
    #[serde(default)]
    pub max_rejects: Option<String>,
    /// A replace may leave the table empty.
    #[serde(default)]
    pub allow_empty: bool,
    /// Everything is rolled back at the end.
    #[serde(default)]
    pub dry_run: bool,
}

impl Job for RestoreTable {
    const KIND: &'static str = "restore";

    /// An attempt after one that died has the same effect again: a replace leaves the same rows, and an addition finds them unchanged.
    fn run(&self, context: &mut JobContext<'_>) -> JobEnd {
        // Nothing is begun that would be undone at once.
        if context.is_cancelled() {
            return JobEnd::Cancelled { outcome: Value::Null };
        }
        match self.restore_upload(context) {
            Ok(Ok(outcome)) => self.end_with(context, &outcome),
            Ok(Err(end)) => *end,
            Err(error) => end_after(context, &error),
        }
    }
}

impl RestoreTable {
    fn restore_upload(&self, context: &mut JobContext<'_>) -> Result<Result<RestoreOutcome, EarlyEnd>> {
        let (project, watch) = (context.project(), context.watch);
        let store = &*context.resources.backups.store;
        // It is there until the restore has ended.
        let upload = match self.source.as_ref().map(|_| context.fetch_upload()).transpose() {
            Ok(upload) => upload,
            Err(end) => return Ok(Err(end)),
        };
        let from = match (&upload, &self.source) {
            (Some(upload), Some(source)) => {
                RestoreFrom::File { name: source.clone(), origin: Origin::Upload, path: upload.file_path().to_owned() }
            }
            _ => RestoreFrom::Set(find_set(store, self.set.as_deref().unwrap_or("latest"), &self.table)?),
        };
        let names = [self.table.clone()];
        let restore =
            PreparedRestore::prepare_restore(project, store, &names, &from, &self.restore_options(context), watch)?;
        let target = &mut *context.target;
        if self.dry_run {
            restore.run_and_roll_back(target, project, watch)
        } else {
            restore.run(target, project, watch)
        }
        .map(Ok)
    }

    fn restore_options(&self, context: &JobContext<'_>) -> RestoreOptions {
        RestoreOptions {
            mode: self.mode,
            with_dependents: self.with_dependents,
            atomic: self.atomic,
            max_rejects: self.max_rejects.as_deref().and_then(|text| MaxRejects::parse(text).ok()),
            allow_empty: self.allow_empty,
            mapping: FieldMapping {
                renames: self.renames.clone(),
                ignore_extra: self.ignore_extra,
                option_style: OptionStyle::RequestParameter,
                ..FieldMapping::default()
            },
            most_bytes: Some(context.resources.max_upload).filter(|_| self.source.is_some()),
            work: context.resources.work,
        }
    }

    fn end_with(&self, context: &JobContext<'_>, outcome: &RestoreOutcome) -> JobEnd {
        if !self.dry_run {
            outcome.loads.iter().for_each(|load| context.resources.hooks.note_load(load));
        }
        let loads: Vec<Value> = outcome.loads.iter().map(render_load_of_table).collect();
        let problem = find_stop(&outcome.loads, self.dry_run);
        let outcome = json!({"restore": {"set": outcome.set, "tables": outcome.tables, "loads": loads}});
        match problem {
            Some(problem) => JobEnd::Failed { outcome, problem: to_json(&problem) },
            None => JobEnd::Done { outcome },
        }
    }
}

fn render_load_of_table(load: &LoadOutcome) -> Value {
    let mut rendered = render_load(load);
    rendered["table"] = load.table.as_str().into();
    rendered
}

/// The set called `name`; for `latest`, the last one that has the table.
fn find_set(store: &dyn BackupStore, name: &str, table: &str) -> Result<SetId> {
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
