//! Results that are kept: reports with `refresh_results` are answered from a stored result, which is renewed after loads or on a schedule.
//! The results are documents of the target, so that they outlive the process, and all services give the same.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use landfall_core::keys::Scalar;
use landfall_engine::{
    Result,
    document::{DocumentFilter, NewDocument},
    ledger::{LoadFilter, LoadId, LoadState},
    report::{ReportDefinition, ReportFormat, StoredResult},
    targets::{Fence, Pace, Target},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Mutex as Turn, time::sleep};

use crate::config::{DeclaredReport, RefreshRule, Schedule};
use crate::http::{
    problem::{Outcome, Problem},
    resources::reports::entity_tag,
    service::Service,
};

/// The kind of document that a result is.
const KIND: &str = "result";
/// The most bytes of a result that is kept; larger ones are asked for each time.
const MOST: usize = 1 << 20;
/// The most bytes of all results.
const MOST_TOGETHER: usize = 32 << 20;
/// How often the ledger is looked at, and the schedules are.
const GLANCE: Duration = Duration::from_secs(1);
/// How far behind another one the clock of a service may be.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);
/// A result is renewed at most once in so many times the time that this takes.
const REST: u32 = 4;
/// Under this name the service itself asks for reports. No token has it.
const REFRESHER: &str = "(refresh)";

/// A result as the database keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct StoredReport {
    report: String,
    /// The parameters as they were asked for.
    given: Vec<(String, String)>,
    at: Timestamp,
    result: StoredResult,
}

/// A result that is kept.
#[derive(Debug)]
pub(in crate::http) struct CachedResult {
    pub(in crate::http) at: Timestamp,
    result: StoredResult,
    report: String,
    given: Vec<(String, String)>,
    /// The state of the ledger that it is of.
    generation: u64,
    /// Before then it is not renewed.
    rests_until: Instant,
    bytes: usize,
    used: Mutex<Instant>,
    /// Written in the formats that were asked for of late, with their tags.
    written: Mutex<Vec<(ReportFormat, Bytes, String)>>,
}

/// Formats of a result that are kept as they were written.
const FORMATS: usize = 2;

impl CachedResult {
    /// The result in a format, and its tag.
    pub(in crate::http) fn render_result(
        &self,
        definition: &ReportDefinition,
        format: ReportFormat,
    ) -> Result<(Bytes, String)> {
        if let Some((_, body, tag)) = lock_mutex(&self.written).iter().find(|(known, ..)| *known == format) {
            return Ok((body.clone(), tag.clone()));
        }
        let mut body = Vec::new();
        definition.write(&|rows| self.result.replay_rows(rows), format, &mut body)?;
        let tag = entity_tag(&body);
        let body = Bytes::from(body);
        let mut written = lock_mutex(&self.written);
        written.truncate(FORMATS - 1);
        written.insert(0, (format, body.clone(), tag.clone()));
        Ok((body, tag))
    }
}

/// The results that are kept.
#[derive(Debug, Default)]
pub(in crate::http) struct ResultCache {
    held: Mutex<HashMap<String, Arc<CachedResult>>>,
    /// How often the ledger has changed.
    generation: std::sync::atomic::AtomicU64,
    /// One at a time runs a report that is not kept yet, so that many who ask the same at once do not all run it.
    turns: Mutex<HashMap<String, Weak<Turn<()>>>>,
}

fn lock_mutex<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of a result: the same question to the same SQL.
fn result_name(definition: &ReportDefinition, values: &[(String, Scalar)]) -> String {
    let values: Vec<(&str, Value)> = values.iter().map(|(name, value)| (&**name, parameter_value(value))).collect();
    let question = json!([definition.name, definition.sql, values]).to_string();
    blake3::hash(question.as_bytes()).to_hex()[..32].to_owned()
}

/// The value of a parameter as JSON, by which it is told from all others.
fn parameter_value(value: &Scalar) -> Value {
    match value {
        Scalar::Null => Value::Null,
        Scalar::Integer(integer) => json!(integer),
        Scalar::Boolean(boolean) => json!(boolean),
        Scalar::Date(days) => json!({"date": days}),
        Scalar::Time(micros) => json!({"time": micros}),
        Scalar::Datetime(micros) => json!({"datetime": micros}),
        Scalar::Number(digits) => json!({"number": digits}),
        Scalar::Text(text) => json!(text),
    }
}

impl ResultCache {
    fn get(&self, name: &str) -> Option<Arc<CachedResult>> {
        let held = lock_mutex(&self.held).get(name).cloned()?;
        *lock_mutex(&held.used) = Instant::now();
        Some(held)
    }

    /// Keeps `held`, and forgets what was not asked for longest where there is too much.
    fn cache_result(&self, name: String, held: Arc<CachedResult>) {
        let mut all = lock_mutex(&self.held);
        all.insert(name.clone(), held);
        while all.values().map(|held| held.bytes).sum::<usize>() > MOST_TOGETHER {
            let oldest =
                all.iter().filter(|(other, _)| **other != name).min_by_key(|(_, held)| *lock_mutex(&held.used));
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            all.remove(&oldest);
        }
    }

