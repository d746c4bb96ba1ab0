//! Finding and reading the data package.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use landfall_core::schema::Package;

use super::{file_label, read_error};

/// The names under which a data package is found.
pub(crate) const PACKAGE_FILES: [&str; 3] = ["datapackage.yaml", "datapackage.yml", "datapackage.json"];

/// The data package of `folder`.
pub(super) fn find(folder: &Path) -> Option<PathBuf> {
    PACKAGE_FILES.iter().map(|name| folder.join(name)).find(|path| path.exists())
}

/// Reads the data package at `path`, with the files that it refers to.
pub(super) fn read(path: &Path) -> Result<Package> {
    let text = std::fs::read_to_string(path).map_err(|error| read_error(path, &error))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let load = move |name: &str| -> io::Result<String> { std::fs::read_to_string(folder.join(name)) };
    let file = file_label(path);
    let json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let package =
        if json { Package::from_json_with(&text, &file, &load) } else { Package::from_yaml_with(&text, &file, &load) };
    Ok(package.map_err(landfall_engine::Error::from)?)
}
