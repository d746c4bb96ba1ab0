//! A private MariaDB.

use std::{
    ops::Deref,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{
    Certificates, RunningServer, ServerOptions, TestDatabase, Tls,
    account::SystemAccount,
    database::ServerKind,
    program::{self, quote_word},
    server::LaunchPlan,
    supervisor::{ServerEnding, Supervisor},
};

const SUPERUSER: &str = "admin";
const PACKAGE: &str = "mariadb-server";
/// For tests: a commit is given to the system, not to the disk, so that a kill of the process loses nothing.
const FOR_TESTS: [(&str, &str); 1] = [("innodb_flush_log_at_trx_commit", "2")];
/// It leaves nothing behind outside its folder.
const ENDING: ServerEnding = ServerEnding { signal: "KILL", script: None };

/// A private MariaDB server, utf8mb4, TCP on 127.0.0.1. The methods of [`RunningServer`] kill, pause and restart it.
/// `Options::default().setting("local_infile", "OFF")` makes one that forbids LOCAL.
#[derive(Debug)]
pub struct Mariadb {
    server: RunningServer,
    /// The database `mysql` with the superuser's password.
    superuser: TestDatabase,
    databases: AtomicU32,
}

impl Deref for Mariadb {
    type Target = RunningServer;

    fn deref(&self) -> &RunningServer {
        &self.server
    }
}

impl Mariadb {
    /// Starts a server for tests.
    pub fn start() -> Result<Self> {
        Self::start_with(&ServerOptions::default())
    }

    /// Starts a server with options.
    pub fn start_with(options: &ServerOptions) -> Result<Self> {
        Self::launch_server(options).context("cannot start a private MariaDB")
    }

    /// The server that all tests of this process share. Do not kill or pause it.
    ///
    /// # Panics
    /// When it cannot be started: no test could do without it.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Mariadb> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{error:#}")))
    }

    fn launch_server(options: &ServerOptions) -> Result<Self> {
        let programs = MariadbPrograms::find()?;
        let account = SystemAccount::for_server("mysql", PACKAGE)?;
        let mut supervisor = RunningServer::new_supervisor(account, "landfall-mariadb", options, ENDING)?;
        let superuser = superuser_database(supervisor.server_secret());
        supervisor.write("accounts.sql", &account_statements(&superuser.password))?;
        supervisor.run_setup(&programs.init_script())?;
        let certificates = Certificates::make_in_folder(&mut supervisor, options.tls)?;
        let launch = launch_plan(programs, options, &supervisor, superuser.clone());
        let server = RunningServer::start_server(supervisor, certificates, launch)?;
        let superuser = superuser.through_port(server.port());
        Ok(Self { server, superuser, databases: AtomicU32::new(0) })
    }

    /// A database of the given name, seen by the superuser.
    #[must_use]
    pub fn superuser(&self, database: &str) -> TestDatabase {
        TestDatabase { name: database.to_owned(), ..self.superuser.clone() }
    }

    /// The URL of a database for the superuser.
    #[must_use]
    pub fn superuser_url(&self, database: &str) -> String {
        self.superuser(database).url()
    }

    /// A new empty database of its own, with a new ordinary user who has all rights on it and none elsewhere.
    pub fn fresh_database(&self) -> Result<TestDatabase> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed) + 1;
        let password = format!("{}-{number}", self.superuser.password);
        self.fresh_database_named(&format!("fresh{number}"), &format!("owner{number}"), &password)
    }

    /// A new empty database with names and password of the caller's choice.
    pub fn fresh_database_named(&self, name: &str, user: &str, password: &str) -> Result<TestDatabase> {
        let database = quote_identifier(name);
        // In a grant, the name of a database is a pattern.
        let pattern = quote_identifier(&name.replace('_', "\\_").replace('%', "\\%"));
        let [account, secret] = [user, password].map(quote_literal);
        let sql = format!(
            "CREATE DATABASE {database} CHARACTER SET utf8mb4;
             CREATE USER {account}@'%' IDENTIFIED BY {secret};
             GRANT ALL ON {pattern}.* TO {account}@'%';"
        );
        self.superuser.run_sql(&sql).context("cannot make a database")?;
        Ok(self.superuser(name).as_user(user, password))
    }

    /// Drops a database.
    pub fn drop_database(&self, database: &TestDatabase) -> Result<()> {
        self.superuser.run_sql(&format!("DROP DATABASE {}", quote_identifier(&database.name))).map(drop)
    }

    /// Runs SQL in a database with the `mariadb` program, and gives its output: see [`TestDatabase::run_sql`].
    pub fn run_sql(&self, database: &TestDatabase, sql: &str) -> Result<String> {
        database.run_sql(sql)
    }

    /// Ends all connections of a database's user.
    pub fn kill_connections(&self, database: &TestDatabase) -> Result<()> {
        self.superuser.run_sql(&format!("KILL HARD CONNECTION USER {}@'%'", quote_literal(&database.user))).map(drop)
    }
}

