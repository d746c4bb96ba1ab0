//! A file of exported rejects that a person has mended, read back.
//!
//! Spreadsheets save with other separators and encodings, and rewrite cells that nobody has touched. The header decides how the
//! file is read; what cannot be read for certain is refused with its cause.

use std::{io::Read as _, path::Path};

use landfall_core::{
    decode::{Cutter, Decoder, Piece, RecordFault, Records},
    schema::{Dialect, Encoding},
};

use crate::{
    OptionStyle, count_noun, csv_text,
    error::{Error, Result},
    quarantine::RejectId,
    source::{EXPORT_COLUMNS, GUARDED_REJECT, Source},
};

/// What programs put between two cells.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The longest header.
const HEAD: u64 = 1 << 20;

/// A row of a mended file.
pub(super) struct MendedRow {
    /// The reject that it mends.
    pub(super) reject: RejectId,
    /// Its line in the file, from 1.
    pub(super) line: u64,
    /// The cells of the source's columns.
    pub(super) cells: Vec<String>,
    /// The cells beyond them.
    pub(super) extra: String,
    /// The whole record, if it could not be split into cells.
    pub(super) raw: String,
}

impl MendedRow {
    /// The record as CSV in the default dialect.
    pub(super) fn record_bytes(&self) -> Vec<u8> {
        let mut text = csv_text::join_cells(self.cells.iter().map(String::as_str));
        if !self.extra.is_empty() {
            text.push(',');
            text.push_str(&self.extra);
        }
        text.into_bytes()
    }
}

/// Reads a mended file and hands each row to `visit`, with the labels of the source's columns.
///
/// # Errors
/// A file that is not an export of rejects, or not the text that its header says.
pub(super) fn read_mended(path: &Path, visit: &mut dyn FnMut(&[String], MendedRow) -> Result<()>) -> Result<()> {
    let name = path.display().to_string();
    let source = Source::from_file(name.clone(), path);
    let (dialect, encoding) = find_file_form(&source)?;
    let mut input = source.open()?;
    let mut cutter = Cutter::new(&dialect, encoding, Default::default());
    let decoder = Decoder::new(&dialect, encoding);
    let mut line = 1;
    let unreadable = |error| source.read_error(&error);
    while let Some(piece) = cutter.read_piece(|space| input.read(space)).map_err(unreadable)? {
        // The header is known once the first piece is there.
        let labels = cutter.header_labels().unwrap_or_default().to_vec();
        let Piece::Block(block) = piece else {
            return Err(Error::source_error(&name, "it has a record that is too long"));
        };
        let records = decoder.decode_block(block);
        refuse_faults(&name, &records, line)?;
        for record in 0..records.len() {
            let row = read_mended_row(&name, &labels, &records, record, line)?;
            visit(&labels[..labels.len() - EXPORT_COLUMNS.len()], row)?;
        }
        line += records.line_end_count();
    }
    // Even if it has no row.
    count_source_columns(&name, cutter.header_labels().unwrap_or_default()).map(drop)
}

/// How a file is written: what its header says when it is read with one delimiter after the other.
fn find_file_form(source: &Source) -> Result<(Dialect, Encoding)> {
    let mut head = Vec::new();
    source.open()?.take(HEAD).read_to_end(&mut head).map_err(|error| source.read_error(&error))?;
    let encoding = match head.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Encoding::Utf16,
        // Without a mark it is UTF-8: `refuse_faults` stops any other encoding before something is tried.
        _ => Encoding::Utf8,
    };
    // A spreadsheet writes the delimiter of its own country. Only the right one gives the columns of an export.
    for delimiter in DELIMITERS {
        let dialect = Dialect { delimiter: delimiter.into(), ..Dialect::default() };
        let mut cutter = Cutter::new(&dialect, encoding, Default::default());
        let mut rest = head.as_slice();
        while cutter.header_labels().is_none() && !rest.is_empty() {
            rest = &rest[cutter.feed_bytes(rest).max(1).min(rest.len())..];
            cutter.next_piece();
        }
        cutter.finish_input();
        cutter.next_piece();
        if count_source_columns(&source.name, cutter.header_labels().unwrap_or_default()).is_ok() {
            return Ok((dialect, encoding));
        }
    }
    Err(not_an_export(&source.name, &head))
}

