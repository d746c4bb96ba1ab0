//! The ledger: what is known of every load.

mod filter;
mod mode;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use filter::LoadFilter;
pub use mode::{Mode, OnConflict};

use crate::{
    origin::{self, Origin},
    timestamp,
};

/// The number that names a load, from 1 in the order in which loads began; 0 as long as it is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoadId(i64);

impl LoadId {
    /// No load: the number of an entry that is not stored yet. It is smaller than every other.
    pub const NONE: Self = Self(0);

    /// The number, for whoever is told of a load; none of one that is not stored, such as a dry run's.
    #[must_use]
    pub fn to_stored(self) -> Option<Self> {
        self.is_stored().then_some(self)
    }

    /// Whether it names a load of the ledger.
    #[must_use]
    pub const fn is_stored(self) -> bool {
        self.0 != 0
    }
}

impl From<i64> for LoadId {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

impl From<LoadId> for i64 {
    fn from(id: LoadId) -> Self {
        id.0
    }
}

impl std::fmt::Display for LoadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for LoadId {
    type Err = &'static str;

    /// The number written as `text`, from 1.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // 0 is an entry that is not stored, so nobody can ask for it.
        text.parse().ok().filter(|number| *number > 0).map(Self).ok_or("loads are numbered from 1")
    }
}

/// The most bytes of a record where nothing else is asked for.
pub const RECORD_BYTES: usize = 16 << 20;

/// The state of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadState {
    /// Records are being read, or the process died while they were: the same command resumes it.
    Running,
    /// The whole source was read, and every record is accounted for.
    Complete,
    /// The source had more rejects than were allowed; what was read so far is accounted for. The same command resumes it.
    Stopped,
    /// The load was all or nothing, and is nothing: no row was inserted.
    RolledBack,
    /// The source changed after the load was interrupted; what was read until then is accounted for.
    Abandoned,
    /// The ledger knew the source's content already, and nothing was read. Such a load has no entry of its own.
    Known,
}

impl LoadState {
    /// The state as it is written in the ledger and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Stopped => "stopped",
            Self::RolledBack => "rolled-back",
            Self::Abandoned => "abandoned",
            Self::Known => "known",
        }
    }

    /// Whether the same command resumes a load in this state.
    #[must_use]
    pub const fn is_resumable(self) -> bool {
        matches!(self, Self::Running | Self::Stopped)
    }

    /// The state written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Complete, Self::Stopped, Self::RolledBack, Self::Abandoned, Self::Known]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// How many records there were, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records read.
    pub read: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows of the table that were given new content.
    pub updated: u64,
    /// Rows that the table held already.
    pub unchanged: u64,
    /// Records in the quarantine.
    pub rejected: u64,
}

impl Counts {
    /// Promise 1: every record read is accounted for.
    #[must_use]
    pub const fn conserved(&self) -> bool {
        self.read == self.inserted + self.updated + self.unchanged + self.rejected
    }
}

impl Counts {
    /// `object` with the counts behind its members: so they stand in every answer and document.
    #[must_use]
    pub fn append_to(self, mut object: Value) -> Value {
        // Taken apart without `..`, so that a new count cannot be forgotten here.
        let Self { read, inserted, updated, unchanged, rejected } = self;
        for (name, count) in [
            ("read", read),
            ("inserted", inserted),
            ("updated", updated),
            ("unchanged", unchanged),
            ("rejected", rejected),
        ] {
            object[name] = count.into();
        }
        object
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
    }
}

/// How far a load has come: always the end of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Bytes of the source before the next record.
    pub offset: u64,
    /// Line ends before the next record.
    pub lines: u64,
}

/// The ledger's entry of one load: one source read into one table.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadEntry {
    /// The load's number; 0 before it is stored.
    pub id: LoadId,
    /// The table.
    pub table: String,
    /// The source as the user knows it.
    pub source: String,
    /// Where its rows come from.
    pub origin: Origin,
    /// How the load treats what the table holds.
    pub mode: Mode,
    /// What it does with conflicting rows.
    pub on_conflict: OnConflict,
    /// The most bytes that a record might have.
    pub record_bytes: u64,
    /// The rules under which it ran, as a digest of the resource's schema and dialect.
    pub rules: String,
    /// How the source's columns lie, as JSON: what is needed to read one of its records again.
    pub layout: String,
    /// Where it stands.
    pub state: LoadState,
    /// What became of the records so far.
    pub counts: Counts,
    /// How far it has come.
    pub position: Position,
    /// BLAKE3 of the first `digested` bytes of the source (decompressed), in hexadecimal.
    pub digest: String,
    /// How many bytes `digest` covers: at least those up to `position`, all of them where the load is complete.
    pub digested: u64,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// When its last chunk committed, RFC 3339 in UTC.
    pub changed_at: String,
    /// Time spent, in seconds, over all attempts.
    pub seconds: f64,
}

