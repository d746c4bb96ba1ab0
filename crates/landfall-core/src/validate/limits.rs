//! Limits of the database that the rows go to: a sound value that it cannot hold is a reject (`target-limit`) before it gets
//! there, and not a failed load. The core knows no database: a target says what its limits are.

use std::{fmt::Display, ops::RangeInclusive, sync::Arc};

use arrow_array::{
    Array, ArrayRef,
    cast::AsArray,
    types::{Date32Type, TimestampMicrosecondType},
};

use super::{
    cells::CellBlock,
    decimal,
    problem::{FoundError, quote_shortened},
    render,
};
use crate::{
    batches::null_rows,
    count_noun,
    reject::{CellError, ErrorCode},
    schema::{FieldIndex, FieldType, TableSchema},
};

/// What a database can hold of the rows of one table; the default has no limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetLimits {
    /// The first and the last date, in days since 1970-01-01.
    pub dates: Option<RangeInclusive<i32>>,
    /// The first and the last datetime, in microseconds since 1970-01-01T00:00:00Z.
    pub datetimes: Option<RangeInclusive<i64>>,
    /// The numbers of the type `number`.
    pub numbers: Option<NumberLimits>,
    /// The most bytes of a text in UTF-8: of every type that is not a number, a truth value, a date or a time.
    pub text_bytes: Option<usize>,
    /// The most bytes of all texts of a row together. Where a single text is too long, that alone is told.
    pub row_bytes: Option<usize>,
    /// The most characters of the text of single fields, by their positions in the schema.
    pub characters: Vec<(FieldIndex, usize)>,
    /// The most bytes that the fields of a key have together.
    pub keys: Vec<KeyLimit>,
}

/// Which decimal numbers a database can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberLimits {
    /// The most digits before the point.
    pub before: u64,
    /// The most digits after the point, as the number is written: zeros at its end count.
    pub after: u64,
    /// Whether it can hold NaN.
    pub nan: bool,
    /// Whether it can hold INF and -INF.
    pub infinity: bool,
}

/// How long the texts and numbers in the fields of a key may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLimit {
    /// The fields, by their positions in the schema.
    pub fields: Vec<FieldIndex>,
    /// The most bytes that their texts and numbers have together, as text in UTF-8.
    pub bytes: usize,
}

/// The limits of a table, by field. Nothing is done for a field that has none.
#[derive(Debug)]
pub(super) struct FieldLimits {
    fields: Vec<(FieldIndex, FieldLimit)>,
    keys: Vec<KeyLimit>,
    row: Option<RowLimit>,
}

/// How long the texts of a row may be together.
#[derive(Debug)]
struct RowLimit {
    /// The fields that are stored as text.
    fields: Vec<FieldIndex>,
    bytes: usize,
    /// The most bytes of one of them, which has an error of its own.
    field_bytes: usize,
}

/// One limit of a field.
#[derive(Debug)]
enum FieldLimit {
    Dates(RangeInclusive<i32>),
    Datetimes(RangeInclusive<i64>),
    Numbers(NumberLimits),
    Bytes(usize),
    Characters(usize),
}

impl FieldLimits {
    /// The limits that concern the fields of `schema`.
    pub(super) fn new(schema: &TableSchema, limits: &TargetLimits) -> Self {
        let of_type = |kind: &FieldType| match kind {
            FieldType::Date(_) => limits.dates.clone().map(FieldLimit::Dates),
            FieldType::Datetime { .. } => limits.datetimes.clone().map(FieldLimit::Datetimes),
            FieldType::Number(_) => limits.numbers.map(FieldLimit::Numbers),
            FieldType::Integer { .. } | FieldType::Year | FieldType::Boolean(_) | FieldType::Time(_) => None,
            _ => limits.text_bytes.map(FieldLimit::Bytes),
        };
        let by_type = schema.positioned_fields().filter_map(|(at, field)| Some((at, of_type(&field.kind)?)));
        let characters = limits.characters.iter().map(|&(at, most)| (at, FieldLimit::Characters(most)));
        // Limits in bytes and characters are about stored text; other types have a fixed width that always fits.
        let written = |at: &FieldIndex| schema.fields.get(at.get()).is_some_and(|field| is_written(&field.kind));
        let keys = limits
            .keys
            .iter()
            .map(|key| KeyLimit { fields: key.fields.iter().copied().filter(written).collect(), bytes: key.bytes });
        Self {
            fields: by_type.chain(characters.filter(|(at, _)| written(at))).collect(),
            keys: keys.filter(|key| !key.fields.is_empty()).collect(),
            row: limits.row_bytes.map(|bytes| RowLimit {
                fields: schema.field_positions().filter(written).collect(),
                bytes,
                field_bytes: limits.text_bytes.unwrap_or(usize::MAX),
            }),
        }
    }

