//! One load, verified: its source is read again, and its records are looked for in the table and the quarantine.

use std::path::PathBuf;

use landfall_core::{keys::IntegerSet, schema::TableIndex};

use super::{FindingKind, Verification, VerifiedLoad, VerifyFinding};
use crate::{
    count_noun,
    error::Result,
    ledger::{LoadEntry, LoadState},
    origin::Origin,
    pipeline::{Observer, RecountResult, is_json_layout, recount_load, visit_rejects},
    project::Project,
    quarantine::{RejectFilter, RejectState},
    rules_digest::RulesDigest,
    source::{Source, digest_source},
    targets::TargetRead,
};

/// What is wrong where the quarantine holds `held` of the records that `entry` rejected.
pub(super) fn lost_rejects(entry: &LoadEntry, held: u64) -> Option<String> {
    let said = entry.counts.rejected;
    (held != said).then(|| format!("the quarantine holds {held} of its records, and it rejected {said}"))
}

pub(super) fn load_finding(entry: &LoadEntry, message: String) -> VerifyFinding {
    let (table, source) = (entry.table.clone(), Some(entry.source.clone()));
    VerifyFinding { kind: FindingKind::Discrepancy, table, load_id: Some(entry.id), source, message }
}

/// How the records of a load are counted.
pub(super) struct CountingRules {
    /// The position of its table.
    pub(super) position: TableIndex,
    /// Its source, or why that is not read again.
    pub(super) source: Result<Source, String>,
    /// Whether a load may have given rows other content, or left that of the table.
    pub(super) may_change: bool,
}

pub(super) fn verify_load(
    read: &dyn TargetRead,
    project: &Project,
    CountingRules { position, source, may_change }: CountingRules,
    entry: &LoadEntry,
    observer: &dyn Observer,
    found: &mut Verification,
) -> Result<()> {
    let (quarantined, released) = quarantined_records(read, entry)?;
    let mut load = VerifiedLoad {
        load_id: entry.id,
        table: entry.table.clone(),
        source: entry.source.clone(),
        records: None,
        in_table: None,
        counts: entry.counts,
        changed_since: None,
        in_quarantine: quarantined.len() - released,
        released,
        note: (entry.state == LoadState::RolledBack).then(|| "it was rolled back: none of its records came in".into()),
    };
    let mut wrong = Vec::new();
    if !entry.counts.conserved() {
        wrong.push("its numbers do not add up".to_owned());
    }
    match source {
        _ if entry.state == LoadState::RolledBack => {}
        Err(note) => load.note = Some(note),
        Ok(source) => {
            let recount = recount_load(read, project, position, &source, entry, &quarantined, observer)?;
            load.records = Some(recount.records);
            load.in_table = Some(recount.in_table);
            load.changed_since = Some(recount.changed);
            if entry.state.is_resumable() {
                load.note =
                    Some("it has not ended, and is counted as far as it has read: run the same command again".into());
            }
            wrong.extend(count_differences(entry, &recount, may_change));
        }
    }
    if entry.state != LoadState::RolledBack {
        wrong.extend(lost_rejects(entry, quarantined.len()));
    }
    found.findings.extend(wrong.into_iter().map(|message| load_finding(entry, message)));
    found.loads.push(load);
    Ok(())
}

/// `may_change` where a load may have given rows other content, or left that of the table.
fn count_differences(entry: &LoadEntry, recount: &RecountResult, may_change: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    if recount.records != entry.counts.read {
        let (counted, said) = (count_noun(recount.records, "record"), entry.counts.read);
        wrong.push(format!("the source has {counted}, and the ledger says that {said} were read"));
    }
    let count_are = |count| format!("{} {}", count_noun(count, "record"), if count == 1 { "is" } else { "are" });
    if recount.changed > 0 && !may_change {
        wrong.push(format!(
            "{} in the table with other content, and no load has updated rows: another program has changed them",
            count_are(recount.changed)
        ));
    }
    if recount.missing > 0 && entry.state != LoadState::RolledBack {
        wrong.push(format!(
            "{} neither in the table nor in the quarantine, the first at line {}",
            count_are(recount.missing),
            recount.first_missing
        ));
    }
    wrong
}

/// The source of `entry`, if it is still what it was; why not, otherwise.
pub(super) fn reopen_source(project: &Project, position: TableIndex, entry: &LoadEntry) -> Result<Source, String> {
    match entry.origin {
        Origin::StandardInput => return Err("it was standard input, which cannot be read again".into()),
        Origin::Upload => return Err("it was uploaded, and is not kept".into()),
        Origin::Backup => return Err("it was restored from Avro, and is not read again".into()),
        Origin::File | Origin::Quarantine | Origin::Rows => {}
    }
    if is_json_layout(&entry.layout) {
        return Err("it was restored from Avro, and is not read again".into());
    }
    // Under other rules a record may read as another row, and would be missed without reason.
    if !RulesDigest::from_resource(&project.package[position]).matches_stored(&entry.rules) {
        return Err("the rules have changed since; its records were not looked for".into());
    }
    let path: PathBuf = project.folder.join(&entry.source);
    let source = Source::from_file(entry.source.clone(), path);
    // Of as many bytes as the load has read: a file that has grown since still begins with them.
    match digest_source(&source, Some(entry.digested)) {
        Err(_) => Err("the source is gone; its records were not looked for".into()),
        Ok(digest) if digest == (entry.digest.clone(), entry.digested) => Ok(source),
        Ok(_) => Err("the source has changed since; its records were not looked for".into()),
    }
}

/// The records of `entry` in the quarantine, in whatever state, and how many of them have left it as rows.
pub(super) fn quarantined_records(read: &dyn TargetRead, entry: &LoadEntry) -> Result<(IntegerSet, u64)> {
    let mut records = IntegerSet::default();
    let mut released = 0;
    let filter = RejectFilter { load: Some(entry.id), any_state: true, ..RejectFilter::default() };
    visit_rejects(read, &filter, &mut |reject| {
        records.insert(i64::try_from(reject.record).unwrap_or(i64::MAX));
        released += u64::from(reject.state == RejectState::Released);
        Ok(())
    })?;
    Ok((records, released))
}
