//! What goes wrong with a PostgreSQL server, told in words that say what to do.
//!
//! SQLSTATE codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>. The server's DETAIL is left out, since
//! it has values of rows in it; so are the messages of classes that quote values.

use std::{io, time::Duration};

use crate::error::{Error, Result, TargetError, TargetErrorKind as Kind};

/// The outcome of talking to a server.
pub(super) type PostgresResult<T> = std::result::Result<T, PostgresFailure>;

/// Why a server did not do what it was asked for.
#[derive(Debug)]
pub(super) enum PostgresFailure {
    /// It refused.
    Refused(Box<ServerRefusal>),
    /// The connection was lost.
    Lost(io::Error),
    /// It did not answer for this long.
    Silent(Duration),
    /// It, or something on the way to it, does not offer what was asked for; a whole sentence.
    Unable(String),
    /// It took a connection and did not answer, or cut it; a whole sentence.
    Mute(String),
    /// It took rows and did not store them as they were sent; what it did to one of them.
    Row(String),
    /// Whoever took the answer in could not go on.
    Taker(Error),
}

/// A server's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerRefusal {
    /// The SQLSTATE, five characters.
    pub(super) code: String,
    /// The server's words.
    pub(super) message: String,
    /// The constraint that was violated, where there is one.
    pub(super) constraint: Option<String>,
}

impl ServerRefusal {
    /// The server's words, without values of rows.
    pub(super) fn refusal_message(&self) -> String {
        // Data exceptions and errors raised by functions quote what they stumble over; a division by zero does not.
        if (self.code.starts_with("22") && self.code != "22012") || self.code.starts_with("P0") {
            return format!("the server refused a value or a trigger did (SQLSTATE {})", self.code);
        }
        self.message.clone()
    }
}

impl From<io::Error> for PostgresFailure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl PostgresFailure {
    /// Whether a constraint, or a trigger of the user's, stopped a row.
    pub(super) fn is_about_a_row(&self) -> bool {
        // 54000: a value that is too long for an index of the user's.
        let of_rows = |code: &str| ["22", "23", "P0", "44", "54000"].iter().any(|class| code.starts_with(class));
        match self {
            Self::Row(_) => true,
            Self::Refused(refusal) => of_rows(&refusal.code),
            _ => false,
        }
    }

    /// Whether it tells nothing of what became of the statement: the server may have carried it out all the same.
    pub(super) fn leaves_outcome_open(&self) -> bool {
        // 08 is a lost connection, and 57P a server that shuts down or crashes: COMMIT may have been carried out.
        let ended = |code: &str| ["08", "57P"].iter().any(|class| code.starts_with(class));
        match self {
            Self::Lost(_) | Self::Silent(_) => true,
            Self::Refused(refusal) => ended(&refusal.code),
            Self::Unable(_) | Self::Mute(_) | Self::Row(_) | Self::Taker(_) => false,
        }
    }

    /// The SQLSTATE, where the server said one.
    pub(super) fn sql_state(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.code),
            _ => None,
        }
    }

    /// The error for this failure, which happened when `doing` what it says.
    pub(super) fn into_error(self, doing: &str) -> Error {
        let (kind, said, mend) = match self {
            Self::Taker(error) => return error,
            Self::Refused(refusal) => {
                let (kind, mend) = classify_sql_state(&refusal.code);
                (kind, refusal.refusal_message(), mend)
            }
            Self::Lost(error) => (
                Kind::Lost,
                format!("the connection to the server was lost ({error})"),
                "see that the server runs, then run the same command again to go on",
            ),
            Self::Silent(time) => (
                Kind::Lost,
                format!("the server did not answer for {} seconds", time.as_secs()),
                "see whether it hangs, then run the same command again to go on",
            ),
            Self::Row(said) => (Kind::Constraint, said, ""),
            Self::Unable(sentence) => (Kind::Unavailable, sentence, ""),
            Self::Mute(sentence) => (Kind::Lost, sentence, "then run the same command again"),
        };
        let mend = if mend.is_empty() { String::new() } else { format!("; {mend}") };
        TargetError::new(kind, format!("{doing}: {said}{mend}")).into()
    }
}

