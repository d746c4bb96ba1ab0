//! A private PostgreSQL.

use std::{
    fmt::Write as _,
    ops::Deref,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    Certificates, RunningServer, ServerOptions, TestDatabase, Tls,
    account::SystemAccount,
    database::ServerKind,
    program::{self, quote_word},
    server::LaunchPlan,
    supervisor::{ServerEnding, Supervisor},
};

pub(crate) const SUPERUSER: &str = "admin";
const PACKAGE: &str = "postgresql";
/// For tests: a kill of the processes loses nothing that the system has been given, and shared memory in files does not
/// outlive the folder.
const FOR_TESTS: [(&str, &str); 2] = [("fsync", "off"), ("dynamic_shared_memory_type", "mmap")];
/// On SIGQUIT the server ends at once, but gives its shared memory back. When it was killed, the number of the segment
/// stands at the end of the seventh line of its lock file.
const ENDING: ServerEnding = ServerEnding {
    signal: "QUIT",
    script: Some(
        "segment=$(sed -n '7s/.* //p' data/postmaster.pid 2>/dev/null)\n[ -z \"$segment\" ] || ipcrm -m \"$segment\"\n",
    ),
};

/// A private PostgreSQL server, UTF-8, SCRAM passwords, TCP on 127.0.0.1 alone. The methods of [`RunningServer`] kill, pause and
/// restart it.
#[derive(Debug)]
pub struct Postgres {
    server: RunningServer,
    /// The database `postgres` with the superuser's password.
    superuser: TestDatabase,
    databases: AtomicU32,
}

impl Deref for Postgres {
    type Target = RunningServer;

    fn deref(&self) -> &RunningServer {
        &self.server
    }
}

impl Postgres {
    /// Starts a server for tests.
    pub fn start() -> Result<Self> {
        Self::start_with(&ServerOptions::default())
    }

    /// Starts a server with options.
    pub fn start_with(options: &ServerOptions) -> Result<Self> {
        Self::launch_server(options).context("cannot start a private PostgreSQL")
    }

    /// The server that all tests of this process share. Do not kill or pause it.
    ///
    /// # Panics
    /// When it cannot be started: no test could do without it.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{error:#}")))
    }

    fn launch_server(options: &ServerOptions) -> Result<Self> {
        let programs = PostgresPrograms::find()?;
        let account = SystemAccount::for_server("postgres", PACKAGE)?;
        let mut supervisor = RunningServer::new_supervisor(account, "landfall-postgres", options, ENDING)?;
        let password = supervisor.server_secret();
        supervisor.write("password", &password)?;
        supervisor.run_setup(&programs.init_script(options))?;
        let certificates = Certificates::make_in_folder(&mut supervisor, options.tls)?;
        let superuser = superuser_database(password);
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

    /// A new empty database of its own, owned by a new ordinary role; other ordinary roles may not connect to it.
    pub fn fresh_database(&self) -> Result<TestDatabase> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed) + 1;
        let password = format!("{}-{number}", self.superuser.password);
        self.fresh_database_named(&format!("fresh{number}"), &format!("owner{number}"), &password)
    }

    /// A new empty database with names and password of the caller's choice.
    pub fn fresh_database_named(&self, name: &str, user: &str, password: &str) -> Result<TestDatabase> {
        let [database, role] = [name, user].map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
        let secret = format!("'{}'", password.replace('\'', "''"));
        let sql = format!(
            "CREATE ROLE {role} LOGIN PASSWORD {secret};
             CREATE DATABASE {database} OWNER {role} TEMPLATE template0;
             REVOKE ALL ON DATABASE {database} FROM PUBLIC;"
        );
        self.superuser.run_sql(&sql).context("cannot make a database")?;
        Ok(self.superuser(name).as_user(user, password))
    }

    /// Drops a database, whoever is connected to it.
    pub fn drop_database(&self, database: &TestDatabase) -> Result<()> {
        let name = database.name.replace('"', "\"\"");
        self.superuser.run_sql(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).map(drop)
    }

    /// Runs SQL in a database with the `run_psql` program, and gives its output: see [`TestDatabase::run_sql`].
    pub fn run_psql(&self, database: &TestDatabase, sql: &str) -> Result<String> {
        database.run_sql(sql)
    }

    /// Ends all connections of clients to a database, and gives their number.
    pub fn kill_backends(&self, database: &TestDatabase) -> Result<u64> {
        let name = database.name.replace('\'', "''");
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = '{name}' AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        );
        Ok(self.superuser.run_sql(&sql)?.trim().parse()?)
    }
}

