//! Where loads are measured: a database system, and what Landfall is compared with on it.

use std::path::PathBuf;

use anyhow::Result;

use super::child::Run;
use crate::bench_data::Tally;

/// A project with its data.
#[derive(Debug)]
pub(super) struct Project {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// What is in its file of employees.
    pub(super) tally: Tally,
}

impl Project {
    /// One of its CSV files.
    pub(super) fn file(&self, table: &str) -> PathBuf {
        self.folder.join(format!("data/{table}.csv"))
    }
}

/// What is loaded.
#[derive(Debug)]
pub(super) struct Case {
    /// The project whose load is measured.
    pub(super) project: Project,
    /// The one whose rows the tables hold before: the same parents, other employees.
    pub(super) held: Option<Project>,
}

impl Case {
    /// The employees that the table holds in the end.
    pub(super) fn rows(&self) -> u64 {
        self.project.tally.inserted + self.held.as_ref().map_or(0, |held| held.tally.inserted)
    }
}

/// A database system that both sides load into.
pub(super) trait Ground {
    /// A database.
    type Database;

    /// Its version, and the settings that matter.
    fn facts(&self) -> Result<String>;

    /// A new database without tables.
    fn fresh(&self, case: &Case) -> Result<Self::Database>;

    /// What `landfall.yaml` says to load into it.
    fn target(&self, database: &Self::Database) -> String;

    /// Brings the system to rest, so that no work of before falls into what is measured next.
    fn settle(&self, database: &Self::Database) -> Result<()>;

    /// The employees in a database.
    fn count(&self, database: &Self::Database) -> Result<u64>;

    /// Removes a database.
    fn remove(&self, database: Self::Database) -> Result<()>;

    /// What a clean load is compared with; `held` says whether the tables hold rows before.
    fn yardsticks(&self, held: bool) -> Vec<Yardstick<Self::Database>>;
}

/// Does something with a database for a case.
pub(super) type Step<D, T> = Box<dyn Fn(&D, &Case) -> Result<T>>;

/// What brings the same file into the same tables without Landfall.
pub(super) struct Yardstick<D> {
    /// For the head of the report.
    pub(super) name: &'static str,
    /// Makes the tables with what they hold before. Not measured.
    pub(super) prepare: Step<D, ()>,
    /// The measured load of the employees.
    pub(super) run: Step<D, Run>,
}
