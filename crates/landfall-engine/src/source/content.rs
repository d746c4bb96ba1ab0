//! Where the bytes of a source lie. A new kind of place (an object of object storage, a member of an archive) implements
//! [`SourceContent`]; nothing else asks what kind it is.

use std::{
    fmt::Debug,
    fs::{self, File},
    io::{self, Read, Seek as _, SeekFrom},
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tempfile::TempPath;

/// Bytes that can be read as often as needed, and are the same each time as long as their [`ContentStamp`] is.
pub trait SourceContent: Debug + Send + Sync {
    /// A reader of the bytes from `offset` on. Behind the end there are none.
    ///
    /// # Errors
    /// Bytes that cannot be reached, as whoever loads them must be told.
    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;

    /// Their state now.
    ///
    /// # Errors
    /// Bytes that are gone.
    fn read_stamp(&self) -> io::Result<ContentStamp>;
}

/// What tells that content was changed while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentStamp {
    /// The number of bytes (compressed, where they are), if that is known before they are read.
    pub size: Option<u64>,
    /// Names the state besides its size: the time of the last change, or an ETag. It is only compared.
    pub version: String,
}

/// A file.
#[derive(Debug)]
pub(super) struct FileContent {
    path: PathBuf,
    /// Removes the file when nobody needs it any more: standard input was written to it.
    _spooled: Option<TempPath>,
}

impl FileContent {
    /// The file at `path`, which stays.
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, _spooled: None })
    }

    /// The file at `spooled`, which goes with the last source that has it.
    pub(super) fn from_spooled(spooled: TempPath) -> Arc<Self> {
        Arc::new(Self { path: spooled.to_path_buf(), _spooled: Some(spooled) })
    }
}

impl SourceContent for FileContent {
    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(&self.path)?;
        // A pipe or device cannot be sought in, and from its first byte it need not be.
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(Box::new(file))
    }

    fn read_stamp(&self) -> io::Result<ContentStamp> {
        let data = fs::metadata(&self.path)?;
        // Opening a folder succeeds on Unix and only reading it fails, with words that help nobody.
        if data.is_dir() {
            let words = "it is a folder; name its files, or a glob such as folder/*.csv";
            return Err(io::Error::new(io::ErrorKind::IsADirectory, words));
        }
        let nanoseconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        // Some file systems have no such time; then the size alone must do.
        let version = data.modified().map_or_else(|_| String::new(), |time| nanoseconds(time).to_string());
        Ok(ContentStamp { size: Some(data.len()), version })
    }
}
