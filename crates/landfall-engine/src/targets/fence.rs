//! How a transaction is guarded against what others do, and how closely it is followed.

use crate::ledger::OnConflict;

/// What is asked of a transaction's constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// The database checks every foreign key of every row.
    Database,
    /// The pipeline has checked the foreign keys, and asks the database for each distinct parent within the
    /// transaction; the database need not look a second time for every row.
    Pipeline,
}

impl Fence {
    /// The fence of a transaction that treats conflicting rows by `rule`. An update may change what other rows refer to, and only the
    /// database knows all of these.
    #[must_use]
    pub const fn for_conflicts(rule: OnConflict) -> Self {
        match rule {
            OnConflict::Update => Self::Database,
            OnConflict::Reject | OnConflict::Keep => Self::Pipeline,
        }
    }
}

/// How closely a transaction is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Rows and commits may be under way while the pipeline goes on. Should the database have something against a row, the
    /// error is [`TargetErrorKind::Again`](crate::TargetErrorKind): nothing of that chunk stays, and the load goes on from
    /// the ledger, in step.
    Ahead,
    /// Each step is answered before the next: rows that a constraint stops are told one by one.
    InStep,
}
