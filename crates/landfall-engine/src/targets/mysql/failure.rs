//! The errors of MySQL and MariaDB, told in words that say what to do.
//!
//! Numbers: <https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html> and
//! <https://mariadb.com/kb/en/mariadb-error-code-reference/>. A server's own words may hold a cell's value, so they are
//! only passed on without what stands between quotes, except where they can only quote names and a report's SQL.

use std::io::{Error as Io, ErrorKind};

use mysql::{DriverError, Error as Mysql, MySqlError};

use crate::error::{Error, Result, TargetError, TargetErrorKind as Kind};

/// Adds what was being done to an error of the server.
pub(super) trait MysqlContext<T> {
    /// The outcome, with `doing` at the head of the error's message.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> MysqlContext<T> for mysql::Result<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| mysql_error(&error, &doing()))
    }
}

/// The error for `error`, which happened when `doing` what it says.
pub(super) fn mysql_error(error: &Mysql, doing: &str) -> Error {
    let (kind, said, mend) = match error {
        Mysql::MySqlError(error) => {
            let (kind, mend) = classify_error(error);
            (kind, format!("{} (error {})", server_message(error), error.code), mend)
        }
        Mysql::DriverError(error) => driver_words(error),
        Mysql::TlsError(error) => tls_failure(&error.to_string()),
        // What the other side sent is not what TLS allows, or its certificate is not.
        Mysql::IoError(error) if error.kind() == ErrorKind::InvalidData => tls_failure(&error.to_string()),
        Mysql::CodecError(error)
            if find_io_cause(error).is_some_and(|cause| cause.kind() == ErrorKind::InvalidData) =>
        {
            tls_failure(&find_io_cause(error).map_or_else(String::new, ToString::to_string))
        }
        // To try it once more would end alike.
        Mysql::CodecError(error) if error.to_string().contains("larger than max_allowed_packet") => {
            (Kind::Statement, TOO_LARGE_ROW.into(), RAISE_PACKET)
        }
        other => (Kind::Lost, transport_words(other), LOST),
    };
    let mend = if mend.is_empty() { String::new() } else { format!("; {mend}") };
    TargetError::new(kind, format!("{doing}: {said}{mend}")).into()
}

fn tls_failure(said: &str) -> (Kind, String, &'static str) {
    (
        Kind::Unavailable,
        format!("no protected connection could be made: {said}"),
        "check sslmode and sslrootcert of the target, and the server's certificate",
    )
}

fn find_io_cause(broken: &dyn std::error::Error) -> Option<&Io> {
    broken.source().and_then(|cause| cause.downcast_ref())
}

const LOST: &str = "nothing half done was kept: check the server, then run the same command again to go on";
const GRANT: &str = "ask the database's administrator for the permission";

fn classify_error(error: &MySqlError) -> (Kind, &'static str) {
    match error.code {
        _ if is_row_fault(error) => (Kind::Constraint, ""),
        1045 | 1698 => (
            Kind::Denied,
            "check the user, the password (in the target's URL, its password_file, or MYSQL_PWD), and whether the server wants \
             protected connections only (sslmode=require)",
        ),
        1049 => (Kind::Unavailable, "make the database (CREATE DATABASE … CHARACTER SET utf8mb4), or name another one"),
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 => (Kind::Denied, GRANT),
        1040 | 1203 | 1226 => (Kind::Unavailable, "the server has as many connections as it allows: try again later"),
        1129 | 1130 => (Kind::Unavailable, "the server does not take connections from this machine"),
        1205 | 3572 => (
            Kind::Locked,
            "another program holds a lock on it: wait until it has finished, then run the same command again",
        ),
        1213 => (Kind::Locked, "another program writes to the same rows: run the same command again"),
        1223 | 1290 | 1792 | 1836 | 3100 => {
            (Kind::ReadOnly, "the server does not take writes: choose another target, or make the server writable")
        }
        1021 | 1114 => (Kind::Full, FULL),
        _ if error.message.contains("errno: 28") || error.message.contains("error 28") => (Kind::Full, FULL),
        1053 | 1152 | 1158..=1161 | 1317 | 1927 | 4031 => (Kind::Lost, LOST),
        1969 | 3024 => (Kind::Statement, "the statement took longer than the server allows"),
        1153 => (Kind::Statement, RAISE_PACKET),
        1665 => (Kind::Statement, "set the server's binlog_format to ROW or MIXED"),
        3159 => {
            (Kind::Unavailable, "the server wants a protected connection: write sslmode=require in the target's URL")
        }
        1060 | 1071 | 1118 | 3750 => (Kind::Mismatch, ""),
        _ => (Kind::Statement, ""),
    }
}

