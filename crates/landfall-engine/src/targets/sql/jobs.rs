//! The tables of jobs: `jobs` is queue, lease and outcome; `job_claims` has nothing but the number of each job's attempt.
//!
//! The claim stands in a table of its own because every chunk of a job locks it until the chunk commits. The lease is renewed, and
//! the job cancelled, in the other table meanwhile, without waiting for the chunk. A worker takes a job only if it can lock
//! the claim at once: the chunk of a live worker keeps the job from being taken, although its lease may be over.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OwnRow, SqlConnection, SqlParameter, documents};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    job::{JobClaim, JobEnd, JobEntry, JobPage, JobState, NewJob},
    timestamp,
};

/// The columns of a job, as [`read_entry`] takes them.
const COLUMNS: &str = "j.job_id, j.kind, j.state, j.attempt, j.handed_back, j.is_cancelled, j.worker, j.created_at, j.started_at, \
                       j.ended_at, j.body";

/// Jobs that one transaction forgets.
const FORGOTTEN_AT_ONCE: u64 = 1000;

/// What no condition and no order needs of a job.
#[derive(Debug, Serialize, Deserialize)]
struct JobBody {
    tables: Vec<String>,
    request: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    outcome: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    problem: Value,
    #[serde(default)]
    put_off: u32,
    #[serde(default)]
    is_given_up: bool,
}

fn job_body(entry: &JobEntry) -> Vec<u8> {
    let JobEntry { tables, request, outcome, problem, put_off, is_given_up, .. } = entry.clone();
    let body = JobBody { tables, request, outcome, problem, put_off, is_given_up };
    serde_json::to_vec(&body).unwrap_or_else(|error| unreachable!("a job is plain data: {error}"))
}