/// The server's programs.
struct MariadbPrograms {
    install: PathBuf,
    mariadbd: PathBuf,
}

impl MariadbPrograms {
    fn find() -> Result<Self> {
        // Needed from the first moment on.
        program::find("mariadb", "mariadb-client")?;
        let [install, mariadbd] = ["mariadb-install-db", "mariadbd"].map(|program| program::find(program, PACKAGE));
        Ok(Self { install: install?, mariadbd: mariadbd? })
    }

    /// The script that makes the data folder.
    fn init_script(&self) -> String {
        let install = quote_word(&self.install.display().to_string());
        format!(
            "exec {install} --no-defaults --datadir=\"$PWD/data\" --skip-test-db --auth-root-authentication-method=normal\n"
        )
    }

    /// The script that becomes the server.
    fn serve_script(&self, settings: &[(String, String)], port: u16) -> String {
        let settings = settings.iter().map(|(name, value)| format!(" {}", quote_word(&format!("--{name}={value}"))));
        format!(
            "exec {} --no-defaults --datadir=\"$PWD/data\" --socket=\"$PWD/socket\" --pid-file=\"$PWD/pid\" \
             --bind-address=127.0.0.1 --port={port} --skip-name-resolve --init-file=\"$PWD/accounts.sql\" \
             --character-set-server=utf8mb4{}\n",
            quote_word(&self.mariadbd.display().to_string()),
            settings.collect::<String>()
        )
    }
}

/// What the server runs whenever it starts: our superuser is the only one.
fn account_statements(password: &str) -> String {
    let secret = quote_literal(password);
    format!(
        "CREATE USER IF NOT EXISTS {SUPERUSER}@'%' IDENTIFIED BY {secret};\n\
         GRANT ALL ON *.* TO {SUPERUSER}@'%' WITH GRANT OPTION;\n\
         DELETE FROM mysql.global_priv WHERE User IN ('root', '');\n\
         FLUSH PRIVILEGES;\n"
    )
}

fn superuser_database(password: String) -> TestDatabase {
    let [host, name, user] = ["127.0.0.1", "mysql", SUPERUSER].map(str::to_owned);
    TestDatabase { kind: ServerKind::Mariadb, host, port: 0, name, user, password }
}

fn launch_plan(
    programs: MariadbPrograms,
    options: &ServerOptions,
    supervisor: &Supervisor,
    superuser: TestDatabase,
) -> LaunchPlan {
    let mut settings = options.settings_over(&FOR_TESTS);
    if options.tls != Tls::Off {
        let files = [("ssl_ca", "authority.crt"), ("ssl_cert", "server.crt"), ("ssl_key", "server.key")];
        let path = |name: &str| supervisor.server_folder().join(name).display().to_string();
        settings.extend(files.map(|(name, file)| (name.to_owned(), path(file))));
    }
    if options.tls == Tls::Required {
        settings.push(("require_secure_transport".to_owned(), "ON".to_owned()));
    }
    LaunchPlan {
        script: Box::new(move |port| programs.serve_script(&settings, port)),
        answers: Box::new(move |port| superuser.through_port(port).run_sql("SELECT 1").is_ok()),
        stop: Signal::TERM,
    }
}

fn quote_identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
