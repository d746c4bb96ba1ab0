//! From a folder of CSV files to a project: a data package and a `landfall.yaml`, commented, ready to run.
//!
//! Nothing is guessed from a sample that all of the data could contradict: every file is read to its end, and a type is
//! proposed only where the validator itself reads every value; or nearly every one, where the others are so few (2 in 100,
//! and at least 50 good ones) that they are likely to be mistakes. Then a comment tells how many records would be rejected.
//!
//! ```text
//! folder ─▶ encoding, dialect, header ─▶ group ─▶ survey (types) ─▶ measure (keys) ─▶ foreign keys ─▶ keys of several fields
//!                                                                                            └─▶ findings ─▶ YAML, terminal
//! ```
//!
//! What is seen and cannot be declared is a finding: a comment of the data package, and a line on the terminal where a person should look.
//!
//! Files are read as streams, once for each step. Memory is bounded: see `distinct`.

mod broken_header;
mod candidate;
mod choice;
mod column;
mod composite;
mod describe;
mod dialect;
mod distinct;
mod encoding;
mod evidence;
mod explain;
mod findings;
mod folder;
mod foreign;
mod group;
mod header;
mod key;
mod kind;
mod measure;
mod names;
mod preamble;
mod records;
mod relation;
mod relation_words;
mod sample;
mod second_look;
mod survey;
mod table_head;
#[cfg(test)]
mod tests;
mod words;
mod write;
mod yaml;

use std::path::Path;

use landfall_core::schema::{Field, HeaderRows, Package};

use self::{
    choice::{ChoiceContext, TypeChoice, choose_type, find_decimal_mark},
    column::ColumnSurvey,
    findings::Finding,
    folder::FileCandidate,
    foreign::TableLinks,
    group::{FileGroup, SniffedFile},
    key::KeyCandidates,
    measure::{DataMeasures, measure_data},
    preamble::Preamble,
    records::{FileReading, PlaceTally, SniffedForm},
    relation::names_key_of,
    survey::{SurveyedFiles, TableSurvey, survey_columns},
    table_head::TableHead,
};
use crate::{
    error::{Error, Result},
    pipeline::Observer,
    source::Source,
};

/// The most records that are the header again and are left out one by one.
const MOST_REPEATED_HEADERS: usize = 100;

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
    head: TableHead,
    preamble: Preamble,
    fields: Vec<Field>,
    /// What was seen in each column, and what is to be said about it.
    columns: Vec<ColumnSurvey>,
    column_findings: Vec<Finding>,
    /// Records that are the header again, and their numbers, where they are few and in a single file.
    repeated_headers: PlaceTally,
    repeated_rows: Vec<u64>,
    /// The last record, where it looks like a sum.
    sum: PlaceTally,
    measured: DataMeasures,
    keys: KeyCandidates,
    links: TableLinks,
    /// Places that are not valid in the encoding.
    encoding_faults: u64,
}

/// Proposes a project for the CSV files in `folder` and in its `data` folder; `observer` is told how far it has come.
///
/// # Errors
/// A folder that cannot be read, or that has no file to make a table of; the message says what was left out and why.
pub fn propose_project(folder: &Path, observer: &dyn Observer) -> Result<Proposal> {
    let mut notes = Vec::new();
    let mut files = Vec::new();
    for file in folder::find_candidates(folder, &mut notes)? {
        match group::sniff_file(file, &mut notes) {
            Ok(sniffed) => files.extend(sniffed),
            Err(error) => notes.push(format!("left out: {error}")),
        }
    }
    if files.is_empty() {
        return Err(no_files_error(folder, &notes));
    }
    propose_for_files(folder, files, notes, observer)
}

/// Proposes a project in `folder` for the file at `path` alone, which lies in the folder or below it.
///
/// # Errors
/// A file that cannot be read, or that is no table; the message says what it is.
pub fn propose_for_file(folder: &Path, path: &Path, observer: &dyn Observer) -> Result<Proposal> {
    let mut notes = Vec::new();
    let file = group::sniff_file(FileCandidate::from_named_file(folder, path)?, &mut notes)?;
    let none = || Error::Usage(format!("no table: {}", notes.join("; ")));
    let file = file.ok_or_else(none)?;
    propose_for_files(folder, vec![file], Vec::new(), observer)
}

/// The delimiter that the beginning of `source` seems to have, if it is a table of several columns.
///
/// # Errors
/// A source that cannot be read.
pub fn guess_delimiter(source: &Source) -> Result<Option<String>> {
    let fit = dialect::find(&encoding::examine_beginning(source)?);
    Ok(fit.is_table().then(|| fit.dialect.delimiter.as_str().to_owned()))
}

fn propose_for_files(
    folder: &Path,
    files: Vec<SniffedFile>,
    mut notes: Vec<String>,
    observer: &dyn Observer,
) -> Result<Proposal> {
    let mut tables = Vec::new();
    let mut distinct = names::DistinctNames::default();
    for group in group::group_files(files) {
        let name = distinct.take_name(&names::table_name(&group.stem));
        tables.push(propose_table(group, name, observer)?);
    }
    find_links_and_keys(&mut tables, observer)?;
    let findings: Vec<Vec<Finding>> = tables.iter().map(|table| table.list_findings(&tables)).collect();
    for (table, findings) in tables.iter().zip(&findings) {
        notes.extend(describe::list_notes(table, findings));
    }
    let package_yaml = write::write_package(folder, &tables, &findings);
    Package::from_yaml(&package_yaml, PACKAGE_FILE)?;
    Ok(Proposal { package_yaml, landfall_yaml: write::write_project(&tables), notes })
}

