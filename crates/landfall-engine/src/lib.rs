//! Everything that touches the world: sources, targets, the pipeline between them, the ledger and the quarantine.
//!
//! Read `pipeline` first: it is the only place that knows both ends.

pub mod avro;
pub mod backup;
mod csv_text;
pub mod document;
mod error;
pub mod folder_space;
pub mod init;
pub mod job;
pub mod jobs;
pub mod ledger;
pub mod link;
pub mod objects;
pub mod origin;
pub mod pipeline;
mod project;
mod public_error;
pub mod quarantine;
pub mod receipt;
pub mod report;
mod rules_digest;
pub mod source;
pub mod targets;
mod timestamp;
pub mod token;
pub mod verify;

pub use error::{Error, Result, StorageError, StorageErrorKind, TargetError, TargetErrorKind};
pub use landfall_core::{OptionStyle, count_noun, escape_controls, plural_noun};
pub use project::Project;
pub use public_error::{PublicError, PublicErrorCode};
