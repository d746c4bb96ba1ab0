//! The rejects and what was done to them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use landfall_core::reject::CellError;

use crate::{
    error::TargetError,
    ledger::{LoadEntry, LoadId, LoadState},
    quarantine::{
        ClosingRule, NewReject, Reject, RejectEvent, RejectFilter, RejectGroup, RejectId, RejectState,
        lacks_only_parents,
    },
    targets::{Table, already_released_error},
    timestamp,
};

/// All rejects, by their numbers, and their events.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryQuarantine {
    rejects: BTreeMap<RejectId, Arc<QuarantinedReject>>,
    events: Vec<RejectEvent>,
    /// The number given last.
    last: RejectId,
}

/// A table, a code and a field.
type RejectCause<'q> = (&'q str, &'q str, Option<&'q str>);

/// A reject with what a listing leaves out.
#[derive(Debug, Clone)]
struct QuarantinedReject {
    reject: Reject,
    waiting: bool,
    /// The bytes behind the first [`Reject::RAW_LIMIT`], by their part.
    parts: BTreeMap<u64, Vec<u8>>,
    /// About the bytes that it takes.
    bytes: u64,
}

impl MemoryQuarantine {
    pub(super) fn add_reject(&mut self, load: &LoadEntry, table: &Table, new: &NewReject) -> RejectId {
        self.last = (i64::from(self.last) + 1).into();
        let mut kept = QuarantinedReject {
            reject: Reject {
                id: self.last,
                load: load.id,
                table: table.name.to_string(),
                source: load.source.clone(),
                record: new.record,
                line: new.line,
                offset: new.offset,
                length: new.raw.len(),
                raw: Vec::new(),
                errors: new.errors.clone(),
                state: new.state(),
            },
            waiting: new.waits_for_parent(),
            parts: BTreeMap::new(),
            bytes: new.stored_size(),
        };
        (0..)
            .zip(new.raw.available_bytes().chunks(Reject::RAW_LIMIT))
            .for_each(|(part, bytes)| kept.append_bytes(part, bytes));
        self.rejects.insert(self.last, Arc::new(kept));
        self.last
    }

    pub(super) fn append_bytes(&mut self, reject: RejectId, part: u64, bytes: &[u8]) {
        self.change_reject(reject, |kept| kept.append_bytes(part, bytes));
    }

    pub(super) fn release_reject(
        &mut self,
        reject: RejectId,
        load: LoadId,
        mended: Option<&[u8]>,
    ) -> Result<(), TargetError> {
        // Two retries may have read the same reject: the second would make a second row of it.
        if self.rejects.get(&reject).is_none_or(|kept| kept.reject.state != RejectState::Open) {
            return Err(already_released_error(reject));
        }
        self.change_reject(reject, |kept| kept.set_state(RejectState::Released));
        self.note_event(reject, load, "released", mended);
        Ok(())
    }

    pub(super) fn discard_reject(&mut self, reject: RejectId, load: LoadId, reason: &str) -> bool {
        if self.rejects.get(&reject).is_none_or(|kept| kept.reject.state != RejectState::Open) {
            return false;
        }
        self.change_reject(reject, |kept| kept.set_state(RejectState::Discarded));
        self.note_event(reject, load, "discarded", Some(reason.as_bytes()));
        true
    }

    pub(super) fn withdraw_rejects(&mut self, rejects: &[RejectId]) {
        for reject in rejects {
            self.rejects.remove(reject);
        }
    }

    pub(super) fn confirm_rejects(&mut self, rejects: &[(RejectId, Vec<CellError>)]) {
        for (reject, errors) in rejects {
            self.change_reject(*reject, |kept| {
                kept.reject.state = RejectState::Open;
                kept.reject.errors.clone_from(errors);
                kept.waiting = lacks_only_parents(errors);
            });
        }
    }

    pub(super) fn retry_failed(&mut self, reject: RejectId, load: LoadId, errors: &[CellError], mended: Option<&[u8]>) {
        self.change_reject(reject, |kept| {
            if kept.reject.state != RejectState::Open {
                return;
            }
            kept.reject.errors = errors.to_vec();
            // A mended record is not kept, so the one in the quarantine cannot be released when its parent comes.
            kept.waiting = mended.is_none() && lacks_only_parents(errors);
        });
        self.note_event(reject, load, "retried", mended);
    }

    /// Marks those open rejects of earlier loads as superseded by `load` that `closing` says; `loads` is the ledger.
    pub(super) fn supersede_rejects(&mut self, load: &LoadEntry, closing: ClosingRule, loads: &[LoadEntry]) -> u64 {
        let earlier = |entry: &&LoadEntry| closing.closes_rejects(load, entry);
        let earlier: HashSet<LoadId> = loads.iter().filter(earlier).map(|entry| entry.id).collect();
        let stale = |kept: &&Arc<QuarantinedReject>| {
            kept.reject.state == RejectState::Open && earlier.contains(&kept.reject.load)
        };
        let stale: Vec<RejectId> = self.rejects.values().filter(stale).map(|kept| kept.reject.id).collect();
        for &reject in &stale {
            self.change_reject(reject, |kept| kept.set_state(RejectState::Superseded));
            self.note_event(reject, load.id, closing.action(), None);
        }
        stale.len() as u64
    }

