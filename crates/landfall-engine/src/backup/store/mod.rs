//! Where sets lie: a folder, or object storage.

mod local;
mod object;

use std::{
    fs::File,
    io::{self, Read, Seek as _, Write},
    path::PathBuf,
};

use sha2::{Digest as _, Sha256};
use tempfile::TempPath;

pub use self::{local::LocalStore, object::BackupObjectStore};
use super::{Manifest, SetId, TableEntry, encode_hex};
use crate::{error::Result, objects::ObjectDownload};

/// Where backup sets lie.
pub trait BackupStore: Send + Sync {
    /// Where that is, as the user wrote it, without secrets.
    fn location(&self) -> String;

    /// Begins a new set, which nobody sees yet.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn begin_draft(&self, set: &SetId) -> Result<Box<dyn SetDraft + '_>>;

    /// The sets that are whole, oldest first.
    ///
    /// # Errors
    /// A store that cannot be read.
    fn list_sets(&self) -> Result<Vec<SetId>>;

    /// What a set says of itself.
    ///
    /// # Errors
    /// A set that is not there, or whose manifest is damaged.
    fn read_manifest(&self, set: &SetId) -> Result<Manifest>;

    /// The file of a table, to be read from its beginning. It is not held against the manifest.
    ///
    /// # Errors
    /// A file that is not there.
    fn open(&self, set: &SetId, entry: &TableEntry) -> Result<SetReader>;

    /// The file of a table, on this machine: as long as what is given back lives.
    ///
    /// # Errors
    /// A file that is not there; no space for it on this machine, where it is elsewhere.
    fn fetch_file(&self, set: &SetId, entry: &TableEntry) -> Result<SetFile>;

    /// Removes a set.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn remove(&self, set: &SetId) -> Result<()>;
}

/// A set in the making. Dropped before it is published, it leaves nothing that looks like a set.
pub trait SetDraft {
    /// A new file, to be written.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn create_file(&mut self, file: &str) -> Result<Box<dyn DraftFile>>;

    /// Takes a file in that was finished: reads it back, and holds it against what was written.
    ///
    /// # Errors
    /// A file that differs, or cannot be read.
    fn take_file(&mut self, file: &str, bytes: u64, blake3: blake3::Hash) -> Result<()>;

    /// Makes the set visible, in one step; where it is.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn publish_set(self: Box<Self>, manifest: &[u8]) -> Result<String>;
}

/// A file of a draft.
pub trait DraftFile: Write + Send {
    /// Makes what was written last.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn finish_file(self: Box<Self>) -> Result<()>;
}

/// A file of a set, read from its beginning.
pub struct SetReader {
    /// Its bytes, as the store says.
    pub bytes: u64,
    /// What it holds.
    pub content: Box<dyn SetContent>,
}

/// The bytes of a file of a set.
pub trait SetContent: Read + Send {
    /// Leaves so many bytes out.
    ///
    /// # Errors
    /// A store that cannot be read.
    fn skip_bytes(&mut self, bytes: u64) -> io::Result<()>;
}

impl SetContent for File {
    fn skip_bytes(&mut self, bytes: u64) -> io::Result<()> {
        self.seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX))
    }
}

impl SetContent for ObjectDownload {
    fn skip_bytes(&mut self, bytes: u64) -> io::Result<()> {
        io::copy(&mut self.take(bytes), &mut io::sink()).map(drop)
    }
}

/// A file of a set, on this machine.
#[derive(Debug)]
pub struct SetFile {
    /// The file.
    pub path: PathBuf,
    /// What removes it, where it was fetched.
    _fetched: Option<TempPath>,
}

impl SetFile {
    /// One that stays where it is.
    const fn of(path: PathBuf) -> Self {
        Self { path, _fetched: None }
    }

    /// One that was fetched, and is removed afterwards.
    fn from_download(file: TempPath) -> Self {
        Self { path: file.to_path_buf(), _fetched: Some(file) }
    }
}

/// SHA-256 of what is read, and its bytes.
pub(super) fn digest_content(content: &mut dyn Read) -> io::Result<(String, u64)> {
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    visit_parts(content, |part| {
        sha256.update(part);
        bytes += part.len() as u64;
    })?;
    Ok((encode_hex(&sha256.finalize()), bytes))
}

/// Reads to the end, part by part.
fn visit_parts(content: &mut dyn Read, mut visit: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => visit(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