    /// Notes every value of `columns` that is beyond a limit. A value that the database could not even be asked for is
    /// taken out of its column.
    pub(super) fn apply_limits(&self, cells: &BlockCells<'_>, columns: &mut [ArrayRef], found: &mut Vec<FoundError>) {
        for (at, limit) in &self.fields {
            let beyond = limit.find_rows_beyond(columns[at.get()].as_ref());
            for (row, problem) in &beyond {
                found.extend(cells.limit_error(*at, *row, problem));
            }
            // Keys are looked up in the database for rejected rows too, and that one value would fail the whole
            // question.
            if limit.takes_out() && !beyond.is_empty() {
                columns[at.get()] = null_rows(&columns[at.get()], beyond.iter().map(|(row, _)| *row));
            }
        }
        // After the fields, so that the text of a number that was taken out does not count.
        for key in &self.keys {
            for (row, bytes) in find_long_texts(&key.fields, key.bytes, columns) {
                found.extend(cells.key_error(key, row, bytes));
            }
        }
        if let Some(limit) = &self.row {
            for (row, bytes) in find_long_texts(&limit.fields, limit.bytes, columns) {
                found.extend(cells.row_error(limit, row, bytes));
            }
        }
    }
}

/// Whether the values of a type are stored as text in a batch.
const fn is_written(kind: &FieldType) -> bool {
    !matches!(
        kind,
        FieldType::Integer { .. }
            | FieldType::Year
            | FieldType::Boolean(_)
            | FieldType::Date(_)
            | FieldType::Time(_)
            | FieldType::Datetime { .. }
    )
}

impl FieldLimit {
    /// The rows whose values are beyond the limit, with what is wrong and what to do.
    fn find_rows_beyond(&self, column: &dyn Array) -> Vec<(usize, String)> {
        match self {
            Self::Dates(range) => {
                find_values_outside(column.as_primitive::<Date32Type>().iter(), range, "date", render::push_date)
            }
            Self::Datetimes(range) => {
                let values = column.as_primitive::<TimestampMicrosecondType>().iter();
                find_values_outside(values, range, "datetime", render::datetime_text)
            }
            Self::Numbers(limits) => find_problem_texts(column, |text| limits.find_problem(text)),
            Self::Bytes(most) => find_problem_texts(column, |text| {
                (text.len() > *most).then(|| describe_excess(text.len(), "byte", *most))
            }),
            Self::Characters(most) => find_problem_texts(column, |text| {
                // No text has more characters than bytes, so most need no counting.
                let characters = if text.len() > *most { text.chars().count() } else { 0 };
                (characters > *most).then(|| describe_excess(characters, "character", *most))
            }),
        }
    }

    /// Whether the database would refuse a question with such a value.
    const fn takes_out(&self) -> bool {
        matches!(self, Self::Dates(_) | Self::Datetimes(_) | Self::Numbers(_))
    }
}

/// The values outside `range`.
fn find_values_outside<V: PartialOrd + Copy>(
    values: impl Iterator<Item = Option<V>>,
    range: &RangeInclusive<V>,
    noun: &str,
    write: fn(V, &mut String),
) -> Vec<(usize, String)> {
    let problem = |value: V| {
        let (words, end, bound) =
            if value < *range.start() { ("before", "first", range.start()) } else { ("after", "last", range.end()) };
        let mut text = String::new();
        write(*bound, &mut text);
        format!(
            "is {words} {text}, the {end} {noun} that the database can hold; mend it, or declare the field as a string"
        )
    };
    let beyond = |(row, value): (usize, Option<V>)| value.filter(|v| !range.contains(v)).map(|v| (row, problem(v)));
    values.enumerate().filter_map(beyond).collect()
}

/// The texts that have a problem.
fn find_problem_texts(column: &dyn Array, problem: impl Fn(&str) -> Option<String>) -> Vec<(usize, String)> {
    let texts = column.as_string::<i32>().iter().enumerate();
    texts.filter_map(|(row, text)| Some((row, problem(text?)?))).collect()
}

