//! Rejects are tried again: as they are, or as a person mended them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    time::Instant,
};

use super::{
    LoadOptions, LoadOutcome, Observer, Reasons,
    adopt::{circular, claims_to_come, complete, numbers, one, open, outcome, pages, release_waiting, settle, try_raw},
    export::Exporter,
    kept_answer::{KeptAnswer, WriteAnswer},
    load::Session,
    mended::{MendedRow, OtherChanges, read_mended},
    trial::{Bytes, Trial, Verdict},
    writer::Writer,
};
use crate::{
    document::NewDocument,
    error::{Error, Result},
    ledger::{LoadEntry, Mode, OnConflict},
    origin::QUARANTINE,
    project::Project,
    quarantine::{Reject, RejectFilter, RejectId, RejectState, is_waiting},
    targets::{Fence, Pace, Target, Transaction},
};

/// What is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// The open rejects that the filter wants, as they are in the quarantine.
    Quarantine(RejectFilter),
    /// The rows of a file that was exported and mended.
    Mended(MendedFile),
    /// One open reject, with other values for some of its fields, as they would stand in its source; none for a missing one.
    Corrected(RejectId, Vec<(String, Option<String>)>),
}

/// A file of rejects that was exported and mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MendedFile {
    /// Where it is.
    pub path: PathBuf,
    /// The table that all of its rejects must be of, if there is one.
    pub table: Option<String>,
    /// Whether cells may be changed that had no error.
    pub allows_other_changes: bool,
}

/// Tries rejects again under the rules of now. What passes is inserted and leaves the quarantine; what does not stays,
/// with its reasons of now; the quarantine keeps a trace of both. One outcome for each table.
///
/// # Errors
/// What stops a command; each table commits by itself.
pub fn retry(
    target: &mut dyn Target,
    project: &Project,
    what: &Retry,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    retry_with(target, project, what, observer, &mut |_, _| Ok(None))
}

/// As [`retry`], with a document that is kept in the transaction of each table, where `answer` makes one of what was done so far. It is
/// brought up to date after rejects that waited were released.
///
/// # Errors
/// Those of [`retry`]; [`TargetErrorKind::Overtaken`](crate::TargetErrorKind) where there was such a document before.
pub fn retry_with(
    target: &mut dyn Target,
    project: &Project,
    what: &Retry,
    observer: &dyn Observer,
    answer: WriteAnswer<'_>,
) -> Result<Vec<LoadOutcome>> {
    let tables = project.tables();
    target.remove_unused(&tables)?;
    target.prepare(&tables)?;
    let options = LoadOptions::default();
    let session = Session { project, tables: &tables, options: &options, observer };
    let mut answer = KeptAnswer::new(answer);
    match what {
        Retry::Quarantine(filter) => from_quarantine(&session, target, filter, &mut answer)?,
        Retry::Mended(file) => from_file(&session, target, file, &mut answer)?,
        Retry::Corrected(reject, values) => corrected(&session, target, *reject, values, &mut answer)?,
    }
    // Any table: a retry that died may have brought parents of what is not tried by this one.
    let grown = tables.iter().map(|table| table.name.to_string()).collect();
    let released = release_waiting(&session, &mut Writer::Each(target), answer.outcomes(), grown)?;
    let outcomes = answer.finish(target, released)?;
    target.settle()?;
    Ok(outcomes)
}

/// A record to try: its reject, and the row that mends it where there is one.
struct Case {
    reject: RejectId,
    mended: Option<MendedRow>,
}

fn from_quarantine(
    session: &Session<'_>,
    target: &mut dyn Target,
    filter: &RejectFilter,
    answer: &mut KeptAnswer<'_>,
) -> Result<()> {
    if let Some(id) = filter.id
        && one(&*target, id)?.is_none()
    {
        return Err(Error::Usage(format!("there is no reject {id}")));
    }
    for family in session.project.package.load_order() {
        for position in family {
            let name = session.tables[position].name.to_string();
            if filter.table.as_ref().is_some_and(|table| *table != name) {
                continue;
            }
            let filter = RejectFilter { table: Some(name), ..filter.clone() };
            let cases = numbers(&*target, &filter)?.into_iter().map(|reject| Case { reject, mended: None }).collect();
            table(session, target, position, QUARANTINE, cases, answer)?;
        }
    }
    Ok(())
}

