//! The witness of a commit: what the transaction itself wrote.
//!
//! Each write transaction on a server enters a random token into the table `commits`. If the answer to its COMMIT is lost, the
//! token decides: it is there exactly if the transaction's rows are. Nothing else does. A transaction's number is no witness,
//! since a server that recovers from a crash hands out numbers again that it had not flushed.
//!
//! Whoever looks for a token enters it too, marked as [`ABANDONED`]. That has three effects: the unique key makes the look wait
//! until the lost transaction has ended, if it is still under way; afterwards that transaction can no longer commit; and the
//! answer is part of a commit of its own, so that it lies on the disk behind everything that it has seen.

use crate::error::{Result, TargetError, TargetErrorKind};

/// What the transaction itself marks its token with.
pub(in crate::targets) const ENTERED: &str = "entered";

/// What a look for a token that is not there marks it with.
pub(in crate::targets) const ABANDONED: &str = "abandoned";

/// Random bytes of a token.
// Enough that two transactions never draw the same one; the unique key would refuse the second.
const BYTES: usize = 16;

/// What a transaction enters into `commits`: 128 random bits as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::targets) struct CommitToken(String);

impl CommitToken {
    /// A new one.
    ///
    /// # Errors
    /// A system without random bytes.
    pub(in crate::targets) fn new_random() -> Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| {
            TargetError::new(TargetErrorKind::Unavailable, format!("the system has no random bytes: {error}"))
        })?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The digits: safe within a statement's text, since they are nothing but `0` to `9` and `a` to `f`.
    pub(in crate::targets) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What became of a transaction whose COMMIT was not answered.
#[derive(Debug)]
pub(in crate::targets) enum Fate<C> {
    /// It committed; the connection by which that was found out.
    Committed(C),
    /// It did not, and cannot any more.
    Undone,
    /// The server could not be asked in time.
    Unknown,
}

/// The error where it is not known whether a transaction has committed; `said` is what the lost COMMIT met.
pub(in crate::targets) fn unknown_outcome(said: &str) -> TargetError {
    let message = format!(
        "{said}. Landfall does not know yet whether the last chunk was committed; run the same command again: it asks the \
         ledger, and nothing is doubled"
    );
    // As `Lost` and not as a failure: whoever runs the same command again goes on from the ledger.
    TargetError::new(TargetErrorKind::Lost, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_digits_only() {
        let (one, other) = (CommitToken::new_random().expect("random"), CommitToken::new_random().expect("random"));
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 2 * BYTES);
        assert!(one.as_str().bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
    }
}
