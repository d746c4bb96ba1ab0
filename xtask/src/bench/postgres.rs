//! A private PostgreSQL with its default settings, and the yardsticks there: `psql \copy`.

mod halves;

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use testbed::{Postgres, ServerOptions, TestDatabase};

use super::{
    child::{ProcessRun, run_for_output, run_side_by_side},
    ground::{DatabaseSystem, LoadCase, Yardstick},
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
pub(super) struct PostgresSystem(Postgres);

impl PostgresSystem {
    /// Starts it, with nothing tuned.
    pub(super) fn start_server() -> Result<Self> {
        Ok(Self(Postgres::start_with(&ServerOptions::stock_settings())?))
    }

    /// The database as the superuser sees it, who may have the server write files.
    pub(super) fn as_superuser(&self, database: &TestDatabase) -> TestDatabase {
        self.0.superuser(database.name())
    }
}

impl DatabaseSystem for PostgresSystem {
    type Database = TestDatabase;

    fn describe_system(&self) -> Result<String> {
        let database = self.0.superuser("postgres");
        let show = |name: &str| -> Result<String> { Ok(database.run_sql(&format!("SHOW {name}"))?.trim().to_owned()) };
        let version = format!("PostgreSQL {}", show("server_version")?);
        let settings = SETTINGS.iter().map(|name| Ok(format!("{name} {}", show(name)?))).collect::<Result<Vec<_>>>()?;
        Ok(format!("{version}, default settings: {}", settings.join(", ")))
    }

    fn create_database(&self, _: &LoadCase) -> Result<TestDatabase> {
        self.0.fresh_database()
    }

    fn target_url(&self, database: &TestDatabase) -> String {
        database.url()
    }

    fn wait_until_idle(&self, database: &TestDatabase) -> Result<()> {
        let superuser = self.0.superuser(database.name());
        ["VACUUM ANALYZE", "CHECKPOINT"].iter().try_for_each(|statement| superuser.run_sql(statement).map(drop))
    }

    fn count_employees(&self, database: &TestDatabase) -> Result<u64> {
        Ok(database.run_sql("SELECT count(*) FROM hired_employees")?.trim().parse()?)
    }

    fn remove(&self, database: TestDatabase) -> Result<()> {
        self.0.drop_database(&database)
    }

    fn list_yardsticks(&self, held: bool) -> Vec<Yardstick<TestDatabase>> {
        if held {
            vec![two_copies_yardstick()]
        } else {
            vec![copy_yardstick(), two_copies_yardstick(), copy_then_constraints()]
        }
    }
}

fn copy_yardstick() -> Yardstick<TestDatabase> {
    Yardstick {
        name: "psql \\copy",
        prepare: Box::new(create_tables),
        run: Box::new(|database, case| {
            run(
                case,
                vec![psql_command(
                    database,
                    &[&copy_statement("hired_employees", &case.project.csv_file("hired_employees"))],
                )?],
            )
        }),
    }
}

fn two_copies_yardstick() -> Yardstick<TestDatabase> {
    Yardstick {
        name: "two psql \\copy",
        prepare: Box::new(|database, case| {
            halves::split_employees(&case.project)?;
            create_tables(database, case)
        }),
        run: Box::new(|database, case| {
            let copy = |half| psql_command(database, &[&copy_statement("hired_employees", half)]);
            run(case, halves::split_employees(&case.project)?.iter().map(|half| copy(half)).collect::<Result<_>>()?)
        }),
    }
}

fn copy_then_constraints() -> Yardstick<TestDatabase> {
    Yardstick {
        name: "\\copy into a heap, then constraints",
        prepare: Box::new(|database, case| load_parents(database, case, HEAP)),
        run: Box::new(|database, case| {
            let copy = copy_statement("hired_employees", &case.project.csv_file("hired_employees"));
            let [key, department, job] = CONSTRAINTS;
            run(case, vec![psql_command(database, &[&copy, key, department, job])?])
        }),
    }
}

/// Makes all tables with all constraints, with the parents and the rows held before.
fn create_tables(database: &TestDatabase, case: &LoadCase) -> Result<()> {
    load_parents(database, case, HEAP)?;
    if let Some(held) = &case.held {
        run_for_output(&mut psql_command(
            database,
            &[&copy_statement("hired_employees", &held.csv_file("hired_employees"))],
        )?)?;
    }
    CONSTRAINTS.iter().try_for_each(|constraint| database.run_sql(constraint).map(drop))
}

fn load_parents(database: &TestDatabase, case: &LoadCase, employees: &str) -> Result<()> {
    database.run_sql(&format!("{PARENTS}{employees}"))?;
    for table in ["departments", "jobs"] {
        run_for_output(&mut psql_command(database, &[&copy_statement(table, &case.project.csv_file(table))])?)?;
    }
    Ok(())
}

fn copy_statement(table: &str, file: &Path) -> String {
    format!("\\copy {table} FROM '{}' (FORMAT csv)", file.display())
}

fn psql_command(database: &TestDatabase, commands: &[&str]) -> Result<Command> {
    let mut psql = database.client_command()?;
    psql.args(commands.iter().flat_map(|command| ["--command", command]));
    Ok(psql)
}

fn run(case: &LoadCase, commands: Vec<Command>) -> Result<ProcessRun> {
    let run = run_side_by_side(commands, &case.project.folder)?;
    ensure!(run.success, "psql failed: {}", run.error_tail());
    Ok(run)
}
