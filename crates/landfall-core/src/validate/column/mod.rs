//! One column: the loop that reads the cells of a field over all records of a block.
//!
//! A type implements [`CellReader`] (text to value) and names its [`ColumnBuilder`] form (values to Arrow array). The loop in
//! [`FieldColumn::read_cells`] is compiled for each of them, so that a cell costs no dynamic call. [`CellReader::read_common_form`] is the hot
//! path of a type; what it does not answer goes through [`CellReader::read`], which also says what is wrong.

mod builders;

use std::{cmp::Ordering, fmt::Debug, sync::Arc};

use arrow_array::ArrayRef;
use arrow_schema::DataType;

pub(super) use builders::{BooleanColumn, ColumnBuilder, PrimitiveColumn, TextColumn};

use super::{
    cells::{CellBlock, MissingTexts},
    constraints::FieldChecks,
    problem::{CellFault, FoundError, quote_shortened},
};
use crate::{
    decode::{NULL_CELL, json::JsonKind},
    reject::{CellError, ErrorCode},
    schema::Field,
};

/// A value of a reader.
pub(super) type ReaderValue<'a, R> = <<R as CellReader>::Stored as ColumnBuilder>::Value<'a>;
/// A kept value of a reader.
pub(super) type OwnedReaderValue<R> = <<R as CellReader>::Stored as ColumnBuilder>::Owned;

/// How the cells of a type are read.
pub(super) trait CellReader: Debug + Send + Sync {
    /// The form in which its values are stored.
    type Stored: ColumnBuilder;

    /// Equal values may have different stored forms: [`CellReader::compare_values`] decides, not the stored form.
    const OWN_EQUALITY: bool = false;

    /// The Arrow type of the column.
    fn data_type(&self) -> DataType;

    /// The hot path: the value of a cell in the most frequent form. `None` says nothing about the cell.
    #[inline]
    fn read_common_form<'a>(&self, _text: &'a str) -> Option<ReaderValue<'a, Self>> {
        None
    }

    /// The value of a cell, or why it has none. A value that is text may be written to `scratch`, which is empty.
    fn read<'a>(&self, text: &'a str, scratch: &'a mut String) -> Result<ReaderValue<'a, Self>, CellFault>;

    /// What a value may be in a JSON row.
    fn json_kinds(&self) -> &[JsonKind] {
        &[JsonKind::String]
    }

    /// The value of a cell of a JSON row that is one of [`CellReader::json_kinds`]: its text, for a string, or its JSON text.
    fn read_json<'a>(
        &self,
        _kind: JsonKind,
        text: &'a str,
        scratch: &'a mut String,
    ) -> Result<ReaderValue<'a, Self>, CellFault> {
        match self.read_common_form(text) {
            Some(value) => Ok(value),
            None => self.read(text, scratch),
        }
    }

    /// How two values compare; `None` where they have no order.
    fn compare_values(&self, left: ReaderValue<'_, Self>, right: ReaderValue<'_, Self>) -> Option<Ordering> {
        Some(Self::Stored::compare_values(left, right))
    }

    /// The length of a value whose cell is `text`, with the noun of what is counted; `None` where it has no length.
    fn value_length(&self, _text: &str) -> Option<(u64, &'static str)> {
        None
    }

    /// What a value is, with its article: `a datetime`.
    fn value_noun(&self) -> &'static str;

    /// What to do about an unreadable cell: `write it like 2021-11-07`.
    fn mend_hint(&self) -> String;
}

/// Why a text with a NUL character has no value.
const NUL: CellFault = CellFault::Borrowed("it contains a NUL character, which not every database can hold");

/// The position of a record: a block has fewer than 2^32.
fn record_position(record: usize) -> u32 {
    u32::try_from(record).unwrap_or(u32::MAX)
}

/// A column of any type.
pub(super) trait ReadColumn: Debug + Send + Sync {
    /// Reads the cells of `column` of all records; errors are added to `found`.
    fn read_column(&self, block: &CellBlock<'_>, column: Option<usize>, found: &mut Vec<FoundError>) -> ArrayRef;

    /// Reads one cell.
    fn read_cell(&self, text: &str) -> (ArrayRef, Vec<CellError>);

    /// Whether a cell with this text is a missing value.
    fn is_missing(&self, text: &str) -> bool;

    /// The error of a missing value, where the field is required.
    fn required_error(&self, text: Option<&str>) -> Option<CellError>;

    /// The Arrow type of the column.
    fn data_type(&self) -> DataType;
}

/// The column of one field.
#[derive(Debug)]
pub(super) struct FieldColumn<R: CellReader> {
    name: Arc<str>,
    position: u32,
    reader: R,
    missing: MissingTexts,
    required: bool,
    checks: FieldChecks<R>,
}

impl<R: CellReader> FieldColumn<R> {
    /// The column of `field`, whose cells `reader` reads.
    pub(super) fn new(field: &Field, position: u32, reader: R, checks: FieldChecks<R>) -> Self {
        let missing = MissingTexts::new(&field.missing_values);
        let required = field.constraints.required;
        Self { name: Arc::clone(&field.name), position, reader, missing, required, checks }
    }

