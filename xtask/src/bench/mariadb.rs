//! A private MariaDB with its default settings, and the yardstick there: `LOAD DATA LOCAL INFILE`.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use testbed::{Database, Mariadb, Options};

use super::{
    child::{output, run},
    ground::{Case, Ground, Yardstick},
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
pub(super) struct Server(Mariadb);

impl Server {
    /// Starts it, with nothing tuned.
    pub(super) fn start() -> Result<Self> {
        Ok(Self(Mariadb::start_with(&Options::stock().setting("local_infile", "ON"))?))
    }
}

impl Ground for Server {
    type Database = Database;

    fn facts(&self) -> Result<String> {
        let database = self.0.superuser("mysql");
        let show =
            |name: &str| -> Result<String> { Ok(database.sql(&format!("SELECT @@global.{name}"))?.trim().to_owned()) };
        let settings = SETTINGS.iter().map(|name| Ok(format!("{name} {}", show(name)?))).collect::<Result<Vec<_>>>()?;
        Ok(format!("MariaDB {}, default settings: {}", show("version")?, settings.join(", ")))
    }

    fn fresh(&self, _: &Case) -> Result<Database> {
        self.0.fresh_database()
    }

    fn target(&self, database: &Database) -> String {
        database.url()
    }

    fn settle(&self, _: &Database) -> Result<()> {
        Ok(())
    }

    fn count(&self, database: &Database) -> Result<u64> {
        Ok(database.sql("SELECT count(*) FROM hired_employees")?.trim().parse()?)
    }

    fn remove(&self, database: Database) -> Result<()> {
        self.0.drop_database(&database)
    }

    fn yardsticks(&self, _: bool) -> Vec<Yardstick<Database>> {
        vec![Yardstick {
            name: "LOAD DATA LOCAL INFILE",
            prepare: Box::new(prepare),
            run: Box::new(|database, case| {
                let client = client(database, "hired_employees", &case.project.file("hired_employees"), EMPLOYEES)?;
                let run = run(client, &case.project.folder)?;
                ensure!(run.success, "mariadb failed: {}", run.errors());
                Ok(run)
            }),
        }]
    }
}

fn prepare(database: &Database, case: &Case) -> Result<()> {
    database.sql(TABLES)?;
    for table in ["departments", "jobs"] {
        output(&mut client(database, table, &case.project.file(table), "")?)?;
    }
    if let Some(held) = &case.held {
        output(&mut client(database, "hired_employees", &held.file("hired_employees"), EMPLOYEES)?)?;
    }
    Ok(())
}

/// The client program, about to load one file.
fn client(database: &Database, table: &str, file: &Path, columns: &str) -> Result<Command> {
    let mut client = database.client()?;
    client.arg("--execute").arg(format!(
        "LOAD DATA LOCAL INFILE '{}' INTO TABLE {table} CHARACTER SET utf8mb4 \
         FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n' {columns}",
        file.display()
    ));
    Ok(client)
}