impl NumberLimits {
    fn find_problem(&self, text: &str) -> Option<String> {
        // A short number without exponent is within every limit, and nearly every number is one.
        if text.len() as u64 <= self.before.min(self.after) && text.bytes().all(|byte| byte <= b'9') {
            return None;
        }
        // What has no digits to count is NaN or an infinity.
        let Some((before, after)) = decimal::count_digits(text) else {
            let held = if text == "NaN" { self.nan } else { self.infinity };
            return (!held).then(|| {
                "is no number that the database can hold; leave the cell empty, or declare the field as a string".into()
            });
        };
        let digits = |count: u64, most: u64, place: &str| {
            format!(
                "has {} {place} the point; the database can hold at most {most}; declare the field as a string to keep \
                 them all",
                count_noun(count, "digit")
            )
        };
        if before > self.before {
            return Some(digits(before, self.before, "before"));
        }
        (after > self.after).then(|| digits(after, self.after, "after"))
    }
}

fn describe_excess(count: usize, noun: &str, most: usize) -> String {
    format!("has {}; the database can hold at most {most} in this field; shorten it", count_noun(count as u64, noun))
}

/// The rows in which the texts of `fields` have more than `most` bytes together, with these bytes. A missing value has none.
fn find_long_texts(fields: &[FieldIndex], most: usize, columns: &[ArrayRef]) -> Vec<(usize, usize)> {
    let texts: Vec<_> = fields.iter().map(|at| columns[at.get()].as_string::<i32>()).collect();
    let whole: usize = texts.iter().map(|text| text.value_data().len()).sum();
    // Nearly always the whole block has fewer, and no row is looked at.
    let rows = if whole > most { texts.first().map_or(0, |text| text.len()) } else { 0 };
    let bytes = |row: usize| texts.iter().filter(|text| text.is_valid(row)).map(|text| text.value(row).len()).sum();
    (0..rows).map(|row| (row, bytes(row))).filter(|(_, bytes)| *bytes > most).collect()
}

/// The cells of a block as they stand in the source, for errors.
pub(super) struct BlockCells<'a> {
    pub(super) block: &'a CellBlock<'a>,
    pub(super) schema: &'a TableSchema,
    /// For each field the column of the source.
    pub(super) columns: &'a [Option<usize>],
}

impl BlockCells<'_> {
    fn cell_text(&self, field: FieldIndex, row: usize) -> &str {
        self.columns[field.get()].and_then(|column| self.block.cell_text(row, column)).unwrap_or_default()
    }

    fn limit_error(&self, field: FieldIndex, row: usize, problem: &impl Display) -> Option<FoundError> {
        let (name, text) = (&self.schema[field].name, self.cell_text(field, row));
        let message = format!("field {}: {} {problem}", quote_shortened(name), quote_shortened(text));
        let error = CellError::new(ErrorCode::TargetLimit, Some(Arc::clone(name)), Some(text), message);
        Some(FoundError { record: u32::try_from(row).ok()?, field: u32::try_from(field.get()).ok()?, error })
    }

    /// The error of a row whose texts are too long only together.
    fn row_error(&self, limit: &RowLimit, row: usize, bytes: usize) -> Option<FoundError> {
        if limit.fields.iter().any(|&field| self.cell_text(field, row).len() > limit.field_bytes) {
            return None;
        }
        let message = format!(
            "the texts of the row have {} together; the database can hold at most {} in a row; shorten them",
            count_noun(bytes as u64, "byte"),
            limit.bytes
        );
        let error = CellError::new(ErrorCode::TargetLimit, None, None, message);
        Some(FoundError { record: u32::try_from(row).ok()?, field: FoundError::AFTER_FIELDS, error })
    }

    fn key_error(&self, key: &KeyLimit, row: usize, bytes: usize) -> Option<FoundError> {
        let name = self.schema.key_name(&key.fields);
        let message = format!(
            "the key {} has {}; the database can hold at most {} in a key; shorten it",
            quote_shortened(&name),
            count_noun(bytes as u64, "byte"),
            key.bytes
        );
        let texts: Vec<&str> = key.fields.iter().map(|&field| self.cell_text(field, row)).collect();
        let error = CellError::new(ErrorCode::TargetLimit, Some(name), Some(&texts.join(",")), message);
        Some(FoundError {
            record: u32::try_from(row).ok()?,
            field: u32::try_from(key.fields.first()?.get()).ok()?,
            error,
        })
    }
}

#[cfg(test)]
mod tests;
