//! A data package and its resources.
//!
//! Standards: <https://datapackage.org/standard/data-package/>, <https://datapackage.org/standard/data-resource/>.

use std::sync::Arc;

use super::{CodePage, Dialect, TableSchema};

/// A data package: the tables of a project.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Package {
    /// The name, where the descriptor gives one.
    pub name: Option<String>,
    /// The tables in the order of the descriptor.
    pub resources: Vec<Resource>,
}

/// A resource: one table with its sources.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The name; also the name of the SQL table.
    pub name: Arc<str>,
    /// A label for a person.
    pub title: Option<String>,
    /// What the table holds.
    pub description: Option<String>,
    /// The files, relative to the folder of the descriptor. Several files are the parts of one table.
    pub paths: Vec<SourcePath>,
    /// How the files are written.
    pub dialect: Dialect,
    /// The characters of the files.
    pub encoding: Encoding,
    /// Fields and keys.
    pub schema: TableSchema,
}

/// A path, glob or `-` as written in a descriptor or on the command line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePath(pub String);

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Zstd,
}

/// The characters of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    Utf8,
    /// UTF-16 in the byte order that its mark tells; little-endian without one.
    Utf16,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// ISO 8859-1: each byte is the character of that number.
    Latin1,
    /// Another encoding of one byte a character, such as windows-1252.
    SingleByte(&'static encoding_rs::Encoding),
    /// An encoding of East Asia, of one to four bytes a character: Shift_JIS, EUC-JP, EUC-KR, Big5, GBK or GB18030.
    MultiByte(&'static encoding_rs::Encoding),
    /// A code page of DOS, such as cp850.
    CodePage(CodePage),
}