    /// The turn to run the report of the result `name`.
    fn turn_for(&self, name: &str) -> Arc<Turn<()>> {
        let mut turns = lock_mutex(&self.turns);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = turns.get(name).and_then(Weak::upgrade).unwrap_or_default();
        turns.insert(name.to_owned(), Arc::downgrade(&turn));
        turn
    }

    fn generation(&self) -> u64 {
        self.generation.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// When the results of `report` are of: the oldest.
    pub(in crate::http) fn oldest_of(&self, report: &str) -> Option<Timestamp> {
        lock_mutex(&self.held).values().filter(|held| held.report == report).map(|held| held.at).min()
    }
}

/// The stored result of a report; none where it is too large to be kept.
pub(in crate::http) async fn stored_result(
    service: &Arc<Service>,
    caller: &str,
    definition: &ReportDefinition,
    values: &[(String, Scalar)],
    given: Vec<(String, String)>,
) -> Outcome<Option<Arc<CachedResult>>> {
    let results = &service.results;
    let name = result_name(definition, values);
    if let Some(held) = results.get(&name) {
        return Ok(Some(held));
    }
    let turn = results.turn_for(&name);
    let _turn = turn.lock().await;
    // The one before in this turn may have run it.
    if let Some(held) = results.get(&name) {
        return Ok(Some(held));
    }
    renew_result(service, caller, name, definition.clone(), values.to_vec(), given).await
}

/// Runs a report and keeps its result.
async fn renew_result(
    service: &Arc<Service>,
    caller: &str,
    name: String,
    definition: ReportDefinition,
    values: Vec<(String, Scalar)>,
    given: Vec<(String, String)>,
) -> Outcome<Option<Arc<CachedResult>>> {
    // Read before the report runs: a load meanwhile makes the result an old one at once.
    let (generation, at, begun) = (service.results.generation(), Timestamp::now(), Instant::now());
    let report = definition.name.clone();
    let limit = service.api.report_timeout;
    let collected =
        service.desk.run_report(caller, limit, move |target| match definition.collect_result(target, &values, MOST) {
            // This is how a result of more than `MOST` bytes is refused.
            Err(landfall_engine::Error::Usage(_)) => Ok(None),
            collected => collected.map(Some),
        });
    let Some(result) = collected.await? else { return Ok(None) };
    let kept = StoredReport { report, given, at, result };
    let body = serde_json::to_vec(&kept).unwrap_or_default();
    let StoredReport { report, given, at, result } = kept;
    let held = Arc::new(CachedResult {
        at,
        result,
        report,
        given,
        generation,
        rests_until: Instant::now() + (begun.elapsed() * REST).max(GLANCE),
        bytes: body.len(),
        used: Mutex::new(Instant::now()),
        written: Mutex::default(),
    });
    let document = NewDocument { kind: KIND, name: name.clone(), body };
    // An answer is an answer, also where it cannot be kept for the next process.
    if let Err(problem) = service.desk.write(move |target| store_document(target, document)).await {
        tracing::warn!(?problem, "a result cannot be stored");
    }
    service.results.cache_result(name, held.clone());
    Ok(Some(held))
}

fn store_document(target: &mut dyn Target, new: NewDocument) -> Result<()> {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    match transaction.find_document(KIND, &new.name)? {
        Some(document) => drop(transaction.change_document(&document, Some(&new.body))?),
        None => transaction.add_documents(&[new])?,
    }
    transaction.commit_now()
}

/// Renews results, as long as the service runs.
pub(in crate::http) async fn refresh_results(service: Weak<Service>) {
    let mut ledger = LedgerWatch::default();
    let mut known = false;
    loop {
        {
            // In a block of its own: held over the sleep, it would keep the service from ending.
            let Some(service) = service.upgrade() else { return };
            if service.reports.iter().all(|report| report.refresh.is_none()) {
                return;
            }
            if !known {
                // Tried in each round until the database can be read.
                known = load_stored(&service).await.is_ok();
            }
            if ledger.has_changed(&service).await {
                service.results.generation.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            for (name, held) in due_results(&service) {
                if let Err(problem) = renew_again(&service, name, &held).await {
                    tracing::warn!(
                        ?problem,
                        report = held.report,
                        "a result cannot be renewed; the last one is still given"
                    );
                }
            }
        }
        sleep(GLANCE).await;
    }
}

/// The results that are to be renewed now.
fn due_results(service: &Service) -> Vec<(String, Arc<CachedResult>)> {
    let generation = service.results.generation();
    let is_due = |held: &CachedResult| {
        let report = service.reports.iter().find(|report| report.name == held.report);
        match report.and_then(|report| report.refresh.as_ref()) {
            Some(RefreshRule::OnLoad) => held.generation < generation && held.rests_until < Instant::now(),
            Some(RefreshRule::At(schedule)) => is_due(schedule, held.at, Timestamp::now()),
            None => false,
        }
    };
    let all = lock_mutex(&service.results.held);
    all.iter().filter(|(_, held)| is_due(held)).map(|(name, held)| (name.clone(), held.clone())).collect()
}

/// Whether a result of `at` is to be renewed at `now`. One of a time to come was made by a clock that was ahead: it would stay until
/// that time.
fn is_due(schedule: &Schedule, at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > CLOCKS || schedule.next_after(at).is_some_and(|next| next <= now)
}

async fn renew_again(service: &Arc<Service>, name: String, held: &CachedResult) -> Outcome<()> {
    let Some((report, definition, values)) = restore_question(service, &held.report, &held.given).await else {
        // The report has left the project, or takes other parameters now.
        lock_mutex(&service.results.held).remove(&name);
        return Ok(());
    };
    // Another service may have done it already.
    if let Some(RefreshRule::At(schedule)) = &report.refresh {
        let wanted = name.clone();
        let found = service.desk.read_briefly(move |target| target.find_document(KIND, &wanted)).await?;
        let read = |body: Vec<u8>| Some((serde_json::from_slice::<StoredReport>(&body).ok()?, body.len()));
        let kept = found.and_then(|document| read(document.body));
        let is_new = |kept: &StoredReport| !is_due(schedule, kept.at, Timestamp::now());
        if let Some((kept, bytes)) = kept.filter(|(kept, _)| is_new(kept)) {
            cache_stored(service, name, kept, bytes);
            return Ok(());
        }
    }
    renew_result(service, REFRESHER, name, definition, values, held.given.clone()).await.map(drop)
}

/// A report with its SQL and the values of its parameters.
type ReportQuestion<'s> = (&'s DeclaredReport, ReportDefinition, Vec<(String, Scalar)>);

/// The question that was asked, as far as it can be asked now.
async fn restore_question<'s>(
    service: &'s Service,
    report: &str,
    given: &[(String, String)],
) -> Option<ReportQuestion<'s>> {
    let report = service.reports.iter().find(|known| known.name == report)?;
    let definition = report.load_definition(service).await.ok()?;
    let values = definition.bind_values(given).ok()?;
    Some((report, definition, values))
}

