//! What is said about a table, in words: each finding is a comment of the data package, and some are lines on the terminal.

use landfall_core::{
    reject::ErrorCode,
    schema::{Encoding, FieldType, HeaderRows, StringFormat, to_standard::encoding_label},
};

use super::{
    ProposedTable,
    choice::plural_name,
    column::ColumnSurvey,
    distinct::DistinctValues,
    findings::{Finding, FindingSubject, list_places},
    foreign::PossibleLink,
    header::FirstRecord,
    records::PlaceTally,
    relation::{NameRelation, names_key},
    table_head::HeaderOddity,
    yaml::{one_line_comment, write_scalar},
};
use crate::count_noun;

/// SQLite's limit on the columns of a table.
const MOST_COLUMNS: usize = 2000;
/// With fewer values than this, all of them may differ by accident.
const TELLING: u64 = 20;
/// The most lines about one table on the terminal.
const MOST_NOTES: usize = 16;

impl ProposedTable {
    /// The places of a tally: `line 5`, `lines 3, 9, 12 …`.
    fn list_places(&self, tally: &PlaceTally) -> String {
        list_places(&self.sources, tally)
    }

    /// Everything that is to be said about the table.
    pub(super) fn list_findings(&self, tables: &[Self]) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.describe_table().into_iter().map(|words| Finding::comment(FindingSubject::Table, words)).collect();
        findings.extend(self.describe_head());
        for at in 0..self.fields.len() {
            findings.extend(
                self.column_findings.iter().filter(|finding| finding.subject == FindingSubject::Field(at)).cloned(),
            );
            findings.extend(self.describe_field(at));
        }
        findings.extend(self.describe_key());
        findings.extend(self.describe_links(tables));
        findings
    }

    /// What was read, and what the schema makes of it.
    fn describe_table(&self) -> Vec<String> {
        let measured = &self.measured;
        let rejected = measured.records - measured.fine;
        let read = count_noun(measured.records, "record");
        let aside = if self.breaks_keys() { ", those of keys aside" } else { "" };
        let mut lines = vec![match rejected {
            0 => format!("{read}: all pass the rules below{aside}."),
            _ => format!("{} of {read} pass the rules below{aside}; {rejected} would be rejected.", measured.fine),
        }];
        if measured.records == 0 {
            lines[0] = "There are no records yet: the types are to be told.".into();
        }
        for (code, tally) in &measured.faults {
            lines.push(format!("{}: {} ({}).", code, describe_fault(*code, tally.count), self.list_places(tally)));
        }
        if self.fields.len() > MOST_COLUMNS {
            lines.push(format!("{} columns are more than SQLite holds ({MOST_COLUMNS}).", self.fields.len()));
        }
        lines
    }

    /// Whether records that are fine otherwise repeat a key or lack a parent.
    fn breaks_keys(&self) -> bool {
        let key = self.keys.single().and_then(|at| self.measured.fields[at].values.as_ref());
        let repeated = key.is_some_and(|values| values.repeated.count > 0);
        repeated || self.links.keys.iter().any(|link| link.orphans.count > 0)
    }

    /// What stands at the head of the files and between records, and is no record.
    fn describe_head(&self) -> Vec<Finding> {
        let notable = |words: String| Finding::notable(FindingSubject::Dialect, words);
        let mut findings = Vec::new();
        if let Encoding::SingleByte(_) | Encoding::MultiByte(_) = self.form.encoding {
            let name = encoding_label(self.form.encoding);
            let words = format!("not UTF-8; {name} is the most likely encoding: look at the accents");
            findings.push(Finding::notable(FindingSubject::Encoding, words));
        }
        if self.preamble.titles > 0 {
            let titles = count_noun(self.preamble.titles as u64, "line");
            findings.push(notable(format!("{titles} of titles before the table are not read")));
        }
        if let Some(row) = self.head.units_row {
            findings.push(notable(format!("line {row} has the units of the columns, and is not read")));
        }
        findings.extend(self.head.oddity.map(|oddity| notable(describe_oddity(oddity).into())));
        if self.repeated_headers.count > 0 {
            let (times, places) =
                (count_noun(self.repeated_headers.count, "time"), self.list_places(&self.repeated_headers));
            let words = format!("the header occurs {times} again ({places}), as a record: take it out of the file");
            let rows = &self.repeated_rows;
            let rows: Vec<u64> = self.form.dialect.comment_rows.iter().copied().filter(|_| !rows.is_empty()).collect();
            let finding = notable(words);
            findings.push(match rows.is_empty() {
                true => finding,
                false => finding.with_snippet(format!(
                    "commentRows: {rows:?} # passes over it, as long as the file stays as it is"
                )),
            });
        }
        if self.sum.count > 0 {
            let place = self.list_places(&self.sum);
            findings.push(notable(format!(
                "the last record ({place}) looks like a sum of the others: take it out of the file"
            )));
        }
        if matches!(self.head.first, FirstRecord::None { doubtful: true }) {
            findings.push(notable("look at the header, which is taken for data".into()));
        }
        findings
    }

    /// What is to be said about the encoding, behind it.
    pub(super) fn encoding_remark(&self) -> Option<String> {
        match (self.form.encoding, self.encoding_faults) {
            (Encoding::SingleByte(_) | Encoding::MultiByte(_), _) | (_, 0) => None,
            (_, faults) => {
                Some(format!("save for {}, whose records would be rejected", count_noun(faults, "malformed place")))
            }
        }
    }

    /// What is to be said about the header, behind it.
    pub(super) fn header_remark(&self) -> &'static str {
        match (&self.head.first, &self.form.dialect.header) {
            (FirstRecord::None { doubtful: true }, _) => {
                "the first line is taken for data; if it is a header, write true, and its labels as the names below"
            }
            (FirstRecord::None { .. }, _) => "the first line is data; the fields below are in the order of the columns",
            (FirstRecord::Unusable(_), _) => {
                "the first line is a header with labels that cannot be names (missing, twice, too long)"
            }
            (FirstRecord::Numbers, _) => "the first line only numbers the columns",
            (FirstRecord::Labels(_), HeaderRows::At(_) | HeaderRows::None) => {
                "the first line has the names of the fields"
            }
        }
    }

    /// What the rules make of the field at `at`.
    fn describe_field(&self, at: usize) -> Vec<Finding> {
        let (field, measured) = (&self.fields[at], &self.measured.fields[at]);
        let subject = FindingSubject::Field(at);
        let mut findings = Vec::new();
        if measured.wrong.count > 0 {
            let (name, places) = (field.kind.name(), self.list_places(&measured.wrong));
            let cells = match measured.wrong.count {
                1 => format!("1 value that is no {name}"),
                count => format!("{count} values that are no {}", plural_name(&field.kind)),
            };
            findings.push(Finding::comment(subject, format!("{cells} would be rejected ({places})")));
        }
        if measured.missing.count > 0 {
            let (cells, places) =
                (count_noun(measured.missing.count, "empty cell"), self.list_places(&measured.missing));
            let words = format!("{cells} would be rejected ({places}); write required: false if it may be empty");
            findings.push(Finding::comment(subject, words));
        }
        if self.keys.unique.contains(&at) && !self.keys.referred.contains(&at) && self.is_telling(at) {
            let words = "no value occurs twice: it may be a unique key (constraints: {unique: true})";
            findings.push(Finding::comment(subject, words));
        }
        findings
    }

    /// Whether values that all differ say anything: there are many, or the name says that they do.
    fn is_telling(&self, at: usize) -> bool {
        let many = self.columns[at].filled >= TELLING;
        let mail = matches!(self.fields[at].kind, FieldType::String(StringFormat::Email | StringFormat::Uuid));
        many || mail || names_key(&self.fields[at].name)
    }

    /// What is to be said about the primary key.
    fn describe_key(&self) -> Vec<Finding> {
        let notable = |words: String| vec![Finding::notable(FindingSubject::PrimaryKey, words)];
        let name = |at: usize| one_line_comment(&self.fields[at].name);
        if let Some(at) = self.keys.unknown {
            return notable(format!(
                "no primary key: {} has too many values to tell whether one occurs twice",
                name(at)
            ));
        }
        let refers = |at: usize| self.links.keys.iter().any(|link| link.field == at);
        if let (Some(at), true) = (self.keys.spoiled.filter(|&at| !refers(at)), self.keys.primary.is_empty()) {
            return notable(format!(
                "no primary key, though the name of {} suggests it: {}",
                name(at),
                self.describe_spoiled(at)
            ));
        }
        if !self.keys.possible.is_empty() {
            let names: Vec<String> = self.keys.possible.iter().map(|&at| name(at)).collect();
            let keys: Vec<String> = self.keys.possible.iter().map(|&at| write_scalar(&self.fields[at].name)).collect();
            let words = format!("perhaps the primary key, since no two records have the same {}", names.join(" and "));
            let snippet = format!("primaryKey: [{}]", keys.join(", "));
            return vec![Finding::notable(FindingSubject::PrimaryKey, words).with_snippet(snippet)];
        }
        let values = self.keys.single().and_then(|at| self.measured.fields[at].values.as_ref());
        let Some(repeated) = values.map(|values| &values.repeated).filter(|repeated| repeated.count > 0) else {
            return Vec::new();
        };
        let occur =
            if repeated.count == 1 { "1 value occurs".into() } else { format!("{} values occur", repeated.count) };
        let places = self.list_places(repeated);
        notable(format!("{occur} again ({places}): the same record again changes nothing, another one is rejected"))
    }

    /// Why a field with the name of a key is none.
    fn describe_spoiled(&self, at: usize) -> String {
        let ColumnSurvey { empty, .. } = &self.columns[at];
        let repeated = self.measured.fields[at].values.as_ref().map(|values| &values.repeated);
        let mut reasons = Vec::new();
        if let Some(tally) = repeated.filter(|tally| tally.count > 0) {
            reasons.push(format!("{} again ({})", count_noun(tally.count, "value"), self.list_places(tally)));
        }
        if empty.count > 0 {
            reasons.push(format!("{} ({})", count_noun(empty.count, "empty cell"), self.list_places(empty)));
        }
        reasons.join(", ")
    }

    /// What is to be said about foreign keys that are not declared.
    fn describe_links(&self, tables: &[Self]) -> Vec<Finding> {
        let name = |link: &PossibleLink| one_line_comment(&self.fields[link.field].name);
        let possible = self.links.possible.iter().map(|link| {
            let words = format!("perhaps a foreign key: {}: {}", name(link), self.describe_link(link, tables));
            Finding::notable(FindingSubject::ForeignKey, words).with_snippet(self.write_link(link, tables))
        });
        let contradicted = self.links.contradicted.iter().map(|link| {
            let words = self.describe_link(link, tables);
            let words = format!("not a foreign key, though the name of {} suggests it: {words}", name(link));
            Finding::notable(FindingSubject::ForeignKey, words)
        });
        let orphans = self.links.keys.iter().filter(|link| link.orphans.count > 0).map(|link| {
            // The words stand at the key itself, too.
            let words = format!("{}: {}", name(link), self.describe_link(link, tables));
            Finding { comment: false, ..Finding::notable(FindingSubject::ForeignKey, words) }
        });
        possible.chain(contradicted).chain(orphans).collect()
    }

    /// A foreign key as one line of YAML.
    fn write_link(&self, link: &PossibleLink, tables: &[Self]) -> String {
        let parent = &tables[link.parent];
        format!(
            "- {{fields: [{}], reference: {{resource: {}, fields: [{}]}}}}",
            write_scalar(&self.fields[link.field].name),
            write_scalar(&parent.name),
            write_scalar(&parent.fields[link.key].name)
        )
    }

    /// What is to be said about a foreign key.
    pub(super) fn describe_link(&self, link: &PossibleLink, tables: &[Self]) -> String {
        let parent = &tables[link.parent];
        let (values, orphans) = (link.values, link.orphans.count);
        let found = match orphans {
            0 => format!("all {}", count_noun(values, "value")),
            _ => format!("{} of {}", values - orphans, count_noun(values, "value")),
        };
        let table = one_line_comment(&parent.name);
        let mut words = match link.primary {
            true => format!("{found} are keys of {table}"),
            false => format!("{found} are values of {} in {table}", one_line_comment(&parent.fields[link.key].name)),
        };
        if link.relation == NameRelation::None {
            let keys = link.parent_keys(tables).map_or(0, DistinctValues::len);
            words += &format!(
                ", and {} of its {keys} keys occur; the values alone say so, not a name",
                link.covered_count()
            );
        }
        if orphans > 0 {
            words += &format!(
                "; the others would wait in the quarantine for their parent ({})",
                self.list_places(&link.orphans)
            );
        }
        words
    }
}

