//! Uploads in object storage, for machines that share no folder. An upload is received into a local folder and sent on once it
//! is whole, so a request that breaks off leaves nothing in the bucket. A worker downloads it to a file of its own.

use std::{io, time::SystemTime};

use super::{
    FetchedUpload, STORED, UploadDraft, UploadEntry, UploadFolder, UploadStorage,
    draft::{describe_write, no_space},
};
use crate::{
    error::{Error, Result, StorageErrorKind},
    objects::{ObjectPrefix, ObjectSettings, ObjectUrl},
    public_error::PublicError,
};

/// Uploads in object storage.
#[derive(Debug)]
pub struct UploadBucket {
    objects: ObjectPrefix,
    /// Where they are received first.
    received: UploadFolder,
    /// The most bytes of all objects.
    space: u64,
}

impl UploadBucket {
    /// The uploads below `url`, received into `folder` first. In each of the two they have at most `space` bytes.
    ///
    /// # Errors
    /// Settings or credentials that cannot be used. Nothing is asked yet.
    pub fn open(url: &ObjectUrl, settings: &ObjectSettings, folder: UploadFolder, space: u64) -> Result<Self> {
        Ok(Self { objects: ObjectPrefix::open(url, settings)?, received: folder, space })
    }

    /// Several services may look at once and exceed the space together, by what they receive at that moment.
    fn check_space(&self, more: u64) -> Result<(), PublicError> {
        let mut bytes = more;
        self.objects.list_objects(&mut |object| {
            bytes += object.bytes;
            Ok(())
        })?;
        if bytes > self.space { Err(no_space()) } else { Ok(()) }
    }
}

fn name_of(id: &str) -> String {
    format!("{id}.{STORED}")
}

impl UploadStorage for UploadBucket {
    fn begin_upload(&self, id: &str) -> Result<UploadDraft, PublicError> {
        self.received.begin_upload(id)
    }

    fn store_upload(&self, mut draft: UploadDraft) -> Result<(), PublicError> {
        self.check_space(draft.bytes())?;
        let mut object = self.objects.write(&name_of(draft.job_id()))?;
        let file = draft.rewind_file().map_err(|error| describe_write(&error))?;
        io::copy(file, &mut object).map_err(|error| Error::from_io_error("an upload", error))?;
        object.finish_upload()?;
        Ok(())
    }

    fn fetch_upload(&self, id: &str) -> Result<Option<FetchedUpload>> {
        // One that was stored before the project named a bucket.
        if let Some(local) = self.received.fetch_upload(id)? {
            return Ok(Some(local));
        }
        match self.objects.download_object(&name_of(id), "landfall-upload-") {
            Ok(copy) => Ok(Some(FetchedUpload { path: copy.to_path_buf(), _copy: Some(copy) })),
            Err(Error::Storage(error)) if error.kind == StorageErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, id: &str) -> Result<()> {
        self.received.remove(id)?;
        self.objects.delete_object(&name_of(id))
    }

    fn list_uploads(&self) -> Result<Vec<UploadEntry>> {
        let mut entries = self.received.list_uploads()?;
        let now = SystemTime::now();
        self.objects.list_objects(&mut |object| {
            // What is called otherwise is not ours.
            if let Some((id, STORED)) = object.name.split_once('.') {
                let age = now.duration_since(object.modified).unwrap_or_default();
                entries.push(UploadEntry { id: id.to_owned(), is_stored: true, age });
            }
            Ok(())
        })?;
        Ok(entries)
    }
}
