//! What is said about the data, in words: comments of the data package, and notes.

use landfall_core::{
    reject::ErrorCode,
    schema::{Encoding, HeaderRows},
};

use super::{
    ProposedTable,
    choice::plural_name,
    distinct::DistinctValues,
    foreign::{PossibleLink, parent_keys},
    header::FirstRecord,
    records::{PlaceTally, RecordPlace},
    yaml::one_line_comment,
};

/// SQLite's limit on the columns of a table.
const MOST_COLUMNS: usize = 2000;

/// `1 record`, `2 records`.
pub(super) fn count_noun(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

impl ProposedTable {
    /// The places of a tally: `line 5`, `lines 3, 9, 12 …`.
    fn list_places(&self, tally: &PlaceTally) -> String {
        let more = if tally.count > tally.places.len() as u64 { ", …" } else { "" };
        let several = self.sources.len() > 1;
        let one = |place: &RecordPlace| match several {
            true => format!("{}:{}", one_line_comment(&self.sources[place.file].name), place.line),
            false => place.line.to_string(),
        };
        let places: Vec<String> = tally.places.iter().map(one).collect();
        let noun = match (several, tally.count) {
            (true, _) => "",
            (false, 1) => "line ",
            (false, _) => "lines ",
        };
        format!("{noun}{}{more}", places.join(", "))
    }

    /// What was read, and what the schema makes of it.
    pub(super) fn describe_table(&self) -> Vec<String> {
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
        let key = self.keys.primary.and_then(|at| self.measured.fields[at].values.as_ref());
        let repeated = key.is_some_and(|values| values.repeated.count > 0);
        repeated || self.links.keys.iter().any(|link| link.orphans.count > 0)
    }

    /// What is to be said about the encoding.
    pub(super) fn encoding_remark(&self) -> Option<String> {
        match (self.form.encoding, self.encoding_faults) {
            (Encoding::SingleByte(_), _) => {
                Some("not UTF-8; this is the most likely other encoding: look at the accents".into())
            }
            (_, 0) => None,
            (_, faults) => {
                Some(format!("save for {}, whose records would be rejected", count_noun(faults, "malformed place")))
            }
        }
    }

    /// What is to be said about the header.
    pub(super) fn header_remark(&self) -> &'static str {
        match (&self.header, &self.form.dialect.header) {
            (FirstRecord::None { doubtful: true }, _) => {
                "the first line is taken for data; if it is a header, write true, and its labels as the names below"
            }
            (FirstRecord::None { .. }, _) => "the first line is data; the fields below are in the order of the columns",
            (FirstRecord::Unusable(_), _) => {
                "the first line is a header with labels that cannot be names (missing, twice, too long): it is passed over"
            }
            (FirstRecord::Labels(_), HeaderRows::At(_) | HeaderRows::None) => {
                "the first line has the names of the fields"
            }
        }
    }

    /// What is to be said about the field at `at`.
    pub(super) fn field_remarks(&self, at: usize) -> Vec<String> {
        let (field, measured) = (&self.fields[at], &self.measured.fields[at]);
        let mut remarks = self.remarks[at].clone();
        if measured.wrong.count > 0 {
            let (name, places) = (field.kind.name(), self.list_places(&measured.wrong));
            let cells = match measured.wrong.count {
                1 => format!("1 value that is no {name}"),
                count => format!("{count} values that are no {}", plural_name(&field.kind)),
            };
            remarks.push(format!("{cells} would be rejected ({places})"));
        }
        if measured.missing.count > 0 {
            let (cells, places) =
                (count_noun(measured.missing.count, "empty cell"), self.list_places(&measured.missing));
            remarks.push(format!("{cells} would be rejected ({places}); write required: false if it may be empty"));
        }
        if self.keys.unique.contains(&at) {
            remarks.push("no value occurs twice: it may be a unique key (constraints: {unique: true})".into());
        }
        remarks
    }

    /// What is to be said about the primary key.
    pub(super) fn describe_key(&self) -> Option<String> {
        if let Some(at) = self.keys.unknown {
            let name = one_line_comment(&self.fields[at].name);
            return Some(format!("No primary key: {name} has too many values to tell whether one occurs twice."));
        }
        let at = self.keys.primary?;
        let repeated = &self.measured.fields[at].values.as_ref()?.repeated;
        (repeated.count > 0).then(|| {
            let (values, places) = (count_noun(repeated.count, "value"), self.list_places(repeated));
            format!("{values} occur again ({places}): the same record again changes nothing, another one is rejected.")
        })
    }

    /// What is to be said about a foreign key.
    pub(super) fn describe_link(&self, link: &PossibleLink, tables: &[Self]) -> String {
        let parent = &tables[link.parent];
        let (values, orphans) = (link.values, link.orphans.count);
        let found = if orphans == 0 {
            format!("all {values} values")
        } else {
            format!("{} of {values} values", values - orphans)
        };
        let mut words = format!("{found} are keys of {}", one_line_comment(&parent.name));
        if !link.named {
            let keys = parent_keys(parent).map_or(0, DistinctValues::len);
            words += &format!(
                ", and {} of its {keys} keys occur; the values alone say so, not a name",
                link.covered_count()
            );
        }
        if orphans > 0 {
            words +=
                &format!("; the others wait in the quarantine for their parent ({})", self.list_places(&link.orphans));
        }
        words
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
pub(super) fn list_notes(table: &ProposedTable) -> Vec<String> {
    let measured = &table.measured;
    let rejected = measured.records - measured.fine;
    let from = table.paths.join(", ");
    let mut words =
        format!("{}: {} in {}", table.name, count_noun(measured.records, "record"), one_line_comment(&from));
    if rejected > 0 {
        words += &format!(", of which {rejected} would be rejected");
    }
    let mut notes = vec![words];
    let doubtful = matches!(&table.header, FirstRecord::None { doubtful: true });
    let look = format!("{}: look at the header, which is taken for data", table.name);
    notes.extend(doubtful.then_some(look));
    let zone = table
        .fields
        .iter()
        .zip(&table.remarks)
        .filter(|(field, remarks)| field.kind.name() == "datetime" && !remarks.is_empty());
    notes.extend(zone.map(|(field, _)| {
        format!("{}: {} has no zone; UTC is taken for granted", table.name, one_line_comment(&field.name))
    }));
    notes
}