/// Finds what needs all tables: foreign keys, and then the keys of several fields, which are often foreign keys.
fn find_links_and_keys(tables: &mut [ProposedTable], observer: &dyn Observer) -> Result<()> {
    for child in 0..tables.len() {
        let purpose = format!("{} (foreign keys)", tables[child].name);
        tables[child].links = foreign::find_links(tables, child, FileReading { observer, purpose: &purpose })?;
    }
    foreign::declare_parent_keys(tables);
    for table in tables.iter_mut().filter(|table| table.keys.primary.is_empty()) {
        let purpose = format!("{} (keys)", table.name);
        match composite::find_composite_key(table, FileReading { observer, purpose: &purpose })? {
            Some(key) if key.sure => table.keys.primary = key.fields,
            Some(key) => table.keys.possible = key.fields,
            None => {}
        }
    }
    Ok(())
}

fn no_files_error(folder: &Path, notes: &[String]) -> Error {
    let looked = "files that end in .csv, .tsv or .txt (also .gz or .zst), in it or in its folder data";
    let reasons: String = notes.iter().map(|note| format!("; {note}")).collect();
    Error::Usage(format!("{} has no table: init looks for {looked}{reasons}", folder.display()))
}

fn propose_table(group: FileGroup, name: String, observer: &dyn Observer) -> Result<ProposedTable> {
    let FileGroup { paths, sources, mut first, faults, .. } = group;
    let purpose = format!("{name} (types)");
    let reading = FileReading { observer, purpose: &purpose };
    let SurveyedTable { survey, repeated_headers, repeated_rows } = survey_table(&sources, &mut first, reading)?;
    let names = first.head.first.field_names(first.width);
    let choices = choose_types(&survey, &names, &name, &first, &sources);
    let field = |(name, choice): (&String, &TypeChoice)| {
        let field = candidate::candidate_field(name, &choice.kind, choice.required);
        let words = choice.missing.iter().cloned();
        Field { missing_values: field.missing_values.into_iter().chain(words).collect(), ..field }
    };
    let fields: Vec<Field> = names.iter().zip(&choices).map(field).collect();
    let purpose = format!("{name} (values)");
    let reading = FileReading { observer, purpose: &purpose };
    let measured = measure_data(&sources, &first.form, &fields, &key::find_likely_keys(&name, &fields), reading)?;
    let keys = key::find_keys(&name, &fields, &survey.columns, &measured, first.head.numbers_rows());
    Ok(ProposedTable {
        name,
        paths,
        sources,
        form: first.form,
        preamble: first.sample.preamble,
        head: first.head,
        fields,
        column_findings: choices.into_iter().flat_map(|choice| choice.findings).collect(),
        columns: survey.columns,
        repeated_headers,
        repeated_rows,
        sum: survey.sum,
        measured,
        keys,
        links: TableLinks::default(),
        encoding_faults: faults,
    })
}

/// The types of all columns.
fn choose_types(
    survey: &TableSurvey,
    names: &[String],
    table: &str,
    file: &SniffedFile,
    sources: &[Source],
) -> Vec<TypeChoice> {
    let mark = find_decimal_mark(survey, &file.form.dialect.delimiter);
    let named = file.head.first.has_names();
    let choose = |(at, name): (usize, &String)| {
        let context = ChoiceContext { sources, mark, key: named && names_key_of(name, table) };
        choose_type(survey, at, &context)
    };
    names.iter().enumerate().map(choose).collect()
}

/// What a survey found, and the numbers of the records that are the header again.
struct SurveyedTable {
    survey: TableSurvey,
    repeated_headers: PlaceTally,
    repeated_rows: Vec<u64>,
}

/// Surveys the columns of a table. Records of a single file that are the header again are left out of what follows. They are not left out of
/// a load: when the file has grown, other records may stand there.
fn survey_table(sources: &[Source], file: &mut SniffedFile, reading: FileReading<'_>) -> Result<SurveyedTable> {
    let survey = |file: &SniffedFile| {
        let (form, sample, width) = (&file.form, &file.sample, file.width);
        survey_columns(&SurveyedFiles { sources, form, sample, labels: &file.head.labels, width, reading })
    };
    let survey_once = survey(file)?;
    let repeated_headers = survey_once.repeated_headers.clone();
    let mut found = SurveyedTable { survey: survey_once, repeated_headers, repeated_rows: Vec::new() };
    let ([source], true) = (sources, found.repeated_headers.count > 0) else { return Ok(found) };
    let dialect = &file.form.dialect;
    let is_head = |row: &u64| {
        let header = matches!(&dialect.header, HeaderRows::At(rows) if rows.contains(row));
        header || dialect.comment_rows.contains(row)
    };
    let rows = reading.find_header_rows(source, &file.form, &file.head.labels)?;
    let rows: Vec<u64> = rows.into_iter().filter(|row| !is_head(row)).collect();
    if rows.len() <= MOST_REPEATED_HEADERS {
        let comments = &mut file.form.dialect.comment_rows;
        comments.extend(&rows);
        comments.sort_unstable();
        found = SurveyedTable { survey: survey(file)?, repeated_rows: rows, ..found }
    }
    Ok(found)
}
