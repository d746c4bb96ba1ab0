//! How a load's chunks commit: each by itself, or all of them at the end.

use crate::{
    error::Result,
    target::{Fence, Read, Target, Transaction},
};

/// What chunks are written through.
pub(super) enum Writer<'t> {
    /// Each chunk commits by itself.
    Each(&'t mut dyn Target),
    /// All chunks are part of one transaction, which the caller commits.
    Whole(Box<dyn Transaction + 't>),
}

impl Writer<'_> {
    /// What is there to read.
    pub(super) fn read(&self) -> &dyn Read {
        match self {
            Self::Each(target) => &**target,
            Self::Whole(transaction) => &**transaction,
        }
    }

    /// Runs `work` as one chunk: what it wrote commits with its success, and leaves no trace with its error.
    pub(super) fn chunk<R>(&mut self, fence: Fence, work: impl FnOnce(&mut dyn Transaction) -> Result<R>) -> Result<R> {
        match self {
            Self::Each(target) => {
                let mut transaction = target.transaction(fence)?;
                let outcome = work(&mut *transaction)?;
                transaction.commit()?;
                Ok(outcome)
            }
            Self::Whole(transaction) => work(&mut **transaction),
        }
    }
}
