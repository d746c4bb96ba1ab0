//! A set, read again and held against its manifest.

use std::io::Read as _;

use serde::Serialize;

use super::{Manifest, SetId, Store, TableEntry, file_of, store::digest_of};
use crate::{
    avro::read_schema,
    error::{Error, Result, StorageErrorKind},
};

/// Bytes in which the header of a file ends: a schema that is longer is not read.
const HEAD: u64 = 8 << 20;

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
            Ok(None) => found.tables.push(entry.table.clone()),
            Ok(Some(wrong)) => found.findings.push(format!("{}: {wrong}", file_of(&entry.table))),
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

/// Why the file of a table cannot be restored: it is not what was written, or its schema cannot be read.
fn check(store: &dyn Store, set: &SetId, entry: &TableEntry) -> Result<Option<String>> {
    let mut file = store.open(set, entry)?;
    let failed = |error| Error::of_io(file_of(&entry.table), error);
    let mut head = Vec::new();
    (&mut file.content).take(HEAD).read_to_end(&mut head).map_err(failed)?;
    let mut content = head.as_slice().chain(&mut file.content);
    if digest_of(&mut content).map_err(failed)? != (entry.sha256.clone(), entry.bytes) {
        return Ok(Some("it is not what was written".into()));
    }
    Ok(read_schema(head.as_slice()).err().map(|error| format!("it cannot be restored: {error}")))
}

/// What is found to be wrong; of a storage that does not answer nothing was found.
fn finding(error: Error) -> Result<String> {
    match error {
        Error::Storage(error) if error.kind != StorageErrorKind::NotFound => Err(error.into()),
        error => Ok(error.to_string()),
    }
}
