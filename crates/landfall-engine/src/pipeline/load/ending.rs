//! How a chunk of a load ends, and with the last one the load.

use std::time::Instant;

use super::{
    super::{
        adopt::settle_deferred, chunk::hold_parents, preflight::refuse_nothing, suspects::settle_suspects,
        trial::TrialVerdict,
    },
    LoadRun,
};
use crate::{
    error::{Error, Result},
    ledger::{LoadState, Mode},
    origin::Origin,
    quarantine::ClosingRule,
    targets::Transaction,
    timestamp,
};

impl LoadRun<'_, '_> {
    /// Brings the ledger up to date: the last thing before a chunk commits.
    pub(super) fn end_chunk(
        &mut self,
        transaction: &mut dyn Transaction,
        mut state: LoadState,
        was_at: u64,
        started: Instant,
    ) -> Result<()> {
        if state == LoadState::Complete {
            self.check_unchanged()?;
            if self.entry.mode == Mode::Replace {
                refuse_nothing(self.session, self.table, self.source)?;
            }
            if self.tally.suspects > 0 {
                settle_suspects(self.session, transaction, self.table, &self.entry, &mut self.tally)?;
            }
            if self.keys.refers_to_itself() {
                self.settle_deferred(transaction)?;
            }
            let counts = self.tally.counts;
            if self.session.options.max_rejects.is_some_and(|most| most.is_exceeded(counts.rejected, counts.read, true))
            {
                state = LoadState::Stopped;
            }
        }
        let writing = Instant::now();
        // The fence: parents that were there when rows were judged must still be there. It comes after the deferred rows, which name parents too.
        hold_parents(transaction, &mut self.keys)?;
        self.entry.state = state;
        self.entry.counts = self.tally.counts;
        self.entry.position = self.tally.position;
        self.entry.changed_at = timestamp::now_utc();
        self.entry.seconds = self.spent + started.elapsed().as_secs_f64();
        // `was_at` makes it a condition: another Landfall process that loads this source finds another offset, and one of the two stops.
        transaction.save_load(&self.entry, was_at)?;
        if state == LoadState::Complete {
            self.close_rejects(transaction)?;
        }
        self.tally.writing += writing.elapsed();
        Ok(())
    }

    /// Closes the rejects of earlier loads whose records were met again. Those of other sources stay open: nobody has mended them, and
    /// some wait for a parent. What comes through standard input under one name need not be one source.
    fn close_rejects(&mut self, transaction: &mut dyn Transaction) -> Result<()> {
        self.closed_rejects.same_content = transaction.supersede_rejects(&self.entry, ClosingRule::SameContent)?;
        if self.session.options.mode == Mode::Replace && self.entry.origin != Origin::StandardInput {
            self.closed_rejects.same_source = transaction.supersede_rejects(&self.entry, ClosingRule::SameSource)?;
        }
        Ok(())
    }

    /// Makes rows of the records that only waited for a parent further down in the same source.
    fn settle_deferred(&mut self, transaction: &mut dyn Transaction) -> Result<()> {
        let tally = &mut self.tally;
        let (load, spill) = (self.entry.id, &mut self.spill);
        settle_deferred(self.session, transaction, self.table, &self.entry, &mut |reject, verdict| {
            match verdict {
                TrialVerdict::Inserted => tally.counts.inserted += 1,
                TrialVerdict::Updated => tally.counts.updated += 1,
                TrialVerdict::Unchanged => tally.counts.unchanged += 1,
                TrialVerdict::Rejected(_) => return,
            }
            tally.counts.rejected -= 1;
            tally.reasons.remove(&reject.errors);
            if let Some(spill) = spill {
                spill.withdraw_reject(load, reject.record);
            }
        })?;
        tally.deferred = 0;
        Ok(())
    }

    /// Refuses to complete a load of a source that was changed while it was read.
    fn check_unchanged(&self) -> Result<()> {
        if self.source.read_stamp()? == self.stamp {
            return Ok(());
        }
        Err(Error::source_error(
            &self.source.name,
            "it was changed while it was read; run the same command again once it is whole",
        ))
    }
}
