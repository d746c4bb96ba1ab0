//! What is wrong with records as a whole: faults, blank rows, too few and too many cells.

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef};

use super::{
    ColumnMap,
    cells::{CellBlock, MissingTexts},
    column::ReadColumn,
    problem::{FoundError, quote_shortened},
};
use crate::{
    count_noun,
    decode::{
        CutterLimits, RecordFault,
        json::{ExtraMember, JsonKind},
    },
    reject::{CellError, ErrorCode},
    schema::{Field, FieldIndex},
};

/// The most superfluous cells of a record that are listed; what remains is summarised.
const EXTRA_LISTED: usize = 10;
/// The absent cells of a record that are listed in any case. One more is listed for each byte of the record, so that the
/// errors of a block are bounded by its size.
const MISSING_LISTED: usize = 10;

/// The records that have one error and no other.
pub(super) type RecordErrors = BTreeMap<u32, CellError>;

/// Looks at whole records.
pub(super) struct RecordInspector<'a> {
    pub(super) fields: &'a [Field],
    pub(super) columns: &'a [Box<dyn ReadColumn>],
    pub(super) map: &'a ColumnMap,
    pub(super) block: &'a CellBlock<'a>,
    /// For each column of the source its field.
    pub(super) field_of: &'a [Option<FieldIndex>],
}

impl RecordInspector<'_> {
    /// The records that are faulty or blank.
    pub(super) fn find_record_errors(&self, arrays: &[ArrayRef]) -> RecordErrors {
        let faults = self.block.records.record_faults();
        let mut whole: RecordErrors = faults.iter().map(|(record, fault)| (*record, fault_error(fault))).collect();
        // A faulty record may look blank, since its cells could not be split. Its fault is the better reason.
        let blank = self.blank_candidates(arrays).filter(|&record| self.is_blank_record(record));
        for record in blank.filter_map(|record| u32::try_from(record).ok()) {
            whole.entry(record).or_insert_with(blank_error);
        }
        whole
    }

    /// The records that may be blank: those without any value, and empty lines where they could be values.
    fn blank_candidates<'a>(&self, arrays: &'a [ArrayRef]) -> impl Iterator<Item = usize> + use<'a, '_> {
        let read: Vec<&'a ArrayRef> = arrays
            .iter()
            .zip(&self.map.columns)
            .filter(|(_, column)| column.is_some())
            .map(|(array, _)| array)
            .collect();
        // A column without any null rules out that a record is blank, and spares a look at each of them.
        let possible = read.iter().all(|array| array.null_count() > 0);
        // Where the empty text is a value, an empty line reads as one value and would not look blank.
        let empty_may_be_a_value = self.columns.iter().any(|column| !column.is_missing(""));
        let records = if possible || empty_may_be_a_value { self.block.len() } else { 0 };
        (0..records).filter(move |&record| {
            (possible && read.iter().all(|array| array.is_null(record)))
                || (empty_may_be_a_value && self.block.is_empty_line(record))
        })
    }

    /// Whether all cells of a record are missing values.
    fn is_blank_record(&self, record: usize) -> bool {
        if self.block.records.is_json() {
            return self.is_blank_object(record);
        }
        let width = self.block.records.cell_count(record).min(self.map.width);
        let missing = |column: usize| {
            let text = self.block.records.cell_text(record, column).unwrap_or_default();
            // A column that holds no field has no declared words; only nothing at all is missing there.
            match self.field_of[column] {
                Some(field) => self.columns[field.get()].is_missing(text),
                None => MissingTexts::Empty.is_missing(text),
            }
        };
        self.block.is_empty_line(record) || (0..width).all(missing)
    }

    /// Whether a JSON row says nothing at all.
    fn is_blank_object(&self, record: usize) -> bool {
        let records = self.block.records;
        let missing = |column: usize| match records.json_kind(record, column) {
            None | Some(JsonKind::Absent | JsonKind::Null) => true,
            Some(JsonKind::String) => {
                self.columns[column].is_missing(records.cell_text(record, column).unwrap_or_default())
            }
            Some(_) => false,
        };
        let extras = records.extra_members();
        let at = extras.partition_point(|extra| (extra.record as usize) < record);
        // An object with unknown members says something, even if none of it can be stored.
        extras.get(at).is_none_or(|extra| extra.record as usize != record) && (0..self.columns.len()).all(missing)
    }

    /// Notes the members of JSON rows that are none of their cells.
    fn note_extra_members(&self, found: &mut Vec<FoundError>) {
        // A row may have thousands of unknown members: what one row can add to the quarantine is bounded.
        for extras in self.block.records.extra_members().chunk_by(|one, next| one.record == next.record) {
            let (listed, others) = extras.split_at(extras.len().min(EXTRA_LISTED));
            self.note_member_errors(listed, found);
            if let Some(other) = others.first() {
                let message = format!(
                    "{} of the row are no field of the table, or occur twice",
                    count_noun(others.len() as u64, "more member")
                );
                let error = CellError::new(ErrorCode::ExtraCell, None, None, message);
                found.push(FoundError { record: other.record, field: FoundError::AFTER_FIELDS, error });
            }
        }
    }

    fn note_member_errors(&self, extras: &[ExtraMember], found: &mut Vec<FoundError>) {
        for extra in extras {
            let name = quote_shortened(&extra.name);
            let (field, position, message) = match extra.again {
                Some(at) => {
                    let field = self.fields[at as usize].name.clone();
                    (Some(field), at, format!("field {name}: it occurs twice in the row; only one value can be kept"))
                }
                None => {
                    // A table may have a thousand fields, and each such row would repeat them all.
                    let known: Vec<&str> = self.fields.iter().map(|field| &*field.name).take(20).collect();
                    let message =
                        format!("the row has {name}, which is no field of the table; it has {}", known.join(", "));
                    (None, FoundError::AFTER_FIELDS, message)
                }
            };
            let error = CellError::new(ErrorCode::ExtraCell, field, None, message);
            found.push(FoundError { record: extra.record, field: position, error });
        }
    }

    /// Notes absent and superfluous cells of the records that are not in `whole`.
    pub(super) fn note_width_errors(&self, whole: &RecordErrors, found: &mut Vec<FoundError>) {
        if self.block.records.is_json() {
            return self.note_extra_members(found);
        }
        if self.block.uniform {
            return;
        }
        for record in 0..self.block.len() {
            let width = self.block.records.cell_count(record);
            let Ok(number) = u32::try_from(record) else { break };
            if width == self.map.width || whole.contains_key(&number) {
                continue;
            }
            if width < self.map.width {
                if !self.block.ragged.pads() {
                    self.missing_cells(number, width, found);
                }
            } else if !self.block.has_empty_rest(record) {
                self.note_extra_cells(number, width, found);
            }
        }
    }

    /// Notes the cells that a short record lacks. That a field is required is no second reason: its cell is missing, and no value.
    fn missing_cells(&self, record: u32, width: usize, found: &mut Vec<FoundError>) {
        let absent = self.map.width - width;
        // A file of short lines under a wide table would otherwise make errors many times its own size.
        let most = MISSING_LISTED + self.block.records.raw_bytes(record as usize).len();
        let has = format!("the record has {} of {}", count_noun(width as u64, "cell"), self.map.width);
        for column in (width..self.map.width).take(most) {
            let field = self.field_of[column];
            let position = field.and_then(|at| u32::try_from(at.get()).ok()).unwrap_or(FoundError::AFTER_FIELDS);
            let (name, message) = match field.map(|at| &self.fields[at.get()].name) {
                Some(name) => {
                    (Some(name.clone()), format!("field {}: {has}; the field's cell is missing", quote_shortened(name)))
                }
                None => (None, format!("{has}; cell {} is missing", column + 1)),
            };
            let error = CellError::new(ErrorCode::MissingCell, name, None, message);
            found.push(FoundError { record, field: position, error });
        }
        if absent > most {
            let message = format!("{has}; {} more are missing", absent - most);
            let error = CellError::new(ErrorCode::MissingCell, None, None, message);
            found.push(FoundError { record, field: FoundError::AFTER_FIELDS, error });
        }
    }

    fn note_extra_cells(&self, record: u32, width: usize, found: &mut Vec<FoundError>) {
        let expected = self.map.width;
        let has = format!("the record has {width} cells where {expected} are expected");
        let mut note = |value: Option<&str>, message: String| {
            let error = CellError::new(ErrorCode::ExtraCell, None, value, message);
            found.push(FoundError { record, field: FoundError::AFTER_FIELDS, error });
        };
        for column in (expected..width).take(EXTRA_LISTED) {
            let text = self.block.records.cell_text(record as usize, column).unwrap_or_default();
            note(Some(text), format!("{has}; cell {} is {}", column + 1, quote_shortened(text)));
        }
        if width - expected > EXTRA_LISTED {
            note(None, format!("{has}; {} more follow", width - expected - EXTRA_LISTED));
        }
    }
}

