//! The load of an uploaded file.

use landfall_core::schema::DialectOverrides;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Job, JobContext,
    context::{EarlyEnd, to_json},
    load_result::{find_stop, render_counts, render_load, render_released},
};
use crate::{
    OptionStyle,
    error::{Error, Result, TargetErrorKind},
    job::JobEnd,
    ledger::{LoadEntry, LoadFilter, LoadId, LoadState, Mode, OnConflict},
    origin::Origin,
    pipeline::{self, LoadOptions, LoadOutcome, MaxRejects},
    public_error::{PublicError, PublicErrorCode},
    source::Source,
};

/// The load of an uploaded file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoadFile {
    /// The table.
    pub table: String,
    /// The name that its sender gave the file.
    pub file: Option<String>,
    /// Bytes of the file.
    pub bytes: u64,
    /// The name of the source in the ledger: the same for the same bytes.
    pub source: String,
    /// How to treat what the table holds.
    pub mode: Mode,
    /// What to do with conflicting rows.
    pub on_conflict: OnConflict,
    /// All of it or nothing.
    pub atomic: bool,
    /// Read it although the ledger knows it.
    pub force: bool,
    /// How many rejects are too many, as it was sent.
    pub max_rejects: Option<String>,
    /// A replace may leave the table empty.
    #[serde(default)]
    pub allow_empty: bool,
    /// Everything is rolled back at the end.
    #[serde(default)]
    pub dry_run: bool,
    /// In what the file is written otherwise than declared.
    #[serde(default)]
    pub dialect: DialectOverrides,
    /// The last load of the ledger before the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LoadId>,
}

impl Job for LoadFile {
    const KIND: &'static str = "file";
    const NOTES_LEDGER: bool = true;

    fn run(&self, context: &mut JobContext<'_>) -> JobEnd {
        match self.load_upload(context) {
            Ok(Ok(outcomes)) => self.end_with(context, &outcomes),
            Ok(Err(end)) => *end,
            Err(error) => self.end_after(context, &error),
        }
    }
}

impl LoadFile {
    fn load_upload(&self, context: &mut JobContext<'_>) -> Result<Result<Vec<LoadOutcome>, EarlyEnd>> {
        let project = context.project();
        // An attempt that died just after its last commit has done it, and its upload may be gone.
        if !self.dry_run
            && let Some(outcome) = self.find_done(context)?
        {
            let mut outcomes = vec![outcome];
            outcomes.extend(pipeline::release_after_loads(context.target, project, &outcomes)?);
            return Ok(Ok(outcomes));
        }
        let upload = match context.fetch_upload() {
            Ok(upload) => upload,
            Err(end) => return Ok(Err(end)),
        };
        let source = Source::from_file(self.source.clone(), upload.file_path()).with_origin(Origin::Upload);
        let sources = vec![(project.find_position(&self.table)?, source)];
        let options = self.load_options(context);
        pipeline::load_sources(context.target, project, sources, &options, context.watch).map(Ok)
    }

    fn load_options(&self, context: &JobContext<'_>) -> LoadOptions {
        let max_rejects = self.max_rejects.as_deref().and_then(|text| MaxRejects::parse(text).ok());
        LoadOptions {
            mode: self.mode,
            on_conflict: self.on_conflict,
            atomic: self.atomic,
            max_rejects: max_rejects.or(context.resources.max_rejects),
            allow_rejects: max_rejects.is_some(),
            allow_empty: self.allow_empty,
            force: self.force,
            dry_run: self.dry_run,
            overrides: self.dialect.clone(),
            option_style: OptionStyle::RequestParameter,
            work: context.resources.work,
            ..LoadOptions::default()
        }
    }

    /// The load of just this source that has ended since the job was first taken, as an outcome.
    fn find_done(&self, context: &JobContext<'_>) -> Result<Option<LoadOutcome>> {
        let of_job = LoadFilter {
            // An earlier job may have loaded the same content, and is not this one.
            after: self.ledger.unwrap_or(LoadId::NONE),
            ..LoadFilter::loads_of_source(&self.table, &self.source)
        };
        let has_ended = |entry: &LoadEntry| matches!(entry.state, LoadState::Complete | LoadState::RolledBack);
        let entry = context.target.find_loads(&of_job)?.into_iter().find(has_ended);
        Ok(entry.as_ref().map(LoadOutcome::from_entry))
    }

    /// The end after loads that came to their end: that of the file, and those of rejects that it released.
    fn end_with(&self, context: &JobContext<'_>, outcomes: &[LoadOutcome]) -> JobEnd {
        if !self.dry_run {
            outcomes.iter().for_each(|outcome| context.resources.hooks.note_load(outcome));
        }
        let Some((own, released)) = outcomes.split_first() else { return JobEnd::Done { outcome: Value::Null } };
        let mut outcome = render_load(own);
        outcome["seconds"] = own.seconds.into();
        outcome["reasons"] = json!(own.reasons);
        if own.stray_quotes > 0 {
            outcome["stray_quotes"] = own.stray_quotes.into();
        }
        outcome["released"] = released.iter().map(render_released).collect();
        match find_stop(outcomes, self.dry_run) {
            Some(problem) => JobEnd::Failed { outcome, problem: to_json(&problem) },
            None => JobEnd::Done { outcome },
        }
    }

    fn end_after(&self, context: &mut JobContext<'_>, error: &Error) -> JobEnd {
        if let Some(end) = context.end_after_outage(error) {
            return end;
        }
        if !matches!(error, Error::Cancelled) {
            tracing::warn!(%error, job = context.entry.id, "a load has failed");
            // Chunks that committed before the error stay, and the client must know of them.
            let outcome = if self.dry_run { Value::Null } else { self.find_partial(context) };
            return JobEnd::Failed { outcome, problem: to_json(&self.describe_error(error)) };
        }
        // A dry run leaves nothing that would have to be ended.
        if self.dry_run {
            return JobEnd::Cancelled { outcome: Value::Null };
        }
        let project = context.project();
        match pipeline::stop_load(context.target, project, &self.table, &self.source) {
            Ok(()) => JobEnd::Cancelled { outcome: self.find_partial(context) },
            Err(error) => {
                context.end_after_outage(&error).unwrap_or_else(|| context.retry_later(&PublicError::describe(&error)))
            }
        }
    }

    /// What the ledger knows of the load if it did not come to its end.
    fn find_partial(&self, context: &JobContext<'_>) -> Value {
        let newest =
            LoadFilter { newest_first: true, limit: Some(1), ..LoadFilter::loads_of_source(&self.table, &self.source) };
        let entry = context.target.find_loads(&newest).unwrap_or_default().pop();
        entry.map_or(Value::Null, |entry| render_counts(&LoadOutcome::from_entry(&entry)))
    }

    /// What stopped the load, by the name that the sender gave the file.
    fn describe_error(&self, error: &Error) -> PublicError {
        match error {
            Error::Source { reason, .. } => {
                let name = self.file.as_deref().unwrap_or("the file");
                PublicError::new(PublicErrorCode::WrongShape, format!("{name}: {reason}"))
            }
            Error::Target(error) if error.kind == TargetErrorKind::Constraint => {
                let detail = "rows of other tables need rows that this load would take away, or rows that it needs were taken away \
                              meanwhile; nothing of the last step was kept";
                PublicError::new(PublicErrorCode::Conflict, detail)
            }
            // The request was checked when it came. What contradicts now has changed since.
            Error::Usage(reason) => PublicError::new(PublicErrorCode::Conflict, reason.clone()),
            error => PublicError::describe(error),
        }
    }
}