fn describe_oddity(oddity: HeaderOddity) -> &'static str {
    match oddity {
        HeaderOddity::RowNumbers => "the first column has no label: it numbers the records, as pandas writes them",
        HeaderOddity::RowNames => {
            "the header has no label for the first column: it names the records, as R writes them"
        }
        HeaderOddity::SurplusLabel => "the header has one delimiter too many: its empty label is passed over",
        HeaderOddity::GluedLabel => "the header lacks a delimiter between two labels: they are taken apart",
        HeaderOddity::TrailingDelimiter => "every record ends with a delimiter: the last column is always empty",
    }
}

fn describe_fault(code: ErrorCode, count: u64) -> String {
    let records = count_noun(count, "record");
    match code {
        ErrorCode::MissingCell => format!("{records} with too few cells"),
        ErrorCode::ExtraCell => format!("{records} with too many cells"),
        ErrorCode::BlankRow => format!("{records} without any value"),
        ErrorCode::SourceError => format!("{records} with a quote that is not closed, or text after a closing one"),
        ErrorCode::EncodingError => format!("{records} with bytes that are no text"),
        ErrorCode::RecordTooLong => format!("{records} longer than a load accepts"),
        _ => records,
    }
}

/// What a person should know about a table at once.
pub(super) fn list_notes(table: &ProposedTable, findings: &[Finding]) -> Vec<String> {
    let measured = &table.measured;
    let rejected = measured.records - measured.fine;
    let from = table.paths.join(", ");
    let mut words =
        format!("{}: {} in {}", table.name, count_noun(measured.records, "record"), one_line_comment(&from));
    if rejected > 0 {
        words += &format!(", of which {rejected} would be rejected");
    }
    let mut notes = vec![words];
    let notable: Vec<&Finding> = findings.iter().filter(|finding| finding.notable).collect();
    for finding in notable.iter().take(MOST_NOTES) {
        notes.push(match finding.subject {
            FindingSubject::Field(at) => {
                format!("{}.{}: {}", table.name, one_line_comment(&table.fields[at].name), finding.words)
            }
            _ => format!("{}: {}", table.name, finding.words),
        });
    }
    if notable.len() > MOST_NOTES {
        notes.push(format!("{}: {} more, as comments in the data package", table.name, notable.len() - MOST_NOTES));
    }
    notes
}
