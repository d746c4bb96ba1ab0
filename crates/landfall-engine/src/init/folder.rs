//! The files of a folder that may be tables.

use std::{fs, path::Path};

use super::kind::name_spreadsheet;
use crate::{
    error::{Error, Result},
    source::{Source, is_reject_export},
};

/// Where files are looked for, relative to the project's folder.
const FOLDERS: [&str; 2] = ["", "data"];
/// The endings of delimited text, and of what compresses it.
const FORMATS: [&str; 3] = ["csv", "tsv", "txt"];
const COMPRESSIONS: [&str; 2] = ["gz", "zst"];

/// A file that may be a table, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct FileCandidate {
    /// Relative to the project's folder, as a data package writes it: `""`, `data/`, or where a file stands that was named.
    pub(super) folder: String,
    /// The name without its endings.
    pub(super) stem: String,
    /// The endings, such as `.csv.gz`.
    pub(super) ending: String,
    /// The file.
    pub(super) source: Source,
}

impl FileCandidate {
    /// The path as a data package writes it.
    pub(super) fn descriptor_path(&self) -> String {
        as_relative_path(format!("{}{}{}", self.folder, self.stem, self.ending))
    }

    /// Whether the ending says that this is any text, and not necessarily a table.
    pub(super) fn is_any_text(&self) -> bool {
        self.ending.to_ascii_lowercase().starts_with(".txt")
    }

    /// The file at `path`, which lies in `folder` or below it, whatever its name ends with.
    ///
    /// # Errors
    /// A file that is not below the folder, or whose name a data package cannot have.
    pub(super) fn from_named_file(folder: &Path, path: &Path) -> Result<Self> {
        let refuse = |why: &str| Error::Usage(format!("{} cannot be a source: {why}", path.display()));
        let relative = path.strip_prefix(folder).map_err(|_| refuse("it is not below the project's folder"))?;
        let relative = relative.to_str().ok_or_else(|| refuse("its name is not Unicode"))?.replace('\\', "/");
        if relative.chars().any(char::is_control) {
            return Err(refuse("its name has a control character"));
        }
        let (below, name) = relative.rsplit_once('/').map_or(("", &*relative), |(below, name)| (below, name));
        let below = if below.is_empty() { String::new() } else { format!("{below}/") };
        let (stem, ending) = split_name(name).unwrap_or_else(|| name.split_at(name.rfind('.').unwrap_or(name.len())));
        let source = Source::from_file(relative.clone(), path);
        Ok(Self { folder: below, stem: stem.to_owned(), ending: ending.to_owned(), source })
    }
}

/// A path that a data package takes for relative, whatever it begins with.
pub(super) fn as_relative_path(path: String) -> String {
    let drive = path.as_bytes().get(1) == Some(&b':');
    if drive || path.starts_with(['~', '\\']) || path == "-" { format!("./{path}") } else { path }
}

/// The files of `folder` and of its `data` folder that may be tables, by name; what is left out goes to `notes`.
///
/// # Errors
/// A folder that does not exist or cannot be read.
pub(super) fn find_candidates(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<FileCandidate>> {
    let mut found = Vec::new();
    for below in FOLDERS {
        let place = folder.join(below);
        if below.is_empty() || place.is_dir() {
            found.extend(find_files(&place, if below.is_empty() { "" } else { "data/" }, notes)?);
        }
    }
    Ok(found)
}

fn find_files(place: &Path, prefix: &str, notes: &mut Vec<String>) -> Result<Vec<FileCandidate>> {
    let unreadable = |cause| Error::File { path: place.to_owned(), cause };
    let mut names = Vec::new();
    for entry in fs::read_dir(place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name() else { continue };
        match name.to_str() {
            Some(name) if path.is_file() => names.push(name.to_owned()),
            None if path.is_file() => notes.push(format!("{} is left out: its name is not Unicode", path.display())),
            _ => {}
        }
    }
    names.sort();
    Ok(names.into_iter().filter_map(|name| check_candidate(place, prefix, &name, notes)).collect())
}

fn check_candidate(place: &Path, folder: &str, name: &str, notes: &mut Vec<String>) -> Option<FileCandidate> {
    let Some((stem, ending)) = split_name(name) else {
        // Excel's own lock files begin with "~$".
        let spreadsheet = name_spreadsheet(name).filter(|_| !name.starts_with(['.', '~']));
        notes.extend(spreadsheet.map(|words| format!("{folder}{} is left out: {words}", name.escape_debug())));
        return None;
    };
    if name.chars().any(char::is_control) {
        notes.push(format!("{folder}{} is left out: its name has a control character", name.escape_debug()));
        return None;
    }
    let path = place.join(name);
    let source = Source::from_file(format!("{folder}{name}"), &path);
    if is_reject_export(&path) {
        notes.push(format!("{folder}{name} is left out: it is an export of rejects"));
        return None;
    }
    Some(FileCandidate { folder: folder.to_owned(), stem: stem.to_owned(), ending: ending.to_owned(), source })
}

/// The stem and the endings of a name of delimited text. Hidden files have none.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let is_one_of = |ending: &str, known: &[&str]| known.iter().any(|known| ending.eq_ignore_ascii_case(known));
    let plain = match name.rsplit_once('.') {
        Some((rest, ending)) if is_one_of(ending, &COMPRESSIONS) => rest,
        _ => name,
    };
    let (stem, ending) = plain.rsplit_once('.')?;
    (is_one_of(ending, &FORMATS) && !name.starts_with('.')).then(|| name.split_at(stem.len()))
}

#[cfg(test)]
mod tests {
    use super::{as_relative_path, split_name};

    #[test]
    fn endings_tell_delimited_text() {
        assert_eq!(split_name("a.b.csv"), Some(("a.b", ".csv")));
        assert_eq!(split_name("a.TSV.gz"), Some(("a", ".TSV.gz")));
        assert_eq!(split_name("a.txt.zst"), Some(("a", ".txt.zst")));
        for name in ["a.gz", "csv", ".csv", ".a.csv", "a.json", "a.csv.zip"] {
            assert_eq!(split_name(name), None, "{name}");
        }
    }

    #[test]
    fn odd_beginnings_stay_relative() {
        assert_eq!(as_relative_path("~a.csv".into()), "./~a.csv");
        assert_eq!(as_relative_path("c:a.csv".into()), "./c:a.csv");
        assert_eq!(as_relative_path("data/a.csv".into()), "data/a.csv");
    }
}