fn corrected(
    session: &Session<'_>,
    target: &mut dyn Target,
    reject: RejectId,
    values: &[(String, Option<String>)],
    answer: &mut KeptAnswer<'_>,
) -> Result<()> {
    let gone = || Error::Usage(format!("the reject {reject} is not in the quarantine"));
    let found = open(&*target, reject)?.ok_or_else(gone)?;
    let row = Exporter::new(session, &*target, &found)?.corrected(&*target, &found, values)?;
    let position = session.project.position(&found.table)?;
    let cases = vec![Case { reject, mended: Some(row) }];
    table(session, target, position, QUARANTINE, cases, answer)
}

/// Gives the open rejects that `filter` wants up, for `reason`; how many. They stay in the quarantine, and are not tried again.
///
/// # Errors
/// A target that cannot be written.
pub fn discard(target: &mut dyn Target, filter: &RejectFilter, reason: &str) -> Result<u64> {
    discard_with(target, filter, reason, |_| None)
}

/// As [`discard`], with a document that is kept in the same transaction, where `answer` makes one of how many there were.
///
/// # Errors
/// A target that cannot be written; [`TargetErrorKind::Overtaken`](crate::TargetErrorKind) where there is such a document.
pub fn discard_with(
    target: &mut dyn Target,
    filter: &RejectFilter,
    reason: &str,
    answer: impl FnOnce(u64) -> Option<NewDocument>,
) -> Result<u64> {
    let mut wanted = Vec::new();
    pages(&*target, filter, &mut |reject| {
        wanted.push((reject.id, reject.load));
        Ok(())
    })?;
    let mut transaction = target.transaction(Fence::Pipeline, Pace::InStep)?;
    let mut count = 0;
    for (reject, load) in wanted {
        count += u64::from(transaction.discard(reject, load, reason)?);
    }
    if let Some(document) = answer(count) {
        transaction.add_documents(&[document])?;
    }
    transaction.commit()?;
    target.settle()?;
    Ok(count)
}

fn from_file(
    session: &Session<'_>,
    target: &mut dyn Target,
    MendedFile { path, table: only, allows_other_changes }: &MendedFile,
    answer: &mut KeptAnswer<'_>,
) -> Result<()> {
    let (path, only) = (path.as_path(), only.as_deref());
    let mut others = OtherChanges::default();
    let mut cases: BTreeMap<usize, Vec<Case>> = BTreeMap::new();
    let mut exporters = HashMap::new();
    let mut gone = 0_u64;
    let mut met = HashSet::new();
    read_mended(path, &mut |labels, row| {
        if !met.insert(row.reject) {
            let reason = format!("the reject {} occurs twice in it; one row can mend it", row.reject);
            return Err(Error::source(path.display().to_string(), reason));
        }
        let Some(reject) = one(&*target, row.reject)?.filter(|reject| reject.state == RejectState::Open) else {
            gone += 1;
            return Ok(());
        };
        if only.is_some_and(|only| *only != *reject.table) {
            let reason = format!("the reject {} is not one of the table {:?}", row.reject, only.unwrap_or_default());
            return Err(Error::source(path.display().to_string(), reason));
        }
        let exporter = match exporters.entry(reject.load) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Exporter::new(session, &*target, &reject)?)
            }
        };
        let row = if labels == exporter.labels() {
            row
        } else if exporter.are_fields(labels) {
            let (cells, ..) = exporter.cells(&*target, &reject)?;
            exporter.of_fields(&cells, row).map_err(|reason| Error::source(path.display().to_string(), reason))?
        } else {
            return Err(other_columns(path, labels, exporter));
        };
        let mended = exporter.mended(&*target, &reject, row, &mut others)?;
        let mended = mended.map_err(|reason| Error::source(path.display().to_string(), reason))?;
        let position = session.project.position(&reject.table)?;
        cases.entry(position).or_default().push(Case { reject: reject.id, mended });
        Ok(())
    })?;
    if !allows_other_changes {
        others.refuse(&path.display().to_string())?;
    }
    if gone > 0 {
        tracing::warn!(
            rows = gone,
            "rows of the file belong to rejects that have left the quarantine; they were skipped"
        );
    }
    let source = path.display().to_string();
    for family in session.project.package.load_order() {
        for position in family {
            let cases = cases.remove(&position).unwrap_or_default();
            table(session, target, position, &source, cases, answer)?;
        }
    }
    Ok(())
}

