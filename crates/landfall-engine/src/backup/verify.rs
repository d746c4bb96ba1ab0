//! A set, read again and held against its manifest.

use serde::Serialize;

use super::{Manifest, SetId, Store, TableEntry, file_of, store::digest_of};
use crate::error::{Error, Result, StorageErrorKind};

/// What was found of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedSet {
    /// The set.
    pub set: String,
    /// Its tables that are as they were written.
    pub tables: Vec<String>,
    /// What is wrong, as sentences.
    pub findings: Vec<String>,
}

/// Reads all files of `set` again.
///
/// # Errors
/// A store that cannot be read. What is found to be wrong is not an error.
pub fn verify_set(store: &dyn Store, set: &SetId) -> Result<VerifiedSet> {
    let mut found = VerifiedSet { set: set.to_string(), tables: Vec::new(), findings: Vec::new() };
    let manifest = match examine(store, set)? {
        Ok(manifest) => manifest,
        Err(finding) => {
            found.findings.push(finding);
            return Ok(found);
        }
    };
    for entry in &manifest.tables {
        match check(store, set, entry) {
            Ok(true) => found.tables.push(entry.table.clone()),
            Ok(false) => found.findings.push(format!("{}: it is not what was written", file_of(&entry.table))),
            Err(error) => found.findings.push(finding(error)?),
        }
    }
    Ok(found)
}

/// What `set` says of itself, or what is wrong with that.
///
/// # Errors
/// A store that cannot be read.
pub fn examine(store: &dyn Store, set: &SetId) -> Result<Result<Manifest, String>> {
    store.manifest(set).map_or_else(|error| finding(error).map(Err), |manifest| Ok(Ok(manifest)))
}

/// Whether the file of a table is what was written.
fn check(store: &dyn Store, set: &SetId, entry: &TableEntry) -> Result<bool> {
    let mut file = store.open(set, entry)?;
    let read = digest_of(&mut file.content).map_err(|error| Error::of_io(file_of(&entry.table), error))?;
    Ok(read == (entry.sha256.clone(), entry.bytes))
}

/// What is found to be wrong; of a storage that does not answer nothing was found.
fn finding(error: Error) -> Result<String> {
    match error {
        Error::Storage(error) if error.kind != StorageErrorKind::NotFound => Err(error.into()),
        error => Ok(error.to_string()),
    }
}
