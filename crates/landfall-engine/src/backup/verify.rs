//! A set, read again and held against its manifest.

use serde::Serialize;

use super::{SetId, Store, file_of, store::digest_of_file};
use crate::error::Result;

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
    let manifest = match store.manifest(set) {
        Ok(manifest) => manifest,
        Err(error) => {
            found.findings.push(error.to_string());
            return Ok(found);
        }
    };
    for entry in &manifest.tables {
        let checked = store.file(set, entry).map_err(|error| error.to_string()).and_then(|file| {
            let read = digest_of_file(&file.path).map_err(|error| format!("{}: {error}", file.path.display()))?;
            if read == (entry.sha256.clone(), entry.bytes) {
                return Ok(());
            }
            Err(format!("{}: it is not what was written", file_of(&entry.table)))
        });
        match checked {
            Ok(()) => found.tables.push(entry.table.clone()),
            Err(finding) => found.findings.push(finding),
        }
    }
    Ok(found)
}
