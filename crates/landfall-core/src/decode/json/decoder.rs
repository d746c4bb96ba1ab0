//! The decoder: from a JSON text to records with a cell for each field of a table.

use std::{collections::HashMap, ops::Range, sync::Arc};

use super::{
    ExtraMember, JsonErrorKind, JsonKind, JsonParts,
    scan::{JsonError, JsonScanner},
};
use crate::{
    avro::read::restore_line_ends,
    decode::{
        block::SourceBlock,
        draft::{replace_invalid_utf8, to_u32},
        records::{CellSpan, RecordFault, Records},
    },
    schema::TableSchema,
};

/// Cuts JSON rows into cells: those of each record are the table's fields in their order.
#[derive(Debug, Clone)]
pub struct JsonDecoder {
    names: Vec<Arc<str>>,
    /// The names as most programs write them, with quotes and colon; none for one that needs escapes.
    labels: Vec<Option<String>>,
    positions: HashMap<Arc<str>, u32>,
}

/// The records under way.
struct JsonDraft {
    records: Records,
    parts: JsonParts,
    /// The line ends before `lines_to`.
    lines: u32,
    lines_to: usize,
}

impl JsonDecoder {
    /// The decoder for rows of a table.
    #[must_use]
    pub fn new(schema: &TableSchema) -> Self {
        let names: Vec<Arc<str>> = schema.fields.iter().map(|field| field.name.clone()).collect();
        let positions = names.iter().cloned().zip(0..).collect();
        let labels = names.iter().map(|name| quote_label(name)).collect();
        Self { names, labels, positions }
    }

    /// The rows of `text`, a JSON array of objects, at most `most` of them.
    ///
    /// # Errors
    /// A text that is not JSON, or no array, or has more rows.
    pub fn decode_array(&self, text: String, most: usize) -> Result<Records, JsonError> {
        let mut draft = JsonDraft::new();
        let mut scan = JsonScanner::new(&text);
        match scan.next() {
            Some(b'[') => scan.at += 1,
            _ => return Err(shape_error(&text, scan.at, "an array of rows is expected, such as [{\"id\": 1}]")),
        }
        if !scan.accept_byte(b']') {
            loop {
                if draft.records.len() == most {
                    return Err(scan.json_error(JsonErrorKind::TooMany, format!("there are more than {most} rows")));
                }
                self.read_row(&mut scan, 1, &mut draft)?;
                if !scan.accept_byte(b',') {
                    break;
                }
            }
            scan.expect_byte(b']', "a comma or ]")?;
        }
        scan.expect_end()?;
        Ok(draft.into_records(text))
    }

    /// The rows of `text`, one JSON object on each line (NDJSON), at most `most` of them. Blank lines are no rows. A line that is
    /// not JSON is a faulty record.
    ///
    /// # Errors
    /// More rows.
    pub fn decode_lines(&self, text: String, most: usize) -> Result<Records, JsonError> {
        let mut draft = JsonDraft::new();
        let mut start = JsonScanner::new(&text).at;
        for line in text[start..].split_inclusive('\n') {
            let end = start + line.trim_end_matches(['\n', '\r']).len();
            if !line.trim_matches([' ', '\t', '\n', '\r']).is_empty() {
                if draft.records.len() == most {
                    let error = JsonScanner { text: &text, at: start };
                    return Err(error.json_error(JsonErrorKind::TooMany, format!("there are more than {most} rows")));
                }
                self.read_line(&text[..end], start, &mut draft);
            }
            start += line.len();
        }
        Ok(draft.into_records(text))
    }

    /// The rows of a block of lines that [`RowMapping`](crate::avro::resolve::RowMapping) wrote.
    #[must_use]
    pub fn decode_block(&self, block: SourceBlock) -> Records {
        let mut bytes = block.bytes;
        let ends: Vec<usize> = memchr::memchr_iter(b'\n', &bytes).collect();
        restore_line_ends(&mut bytes);
        let text = String::from_utf8(bytes).unwrap_or_else(|error| replace_invalid_utf8(error.into_bytes()));
        let mut draft = JsonDraft::new();
        let mut start = 0;
        for &end in &ends {
            draft.lines_to = start;
            self.read_line(&text[..end], start, &mut draft);
            draft.lines += 1;
            start = end + 1;
        }
        draft.lines_to = text.len();
        draft.into_records(text)
    }

