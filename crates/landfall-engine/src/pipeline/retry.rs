//! Rejects are tried again: as they are, or as a person mended them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    time::Instant,
};

use landfall_core::schema::TableIndex;

use super::{
    LoadOptions, LoadOutcome, Observer, ReasonCounts,
    adopt::{
        claims_to_come, complete_retry, find_reject, is_circular, open, record_verdict, reject_ids, release_waiting,
        retry_outcome, try_as_is, visit_rejects,
    },
    layout_exporter::LayoutExporter,
    load::LoadSession,
    mended_file::{MendedRow, UnaskedChanges, read_mended},
    stored_answer::{StoredAnswer, WriteAnswer},
    trial::{RecordBytes, RecordTrial, TrialVerdict},
    writer::ChunkWriter,
};
use crate::{
    OptionStyle,
    document::NewDocument,
    error::{Error, Result},
    ledger::{LoadEntry, Mode, OnConflict},
    origin::QUARANTINE,
    project::Project,
    quarantine::{Reject, RejectFilter, RejectId, RejectState, lacks_only_parents},
    targets::{Fence, Pace, Target, Transaction},
};

/// What is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetrySelection {
    /// The open rejects that the filter wants, as they are in the quarantine.
    Quarantine(RejectFilter),
    /// The rows of a file that was exported and mended.
    Mended(MendedFilePath),
    /// One open reject, with other values for some of its fields, as they would stand in its source; none for a missing one.
    Corrected(RejectId, Vec<(String, Option<String>)>),
}

/// A file of rejects that was exported and mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MendedFilePath {
    /// Where it is.
    pub path: PathBuf,
    /// The table that all of its rejects must be of, if there is one.
    pub table: Option<String>,
    /// Whether cells may be changed that had no error.
    pub allows_other_changes: bool,
    /// How options are named in what is said of a fault.
    pub option_style: OptionStyle,
}

/// Tries rejects again under the rules of now. What passes is inserted and leaves the quarantine; what does not stays,
/// with its reasons of now; the quarantine keeps a trace of both. One outcome for each table.
///
/// # Errors
/// What stops a command; each table commits by itself.
pub fn retry_rejects(
    target: &mut dyn Target,
    project: &Project,
    what: &RetrySelection,
    observer: &dyn Observer,
) -> Result<Vec<LoadOutcome>> {
    retry_with(target, project, what, observer, &mut |_, _| Ok(None))
}

/// As [`retry_rejects`], with a document that is kept in the transaction of each table, where `answer` makes one of what was done so far. It is
/// brought up to date after rejects that waited were released.
///
/// # Errors
/// Those of [`retry_rejects`]; [`TargetErrorKind::Overtaken`](crate::TargetErrorKind) where there was such a document before.
pub fn retry_with(
    target: &mut dyn Target,
    project: &Project,
    what: &RetrySelection,
    observer: &dyn Observer,
    answer: WriteAnswer<'_>,
) -> Result<Vec<LoadOutcome>> {
    let tables = project.target_tables();
    target.drop_remakable(&tables)?;
    target.prepare_tables(&tables)?;
    let options = LoadOptions::default();
    let session = LoadSession { project, tables: &tables, options: &options, observer };
    let mut answer = StoredAnswer::new(answer);
    match what {
        RetrySelection::Quarantine(filter) => from_quarantine(&session, target, filter, &mut answer)?,
        RetrySelection::Mended(file) => retry_from_file(&session, target, file, &mut answer)?,
        RetrySelection::Corrected(reject, values) => retry_corrected(&session, target, *reject, values, &mut answer)?,
    }
    // Any table: a retry that died may have brought parents of what is not tried by this one.
    let grown = tables.iter().map(|table| table.name.to_string()).collect();
    let released = release_waiting(&session, &mut ChunkWriter::Each(target), answer.load_outcomes(), grown)?;
    let outcomes = answer.finish_answer(target, released)?;
    target.flush_commits()?;
    Ok(outcomes)
}

/// A record to try: its reject, and the row that mends it where there is one.
struct RetryCase {
    reject: RejectId,
    mended: Option<MendedRow>,
}