impl Postgres {
    /// Kills one of the server's processes for clients of a database with signal 9, as the system does where memory is short: the
    /// server takes all others down then, and recovers. Whether there was one.
    pub fn kill9_backend(&self, database: &TestDatabase) -> Result<bool> {
        let name = database.name.replace('\'', "''");
        let sql = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'
             ORDER BY random() LIMIT 1"
        );
        let answer = self.superuser.run_sql(&sql)?;
        let Ok(number) = answer.trim().parse() else { return Ok(false) };
        let process = Pid::from_raw(number).context("the server told no number of a process")?;
        Ok(kill_process(process, Signal::KILL).is_ok())
    }

    /// Waits until the server answers again after it has recovered.
    pub fn wait_until_recovered(&self) -> Result<()> {
        let start = Instant::now();
        while self.superuser.run_sql("SELECT 1").is_err() {
            ensure!(start.elapsed() < Duration::from_secs(60), "the server does not recover");
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// The server's programs.
struct PostgresPrograms {
    initdb: PathBuf,
    postgres: PathBuf,
}

impl PostgresPrograms {
    fn find() -> Result<Self> {
        // Needed from the first moment on.
        program::find("psql", "postgresql-client")?;
        Ok(Self { initdb: program::find_postgres("initdb")?, postgres: program::find_postgres("postgres")? })
    }

    /// The script that makes the data folder.
    fn init_script(&self, options: &ServerOptions) -> String {
        let initdb = quote_word(&self.initdb.display().to_string());
        let mut script = format!(
            "set -e\n{initdb} --pgdata=data --username={SUPERUSER} --pwfile=password --auth=scram-sha-256 --no-sync \
             --encoding=UTF8 --locale=C.UTF-8"
        );
        if let Some(locale) = &options.icu_locale {
            // Writing to a String cannot fail.
            let _ = write!(script, " --locale-provider=icu --icu-locale={}", quote_word(locale));
        }
        if options.tls == Tls::Required {
            script += "\necho 'hostssl all all 127.0.0.1/32 scram-sha-256' >data/pg_hba.conf";
        }
        script + "\n"
    }

    /// The script that becomes the server.
    fn serve_script(&self, settings: &[(String, String)], port: u16) -> String {
        let settings = settings.iter().map(|(name, value)| format!(" -c {}", quote_word(&format!("{name}={value}"))));
        format!(
            "exec {} -D data -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c port={port}{}\n",
            quote_word(&self.postgres.display().to_string()),
            settings.collect::<String>()
        )
    }
}

fn superuser_database(password: String) -> TestDatabase {
    let [host, name, user] = ["127.0.0.1", "postgres", SUPERUSER].map(str::to_owned);
    TestDatabase { kind: ServerKind::Postgres, host, port: 0, name, user, password }
}

fn launch_plan(
    programs: PostgresPrograms,
    options: &ServerOptions,
    supervisor: &Supervisor,
    superuser: TestDatabase,
) -> LaunchPlan {
    let mut settings = options.settings_over(&FOR_TESTS);
    if options.tls != Tls::Off {
        let file = |name: &str| supervisor.server_folder().join(name).display().to_string();
        settings.extend(
            [("ssl", "on".to_owned()), ("ssl_cert_file", file("server.crt")), ("ssl_key_file", file("server.key"))]
                .map(|(name, value)| (name.to_owned(), value)),
        );
    }
    LaunchPlan {
        script: Box::new(move |port| programs.serve_script(&settings, port)),
        answers: Box::new(move |port| superuser.through_port(port).run_sql("SELECT 1").is_ok()),
        stop: Signal::INT,
    }
}
