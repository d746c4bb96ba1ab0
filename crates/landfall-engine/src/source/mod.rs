//! Sources: files, globs and standard input, plain or compressed, read as one stream of bytes.

mod exports;
mod input;
mod resolve;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use landfall_core::{avro::resolve::RowMapping, decode::CutterLimits};
use tempfile::TempPath;

pub(crate) use exports::{EXPORT_COLUMNS, GUARDED_REJECT, is_reject_export};
pub use input::{SourceInput, copy_range, digest_source};
pub use resolve::resolve_sources;

use crate::{
    error::{Error, Result},
    origin::Origin,
};

/// Something to be read into a table. It can be read several times, and gives the same bytes each time.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name by which the user and the ledger know it.
    pub name: String,
    /// Where its bytes come from.
    pub origin: Origin,
    path: PathBuf,
    /// How its rows are read, where it is an Avro file: its bytes are then those of the rows as JSON.
    avro: Option<Arc<RowMapping>>,
    /// Whether a text of it is never a missing value.
    verbatim: bool,
    /// Keeps the file that standard input was written to until the last clone is gone.
    _spooled: Option<Arc<TempPath>>,
}

/// What tells that a file was changed while it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Bytes of the file (compressed, where it is).
    pub size: u64,
    modified: Option<SystemTime>,
}

impl Source {
    /// The file at `path`, known as `name`.
    #[must_use]
    pub fn from_file(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let (name, path) = (name.into(), path.into());
        Self { name, origin: Origin::File, path, avro: None, verbatim: false, _spooled: None }
    }

    /// The same, which comes from elsewhere.
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The Avro file at `path`, known as `name`, whose rows are read as `reading` says.
    #[must_use]
    pub fn from_avro(name: impl Into<String>, path: impl Into<PathBuf>, reading: Arc<RowMapping>) -> Self {
        Self { avro: Some(reading), ..Self::from_file(name, path) }
    }

    /// The same, whose texts stand for themselves, also those that the dictionary has for missing values: it was written from rows.
    #[must_use]
    pub fn as_verbatim(self) -> Self {
        Self { verbatim: true, ..self }
    }

    /// The most bytes of a record, where `asked` is what is asked for: a row that a backup wrote can be restored.
    #[must_use]
    pub fn record_bytes(&self, asked: usize) -> usize {
        if self.verbatim { CutterLimits::MOST } else { asked }
    }

    /// Whether a text of it is never a missing value.
    #[must_use]
    pub const fn is_verbatim(&self) -> bool {
        self.verbatim
    }

    /// Whether its bytes are JSON rows, one on each line.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.avro.is_some()
    }

    /// The file.
    #[must_use]
    pub fn file_path(&self) -> &Path {
        &self.path
    }

    /// Opens the source at its first byte.
    ///
    /// # Errors
    /// A file that cannot be opened or read.
    pub fn open(&self) -> Result<SourceInput> {
        let open = |file| match &self.avro {
            Some(reading) => SourceInput::from_avro(file, Arc::clone(reading)),
            None => SourceInput::new(file),
        };
        File::open(&self.path).and_then(open).map_err(|error| self.read_error(&error))
    }

    /// The file's size and time of change.
    ///
    /// # Errors
    /// A file that is gone, or not a file.
    pub fn read_stamp(&self) -> Result<FileStamp> {
        let data = std::fs::metadata(&self.path).map_err(|error| self.read_error(&error))?;
        if data.is_dir() {
            return Err(Error::source_error(
                &self.name,
                "it is a folder; name its files, or a glob such as folder/*.csv",
            ));
        }
        Ok(FileStamp { size: data.len(), modified: data.modified().ok() })
    }

    /// The error for `error` of the system, met while reading this source.
    #[must_use]
    pub fn read_error(&self, error: &std::io::Error) -> Error {
        Error::source_error(&self.name, error)
    }
}
