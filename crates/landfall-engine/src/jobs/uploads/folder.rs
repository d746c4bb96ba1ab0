//! Uploads in a folder, which all machines that share jobs see: `ID.part` while it comes, `ID.upload` once it is whole.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{FetchedUpload, PART, STORED, UploadDraft, UploadEntry, UploadStorage, draft::describe_write};
use crate::{
    error::{Error, Result},
    folder_space::FolderSpace,
    public_error::PublicError,
};

/// Uploads in a folder.
#[derive(Debug, Clone)]
pub struct UploadFolder {
    space: FolderSpace,
}

impl UploadFolder {
    /// The uploads in `folder`, which is made when it is needed. All of them together have at most `space` bytes.
    #[must_use]
    pub const fn new(folder: PathBuf, space: u64) -> Self {
        let counts = |path: &Path| path.extension().is_some_and(|ending| ending == STORED || ending == PART);
        Self { space: FolderSpace::new(folder, space, counts) }
    }

    pub(super) fn upload_path(&self, id: &str, ending: &str) -> PathBuf {
        self.space.folder().join(format!("{id}.{ending}"))
    }
}

impl UploadStorage for UploadFolder {
    fn begin_upload(&self, id: &str) -> Result<UploadDraft, PublicError> {
        let path = self.upload_path(id, PART);
        let open = || {
            DirBuilder::new().recursive(true).mode(0o700).create(self.space.folder())?;
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)
        };
        let file = open().map_err(|error| describe_write(&error))?;
        Ok(UploadDraft::new(id, file, path, self.space.clone()))
    }

    fn store_upload(&self, draft: UploadDraft) -> Result<(), PublicError> {
        let path = self.upload_path(draft.job_id(), STORED);
        draft.rename_file(&path)
    }

    fn fetch_upload(&self, id: &str) -> Result<Option<FetchedUpload>> {
        let path = self.upload_path(id, STORED);
        match File::open(&path) {
            Ok(_) => Ok(Some(FetchedUpload { path, _copy: None })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::File { path, cause }),
        }
    }

    fn remove(&self, id: &str) -> Result<()> {
        for path in [self.upload_path(id, STORED), self.upload_path(id, PART)] {
            match fs::remove_file(&path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(Error::File { path, cause }),
                _ => {}
            }
        }
        Ok(())
    }

    fn list_uploads(&self) -> Result<Vec<UploadEntry>> {
        let entry = |path: PathBuf| {
            let id = path.file_stem()?.to_str()?.to_owned();
            let is_stored = path.extension()? == STORED;
            // One that is gone by now has no age.
            let age = fs::metadata(&path).and_then(|data| data.modified()).ok()?.elapsed().unwrap_or_default();
            Some(UploadEntry { id, is_stored, age })
        };
        Ok(self.space.files().into_iter().filter_map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn an_upload_is_there_once_it_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = UploadFolder::new(folder.path().join("uploads"), 1 << 20);
        let mut draft = uploads.begin_upload("a").unwrap();
        draft.write(b"id\n").unwrap();
        draft.write(b"1\n").unwrap();
        assert!(uploads.fetch_upload("a").unwrap().is_none());
        draft.finish_draft(100).unwrap();
        assert_eq!((draft.bytes(), draft.content_digest()), (5, blake3::hash(b"id\n1\n").to_hex()[..32].to_owned()));
        uploads.store_upload(draft).unwrap();
        assert_eq!(fs::read(uploads.fetch_upload("a").unwrap().unwrap().file_path()).unwrap(), b"id\n1\n");
        let listed = uploads.list_uploads().unwrap();
        assert_eq!((listed.len(), listed[0].id.as_str(), listed[0].is_stored), (1, "a", true));
        uploads.remove("a").unwrap();
        uploads.remove("a").unwrap();
        assert!(uploads.list_uploads().unwrap().is_empty());
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = UploadFolder::new(folder.path().to_owned(), 10);
        let mut draft = uploads.begin_upload("a").unwrap();
        assert!(draft.write(&[0; 11]).is_err());
        drop(draft);
        assert!(uploads.list_uploads().unwrap().is_empty());
    }
}