fn from_quarantine(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    filter: &RejectFilter,
    answer: &mut StoredAnswer<'_>,
) -> Result<()> {
    if let Some(id) = filter.id
        // A reject that has left the quarantine is just not tried. A number that never was one is a mistake.
        && find_reject(&*target, id)?.is_none()
    {
        return Err(Error::Usage(format!("there is no reject {id}")));
    }
    for family in session.project.package.load_order() {
        for position in family {
            let name = session.table_at(position).name.to_string();
            if filter.table.as_ref().is_some_and(|table| *table != name) {
                continue;
            }
            let filter = RejectFilter { table: Some(name), ..filter.clone() };
            let cases =
                // Ids only: the rejects themselves are read one by one, and may be long.
                reject_ids(&*target, &filter)?.into_iter().map(|reject| RetryCase { reject, mended: None }).collect();
            retry_table(session, target, position, QUARANTINE, cases, answer)?;
        }
    }
    Ok(())
}

fn retry_corrected(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    reject: RejectId,
    values: &[(String, Option<String>)],
    answer: &mut StoredAnswer<'_>,
) -> Result<()> {
    let gone = || Error::Usage(format!("the reject {reject} is not in the quarantine"));
    let found = open(&*target, reject)?.ok_or_else(gone)?;
    let row = LayoutExporter::new(session, &*target, &found)?.correct_record(&*target, &found, values)?;
    let position = session.project.find_position(&found.table)?;
    let cases = vec![RetryCase { reject, mended: Some(row) }];
    retry_table(session, target, position, QUARANTINE, cases, answer)
}

/// Gives the open rejects that `filter` wants up, for `reason`; how many. They stay in the quarantine, and are not tried again.
///
/// # Errors
/// A target that cannot be written.
pub fn discard_rejects(target: &mut dyn Target, filter: &RejectFilter, reason: &str) -> Result<u64> {
    discard_with(target, filter, reason, |_| None)
}

/// As [`discard_rejects`], with a document that is kept in the same transaction, where `answer` makes one of how many there were.
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
    visit_rejects(&*target, filter, &mut |reject| {
        wanted.push((reject.id, reject.load));
        Ok(())
    })?;
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let mut count = 0;
    for (reject, load) in wanted {
        // Another process may have released it since it was listed. That one is not counted.
        count += u64::from(transaction.discard_reject(reject, load, reason)?);
    }
    if let Some(document) = answer(count) {
        transaction.add_documents(&[document])?;
    }
    transaction.commit_now()?;
    target.flush_commits()?;
    Ok(count)
}

fn retry_from_file(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    MendedFilePath { path, table: only, allows_other_changes, option_style }: &MendedFilePath,
    answer: &mut StoredAnswer<'_>,
) -> Result<()> {
    let (path, only) = (path.as_path(), only.as_deref());
    let mut others = UnaskedChanges::default();
    let mut cases: BTreeMap<TableIndex, Vec<RetryCase>> = BTreeMap::new();
    let mut exporters = HashMap::new();
    let mut gone = 0_u64;
    let mut met = HashSet::new();
    read_mended(path, &mut |labels, row| {
        if !met.insert(row.reject) {
            let reason = format!("the reject {} occurs twice in it; one row can mend it", row.reject);
            return Err(Error::source_error(path.display().to_string(), reason));
        }
        let Some(reject) = find_reject(&*target, row.reject)?.filter(|reject| reject.state == RejectState::Open) else {
            gone += 1;
            return Ok(());
        };
        if only.is_some_and(|only| *only != *reject.table) {
            let reason = format!("the reject {} is not one of the table {:?}", row.reject, only.unwrap_or_default());
            return Err(Error::source_error(path.display().to_string(), reason));
        }
        let exporter = match exporters.entry(reject.load) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(LayoutExporter::new(session, &*target, &reject)?)
            }
        };
        let row = if labels == exporter.source_labels() {
            row
        } else if exporter.are_fields(labels) {
            let (cells, ..) = exporter.reject_cells(&*target, &reject)?;
            exporter
                .to_source_row(&cells, row)
                .map_err(|reason| Error::source_error(path.display().to_string(), reason))?
        } else {
            return Err(other_columns(path, labels, exporter));
        };
        let mended = exporter.mend_row(&*target, &reject, row, &mut others)?;
        let mended = mended.map_err(|reason| Error::source_error(path.display().to_string(), reason))?;
        let position = session.project.find_position(&reject.table)?;
        cases.entry(position).or_default().push(RetryCase { reject: reject.id, mended });
        Ok(())
    })?;
    // After the whole file, and before anything is tried: a file with such changes changes nothing.
    if !allows_other_changes {
        others.refuse_changes(&path.display().to_string(), *option_style)?;
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
            // Parents first, in whatever order the file has them.
            let cases = cases.remove(&position).unwrap_or_default();
            retry_table(session, target, position, &source, cases, answer)?;
        }
    }
    Ok(())
}

