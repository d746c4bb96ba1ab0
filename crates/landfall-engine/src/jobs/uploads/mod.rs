//! What was sent to be worked on later: each upload has the name of its job, and goes when the job ends.
//!
//! An upload is received into a local file ([`UploadDraft`]) of a bounded folder, and checked there. Then the storage takes it: a
//! folder by a rename, a bucket by sending it on. Nobody locks an upload: the lease of its job says who works on it.

mod bucket;
mod draft;
mod folder;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempPath;

pub use self::{
    bucket::UploadBucket,
    draft::{UploadDraft, content_too_large},
    folder::UploadFolder,
};
use crate::{error::Result, public_error::PublicError, targets::ReadJobs};

/// What the names of stored uploads end in, and of those that are being received.
const STORED: &str = "upload";
const PART: &str = "part";

/// How long an upload is left alone that belongs to no job: its request may be about to store the job. A part is left alone as
/// long after the last write. The longest pause that `api.bodyTimeout` allows between two writes is shorter.
const ORPHAN_AGE: Duration = Duration::from_secs(2 * 3600);

/// Where uploads lie until their job ends.
pub trait UploadStorage: fmt::Debug + Send + Sync {
    /// Begins to receive the upload of the job `id`.
    ///
    /// # Errors
    /// A folder that cannot be written.
    fn begin_upload(&self, id: &str) -> Result<UploadDraft, PublicError>;

    /// Makes an upload that is whole last.
    ///
    /// # Errors
    /// A storage that cannot be written, or has no room.
    fn store_upload(&self, draft: UploadDraft) -> Result<(), PublicError>;

    /// The upload of the job `id` as a file on this machine, for as long as what is given back lives. None if there is none.
    ///
    /// # Errors
    /// A storage that cannot be read; no space for a copy on this machine.
    fn fetch_upload(&self, id: &str) -> Result<Option<FetchedUpload>>;

    /// Removes the upload of the job `id`. That there is none is no error.
    ///
    /// # Errors
    /// A storage that cannot be written.
    fn remove(&self, id: &str) -> Result<()>;

    /// All uploads, those that are being received too.
    ///
    /// # Errors
    /// A storage that cannot be read.
    fn list_uploads(&self) -> Result<Vec<UploadEntry>>;
}

/// An upload on this machine.
#[derive(Debug)]
pub struct FetchedUpload {
    path: PathBuf,
    /// What removes it, if it is a copy.
    _copy: Option<TempPath>,
}

impl FetchedUpload {
    /// The file.
    #[must_use]
    pub fn file_path(&self) -> &Path {
        &self.path
    }
}

/// An upload of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadEntry {
    /// The name of its job.
    pub id: String,
    /// Whether all of it has come.
    pub is_stored: bool,
    /// How long ago it was last written to.
    pub age: Duration,
}

/// Removes the uploads that no job wants: those of jobs that have ended, those whose job was never stored, and those that nobody
/// receives any more. How many.
///
/// # Errors
/// A storage or a database that cannot be read.
pub fn remove_orphans(storage: &dyn UploadStorage, jobs: &dyn ReadJobs) -> Result<u64> {
    let mut count = 0;
    for entry in storage.list_uploads()? {
        // Only what is stored can have a job; a part is of a client that went away, or of a process that died.
        let job = if entry.is_stored { jobs.find_job(&entry.id)? } else { None };
        // A job that has ended wants it no more: its worker died just before it could remove the upload. If there is no job, somebody may
        // be about to add it.
        let is_wanted = job.map_or(entry.age <= ORPHAN_AGE, |job| !job.state.is_final() || job.is_given_up);
        if !is_wanted {
            storage.remove(&entry.id)?;
            count += 1;
        }
    }
    Ok(count)
}