fn cache_stored(service: &Service, name: String, kept: StoredReport, bytes: usize) {
    let StoredReport { report, given, at, result } = kept;
    let (rests_until, used) = (Instant::now(), Mutex::new(Instant::now()));
    // Of no state of the ledger that is known: it is renewed when the ledger is looked at.
    let written = Mutex::default();
    let held = CachedResult { at, result, report, given, generation: 0, rests_until, bytes, used, written };
    service.results.cache_result(name, Arc::new(held));
}

/// Takes up what an earlier process has stored, as far as it answers a question of now.
async fn load_stored(service: &Arc<Service>) -> Outcome<()> {
    let found = service.desk.read_briefly(|target| target.find_documents(&DocumentFilter::all_of_kind(KIND))).await?;
    for document in found {
        let Ok(kept) = serde_json::from_slice::<StoredReport>(&document.body) else { continue };
        let same = restore_question(service, &kept.report, &kept.given)
            .await
            .is_some_and(|(_, definition, values)| result_name(&definition, &values) == document.name);
        if same && service.results.get(&document.name).is_none() {
            cache_stored(service, document.name, kept, document.body.len());
        } else if !same {
            // The SQL is another one now, and so nobody asks under this name again.
            let forgotten = service.desk.write(move |target| {
                let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
                transaction.change_document(&document, None)?;
                transaction.commit_now()
            });
            forgotten.await?;
        }
    }
    Ok(())
}

/// What was seen of the ledger: its last entry, and the loads that were running.
#[derive(Debug, Default)]
struct LedgerWatch {
    last: LoadId,
    running: BTreeMap<LoadId, u64>,
}

impl LedgerWatch {
    /// Whether the ledger has changed since it was looked at before. Loads that run are followed until they end; of those that
    /// began since, the newest tells of all.
    async fn has_changed(&mut self, service: &Service) -> bool {
        let (last, followed) = (self.last, self.running.keys().copied().collect::<Vec<_>>());
        let seen = service.desk.read_briefly(move |target| {
            let newest = LoadFilter { newest_first: true, limit: Some(1), after: last, ..LoadFilter::default() };
            let newest = target.find_loads(&newest)?.first().map(|entry| entry.id);
            let mut running = BTreeMap::new();
            if newest.is_some() {
                let begun = LoadFilter { state: Some(LoadState::Running), after: last, ..LoadFilter::default() };
                running.extend(target.find_loads(&begun)?.iter().map(|entry| (entry.id, entry.counts.read)));
            }
            for id in followed {
                let entry = target.find_loads(&LoadFilter { id: Some(id), ..LoadFilter::default() })?.pop();
                if let Some(entry) = entry.filter(|entry| entry.state == LoadState::Running) {
                    running.insert(id, entry.counts.read);
                }
            }
            Ok((newest, running))
        });
        let Ok((newest, running)) = seen.await.map_err(|problem: Problem| problem) else { return false };
        let changed = newest.is_some() || running != self.running;
        self.last = newest.unwrap_or(self.last);
        self.running = running;
        changed
    }
}
