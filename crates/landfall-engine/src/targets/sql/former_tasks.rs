//! Jobs that an earlier version has left as documents.

use super::{
    SqlConnection, documents,
    jobs::{self, damaged_job_error},
};
use crate::{
    document::DocumentFilter,
    error::Result,
    job::{JobEntry, JobState},
};

/// The kind of document that jobs were before they had tables.
const TASK: &str = "task";

/// Documents of tasks that are read at once: one may have an answer of many bytes.
const TASKS_AT_ONCE: u64 = 16;

/// Makes jobs of the documents of tasks, as versions before 0.2 had them. It can be repeated: a document goes with its job's coming,
/// or after it on a database whose migrations are not one transaction.
pub(in crate::targets) fn adopt_tasks(connection: &dyn SqlConnection) -> Result<()> {
    let page = DocumentFilter { limit: Some(TASKS_AT_ONCE), ..DocumentFilter::all_of_kind(TASK) };
    loop {
        // Always the first page: each task that is done is taken away, so that the next ones move up.
        let tasks = documents::find_documents(connection, &page)?;
        for task in &tasks {
            let mut entry: JobEntry =
                serde_json::from_slice(&task.body).map_err(|error| damaged_job_error(&task.name, &error))?;
            if entry.state == JobState::Running {
                // Its process ended before this version began: whoever looks first goes on with it.
                entry.state = JobState::Pending;
            }
            if jobs::find(connection, &entry.id)?.is_none() {
                jobs::insert(connection, &entry)?;
            }
            documents::change_document(connection, task, None)?;
        }
        if tasks.is_empty() {
            return Ok(());
        }
    }
}
