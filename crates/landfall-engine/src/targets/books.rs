//! Landfall's books: the ledger, the quarantine and the documents, which a target keeps beside the rows.
//!
//! A database that speaks SQL writes none of this itself: whatever reaches Landfall's own tables (`OwnTables`) has the books.

use landfall_core::reject::CellError;

use super::{
    Table,
    sql::{OwnTables, WritesOwnTables, documents, ledger, quarantine},
};
use crate::{
    document::{Document, DocumentFilter, NewDocument},
    error::Result,
    ledger::{LoadEntry, LoadFilter, LoadId},
    quarantine::{ClosingRule, NewReject, Reject, RejectEvent, RejectFilter, RejectGroup, RejectId},
};

/// The books as they can be read, within a transaction or outside one.
pub trait ReadBooks {
    /// The ledger: the entries of the loads that `filter` wants, in the order of their numbers.
    fn loads_of(&self, filter: &LoadFilter) -> Result<Vec<LoadEntry>>;

    /// The entries of all loads, oldest first. There may be very many: of each request for rows there is one.
    fn loads(&self) -> Result<Vec<LoadEntry>> {
        self.loads_of(&LoadFilter::default())
    }

    /// The documents that `filter` wants, in the order of their names.
    fn documents(&self, filter: &DocumentFilter) -> Result<Vec<Document>>;

    /// The document of `kind` called `name`.
    fn document(&self, kind: &str, name: &str) -> Result<Option<Document>> {
        let filter = DocumentFilter { names: Some(vec![name.to_owned()]), ..DocumentFilter::all_of_kind(kind) };
        Ok(self.documents(&filter)?.pop())
    }

    /// The rejects that `filter` wants, in the order of their numbers.
    fn rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>>;

    /// The number of rejects that `filter` wants, at most its limit.
    fn reject_count(&self, filter: &RejectFilter) -> Result<u64>;

    /// About the bytes that all open rejects take, with their reasons.
    fn open_reject_bytes(&self) -> Result<u64>;

    /// The rejects that `filter` wants, grouped by table, code and field, the largest group first.
    fn reject_groups(&self, filter: &RejectFilter) -> Result<Vec<RejectGroup>>;

    /// All bytes of a reject, handed to `visit` part by part.
    fn reject_raw(&self, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;

    /// What was done to a reject of late, oldest first.
    fn reject_events(&self, reject: RejectId) -> Result<Vec<RejectEvent>>;
}

/// The books as a write transaction changes them.
pub trait WriteBooks: ReadBooks {
    /// Stores `entries` as loads that have ended; their numbers, in the same order. Nothing is locked: they cannot go on, and
    /// nobody knows their sources again.
    fn add_ended_loads(&mut self, entries: &[LoadEntry]) -> Result<Vec<LoadId>>;

    /// Adds a reject of `load` to the quarantine.
    fn add_reject(&mut self, load: LoadId, table: &Table, reject: &NewReject) -> Result<RejectId>;

    /// Appends further bytes to the raw record of a reject.
    fn append_raw(&mut self, reject: RejectId, part: u64, bytes: &[u8]) -> Result<()>;

    /// Marks an open reject as released by `load`; `mended` are its bytes where a person changed them.
    ///
    /// # Errors
    /// [`TargetErrorKind::Overtaken`](crate::TargetErrorKind) where it is not open: another process was there first.
    fn release(&mut self, reject: RejectId, load: LoadId, mended: Option<&[u8]>) -> Result<()>;

    /// Marks a reject of `load` as discarded, for `reason`; whether it was open.
    fn discard(&mut self, reject: RejectId, load: LoadId, reason: &str) -> Result<bool>;

    /// Takes rejects out of the quarantine without a trace: their records were only deferred, and are rows of the load
    /// that deferred them.
    fn withdraw(&mut self, rejects: &[RejectId]) -> Result<()>;