fn other_columns(path: &std::path::Path, labels: &[String], exporter: &Exporter<'_>) -> Error {
    let (labels, others) = (labels.join(", "), exporter.labels().join(", "));
    Error::source(
        path.display().to_string(),
        format!("its columns are {labels}, and those of the rejects' source {others}"),
    )
}

/// Tries the cases of one table, in one transaction, which keeps the answer too.
fn table(
    session: &Session<'_>,
    target: &mut dyn Target,
    position: usize,
    source: &str,
    cases: Vec<Case>,
    answer: &mut KeptAnswer<'_>,
) -> Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let table = &session.tables[position];
    session.observer.begins(&table.name, source);
    let mut trial = Trial::new(session, &*target, position, OnConflict::Reject);
    // Rows of several tables that need each other are taken over together, at the end of the command.
    if circular(session, &[position]) {
        trial.pardoned = claims_to_come(session, &*target, &[position], None, OnConflict::Reject)?;
    }
    let mut transaction = target.transaction(Fence::Pipeline, Pace::InStep)?;
    let mut entry = LoadEntry::new(&table.name, source, Mode::Retry, OnConflict::Reject);
    entry.id = transaction.add_load(&entry)?;
    let mut attempt =
        Attempt { session, transaction: &mut *transaction, trial, entry: &mut entry, reasons: Reasons::default() };
    attempt.all(cases)?;
    attempt.trial.hold_parents(attempt.transaction)?;
    let reasons = attempt.reasons;
    complete(&mut *transaction, &mut entry, started)?;
    let outcome = outcome(&entry, &reasons);
    answer.keep(&mut *transaction, outcome.clone())?;
    transaction.commit()?;
    session.observer.ends(&outcome);
    Ok(())
}

/// The cases of one table under way.
struct Attempt<'a, 's> {
    session: &'s Session<'s>,
    transaction: &'a mut dyn Transaction,
    trial: Trial<'s>,
    entry: &'a mut LoadEntry,
    reasons: Reasons,
}

impl Attempt<'_, '_> {
    /// Tries all cases; those that only lack a parent once more whenever others have passed.
    fn all(&mut self, mut cases: Vec<Case>) -> Result<()> {
        loop {
            let before = cases.len();
            let mut waiting = Vec::new();
            for case in cases {
                let Some(reject) = open(&*self.transaction, case.reject)? else { continue };
                match self.try_case(&reject, &case)? {
                    Verdict::Rejected(errors) if is_waiting(&errors) => waiting.push(case),
                    verdict => self.settle(&reject, &case, &verdict)?,
                }
            }
            cases = waiting;
            if cases.is_empty() || cases.len() == before {
                break;
            }
        }
        for case in cases {
            let Some(reject) = open(&*self.transaction, case.reject)? else { continue };
            let verdict = self.try_case(&reject, &case)?;
            self.settle(&reject, &case, &verdict)?;
        }
        Ok(())
    }

    fn try_case(&mut self, reject: &Reject, case: &Case) -> Result<Verdict> {
        match &case.mended {
            Some(row) => self.trial.record(self.transaction, reject.load, Bytes::Mended(&row.bytes())),
            None => try_raw(self.session, self.transaction, &mut self.trial, reject),
        }
    }

    fn settle(&mut self, reject: &Reject, case: &Case, verdict: &Verdict) -> Result<()> {
        let mended = case.mended.as_ref().map(MendedRow::bytes);
        let load = self.entry.id;
        settle(self.transaction, load, reject, verdict, mended.as_deref(), &mut self.entry.counts, &mut self.reasons)
    }
}
