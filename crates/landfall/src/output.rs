//! Where results go: standard output, or a file that appears only when it is whole.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use landfall_engine::receipt::Receipt;
use serde::Serialize;

use crate::exit::CommandError;

/// Writes a result to standard output.
pub(crate) fn print_result(text: &str) -> Result<()> {
    write_stdout(|out| Ok(out.write_all(text.as_bytes())?))
}

/// Prints `document` as the one JSON object that a command with `--json` prints.
pub(crate) fn print_document(document: &impl Serialize) -> Result<()> {
    print_result(&format!("{}\n", serde_json::to_string(document)?))
}

/// An object with one list of any length, whose items go out as they come: memory stays flat. Each item has a line of its own, which
/// tools that read lines can take.
pub(crate) struct JsonList<'o> {
    out: &'o mut dyn Write,
    is_empty: bool,
}

impl<'o> JsonList<'o> {
    /// Begins `{"name":[` on `out`. `name` is a plain word.
    pub(crate) fn begin_list(out: &'o mut dyn Write, name: &str) -> io::Result<Self> {
        write!(out, "{{\"{name}\":[")?;
        Ok(Self { out, is_empty: true })
    }

    /// Writes the next item.
    pub(crate) fn write_item(&mut self, item: &impl Serialize) -> io::Result<()> {
        self.out.write_all(if self.is_empty { b"\n" } else { b",\n" })?;
        self.is_empty = false;
        Ok(serde_json::to_writer(&mut *self.out, item)?)
    }

    /// Ends the list and the object, with `others` behind the list.
    pub(crate) fn end_list(self, others: &[(&str, serde_json::Value)]) -> io::Result<()> {
        self.out.write_all(if self.is_empty { b"]" } else { b"\n]" })?;
        for (name, value) in others {
            write!(self.out, ",\"{name}\":{value}")?;
        }
        self.out.write_all(b"}\n")
    }
}

/// Tells something beside the results, on standard error. Where that is closed there is nobody to tell.
pub(crate) fn print_note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Hands a buffered standard output to `write`.
pub(crate) fn write_stdout<T>(write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let value = write(&mut out)?;
    out.flush().context("cannot write to standard output")?;
    Ok(value)
}

/// A file to write, or standard output where there is none or it is called `-`.
pub(crate) fn to_file_or_stdout<T>(
    path: Option<&PathBuf>,
    replace: ReplaceFile,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    match path.filter(|path| **path != Path::new("-")) {
        Some(path) => write_file(path, replace, write),
        None => write_stdout(write),
    }
}

/// Whether a file that exists may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplaceFile {
    /// It may.
    Yes,
    /// It may not: it may hold a person's work.
    No,
}

/// Writes `path` as a whole: to a file beside it, flushed to the disk, then renamed.
pub(crate) fn write_file<T>(
    path: &Path,
    replace: ReplaceFile,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    // Early, before minutes of work. `persist_noclobber` below sees what came meanwhile.
    if replace == ReplaceFile::No && path.exists() {
        return Err(CommandError::usage_error(format!("{} exists; --force replaces it", path.display())).into());
    }
    let cannot = || format!("cannot write {}", path.display());
    // Beside it, since a file cannot be renamed into another file system.
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = temporary_in(folder).map_err(write_error).with_context(cannot)?;
    let mut out = BufWriter::new(file);
    let value = write(&mut out)?;
    let file = out.into_inner().map_err(|error| write_error(error.into_error())).with_context(cannot)?;
    // Before the name: after a loss of power, some file systems have the new name and no content.
    file.as_file().sync_all().map_err(write_error).with_context(cannot)?;
    match replace {
        ReplaceFile::Yes => file.persist(path).map_err(|error| write_error(error.error)),
        ReplaceFile::No => file.persist_noclobber(path).map_err(|error| write_error(error.error)),
    }
    .with_context(cannot)?;
    // The name is kept in the folder, which has to be flushed too.
    if let Ok(folder) = std::fs::File::open(folder) {
        // Not every system can flush a folder; the file itself is flushed.
        let _ = folder.sync_all();
    }
    Ok(value)
}

/// Writes a receipt, in place of one that is there.
pub(crate) fn write_receipt(path: &Path, receipt: &Receipt) -> Result<()> {
    let text = serde_json::to_string_pretty(receipt)?;
    write_file(path, ReplaceFile::Yes, |out| Ok(writeln!(out, "{text}")?))
}

/// A file that cannot be written is the user's choice of a path, unless the disk is full.
fn write_error(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => error.into(),
        _ => CommandError::usage_error(error.to_string()).into(),
    }
}

/// A temporary file of the system's kind is for the user alone; a result follows the user's mask as other files do.
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666))
    };
    builder.prefix(".landfall-").tempfile_in(folder)
}