const FULL: &str = "the server has no space left and nothing of this chunk was kept: make room, then run the same command \
                    again to go on";

/// Whether `error` says that a row breaks a constraint, a type or a trigger of the database.
fn is_row_fault(error: &MySqlError) -> bool {
    matches!(
        error.code,
        1022 | 1048 | 1062 | 1169 | 1216 | 1217 | 1264..=1265 | 1292 | 1364 | 1366 | 1406 | 1451..=1452 | 1526 | 1586
            | 1644 | 1690 | 1761..=1762 | 1859 | 3140 | 3819 | 4025
    )
}

/// Whether a constraint, a type or a trigger of the database stopped a statement.
pub(super) fn is_constraint(error: &Mysql) -> bool {
    matches!(error, Mysql::MySqlError(error) if is_row_fault(error))
}

/// Whether the connection cannot be used any more, and the outcome of what was asked is not known.
pub(super) fn is_connection_lost(error: &Mysql) -> bool {
    match error {
        Mysql::MySqlError(error) => matches!(error.code, 1053 | 1152 | 1158..=1161 | 1927 | 4031),
        Mysql::FromValueError(_) | Mysql::FromRowError(_) | Mysql::UrlError(_) => false,
        Mysql::DriverError(error) => !matches!(error, DriverError::Params(_) | DriverError::MismatchedStmtParams(..)),
        Mysql::IoError(_) | Mysql::CodecError(_) | Mysql::TlsError(_) => true,
    }
}

/// Whether the server does not let a client send a file (`LOAD DATA LOCAL`).
pub(super) fn forbids_local(error: &Mysql) -> bool {
    matches!(error, Mysql::MySqlError(error) if matches!(error.code, 1148 | 3948 | 4166))
}

/// Whether the table that was asked does not exist.
pub(super) fn is_missing_table(error: &Mysql) -> bool {
    matches!(error, Mysql::MySqlError(error) if error.code == 1146)
}

/// The words of a constraint that stopped a row, for its reject; none where `error` is of another kind.
pub(super) fn refusal_message(error: &Mysql) -> Option<String> {
    match error {
        Mysql::MySqlError(error) if is_row_fault(error) => Some(server_message(error)),
        _ => None,
    }
}

/// The server's words without the values of cells.
fn server_message(error: &MySqlError) -> String {
    mask_row_values(error.code, &error.message)
}

/// What `message` with the number `code` says, without the values of cells: also for a warning.
pub(super) fn mask_row_values(code: u16, message: &str) -> String {
    match code {
        // The value comes first and may hold anything; the key's name is the last that is quoted.
        1062 | 1586 | 1859 => match message.rsplit_once("for key '") {
            Some((_, key)) => format!("another row has the same key {}", key.trim_end_matches('\'')),
            None => "another row has the same key".into(),
        },
        1451 | 1452 | 1216 | 1217 => {
            let name = message.split_once("CONSTRAINT `").and_then(|(_, rest)| rest.split_once('`'));
            let name = name.map_or(String::new(), |(name, _)| format!(" {name}"));
            format!("the foreign key{name} does not hold")
        }
        _ if quotes_names_only(code) => message.to_owned(),
        _ => without_quoted(message),
    }
}

