//! Which fields a source has something to say about. A field that it leaves out is no missing value: a row that is updated
//! keeps what it has there.

use super::{ColumnMap, RecordPositions, RejectedRecord, ValidatedBlock};
use crate::{
    batches::{concat_batches, take_rows},
    decode::{Records, json::JsonKind},
    reject::ErrorCode,
    schema::{FieldIndex, TableSchema},
};

/// Which fields the records of a block have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldPresence {
    /// Every record has every field.
    Whole,
    /// All records have the fields of their source's columns: a flag for each field.
    Columns(Vec<bool>),
    /// Each record has its own, as JSON rows do: a flag for each field of each record.
    Records {
        /// The number of fields.
        fields: usize,
        /// The flags of the first record, of the second, and so on.
        flags: Vec<bool>,
    },
}

impl FieldPresence {
    /// What `records`, whose columns lie as `map` says, have.
    pub(super) fn from_records(records: &Records, map: &ColumnMap) -> Self {
        let has_column = |column: &Option<usize>| column.is_some_and(|at| at < map.width);
        // JSON rows without gaps are as good as columns, which need one flag each and no table of flags.
        if records.has_absent_members() {
            let fields = map.columns.len();
            let flag = |record, column: &Option<usize>| {
                column.is_some_and(|at| records.json_kind(record, at) != Some(JsonKind::Absent))
            };
            let flags = (0..records.len()).flat_map(|record| map.columns.iter().map(move |at| flag(record, at)));
            return Self::Records { fields, flags: flags.collect() };
        }
        if map.columns.iter().all(has_column) {
            return Self::Whole;
        }
        Self::Columns(map.columns.iter().map(has_column).collect())
    }

    /// Whether `record` has `field`.
    #[must_use]
    pub fn has_field(&self, record: u32, field: FieldIndex) -> bool {
        match self {
            Self::Whole => true,
            Self::Columns(flags) => flags[field.get()],
            Self::Records { fields, flags } => flags[record as usize * fields + field.get()],
        }
    }

    /// Whether every record has every field.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// The records of several blocks one after the other; each with the number of its records, for rows with `fields` fields.
    #[must_use]
    pub fn concat_blocks(parts: &[(&Self, usize)], fields: usize) -> Self {
        // Files mostly have every field, so that no flags are kept for millions of records.
        if parts.iter().all(|(part, _)| part.is_whole()) {
            return Self::Whole;
        }
        let mut flags = Vec::new();
        for (part, records) in parts {
            match part {
                Self::Whole => flags.resize(flags.len() + records * fields, true),
                Self::Columns(columns) => flags.extend(std::iter::repeat_n(columns, *records).flatten()),
                Self::Records { flags: others, .. } => flags.extend_from_slice(others),
            }
        }
        Self::Records { fields, flags }
    }
}

impl ValidatedBlock {
    /// The same for a source that updates rows. A record that only leaves out required fields cannot be a new row, and can
    /// change an old one: it becomes a row, with its errors in [`lacking`](Self::lacking).
    #[must_use]
    pub fn admit_updates(mut self, schema: &TableSchema) -> Self {
        let only_lacks = |reject: &RejectedRecord| {
            reject.errors.iter().all(|error| {
                let at = error.field.as_ref().and_then(|name| schema.field_position(name));
                // Without its key, a record cannot say which row it changes.
                let is_absent =
                    |at: &FieldIndex| !self.presence.has_field(reject.record, *at) && !schema.primary_key.contains(at);
                error.code == ErrorCode::ConstraintError && at.as_ref().is_some_and(is_absent)
            })
        };
        if self.presence.is_whole() || !self.rejects.iter().any(only_lacks) {
            return self;
        }
        let lacks: Vec<bool> = self.rejects.iter().map(only_lacks).collect();
        self.admit_rejects(&lacks);
        self
    }

    /// Makes rows of the rejects that `lacks` marks.
    fn admit_rejects(&mut self, lacks: &[bool]) {
        let passed = self.rows.num_rows();
        let mut rows: Vec<(u32, usize)> = (0..passed).map(|row| (self.row_records.record_at(row), row)).collect();
        let (mut rejects, mut others) = (Vec::new(), Vec::new());
        for (at, (reject, lacks)) in std::mem::take(&mut self.rejects).into_iter().zip(lacks).enumerate() {
            if *lacks {
                rows.push((reject.record, passed + at));
                self.lacking.push(reject);
            } else {
                rejects.push(reject);
                others.push(at);
            }
        }
        // A block promises its rows in record order, and those admitted stand behind all others until here.
        rows.sort_unstable();
        let all = concat_batches(self.rows.schema_ref(), &[&self.rows, &self.rejected_rows]);
        self.rows = take_rows(&all, rows.iter().map(|(_, at)| *at));
        // One rejected row for each reject: the two lists are read side by side.
        self.rejected_rows = take_rows(&self.rejected_rows, others.into_iter());
        self.row_records = RecordPositions::Some(rows.into_iter().map(|(record, _)| record).collect());
        self.rejects = rejects;
    }

    /// What stands against `record` as a new row, where it is one that may only change an old one.
    #[must_use]
    pub fn find_lacking_reject(&self, record: u32) -> Option<&RejectedRecord> {
        let at = self.lacking.binary_search_by_key(&record, |lacking| lacking.record).ok()?;
        Some(&self.lacking[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presences_one_after_the_other() {
        let some = FieldPresence::Records { fields: 2, flags: vec![true, false] };
        let columns = FieldPresence::Columns(vec![false, true]);
        let joined = FieldPresence::concat_blocks(&[(&FieldPresence::Whole, 1), (&some, 1), (&columns, 2)], 2);
        let flags: Vec<bool> =
            (0..4).flat_map(|record| [0, 1].map(|field| joined.has_field(record, FieldIndex::from(field)))).collect();
        assert_eq!(flags, [true, true, true, false, false, true, false, true]);
        assert!(FieldPresence::concat_blocks(&[(&FieldPresence::Whole, 3)], 2).is_whole());
    }
}