impl LoadEntry {
    /// The entry as JSON, as the command and the service show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = self.counts.append_to(json!({
            "load_id": self.id, "table": self.table, "source": self.source, "state": self.state,
        }));
        json["seconds"] = json!(self.seconds);
        json["origin"] = json!(self.origin);
        json["mode"] = json!(self.mode);
        json["on_conflict"] = json!(self.on_conflict);
        json["offset"] = json!(self.position.offset);
        json["digest"] = json!(self.digest);
        json["started_at"] = json!(self.started_at);
        json["changed_at"] = json!(self.changed_at);
        json
    }

    /// Whether it replaced what its table had: the rows of the table come from it and the loads after it.
    #[must_use]
    pub fn is_complete_replace(&self) -> bool {
        self.mode == Mode::Replace && self.state == LoadState::Complete
    }

    /// The entry of a load of `source` into `table` that begins now. It has no number before it is stored.
    pub(crate) fn new(table: &str, source: &str, mode: Mode, on_conflict: OnConflict) -> Self {
        let now = timestamp::now_utc();
        Self {
            id: LoadId::NONE,
            table: table.to_owned(),
            source: source.to_owned(),
            origin: match mode {
                Mode::Retry => Origin::Quarantine,
                Mode::Rows => Origin::Rows,
                Mode::Append | Mode::Upsert | Mode::Replace => Origin::File,
            },
            mode,
            on_conflict,
            record_bytes: RECORD_BYTES as u64,
            rules: String::new(),
            layout: String::new(),
            state: LoadState::Running,
            counts: Counts::default(),
            position: Position::default(),
            digest: String::new(),
            digested: 0,
            started_at: now.clone(),
            changed_at: now,
            seconds: 0.0,
        }
    }
}

/// The origin of a ledger entry of version 0.1.0, which told it by the beginning of the source's name.
pub(crate) fn origin_of_earlier_entry(mode: Mode, source: &str) -> Origin {
    match mode {
        // The mode goes first: a file may be called `quarantine` too.
        Mode::Rows => Origin::Rows,
        Mode::Retry => Origin::Quarantine,
        _ if source == origin::STANDARD_INPUT => Origin::StandardInput,
        _ if source.starts_with(origin::UPLOAD) => Origin::Upload,
        _ if source.starts_with(origin::BACKUP) => Origin::Backup,
        _ => Origin::File,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_loads_are_plain_numbers_outside() {
        assert_eq!(serde_json::to_string(&LoadId(7)).expect("is written"), "7");
        assert_eq!(serde_json::from_str::<LoadId>("7").expect("is read"), LoadId(7));
        assert_eq!("7".parse(), Ok(LoadId(7)));
        for text in ["0", "-1", "", "x"] {
            text.parse::<LoadId>().expect_err(text);
        }
    }

    #[test]
    fn entries_of_version_0_1_0_keep_their_origin() {
        for (mode, source, origin) in [
            (Mode::Append, "data/t.csv", Origin::File),
            (Mode::Append, "-", Origin::StandardInput),
            (Mode::Upsert, "upload:abc", Origin::Upload),
            (Mode::Replace, "backup:20260101T000000Z/t.avro", Origin::Backup),
            (Mode::Retry, "quarantine", Origin::Quarantine),
            (Mode::Retry, "mended.csv", Origin::Quarantine),
            (Mode::Append, "quarantine", Origin::File),
            (Mode::Rows, "rows", Origin::Rows),
        ] {
            assert_eq!(origin_of_earlier_entry(mode, source), origin, "{mode:?} {source}");
            assert_eq!(Origin::parse(origin.as_str()), Some(origin));
        }
    }
}