/// Whether the words of an error quote names only, or the text of a statement, which holds no values: they are bound.
fn quotes_names_only(code: u16) -> bool {
    matches!(
        code,
        1005 | 1040 | 1044..=1049 | 1051..=1052 | 1054..=1055 | 1060 | 1064 | 1071 | 1109 | 1118 | 1129..=1130 | 1140
            | 1142..=1143 | 1146 | 1203 | 1226..=1227 | 1264 | 1290 | 1305 | 1364 | 1370 | 1406 | 1698 | 3750 | 3819
            | 4025
    )
}

/// `message` without what stands between its first quote and its last: a value that is quoted may hold quotes itself.
fn without_quoted(message: &str) -> String {
    let quotes = ['\'', '"'];
    match (message.find(quotes), message.rfind(quotes)) {
        (Some(first), Some(last)) if first < last => format!("{}…{}", &message[..=first], &message[last..]),
        (Some(first), _) => format!("{}…", &message[..=first]),
        (None, _) => message.to_owned(),
    }
}

fn driver_words(error: &DriverError) -> (Kind, String, &'static str) {
    match error {
        DriverError::ConnectTimeout | DriverError::Timeout => {
            (Kind::Lost, "the server did not answer in time".into(), REACH)
        }
        DriverError::CouldNotConnect(Some((address, said, kind))) => {
            // A server that is being started again listens soon; a name that nobody knows stays unknown.
            let kind = match kind {
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Kind::Lost,
                _ => Kind::Unavailable,
            };
            (kind, format!("{address} cannot be reached: {said}"), REACH)
        }
        // What follows ends alike each time, so that nobody is told to run the command again.
        DriverError::UnknownAuthPlugin(method) => (
            Kind::Denied,
            format!("the server asks for the login method {method}, which is not supported"),
            LOGIN_METHOD,
        ),
        DriverError::OldMysqlPasswordDisabled | DriverError::CleartextPluginDisabled => {
            (Kind::Denied, "the server asks for a login method that shows the password".into(), LOGIN_METHOD)
        }
        DriverError::PacketTooLarge => (Kind::Statement, TOO_LARGE_ROW.into(), RAISE_PACKET),
        DriverError::UnsupportedProtocol(_)
        | DriverError::Protocol41NotSet
        | DriverError::CouldNotParseVersion
        | DriverError::ReadOnlyTransNotSupported
        | DriverError::SetupError
        | DriverError::InvalidParsecSalt => {
            (Kind::Unavailable, format!("no server answers there that Landfall can use: {error}"), REACH)
        }
        DriverError::MismatchedStmtParams(..)
        | DriverError::InvalidPoolConstraints
        | DriverError::PoisonedPoolMutex
        | DriverError::Params(_)
        | DriverError::MixedParams
        | DriverError::BulkExecute(_) => (Kind::Statement, error.to_string(), ""),
        DriverError::TlsNotSupported => (
            Kind::Unavailable,
            "the server offers no protected connections".into(),
            "set up TLS at the server, or write sslmode=disable in the target's URL",
        ),
        other => (Kind::Lost, other.to_string(), LOST),
    }
}

const TOO_LARGE_ROW: &str = "a row has more bytes than the server's max_allowed_packet allows";
const RAISE_PACKET: &str = "raise the server's max_allowed_packet, or shorten the row";
const LOGIN_METHOD: &str = "give the user another one, such as ALTER USER … IDENTIFIED WITH caching_sha2_password (MySQL) \
                            or IDENTIFIED VIA ed25519 (MariaDB)";
const REACH: &str = "check host and port of the target, and that the server is running";