    /// One row from its bytes, as they were kept of an array or a line.
    #[must_use]
    pub fn decode_row(&self, raw: &[u8]) -> Records {
        let mut draft = JsonDraft::new();
        let text = match std::str::from_utf8(raw) {
            Ok(text) => text,
            Err(error) => {
                let offset = to_u32(error.valid_up_to());
                draft.add_faulty_record(0..raw.len(), RecordFault::Encoding { offset });
                draft.records.source = Some(raw.to_vec());
                return draft.into_records(replace_invalid_utf8(raw.to_vec()));
            }
        };
        self.read_line(text, 0, &mut draft);
        draft.into_records(text.to_owned())
    }

    /// A record from the rest of `text`.
    fn read_line(&self, text: &str, start: usize, draft: &mut JsonDraft) {
        let mut scan = JsonScanner { text, at: start };
        let mark = draft.save_lengths();
        if let Err(error) = self.read_row(&mut scan, 0, draft).and_then(|()| scan.expect_end()) {
            draft.restore_lengths(mark);
            let offset = to_u32(error.offset - start);
            draft.add_faulty_record(start..text.len(), RecordFault::Json { offset, reason: error.reason });
        }
    }

    /// The row that comes next.
    fn read_row(&self, scan: &mut JsonScanner<'_>, depth: usize, draft: &mut JsonDraft) -> Result<(), JsonError> {
        if scan.next() != Some(b'{') {
            let (kind, start, end) = scan.scan_value(depth)?;
            draft.count_line(scan.text, start);
            draft.add_faulty_record(start..end, RecordFault::NotAnObject { found: kind });
            return Ok(());
        }
        let start = scan.at;
        draft.count_line(scan.text, start);
        let first = draft.records.cells.len();
        draft.records.cells.resize(first + self.names.len(), CellSpan::default());
        draft.parts.kinds.resize(first + self.names.len(), JsonKind::Absent);
        scan.at += 1;
        if !scan.accept_byte(b'}') {
            let mut expected = 0;
            loop {
                self.read_member(scan, depth + 1, first, &mut expected, draft)?;
                if !scan.accept_byte(b',') {
                    break;
                }
            }
            scan.expect_byte(b'}', "a comma or }")?;
        }
        draft.end_record(start..scan.at);
        Ok(())
    }

    /// The member that comes next, of the row whose cells begin at `first`. Most rows have their members in one order, so that
    /// the field `expected` is looked at first.
    #[inline]
    fn read_member(
        &self,
        scan: &mut JsonScanner<'_>,
        depth: usize,
        first: usize,
        expected: &mut usize,
        draft: &mut JsonDraft,
    ) -> Result<(), JsonError> {
        let field = self.read_field_name(scan, *expected)?;
        let (kind, span) = self.read_cell(scan, depth, &mut draft.records.side)?;
        let record = to_u32(draft.records.len());
        match field {
            Ok(field) => {
                *expected = field as usize + 1;
                let at = first + field as usize;
                if draft.parts.kinds[at] == JsonKind::Absent {
                    (draft.parts.kinds[at], draft.records.cells[at]) = (kind, span);
                } else {
                    let name = self.names[field as usize].to_string();
                    draft.parts.extras.push(ExtraMember { record, name, again: Some(field) });
                }
            }
            Err(name) => draft.parts.extras.push(ExtraMember { record, name, again: None }),
        }
        Ok(())
    }

    /// The field of the member that comes next, or its name where there is none; perhaps the field `expected`.
    #[inline]
    fn read_field_name(&self, scan: &mut JsonScanner<'_>, expected: usize) -> Result<Result<u32, String>, JsonError> {
        if let Some(Some(label)) = self.labels.get(expected)
            && scan.accept_bytes(label)
        {
            return Ok(Ok(to_u32(expected)));
        }
        let name = scan.name()?;
        Ok(if name.escaped {
            let mut text = String::new();
            let known = super::scan::unescape_string(&scan.text[name.start..name.end], &mut text);
            if known { self.positions.get(text.as_str()).copied().ok_or(text) } else { Err("\u{fffd}".to_owned()) }
        } else {
            let text = &scan.text[name.start..name.end];
            match self.names.get(expected) {
                Some(next) if **next == *text => Ok(to_u32(expected)),
                _ => self.positions.get(text).copied().ok_or_else(|| text.to_owned()),
            }
        })
    }

    /// The value of a member.
    #[inline]
    fn read_cell(
        &self,
        scan: &mut JsonScanner<'_>,
        depth: usize,
        side: &mut String,
    ) -> Result<(JsonKind, CellSpan), JsonError> {
        if scan.next() == Some(b'"') {
            let string = scan.scan_string()?;
            return Ok(match scan.resolve_string(string, side) {
                Some(span) => (JsonKind::String, span),
                None => (JsonKind::BrokenString, CellSpan::in_text(to_u32(string.start), to_u32(string.end))),
            });
        }
        let (kind, start, end) = scan.scan_value(depth)?;
        Ok((kind, CellSpan::in_text(to_u32(start), to_u32(end))))
    }
}

