//! Rows that were sent to be taken later.

use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Job, JobContext,
    context::{EarlyEnd, fail_job},
};
use crate::{
    error::{Error, Result},
    job::JobEnd,
    ledger::OnConflict,
    pipeline::{
        RequestKey, RowsAnswer, RowsForm, RowsReply, RowsRequest, quarantine_full, read_rows, stored_answer, take_rows,
    },
    public_error::{PublicError, PublicErrorCode},
};

/// Rows that were sent to be taken later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TakeRows {
    /// The table; none if the body names several.
    pub table: Option<String>,
    /// How the body is written.
    pub form: RowsForm,
    /// What to do with conflicting rows.
    pub on_conflict: OnConflict,
    /// All of them or none.
    pub atomic: bool,
    /// Nothing is written.
    pub dry_run: bool,
    /// Bytes of the body.
    pub bytes: usize,
}

impl Job for TakeRows {
    const KIND: &'static str = "rows";

    fn run(&self, context: &mut JobContext<'_>) -> JobEnd {
        match self.take_rows(context) {
            Ok(Ok(reply)) => JobEnd::Done { outcome: json!({"status": reply.status, "answer": reply.body}) },
            Ok(Err(end)) => *end,
            Err(error) => context.end_after_outage(&error).unwrap_or_else(|| {
                let problem = PublicError::describe(&error);
                if problem.retry_after.is_some() { context.retry_later(&problem) } else { fail_job(&problem) }
            }),
        }
    }
}

impl TakeRows {
    /// The answer that the request would have had. It is stored with the rows under a key of the job, so the job has one effect
    /// however often it is run.
    fn take_rows(&self, context: &mut JobContext<'_>) -> Result<Result<RowsReply, EarlyEnd>> {
        // Other versions knew the job by this name too.
        let name = blake3::hash(format!("task\0{}", context.entry.id).as_bytes()).to_hex().to_string();
        // First: an earlier attempt may have taken effect, and its upload may be gone.
        if let Some(RowsAnswer::Repeated(stored)) = stored_answer(&*context.target, &name, &name)? {
            return Ok(read_reply(&stored));
        }
        if context.is_cancelled() {
            return Ok(Err(JobEnd::Cancelled { outcome: Value::Null }.into()));
        }
        let request = match self.read_request(context, name) {
            Ok(request) => request,
            Err(end) => return Ok(Err(end)),
        };
        let answer = take_rows(context.target, &context.resources.rules, &[request])?.pop();
        Ok(match answer {
            Some(RowsAnswer::Done(outcome)) => {
                if !self.dry_run {
                    context.resources.hooks.note_rows(&outcome);
                }
                Ok(RowsReply::new(&outcome, self.table.is_some(), self.dry_run))
            }
            Some(RowsAnswer::Repeated(stored)) => read_reply(&stored),
            // Not failed: people may mend or discard rejects meanwhile.
            Some(RowsAnswer::QuarantineFull) => Err(context.retry_later(&quarantine_full()).into()),
            Some(RowsAnswer::OtherRequest) | None => Err(fail_internally("another task has this name").into()),
        })
    }

    fn read_request(&self, context: &JobContext<'_>, name: String) -> Result<RowsRequest, EarlyEnd> {
        let rules = &context.resources.rules;
        let position_of = |name: &str| rules.rules_project().package.table_position(name);
        let table = match self.table.as_deref().map(position_of) {
            Some(None) => {
                return Err(fail_job(&PublicError::new(PublicErrorCode::NotFound, "there is no such table")).into());
            }
            found => found.flatten(),
        };
        let upload = context.fetch_upload()?;
        let bytes = fs::read(upload.file_path()).map_err(|cause| {
            let path = upload.file_path().to_owned();
            EarlyEnd::from(context.retry_later(&PublicError::describe(&Error::File { path, cause })))
        })?;
        // The bound on rows was held when the request came in.
        let batches = read_rows(rules, table, self.form, bytes, usize::MAX, &position_of)
            .map_err(|error| EarlyEnd::from(fail_job(&error)))?;
        let (single, dry_run) = (table.is_some(), self.dry_run);
        let render = Box::new(move |outcome: &_| RowsReply::new(outcome, single, dry_run).to_bytes());
        let key = Some(RequestKey { digest: name.clone(), name, render });
        let Self { on_conflict, atomic, dry_run, .. } = *self;
        Ok(RowsRequest { batches, on_conflict, atomic, dry_run, source: "rows".into(), key })
    }
}

fn read_reply(stored: &[u8]) -> Result<RowsReply, EarlyEnd> {
    RowsReply::parse(stored).ok_or_else(|| fail_internally("the stored answer cannot be read").into())
}

fn fail_internally(detail: &str) -> JobEnd {
    fail_job(&PublicError::new(PublicErrorCode::Internal, detail))
}
