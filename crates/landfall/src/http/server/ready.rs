//! Whether the service can do its work: tried, and not only asked. It is tried at most every few seconds, in its own time, so that
//! whoever asks is answered at once, and nobody keeps the database busy by asking.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use landfall_engine::{
    Error, Result, TargetErrorKind,
    document::NewDocument,
    targets::{Fence, Pace, Table, Target},
};
use tokio::{sync::watch, time::timeout};

use crate::http::service::Service;

/// The kind of document that is written to see whether writing works.
const KIND: &str = "probe";
/// What was found so short a time ago is not looked for again.
const FRESH: Duration = Duration::from_secs(2);
/// How long whoever asks waits for what is being looked for; then the last finding is told.
const WAIT: Duration = Duration::from_secs(2);
/// How long a finding holds while the next one does not come.
const HOLDS: Duration = Duration::from_secs(15);
/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum CheckResult {
    /// It works.
    Sound,
    /// Another transaction has the database, which happens while files are loaded.
    Busy,
    /// No space is left for the database.
    Full,
    /// The database takes no changes.
    ReadOnly,
    /// The database does not let the service's user do this.
    Denied,
    /// There is no answer, or no connection, or what was asked for is not there.
    Unavailable,
}

impl CheckResult {
    /// The word that a check is told by.
    pub(in crate::http) const fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "ok",
            Self::Busy => "busy",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether requests can be served.
    pub(in crate::http) const fn is_sound(self) -> bool {
        matches!(self, Self::Sound | Self::Busy)
    }

    const fn of(error: &Error) -> Self {
        let Error::Target(error) = error else { return Self::Unavailable };
        match error.kind {
            TargetErrorKind::Locked | TargetErrorKind::Again | TargetErrorKind::Overtaken => Self::Busy,
            TargetErrorKind::Full => Self::Full,
            TargetErrorKind::ReadOnly => Self::ReadOnly,
            TargetErrorKind::Denied => Self::Denied,
            _ => Self::Unavailable,
        }
    }
}

/// What was found of the database.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct CheckResults {
    at: Instant,
    pub(in crate::http) read: CheckResult,
    pub(in crate::http) write: CheckResult,
    pub(in crate::http) tables: CheckResult,
}

/// What is known of the database.
#[derive(Debug)]
pub(in crate::http) struct Readiness {
    known: watch::Sender<Option<CheckResults>>,
    is_looking: AtomicBool,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { known: watch::Sender::new(None), is_looking: AtomicBool::new(false) }
    }
}

/// What is found of the database now, or was a moment ago.
pub(in crate::http) async fn current_results(service: &Arc<Service>) -> CheckResults {
    let readiness = &service.readiness;
    let is_fresh = |known: &Option<CheckResults>| known.is_some_and(|known| known.at.elapsed() < FRESH);
    let mut known = readiness.known.subscribe();
    // One check at a time: many probes at once must not become many transactions.
    if !is_fresh(&known.borrow()) && !readiness.is_looking.swap(true, Ordering::Relaxed) {
        let service = service.clone();
        tokio::spawn(async move {
            let found = check_database(&service).await;
            service.readiness.known.send_replace(Some(found));
            service.readiness.is_looking.store(false, Ordering::Relaxed);
        });
    }
    let _ = timeout(WAIT, known.wait_for(is_fresh)).await;
    let last = known.borrow().filter(|known| known.at.elapsed() < HOLDS);
    let none = CheckResult::Unavailable;
    last.unwrap_or_else(|| CheckResults { at: Instant::now(), read: none, write: none, tables: none })
}

async fn check_database(service: &Arc<Service>) -> CheckResults {
    let desk = &service.desk;
    let rules = service.rules.clone();
    let (seen, told) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
    let (tables, writes) = (seen.clone(), told.clone());
    let probe = desk.probe_writing(move |target| {
        // Tables first: a missing one explains why nothing can be written.
        note_result(&tables, find_tables(&*target, rules.rules_tables()))?;
        note_result(&writes, write(target, rules.rules_tables()))
    });
    let read = desk.read_briefly(|target| target.find_document(KIND, "-").map(drop));
    let (read, _) = tokio::join!(timeout(PATIENCE, read), timeout(PATIENCE, probe));
    let read = if matches!(read, Ok(Ok(()))) { CheckResult::Sound } else { CheckResult::Unavailable };
    let of = |finding: &Mutex<Option<CheckResult>>| *finding.lock().unwrap_or_else(PoisonError::into_inner);
    let tables = of(&seen).unwrap_or(CheckResult::Unavailable);
    let write = of(&told).unwrap_or(if tables.is_sound() { CheckResult::Unavailable } else { tables });
    CheckResults { at: Instant::now(), read, write, tables }
}

/// Notes what became of a check. Its error goes on, so that a connection that was lost is not used again.
fn note_result(noted: &Mutex<Option<CheckResult>>, outcome: Result<CheckResult>) -> Result<()> {
    let finding = outcome.as_ref().map_or_else(CheckResult::of, |finding| *finding);
    if let Err(error) = &outcome {
        tracing::error!(%error, finding = finding.as_str(), "the service is not ready");
    }
    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(finding);
    outcome.map(drop)
}

/// Whether all tables are there.
fn find_tables(target: &dyn Target, tables: &[Table]) -> Result<CheckResult> {
    for table in tables {
        if !target.has_table(table)? {
            tracing::error!(table = &*table.name, "the table is not in the database any more");
            return Ok(CheckResult::Unavailable);
        }
    }
    Ok(CheckResult::Sound)
}

/// Writes a document and takes it away again, and sees whether rows may be inserted into all tables.
fn write(target: &mut dyn Target, tables: &[Table]) -> Result<CheckResult> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    // Its own name for each process and try, so that two services do not stand in each other's way.
    let name = format!("{}-{now}", std::process::id());
    let probe = NewDocument { kind: KIND, name: name.clone(), body: b"{}".to_vec() };
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    transaction.add_documents(std::slice::from_ref(&probe))?;
    if let Some(document) = transaction.find_document(KIND, &name)? {
        // In the same transaction: nothing is left in the table, also if the process dies here.
        transaction.change_document(&document, None)?;
    }
    transaction.commit_now()?;
    for table in tables {
        if !target.may_insert_rows(table)? {
            tracing::error!(table = &*table.name, "the database does not let the service insert into the table");
            return Ok(CheckResult::Denied);
        }
    }
    Ok(CheckResult::Sound)
}