/// A name in quotes, with its colon, where it stands there as it is.
fn quote_label(name: &str) -> Option<String> {
    let plain = |character: char| character >= ' ' && !matches!(character, '"' | '\\');
    name.chars().all(plain).then(|| format!("\"{name}\":"))
}

impl JsonDraft {
    fn new() -> Self {
        let records = Records { firsts: vec![0], ..Records::default() };
        Self { records, parts: JsonParts::default(), lines: 0, lines_to: 0 }
    }

    /// How much there is, for [`JsonDraft::restore_lengths`].
    fn save_lengths(&self) -> [usize; 5] {
        let Records { cells, side, raws, faults, .. } = &self.records;
        [raws.len(), cells.len(), faults.len(), side.len(), self.parts.extras.len()]
    }

    /// Takes back what was added since `save_lengths`.
    fn restore_lengths(&mut self, [records, cells, faults, side, extras]: [usize; 5]) {
        self.records.firsts.truncate(records + 1);
        self.records.raws.truncate(records);
        self.records.lines.truncate(records);
        self.records.cells.truncate(cells);
        self.records.faults.truncate(faults);
        self.records.side.truncate(side);
        self.parts.kinds.truncate(cells);
        self.parts.extras.truncate(extras);
    }

    /// Notes the line at which the next record starts.
    fn count_line(&mut self, text: &str, start: usize) {
        let between = &text.as_bytes()[self.lines_to..start];
        self.lines += to_u32(memchr::memchr_iter(b'\n', between).count());
        self.lines_to = start;
    }

    /// Ends a record, whose cells are there.
    fn end_record(&mut self, raw: Range<usize>) {
        self.records.firsts.push(to_u32(self.records.cells.len()));
        self.records.raws.push(to_u32(raw.start)..to_u32(raw.end));
        self.records.lines.push(self.lines);
    }

    /// A record without cells.
    fn add_faulty_record(&mut self, raw: Range<usize>, fault: RecordFault) {
        self.records.faults.push((to_u32(self.records.len()), fault));
        self.end_record(raw);
    }

    fn into_records(mut self, text: String) -> Records {
        let behind = &text.as_bytes()[self.lines_to.min(text.len())..];
        self.records.line_ends = self.lines + to_u32(memchr::memchr_iter(b'\n', behind).count());
        self.records.text = text;
        self.records.json = Some(Box::new(self.parts));
        self.records
    }
}

/// The tables of `text`, a JSON object that has an array of rows for each of some tables: their names, and where in the text
/// their arrays are, in the order of the text.
///
/// # Errors
/// A text that is not JSON, or of another shape.
pub fn split_tables(text: &str) -> Result<Vec<(String, Range<usize>)>, JsonError> {
    let mut scan = JsonScanner::new(text);
    if scan.next() != Some(b'{') {
        let expected = "an object with an array of rows for each table is expected, such as {\"jobs\": [{\"id\": 1}]}";
        return Err(shape_error(text, scan.at, expected));
    }
    scan.at += 1;
    let mut found: Vec<(String, Range<usize>)> = Vec::new();
    if !scan.accept_byte(b'}') {
        loop {
            let name = scan.name()?;
            let mut table = String::new();
            let at = scan.at;
            let sound = super::scan::unescape_string(&text[name.start..name.end], &mut table);
            let (kind, start, end) = scan.scan_value(1)?;
            let fault = match kind {
                _ if !sound => Some("a table's name has half a surrogate pair".to_owned()),
                JsonKind::Array if found.iter().any(|(other, _)| *other == table) => {
                    Some(format!("the table {table:?} occurs twice"))
                }
                JsonKind::Array => None,
                _ => Some(format!("the table {table:?} must have an array of rows")),
            };
            if let Some(reason) = fault {
                return Err(shape_error(text, at, &reason));
            }
            found.push((table, start..end));
            if !scan.accept_byte(b',') {
                break;
            }
        }
        scan.expect_byte(b'}', "a comma or }")?;
    }
    scan.expect_end()?;
    Ok(found)
}

/// The error for a text of another shape, unless it is no JSON at all, which is the graver fault.
fn shape_error(text: &str, offset: usize, reason: &str) -> JsonError {
    let mut scan = JsonScanner::new(text);
    match scan.scan_value(0).and_then(|_| scan.expect_end()) {
        Err(error) => error,
        Ok(()) => JsonError { kind: JsonErrorKind::Shape, offset, reason: reason.to_owned() },
    }
}
