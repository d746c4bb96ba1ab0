//! Where loads are measured: a database system, and what Landfall is compared with on it.

use std::path::PathBuf;

use anyhow::Result;

use super::child::ProcessRun;
use crate::bench_data::DataTally;

/// A project with its data.
#[derive(Debug)]
pub(super) struct BenchProject {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// What is in its file of employees.
    pub(super) tally: DataTally,
}

impl BenchProject {
    /// One of its CSV files.
    pub(super) fn csv_file(&self, table: &str) -> PathBuf {
        self.folder.join(format!("data/{table}.csv"))
    }
}

/// What is loaded.
#[derive(Debug)]
pub(super) struct LoadCase {
    /// The project whose load is measured.
    pub(super) project: BenchProject,
    /// The one whose rows the tables hold before: the same parents, other employees.
    pub(super) held: Option<BenchProject>,
}

impl LoadCase {
    /// The employees that the table holds in the end.
    pub(super) fn row_count(&self) -> u64 {
        self.project.tally.inserted + self.held.as_ref().map_or(0, |held| held.tally.inserted)
    }
}

/// A database system that both sides load into.
pub(super) trait DatabaseSystem {
    /// A database.
    type Database;

    /// Its version, and the settings that matter.
    fn describe_system(&self) -> Result<String>;

    /// A new database without tables.
    fn create_database(&self, case: &LoadCase) -> Result<Self::Database>;

    /// What `landfall.yaml` says to load into it.
    fn target_url(&self, database: &Self::Database) -> String;

    /// Brings the system to rest, so that no work of before falls into what is measured next.
    fn wait_until_idle(&self, database: &Self::Database) -> Result<()>;

    /// The employees in a database.
    fn count_employees(&self, database: &Self::Database) -> Result<u64>;

    /// Removes a database.
    fn remove(&self, database: Self::Database) -> Result<()>;

    /// What a clean load is compared with; `held` says whether the tables hold rows before.
    fn list_yardsticks(&self, held: bool) -> Vec<Yardstick<Self::Database>>;
}

/// Does something with a database for a case.
pub(super) type YardstickStep<D, T> = Box<dyn Fn(&D, &LoadCase) -> Result<T>>;

/// What brings the same file into the same tables without Landfall.
pub(super) struct Yardstick<D> {
    /// For the head of the report.
    pub(super) name: &'static str,
    /// Makes the tables with what they hold before. Not measured.
    pub(super) prepare: YardstickStep<D, ()>,
    /// The measured load of the employees.
    pub(super) run: YardstickStep<D, ProcessRun>,
}
