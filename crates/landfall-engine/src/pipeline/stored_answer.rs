//! The answer to a request that is kept in the transaction of its effect, so that neither is there without the other.

use super::LoadOutcome;
use crate::{
    document::NewDocument,
    error::Result,
    targets::{Fence, Pace, Target, TargetRead, Transaction},
};

/// Writes the answer for what was done so far, as a document where it is to be kept.
pub type WriteAnswer<'a> = &'a mut dyn FnMut(&dyn TargetRead, &[LoadOutcome]) -> Result<Option<NewDocument>>;

/// The outcomes of a command, and the answer that tells of them.
///
/// The first transaction of the command adds the answer, and each later one brings it up to date. A process that dies between two of
/// them leaves an answer that is true of all that was committed; what it had not come to, the next command does.
pub(super) struct StoredAnswer<'a> {
    write: WriteAnswer<'a>,
    outcomes: Vec<LoadOutcome>,
    /// Whether the answer tells of all outcomes.
    is_written: bool,
    /// Whether it is among the documents.
    is_added: bool,
}

impl<'a> StoredAnswer<'a> {
    pub(super) fn new(write: WriteAnswer<'a>) -> Self {
        Self { write, outcomes: Vec::new(), is_written: false, is_added: false }
    }

    /// What was done so far.
    pub(super) fn load_outcomes(&self) -> &[LoadOutcome] {
        &self.outcomes
    }

    /// Keeps the answer in the transaction that `outcome` is of.
    pub(super) fn store_outcome(&mut self, transaction: &mut dyn Transaction, outcome: LoadOutcome) -> Result<()> {
        self.outcomes.push(outcome);
        self.is_written = true;
        let document = (self.write)(&*transaction, &self.outcomes)?;
        document.map_or(Ok(()), |document| self.store_document(transaction, document))
    }

    /// Tells of what was `released` since in transactions of its own; all outcomes.
    pub(super) fn finish_answer(
        mut self,
        target: &mut dyn Target,
        released: Vec<LoadOutcome>,
    ) -> Result<Vec<LoadOutcome>> {
        if self.is_written && released.is_empty() {
            return Ok(self.outcomes);
        }
        self.outcomes.extend(released);
        if let Some(document) = (self.write)(&*target, &self.outcomes)? {
            let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
            self.store_document(&mut *transaction, document)?;
            transaction.commit_now()?;
        }
        Ok(self.outcomes)
    }

    fn store_document(&mut self, transaction: &mut dyn Transaction, new: NewDocument) -> Result<()> {
        if !std::mem::replace(&mut self.is_added, true) {
            return transaction.add_documents(&[new]);
        }
        if let Some(document) = transaction.find_document(new.kind, &new.name)? {
            transaction.change_document(&document, Some(&new.body))?;
        }
        Ok(())
    }
}
