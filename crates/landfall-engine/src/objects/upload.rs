//! Writing an object as a stream, in bounded memory: in parts, of which a few are under way at once.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use object_store::{MultipartUpload, ObjectStoreExt as _, path::Path};
use tokio::{task::JoinSet, time::timeout};

use super::ObjectInner;
use crate::error::{Error, Result, StorageError, StorageErrorKind};

/// Bytes of a part. All but the last are of one size, as some storages want it.
const PART: usize = 16 << 20;
/// Parts that an object of S3 can have.
const MOST_PARTS: usize = 10_000;
/// Parts under way, while the next is filled.
const UNDER_WAY: usize = 2;
/// How long may be spent on taking back what was begun.
const TIDYING: Duration = Duration::from_secs(10);

/// An object that is written. Nobody sees it before it is [finished](Self::finish_upload); dropped before, it is taken back.
#[derive(Debug)]
pub struct ObjectUpload {
    of: Arc<ObjectInner>,
    path: Path,
    name: String,
    /// What waits for being a part.
    part: Vec<u8>,
    /// Parts that were sent.
    parts: usize,
    /// None as long as one request may do.
    upload: Option<Box<dyn MultipartUpload>>,
    under_way: JoinSet<object_store::Result<()>>,
    /// Whether nothing is left to be taken back.
    ended: bool,
}

impl ObjectUpload {
    pub(super) fn new(of: Arc<ObjectInner>, path: Path, name: String) -> Self {
        let (part, under_way) = (Vec::new(), JoinSet::new());
        Self { of, path, name, part, parts: 0, upload: None, under_way, ended: false }
    }

    /// Makes the object last, and visible.
    ///
    /// # Errors
    /// A storage that does not answer, or refuses.
    pub fn finish_upload(mut self) -> Result<()> {
        if self.upload.is_none() {
            let part = std::mem::take(&mut self.part);
            let put = self.of.handle.block_on(self.of.store.put(&self.path, part.into()));
            return put.map(drop).map_err(|error| self.describe_error(&error));
        }
        if !self.part.is_empty() {
            self.send_part()?;
        }
        while self.wait_for_part()? {}
        if let Some(upload) = &mut self.upload {
            let completed = self.of.handle.block_on(upload.complete());
            completed.map_err(|error| self.of.describe_error(&error, &self.name))?;
        }
        self.ended = true;
        Ok(())
    }

    /// Sends what was gathered.
    fn send_part(&mut self) -> Result<()> {
        if self.parts == MOST_PARTS {
            let most = (PART as u64 * MOST_PARTS as u64) >> 30;
            let words = format!("{}/{}: no object may have more than {most} GiB", self.of.url, self.name);
            return Err(StorageError::new(StorageErrorKind::Full, words).into());
        }
        while self.under_way.len() >= UNDER_WAY {
            self.wait_for_part()?;
        }
        let part = std::mem::take(&mut self.part);
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let begun = self.of.handle.block_on(self.of.store.put_multipart(&self.path));
                none.insert(begun.map_err(|error| self.of.describe_error(&error, &self.name))?)
            }
        };
        self.under_way.spawn_on(upload.put_part(part.into()), &self.of.handle);
        self.parts += 1;
        Ok(())
    }

    /// Waits for one part; whether there was one.
    fn wait_for_part(&mut self) -> Result<bool> {
        match self.of.handle.block_on(self.under_way.join_next()) {
            None => Ok(false),
            Some(Ok(sent)) => sent.map(|()| true).map_err(|error| self.describe_error(&error)),
            Some(Err(_)) => Err(Error::Cancelled),
        }
    }

    fn describe_error(&self, error: &object_store::Error) -> Error {
        self.of.describe_error(error, &self.name)
    }
}

impl Write for ObjectUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() == PART {
            self.send_part().map_err(Error::into_io_error)?;
        }
        if self.part.capacity() == 0 && (self.upload.is_some() || bytes.len() >= PART) {
            self.part.reserve_exact(PART);
        }
        let length = bytes.len().min(PART - self.part.len());
        self.part.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A part goes when it is full: nothing is visible before the end anyway.
        Ok(())
    }
}

impl Drop for ObjectUpload {
    fn drop(&mut self) {
        let Some(upload) = self.upload.as_mut().filter(|_| !self.ended) else { return };
        let under_way = &mut self.under_way;
        let taken_back = self.of.handle.block_on(async {
            timeout(TIDYING, async {
                // A part that arrived afterwards would stay.
                under_way.shutdown().await;
                upload.abort().await
            })
            .await
        });
        if !matches!(taken_back, Ok(Ok(()))) {
            let name = &self.name;
            tracing::warn!(
                name,
                "an upload that was broken off cannot be taken back; the storage's rules for those may"
            );
        }
    }
}
