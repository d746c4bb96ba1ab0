//! The page to read first: how records come from sources to targets. The only place that knows both ends.

mod options;
mod outcome;

pub use options::{LoadOptions, MaxRejects, Selection, Work};
pub use outcome::{LoadOutcome, Observer, Progress, Reason, Reasons, RejectedRecord, Silent, Stages};
