//! PgBouncer before a private PostgreSQL.

use std::ops::Deref;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{
    Database, Options, Postgres, Server,
    account::Account,
    program::{self, quoted},
    server::Launch,
    supervisor::Ending,
};

const PACKAGE: &str = "pgbouncer";
/// It leaves nothing behind outside its folder.
const ENDING: Ending = Ending { signal: "KILL", script: None };

/// A private `PgBouncer` in transaction mode: each transaction may run on another connection to the server.
#[derive(Debug)]
pub struct PgBouncer {
    server: Server,
}

impl Deref for PgBouncer {
    type Target = Server;

    fn deref(&self) -> &Server {
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
        Self::launched(&postgres.superuser("postgres"), pool).context("cannot start a private PgBouncer")
    }

    fn launched(superuser: &Database, pool: u32) -> Result<Self> {
        let program = quoted(&program::find("pgbouncer", PACKAGE)?.display().to_string());
        let account = Account::for_server("postgres", "postgresql")?;
        let supervisor = Server::supervisor(account, "landfall-pgbouncer", &Options::default(), ENDING)?;
        supervisor.write("users", &format!("\"{}\" \"{}\"\n", superuser.user, superuser.password))?;
        let configuration = configuration(superuser, pool);
        let configured = move |port| format!("{configuration}listen_port = {port}\n");
        let answering = superuser.clone();
        let launch = Launch {
            // The port is known only now, so the script writes the file.
            script: Box::new(move |port| {
                format!("cat >pgbouncer.ini <<'end'\n{}end\nexec {program} pgbouncer.ini\n", configured(port))
            }),
            answers: Box::new(move |port| answering.at_port(port).sql("SELECT 1").is_ok()),
            stop: Signal::INT,
        };
        Ok(Self { server: Server::start(supervisor, None, launch)? })
    }

    /// A database of the server behind it, reached through it.
    #[must_use]
    pub fn database(&self, database: &Database) -> Database {
        database.at_port(self.server.port())
    }

    /// The URL of a database of the server behind it, through it.
    #[must_use]
    pub fn url(&self, database: &Database) -> String {
        self.database(database).url()
    }
}

/// Passwords of roles that are made later are asked from the server (`auth_query`).
fn configuration(superuser: &Database, pool: u32) -> String {
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
