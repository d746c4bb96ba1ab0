//! A private PostgreSQL with its default settings, and the yardsticks there: `psql \copy`.

mod halves;

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use testbed::{Database, Options, Postgres};

use super::{
    child::{Run, output, run_side_by_side},
    ground::{Case, Ground, Yardstick},
};

const PARENTS: &str = "
CREATE TABLE departments (id bigint PRIMARY KEY, department text NOT NULL);
CREATE TABLE jobs (id bigint PRIMARY KEY, job text NOT NULL);";
const HEAP: &str = "
CREATE TABLE hired_employees (
  id bigint NOT NULL,
  name text NOT NULL,
  datetime timestamptz NOT NULL,
  department_id bigint NOT NULL,
  job_id bigint NOT NULL
);";
const CONSTRAINTS: [&str; 3] = [
    "ALTER TABLE hired_employees ADD PRIMARY KEY (id)",
    "ALTER TABLE hired_employees ADD FOREIGN KEY (department_id) REFERENCES departments",
    "ALTER TABLE hired_employees ADD FOREIGN KEY (job_id) REFERENCES jobs",
];
/// What decides how durable a load is, and how fast.
const SETTINGS: [&str; 9] = [
    "fsync",
    "synchronous_commit",
    "wal_level",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "checkpoint_timeout",
];

/// A server of our own.
#[derive(Debug)]
pub(super) struct Server(Postgres);

impl Server {
    /// Starts it, with nothing tuned.
    pub(super) fn start() -> Result<Self> {
        Ok(Self(Postgres::start_with(&Options::stock())?))
    }

    /// The database as the superuser sees it, who may have the server write files.
    pub(super) fn superuser(&self, database: &Database) -> Database {
        self.0.superuser(database.name())
    }
}

impl Ground for Server {
    type Database = Database;

    fn facts(&self) -> Result<String> {
        let database = self.0.superuser("postgres");
        let show = |name: &str| -> Result<String> { Ok(database.sql(&format!("SHOW {name}"))?.trim().to_owned()) };
        let version = format!("PostgreSQL {}", show("server_version")?);
        let settings = SETTINGS.iter().map(|name| Ok(format!("{name} {}", show(name)?))).collect::<Result<Vec<_>>>()?;
        Ok(format!("{version}, default settings: {}", settings.join(", ")))
    }

    fn fresh(&self, _: &Case) -> Result<Database> {
        self.0.fresh_database()
    }

    fn target(&self, database: &Database) -> String {
        database.url()
    }

    fn settle(&self, database: &Database) -> Result<()> {
        let superuser = self.0.superuser(database.name());
        ["VACUUM ANALYZE", "CHECKPOINT"].iter().try_for_each(|statement| superuser.sql(statement).map(drop))
    }

    fn count(&self, database: &Database) -> Result<u64> {
        Ok(database.sql("SELECT count(*) FROM hired_employees")?.trim().parse()?)
    }

    fn remove(&self, database: Database) -> Result<()> {
        self.0.drop_database(&database)
    }

    fn yardsticks(&self, held: bool) -> Vec<Yardstick<Database>> {
        if held { vec![two_copies()] } else { vec![copy(), two_copies(), copy_then_constraints()] }
    }
}

fn copy() -> Yardstick<Database> {
    Yardstick {
        name: "psql \\copy",
        prepare: Box::new(constrained),
        run: Box::new(|database, case| {
            run(case, vec![psql(database, &[&copy_of("hired_employees", &case.project.file("hired_employees"))])?])
        }),
    }
}

fn two_copies() -> Yardstick<Database> {
    Yardstick {
        name: "two psql \\copy",
        prepare: Box::new(|database, case| {
            halves::of(&case.project)?;
            constrained(database, case)
        }),
        run: Box::new(|database, case| {
            let copy = |half| psql(database, &[&copy_of("hired_employees", half)]);
            run(case, halves::of(&case.project)?.iter().map(|half| copy(half)).collect::<Result<_>>()?)
        }),
    }
}

fn copy_then_constraints() -> Yardstick<Database> {
    Yardstick {
        name: "\\copy into a heap, then constraints",
        prepare: Box::new(|database, case| parents(database, case, HEAP)),
        run: Box::new(|database, case| {
            let copy = copy_of("hired_employees", &case.project.file("hired_employees"));
            let [key, department, job] = CONSTRAINTS;
            run(case, vec![psql(database, &[&copy, key, department, job])?])
        }),
    }
}

/// Makes all tables with all constraints, with the parents and the rows held before.
fn constrained(database: &Database, case: &Case) -> Result<()> {
    parents(database, case, HEAP)?;
    if let Some(held) = &case.held {
        output(&mut psql(database, &[&copy_of("hired_employees", &held.file("hired_employees"))])?)?;
    }
    CONSTRAINTS.iter().try_for_each(|constraint| database.sql(constraint).map(drop))
}

fn parents(database: &Database, case: &Case, employees: &str) -> Result<()> {
    database.sql(&format!("{PARENTS}{employees}"))?;
    for table in ["departments", "jobs"] {
        output(&mut psql(database, &[&copy_of(table, &case.project.file(table))])?)?;
    }
    Ok(())
}

fn copy_of(table: &str, file: &Path) -> String {
    format!("\\copy {table} FROM '{}' (FORMAT csv)", file.display())
}

fn psql(database: &Database, commands: &[&str]) -> Result<Command> {
    let mut psql = database.client()?;
    psql.args(commands.iter().flat_map(|command| ["--command", command]));
    Ok(psql)
}

fn run(case: &Case, commands: Vec<Command>) -> Result<Run> {
    let run = run_side_by_side(commands, &case.project.folder)?;
    ensure!(run.success, "psql failed: {}", run.errors());
    Ok(run)
}
