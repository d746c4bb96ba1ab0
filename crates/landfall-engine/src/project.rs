//! A project: a folder with a data package.

use std::path::{Path, PathBuf};

use landfall_core::schema::{Package, Resource, SourcePath, TableIndex};

use crate::{
    error::{Error, Result},
    source::{Source, resolve_sources},
    targets::{Table, tables_of},
};

/// A project, as the engine sees it: what the data is, and the folder that its paths are relative to.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// The data package.
    pub package: Package,
}

impl Project {
    /// The tables in the order of the data package.
    #[must_use]
    pub fn target_tables(&self) -> Vec<Table> {
        tables_of(&self.package)
    }

    /// The tables in the order in which they can be made: those that others refer to come first.
    #[must_use]
    pub fn tables_to_make(&self) -> Vec<Table> {
        let tables = self.target_tables();
        // A foreign key can only be declared to a table that is there.
        self.package.load_order().into_iter().flatten().map(|at| tables[at.get()].clone()).collect()
    }

    /// The position of the table called `name`.
    ///
    /// # Errors
    /// No such table; the message names those there are.
    pub fn find_position(&self, name: &str) -> Result<TableIndex> {
        self.package.table_position(name).ok_or_else(|| {
            let known: Vec<&str> = self.package.resources.iter().map(|resource| &*resource.name).collect();
            Error::Usage(format!("there is no table {name:?} in the data package; it has {}", known.join(", ")))
        })
    }

    /// The sources that the data package names for `resource`.
    ///
    /// # Errors
    /// A file that does not exist.
    pub fn declared_sources(&self, resource: &Resource) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for path in &resource.paths {
            sources.extend(resolve_sources(path, &self.folder, &self.folder)?);
        }
        Ok(sources)
    }

    /// The sources that were typed, relative to the current folder.
    ///
    /// # Errors
    /// A file that does not exist.
    pub fn typed_sources(&self, path: &SourcePath) -> Result<Vec<Source>> {
        resolve_sources(path, Path::new("."), &self.folder)
    }
}