    /// The loop over the cells of a column.
    fn read_cells<'a>(
        &self,
        rows: usize,
        cell: impl Fn(usize) -> Option<&'a str>,
        mut column: R::Stored,
        has_nul: bool,
        found: &mut Vec<FoundError>,
    ) -> ArrayRef {
        let mut scratch = String::new();
        // With constraints every value goes the thorough way, which knows how to report what it breaks.
        let plain = self.checks.is_empty();
        for record in 0..rows {
            // A cell that a short record lacks is reported with the record as a whole, not here.
            let Some(text) = cell(record) else {
                column.push_null();
                continue;
            };
            // Before the NUL check and the reader: a word for a missing value need not be a value of the type.
            if self.missing.is_missing(text) {
                column.push_null();
                if self.required {
                    self.missing_value(record, text, found);
                }
            } else if plain
                && !(has_nul && text.as_bytes().contains(&0))
                && let Some(value) = self.reader.read_common_form(text)
            {
                column.push(value);
            } else {
                scratch.clear();
                self.examine_cell(record, text, &mut scratch, &mut column, found);
            }
        }
        column.finish_column()
    }

    /// Notes the cells of a required field that short records lack, where these count as missing values. The loop over the cells
    /// leaves them out, since otherwise the record as a whole is wrong.
    fn note_padded_cells(&self, block: &CellBlock<'_>, column: usize, found: &mut Vec<FoundError>) {
        let padded = |record: &usize| self.required && block.is_padded_at(*record, column);
        (0..block.len()).filter(padded).for_each(|record| self.missing_value(record, "", found));
    }

    /// Notes a missing value of a required field.
    #[inline(never)]
    fn missing_value(&self, record: usize, text: &str, found: &mut Vec<FoundError>) {
        if let Some(error) = self.required_error(Some(text)) {
            found.push(FoundError { record: record_position(record), field: self.position, error });
        }
    }

    /// Reads one cell the thorough way: the value with its constraints, or the reason why it has none. It stays out of the
    /// loop, so that the hot path there is inlined.
    #[inline(never)]
    fn examine_cell(
        &self,
        record: usize,
        text: &str,
        scratch: &mut String,
        column: &mut R::Stored,
        found: &mut Vec<FoundError>,
    ) {
        self.add_value(record, text, self.read_value(text, scratch), column, found);
    }

    /// Adds the value of a cell to the column and checks its constraints, or notes why it has none.
    fn add_value(
        &self,
        record: usize,
        text: &str,
        value: Result<ReaderValue<'_, R>, CellFault>,
        column: &mut R::Stored,
        found: &mut Vec<FoundError>,
    ) {
        let record = record_position(record);
        match value {
            Ok(value) => {
                // The value goes into the column although it may break a constraint: keys are checked for rejected
                // rows too.
                column.push(value);
                let mut note = |problem: String| {
                    let error = self.field_error(ErrorCode::ConstraintError, text, &problem);
                    found.push(FoundError { record, field: self.position, error });
                };
                self.checks.run(&self.reader, text, value, &mut note);
            }
            Err(cause) => {
                // Every column needs one entry for each record, or the batch cannot be built.
                column.push_null();
                found.push(FoundError { record, field: self.position, error: self.type_error(text, &cause) });
            }
        }
    }

    /// The loop over the cells of a column of JSON rows.
    fn read_json_cells(
        &self,
        block: &CellBlock<'_>,
        at: usize,
        mut column: R::Stored,
        found: &mut Vec<FoundError>,
    ) -> ArrayRef {
        let mut scratch = String::new();
        for record in 0..block.len() {
            let Some(kind) = block.records.json_kind(record, at) else {
                column.push_null();
                continue;
            };
            let text = block.cell_text(record, at).unwrap_or_default();
            match kind {
                JsonKind::Absent | JsonKind::Null => {
                    column.push_null();
                    self.missing_json(record, kind, found);
                }
                // Only strings can be one of the words: the number `0` is a value even where the text "0" stands for
                // none.
                JsonKind::String if self.missing.is_missing(text) => {
                    column.push_null();
                    if self.required {
                        self.missing_value(record, text, found);
                    }
                }
                kind if self.reader.json_kinds().contains(&kind) => {
                    scratch.clear();
                    let value = if block.has_nul && text.as_bytes().contains(&0) {
                        Err(NUL)
                    } else {
                        self.reader.read_json(kind, text, &mut scratch)
                    };
                    if self.checks.is_empty()
                        && let Ok(value) = value
                    {
                        column.push(value);
                    } else {
                        self.add_value(record, text, value, &mut column, found);
                    }
                }
                kind => {
                    column.push_null();
                    let error = self.kind_error(kind, text);
                    found.push(FoundError { record: record_position(record), field: self.position, error });
                }
            }
        }
        column.finish_column()
    }

