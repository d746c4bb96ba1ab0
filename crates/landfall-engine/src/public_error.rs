//! Errors as a client may see them: a stable code and a sentence without names of tables, files or SQL; the log has those.
//!
//! Requests and jobs say them in the same way. The service gives each code its title and its HTTP status, so a new code needs an
//! entry there too (`http/problem.rs`). A job stores its error as JSON: a code must never be renamed.

use serde::{Deserialize, Serialize};

use crate::error::{Error, StorageErrorKind, TargetError, TargetErrorKind};

/// What a program can learn from an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublicErrorCode {
    /// The body is not JSON.
    NotJson,
    /// The body is not text in UTF-8.
    #[serde(rename = "not-utf-8")]
    NotUtf8,
    /// There is no such table, set or the like.
    NotFound,
    /// The current state does not allow it.
    Conflict,
    /// There are too many bytes.
    ContentTooLarge,
    /// There are too many rows.
    TooManyRows,
    /// The content is not what is expected.
    WrongShape,
    /// A mistake of Landfall.
    Internal,
    /// The database cannot be used now.
    Database,
    /// Object storage cannot be used now.
    Storage,
    /// There is no room for more rejects.
    QuarantineFull,
    /// There is no room for files.
    NoSpace,
}

/// An error as a client may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicError {
    /// What a program can learn from it.
    pub code: PublicErrorCode,
    /// What happened and what to do, as a sentence.
    pub detail: String,
    /// Bytes of the content before the place at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Seconds after which the same may succeed without anybody's doing; none if it will not.
    // A stored error is read later, and how long to wait from then on is not known any more.
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

impl PublicError {
    /// An error that does not go away by itself.
    pub fn new(code: PublicErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), offset: None, retry_after: None }
    }

    /// The same, where another try may succeed after `seconds`.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same, at this place of the content.
    #[must_use]
    pub fn with_offset(mut self, offset: usize) -> Self {
        self.offset = Some(offset as u64);
        self
    }

    /// What a client may know of `error`. The whole of it goes to the log.
    #[must_use]
    pub fn describe(error: &Error) -> Self {
        match error {
            Error::Storage(storage) => {
                tracing::warn!(error = %storage, kind = ?storage.kind, "object storage stopped some work");
                let detail = "the object storage cannot be used; the service's log says more";
                let described = Self::new(PublicErrorCode::Storage, detail);
                // What was refused is refused again until somebody changes the settings.
                if storage.kind == StorageErrorKind::Lost { described.with_retry_after(5) } else { described }
            }
            // Before the last arm, which would call it a mistake of the service.
            full if full.is_disk_full() => {
                let detail = "the service has no space left for this answer; take those that are under way first, or ask for less";
                Self::new(PublicErrorCode::NoSpace, detail).with_retry_after(10)
            }
            Error::Target(target) => Self::describe_target(target),
            error => {
                tracing::error!(%error, "a request failed");
                Self::new(
                    PublicErrorCode::Internal,
                    "the request failed by a mistake of the service; its log says more",
                )
            }
        }
    }

    fn describe_target(target: &TargetError) -> Self {
        use PublicErrorCode::{Conflict, Database, Internal};
        tracing::warn!(error = %target, kind = ?target.kind, "the database stopped a request");
        let (code, detail, retry_after) = match target.kind {
            TargetErrorKind::Statement | TargetErrorKind::Mismatch | TargetErrorKind::NewerVersion => {
                (Internal, "the database refused what was asked of it; the service's log says more", None)
            }
            TargetErrorKind::Full => (Database, "the database has no space left", Some(60)),
            TargetErrorKind::Locked | TargetErrorKind::Again | TargetErrorKind::Overtaken => {
                (Database, "another program holds the database; nothing of the request was done", Some(1))
            }
            TargetErrorKind::Constraint => {
                (Conflict, "rows that this request needs were changed meanwhile; send it again", Some(1))
            }
            TargetErrorKind::ReadOnly => {
                (Database, "the database takes no changes: it is read-only; nothing of the request was done", Some(60))
            }
            TargetErrorKind::Denied => (
                Database,
                "the database does not let the service do this: its user lacks a right; the service's log says more",
                Some(60),
            ),
            TargetErrorKind::Unavailable => {
                (Database, "the database cannot be used now; the service's log says more", Some(5))
            }
            _ => (Database, "the database cannot be reached", Some(5)),
        };
        Self { retry_after, ..Self::new(code, detail) }
    }
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        Self::describe(&error)
    }
}