/// The error for a file whose header is not that of an export; its beginning is `head`.
fn not_an_export(name: &str, head: &[u8]) -> Error {
    let has = |column: &str| memchr::memmem::find(head, column.as_bytes()).is_some();
    if has(GUARDED_REJECT) {
        let reason =
            "it was exported for people, with ' before some cells (guard_formulas); export it without that to mend it";
        return Error::source_error(name, reason);
    }
    if !EXPORT_COLUMNS.iter().any(|column| has(column)) {
        let reason = format!("it is not an export of rejects: its last columns must be {}", EXPORT_COLUMNS.join(", "));
        return Error::source_error(name, reason);
    }
    let reason = match EXPORT_COLUMNS.iter().find(|column| !has(column)) {
        Some(column) => format!("its column {column} is missing; put it back as it was exported"),
        None => format!(
            "its header cannot be read; its last columns must be {} in this order, and a comma, semicolon, tab or | \
             must stand between two cells",
            EXPORT_COLUMNS.join(", ")
        ),
    };
    Error::source_error(name, reason)
}

/// Refuses records that are not the text that the file should be.
fn refuse_faults(name: &str, records: &Records, line: u32) -> Result<()> {
    let Some((record, fault)) = records.record_faults().first() else { return Ok(()) };
    let line = u64::from(line) + records.lines_before(*record as usize) as u64 + 1;
    let reason = match fault {
        RecordFault::Encoding { .. } => format!(
            "line {line} is not UTF-8: the program that saved the file used another encoding. Save it again as \"CSV UTF-8\" \
             from a copy of the export; nothing was tried"
        ),
        _ => format!("line {line} has a quote in a wrong place; nothing was tried"),
    };
    Err(Error::source_error(name, reason))
}

/// How many columns of an export are those of its source.
fn count_source_columns(name: &str, labels: &[String]) -> Result<usize> {
    let own = labels.len().checked_sub(EXPORT_COLUMNS.len()).filter(|&own| labels[own..] == EXPORT_COLUMNS);
    own.ok_or_else(|| not_an_export(name, labels.join(",").as_bytes()))
}

fn read_mended_row(name: &str, labels: &[String], records: &Records, record: usize, line: u32) -> Result<MendedRow> {
    let line = u64::from(line) + records.lines_before(record) as u64 + 1;
    let own = count_source_columns(name, labels)?;
    let cell = |column: usize| records.cell_text(record, column).unwrap_or_default().to_owned();
    let reject = cell(own).parse().map_err(|_| {
        Error::source_error(
            name,
            format!("line {line}: landfall_reject is not the number of a reject: {:?}", cell(own)),
        )
    })?;
    if records.cell_count(record) != labels.len() {
        let cells = count_noun(records.cell_count(record) as u64, "cell");
        let reason = format!("line {line} has {cells} and not {}", labels.len());
        return Err(Error::source_error(name, reason));
    }
    Ok(MendedRow { reject, line, cells: (0..own).map(cell).collect(), extra: cell(own + 3), raw: cell(own + 4) })
}

/// Cells that were changed although they had no error. A spreadsheet does that by itself: it takes zeros from the front of numbers,
/// writes long ones with an exponent, rewrites dates, and reads texts in another encoding.
#[derive(Debug, Default)]
pub(super) struct UnaskedChanges {
    count: u64,
    first: Option<String>,
}

impl UnaskedChanges {
    /// Notes that the cell of `column` at `line` was changed.
    pub(super) fn note_change(&mut self, line: u64, column: &str, before: &str, after: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| format!("line {line}, {column:?}, {}", describe_change(before, after)));
    }

    /// Refuses them, if there are any.
    pub(super) fn refuse_changes(&self, name: &str, style: OptionStyle) -> Result<()> {
        let Some(first) = &self.first else { return Ok(()) };
        let was = if self.count == 1 { "was" } else { "were" };
        let cells = format!("{} that had no error {was}", count_noun(self.count, "cell"));
        let reason = format!(
            "{cells} changed, the first at {first}. If a spreadsheet did that, export again and mend only what is wrong; if it \
             is meant, allow it with {}. Nothing was tried",
            style.name_option("allow-other-changes")
        );
        Err(Error::source_error(name, reason))
    }
}

/// In what way a cell was changed, without its values.
fn describe_change(before: &str, after: &str) -> &'static str {
    let bare = |text: &str| text.trim_start_matches('0').to_owned();
    if before.starts_with('0') && bare(before) == bare(after) {
        "which lost zeros at its front"
    } else if before.trim() == after.trim() {
        "which has other blanks around it"
    } else if !before.is_ascii() {
        "whose characters differ"
    } else if before.parse::<f64>().is_ok() && after.replace(',', ".").parse::<f64>().is_ok() {
        "whose number is written otherwise"
    } else {
        "whose text differs"
    }
}

/// Whether two cells say the same: a program may have written the line ends within them otherwise.
pub(super) fn is_same_text(one: &str, other: &str) -> bool {
    one == other || one.replace("\r\n", "\n") == other.replace("\r\n", "\n")
}
