//! A connection to the server, with the session settings that every promise rests on.

use std::{
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use mysql::{
    Column, Conn, DriverError, Error as Mysql, LocalInfileHandler, Opts, OptsBuilder, Params, SslOpts, Statement,
    Value, consts::CapabilityFlags, prelude::Queryable as _,
};
use tempfile::NamedTempFile;

use super::{
    super::{authorities::TrustedAuthorities, url::SslMode},
    failure::{MysqlContext as _, is_connection_lost, mysql_error},
    server::MysqlServer,
    session::session_statements,
    settings::MysqlSettings,
};
use crate::{
    error::{Error, Result, TargetError, TargetErrorKind},
    targets::sql::commits::CommitToken,
};

/// A connection that was used a shorter time ago is taken to be alive.
const UNASKED: Duration = Duration::from_secs(1);
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 64;

/// Takes the rows of a query, with the descriptions of their columns.
pub(super) type VisitMysqlRow<'v> = &'v mut dyn FnMut(&[Column], Vec<Value>) -> Result<()>;

/// A connection with its session set up.
pub(super) struct MysqlConnection {
    conn: Conn,
    pub(super) server: MysqlServer,
    lost: bool,
    /// The token of the last transaction that committed here; the next one removes it.
    pub(super) spent: Option<CommitToken>,
    /// When it was last heard of.
    used: Instant,
}

impl MysqlConnection {
    /// Connects, and sets up the session.
    ///
    /// # Errors
    /// A server that cannot be reached, does not let the user in, or is too old.
    pub(super) fn open(settings: &MysqlSettings) -> Result<Self> {
        let doing = || format!("cannot connect to {settings}");
        let mut conn = connect_in_time(settings)?;
        let server = MysqlServer::ask_server(&mut conn).context(doing)?;
        server.refuse_old().map_err(|said| unavailable_error(format!("{}: {said}", doing())))?;
        for statement in session_statements(&server) {
            conn.query_drop(statement).context(doing)?;
        }
        Ok(Self { conn, server, lost: false, spent: None, used: Instant::now() })
    }

    /// One more connection. The server was there before: where it cannot be reached now, it was lost.
    ///
    /// # Errors
    /// As [`MysqlConnection::open`].
    pub(super) fn open_another(settings: &MysqlSettings) -> Result<Self> {
        Self::open(settings).map_err(|error| match error {
            Error::Target(TargetError { kind: TargetErrorKind::Unavailable, message, .. }) => {
                let message = format!("{message}; then run the same command again");
                TargetError::new(TargetErrorKind::Lost, message).into()
            }
            other => other,
        })
    }
}

/// Connects within the time that the settings give. A server that is stopped takes connections and never says a word, and
/// looking up a name has no limit of its own: so the wait is for another thread.
fn connect_in_time(settings: &MysqlSettings) -> Result<Conn> {
    let wanted = settings.clone();
    let (tell, told) = mpsc::sync_channel(1);
    let password = settings.find_password().map_err(unavailable_error)?;
    let authorities = write_authorities(settings)?;
    // The file goes when this does.
    let options = move |tls: bool| {
        let authorities = authorities.as_ref().map(|file| file.path().to_owned());
        let password = password.as_ref().map(|secret| secret.0.as_str());
        connection_options(&wanted, password, tls.then(|| tls_options(&wanted, authorities)))
    };
    let (mode, host, socket) = (settings.ssl_mode, settings.host.clone(), settings.socket.is_some());
    thread::spawn(move || {
        let first = connect_any_family(&options(mode != SslMode::Disable), &host, socket);
        let outcome = match first {
            Err(Mysql::DriverError(DriverError::TlsNotSupported)) if mode == SslMode::Prefer => {
                connect_any_family(&options(false), &host, socket)
            }
            other => other,
        };
        // Nobody listens any more where it took too long.
        let _ = tell.send(outcome);
    });
    let doing = format!("cannot connect to {settings}");
    match told.recv_timeout(settings.connect_timeout) {
        Ok(outcome) => outcome.map_err(|error| mysql_error(&error, &doing)),
        Err(_) => Err(mysql_error(&Mysql::DriverError(DriverError::ConnectTimeout), &doing)),
    }
}

/// Writes the authorities that the server is checked against to a file for the driver, which trusts no others; none if the server's
/// certificate is not checked.
fn write_authorities(settings: &MysqlSettings) -> Result<Option<NamedTempFile>> {
    let faulty = |said: String| unavailable_error(format!("cannot connect to {settings}: {said}"));
    let found = TrustedAuthorities::find(settings.ssl_mode, settings.ssl_root_cert.as_deref()).map_err(faulty)?;
    let write = |authorities: TrustedAuthorities| {
        let mut file = NamedTempFile::new()?;
        file.write_all(authorities.to_pem().as_bytes())?;
        Ok(file)
    };
    let unwritable =
        |error: io::Error| faulty(format!("the authorities cannot be written to a temporary file: {error}"));
    found.map(write).transpose().map_err(unwritable)
}

fn unavailable_error(message: String) -> Error {
    TargetError::new(TargetErrorKind::Unavailable, message).into()
}

/// Tries the addresses of version 4, then those of version 6. The driver tries all addresses of a name only where it is
/// told from which address of its own to go out.
fn connect_any_family(options: &OptsBuilder, host: &str, socket: bool) -> mysql::Result<Conn> {
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

/// TLS as `sslmode` asks for it: without authorities, nothing of the certificate is checked.
fn tls_options(settings: &MysqlSettings, authorities: Option<PathBuf>) -> SslOpts {
    SslOpts::default()
        .with_danger_accept_invalid_certs(authorities.is_none())
        .with_danger_skip_domain_validation(settings.ssl_mode != SslMode::VerifyFull)
        .with_root_cert_path(authorities)
}

fn connection_options(settings: &MysqlSettings, password: Option<&str>, tls: Option<SslOpts>) -> OptsBuilder {
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
        .read_timeout(Some(settings.answer_timeout))
        .write_timeout(Some(settings.answer_timeout))
        .stmt_cache_size(STATEMENTS)
        // A statement says how many rows it found, not how many it made different.
        .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS)
        .connect_attrs(Some([("program_name", "landfall")].into()))
}

impl MysqlConnection {
    /// What stops the statement that the connection runs. The server is asked over a connection of its own.
    pub(super) fn statement_stopper(&self, settings: &Arc<MysqlSettings>) -> impl Fn() + Send + 'static {
        let (settings, id) = (settings.clone(), self.connection_number());
        move || {
            // A server that is not there runs nothing.
            let _ = connect_in_time(&settings).map(|mut other| other.query_drop(format!("KILL QUERY {id}")));
        }
    }

    /// Seconds that a statement waits for another program's lock, be it on rows or on a table's form.
    pub(super) const LOCK_SECONDS: u32 = 10;

    /// Lets statements wait so many seconds for locks on rows.
    pub(super) fn wait_for_locks(&mut self, seconds: u32) -> mysql::Result<StatementResult> {
        self.run(&format!("SET SESSION innodb_lock_wait_timeout = {seconds}"))
    }

    /// The server's number for this connection.
    pub(super) fn connection_number(&self) -> u32 {
        self.conn.connection_id()
    }

    /// Whether the connection broke: nothing can be asked of it any more.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether the server still answers: asked where the connection was not used for a while.
    pub(super) fn is_alive(&mut self) -> bool {
        if !self.lost && self.used.elapsed() > UNASKED {
            let outcome = self.conn.ping();
            let _ = self.note_outcome(outcome);
        }
        !self.lost
    }

    /// Runs a statement with values for its `?`.
    pub(super) fn execute_statement(&mut self, sql: &str, values: Vec<Value>) -> mysql::Result<StatementResult> {
        let outcome = self.conn.exec_iter(sql, Params::Positional(values)).map(|result| StatementResult {
            rows: result.affected_rows(),
            id: result.last_insert_id().and_then(|id| i64::try_from(id).ok()),
            warnings: result.warnings(),
        });
        self.note_outcome(outcome)
    }

    /// Runs a statement as it stands: one that cannot be prepared, or is wanted once.
    pub(super) fn run(&mut self, sql: &str) -> mysql::Result<StatementResult> {
        let outcome = self.conn.query_iter(sql).map(|result| StatementResult {
            rows: result.affected_rows(),
            id: result.last_insert_id().and_then(|id| i64::try_from(id).ok()),
            warnings: result.warnings(),
        });
        self.note_outcome(outcome)
    }

    /// Runs `LOAD DATA LOCAL`, for which `handler` sends the file.
    pub(super) fn send_rows(&mut self, sql: &str, handler: LocalInfileHandler) -> mysql::Result<StatementResult> {
        self.conn.set_local_infile_handler(Some(handler));
        let outcome = self.run(sql);
        self.conn.set_local_infile_handler(None);
        outcome
    }

    /// Runs a query and hands its rows to `visit`, each with the columns' descriptions.
    pub(super) fn query_rows(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        doing: &dyn Fn() -> String,
        visit: VisitMysqlRow<'_>,
    ) -> Result<()> {
        let outcome = visit_rows(&mut self.conn, sql, values, visit);
        self.note_outcome(outcome).context(doing)?
    }

    /// All rows of a query that has few.
    pub(super) fn query_all(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        doing: &dyn Fn() -> String,
    ) -> Result<Vec<Vec<Value>>> {
        let mut found = Vec::new();
        self.query_rows(sql, values, doing, &mut |_, row| {
            found.push(row);
            Ok(())
        })?;
        Ok(found)
    }

    /// The warnings of the last statement: number and message.
    pub(super) fn read_warnings(&mut self, doing: &dyn Fn() -> String) -> Result<Vec<(u16, String)>> {
        let outcome = self.conn.query::<(String, u16, String), _>("SHOW WARNINGS LIMIT 16");
        let found = self.note_outcome(outcome).context(doing)?;
        Ok(found.into_iter().map(|(_, code, message)| (code, message)).collect())
    }

    /// Prepares a statement, or finds it prepared.
    pub(super) fn prepare_statement(&mut self, sql: &str) -> mysql::Result<Statement> {
        let outcome = self.conn.prep(sql);
        self.note_outcome(outcome)
    }

    fn note_outcome<T>(&mut self, outcome: mysql::Result<T>) -> mysql::Result<T> {
        self.lost |= outcome.as_ref().is_err_and(is_connection_lost);
        self.used = Instant::now();
        outcome
    }
}

/// Hands the rows of a query to `visit`; what it said, where the server has nothing to say itself.
fn visit_rows(conn: &mut Conn, sql: &str, values: Vec<Value>, visit: VisitMysqlRow<'_>) -> mysql::Result<Result<()>> {
    for row in conn.exec_iter(sql, Params::Positional(values))? {
        let row = row?;
        let columns = row.columns();
        if let Err(error) = visit(&columns, row.unwrap()) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// What a statement did.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatementResult {
    /// Rows that it found and changed, or made.
    pub(super) rows: u64,
    /// The number that the server gave a new row.
    pub(super) id: Option<i64>,
    /// How many warnings there were.
    pub(super) warnings: u16,
}
