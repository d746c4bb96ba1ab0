//! The exit codes: what a script can tell from how a command ended. They do not change between versions.

use std::fmt::Write as _;

use landfall_engine::{Error, StorageErrorKind, TargetErrorKind, ledger::LoadState, pipeline::LoadOutcome};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done. Rejects of a load that ran to its end are no failure: they are in the quarantine.
    Done = 0,
    /// `check` found records that would be rejected, `verify` a discrepancy, or `schema diff` a difference.
    Found = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// `landfall.yaml`, the data package or a report is at fault.
    Project = 3,
    /// A source cannot be read, or its header contradicts the dictionary.
    Source = 4,
    /// The target (or, for a push, the service; for a backup, the object storage) cannot be opened, does not let this user in, or refused what it was asked:
    /// somebody has to mend that.
    Target = 5,
    /// Another program holds the target's lock, or goes on with the same load: the same command may succeed later.
    Locked = 6,
    /// The target may not be written.
    ReadOnly = 7,
    /// No space is left.
    DiskFull = 8,
    /// The database was made by a newer version of Landfall.
    NewerVersion = 9,
    /// A load was stopped because it had more rejects than `--max-rejects` allows.
    TooManyRejects = 10,
    /// An atomic load, a batch of an atomic push, or a restore that replaces had rejects and was rolled back.
    RolledBack = 11,
    /// A table of the database is not what the dictionary says.
    Mismatch = 12,
    /// The target (or the service, or the object storage) did not answer, or the connection to it was lost: the same command may succeed later. A code of its own,
    /// so that a script can tell it from a wrong password, which no further attempt mends.
    Lost = 13,
    /// A replace was stopped: it would remove rows, and leave the table empty or with fewer rows than rejects.
    LeavesLittle = 14,
    /// A mistake of Landfall's own.
    Internal = 70,
}

/// All codes with their meaning, for `--help` and the man page.
const MEANINGS: [(Exit, &str); 16] = [
    (Exit::Done, "done (rejects in the quarantine are no failure)"),
    (Exit::Found, "check found bad records, verify or backups verify found a discrepancy, or schema diff a difference"),
    (Exit::Usage, "the command line is wrong"),
    (Exit::Project, "landfall.yaml, the data package or a report has an error"),
    (Exit::Source, "a source cannot be read, or its header contradicts the data package"),
    (Exit::Target, "the database, service or storage cannot be used, denies this user, or refused the request"),
    (Exit::Locked, "another program holds the database's lock, or continues the same load"),
    (Exit::ReadOnly, "the database is read-only"),
    (Exit::DiskFull, "no space is left"),
    (Exit::NewerVersion, "the database was made by a newer version of Landfall"),
    (Exit::TooManyRejects, "a load was stopped: rejects exceed --max-rejects, maxRejectBytes or maxProjectRejectBytes"),
    (
        Exit::RolledBack,
        "an atomic load (a batch of an atomic push, a restore that replaces) had rejects and was rolled back",
    ),
    (Exit::Mismatch, "a table of the database is not what the data package says"),
    (Exit::Lost, "the database, service or storage did not answer in time, or the connection to it was lost"),
    (Exit::LeavesLittle, "a replace was stopped: it would leave a table empty, or with fewer rows than rejects"),
    (Exit::Internal, "an error in Landfall itself"),
];

impl Exit {
    /// The number that the system is told.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// How a command that failed with `error` ends. A reader that closed our output is no failure.
    pub(crate) fn from_error(error: &anyhow::Error) -> Self {
        // First: a full disk is a full disk, whatever part of Landfall has met it.
        if let Some(kind) = system_cause(error)
            && let Some(exit) = Self::from_io_kind(kind)
        {
            return exit;
        }
        let known = error.chain().find_map(|cause| {
            let fault = cause.downcast_ref::<CommandError>().map(|fault| fault.exit);
            fault.or_else(|| cause.downcast_ref::<Error>().map(Self::from_engine_error))
        });
        known.unwrap_or(Self::Internal)
    }

    fn from_io_kind(kind: std::io::ErrorKind) -> Option<Self> {
        match kind {
            // As in `landfall report … | head`. Rust ignores SIGPIPE, so that the writing fails instead.
            std::io::ErrorKind::BrokenPipe => Some(Self::Done),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded | std::io::ErrorKind::FileTooLarge => {
                Some(Self::DiskFull)
            }
            _ => None,
        }
    }

