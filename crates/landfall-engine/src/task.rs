//! Tasks: work that goes on after its request was answered. A task is a document of the target, so that it survives the
//! process, and several processes see the same tasks. Who does one is decided outside, by a lock on what the task works on.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    document::{Document, DocumentFilter, NewDocument},
    error::{Result, TargetError, TargetErrorKind},
    targets::{Fence, Pace, Target, TargetRead, Transaction},
    timestamp, token,
};

/// The kind of document that a task is.
const KIND: &str = "task";

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// It waits to be done, perhaps once more.
    Pending,
    /// A process does it, or died while it did: then another one takes it up.
    Running,
    /// It was done.
    Done,
    /// It could not be done, and is not tried again.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
}

impl TaskState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// The state as it is written in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name: later tasks have greater ones.
    pub id: String,
    /// What sort of work it is.
    pub kind: String,
    /// The tables that it is about.
    pub tables: Vec<String>,
    /// Where it stands.
    pub state: TaskState,
    /// What is to be done, in the words of who does it.
    pub request: Value,
    /// What became of it: of the work so far, or of all of it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub outcome: Value,
    /// Why it failed, or why it waits to be tried once more.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub problem: Value,
    /// How often it was begun.
    #[serde(default)]
    pub attempts: u32,
    /// Whether somebody wants it to end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cancelled: bool,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was first begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

impl Task {
    /// A task that waits to be done.
    ///
    /// # Errors
    /// A system that gives no random numbers.
    pub fn new(kind: &str, tables: Vec<String>, request: Value) -> Result<Self> {
        Ok(Self {
            id: new_id()?,
            kind: kind.to_owned(),
            tables,
            state: TaskState::Pending,
            request,
            outcome: Value::Null,
            problem: Value::Null,
            attempts: 0,
            is_cancelled: false,
            created_at: timestamp::now_utc(),
            started_at: None,
            ended_at: None,
        })
    }

    /// Goes over to `state`, now.
    pub fn enter(&mut self, state: TaskState) {
        if state == TaskState::Running {
            self.attempts += 1;
            self.started_at.get_or_insert_with(timestamp::now_utc);
        }
        self.state = state;
        self.ended_at = state.is_end().then(timestamp::now_utc);
    }

    /// The document that keeps it.
    #[must_use]
    pub fn document(&self) -> NewDocument {
        NewDocument { kind: KIND, name: self.id.clone(), body: self.body() }
    }

    fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|error| unreachable!("a task is plain data: {error}"))
    }
}

/// A name for a new task: the time, and chance.
///
/// # Errors
/// A system that gives no random numbers.
pub fn new_id() -> Result<String> {
    let chance = u32::from_le_bytes(token::random_bytes()?);
    Ok(format!("{:014x}{chance:08x}", Timestamp::now().as_microsecond()))
}

/// Which tasks are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// In this state.
    pub state: Option<TaskState>,
    /// Made before the one with this name.
    pub before: Option<String>,
    /// About one of these tables and no other.
    pub tables: Option<Vec<String>>,
    /// At most so many.
    pub limit: usize,
}

impl TaskFilter {
    fn wants(&self, task: &Task) -> bool {
        let about = |tables: &Vec<String>| task.tables.iter().all(|table| tables.contains(table));
        self.state.is_none_or(|state| state == task.state) && self.tables.as_ref().is_none_or(about)
    }
}

