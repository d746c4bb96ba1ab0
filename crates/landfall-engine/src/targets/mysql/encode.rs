//! Batches as the text that `LOAD DATA LOCAL INFILE` reads: cells end with a tab, rows with a line feed, and a backslash
//! stands before what would be taken for either, or for itself. `\N` is NULL; nothing at all is the empty text.
//!
//! <https://dev.mysql.com/doc/refman/8.0/en/load-data.html#load-data-field-line-handling>

use std::ops::Range;

use arrow_array::{
    Array, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use landfall_core::validate::render;
use memchr::{memchr_iter, memchr3};

/// How the text is to be read, in SQL. Written in hexadecimal, it means the same whether or not backslashes are escapes
/// in SQL.
pub(super) const FORM: &str =
    "CHARACTER SET utf8mb4 FIELDS TERMINATED BY x'09' ENCLOSED BY '' ESCAPED BY x'5C' LINES TERMINATED BY x'0A'";

/// Adds the rows of `rows` at `selected` to `out`.
pub(super) fn encode_rows(rows: &RecordBatch, selected: &[Range<usize>], out: &mut String) {
    let columns: Vec<EncodingColumn<'_>> =
        rows.columns().iter().map(|column| EncodingColumn::new(column.as_ref())).collect();
    for row in selected.iter().cloned().flatten() {
        let mut between = "";
        for column in &columns {
            out.push_str(between);
            column.write(row, out);
            between = "\t";
        }
        out.push('\n');
    }
}

/// A column that knows how to write its values.
enum EncodingColumn<'a> {
    Integers(&'a Int64Array),
    Booleans(&'a BooleanArray),
    Dates(&'a Date32Array),
    Times(&'a Time64MicrosecondArray),
    Datetimes(&'a TimestampMicrosecondArray),
    /// Text, and whether any of it needs a backslash: seen once for the column, since hardly any does.
    Texts(&'a StringArray, bool),
}

impl<'a> EncodingColumn<'a> {
    fn new(column: &'a dyn Array) -> Self {
        let any = column.as_any();
        match column.data_type() {
            DataType::Int64 => any.downcast_ref().map(Self::Integers),
            DataType::Boolean => any.downcast_ref().map(Self::Booleans),
            DataType::Date32 => any.downcast_ref().map(Self::Dates),
            DataType::Time64(TimeUnit::Microsecond) => any.downcast_ref().map(Self::Times),
            DataType::Timestamp(TimeUnit::Microsecond, _) => any.downcast_ref().map(Self::Datetimes),
            DataType::Utf8 => {
                any.downcast_ref().map(|texts: &StringArray| Self::Texts(texts, needs_escape(texts.value_data())))
            }
            _ => None,
        }
        .unwrap_or_else(|| unreachable!("the validator makes no column of type {}", column.data_type()))
    }

    #[inline]
    fn write(&self, row: usize, out: &mut String) {
        match self {
            Self::Texts(column, false) if column.is_valid(row) => out.push_str(column.value(row)),
            Self::Texts(column, true) if column.is_valid(row) => push_escaped(column.value(row), out),
            Self::Integers(column) if column.is_valid(row) => render::integer_text(column.value(row), out),
            Self::Booleans(column) if column.is_valid(row) => out.push(if column.value(row) { '1' } else { '0' }),
            Self::Dates(column) if column.is_valid(row) => render::push_date(column.value(row), out),
            Self::Times(column) if column.is_valid(row) => render::push_time(column.value(row), out),
            Self::Datetimes(column) if column.is_valid(row) => {
                render::datetime_text(column.value(row), out);
                // The zone is the session's, and the server takes no letter for it.
                out.pop();
            }
            _ => out.push_str("\\N"),
        }
    }
}

/// Whether `bytes` have one that needs a backslash.
fn needs_escape(bytes: &[u8]) -> bool {
    memchr3(b'\\', b'\t', b'\n', bytes).is_some() || memchr_iter(0, bytes).next().is_some()
}

/// Writes `text` with a backslash before what needs one.
fn push_escaped(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\0']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\t' => "\\t",
            b'\n' => "\\n",
            _ => "\\0",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::ArrayRef;
    use proptest::prelude::*;

    use super::*;

    fn all_written(columns: Vec<ArrayRef>) -> String {
        let every = 0..columns[0].len();
        written(columns, std::slice::from_ref(&every))
    }

    fn written(columns: Vec<ArrayRef>, selected: &[Range<usize>]) -> String {
        let named = columns.into_iter().enumerate().map(|(at, column)| (format!("c{at}"), column, true));
        let rows = RecordBatch::try_from_iter_with_nullable(named).expect("a batch");
        let mut out = String::new();
        encode_rows(&rows, selected, &mut out);
        out
    }

    #[test]
    fn values_of_all_types() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
            Arc::new(BooleanArray::from(vec![Some(true), None])),
            Arc::new(Date32Array::from(vec![Some(18_938), None])),
            Arc::new(Time64MicrosecondArray::from(vec![Some(1), None])),
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_636_253_322_000_001), None]).with_timezone("UTC")),
            Arc::new(StringArray::from(vec![Some(""), None])),
        ];
        assert_eq!(
            all_written(columns),
            "-9223372036854775808\t1\t2021-11-07\t00:00:00.000001\t2021-11-07T02:48:42.000001\t\n\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n"
        );
    }

    #[test]
    fn marks_of_the_form_get_a_backslash() {
        let texts = StringArray::from(vec!["a\tb\nc\\d\0e", "\\N", "plain"]);
        assert_eq!(all_written(vec![Arc::new(texts)]), "a\\tb\\nc\\\\d\\0e\n\\\\N\nplain\n");
    }

    #[test]
    fn only_the_rows_selected() {
        let column = Int64Array::from(vec![0, 1, 2, 3]);
        assert_eq!(written(vec![Arc::new(column)], &[0..1, 2..4]), "0\n2\n3\n");
    }

    /// Reads a line as the server does, by the page named at the head of the file.
    fn read_back(line: &str) -> Vec<Option<String>> {
        let mut cells = vec![Some(String::new())];
        let mut chars = line.chars();
        while let Some(char) = chars.next() {
            let last = cells.last_mut().expect("a cell");
            let text = match char {
                '\t' => {
                    cells.push(Some(String::new()));
                    continue;
                }
                '\\' => match chars.next().expect("something escaped") {
                    'N' => {
                        *last = None;
                        continue;
                    }
                    't' => '\t',
                    'n' => '\n',
                    '0' => '\0',
                    other => other,
                },
                other => other,
            };
            last.as_mut().expect("not NULL").push(text);
        }
        cells
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(cells in proptest::collection::vec(proptest::option::of("[\\\\\t\n\0N '\"aé𝄞]{0,8}"), 1..6)) {
            let columns = cells.iter().map(|cell| Arc::new(StringArray::from(vec![cell.as_deref()])) as ArrayRef).collect();
            let text = all_written(columns);
            let line = text.strip_suffix('\n').expect("the row's end");
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(read_back(line), cells);
        }
    }
}