    fn from_engine_error(error: &Error) -> Self {
        match error {
            Error::Usage(_) => Self::Usage,
            Error::Package(_) | Error::Rule(_) | Error::File { .. } | Error::System { .. } => Self::Project,
            Error::Source { .. } => Self::Source,
            Error::Target(error) => Self::of_target(error.kind),
            Error::Storage(error) => match error.kind {
                StorageErrorKind::NotFound => Self::Source,
                StorageErrorKind::Lost => Self::Lost,
                StorageErrorKind::Full => Self::DiskFull,
                _ => Self::Target,
            },
            _ => Self::Internal,
        }
    }

    const fn of_target(kind: TargetErrorKind) -> Self {
        match kind {
            // Each time another program was in the way, and nothing was lost.
            TargetErrorKind::Locked | TargetErrorKind::Overtaken | TargetErrorKind::Again => Self::Locked,
            TargetErrorKind::Lost => Self::Lost,
            TargetErrorKind::ReadOnly => Self::ReadOnly,
            TargetErrorKind::Full => Self::DiskFull,
            TargetErrorKind::NewerVersion => Self::NewerVersion,
            TargetErrorKind::Mismatch => Self::Mismatch,
            _ => Self::Target,
        }
    }

    /// How a command ends whose loads had `outcomes`.
    pub(crate) fn from_loads(outcomes: &[LoadOutcome]) -> Self {
        let any = |state| outcomes.iter().any(|outcome| outcome.state == state);
        if any(LoadState::RolledBack) {
            Self::RolledBack
        } else if any(LoadState::Stopped) {
            Self::TooManyRejects
        } else {
            Self::Done
        }
    }
}

fn system_cause(error: &anyhow::Error) -> Option<std::io::ErrorKind> {
    error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind)
}

/// The exit codes as `--help` shows them.
pub(crate) fn describe_exit_codes() -> String {
    MEANINGS.iter().fold("Exit codes:\n".to_owned(), |mut text, (exit, meaning)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:>4}  {meaning}", exit.code());
        text
    })
}

/// An error of the binary's own, with the way it ends.
#[derive(Debug)]
pub(crate) struct CommandError {
    exit: Exit,
    message: String,
}

impl CommandError {
    /// The command line makes no sense.
    pub(crate) fn usage_error(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// The command ends as `exit` says.
    pub(crate) fn with_exit(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A source is at fault.
    pub(crate) fn source_error(message: impl Into<String>) -> Self {
        Self { exit: Exit::Source, message: message.into() }
    }

    /// The project is at fault.
    pub(crate) fn project_error(message: impl Into<String>) -> Self {
        Self { exit: Exit::Project, message: message.into() }
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use landfall_engine::TargetError;

    use super::*;

    #[test]
    fn codes_are_distinct_and_all_are_documented() {
        let mut codes: Vec<u8> = MEANINGS.iter().map(|(exit, _)| exit.code()).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 70]);
    }

    #[test]
    fn each_kind_of_the_targets_errors_has_its_code() {
        for (kind, exit) in [
            (TargetErrorKind::Unavailable, Exit::Target),
            (TargetErrorKind::Locked, Exit::Locked),
            (TargetErrorKind::Overtaken, Exit::Locked),
            (TargetErrorKind::ReadOnly, Exit::ReadOnly),
            (TargetErrorKind::Full, Exit::DiskFull),
            (TargetErrorKind::NewerVersion, Exit::NewerVersion),
            (TargetErrorKind::Mismatch, Exit::Mismatch),
            (TargetErrorKind::Again, Exit::Locked),
            (TargetErrorKind::Denied, Exit::Target),
            (TargetErrorKind::Lost, Exit::Lost),
            (TargetErrorKind::Constraint, Exit::Target),
            (TargetErrorKind::Statement, Exit::Target),
        ] {
            let error = anyhow::Error::from(Error::from(TargetError::new(kind, "x"))).context("while testing");
            assert_eq!(Exit::from_error(&error), exit);
        }
    }

    #[test]
    fn a_closed_pipe_is_a_quiet_success_and_a_full_disk_is_told() {
        let of = |kind| Exit::from_error(&anyhow::Error::from(std::io::Error::from(kind)).context("cannot write"));
        assert_eq!(of(std::io::ErrorKind::BrokenPipe), Exit::Done);
        assert_eq!(of(std::io::ErrorKind::StorageFull), Exit::DiskFull);
    }
}