    /// Turns deferred rejects into open ones, with these errors.
    fn confirm(&mut self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()>;

    /// Notes that a reject was tried by `load` and failed again, now with `errors`.
    fn retry_failed(
        &mut self,
        reject: RejectId,
        load: LoadId,
        errors: &[CellError],
        mended: Option<&[u8]>,
    ) -> Result<()>;

    /// Marks open rejects of earlier loads into the same table as superseded by `load`: those that `closing` says. How many.
    fn supersede(&mut self, load: &LoadEntry, closing: ClosingRule) -> Result<u64>;

    /// Stores new documents.
    ///
    /// # Errors
    /// [`TargetErrorKind::Overtaken`](crate::TargetErrorKind) where there is one of the same kind and name.
    fn add_documents(&mut self, documents: &[NewDocument]) -> Result<()>;

    /// Gives a document another body, or takes it away where there is none; whether it still had the version of `document`.
    fn change_document(&mut self, document: &Document, body: Option<&[u8]>) -> Result<bool>;

    /// Takes the documents of `kind` away that were not changed since `before` (RFC 3339 in UTC); how many.
    fn forget_documents(&mut self, kind: &str, before: &str) -> Result<u64>;
}

impl<T: OwnTables> ReadBooks for T {
    fn loads_of(&self, filter: &LoadFilter) -> Result<Vec<LoadEntry>> {
        self.own(|own| ledger::loads(own, filter))
    }

    fn documents(&self, filter: &DocumentFilter) -> Result<Vec<Document>> {
        self.own(|own| documents::documents(own, filter))
    }

    fn rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>> {
        self.own(|own| quarantine::rejects(own, filter))
    }

    fn reject_count(&self, filter: &RejectFilter) -> Result<u64> {
        self.own(|own| quarantine::count(own, filter))
    }

    fn open_reject_bytes(&self) -> Result<u64> {
        self.own(|own| quarantine::open_bytes(own))
    }

    fn reject_groups(&self, filter: &RejectFilter) -> Result<Vec<RejectGroup>> {
        self.own(|own| quarantine::groups(own, filter))
    }

    fn reject_raw(&self, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.own(|own| quarantine::raw(own, reject, visit))
    }

    fn reject_events(&self, reject: RejectId) -> Result<Vec<RejectEvent>> {
        self.own(|own| quarantine::events(own, reject))
    }
}

impl<T: WritesOwnTables> WriteBooks for T {
    fn add_ended_loads(&mut self, entries: &[LoadEntry]) -> Result<Vec<LoadId>> {
        self.own(|own| ledger::add_all(own, entries))
    }

    fn add_reject(&mut self, load: LoadId, table: &Table, reject: &NewReject) -> Result<RejectId> {
        self.own(|own| quarantine::add(own, load, table, reject))
    }

    fn append_raw(&mut self, reject: RejectId, part: u64, bytes: &[u8]) -> Result<()> {
        self.own(|own| quarantine::append_raw(own, reject, part, bytes))
    }

    fn release(&mut self, reject: RejectId, load: LoadId, mended: Option<&[u8]>) -> Result<()> {
        self.own(|own| quarantine::release(own, reject, load, mended))
    }

    fn discard(&mut self, reject: RejectId, load: LoadId, reason: &str) -> Result<bool> {
        self.own(|own| quarantine::discard(own, reject, load, reason))
    }

    fn withdraw(&mut self, rejects: &[RejectId]) -> Result<()> {
        self.own(|own| quarantine::withdraw(own, rejects))
    }

    fn confirm(&mut self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()> {
        self.own(|own| own.confirm_rejects(rejects))
    }

    fn retry_failed(
        &mut self,
        reject: RejectId,
        load: LoadId,
        errors: &[CellError],
        mended: Option<&[u8]>,
    ) -> Result<()> {
        self.own(|own| quarantine::retry_failed(own, reject, load, errors, mended))
    }

    fn supersede(&mut self, load: &LoadEntry, closing: ClosingRule) -> Result<u64> {
        self.own(|own| quarantine::supersede(own, load, closing))
    }

    fn add_documents(&mut self, documents: &[NewDocument]) -> Result<()> {
        self.own(|own| documents::add(own, documents))
    }

    fn change_document(&mut self, document: &Document, body: Option<&[u8]>) -> Result<bool> {
        self.own(|own| documents::change(own, document, body))
    }

    fn forget_documents(&mut self, kind: &str, before: &str) -> Result<u64> {
        self.own(|own| documents::forget(own, kind, before))
    }
}