fn other_columns(path: &std::path::Path, labels: &[String], exporter: &LayoutExporter<'_>) -> Error {
    let (labels, others) = (labels.join(", "), exporter.source_labels().join(", "));
    Error::source_error(
        path.display().to_string(),
        format!("its columns are {labels}, and those of the rejects' source {others}"),
    )
}

/// Tries the cases of one table, in one transaction, which keeps the answer too.
fn retry_table(
    session: &LoadSession<'_>,
    target: &mut dyn Target,
    position: TableIndex,
    source: &str,
    cases: Vec<RetryCase>,
    answer: &mut StoredAnswer<'_>,
) -> Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let table = session.table_at(position);
    session.observer.source_begins(&table.name, source);
    let mut trial = RecordTrial::new(session, &*target, position, OnConflict::Reject);
    // Rows of several tables that need each other are taken over together, at the end of the command.
    if is_circular(session, &[position]) {
        trial.pardoned = claims_to_come(session, &*target, &[position], None, OnConflict::Reject)?;
    }
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let mut entry = LoadEntry::new(&table.name, source, Mode::Retry, OnConflict::Reject);
    entry.id = transaction.add_load(&entry)?;
    let mut attempt = TableRetry {
        session,
        transaction: &mut *transaction,
        trial,
        entry: &mut entry,
        reasons: ReasonCounts::default(),
    };
    attempt.try_all_cases(cases)?;
    attempt.trial.hold_parents(attempt.transaction)?;
    let reasons = attempt.reasons;
    complete_retry(&mut *transaction, &mut entry, started)?;
    let outcome = retry_outcome(&entry, &reasons);
    answer.store_outcome(&mut *transaction, outcome.clone())?;
    transaction.commit_now()?;
    session.observer.source_ends(&outcome);
    Ok(())
}

/// The cases of one table under way.
struct TableRetry<'a, 's> {
    session: &'s LoadSession<'s>,
    transaction: &'a mut dyn Transaction,
    trial: RecordTrial<'s>,
    entry: &'a mut LoadEntry,
    reasons: ReasonCounts,
}

impl TableRetry<'_, '_> {
    /// Tries all cases; those that only lack a parent once more whenever others have passed.
    fn try_all_cases(&mut self, mut cases: Vec<RetryCase>) -> Result<()> {
        loop {
            let before = cases.len();
            let mut waiting = Vec::new();
            for case in cases {
                let Some(reject) = open(&*self.transaction, case.reject)? else { continue };
                match self.try_case(&reject, &case)? {
                    TrialVerdict::Rejected(errors) if lacks_only_parents(&errors) => waiting.push(case),
                    verdict => self.record_outcome(&reject, &case, &verdict)?,
                }
            }
            cases = waiting;
            // A round in which nothing passed: another one would find the same.
            if cases.is_empty() || cases.len() == before {
                break;
            }
        }
        for case in cases {
            // Tried once more for the reasons of now: those of an earlier round may name parents that have come
            // since.
            let Some(reject) = open(&*self.transaction, case.reject)? else { continue };
            let verdict = self.try_case(&reject, &case)?;
            self.record_outcome(&reject, &case, &verdict)?;
        }
        Ok(())
    }

    fn try_case(&mut self, reject: &Reject, case: &RetryCase) -> Result<TrialVerdict> {
        match &case.mended {
            Some(row) => self.trial.try_record(self.transaction, reject.load, RecordBytes::Mended(&row.record_bytes())),
            None => try_as_is(self.session, self.transaction, &mut self.trial, reject),
        }
    }

    fn record_outcome(&mut self, reject: &Reject, case: &RetryCase, verdict: &TrialVerdict) -> Result<()> {
        let mended = case.mended.as_ref().map(MendedRow::record_bytes);
        let load = self.entry.id;
        record_verdict(
            self.transaction,
            load,
            reject,
            verdict,
            mended.as_deref(),
            &mut self.entry.counts,
            &mut self.reasons,
        )
    }
}
