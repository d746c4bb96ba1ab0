//! Rows of other tables that a database would delete or alter by itself: `ON DELETE CASCADE`, `SET NULL`, `SET DEFAULT`.

use crate::{
    error::{Result, TargetError, TargetErrorKind},
    targets::Table,
};

/// Another table, with a foreign key that says what happens to its rows.
#[derive(Debug)]
pub(in crate::targets) struct Follower {
    /// The name, as a statement has it.
    pub(in crate::targets) name: String,
    /// `CASCADE`, `SET NULL` or `SET DEFAULT`.
    pub(in crate::targets) action: String,
}

/// Refuses to empty `table` where rows of its `followers` would go with its rows, or be altered, unasked and untold. One that
/// has no rows loses none.
///
/// # Errors
/// [`TargetErrorKind::Constraint`], with the name of such a table.
pub(in crate::targets) fn refuse_followers(
    table: &Table,
    followers: Vec<Follower>,
    mut has_rows: impl FnMut(&str) -> Result<bool>,
) -> Result<()> {
    for Follower { name, action } in followers {
        if has_rows(&format!("SELECT 1 FROM {name} LIMIT 1"))? {
            let message = format!(
                "cannot empty the table {:?}: a foreign key of {name} says ON DELETE {action}, so that rows of {name} would \
                 go or change with it, and nothing would tell of them; replace {name} in the same command, or make the \
                 foreign key anew without that",
                &*table.name
            );
            return Err(TargetError::new(TargetErrorKind::Constraint, message).into());
        }
    }
    Ok(())
}
