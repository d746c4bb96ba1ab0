//! A connection to the server, with the session settings that every promise rests on.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::mpsc,
    thread,
};

use mysql::{Conn, DriverError, Error as Mysql, Opts, OptsBuilder, SslOpts, prelude::Queryable as _};

use super::{
    super::url::SslMode,
    failure::{Context as _, failure},
    server::Server,
    settings::Settings,
};
use crate::error::{Error, Result, TargetError, TargetErrorKind};

/// Seconds that a statement waits for another program's lock, be it on rows or on a table's form.
const LOCK_SECONDS: u32 = 10;
/// Seconds that the server waits in the middle of a statement for a client that waits for its source.
const PATIENCE_SECONDS: u32 = 3600;
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 64;

/// A connection with its session set up.
pub(super) struct Connection {
    pub(super) conn: Conn,
    pub(super) server: Server,
}

impl Connection {
    /// Connects, and sets up the session.
    ///
    /// # Errors
    /// A server that cannot be reached, does not let the user in, or is too old.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let doing = || format!("cannot connect to {settings}");
        let mut conn = connect(settings)?;
        let server = Server::of(&mut conn).context(doing)?;
        server.refuse_old().map_err(|said| unavailable(format!("{}: {said}", doing())))?;
        for statement in session(&server) {
            conn.query_drop(statement).context(doing)?;
        }
        Ok(Self { conn, server })
    }
}

/// Connects within the time that the settings give. A server that is stopped takes connections and never says a word, and
/// looking up a name has no limit of its own: so the wait is for another thread.
fn connect(settings: &Settings) -> Result<Conn> {
    let wanted = settings.clone();
    let (tell, told) = mpsc::sync_channel(1);
    let password = settings.password().map_err(unavailable)?;
    let options = move |tls: bool| options(&wanted, password.as_ref().map(|secret| secret.0.as_str()), tls);
    let (mode, host, socket) = (settings.ssl_mode, settings.host.clone(), settings.socket.is_some());
    thread::spawn(move || {
        let first = any_family(&options(mode != SslMode::Disable), &host, socket);
        let outcome = match first {
            Err(Mysql::DriverError(DriverError::TlsNotSupported)) if mode == SslMode::Prefer => {
                any_family(&options(false), &host, socket)
            }
            other => other,
        };
        // Nobody listens any more where it took too long.
        let _ = tell.send(outcome);
    });
    let doing = format!("cannot connect to {settings}");
    match told.recv_timeout(settings.connect_timeout) {
        Ok(outcome) => outcome.map_err(|error| failure(&error, &doing)),
        Err(_) => Err(failure(&Mysql::DriverError(DriverError::ConnectTimeout), &doing)),
    }
}

fn unavailable(message: String) -> Error {
    TargetError::new(TargetErrorKind::Unavailable, message).into()
}

/// Tries the addresses of version 4, then those of version 6. The driver tries all addresses of a name only where it is
/// told from which address of its own to go out.
fn any_family(options: &OptsBuilder, host: &str, socket: bool) -> mysql::Result<Conn> {
    let from = |ip: IpAddr| Conn::new(Opts::from(options.clone().bind_address(Some(SocketAddr::new(ip, 0)))));
    if socket {
        return Conn::new(Opts::from(options.clone()));
    }
    let (four, six) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => from(four),
        Ok(IpAddr::V6(_)) => from(six),
        Err(_) => from(four).or_else(|error| match error {
            Mysql::DriverError(DriverError::CouldNotConnect(_) | DriverError::ConnectTimeout) => {
                from(six).map_err(|_| error)
            }
            other => Err(other),
        }),
    }
}

fn options(settings: &Settings, password: Option<&str>, tls: bool) -> OptsBuilder {
    let tls = tls.then(|| {
        let checked = settings.ssl_mode == SslMode::VerifyFull;
        SslOpts::default()
            .with_root_cert_path(settings.ssl_root_cert.clone())
            .with_danger_accept_invalid_certs(!checked)
            .with_danger_skip_domain_validation(!checked)
    });
    OptsBuilder::new()
        .ip_or_hostname(Some(settings.host.clone()))
        .tcp_port(settings.port)
        .socket(settings.socket.as_ref().map(|path| path.to_string_lossy().into_owned()))
        .prefer_socket(false)
        .user(Some(settings.user.clone()))
        .pass(password)
        .db_name(Some(settings.database.clone()))
        .ssl_opts(tls)
        .tcp_connect_timeout(Some(settings.connect_timeout))
        .read_timeout(Some(settings.read_timeout))
        .write_timeout(Some(settings.read_timeout))
        .stmt_cache_size(STATEMENTS)
        .connect_attrs(Some([("program_name", "landfall")].into()))
}

/// The statements that set up a session.
///
/// - `sql_mode`: standard quotes (`"name"`, `'text'`, no backslash escapes) and `||`, so that one text of a report means the
///   same in every database; and every mode in which the server refuses what it would else change.
/// - READ COMMITTED: a transaction sees what other programs committed before each of its statements, so that a row that
///   came in between is found and told as such; and inserts do not lock the gaps between rows, so that two connections fill
///   one table without waiting for each other.
/// - Text is compared byte for byte, in literals too.
fn session(server: &Server) -> [String; 3] {
    let modes = "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,\
                 NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,ONLY_FULL_GROUP_BY,NO_ENGINE_SUBSTITUTION";
    [
        format!("SET NAMES utf8mb4 COLLATE {}", server.collation()),
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".into(),
        format!(
            "SET SESSION sql_mode = '{modes}', time_zone = '+00:00', autocommit = 1, foreign_key_checks = 1, \
             unique_checks = 1, sql_safe_updates = 0, sql_select_limit = DEFAULT, sql_auto_is_null = 0, \
             innodb_lock_wait_timeout = {LOCK_SECONDS}, lock_wait_timeout = {LOCK_SECONDS}, \
             net_read_timeout = {PATIENCE_SECONDS}, net_write_timeout = {PATIENCE_SECONDS}, wait_timeout = 28800"
        ),
    ]
}
