//! From a folder of CSV files to a project: a data package and a `landfall.yaml`, commented, ready to run.
//!
//! Nothing is guessed from a sample that all of the data could contradict: every file is read to its end, and a type is
//! proposed only where the validator itself reads every value; or nearly every one, where the others are so few (2 in 100,
//! and at least 50 good ones) that they are likely to be mistakes. Then a comment tells how many records would be rejected.
//!
//! ```text
//! folder ─▶ encoding, dialect, header ─▶ group ─▶ survey (types) ─▶ measure (keys) ─▶ foreign keys ─▶ YAML
//! ```
//!
//! Files are read as streams, once for each step. Memory is bounded: see `distinct`.

mod candidate;
mod choice;
mod describe;
mod dialect;
mod distinct;
mod encoding;
mod folder;
mod foreign;
mod group;
mod header;
mod key;
mod measure;
mod names;
mod records;
mod sample;
mod survey;
#[cfg(test)]
mod tests;
mod write;
mod yaml;

use std::path::Path;

use landfall_core::schema::{Field, Package};

use self::{
    choice::{Choice, choose},
    foreign::Links,
    group::Group,
    header::Header,
    key::Keys,
    measure::{Measured, measure},
    records::Form,
};
use crate::{
    error::{Error, Result},
    source::Source,
};

/// The name under which the data package is to be written.
pub const PACKAGE_FILE: &str = "datapackage.yaml";

/// A project, proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The data package, to be written as [`PACKAGE_FILE`].
    pub package_yaml: String,
    /// How the project runs, to be written as `landfall.yaml`.
    pub landfall_yaml: String,
    /// What a person should know: files left out, tables found, what would be rejected.
    pub notes: Vec<String>,
}

/// A table, as far as it is known.
#[derive(Debug)]
struct Table {
    name: String,
    /// How the data package names its files.
    paths: Vec<String>,
    sources: Vec<Source>,
    form: Form,
    header: Header,
    fields: Vec<Field>,
    /// What is to be said about each field.
    remarks: Vec<Vec<String>>,
    measured: Measured,
    keys: Keys,
    links: Links,
    /// Places that are not valid in the encoding.
    encoding_faults: u64,
}

/// Proposes a project for the CSV files in `folder` and in its `data` folder.
///
/// # Errors
/// A folder that cannot be read, or that has no file to make a table of; the message says what was left out and why.
pub fn propose(folder: &Path) -> Result<Proposal> {
    let mut notes = Vec::new();
    let mut tables = Vec::new();
    let mut distinct = names::Distinct::default();
    for group in groups(folder, &mut notes)? {
        let name = distinct.take(&names::table_name(&group.stem));
        tables.push(table(group, name)?);
    }
    if tables.is_empty() {
        return Err(nothing(folder, &notes));
    }
    for child in 0..tables.len() {
        tables[child].links = foreign::find(&tables, child)?;
    }
    notes.extend(tables.iter().flat_map(describe::notes));
    let package_yaml = write::package(folder, &tables);
    Package::from_yaml(&package_yaml, PACKAGE_FILE)?;
    Ok(Proposal { package_yaml, landfall_yaml: write::project(&tables), notes })
}

fn nothing(folder: &Path, notes: &[String]) -> Error {
    let looked = "files that end in .csv, .tsv or .txt (also .gz or .zst), in it or in its folder data";
    let reasons: String = notes.iter().map(|note| format!("; {note}")).collect();
    Error::Usage(format!("{} has no table: init looks for {looked}{reasons}", folder.display()))
}

/// The tables' files, without those that cannot be read.
fn groups(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<Group>> {
    let mut files = Vec::new();
    for file in folder::candidates(folder, notes)? {
        match group::sniff(file, notes) {
            Ok(sniffed) => files.extend(sniffed),
            Err(error) => notes.push(format!("left out: {error}")),
        }
    }
    Ok(group::group(files))
}

fn table(group: Group, name: String) -> Result<Table> {
    let Group { paths, sources, first, faults, .. } = group;
    let survey = survey::survey(&sources, &first.form, &first.sample, first.width)?;
    let choices: Vec<Choice> = (0..first.width).map(|at| choose(&survey, at)).collect();
    let fields: Vec<Field> = first
        .header
        .names(first.width)
        .iter()
        .zip(&choices)
        .map(|(name, choice)| candidate::field(name, &choice.kind, choice.required))
        .collect();
    let measured = measure(&sources, &first.form, &fields, &key::likely(&name, &fields))?;
    let keys = key::find(&name, &fields, &survey.columns, &measured);
    Ok(Table {
        name,
        paths,
        sources,
        form: first.form,
        header: first.header,
        fields,
        remarks: choices.into_iter().map(|choice| choice.remarks).collect(),
        measured,
        keys,
        links: Links::default(),
        encoding_faults: faults,
    })
}
