//! A backup.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{BackupSettings, Job, JobContext, context::fail_job};
use crate::{
    avro::AvroCodec,
    backup::{BackupOptions, backup_tables},
    error::{Error, TargetErrorKind},
    job::JobEnd,
    pipeline::Observer as _,
    project::Project,
    public_error::{PublicError, PublicErrorCode},
};

/// A backup that is to be made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeBackup {
    /// The tables; all if there are none.
    #[serde(default)]
    pub tables: Vec<String>,
    /// How the files are compressed.
    #[serde(default)]
    pub codec: Option<String>,
    /// When the schedule wanted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<String>,
}

impl MakeBackup {
    /// The tables that the backup is of.
    #[must_use]
    pub fn table_names(&self, project: &Project) -> Vec<String> {
        if self.tables.is_empty() {
            return project.package.resources.iter().map(|resource| resource.name.to_string()).collect();
        }
        self.tables.clone()
    }
}

impl Job for MakeBackup {
    const KIND: &'static str = "backup";

    /// A set of an attempt that died just after it was published stays beside the one of the next attempt: both are whole.
    fn run(&self, context: &mut JobContext<'_>) -> JobEnd {
        // Nothing is begun that would be undone at once.
        if context.is_cancelled() {
            return JobEnd::Cancelled { outcome: Value::Null };
        }
        let settings = &context.resources.backups;
        let options = BackupOptions {
            tables: self.tables.clone(),
            codec: self.codec.as_deref().and_then(AvroCodec::parse).unwrap_or(settings.codec),
            // The requests that come meanwhile need processors too.
            threads: 1,
        };
        let project = context.project();
        let made = backup_tables(context.target, project, &*settings.store, &options, context.watch);
        let outcome = match made {
            Ok(outcome) => outcome,
            Err(error) => {
                let end = end_after(context, &error);
                context.resources.hooks.note_backup(false);
                return end;
            }
        };
        context.resources.hooks.note_backup(true);
        tracing::info!(set = outcome.set, tables = outcome.tables.len(), "a backup was made");
        if self.scheduled_at.is_some() && !context.watch.is_cancelled() {
            remove_superfluous(settings);
        }
        JobEnd::Done {
            outcome: json!({"backup": {"set": outcome.set, "tables": outcome.tables, "missing": outcome.missing}}),
        }
    }
}

/// Removes the sets that no rule keeps.
fn remove_superfluous(settings: &BackupSettings) {
    let store = &*settings.store;
    let removed = store.list_sets().and_then(|sets| {
        let superfluous = settings.keep.find_superfluous(&sets, &settings.zone);
        superfluous.iter().try_for_each(|set| store.remove(set)).map(|()| superfluous.len())
    });
    match removed {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "backups that no rule keeps were removed"),
        Err(error) => tracing::error!(%error, "backups that no rule keeps cannot be removed"),
    }
}

/// How a backup or a restore ends after an error.
pub(super) fn end_after(context: &JobContext<'_>, error: &Error) -> JobEnd {
    if let Some(end) = context.end_after_outage(error) {
        return end;
    }
    if matches!(error, Error::Cancelled) {
        return JobEnd::Cancelled { outcome: Value::Null };
    }
    tracing::error!(%error, job = context.entry.id, kind = context.entry.kind, "a job has failed");
    fail_job(&describe_error(error))
}

fn describe_error(error: &Error) -> PublicError {
    match error {
        Error::Source { reason, .. } => PublicError::new(PublicErrorCode::WrongShape, reason.clone()),
        Error::Usage(reason) => PublicError::new(PublicErrorCode::Conflict, reason.clone()),
        Error::Target(error) if error.kind == TargetErrorKind::Constraint => {
            let detail = "rows of other tables need rows that this restore would take away; restore those tables with it \
                          (with_dependents), nothing was changed";
            PublicError::new(PublicErrorCode::Conflict, detail)
        }
        error => PublicError::describe(error),
    }
}
