//! Files that are parts of one table: the same name but for a number or date at its end, and the same columns.

use landfall_core::schema::Encoding;

use super::{
    dialect::{self, DialectFit},
    encoding::{ExaminedFile, examine_file},
    folder::{FileCandidate, as_relative_path},
    kind::name_other_format,
    names,
    records::SniffedForm,
    sample::RecordSample,
    table_head::TableHead,
};
use crate::{error::Result, source::Source};

/// A file, and how it is written.
#[derive(Debug)]
pub(super) struct SniffedFile {
    pub(super) file: FileCandidate,
    pub(super) form: SniffedForm,
    pub(super) head: TableHead,
    pub(super) width: usize,
    pub(super) sample: RecordSample,
    ascii: bool,
    /// Places that are not valid in the encoding.
    pub(super) faults: u64,
}

/// The files of one table.
#[derive(Debug)]
pub(super) struct FileGroup {
    /// A name for it, not yet fit for a database.
    pub(super) stem: String,
    /// How a data package names the files.
    pub(super) paths: Vec<String>,
    /// The files themselves.
    pub(super) sources: Vec<Source>,
    /// The first file's sample, header and form stand for all.
    pub(super) first: SniffedFile,
    /// Places that are not valid in the encoding.
    pub(super) faults: u64,
}

/// Finds out how `file` is written; none, with a note, where it is no table.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn sniff_file(file: FileCandidate, notes: &mut Vec<String>) -> Result<Option<SniffedFile>> {
    let examined = examine_file(&file.source)?;
    let fit = dialect::find(&examined);
    if let Some(reason) = no_table_reason(&file, &examined, &fit) {
        notes.push(format!("{} is left out: {reason}", file.descriptor_path()));
        return Ok(None);
    }
    let head = TableHead::find(&fit);
    let mut dialect = fit.dialect;
    head.set(&mut dialect, fit.sample.numbers.first().copied().unwrap_or(1));
    let form = SniffedForm { dialect, encoding: examined.encoding };
    let (width, sample) = (fit.width.max(1), fit.sample);
    Ok(Some(SniffedFile { file, form, head, width, sample, ascii: examined.ascii, faults: examined.faults }))
}

/// Why a file is no table, if it is none.
fn no_table_reason(file: &FileCandidate, examined: &ExaminedFile, fit: &DialectFit) -> Option<&'static str> {
    if examined.prefix.is_empty() {
        return Some("it has no records: it is empty");
    }
    if let Some(format) = name_other_format(&examined.prefix) {
        return Some(format);
    }
    match (fit.sample.records.is_empty() && !examined.cut, fit.sample.faults) {
        (true, 0) => Some("it has no records: its lines are blank"),
        (true, _) => {
            Some("none of its lines can be read: quotes are not closed, or its characters are in another encoding")
        }
        (false, _) if file.is_any_text() && !fit.is_table() => Some("its lines do not have the same number of columns"),
        (false, _) => None,
    }
}

/// Puts the parts of tables together, in the order of the files.
pub(super) fn group_files(files: Vec<SniffedFile>) -> Vec<FileGroup> {
    let every: Vec<(String, String)> =
        files.iter().map(|sniffed| (sniffed.file.folder.to_owned(), file_title(&sniffed.file))).collect();
    let mut groups: Vec<Vec<SniffedFile>> = Vec::new();
    for file in files {
        match groups.iter_mut().find(|group| group.iter().all(|other| are_parts_of_one(other, &file))) {
            Some(group) => group.push(file),
            None => groups.push(vec![file]),
        }
    }
    groups.into_iter().filter_map(|group| try_group(group, &every)).collect()
}

fn file_title(file: &FileCandidate) -> String {
    format!("{}{}", file.stem, file.ending)
}

/// `stem` without the number or date at its end; none where it has none.
fn base_name(stem: &str) -> Option<&str> {
    let counting = |character: char| character.is_ascii_digit() || matches!(character, '-' | '_' | '.' | ' ');
    let base = stem.trim_end_matches(counting);
    stem[base.len()..].contains(|character: char| character.is_ascii_digit()).then_some(base)
}

fn are_parts_of_one(one: &SniffedFile, other: &SniffedFile) -> bool {
    let bases = (base_name(&one.file.stem), base_name(&other.file.stem));
    let same_base = bases.0.is_some() && bases.0 == bases.1;
    let encodings = one.ascii || other.ascii || one.form.encoding == other.form.encoding;
    let (first, second) = (&one.head.first, &other.head.first);
    let columns =
        one.width == other.width && first.has_names() == second.has_names() && (!first.has_names() || first == second);
    same_base && one.file.folder == other.file.folder && encodings && columns && one.form.dialect == other.form.dialect
}

fn try_group(mut files: Vec<SniffedFile>, every: &[(String, String)]) -> Option<FileGroup> {
    let paths = common_glob(&files, every)
        .map_or_else(|| files.iter().map(|file| file.file.descriptor_path()).collect(), |glob| vec![glob]);
    let encoding = files.iter().find(|file| !file.ascii).map_or(Encoding::Utf8, |file| file.form.encoding);
    let sources = files.iter().map(|file| file.file.source.clone()).collect();
    let faults = files.iter().map(|file| file.faults).sum();
    let parts = files.len();
    let fullest = (0..parts).max_by_key(|&at| (files[at].sample.records.len(), parts - at))?;
    let mut first = files.swap_remove(fullest);
    first.form.encoding = encoding;
    let stem = if parts > 1 { base_name(&first.file.stem).unwrap_or_default() } else { &first.file.stem };
    let stem = if names::to_snake_case(stem).is_empty() && parts > 1 { "data" } else { stem };
    Some(FileGroup { stem: stem.to_owned(), paths, sources, first, faults })
}

/// A pattern for the files, where it matches no other file of their folder.
fn common_glob(files: &[SniffedFile], every: &[(String, String)]) -> Option<String> {
    let (first, rest) = files.split_first()?;
    let (folder, ending) = (&first.file.folder, first.file.ending.as_str());
    let base = base_name(&first.file.stem)?;
    let special = |character: char| "*?[]{}!\\".contains(character);
    if rest.is_empty() || base.contains(special) || rest.iter().any(|file| file.file.ending != ending) {
        return None;
    }
    let start = first.file.stem.get(base.len()..)?.chars().next().filter(|character| !character.is_ascii_digit());
    let start = start.filter(|&between| rest.iter().all(|file| file.file.stem[base.len()..].starts_with(between)));
    let start = format!("{base}{}", start.map(String::from).unwrap_or_default());
    let matched = every.iter().filter(|(place, name)| {
        place == folder
            && name.len() >= start.len() + ending.len()
            && name.starts_with(&start)
            && name.ends_with(ending)
    });
    (matched.count() == files.len()).then(|| as_relative_path(format!("{folder}{start}*{ending}")))
}

#[cfg(test)]
mod tests {
    use super::base_name;

    #[test]
    fn the_base_of_a_part_is_what_comes_before_its_number() {
        assert_eq!(base_name("sales_2021-01"), Some("sales"));
        assert_eq!(base_name("sales2021"), Some("sales"));
        assert_eq!(base_name("part-00001"), Some("part"));
        assert_eq!(base_name("2021"), Some(""));
        assert_eq!(base_name("sales"), None);
        assert_eq!(base_name("sales_"), None);
    }
}
