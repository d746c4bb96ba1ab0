//! Sources: files, globs, standard input and other [`SourceContent`], plain or compressed, read as one stream of bytes.

mod compressed;
mod content;
mod exports;
mod input;
mod resolve;

use std::{path::PathBuf, sync::Arc};

use landfall_core::{avro::resolve::RowMapping, decode::CutterLimits};

use content::FileContent;
pub use content::{ContentStamp, SourceContent};
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
    content: Arc<dyn SourceContent>,
    /// How its rows are read, where it is an Avro file: its bytes are then those of the rows as JSON.
    avro: Option<Arc<RowMapping>>,
    /// Whether a text of it is never a missing value.
    verbatim: bool,
}

impl Source {
    /// The bytes of `content`, which come from `origin`, known as `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, origin: Origin, content: Arc<dyn SourceContent>) -> Self {
        Self { name: name.into(), origin, content, avro: None, verbatim: false }
    }

    /// The file at `path`, known as `name`.
    #[must_use]
    pub fn from_file(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::new(name, Origin::File, FileContent::new(path.into()))
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

    /// Opens the source at its first byte.
    ///
    /// # Errors
    /// A file that cannot be opened or read.
    pub fn open(&self) -> Result<SourceInput> {
        let open = |content| match &self.avro {
            Some(mapping) => SourceInput::from_avro(content, Arc::clone(mapping)),
            None => SourceInput::decompress(content),
        };
        self.content.open_at(0).and_then(open).map_err(|error| self.read_error(&error))
    }

    /// The state of the source's content.
    ///
    /// # Errors
    /// A file that is gone, or not a file.
    pub fn read_stamp(&self) -> Result<ContentStamp> {
        self.content.read_stamp().map_err(|error| self.read_error(&error))
    }

    /// The error for `error` of the system, met while reading this source.
    #[must_use]
    pub fn read_error(&self, error: &std::io::Error) -> Error {
        Error::source_error(&self.name, error)
    }
}