/// Hands the tasks that `filter` wants to `visit`, the newest first, until it wants no more. Few of them are in memory at once: one
/// that rows were sent for has an answer of many bytes.
///
/// # Errors
/// A target that cannot be read, and those of `visit`.
pub fn visit_tasks(
    read: &dyn TargetRead,
    filter: &TaskFilter,
    visit: &mut dyn FnMut(Task) -> Result<ControlFlow<()>>,
) -> Result<()> {
    const PAGE: u64 = 8;
    let mut page = DocumentFilter {
        after: filter.before.clone(),
        last_first: true,
        limit: Some(PAGE),
        ..DocumentFilter::all_of_kind(KIND)
    };
    let mut left = filter.limit;
    while left > 0 {
        let documents = read.find_documents(&page)?;
        let is_last = (documents.len() as u64) < PAGE;
        page.after = documents.last().map(|last| last.name.clone());
        for document in documents {
            let task = kept(&document)?;
            drop(document);
            if left == 0 || !filter.wants(&task) {
                continue;
            }
            left -= 1;
            if visit(task)?.is_break() {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
    Ok(())
}

/// The task `id`.
///
/// # Errors
/// A target that cannot be read.
pub fn task(read: &dyn TargetRead, id: &str) -> Result<Option<Task>> {
    read.find_document(KIND, id)?.as_ref().map(kept).transpose()
}

/// Changes the task `id` as `change` does, which sees it as it is now and says whether it wants to change it. The task as it
/// is afterwards; none where there is none.
///
/// # Errors
/// A target that cannot be written.
pub fn change(target: &mut dyn Target, id: &str, change: &dyn Fn(&mut Task) -> bool) -> Result<Option<Task>> {
    change_with(target, id, change, &mut |_| None)
}

/// As [`change`], with a document that is kept in the same transaction, where `answer` makes one of the task as it is afterwards.
///
/// # Errors
/// A target that cannot be written; [`TargetErrorKind::Overtaken`] where there is such a document.
pub fn change_with(
    target: &mut dyn Target,
    id: &str,
    change: &dyn Fn(&mut Task) -> bool,
    answer: &mut dyn FnMut(&Task) -> Option<NewDocument>,
) -> Result<Option<Task>> {
    loop {
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
        let Some(document) = transaction.find_document(KIND, id)? else { return Ok(None) };
        let mut task = kept(&document)?;
        let changes = change(&mut task);
        let answer = answer(&task);
        if !changes && answer.is_none() {
            return Ok(Some(task));
        }
        // Where another process was faster, it is looked at anew.
        if changes && !transaction.change_document(&document, Some(&task.body()))? {
            continue;
        }
        transaction.add_documents(answer.as_slice())?;
        transaction.commit_now()?;
        return Ok(Some(task));
    }
}

/// Adds a task, and what is to be kept with it.
///
/// # Errors
/// A target that cannot be written.
pub fn add(target: &mut dyn Target, task: &Task, with: Option<NewDocument>) -> Result<()> {
    let mut transaction: Box<dyn Transaction> = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let documents: Vec<NewDocument> = std::iter::once(task.document()).chain(with).collect();
    transaction.add_documents(&documents)?;
    transaction.commit_now()
}

/// Forgets the tasks that nothing has happened to since `before`; how many.
///
/// # Errors
/// A target that cannot be written.
pub fn forget(target: &mut dyn Target, before: Timestamp) -> Result<u64> {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let count = transaction.forget_documents(KIND, &timestamp::format_utc(before))?;
    transaction.commit_now()?;
    Ok(count)
}

fn kept(document: &Document) -> Result<Task> {
    serde_json::from_slice(&document.body).map_err(|error| {
        let message = format!("the task {:?} is not as Landfall keeps one: {error}", document.name);
        TargetError::new(TargetErrorKind::Statement, message).into()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;
    use crate::targets::{Memory, ReadBooks as _};

    fn tasks(target: &Memory, filter: &TaskFilter) -> Vec<Task> {
        let mut found = Vec::new();
        let mut visit = |task| {
            found.push(task);
            Ok(ControlFlow::Continue(()))
        };
        visit_tasks(target, filter, &mut visit).unwrap();
        found
    }

    fn added(target: &mut Memory, table: &str) -> Task {
        let task = Task::new("file", vec![table.into()], Value::Null).unwrap();
        add(target, &task, None).unwrap();
        task
    }

    #[test]
    fn tasks_are_listed_the_newest_first_and_page_by_page() {
        let mut target = Memory::default();
        let made: Vec<Task> = (0..5).map(|_| added(&mut target, "a")).collect();
        let other = added(&mut target, "b");
        let only = |tables: &[&str]| Some(tables.iter().map(ToString::to_string).collect());
        let first = tasks(&target, &TaskFilter { limit: 2, tables: only(&["a"]), ..TaskFilter::default() });
        assert_eq!(first, [made[4].clone(), made[3].clone()]);
        let before = Some(first[1].id.clone());
        let rest = tasks(&target, &TaskFilter { limit: 9, before, ..TaskFilter::default() });
        assert_eq!(rest.len(), 3);
        assert_eq!(tasks(&target, &TaskFilter { limit: 9, ..TaskFilter::default() })[0], other);
    }

    /// More tasks than are read at once, most of which are not wanted.
    #[test]
    fn tasks_of_one_table_are_found_behind_many_of_another() {
        let mut target = Memory::default();
        let made: Vec<Task> = (0..75).map(|at| added(&mut target, if at % 25 == 0 { "a" } else { "b" })).collect();
        let filter = TaskFilter { limit: 2, tables: Some(vec!["a".into()]), ..TaskFilter::default() };
        assert_eq!(tasks(&target, &filter), [made[50].clone(), made[25].clone()]);
        let all = tasks(&target, &TaskFilter { limit: 100, ..TaskFilter::default() });
        assert!(all.iter().eq(made.iter().rev()));
    }

    #[test]
    fn a_task_that_ended_does_not_begin_again() {
        let mut target = Memory::default();
        let task = added(&mut target, "a");
        let begin = |task: &mut Task| {
            let may = !task.state.is_end();
            if may {
                task.enter(TaskState::Running);
            }
            may
        };
        assert_eq!(change(&mut target, &task.id, &begin).unwrap().unwrap().attempts, 1);
        let end = |task: &mut Task| {
            task.enter(TaskState::Done);
            true
        };
        assert!(change(&mut target, &task.id, &end).unwrap().unwrap().ended_at.is_some());
        let after = change(&mut target, &task.id, &begin).unwrap().unwrap();
        assert_eq!((after.state, after.attempts), (TaskState::Done, 1));
        assert_eq!(change(&mut target, "none", &begin).unwrap(), None);
    }

    #[test]
    fn an_answer_is_kept_with_the_change_or_neither_is() {
        let mut target = Memory::default();
        let task = added(&mut target, "a");
        let cancel = |task: &mut Task| !std::mem::replace(&mut task.is_cancelled, true);
        let answer = |_: &Task| Some(NewDocument { kind: "answer", name: "key".into(), body: b"1".to_vec() });
        // A change that is none is answered for, too.
        let same = change_with(&mut target, &task.id, &|_| false, &mut |_| None).unwrap();
        assert_eq!((same, target.find_document("answer", "key").unwrap()), (Some(task.clone()), None));
        let changed = change_with(&mut target, &task.id, &cancel, &mut { answer }).unwrap().unwrap();
        assert!(changed.is_cancelled && target.find_document("answer", "key").unwrap().is_some());
        let other = added(&mut target, "a");
        let overtaken = change_with(&mut target, &other.id, &cancel, &mut { answer });
        let kind = |error| if let crate::Error::Target(error) = error { Some(error.kind) } else { None };
        assert_eq!(overtaken.err().and_then(kind), Some(TargetErrorKind::Overtaken));
        assert!(!super::task(&target, &other.id).unwrap().unwrap().is_cancelled);
    }
}
