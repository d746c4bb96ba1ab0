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
    fn find_loads(&self, filter: &LoadFilter) -> Result<Vec<LoadEntry>>;

    /// The entries of all loads, oldest first. There may be very many: of each request for rows there is one.
    fn all_loads(&self) -> Result<Vec<LoadEntry>> {
        self.find_loads(&LoadFilter::default())
    }

    /// The documents that `filter` wants, in the order of their names.
    fn find_documents(&self, filter: &DocumentFilter) -> Result<Vec<Document>>;

    /// The document of `kind` called `name`.
    fn find_document(&self, kind: &str, name: &str) -> Result<Option<Document>> {
        let filter = DocumentFilter { names: Some(vec![name.to_owned()]), ..DocumentFilter::all_of_kind(kind) };
        Ok(self.find_documents(&filter)?.pop())
    }

    /// The rejects that `filter` wants, in the order of their numbers.
    fn find_rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>>;

    /// The number of rejects that `filter` wants, at most its limit.
    fn reject_count(&self, filter: &RejectFilter) -> Result<u64>;

    /// About the bytes that all open rejects take, with their reasons.
    fn open_reject_bytes(&self) -> Result<u64>;

    /// The rejects that `filter` wants, grouped by table, code and field, the largest group first.
    fn reject_groups(&self, filter: &RejectFilter) -> Result<Vec<RejectGroup>>;

    /// All bytes of a reject, handed to `visit` part by part.
    fn read_reject_bytes(&self, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;

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
    fn append_reject_bytes(&mut self, reject: RejectId, part: u64, bytes: &[u8]) -> Result<()>;

    /// Marks an open reject as released by `load`; `mended` are its bytes where a person changed them.
    ///
    /// # Errors
    /// [`TargetErrorKind::Overtaken`](crate::TargetErrorKind) where it is not open: another process was there first.
    fn release_reject(&mut self, reject: RejectId, load: LoadId, mended: Option<&[u8]>) -> Result<()>;

    /// Marks a reject of `load` as discarded, for `reason`; whether it was open.
    fn discard_reject(&mut self, reject: RejectId, load: LoadId, reason: &str) -> Result<bool>;

    /// Takes rejects out of the quarantine without a trace: their records were only deferred, and are rows of the load
    /// that deferred them.
    fn withdraw_rejects(&mut self, rejects: &[RejectId]) -> Result<()>;

    /// Turns deferred rejects into open ones, with these errors.
    fn confirm_rejects(&mut self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()>;

    /// Notes that a reject was tried by `load` and failed again, now with `errors`.
    fn retry_failed(
        &mut self,
        reject: RejectId,
        load: LoadId,
        errors: &[CellError],
        mended: Option<&[u8]>,
    ) -> Result<()>;

    /// Marks open rejects of earlier loads into the same table as superseded by `load`: those that `closing` says. How many.
    fn supersede_rejects(&mut self, load: &LoadEntry, closing: ClosingRule) -> Result<u64>;

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
    fn find_loads(&self, filter: &LoadFilter) -> Result<Vec<LoadEntry>> {
        self.with_own_tables(|own| ledger::find_loads(own, filter))
    }

    fn find_documents(&self, filter: &DocumentFilter) -> Result<Vec<Document>> {
        self.with_own_tables(|own| documents::find_documents(own, filter))
    }

    fn find_rejects(&self, filter: &RejectFilter) -> Result<Vec<Reject>> {
        self.with_own_tables(|own| quarantine::find_rejects(own, filter))
    }

    fn reject_count(&self, filter: &RejectFilter) -> Result<u64> {
        self.with_own_tables(|own| quarantine::count_rejects(own, filter))
    }

    fn open_reject_bytes(&self) -> Result<u64> {
        self.with_own_tables(|own| quarantine::open_bytes(own))
    }

    fn reject_groups(&self, filter: &RejectFilter) -> Result<Vec<RejectGroup>> {
        self.with_own_tables(|own| quarantine::group_rejects(own, filter))
    }

    fn read_reject_bytes(&self, reject: RejectId, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.with_own_tables(|own| quarantine::read_reject_bytes(own, reject, visit))
    }

    fn reject_events(&self, reject: RejectId) -> Result<Vec<RejectEvent>> {
        self.with_own_tables(|own| quarantine::list_events(own, reject))
    }
}

impl<T: WritesOwnTables> WriteBooks for T {
    fn add_ended_loads(&mut self, entries: &[LoadEntry]) -> Result<Vec<LoadId>> {
        self.with_own_tables(|own| ledger::add_loads(own, entries))
    }

    fn add_reject(&mut self, load: LoadId, table: &Table, reject: &NewReject) -> Result<RejectId> {
        self.with_own_tables(|own| quarantine::add_reject(own, load, table, reject))
    }

    fn append_reject_bytes(&mut self, reject: RejectId, part: u64, bytes: &[u8]) -> Result<()> {
        self.with_own_tables(|own| quarantine::append_reject_bytes(own, reject, part, bytes))
    }

    fn release_reject(&mut self, reject: RejectId, load: LoadId, mended: Option<&[u8]>) -> Result<()> {
        self.with_own_tables(|own| quarantine::release_reject(own, reject, load, mended))
    }

    fn discard_reject(&mut self, reject: RejectId, load: LoadId, reason: &str) -> Result<bool> {
        self.with_own_tables(|own| quarantine::discard_reject(own, reject, load, reason))
    }

    fn withdraw_rejects(&mut self, rejects: &[RejectId]) -> Result<()> {
        self.with_own_tables(|own| quarantine::withdraw_rejects(own, rejects))
    }

    fn confirm_rejects(&mut self, rejects: &[(RejectId, Vec<CellError>)]) -> Result<()> {
        self.with_own_tables(|own| own.confirm_rejects(rejects))
    }

    fn retry_failed(
        &mut self,
        reject: RejectId,
        load: LoadId,
        errors: &[CellError],
        mended: Option<&[u8]>,
    ) -> Result<()> {
        self.with_own_tables(|own| quarantine::retry_failed(own, reject, load, errors, mended))
    }

    fn supersede_rejects(&mut self, load: &LoadEntry, closing: ClosingRule) -> Result<u64> {
        self.with_own_tables(|own| quarantine::supersede_rejects(own, load, closing))
    }

    fn add_documents(&mut self, documents: &[NewDocument]) -> Result<()> {
        self.with_own_tables(|own| documents::add_documents(own, documents))
    }

    fn change_document(&mut self, document: &Document, body: Option<&[u8]>) -> Result<bool> {
        self.with_own_tables(|own| documents::change_document(own, document, body))
    }

    fn forget_documents(&mut self, kind: &str, before: &str) -> Result<u64> {
        self.with_own_tables(|own| documents::forget_documents(own, kind, before))
    }
}
