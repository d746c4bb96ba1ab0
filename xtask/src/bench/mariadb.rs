//! A private MariaDB with its default settings, and the yardstick there: `LOAD DATA LOCAL INFILE`.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use testbed::{Mariadb, ServerOptions, TestDatabase};

use super::{
    child::{run, run_for_output},
    ground::{DatabaseSystem, LoadCase, Yardstick},
};

const TABLES: &str = "
CREATE TABLE departments (id bigint PRIMARY KEY, department longtext NOT NULL) ENGINE=InnoDB;
CREATE TABLE jobs (id bigint PRIMARY KEY, job longtext NOT NULL) ENGINE=InnoDB;
CREATE TABLE hired_employees (
  id bigint PRIMARY KEY,
  name longtext NOT NULL,
  datetime datetime(6) NOT NULL,
  department_id bigint NOT NULL,
  job_id bigint NOT NULL,
  FOREIGN KEY (department_id) REFERENCES departments (id),
  FOREIGN KEY (job_id) REFERENCES jobs (id)
) ENGINE=InnoDB;";
/// The server drops the zone, which is always UTC here, with a warning for each row. To cut it off before
/// (`SET datetime = left(@hired, 19)`) takes it a tenth longer.
const EMPLOYEES: &str = "(id, name, datetime, department_id, job_id)";
/// What decides how durable a load is, and how fast.
const SETTINGS: [&str; 8] = [
    "innodb_flush_log_at_trx_commit",
    "innodb_doublewrite",
    "innodb_buffer_pool_size",
    "innodb_log_file_size",
    "innodb_flush_method",
    "log_bin",
    "sync_binlog",
    "sql_mode",
];

/// A server of our own.
#[derive(Debug)]
pub(super) struct MariadbSystem(Mariadb);

impl MariadbSystem {
    /// Starts it, with nothing tuned.
    pub(super) fn start_server() -> Result<Self> {
        Ok(Self(Mariadb::start_with(&ServerOptions::stock_settings().with_setting("local_infile", "ON"))?))
    }
}

impl DatabaseSystem for MariadbSystem {
    type Database = TestDatabase;

    fn describe_system(&self) -> Result<String> {
        let database = self.0.superuser("mysql");
        let show = |name: &str| -> Result<String> {
            Ok(database.run_sql(&format!("SELECT @@global.{name}"))?.trim().to_owned())
        };
        let settings = SETTINGS.iter().map(|name| Ok(format!("{name} {}", show(name)?))).collect::<Result<Vec<_>>>()?;
        Ok(format!("MariaDB {}, default settings: {}", show("version")?, settings.join(", ")))
    }

    fn create_database(&self, _: &LoadCase) -> Result<TestDatabase> {
        self.0.fresh_database()
    }

    fn target_url(&self, database: &TestDatabase) -> String {
        database.url()
    }

    fn wait_until_idle(&self, _: &TestDatabase) -> Result<()> {
        Ok(())
    }

    fn count_employees(&self, database: &TestDatabase) -> Result<u64> {
        Ok(database.run_sql("SELECT count(*) FROM hired_employees")?.trim().parse()?)
    }

    fn remove(&self, database: TestDatabase) -> Result<()> {
        self.0.drop_database(&database)
    }

    fn list_yardsticks(&self, _: bool) -> Vec<Yardstick<TestDatabase>> {
        vec![Yardstick {
            name: "LOAD DATA LOCAL INFILE",
            prepare: Box::new(prepare_tables),
            run: Box::new(|database, case| {
                let client =
                    load_command(database, "hired_employees", &case.project.csv_file("hired_employees"), EMPLOYEES)?;
                let run = run(client, &case.project.folder)?;
                ensure!(run.success, "mariadb failed: {}", run.error_tail());
                Ok(run)
            }),
        }]
    }
}

fn prepare_tables(database: &TestDatabase, case: &LoadCase) -> Result<()> {
    database.run_sql(TABLES)?;
    for table in ["departments", "jobs"] {
        run_for_output(&mut load_command(database, table, &case.project.csv_file(table), "")?)?;
    }
    if let Some(held) = &case.held {
        run_for_output(&mut load_command(database, "hired_employees", &held.csv_file("hired_employees"), EMPLOYEES)?)?;
    }
    Ok(())
}

/// The client program, about to load one file.
fn load_command(database: &TestDatabase, table: &str, file: &Path, columns: &str) -> Result<Command> {
    let mut client = database.client_command()?;
    client.arg("--execute").arg(format!(
        "LOAD DATA LOCAL INFILE '{}' INTO TABLE {table} CHARACTER SET utf8mb4 \
         FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n' {columns}",
        file.display()
    ));
    Ok(client)
}
