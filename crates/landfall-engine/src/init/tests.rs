//! Whole folders, proposed, and held against what they hold.

mod foreign;
mod found;
mod hr;
mod odd;
mod properties;

use std::{fs, path::Path};

use landfall_core::schema::{Package, Resource};
use tempfile::TempDir;

use super::{Proposal, propose_project};
use crate::{
    Project,
    pipeline::{LoadOptions, LoadOutcome, SilentObserver, load_tables},
    targets::{Location, TargetAccess, open},
};

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

fn proposal(folder: &Path) -> (Proposal, Package) {
    let proposal = propose_project(folder, &SilentObserver).expect("a proposal");
    let package = Package::from_yaml(&proposal.package_yaml, "datapackage.yaml").expect("a sound package");
    (proposal, package)
}

/// The proposal for one file called `t.csv`.
fn table(text: &str) -> (String, Resource) {
    let folder = folder(&[("t.csv", text.as_bytes())]);
    let (proposal, mut package) = proposal(folder.path());
    (proposal.package_yaml, package.resources.remove(0))
}

/// Loads all tables of `package` into a new database in `folder`.
fn loaded(folder: &Path, package: &Package) -> Vec<LoadOutcome> {
    let project = Project { folder: folder.to_owned(), package: package.clone() };
    let location = Location::parse("sqlite:landfall.db", folder).expect("a location");
    let mut target = open(&location, TargetAccess::Write).expect("a target");
    load_tables(&mut *target, &project, &[], &LoadOptions::default(), &SilentObserver).expect("a load")
}

/// The types of a resource's fields with their names: `id integer, name string`.
fn types(resource: &Resource) -> String {
    let types: Vec<String> =
        resource.schema.fields.iter().map(|field| format!("{} {}", field.name, field.kind.name())).collect();
    types.join(", ")
}
