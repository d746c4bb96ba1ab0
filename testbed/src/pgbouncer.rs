//! PgBouncer before a private PostgreSQL.

use std::ops::Deref;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{
    Postgres, RunningServer, ServerOptions, TestDatabase,
    account::SystemAccount,
    program::{self, quote_word},
    server::LaunchPlan,
    supervisor::ServerEnding,
};

const PACKAGE: &str = "pgbouncer";
/// It leaves nothing behind outside its folder.
const ENDING: ServerEnding = ServerEnding { signal: "KILL", script: None };

/// A private `PgBouncer` in transaction mode: each transaction may run on another connection to the server.
#[derive(Debug)]
pub struct PgBouncer {
    server: RunningServer,
}

impl Deref for PgBouncer {
    type Target = RunningServer;

    fn deref(&self) -> &RunningServer {
        &self.server
    }
}

impl PgBouncer {
    /// Starts one with at most four connections to each database of `postgres` at once.
    pub fn start(postgres: &Postgres) -> Result<Self> {
        Self::start_with_pool(postgres, 4)
    }

    /// Starts one with at most `pool` connections to each database of `postgres` at once.
    pub fn start_with_pool(postgres: &Postgres, pool: u32) -> Result<Self> {
        Self::launch_pool(&postgres.superuser("postgres"), pool).context("cannot start a private PgBouncer")
    }

    fn launch_pool(superuser: &TestDatabase, pool: u32) -> Result<Self> {
        let program = quote_word(&program::find("pgbouncer", PACKAGE)?.display().to_string());
        let account = SystemAccount::for_server("postgres", "postgresql")?;
        let supervisor =
            RunningServer::new_supervisor(account, "landfall-pgbouncer", &ServerOptions::default(), ENDING)?;
        supervisor.write("users", &format!("\"{}\" \"{}\"\n", superuser.user, superuser.password))?;
        let configuration = render_configuration(superuser, pool);
        let configured = move |port| format!("{configuration}listen_port = {port}\n");
        let answering = superuser.clone();
        let launch = LaunchPlan {
            // The port is known only now, so the script writes the file.
            script: Box::new(move |port| {
                format!("cat >pgbouncer.ini <<'end'\n{}end\nexec {program} pgbouncer.ini\n", configured(port))
            }),
            answers: Box::new(move |port| answering.through_port(port).run_sql("SELECT 1").is_ok()),
            stop: Signal::INT,
        };
        Ok(Self { server: RunningServer::start_server(supervisor, None, launch)? })
    }

    /// A database of the server behind it, reached through it.
    #[must_use]
    pub fn through_pool(&self, database: &TestDatabase) -> TestDatabase {
        database.through_port(self.server.port())
    }

    /// The URL of a database of the server behind it, through it.
    #[must_use]
    pub fn pool_url(&self, database: &TestDatabase) -> String {
        self.through_pool(database).url()
    }
}

/// Passwords of roles that are made later are asked from the server (`auth_query`).
fn render_configuration(superuser: &TestDatabase, pool: u32) -> String {
    format!(
        "[databases]
* = host=127.0.0.1 port={} auth_user={}
[pgbouncer]
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 100
auth_type = scram-sha-256
auth_file = users
auth_query = SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename = $1
listen_addr = 127.0.0.1
unix_socket_dir =
",
        superuser.port, superuser.user
    )
}