fn blank_error() -> CellError {
    CellError::new(ErrorCode::BlankRow, None, None, "the record is blank: all its cells are missing values")
}

fn fault_error(fault: &RecordFault) -> CellError {
    let (code, message) = match fault {
        RecordFault::UnclosedQuote { column } => (
            ErrorCode::SourceError,
            format!("the record cannot be split into cells: the quote that opens cell {} is never closed", column + 1),
        ),
        RecordFault::TextAfterQuote { column } => (
            ErrorCode::SourceError,
            format!(
                "the record cannot be split into cells: text follows the closing quote of cell {}; a quote within a \
                 quoted cell is written twice",
                column + 1
            ),
        ),
        RecordFault::StrayQuote { column } => (
            ErrorCode::SourceError,
            format!(
                "a quote stands within cell {}, which does not begin with one; put the cell in quotes and write the quote twice, \
                 or set \"strayQuotes\": \"keep\" in the dialect",
                column + 1
            ),
        ),
        RecordFault::TooManyCells => (
            ErrorCode::SourceError,
            format!(
                "the record has more than {} cells, which no table has; it may have another delimiter or line end",
                CutterLimits::MOST_CELLS
            ),
        ),
        RecordFault::Json { offset, reason } => {
            (ErrorCode::SourceError, format!("the record is not JSON: {reason} (byte {})", offset + 1))
        }
        RecordFault::NotAnObject { found } => {
            (ErrorCode::SourceError, format!("the row is {} and not an object such as {{\"id\": 1}}", found.noun()))
        }
        RecordFault::Encoding { offset } => (
            ErrorCode::EncodingError,
            format!("the record is not text in the declared encoding: byte {} of it does not belong there", offset + 1),
        ),
    };
    CellError::new(code, None, None, message)
}