    fn change_reject(&mut self, reject: RejectId, change: impl FnOnce(&mut QuarantinedReject)) {
        if let Some(kept) = self.rejects.get_mut(&reject) {
            change(Arc::make_mut(kept));
        }
    }

    fn note_event(&mut self, reject: RejectId, load: LoadId, action: &str, mended: Option<&[u8]>) {
        let mended = mended.map(<[u8]>::to_vec);
        self.events.push(RejectEvent { reject, load, action: action.into(), mended, at: timestamp::now_utc() });
    }

    /// The rejects that `filter` wants, without its limit; `loads` is the ledger.
    pub(super) fn select_rejects<'q>(
        &'q self,
        filter: &'q RejectFilter,
        loads: &'q [LoadEntry],
    ) -> impl Iterator<Item = &'q Reject> {
        let wanted = move |kept: &&Arc<QuarantinedReject>| {
            kept.is_wanted(filter) && (!filter.waiting || kept.waits_for_parent(loads))
        };
        self.rejects.values().filter(wanted).map(|kept| &kept.reject)
    }

    /// About the bytes that all open rejects take.
    pub(super) fn open_bytes(&self) -> u64 {
        let open = self.rejects.values().filter(|kept| kept.reject.state == RejectState::Open);
        open.map(|kept| kept.bytes).sum()
    }

    /// The rejects that `filter` wants by cause, the largest group first.
    pub(super) fn group_rejects(&self, filter: &RejectFilter, loads: &[LoadEntry]) -> Vec<RejectGroup> {
        let mut members: BTreeMap<RejectCause<'_>, HashSet<RejectId>> = BTreeMap::new();
        let mut values: BTreeMap<RejectCause<'_>, Vec<&str>> = BTreeMap::new();
        for reject in self.select_rejects(filter, loads) {
            for error in &reject.errors {
                let cause = (reject.table.as_str(), error.code.as_str(), error.field.as_deref());
                members.entry(cause).or_default().insert(reject.id);
                values.entry(cause).or_default().extend(error.value.as_deref());
            }
        }
        let group = |(cause, members): (RejectCause<'_>, HashSet<RejectId>)| RejectGroup {
            table: cause.0.to_owned(),
            code: cause.1.to_owned(),
            field: cause.2.map(str::to_owned),
            count: members.len() as u64,
            // The least value, so that the same example is shown each time and by each database.
            example: values[&cause].iter().min().map(|value| (*value).to_owned()),
        };
        let mut groups: Vec<RejectGroup> = members.into_iter().map(group).collect();
        // Stable, so that groups of one size stay in the order of their causes.
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }

    /// All bytes of a reject, part by part.
    pub(super) fn raw_parts(&self, reject: RejectId) -> Vec<Vec<u8>> {
        let Some(kept) = self.rejects.get(&reject) else { return Vec::new() };
        std::iter::once(kept.reject.raw.clone()).chain(kept.parts.values().cloned()).collect()
    }

    pub(super) fn list_events(&self, reject: RejectId) -> Vec<RejectEvent> {
        let mut found: Vec<RejectEvent> = self.events.iter().filter(|event| event.reject == reject).cloned().collect();
        // The last ones are kept: what was done of late is what people ask for.
        found.drain(..found.len().saturating_sub(RejectEvent::MOST));
        found.iter_mut().filter_map(|event| event.mended.as_mut()).for_each(|b| b.truncate(RejectEvent::MENDED_LIMIT));
        found
    }
}

impl QuarantinedReject {
    fn append_bytes(&mut self, part: u64, bytes: &[u8]) {
        if part == 0 {
            self.reject.raw = bytes.to_vec();
        } else {
            self.parts.insert(part, bytes.to_vec());
        }
    }

    fn set_state(&mut self, state: RejectState) {
        self.reject.state = state;
        // Only an open reject can be released by a parent that arrives.
        self.waiting = false;
    }

    fn is_wanted(&self, filter: &RejectFilter) -> bool {
        let reject = &self.reject;
        let cause = |error: &CellError| {
            filter.code.is_none_or(|code| error.code == code)
                && filter.field.as_ref().is_none_or(|field| error.field.as_deref() == Some(field))
        };
        let any_cause = filter.code.is_none() && filter.field.is_none();
        reject.id > filter.after
            && (filter.any_state || reject.state == filter.state.unwrap_or_default())
            && filter.id.is_none_or(|id| reject.id == id)
            && filter.load.is_none_or(|load| reject.load == load)
            && filter.before_load.is_none_or(|load| reject.load < load)
            && filter.table.as_ref().is_none_or(|table| reject.table == *table)
            && (any_cause || reject.errors.iter().any(cause))
    }

    /// Whether it waits for a parent, and its load was not rolled back.
    fn waits_for_parent(&self, loads: &[LoadEntry]) -> bool {
        let rolled_back = |entry: &LoadEntry| entry.id == self.reject.load && entry.state == LoadState::RolledBack;
        self.waiting && !loads.iter().any(rolled_back)
    }
}
