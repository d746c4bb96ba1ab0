//! How a load's chunks commit: each by itself, or all of them at the end.
//!
//! With `MoreChunks::Yes` a chunk may commit while the next one is made. Its error then comes with a later chunk, and the load goes on
//! from the ledger. So nothing outside of the transactions counts as done before a chunk with `MoreChunks::No` has returned.

use crate::{
    error::Result,
    targets::{Fence, Pace, Target, TargetRead, Transaction},
};

/// Whether more chunks of the same load follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MoreChunks {
    /// At least one.
    Yes,
    /// None.
    No,
}

/// What chunks are written through.
pub(super) enum ChunkWriter<'t> {
    /// Each chunk commits by itself.
    Each(&'t mut dyn Target),
    /// All chunks are part of one transaction, which the caller commits.
    Whole(Box<dyn Transaction + 't>),
}

impl ChunkWriter<'_> {
    /// What is there to read.
    pub(super) fn read(&self) -> &dyn TargetRead {
        match self {
            Self::Each(target) => &**target,
            Self::Whole(transaction) => &**transaction,
        }
    }

    /// Runs `work` as one chunk: what it wrote commits with its success, and leaves no trace with its error. Where `work`
    /// says that more is to come, the commit may still be under way when this returns.
    pub(super) fn write_chunk<R>(
        &mut self,
        fence: Fence,
        pace: Pace,
        work: impl FnOnce(&mut dyn Transaction) -> Result<(R, MoreChunks)>,
    ) -> Result<R> {
        match self {
            Self::Each(target) => {
                let mut transaction = target.begin_transaction(fence, pace)?;
                let (outcome, more) = work(&mut *transaction)?;
                match more {
                    MoreChunks::Yes => transaction.commit_later()?,
                    MoreChunks::No => transaction.commit_now()?,
                }
                Ok(outcome)
            }
            // A chunk that fails is not undone by itself. The caller gives up the whole transaction with the error.
            Self::Whole(transaction) => work(&mut **transaction).map(|(outcome, _)| outcome),
        }
    }

    /// Whether each chunk commits by itself, so that a load can go on from the ledger.
    pub(super) const fn commits_each(&self) -> bool {
        matches!(self, Self::Each(_))
    }
}
