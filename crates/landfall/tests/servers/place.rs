//! A database of its own for a test, asked by the database's own program.

use std::{path::Path, sync::OnceLock};

use rusqlite::types::Value;
use testbed::{Mariadb, PgBouncer, Postgres, TestDatabase};

/// Landfall's own tables on a server, without what stands before their names.
pub(crate) const OWN_TABLES: [&str; 10] = [
    "building",
    "commits",
    "documents",
    "job_claims",
    "jobs",
    "loads",
    "migrations",
    "reject_events",
    "reject_parts",
    "rejects",
];

/// What the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    /// PostgreSQL behind `PgBouncer`.
    Pooled,
    Mariadb,
}

impl Kind {
    /// All but the one that needs no server.
    pub(crate) const SERVERS: [Self; 3] = [Self::Postgres, Self::Pooled, Self::Mariadb];
    /// One of each kind of server.
    pub(crate) const DATABASES: [Self; 2] = [Self::Postgres, Self::Mariadb];
}

/// Connections to each database that the shared `PgBouncer` has.
const POOL: u32 = 3;

/// The `PgBouncer` that all tests share.
pub(crate) fn pgbouncer() -> &'static PgBouncer {
    static SHARED: OnceLock<PgBouncer> = OnceLock::new();
    SHARED.get_or_init(|| PgBouncer::start_with_pool(Postgres::shared(), POOL).unwrap())
}

/// A database that goes with it, where a shared server has it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    /// The database on its server; none for SQLite.
    server: Option<TestDatabase>,
    /// As `landfall.yaml` names it.
    pub(crate) url: String,
    /// Whether it is on a shared server.
    shared: bool,
}

impl Place {
    /// An empty database; that of SQLite is `landfall.db` in `folder`.
    pub(crate) fn fresh(kind: Kind, folder: &Path) -> Self {
        let server = match kind {
            Kind::Sqlite => {
                let url = format!("sqlite:{}", folder.join("landfall.db").display());
                return Self { kind, server: None, url, shared: false };
            }
            Kind::Postgres | Kind::Pooled => Postgres::shared().fresh_database().unwrap(),
            Kind::Mariadb => Mariadb::shared().fresh_database().unwrap(),
        };
        let url = if kind == Kind::Pooled { pgbouncer().pool_url(&server) } else { server.url() };
        Self { kind, server: Some(server), url, shared: true }
    }

    /// A database of a server that the test has started itself.
    pub(crate) fn on(kind: Kind, database: TestDatabase) -> Self {
        Self { kind, url: database.url(), server: Some(database), shared: false }
    }

    /// The database on its server.
    #[track_caller]
    pub(crate) fn database(&self) -> &TestDatabase {
        self.server.as_ref().expect("SQLite has no server")
    }

    /// The same database as the superuser of the shared server sees it.
    pub(crate) fn superuser(&self) -> TestDatabase {
        let name = self.database().name();
        match self.kind {
            Kind::Mariadb => Mariadb::shared().superuser(name),
            _ => Postgres::shared().superuser(name),
        }
    }

    /// Ends all connections of the program to the database on its shared server.
    pub(crate) fn kill_connections(&self) {
        match self.kind {
            Kind::Mariadb => Mariadb::shared().kill_connections(self.database()).unwrap(),
            _ => drop(Postgres::shared().kill_backends(self.database()).unwrap()),
        }
    }

    /// A name, quoted.
    pub(crate) fn quoted(&self, name: &str) -> String {
        match self.kind {
            Kind::Mariadb => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// One of Landfall's own tables.
    pub(crate) fn own(&self, table: &str) -> String {
        match self.kind {
            Kind::Postgres | Kind::Pooled => format!("landfall.{table}"),
            Kind::Sqlite | Kind::Mariadb => format!("landfall_{table}"),
        }
    }

    /// Bytes or text as hexadecimal digits, an empty text for NULL.
    pub(crate) fn hex(&self, column: &str, is_text: bool) -> String {
        match self.kind {
            Kind::Sqlite | Kind::Mariadb => format!("coalesce(lower(hex({column})), '')"),
            _ if is_text => format!("coalesce(encode(convert_to({column}, 'UTF8'), 'hex'), '')"),
            _ => format!("coalesce(encode({column}, 'hex'), '')"),
        }
    }

    /// Runs SQL; each line of the result as its cells, which must not hold what parts them.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let separator = match self.kind {
            Kind::Sqlite => return self.sqlite_rows(sql),
            Kind::Mariadb => '\t',
            _ => '|',
        };
        let printed = self.database().run_sql(sql).unwrap_or_else(|error| panic!("{error:#} in {sql}"));
        printed.lines().map(|line| line.split(separator).map(str::to_owned).collect()).collect()
    }

    /// One whole number.
    #[track_caller]
    pub(crate) fn number(&self, sql: &str) -> u64 {
        self.rows(sql)[0][0].parse().unwrap()
    }

    /// Runs statements whose result does not matter.
    #[track_caller]
    pub(crate) fn run(&self, sql: &str) {
        match self.kind {
            Kind::Sqlite => self.sqlite().execute_batch(sql).unwrap(),
            _ => drop(self.rows(sql)),
        }
    }

    /// Whether a table of the package is there.
    pub(crate) fn has_table(&self, table: &str) -> bool {
        let name = table.replace('\'', "''");
        let sql = match self.kind {
            Kind::Sqlite => format!("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{name}'"),
            Kind::Mariadb => format!(
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = '{name}'"
            ),
            _ => format!("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = '{name}'"),
        };
        self.number(&sql) == 1
    }

    /// The names of all tables that are not the database's own.
    pub(crate) fn tables(&self) -> Vec<String> {
        let sql = match self.kind {
            Kind::Sqlite => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
            }
            Kind::Mariadb => {
                "SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY 1"
            }
            _ => {
                "SELECT schemaname || '.' || tablename FROM pg_tables
                 WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
            }
        };
        self.rows(sql).into_iter().flatten().collect()
    }

    fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.url.strip_prefix("sqlite:").unwrap()).unwrap()
    }

    fn sqlite_rows(&self, sql: &str) -> Vec<Vec<String>> {
        let rows = crate::support::audit::rows(&self.sqlite(), sql);
        rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(database) = self.server.as_ref().filter(|_| self.shared) else { return };
        // Only the disk is spared by it: the server goes with the tests.
        let _ = match self.kind {
            Kind::Mariadb => Mariadb::shared().drop_database(database),
            _ => Postgres::shared().drop_database(database),
        };
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => String::from_utf8(bytes).unwrap(),
    }
}
