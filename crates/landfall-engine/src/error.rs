//! What stops a command: the few kinds that change what a caller does next.

use std::{io, path::PathBuf};

use landfall_core::schema::DescriptorErrors;

/// The outcome of everything in the engine that can stop.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command could not go on. Bad records are not errors of this kind: they are rejects.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for makes no sense: an unknown table, options that contradict each other.
    #[error("{0}")]
    Usage(String),
    /// The data package is at fault.
    #[error("{0}")]
    Package(#[from] DescriptorErrors),
    /// A rule of the data package cannot be applied.
    #[error("{0}")]
    Rule(String),
    /// A source cannot be read, or is not what the dictionary says it is.
    #[error("cannot read {source_name}: {reason}")]
    Source {
        /// The source as the user knows it.
        source_name: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// A file of the project cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The system did not do what was needed, and no file of the project is at fault: a stream, a temporary file or a thread.
    #[error("cannot {doing}: {cause}")]
    System {
        /// What was to be done, as `write the report`.
        doing: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A mistake of Landfall's own, or a machine that lacks what every machine has.
    #[error("{0}")]
    Internal(String),
    /// The observer wanted it no longer. What committed before stays, and the ledger knows how far it came.
    #[error("it was cancelled; what was loaded before stays, and the same load goes on from there")]
    Cancelled,
    /// The target refused.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Object storage refused, or did not answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Error {
    /// A source that cannot be read.
    pub fn source_error(source_name: impl Into<String>, reason: impl ToString) -> Self {
        Self::Source { source_name: source_name.into(), reason: reason.to_string() }
    }

    /// Whether no space is left on the disk.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::File { cause, .. } | Self::System { cause, .. } => cause.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// As who reads or writes a stream of bytes is told it; [`from_io_error`](Self::from_io_error) is the way back.
    pub(crate) fn into_io_error(self) -> io::Error {
        // The kind goes along: whoever writes a file only asks the stream whether the disk is full.
        let kind = match &self {
            Self::File { cause, .. } | Self::System { cause, .. } => cause.kind(),
            Self::Storage(StorageError { kind: StorageErrorKind::Full, .. }) => io::ErrorKind::StorageFull,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    /// What a stream of bytes said of `path`: an error of ours within it stays what it is.
    pub(crate) fn from_io_error(path: impl Into<PathBuf>, error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(|cause| Self::File { path: path.into(), cause })
    }
}

/// What object storage says when it cannot do its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StorageError {
    /// The kind, by which a caller decides.
    pub kind: StorageErrorKind,
    /// What happened, where, and what to do; without secrets.
    pub message: String,
}

/// The kinds of [`StorageError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageErrorKind {
    /// There is no such object.
    NotFound,
    /// It did not answer in time, has too much to do, or the connection was lost. The same may succeed later.
    Lost,
    /// No space is left in it.
    Full,
    /// It refused, or may not be asked: credentials, bucket, address or region are not as they should be.
    Refused,
}

impl StorageError {
    /// An error of `kind`.
    pub fn new(kind: StorageErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// What a target says when it cannot do its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}{}", if remedy.is_some() { "; " } else { "" }, remedy.unwrap_or_default())]
pub struct TargetError {
    /// The kind, by which a caller decides.
    pub kind: TargetErrorKind,
    /// What happened and where; what to do too, if that is the same for each command.
    pub message: String,
    /// What to do, if that differs between commands: a caller that knows more sets its own.
    pub remedy: Option<&'static str>,
}

/// The kinds of [`TargetError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetErrorKind {
    /// The database cannot be opened or is damaged: it is not where the target says, is no database, or wants another kind
    /// of connection. The same command does not succeed before somebody mends that.
    Unavailable,
    /// Another program holds the database.
    Locked,
    /// The database may not be written.
    ReadOnly,
    /// No space is left for the database.
    Full,
    /// The database was made by a newer version of Landfall.
    NewerVersion,
    /// A table of the database is not what the dictionary says, or cannot be made so.
    Mismatch,
    /// Another process goes on with the load.
    Overtaken,
    /// Another worker has taken over the job that the work is a part of.
    ClaimLost,
    /// What was sent ahead cannot stay; the load goes on from the ledger, in step.
    Again,
    /// The database wants another name or password, or does not let this user do what was asked for.
    Denied,
    /// The database did not answer in time, takes no connections now, or the connection to it was lost. The same command
    /// may succeed later, and goes on from the ledger.
    Lost,
    /// A constraint of the database stopped what was asked for.
    Constraint,
    /// A statement failed: bad SQL in a report, or an error of ours.
    Statement,
}

impl TargetError {
    /// The ledger or the quarantine does not have what Landfall writes there: somebody else changed it, or the database is damaged.
    pub(crate) fn damaged_books(message: impl Into<String>) -> Self {
        Self::new(TargetErrorKind::Unavailable, message)
    }

    /// An error of `kind`.
    pub fn new(kind: TargetErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), remedy: None }
    }
}
