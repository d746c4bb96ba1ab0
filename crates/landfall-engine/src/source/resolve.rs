//! From what was typed or declared to the files meant.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use globset::GlobBuilder;
use landfall_core::schema::SourcePath;
use tempfile::NamedTempFile;

use super::{Source, content::FileContent, exports::is_reject_export};
use crate::{
    error::{Error, Result},
    origin::{Origin, STANDARD_INPUT},
};

/// The sources that `spec` means: a file, the files that match a glob (in the order of their names), or standard input
/// (`-`), which is written to a temporary file so that it can be read twice. Relative paths are taken from `base`; names
/// are relative to the project's folder, `home`, where that is possible.
///
/// # Errors
/// A glob that is malformed or matches nothing, or a file that does not exist.
pub fn resolve_sources(spec: &SourcePath, base: &Path, home: &Path) -> Result<Vec<Source>> {
    if spec.0 == STANDARD_INPUT {
        return Ok(vec![standard_input()?]);
    }
    let path = base.join(&spec.0);
    // A file whose own name has brackets is meant by that name, before the name is taken for a glob.
    if path.exists() || !spec.0.contains(['*', '?', '[', '{']) {
        let source = Source::from_file(display_name(&path, home), &path);
        // Now, and not when its turn comes: a missing file must stop a load of many before it begins.
        source.read_stamp()?;
        if is_reject_export(&path) {
            let reason = "it is an export of rejects, and not a source; `landfall rejects retry --from` takes it back";
            return Err(Error::source_error(&source.name, reason));
        }
        return Ok(vec![source]);
    }
    let files = without_exports(find_matches(&spec.0, base)?);
    if files.is_empty() {
        return Err(Error::source_error(&spec.0, format!("no file matches in {}", base.display())));
    }
    Ok(files.into_iter().map(|path| Source::from_file(display_name(&path, home), path)).collect())
}

/// Takes exports of rejects out of `files`: their names often match the glob of the source that they came from.
fn without_exports(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let (exports, files): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|path| is_reject_export(path));
    for path in exports {
        tracing::warn!(file = %path.display(), "an export of rejects matches the glob; it is not loaded");
    }
    files
}

/// `path` as the user knows it.
fn display_name(path: &Path, base: &Path) -> String {
    // Both through links, or the same file would have two names in the ledger and be loaded twice.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let base = base.canonicalize().unwrap_or_else(|_| base.to_owned());
    path.strip_prefix(&base).unwrap_or(&path).to_string_lossy().into_owned()
}

fn standard_input() -> Result<Source> {
    let spool = || -> io::Result<NamedTempFile> {
        let mut file = NamedTempFile::new()?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        file.flush()?;
        Ok(file)
    };
    let failed = |error| Error::source_error(STANDARD_INPUT, format!("standard input: {error}"));
    // Each reader opens the path anew: handles of one open file would share its position.
    let spooled = spool().map_err(failed)?.into_temp_path();
    Ok(Source::new(STANDARD_INPUT, Origin::StandardInput, FileContent::from_spooled(spooled)))
}

/// The files below the glob's fixed part that match it, sorted.
fn find_matches(pattern: &str, base: &Path) -> Result<Vec<PathBuf>> {
    let glob = GlobBuilder::new(pattern)
        // As in a shell, `*` does not cross folders.
        .literal_separator(true)
        .build()
        .map_err(|error| Error::Usage(format!("{pattern:?} is not a glob: {}", error.kind())))?
        .compile_matcher();
    // Only below the fixed part is looked, and not through the whole project for `data/*.csv`.
    let fixed: PathBuf = Path::new(pattern)
        .components()
        .take_while(|part| !is_glob_part(part.as_os_str().to_string_lossy().as_ref()))
        .collect();
    let mut found = Vec::new();
    walk_files(&base.join(fixed), pattern.contains("**"), pattern.matches('/').count(), &mut |path| {
        // Both forms are tried, since a pattern may be absolute.
        let relative = path.strip_prefix(base).unwrap_or(path);
        if glob.is_match(relative) || glob.is_match(path) {
            found.push(path.to_owned());
        }
    });
    // `read_dir` has no order, and the order of the files decides on load numbers and on which duplicate is rejected.
    found.sort();
    Ok(found)
}

fn is_glob_part(part: &str) -> bool {
    part.contains(['*', '?', '[', '{'])
}

/// Hands every file below `folder` to `visit`; folders that cannot be read hold no file that could be.
fn walk_files(folder: &Path, deep: bool, depth: usize, visit: &mut dyn FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_file() {
            visit(&path);
        // Without `**`, no deeper than the pattern has slashes: a project may lie in a large folder.
        } else if path.is_dir() && (deep || depth > 0) {
            walk_files(&path, deep, depth.saturating_sub(1), visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use landfall_core::schema::SourcePath;

    use super::resolve_sources;

    #[test]
    fn a_glob_gives_its_files_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.csv", "a.csv", "c.txt"] {
            fs::write(folder.path().join(name), "1").expect("a file");
        }
        let found = resolve_sources(&SourcePath("*.csv".into()), folder.path(), folder.path()).expect("sources");
        assert_eq!(found.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a.csv", "b.csv"]);
    }

    #[test]
    fn what_does_not_exist_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        for (spec, words) in [("none.csv", "none.csv"), ("*.csv", "no file matches"), (".", "it is a folder")] {
            let error =
                resolve_sources(&SourcePath(spec.into()), folder.path(), folder.path()).expect_err(spec).to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
