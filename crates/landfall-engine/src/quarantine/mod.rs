//! The quarantine: rejected records with every reason, until they are mended or given up.

mod record;

use landfall_core::reject::{CellError, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use record::ShownReject;

use crate::ledger::{LoadEntry, LoadId, LoadState, RECORD_BYTES};

/// The number that names a reject, from 1 in the order in which rejects entered the quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RejectId(i64);

impl From<i64> for RejectId {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

impl From<RejectId> for i64 {
    fn from(id: RejectId) -> Self {
        id.0
    }
}

impl std::fmt::Display for RejectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for RejectId {
    type Err = &'static str;

    /// The number written as `text`, from 1.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().filter(|number| *number > 0).map(Self).ok_or("rejects are numbered from 1")
    }
}

/// A rejected record on its way into the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReject {
    /// Data records before it in its source, plus one.
    pub record: u64,
    /// The physical line of its first byte, from 1.
    pub line: u64,
    /// The offset of its first byte in the source, from 0.
    pub offset: u64,
    /// Its bytes as they stood in the source.
    pub raw: RawRecord,
    /// Every reason.
    pub errors: Vec<CellError>,
    /// Whether it cannot be judged before the table is finished: its key may have occurred before.
    pub deferred: bool,
}

impl NewReject {
    /// Whether nothing is wrong but that a parent row is missing: it is released by itself when the parent arrives.
    #[must_use]
    pub fn waits_for_parent(&self) -> bool {
        // One that is not judged yet may still turn out to have a second fault.
        !self.deferred && lacks_only_parents(&self.errors)
    }

    /// The same, with no more than its first `most` bytes, and with the length and digest of all of them among its errors. One that may
    /// still become a row by itself, since its parent is missing or its key not judged yet, has all of its bytes.
    #[must_use]
    pub fn with_at_most(mut self, most: u64) -> Self {
        if self.raw.len() <= most || self.deferred || self.waits_for_parent() {
            return self;
        }
        if let RawRecord::Whole(mut bytes) = self.raw {
            // The digest is of all bytes, so that the record can be found in its source and told from a similar one.
            let length = bytes.len() as u64;
            self.errors.push(cut_record_error(most, length, &blake3::hash(&bytes)));
            bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
            // `truncate` keeps the allocation, which for a long record is many times what stays.
            bytes.shrink_to_fit();
            self.raw = RawRecord::Head(bytes, length);
        }
        self
    }

    /// About the bytes that it takes in the database: a short record may have a long list of reasons.
    #[must_use]
    pub(crate) fn stored_size(&self) -> u64 {
        let raw = match &self.raw {
            RawRecord::Whole(bytes) | RawRecord::Head(bytes, _) => bytes.len() as u64,
            RawRecord::Long(length) => (*length).min(RECORD_BYTES as u64),
        };
        reject_size(raw, &self.errors)
    }

    /// The state in which it enters the quarantine.
    #[must_use]
    pub const fn state(&self) -> RejectState {
        if self.deferred { RejectState::Deferred } else { RejectState::Open }
    }
}

/// About the bytes that a reject takes in the database, of whose record `raw` bytes are kept.
pub(crate) fn reject_size(raw: u64, errors: &[CellError]) -> u64 {
    // Roughly what a row costs beside its texts: numbers, headers and index entries.
    const FIXED: usize = 64;
    let size = |error: &CellError| {
        let texts = [error.field.as_deref(), error.value.as_deref(), Some(&*error.message)];
        FIXED + texts.into_iter().flatten().map(str::len).sum::<usize>()
    };
    raw + (FIXED + errors.iter().map(size).sum::<usize>()) as u64
}

/// Whether `errors` say only that parent rows are missing.
#[must_use]
pub fn lacks_only_parents(errors: &[CellError]) -> bool {
    // `all` is true of an empty list, and a reject without reasons must not release itself.
    !errors.is_empty() && errors.iter().all(|error| error.code == ErrorCode::ForeignKey)
}

/// The error that says how much of a record is kept.
#[must_use]
pub fn cut_record_error(kept: u64, length: u64, digest: &blake3::Hash) -> CellError {
    let message = format!(
        "the quarantine keeps the first {kept} of its {length} bytes (BLAKE3 of all: {digest}), so that it cannot be retried; correct its \
         source and load that again, or raise the limit (--max-rejected-record-bytes)"
    );
    CellError::new(ErrorCode::RecordTooLong, None, None, message)
}

/// The bytes of a rejected record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawRecord {
    /// All of them.
    Whole(Vec<u8>),
    /// Too many to hold: this many, to be read again from the source.
    Long(u64),
    /// The first of them, and how many there are in all.
    Head(Vec<u8>, u64),
}

impl RawRecord {
    /// The number of bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Long(length) | Self::Head(_, length) => *length,
        }
    }

    /// Those that are at hand.
    #[must_use]
    pub fn available_bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) | Self::Head(bytes, _) => bytes,
            Self::Long(_) => &[],
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where a reject stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectState {
    /// In the quarantine.
    #[default]
    Open,
    /// Not judged before its load ends: its key may have occurred before, and the table that is being built cannot be
    /// searched yet. It counts as rejected until then.
    Deferred,
    /// It passed when it was tried again, and is a row now.
    Released,
    /// Its source was loaded again, with the same content or by a replace: the rejects of that load stand for it.
    Superseded,
    /// Somebody has given it up, and said why.
    Discarded,
}