/// Hands a page of jobs to `visit`, the newest first. Only one is read at a time: it may have an answer of many bytes.
pub(in crate::targets) fn visit_job_page(
    connection: &dyn SqlConnection,
    page: &JobPage,
    visit: &mut dyn FnMut(JobEntry) -> Result<()>,
) -> Result<()> {
    let (mut conditions, mut values): (Vec<&str>, Vec<SqlParameter<'_>>) = (Vec::new(), Vec::new());
    if let Some(state) = page.state {
        conditions.push("j.state = ?");
        values.push(state.as_str().into());
    }
    if let Some(before) = &page.before {
        conditions.push("j.job_id < ?");
        values.push(before.as_str().into());
    }
    let condition = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    let condition = format!("{condition} ORDER BY j.job_id DESC LIMIT {}", page.limit.min(i64::MAX as u64));
    read_each(connection, &condition, &values, visit)
}

/// The job called `id`.
pub(in crate::targets) fn find(connection: &dyn SqlConnection, id: &str) -> Result<Option<JobEntry>> {
    let mut found = None;
    read_each(connection, "WHERE j.job_id = ?", &[id.into()], &mut |entry| {
        found = Some(entry);
        Ok(())
    })?;
    Ok(found)
}

fn read_each(
    connection: &dyn SqlConnection,
    condition: &str,
    values: &[SqlParameter<'_>],
    visit: &mut dyn FnMut(JobEntry) -> Result<()>,
) -> Result<()> {
    if !connection.has_own_table("jobs")? {
        return Ok(());
    }
    let sql = format!("SELECT {COLUMNS} FROM {} AS j {condition}", connection.sql_spelling().own_table("jobs"));
    connection.query_rows(&sql, values, &mut |row| visit(read_entry(row)?))
}

fn read_entry(row: &mut OwnRow) -> Result<JobEntry> {
    let (id, kind, state) = (row.take_text()?, row.take_text()?, row.take_word(JobState::parse)?);
    let (attempt, handed_back) = (read_small(row)?, read_small(row)?);
    let is_cancelled = row.take_integer()? != 0;
    let (worker, created_at, started_at, ended_at) =
        (row.optional_text()?, row.take_text()?, row.optional_text()?, row.optional_text()?);
    let JobBody { tables, request, outcome, problem, put_off, is_given_up } =
        serde_json::from_slice(&row.take_bytes()?).map_err(|error| damaged_job_error(&id, &error))?;
    Ok(JobEntry {
        id,
        kind,
        tables,
        state,
        request,
        outcome,
        problem,
        attempt,
        handed_back,
        put_off,
        is_given_up,
        is_cancelled,
        worker,
        created_at,
        started_at,
        ended_at,
    })
}

fn read_small(row: &mut OwnRow) -> Result<u32> {
    Ok(u32::try_from(row.take_count()?).unwrap_or(u32::MAX))
}

pub(super) fn damaged_job_error(id: &str, error: &serde_json::Error) -> TargetError {
    let message = format!("the job {id:?} is not as Landfall stores one: {error}; another program has changed it");
    TargetError::new(TargetErrorKind::Statement, message)
}

/// How long it takes until a job may be taken, by the database's clock; none if no job waits or runs.
pub(in crate::targets) fn next_job_due(connection: &dyn SqlConnection, kinds: &[&str]) -> Result<Option<Duration>> {
    if !connection.has_own_table("jobs")? {
        return Ok(None);
    }
    let spelling = connection.sql_spelling();
    let sql = format!(
        "SELECT CAST(j.due_at - {} AS {}) FROM {} AS j WHERE j.due_at IS NOT NULL AND j.kind IN ({}) ORDER BY j.due_at LIMIT 1",
        spelling.now,
        spelling.integer,
        spelling.own_table("jobs"),
        vec!["?"; kinds.len()].join(", ")
    );
    let values: Vec<SqlParameter<'_>> = kinds.iter().map(|kind| SqlParameter::from(*kind)).collect();
    let mut due = None;
    connection.query_rows(&sql, &values, &mut |row| {
        // A job that is overdue has a negative time, and is due at once.
        due = Some(Duration::from_millis(u64::try_from(row.take_integer()?).unwrap_or(0)));
        Ok(())
    })?;
    Ok(due)
}

/// Stores new jobs, which may be taken at once.
///
/// # Errors
/// [`TargetErrorKind::Overtaken`] if there is one of the same name.
pub(in crate::targets) fn add_jobs(connection: &dyn SqlConnection, jobs: &[NewJob]) -> Result<()> {
    jobs.iter().try_for_each(|job| insert(connection, &job.to_entry()))
}

pub(super) fn insert(connection: &dyn SqlConnection, entry: &JobEntry) -> Result<()> {
    let spelling = connection.sql_spelling();
    let optional = |value: &Option<String>| if value.is_some() { "?" } else { "NULL" };
    // The clock of the database: those of the workers may differ.
    let due = if entry.state.is_final() { "NULL" } else { spelling.now };
    let sql = format!(
        "INSERT INTO {} (job_id, kind, state, attempt, handed_back, is_cancelled, due_at, created_at, body, started_at, ended_at)
         VALUES (?, ?, ?, ?, ?, ?, {due}, ?, ?, {}, {}){}",
        spelling.own_table("jobs"),
        optional(&entry.started_at),
        optional(&entry.ended_at),
        spelling.or_nothing
    );
    let body = job_body(entry);
    let mut values: Vec<SqlParameter<'_>> = vec![
        entry.id.as_str().into(),
        entry.kind.as_str().into(),
        entry.state.as_str().into(),
        u64::from(entry.attempt).into(),
        u64::from(entry.handed_back).into(),
        entry.is_cancelled.into(),
        entry.created_at.as_str().into(),
        SqlParameter::Bytes(Some(&body)),
    ];
    values.extend(
        [&entry.started_at, &entry.ended_at].into_iter().flatten().map(|text| SqlParameter::from(text.as_str())),
    );
    // The id is unique: whoever adds the same job a second time is told so, and adds nothing.
    documents::insert_once(connection, &sql, &values, 1)?;
    // The claim is in the same transaction: a job without one could never be taken.
    let sql = format!("INSERT INTO {} (job_id, attempt) VALUES (?, ?)", spelling.own_table("job_claims"));
    connection.execute_statement(&sql, &[entry.id.as_str().into(), u64::from(entry.attempt).into()]).map(drop)
}

/// Takes the job of one of `kinds` that was due first: one that waits, or whose worker let its lease run out.
pub(in crate::targets) fn take_job(
    connection: &dyn SqlConnection,
    kinds: &[&str],
    worker: &str,
    lease: Duration,
) -> Result<Option<JobEntry>> {
    let Some((id, attempt)) = find_due(connection, kinds)? else { return Ok(None) };
    let spelling = connection.sql_spelling();
    let sql = format!("UPDATE {} SET attempt = ? WHERE job_id = ? AND attempt = ?", spelling.own_table("job_claims"));
    let next = SqlParameter::from(attempt + 1);
    // The claim is what two workers race for. Whoever comes second finds another attempt, and takes nothing.
    if connection.execute_statement(&sql, &[next, id.as_str().into(), attempt.into()])? == 0 {
        return Ok(None);
    }
    // Only for people. Leases are in the database's clock, since those of workers differ.
    let now = timestamp::now_utc();
    let sql = format!(
        "UPDATE {} SET state = ?, attempt = ?, worker = ?, due_at = {} + ?, started_at = coalesce(started_at, ?) WHERE job_id = ?",
        spelling.own_table("jobs"),
        spelling.now
    );
    let running = JobState::Running.as_str().into();
    connection.execute_statement(
        &sql,
        &[running, next, worker.into(), millis_parameter(lease), now.as_str().into(), id.as_str().into()],
    )?;
    find(connection, &id)
}

/// Name and attempt of the job that was due first and that no transaction holds.
fn find_due(connection: &dyn SqlConnection, kinds: &[&str]) -> Result<Option<(String, u64)>> {
    let spelling = connection.sql_spelling();
    let sql = format!(
        "SELECT j.job_id, c.attempt FROM {} AS j JOIN {} AS c ON c.job_id = j.job_id
         WHERE j.due_at <= {} AND j.kind IN ({}) ORDER BY j.due_at, j.job_id LIMIT 1{}",
        spelling.own_table("jobs"),
        spelling.own_table("job_claims"),
        spelling.now,
        vec!["?"; kinds.len()].join(", "),
        spelling.for_update_if_free
    );
    let values: Vec<SqlParameter<'_>> = kinds.iter().map(|kind| SqlParameter::from(*kind)).collect();
    let mut due = None;
    connection.query_rows(&sql, &values, &mut |row| {
        due = Some((row.take_text()?, row.take_count()?));
        Ok(())
    })?;
    Ok(due)
}

fn millis_parameter(time: Duration) -> SqlParameter<'static> {
    SqlParameter::from(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Which row of `jobs` a claim is about, as the end of a statement with the parameters of [`claim_parameters`].
// The attempt is what fences off a worker whose job was taken over: its statements find no row.
const CLAIMED: &str = "WHERE job_id = ? AND attempt = ? AND state = ?";

fn claim_parameters(claim: &JobClaim) -> [SqlParameter<'_>; 3] {
    [claim.job.as_str().into(), u64::from(claim.attempt).into(), JobState::Running.as_str().into()]
}

/// Gives a claim a new lease: whether somebody wants the job to end. None if the claim is lost.
pub(in crate::targets) fn renew_lease(
    connection: &dyn SqlConnection,
    claim: &JobClaim,
    lease: Duration,
) -> Result<Option<bool>> {
    let spelling = connection.sql_spelling();
    let sql = format!("UPDATE {} SET due_at = {} + ? {CLAIMED}", spelling.own_table("jobs"), spelling.now);
    let [job, attempt, state] = claim_parameters(claim);
    connection.execute_statement(&sql, &[millis_parameter(lease), job, attempt, state])?;
    // A database may count only rows that it changed, so the row itself says whether the claim is good.
    let mut is_cancelled = None;
    let sql = format!("SELECT is_cancelled FROM {} {CLAIMED}", spelling.own_table("jobs"));
    connection.query_rows(&sql, &[job, attempt, state], &mut |row| {
        is_cancelled = Some(row.take_integer()? != 0);
        Ok(())
    })?;
    Ok(is_cancelled)
}

/// Keeps others from taking the job until the transaction ends.
///
/// # Errors
/// [`TargetErrorKind::ClaimLost`] if another worker has taken it.
pub(in crate::targets) fn lock_claim(connection: &dyn SqlConnection, claim: &JobClaim) -> Result<()> {
    let spelling = connection.sql_spelling();
    let sql = format!(
        "SELECT attempt FROM {} WHERE job_id = ? AND attempt = ?{}",
        spelling.own_table("job_claims"),
        spelling.for_share
    );
    let mut is_held = false;
    connection.query_rows(&sql, &[claim.job.as_str().into(), u64::from(claim.attempt).into()], &mut |_| {
        is_held = true;
        Ok(())
    })?;
    if is_held { Ok(()) } else { Err(claim.lost().into()) }
}

/// The job of a claim that is not lost.
fn find_claimed(connection: &dyn SqlConnection, claim: &JobClaim) -> Result<Option<JobEntry>> {
    let entry = find(connection, &claim.job)?;
    Ok(entry.filter(|entry| entry.state == JobState::Running && entry.attempt == claim.attempt))
}

/// Gives the job of a claim another request; whether the claim was good.
pub(in crate::targets) fn note_request(
    connection: &dyn SqlConnection,
    claim: &JobClaim,
    request: &Value,
) -> Result<bool> {
    let Some(mut entry) = find_claimed(connection, claim)? else { return Ok(false) };
    entry.request = request.clone();
    let body = job_body(&entry);
    let [job, attempt, state] = claim_parameters(claim);
    let sql = format!("UPDATE {} SET body = ? {CLAIMED}", connection.sql_spelling().own_table("jobs"));
    connection.execute_statement(&sql, &[SqlParameter::Bytes(Some(&body)), job, attempt, state])?;
    Ok(true)
}

/// Ends the attempt of a claim; whether the claim was good.
pub(in crate::targets) fn end_job(connection: &dyn SqlConnection, claim: &JobClaim, end: &JobEnd) -> Result<bool> {
    let Some(mut entry) = find_claimed(connection, claim)? else { return Ok(false) };
    end.apply(&mut entry);
    let spelling = connection.sql_spelling();
    let due = end.pause().map_or_else(|| "NULL".to_owned(), |_| format!("{} + ?", spelling.now));
    let ended_at = if entry.ended_at.is_some() { "?" } else { "NULL" };
    let sql = format!(
        "UPDATE {} SET state = ?, handed_back = ?, worker = NULL, body = ?, due_at = {due}, ended_at = {ended_at} {CLAIMED}",
        spelling.own_table("jobs")
    );
    let body = job_body(&entry);
    let mut values: Vec<SqlParameter<'_>> =
        vec![entry.state.as_str().into(), u64::from(entry.handed_back).into(), SqlParameter::Bytes(Some(&body))];
    values.extend(end.pause().map(millis_parameter));
    values.extend(entry.ended_at.as_deref().map(SqlParameter::from));
    values.extend(claim_parameters(claim));
    Ok(connection.execute_statement(&sql, &values)? == 1)
}

/// Notes that somebody wants a job to end. One that was never begun ends at once. The job as it is afterwards.
pub(in crate::targets) fn cancel_job(connection: &dyn SqlConnection, id: &str) -> Result<Option<JobEntry>> {
    let table = connection.sql_spelling().own_table("jobs");
    // First the wish, for a worker that runs the job; its next renewal of the lease tells it.
    let sql = format!("UPDATE {table} SET is_cancelled = 1 WHERE job_id = ? AND state IN (?, ?)");
    let (pending, running, cancelled) =
        (JobState::Pending.as_str(), JobState::Running.as_str(), JobState::Cancelled.as_str());
    connection.execute_statement(&sql, &[id.into(), pending.into(), running.into()])?;
    let sql = format!(
        "UPDATE {table} SET state = ?, due_at = NULL, ended_at = ? WHERE job_id = ? AND state = ? AND attempt = 0"
    );
    let now = timestamp::now_utc();
    connection.execute_statement(&sql, &[cancelled.into(), now.as_str().into(), id.into(), pending.into()])?;
    find(connection, id)
}

/// Has a job that was given up wait for a worker again. The job as it is afterwards.
pub(in crate::targets) fn retry_job(connection: &dyn SqlConnection, id: &str) -> Result<Option<JobEntry>> {
    let Some(mut entry) = find(connection, id)? else { return Ok(None) };
    if entry.try_again() {
        let spelling = connection.sql_spelling();
        // Somebody else may have had the same wish: then the row is not the one that was read.
        let sql = format!(
            "UPDATE {} SET state = ?, handed_back = ?, body = ?, due_at = {}, ended_at = NULL WHERE job_id = ? AND state = ?",
            spelling.own_table("jobs"),
            spelling.now
        );
        let body = job_body(&entry);
        let values = [
            entry.state.as_str().into(),
            u64::from(entry.handed_back).into(),
            SqlParameter::Bytes(Some(&body)),
            id.into(),
            JobState::Failed.as_str().into(),
        ];
        connection.execute_statement(&sql, &values)?;
    }
    find(connection, id)
}

/// Takes the jobs away that ended before a time; their names.
pub(in crate::targets) fn forget_jobs(connection: &dyn SqlConnection, ended_before: &str) -> Result<Vec<String>> {
    let spelling = connection.sql_spelling();
    let (jobs, claims) = (spelling.own_table("jobs"), spelling.own_table("job_claims"));
    let mut names = Vec::new();
    let sql = format!("SELECT job_id FROM {jobs} WHERE ended_at < ? ORDER BY ended_at LIMIT {FORGOTTEN_AT_ONCE}");
    connection.query_rows(&sql, &[ended_before.into()], &mut |row| {
        names.push(row.take_text()?);
        Ok(())
    })?;
    for name in &names {
        // The claim first: a transaction of the job that is not over yet holds it, and is waited for.
        connection.execute_statement(&format!("DELETE FROM {claims} WHERE job_id = ?"), &[name.as_str().into()])?;
        connection.execute_statement(&format!("DELETE FROM {jobs} WHERE job_id = ?"), &[name.as_str().into()])?;
    }
    Ok(names)
}
