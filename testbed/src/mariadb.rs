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
    Certificates, Database, Options, Server, Tls,
    account::Account,
    database::Kind,
    program::{self, quoted},
    server::Launch,
    supervisor::{Ending, Supervisor},
};

const SUPERUSER: &str = "admin";
const PACKAGE: &str = "mariadb-server";
/// For tests: a commit is given to the system, not to the disk, so that a kill of the process loses nothing.
const FOR_TESTS: [(&str, &str); 1] = [("innodb_flush_log_at_trx_commit", "2")];
/// It leaves nothing behind outside its folder.
const ENDING: Ending = Ending { signal: "KILL", script: None };

/// A private MariaDB server, utf8mb4, TCP on 127.0.0.1. The methods of [`Server`] kill, pause and restart it.
/// `Options::default().setting("local_infile", "OFF")` makes one that forbids LOCAL.
#[derive(Debug)]
pub struct Mariadb {
    server: Server,
    /// The database `mysql` with the superuser's password.
    superuser: Database,
    databases: AtomicU32,
}

impl Deref for Mariadb {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Mariadb {
    /// Starts a server for tests.
    pub fn start() -> Result<Self> {
        Self::start_with(&Options::default())
    }

    /// Starts a server with options.
    pub fn start_with(options: &Options) -> Result<Self> {
        Self::launched(options).context("cannot start a private MariaDB")
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

    fn launched(options: &Options) -> Result<Self> {
        let programs = Programs::find()?;
        let account = Account::for_server("mysql", PACKAGE)?;
        let mut supervisor = Server::supervisor(account, "landfall-mariadb", options, ENDING)?;
        let superuser = superuser(supervisor.secret());
        supervisor.write("accounts.sql", &accounts(&superuser.password))?;
        supervisor.setup(&programs.init())?;
        let certificates = Certificates::make(&mut supervisor, options.tls)?;
        let launch = launch(programs, options, &supervisor, superuser.clone());
        let server = Server::start(supervisor, certificates, launch)?;
        let superuser = superuser.at_port(server.port());
        Ok(Self { server, superuser, databases: AtomicU32::new(0) })
    }

    /// A database of the given name, seen by the superuser.
    #[must_use]
    pub fn superuser(&self, database: &str) -> Database {
        Database { name: database.to_owned(), ..self.superuser.clone() }
    }

    /// The URL of a database for the superuser.
    #[must_use]
    pub fn superuser_url(&self, database: &str) -> String {
        self.superuser(database).url()
    }

    /// A new empty database of its own, with a new ordinary user who has all rights on it and none elsewhere.
    pub fn fresh_database(&self) -> Result<Database> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed) + 1;
        let password = format!("{}-{number}", self.superuser.password);
        self.fresh_database_named(&format!("fresh{number}"), &format!("owner{number}"), &password)
    }

    /// A new empty database with names and password of the caller's choice.
    pub fn fresh_database_named(&self, name: &str, user: &str, password: &str) -> Result<Database> {
        let database = identifier(name);
        // In a grant, the name of a database is a pattern.
        let pattern = identifier(&name.replace('_', "\\_").replace('%', "\\%"));
        let [account, secret] = [user, password].map(literal);
        let sql = format!(
            "CREATE DATABASE {database} CHARACTER SET utf8mb4;
             CREATE USER {account}@'%' IDENTIFIED BY {secret};
             GRANT ALL ON {pattern}.* TO {account}@'%';"
        );
        self.superuser.sql(&sql).context("cannot make a database")?;
        Ok(self.superuser(name).as_user(user, password))
    }

    /// Drops a database.
    pub fn drop_database(&self, database: &Database) -> Result<()> {
        self.superuser.sql(&format!("DROP DATABASE {}", identifier(&database.name))).map(drop)
    }

    /// Runs SQL in a database with the `mariadb` program, and gives its output: see [`Database::sql`].
    pub fn sql(&self, database: &Database, sql: &str) -> Result<String> {
        database.sql(sql)
    }

    /// Ends all connections of a database's user.
    pub fn kill_connections(&self, database: &Database) -> Result<()> {
        self.superuser.sql(&format!("KILL HARD CONNECTION USER {}@'%'", literal(&database.user))).map(drop)
    }
}

/// The server's programs.
struct Programs {
    install: PathBuf,
    mariadbd: PathBuf,
}

impl Programs {
    fn find() -> Result<Self> {
        // Needed from the first moment on.
        program::find("mariadb", "mariadb-client")?;
        let [install, mariadbd] = ["mariadb-install-db", "mariadbd"].map(|program| program::find(program, PACKAGE));
        Ok(Self { install: install?, mariadbd: mariadbd? })
    }

    /// The script that makes the data folder.
    fn init(&self) -> String {
        let install = quoted(&self.install.display().to_string());
        format!(
            "exec {install} --no-defaults --datadir=\"$PWD/data\" --skip-test-db --auth-root-authentication-method=normal\n"
        )
    }

    /// The script that becomes the server.
    fn serve(&self, settings: &[(String, String)], port: u16) -> String {
        let settings = settings.iter().map(|(name, value)| format!(" {}", quoted(&format!("--{name}={value}"))));
        format!(
            "exec {} --no-defaults --datadir=\"$PWD/data\" --socket=\"$PWD/socket\" --pid-file=\"$PWD/pid\" \
             --bind-address=127.0.0.1 --port={port} --skip-name-resolve --init-file=\"$PWD/accounts.sql\" \
             --character-set-server=utf8mb4{}\n",
            quoted(&self.mariadbd.display().to_string()),
            settings.collect::<String>()
        )
    }
}

/// What the server runs whenever it starts: our superuser is the only one.
fn accounts(password: &str) -> String {
    let secret = literal(password);
    format!(
        "CREATE USER IF NOT EXISTS {SUPERUSER}@'%' IDENTIFIED BY {secret};\n\
         GRANT ALL ON *.* TO {SUPERUSER}@'%' WITH GRANT OPTION;\n\
         DELETE FROM mysql.global_priv WHERE User IN ('root', '');\n\
         FLUSH PRIVILEGES;\n"
    )
}

fn superuser(password: String) -> Database {
    let [host, name, user] = ["127.0.0.1", "mysql", SUPERUSER].map(str::to_owned);
    Database { kind: Kind::Mariadb, host, port: 0, name, user, password }
}

fn launch(programs: Programs, options: &Options, supervisor: &Supervisor, superuser: Database) -> Launch {
    let mut settings = options.settings_over(&FOR_TESTS);
    if options.tls != Tls::Off {
        let files = [("ssl_ca", "authority.crt"), ("ssl_cert", "server.crt"), ("ssl_key", "server.key")];
        let path = |name: &str| supervisor.folder().join(name).display().to_string();
        settings.extend(files.map(|(name, file)| (name.to_owned(), path(file))));
    }
    if options.tls == Tls::Required {
        settings.push(("require_secure_transport".to_owned(), "ON".to_owned()));
    }
    Launch {
        script: Box::new(move |port| programs.serve(&settings, port)),
        answers: Box::new(move |port| superuser.at_port(port).sql("SELECT 1").is_ok()),
        stop: Signal::TERM,
    }
}

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
