//! A set, read again and held against its manifest.

use std::io::Read as _;

use serde::Serialize;

use super::{BackupStore, Manifest, SetId, TableEntry, set_file_name, store::digest_content};
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
pub fn verify_set(store: &dyn BackupStore, set: &SetId) -> Result<VerifiedSet> {
    let mut found = VerifiedSet { set: set.to_string(), tables: Vec::new(), findings: Vec::new() };
    let manifest = match read_manifest(store, set)? {
        Ok(manifest) => manifest,
        Err(finding) => {
            found.findings.push(finding);
            return Ok(found);
        }
    };
    for entry in &manifest.tables {
        match check_table_file(store, set, entry) {
            Ok(None) => found.tables.push(entry.table.clone()),
            Ok(Some(wrong)) => found.findings.push(format!("{}: {wrong}", set_file_name(&entry.table))),
            Err(error) => found.findings.push(to_finding(error)?),
        }
    }
    Ok(found)
}

/// What `set` says of itself, or what is wrong with that.
///
/// # Errors
/// A store that cannot be read.
pub fn read_manifest(store: &dyn BackupStore, set: &SetId) -> Result<Result<Manifest, String>> {
    store.read_manifest(set).map_or_else(|error| to_finding(error).map(Err), |manifest| Ok(Ok(manifest)))
}

/// Why the file of a table cannot be restored: it is not what was written, or its schema cannot be read.
fn check_table_file(store: &dyn BackupStore, set: &SetId, entry: &TableEntry) -> Result<Option<String>> {
    let mut file = store.open(set, entry)?;
    let failed = |error| Error::from_io_error(set_file_name(&entry.table), error);
    let mut head = Vec::new();
    (&mut file.content).take(HEAD).read_to_end(&mut head).map_err(failed)?;
    let mut content = head.as_slice().chain(&mut file.content);
    if digest_content(&mut content).map_err(failed)? != (entry.sha256.clone(), entry.bytes) {
        return Ok(Some("it is not what was written".into()));
    }
    Ok(read_schema(head.as_slice()).err().map(|error| format!("it cannot be restored: {error}")))
}

/// What is found to be wrong; of a storage that does not answer nothing was found.
fn to_finding(error: Error) -> Result<String> {
    match error {
        Error::Storage(error) if error.kind != StorageErrorKind::NotFound => Err(error.into()),
        error => Ok(error.to_string()),
    }
}
