//! Ways of server databases that tests can switch on.

use landfall_core::{keys::Scalar, schema::FieldIndex};

use crate::error::TargetErrorKind;

/// How an in-memory database behaves; by default as plainly as can be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemoryOptions {
    /// Questions cost a round trip each, so that the pipeline gathers them.
    pub remote: bool,
    /// Tables that do not exist are built aside.
    pub builds: bool,
    /// With [`Pace::Ahead`](super::super::Pace) so many commits may be under way; none where it is 0.
    pub ahead: usize,
    /// The commits, counted from 1 over all transactions, that fail with an error of this kind: nothing of them stays.
    pub failing_commits: Vec<(u64, TargetErrorKind)>,
    /// What another program does, each once.
    pub interferences: Vec<Interference>,
}

/// What another program does while a load runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Interference {
    /// It inserts this row just before a row that has one of its keys is inserted.
    Insert {
        /// The table.
        table: String,
        /// The row, with a value for each field.
        row: Vec<Scalar>,
    },
    /// It deletes a row just before that row is held as a parent.
    Delete {
        /// The table.
        table: String,
        /// The positions of fields.
        positions: Vec<FieldIndex>,
        /// The values that these fields of the row have.
        values: Vec<Scalar>,
    },
}