/// Adds what was being done to a failure.
pub(super) trait PostgresContext<T> {
    /// The outcome, with `doing` at the head of the error's message.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> PostgresContext<T> for PostgresResult<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|failure| failure.into_error(&doing()))
    }
}

/// The kind of a SQLSTATE, and what to do.
fn classify_sql_state(code: &str) -> (Kind, &'static str) {
    match code {
        "28P01" => (Kind::Denied, "mend the user or the password of the target"),
        "28000" => (Kind::Denied, "mend the user of the target, or let it in with pg_hba.conf"),
        "3D000" => (Kind::Unavailable, "create the database first, or mend its name in the target"),
        "42501" => (Kind::Denied, "grant the target's user what it needs"),
        "25006" => (Kind::ReadOnly, "the server takes no changes: use the primary server"),
        "55P03" => (
            Kind::Locked,
            "another program holds a lock on it: wait until it has finished, then run the same command again",
        ),
        "57014" => {
            (Kind::Locked, "the statement was cancelled, by a person or a time limit: run the same command again")
        }
        "40P01" | "40001" => (Kind::Locked, "another program was in the way: run the same command again"),
        "53100" => (
            Kind::Full,
            "nothing of this chunk was kept: make room on the server, then run the same command again to go on",
        ),
        "53200" => (Kind::Unavailable, "the server has not memory enough: run the same command again"),
        "53300" => (Kind::Unavailable, "all connections of the server are taken: raise its limit, or wait"),
        "57P01" | "57P02" | "57P03" | "57P04" => {
            (Kind::Lost, "wait until the server runs again, then run the same command again to go on")
        }
        "58030" | "XX001" | "XX002" => (Kind::Unavailable, "the server's disk or database is damaged: see its log"),
        "3F000" => (Kind::Mismatch, "create the schema, or mend its name in the target"),
        _ => match code.get(..2) {
            Some("08") => (Kind::Lost, "run the same command again to go on"),
            Some("23") => (Kind::Constraint, ""),
            Some("53") => (Kind::Unavailable, "the server lacks resources: see its log"),
            _ => (Kind::Statement, ""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, message: &str) -> PostgresFailure {
        PostgresFailure::Refused(Box::new(ServerRefusal {
            code: code.into(),
            message: message.into(),
            constraint: None,
        }))
    }

    fn told(failure: PostgresFailure) -> (Kind, String) {
        match failure.into_error("cannot load") {
            Error::Target(error) => (error.kind, error.message),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn kinds_and_mends() {
        for (code, kind, mend) in [
            ("28P01", Kind::Denied, "password"),
            ("3D000", Kind::Unavailable, "create the database"),
            ("42501", Kind::Denied, "grant"),
            ("55P03", Kind::Locked, "lock"),
            ("53100", Kind::Full, "make room"),
            ("25006", Kind::ReadOnly, "primary"),
            ("53300", Kind::Unavailable, "connections"),
            ("57P01", Kind::Lost, "runs again"),
            ("23505", Kind::Constraint, ""),
            ("42601", Kind::Statement, ""),
        ] {
            let (found, message) = told(refusal(code, "words"));
            assert_eq!(found, kind, "{code}");
            assert!(message.starts_with("cannot load: words") && message.contains(mend), "{message}");
        }
    }

    #[test]
    fn values_are_left_out() {
        for code in ["22P02", "P0001"] {
            let (_, message) = told(refusal(code, "bad value \"secret\""));
            assert!(!message.contains("secret") && message.contains(code), "{message}");
        }
    }

    #[test]
    fn lost_and_silent_say_what_to_do() {
        let lost = told(PostgresFailure::Lost(io::ErrorKind::ConnectionReset.into())).1;
        assert!(lost.contains("lost") && lost.contains("run the same command again"), "{lost}");
        let silent = told(PostgresFailure::Silent(Duration::from_secs(60))).1;
        assert!(silent.contains("60 seconds"), "{silent}");
    }
}