impl RejectState {
    /// The state as it is written in the quarantine and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Deferred => "deferred",
            Self::Released => "released",
            Self::Superseded => "superseded",
            Self::Discarded => "discarded",
        }
    }

    /// The state written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Open, Self::Deferred, Self::Released, Self::Superseded, Self::Discarded];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// A reject of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The reject's number.
    pub id: RejectId,
    /// The load that rejected it.
    pub load: LoadId,
    /// The table that it was meant for.
    pub table: String,
    /// The source that it stood in.
    pub source: String,
    /// Data records before it in its source, plus one.
    pub record: u64,
    /// The physical line of its first byte, from 1.
    pub line: u64,
    /// The offset of its first byte in the source, from 0.
    pub offset: u64,
    /// The number of its bytes.
    pub length: u64,
    /// Its bytes; where there are more than [`Reject::RAW_LIMIT`], only the first.
    pub raw: Vec<u8>,
    /// Every reason.
    pub errors: Vec<CellError>,
    /// Where it stands.
    pub state: RejectState,
}

impl Reject {
    /// The most raw bytes that a listing carries; the rest is in the quarantine's parts. It is half of the smallest packet that MySQL is
    /// usually set to take (`max_allowed_packet`, 1 MiB), since a part travels in one. Earlier versions kept parts of 1 MiB.
    pub const RAW_LIMIT: usize = 512 << 10;
}

/// Which rejects of earlier loads a load closes: they were met again, and its own rejects stand for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosingRule {
    /// Those of loads of the same content.
    SameContent,
    /// Those of loads of the same source with other content: a replace has read it again.
    SameSource,
    /// Those of loads of the same content that were rolled back. A load that was rolled back itself stands for no others: it may
    /// not have met what an earlier one rejected.
    RolledBack,
}

impl ClosingRule {
    /// What is noted of a reject that is closed so.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::SameContent | Self::RolledBack => "superseded",
            Self::SameSource => "replaced",
        }
    }

    /// Whether the rejects of `earlier` are closed by `load`.
    pub(crate) fn closes_rejects(self, load: &LoadEntry, earlier: &LoadEntry) -> bool {
        let same = earlier.digest == load.digest;
        earlier.table == load.table
            && earlier.id < load.id
            && match self {
                Self::SameContent => same,
                // The same content is closed as such, and must not be counted under both rules.
                Self::SameSource => !same && earlier.source == load.source,
                Self::RolledBack => same && earlier.state == LoadState::RolledBack,
            }
    }
}

/// How many rejects of earlier loads were closed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ClosedRejects {
    /// Their content was loaded again.
    pub same_content: u64,
    /// A replace has read their source again.
    pub same_source: u64,
}

impl ClosedRejects {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.same_content == 0 && self.same_source == 0
    }
}

/// Which rejects are wanted; nothing given means all that are open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RejectFilter {
    /// Of this table.
    pub table: Option<String>,
    /// Of this load.
    pub load: Option<LoadId>,
    /// With an error of this code.
    pub code: Option<ErrorCode>,
    /// With an error at this field.
    pub field: Option<String>,
    /// This one.
    pub id: Option<RejectId>,
    /// Of loads before this one.
    pub before_load: Option<LoadId>,
    /// Only those that wait for a parent, and not of a load that was rolled back.
    pub waiting: bool,
    /// In this state; open where not given.
    pub state: Option<RejectState>,
    /// Those of any state.
    pub any_state: bool,
    /// Only those with a greater number: to page.
    pub after: RejectId,
    /// At most this many.
    pub limit: Option<u64>,
}

/// Rejects with the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectGroup {
    /// The table.
    pub table: String,
    /// The error's code.
    pub code: String,
    /// The error's field.
    pub field: Option<String>,
    /// How many rejects have such an error.
    pub count: u64,
    /// The value of one of them.
    pub example: Option<String>,
}

/// What was done to a reject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectEvent {
    /// The reject.
    pub reject: RejectId,
    /// The load that did it; the reject's own where it was discarded.
    pub load: LoadId,
    /// `released`, `retried` (and failed again), `superseded` (by the same content), `replaced` (by a replace that read its source
    /// again) or `discarded`.
    pub action: String,
    /// The record's bytes as they were tried, where they differ from the quarantine's; of one that was discarded, the reason. Of
    /// many bytes, the first [`MENDED_LIMIT`](Self::MENDED_LIMIT).
    pub mended: Option<Vec<u8>>,
    /// When, RFC 3339 in UTC.
    pub at: String,
}

impl RejectEvent {
    /// The event as JSON: what was done, by which load, when, and why a reject was discarded.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = json!({"action": self.action, "load_id": self.load, "at": self.at});
        // Of other events `mended` is the record itself, which is shown elsewhere and may be long.
        if let Some(reason) = self.mended.as_deref().filter(|_| self.action == "discarded") {
            value["reason"] = String::from_utf8_lossy(reason).into();
        }
        value
    }

    /// The most bytes that an event tells of a record as it was tried.
    pub const MENDED_LIMIT: usize = 16 << 10;
    /// The most events that are told of a reject: the last ones.
    pub const MOST: usize = 1000;
}
