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
    choice::{TypeChoice, choose_type},
    foreign::TableLinks,
    group::FileGroup,
    header::FirstRecord,
    key::KeyCandidates,
    measure::{DataMeasures, measure_data},
    records::SniffedForm,
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
struct ProposedTable {
    name: String,
    /// How the data package names its files.
    paths: Vec<String>,
    sources: Vec<Source>,
    form: SniffedForm,
    header: FirstRecord,
    fields: Vec<Field>,
    /// What is to be said about each field.
    remarks: Vec<Vec<String>>,
    measured: DataMeasures,
    keys: KeyCandidates,
    links: TableLinks,
    /// Places that are not valid in the encoding.
    encoding_faults: u64,
}

/// Proposes a project for the CSV files in `folder` and in its `data` folder.
///
/// # Errors
/// A folder that cannot be read, or that has no file to make a table of; the message says what was left out and why.
pub fn propose_project(folder: &Path) -> Result<Proposal> {
    let mut notes = Vec::new();
    let mut tables = Vec::new();
    let mut distinct = names::DistinctNames::default();
    for group in find_groups(folder, &mut notes)? {
        let name = distinct.take_name(&names::table_name(&group.stem));
        tables.push(propose_table(group, name)?);
    }
    if tables.is_empty() {
        return Err(no_files_error(folder, &notes));
    }
    for child in 0..tables.len() {
        tables[child].links = foreign::find(&tables, child)?;
    }
    notes.extend(tables.iter().flat_map(describe::list_notes));
    let package_yaml = write::write_package(folder, &tables);
    Package::from_yaml(&package_yaml, PACKAGE_FILE)?;
    Ok(Proposal { package_yaml, landfall_yaml: write::write_project(&tables), notes })
}

fn no_files_error(folder: &Path, notes: &[String]) -> Error {
    let looked = "files that end in .csv, .tsv or .txt (also .gz or .zst), in it or in its folder data";
    let reasons: String = notes.iter().map(|note| format!("; {note}")).collect();
    Error::Usage(format!("{} has no table: init looks for {looked}{reasons}", folder.display()))
}

/// The tables' files, without those that cannot be read.
fn find_groups(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<FileGroup>> {
    let mut files = Vec::new();
    for file in folder::find_candidates(folder, notes)? {
        match group::sniff_file(file, notes) {
            Ok(sniffed) => files.extend(sniffed),
            Err(error) => notes.push(format!("left out: {error}")),
        }
    }
    Ok(group::group_files(files))
}

fn propose_table(group: FileGroup, name: String) -> Result<ProposedTable> {
    let FileGroup { paths, sources, first, faults, .. } = group;
    let survey = survey::survey_columns(&sources, &first.form, &first.sample, first.width)?;
    let choices: Vec<TypeChoice> = (0..first.width).map(|at| choose_type(&survey, at)).collect();
    let fields: Vec<Field> = first
        .header
        .field_names(first.width)
        .iter()
        .zip(&choices)
        .map(|(name, choice)| candidate::candidate_field(name, &choice.kind, choice.required))
        .collect();
    let measured = measure_data(&sources, &first.form, &fields, &key::find_likely_keys(&name, &fields))?;
    let keys = key::find(&name, &fields, &survey.columns, &measured);
    Ok(ProposedTable {
        name,
        paths,
        sources,
        form: first.form,
        header: first.header,
        fields,
        remarks: choices.into_iter().map(|choice| choice.remarks).collect(),
        measured,
        keys,
        links: TableLinks::default(),
        encoding_faults: faults,
    })
}