/// What happened on the way to the server or back.
fn transport_words(error: &Mysql) -> String {
    let cause = match error {
        Mysql::IoError(cause) => Some(cause),
        Mysql::CodecError(broken) => find_io_cause(broken),
        Mysql::FromValueError(_) | Mysql::FromRowError(_) => {
            return "the server's answer has not the form asked for".into();
        }
        _ => None,
    };
    let Some(cause) = cause else { return format!("the connection broke: {error}") };
    match cause.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the server has stopped answering".into(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => {
            "the server closed the connection".into()
        }
        _ => format!("the connection broke: {cause}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> Mysql {
        Mysql::MySqlError(MySqlError { state: "HY000".into(), code, message: message.into() })
    }

    fn told(error: &Mysql) -> (Kind, String) {
        match mysql_error(error, "cannot do it") {
            Error::Target(error) => (error.kind, error.message),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn no_value_of_a_cell_is_told() {
        for (code, message) in [
            (1062, "Duplicate entry 'secret for key 'x'' for key 'PRIMARY'"),
            (1366, "Incorrect integer value: 'se'cret' for column `db`.`t`.`c` at row 1"),
            (1292, "Truncated incorrect DOUBLE value: 'secret\\'"),
            (1265, "Data truncated: 'secret"),
            (4242, "Something with \"secret\" in it"),
            (1644, "said by a trigger: 'secret'"),
        ] {
            let (_, said) = told(&server(code, message));
            assert!(!said.contains("secret") && said.contains(&code.to_string()), "{said}");
        }
    }

    #[test]
    fn only_what_may_pass_by_itself_is_lost() {
        let refused = |kind| DriverError::CouldNotConnect(Some(("db:3306".into(), "no".into(), kind)));
        for (error, kind, words) in [
            (DriverError::UnknownAuthPlugin("sha256_password".into()), Kind::Denied, "sha256_password"),
            (DriverError::OldMysqlPasswordDisabled, Kind::Denied, "ALTER USER"),
            (DriverError::PacketTooLarge, Kind::Statement, "max_allowed_packet"),
            (DriverError::Protocol41NotSet, Kind::Unavailable, "no server answers there"),
            (refused(ErrorKind::ConnectionRefused), Kind::Lost, "cannot be reached"),
            (refused(ErrorKind::NotFound), Kind::Unavailable, "cannot be reached"),
            (DriverError::Timeout, Kind::Lost, "in time"),
        ] {
            let (found, said) = told(&Mysql::DriverError(error));
            assert!(found == kind && said.contains(words), "{found:?}: {said}");
        }
    }

    #[test]
    fn a_duplicate_names_its_key() {
        let error = server(1062, "Duplicate entry '7' for key 'orders.PRIMARY'");
        assert_eq!(refusal_message(&error).as_deref(), Some("another row has the same key orders.PRIMARY"));
        assert!(is_constraint(&error));
    }

    #[test]
    fn a_foreign_key_is_named() {
        let message = "Cannot add or update a child row: a foreign key constraint fails (`db`.`t`, CONSTRAINT `fk_t_a` \
                       FOREIGN KEY (`a`) REFERENCES `p` (`id`))";
        assert_eq!(refusal_message(&server(1452, message)).as_deref(), Some("the foreign key fk_t_a does not hold"));
    }

    #[test]
    fn kinds_and_mends() {
        for (code, message, kind, mend) in [
            (1045, "Access denied for user 'a'@'h'", Kind::Denied, "MYSQL_PWD"),
            (1049, "Unknown database 'x'", Kind::Unavailable, "CREATE DATABASE"),
            (1142, "INSERT command denied to user 'a'@'h' for table `t`", Kind::Denied, "administrator"),
            (1205, "Lock wait timeout exceeded; try restarting transaction", Kind::Locked, "wait until"),
            (1030, "Got error 28 \"No space left on device\" from storage engine", Kind::Full, "make room"),
            (1114, "The table 't' is full", Kind::Full, "make room"),
            (1290, "The MariaDB server is running with the --read-only option", Kind::ReadOnly, "writable"),
            (1040, "Too many connections", Kind::Unavailable, "try again later"),
        ] {
            let (found, said) = told(&server(code, message));
            assert_eq!(found, kind, "{said}");
            assert!(said.contains(mend) && said.starts_with("cannot do it: "), "{said}");
        }
    }

    #[test]
    fn a_silent_server_is_lost() {
        let silent = Mysql::IoError(ErrorKind::WouldBlock.into());
        assert!(is_connection_lost(&silent) && told(&silent).1.contains("stopped answering"));
        assert!(
            is_connection_lost(&Mysql::server_disconnected())
                && told(&Mysql::server_disconnected()).1.contains("closed")
        );
        assert!(!is_connection_lost(&server(1062, "Duplicate entry")));
    }
}
