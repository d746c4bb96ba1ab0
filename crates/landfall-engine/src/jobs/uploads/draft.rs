//! An upload while it is received: a file that takes its space before it is written to.

use std::{
    fs::{self, File},
    io::{self, Read, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    folder_space::FolderSpace,
    public_error::{PublicError, PublicErrorCode},
    source::Source,
};

/// Decompressed bytes after which the file is touched: it must not look like one that nobody receives any more.
const TOUCH_EVERY: u64 = 256 << 20;

/// An upload while it is received. Dropped before it is stored, it leaves nothing.
#[derive(Debug)]
pub struct UploadDraft {
    pub(super) id: String,
    pub(super) file: File,
    space: FolderSpace,
    /// Bytes that have come.
    bytes: u64,
    /// Bytes for which there is space.
    reserved: u64,
    hasher: blake3::Hasher,
    /// The file that is removed in the end; none once it is stored under another name.
    path: Option<PathBuf>,
}

impl UploadDraft {
    pub(super) fn new(id: &str, file: File, path: PathBuf, space: FolderSpace) -> Self {
        let hasher = blake3::Hasher::new();
        Self { id: id.to_owned(), file, space, bytes: 0, reserved: 0, hasher, path: Some(path) }
    }

    /// The name of its job.
    #[must_use]
    pub fn job_id(&self) -> &str {
        &self.id
    }

    /// Bytes that have come.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// BLAKE3 of what has come, 32 hexadecimal digits.
    #[must_use]
    pub fn content_digest(&self) -> String {
        self.hasher.finalize().to_hex()[..32].to_owned()
    }

    /// Writes what has come.
    ///
    /// # Errors
    /// No space for it.
    pub fn write(&mut self, part: &[u8]) -> Result<(), PublicError> {
        self.bytes += part.len() as u64;
        if self.bytes > self.reserved {
            self.reserved = self.space.reserve(&self.file, self.bytes).map_err(|error| describe_reserve(&error))?;
        }
        self.hasher.update(part);
        self.file.write_all(part).map_err(|error| describe_write(&error))
    }

    /// Gives back the space that was taken ahead, and refuses a compressed file that is damaged, or has more than `most` bytes
    /// once it is decompressed.
    ///
    /// # Errors
    /// Such a file; one that cannot be read back.
    pub fn finish_draft(&mut self, most: u64) -> Result<(), PublicError> {
        // `reserve` has made the file longer than what has come.
        self.file.set_len(self.bytes).map_err(|error| describe_write(&error))?;
        let source = Source::from_file("the file", self.file_path());
        let mut input = source.open().map_err(|error| PublicError::describe(&error))?;
        // The bytes of a plain file were counted as they came.
        if self.bytes == 0 || !input.is_compressed() {
            return Ok(());
        }
        let mut size = 0;
        while size <= most {
            let part = io::copy(&mut (&mut input).take(TOUCH_EVERY.min(most + 1 - size)), &mut io::sink());
            match part {
                Ok(0) => return Ok(()),
                Ok(part) => size += part,
                Err(error) => {
                    let detail = format!("the file cannot be decompressed: {error}");
                    return Err(PublicError::new(PublicErrorCode::WrongShape, detail));
                }
            }
            // That it cannot be touched is no reason to refuse it.
            let _ = self.file.set_modified(SystemTime::now());
        }
        Err(content_too_large(most))
    }

    /// Makes the file last under another name.
    pub(super) fn rename_file(mut self, path: &Path) -> Result<(), PublicError> {
        let rename = || {
            // The client is told that the file is stored: it must still be there after a loss of power.
            self.file.sync_all()?;
            fs::rename(self.file_path(), path)?;
            File::open(self.space.folder())?.sync_all()
        };
        rename().map_err(|error| describe_write(&error))?;
        self.path = None;
        Ok(())
    }

    /// The file from its beginning.
    pub(super) fn rewind_file(&mut self) -> io::Result<&mut File> {
        self.file.rewind()?;
        Ok(&mut self.file)
    }

    fn file_path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }
}

impl Drop for UploadDraft {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.path.as_deref().map(fs::remove_file) {
            tracing::warn!(%error, upload = self.id, "an upload that was not stored cannot be removed");
        }
    }
}

/// The error for a file that is too large, also once it is decompressed.
#[must_use]
pub fn content_too_large(most: u64) -> PublicError {
    let detail = format!("the file is larger than {most} bytes, the most that is taken here (also when decompressed)");
    PublicError::new(PublicErrorCode::ContentTooLarge, detail)
}

fn describe_reserve(error: &io::Error) -> PublicError {
    if error.kind() == io::ErrorKind::StorageFull { no_space() } else { describe_write(error) }
}

/// The error if uploads have all their space.
pub(super) fn no_space() -> PublicError {
    let detail = "uploads that wait to be loaded take all the space that they may have; nothing of this one was kept";
    PublicError::new(PublicErrorCode::NoSpace, detail).with_retry_after(60)
}

/// What a client may know if an upload cannot be written.
pub(super) fn describe_write(error: &io::Error) -> PublicError {
    tracing::error!(%error, "an upload cannot be stored");
    if error.kind() == io::ErrorKind::StorageFull {
        let detail = "the service has no space left for uploads; nothing of this one was kept";
        return PublicError::new(PublicErrorCode::NoSpace, detail).with_retry_after(60);
    }
    PublicError::new(PublicErrorCode::Internal, "the upload cannot be stored; the service's log says more")
}