    /// Notes a member of a JSON row that is null or not there, where the field is required.
    fn missing_json(&self, record: usize, kind: JsonKind, found: &mut Vec<FoundError>) {
        // An absent member has no text that the reject could show; a null one has.
        let text = (kind == JsonKind::Null).then_some("null");
        if let Some(error) = self.required_error(text) {
            found.push(FoundError { record: record_position(record), field: self.position, error });
        }
    }

    /// The error of a JSON value of another kind than the field's.
    #[cold]
    fn kind_error(&self, kind: JsonKind, text: &str) -> CellError {
        // This is the fault of the encoding, whatever type the field has: no database stores half a pair.
        if kind == JsonKind::BrokenString {
            let message = format!(
                "field {}: the string {} has half a surrogate pair (\\uD800 to \\uDFFF), which is no text",
                quote_shortened(&self.name),
                quote_shortened(text)
            );
            return CellError::new(ErrorCode::EncodingError, Some(Arc::clone(&self.name)), Some(text), message);
        }
        let wanted: Vec<&str> = self.reader.json_kinds().iter().map(|kind| kind.noun()).collect();
        let message = format!(
            "field {}: {} is {} and not {}; {} is written as {}",
            quote_shortened(&self.name),
            quote_shortened(text),
            kind.noun(),
            self.reader.value_noun(),
            self.reader.value_noun(),
            wanted.join(" or ")
        );
        CellError::new(ErrorCode::TypeError, Some(Arc::clone(&self.name)), Some(text), message)
    }

    fn read_value<'a>(&self, text: &'a str, scratch: &'a mut String) -> Result<ReaderValue<'a, R>, CellFault> {
        // For all types: most are stored as text, and no reader below looks for that byte.
        if memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(NUL);
        }
        match self.reader.read_common_form(text) {
            Some(value) => Ok(value),
            None => self.reader.read(text, scratch),
        }
    }

    #[cold]
    fn type_error(&self, text: &str, cause: &str) -> CellError {
        let because = if cause.is_empty() { String::new() } else { format!(" ({cause})") };
        let problem = format!("is not {}{because}; {}", self.reader.value_noun(), self.reader.mend_hint());
        self.field_error(ErrorCode::TypeError, text, &problem)
    }

    /// An error of this field: its message is `field "name": "text" problem`.
    fn field_error(&self, code: ErrorCode, text: &str, problem: &str) -> CellError {
        let message = format!("field {}: {} {problem}", quote_shortened(&self.name), quote_shortened(text));
        CellError::new(code, Some(Arc::clone(&self.name)), Some(text), message)
    }
}

impl<R: CellReader> ReadColumn for FieldColumn<R> {
    fn read_column(&self, block: &CellBlock<'_>, column: Option<usize>, found: &mut Vec<FoundError>) -> ArrayRef {
        let rows = block.len();
        let bytes = block.bytes_of_a_column();
        let stored = R::Stored::with_capacity(rows, bytes, self.reader.data_type());
        match column {
            Some(at) if block.records.is_json() => self.read_json_cells(block, at, stored, found),
            Some(at) if block.uniform => {
                self.read_cells(rows, |record| block.uniform_cell(record, at), stored, block.has_nul, found)
            }
            Some(at) => {
                self.note_padded_cells(block, at, found);
                self.read_cells(rows, |record| block.cell_text(record, at), stored, block.has_nul, found)
            }
            None => {
                // The reference validator reports the column once. Here each record is a reject, so that none is
                // lost.
                let records = (0u32..).take(if self.required { rows } else { 0 });
                found.extend(records.filter_map(|record| {
                    let error = self.required_error(None)?;
                    Some(FoundError { record, field: self.position, error })
                }));
                self.read_cells(rows, |_| None, stored, false, found)
            }
        }
    }

    fn read_cell(&self, text: &str) -> (ArrayRef, Vec<CellError>) {
        let mut found = Vec::new();
        let stored = R::Stored::with_capacity(1, text.len(), self.reader.data_type());
        // Nobody has looked at this one text for NUL yet, so the loop must.
        let array = self.read_cells(1, |_| Some(text), stored, true, &mut found);
        (array, found.into_iter().map(|found| found.error).collect())
    }

    fn is_missing(&self, text: &str) -> bool {
        self.missing.is_missing(text)
    }

    fn required_error(&self, text: Option<&str>) -> Option<CellError> {
        self.required.then(|| {
            let message =
                format!("field {}: the value is missing, and the field is required", quote_shortened(&self.name));
            // The decoder marks `\N` of MySQL exports by a text of its own; people must see what stood in the file.
            let text = text.map(|text| if text == NULL_CELL { "\\N" } else { text });
            CellError::new(ErrorCode::ConstraintError, Some(Arc::clone(&self.name)), text, message)
        })
    }

    fn data_type(&self) -> DataType {
        self.reader.data_type()
    }
}
