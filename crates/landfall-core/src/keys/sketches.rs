//! What rows looked like: one byte for each, by which two rows with the same key can be told apart without looking at both.

use std::collections::HashMap;

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Date32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType},
};
use arrow_schema::{DataType, TimeUnit};
use foldhash::fast::FixedState;

use super::columns::RowKey;
use crate::validate::is_number_column;

/// Keys of a page: the low bits of an integer.
const PAGE_BITS: u32 = 16;
/// Pages of 64 KiB: with more, the keys are too sparse for this to be worth its memory.
const MOST_PAGES: usize = 1024;
/// What a missing value adds to a sketch.
const MISSING: u64 = 0x9ae1_6a3b_2f90_404f;

/// The sketches of rows with keys of one integer: a byte for each, in bounded memory.
#[derive(Debug, Clone, Default)]
pub struct RowSketches {
    pages: Vec<Box<[u8]>>,
    index: HashMap<i64, usize, FixedState>,
    /// The page that was used last: consecutive ids share it.
    last: Option<(i64, usize)>,
}

impl RowSketches {
    /// The sketch of the row with `key`, where it was noted.
    #[must_use]
    pub fn get(&self, key: RowKey) -> Option<u8> {
        let RowKey::Integer(value) = key else { return None };
        let at = *self.index.get(&(value >> PAGE_BITS))?;
        Some(self.pages[at][low(value)]).filter(|&sketch| sketch != 0)
    }

    /// Notes the sketch of the row with `key`. False where there is no room for it, nor for most that are to come.
    #[inline]
    #[must_use]
    pub fn insert(&mut self, key: RowKey, sketch: u8) -> bool {
        // A key with a missing value is compared with none, so that nothing need be noted.
        let RowKey::Integer(value) = key else { return true };
        let page = value >> PAGE_BITS;
        let at = match self.last {
            Some((last, at)) if last == page => at,
            _ => match self.find_page(page) {
                Some(at) => at,
                None => return false,
            },
        };
        self.pages[at][low(value)] = sketch;
        true
    }

    fn find_page(&mut self, page: i64) -> Option<usize> {
        let next = self.pages.len();
        let at = *self.index.entry(page).or_insert(next);
        if at == next {
            if next == MOST_PAGES {
                // Taken out again: an entry without its page would be read beyond the end of `pages`.
                self.index.remove(&page);
                return None;
            }
            self.pages.push(vec![0; 1 << PAGE_BITS].into_boxed_slice());
        }
        self.last = Some((page, at));
        Some(at)
    }
}

/// The place of `value` on its page.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low sixteen bits are what is wanted")]
const fn low(value: i64) -> usize {
    value as u16 as usize
}

/// The sketch of each row of `batch`, never 0. Rows with other sketches differ in a value; those with the same one need not
/// be equal. Of long texts only the ends are looked at, and numbers not at all, since those that are written differently may
/// be equal.
#[must_use]
pub fn sketch_rows(batch: &RecordBatch) -> Vec<u8> {
    let mut states = vec![0_u64; batch.num_rows()];
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        // Equal numbers may have different texts, and equal rows must have equal sketches.
        if !is_number_column(field) {
            mix_column(column.as_ref(), &mut states);
        }
    }
    // 0 means that no row was noted.
    states.iter().map(|&state| ((state >> 32) % 255) as u8 + 1).collect()
}

/// Adds a column's values to the state of each row.
#[expect(clippy::cast_sign_loss, reason = "the bits are what is wanted")]
fn mix_column(column: &dyn Array, states: &mut [u64]) {
    match column.data_type() {
        DataType::Int64 => mix_values(column, states, |row| column.as_primitive::<Int64Type>().value(row) as u64),
        DataType::Boolean => mix_values(column, states, |row| u64::from(column.as_boolean().value(row))),
        DataType::Date32 => mix_values(column, states, |row| column.as_primitive::<Date32Type>().value(row) as u64),
        DataType::Time64(TimeUnit::Microsecond) => {
            mix_values(column, states, |row| column.as_primitive::<Time64MicrosecondType>().value(row) as u64);
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            mix_values(column, states, |row| column.as_primitive::<TimestampMicrosecondType>().value(row) as u64);
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            mix_values(column, states, |row| sample_text(texts.value(row).as_bytes()));
        }
        // Values that are not looked at tell nothing apart, and do no harm.
        _ => {}
    }
}

fn mix_values(column: &dyn Array, states: &mut [u64], value: impl Fn(usize) -> u64) {
    let nulls = column.nulls();
    for (row, state) in states.iter_mut().enumerate() {
        let value = if nulls.is_some_and(|nulls| nulls.is_null(row)) { MISSING } else { value(row) };
        // Steele, Lea, Flood: a round of `SplitMix64`.
        let mixed = (*state ^ value).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        *state = mixed ^ (mixed >> 29);
    }
}

/// The length of a text, its first eight bytes and its last eight.
fn sample_text(text: &[u8]) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, &byte| (word << 8) | u64::from(byte));
    let eight = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
    let (first, last) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => (eight(first), eight(last)),
        _ => (word(text), 0),
    };
    first ^ last.rotate_left(32).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (text.len() as u64).wrapping_mul(MISSING)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch, StringArray};
    use arrow_schema::{DataType, Schema};

    use super::{RowKey, RowSketches, sketch_rows};
    use crate::{
        schema::{Constraints, Field, FieldType, NumberFormat, StringFormat},
        validate::arrow_field,
    };

    fn batch(kind: FieldType, ids: &[Option<i64>], texts: &[Option<&str>]) -> RecordBatch {
        let field = |name: &str, kind: FieldType, data: DataType| {
            let constraints = Constraints::default();
            let field = Field {
                name: name.into(),
                title: None,
                description: None,
                kind,
                constraints,
                missing_values: Vec::new(),
            };
            arrow_field(&field, data)
        };
        let id = field("id", FieldType::Year, DataType::Int64);
        let text = field("text", kind, DataType::Utf8);
        let columns: [Arc<dyn arrow_array::Array>; 2] =
            [Arc::new(Int64Array::from(ids.to_vec())), Arc::new(StringArray::from(texts.to_vec()))];
        RecordBatch::try_new(Arc::new(Schema::new(vec![id, text])), columns.to_vec()).expect("two columns")
    }

    #[test]
    fn equal_rows_have_equal_sketches_and_most_others_have_not() {
        let texts: Vec<String> = (0..2000).map(|at| format!("{at} and something longer {at}")).collect();
        let texts: Vec<_> = texts.iter().map(|text| Some(text.as_str())).collect();
        let ids: Vec<_> = (0..2000).map(|at| Some(at / 100)).collect();
        let string = || FieldType::String(StringFormat::Default);
        let all = sketch_rows(&batch(string(), &ids, &texts));
        assert_eq!(all, sketch_rows(&batch(string(), &ids, &texts)));
        let alike = all.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(alike < 30 && !all.contains(&0), "{alike} of 1999 pairs look alike");
        let told = sketch_rows(&batch(
            string(),
            &[Some(1), None, Some(1), Some(1), Some(2)],
            &[Some("a"), Some("a"), None, Some(""), Some("a")],
        ));
        for at in 1..told.len() {
            assert_ne!(told[0], told[at], "row {at}");
        }
    }

    #[test]
    fn numbers_that_are_written_differently_look_alike() {
        let number = FieldType::Number(NumberFormat::default());
        let told = sketch_rows(&batch(number, &[Some(1), Some(1)], &[Some("1.0"), Some("1.00")]));
        assert_eq!(told[0], told[1]);
    }

    #[test]
    fn sketches_of_sparse_keys_are_given_up() {
        let mut known = RowSketches::default();
        assert!((0..100_000).all(|value| known.insert(RowKey::Integer(value - 50_000), (value % 255) as u8 + 1)));
        assert_eq!(known.get(RowKey::Integer(7 - 50_000)), Some(8));
        assert_eq!(
            (known.get(RowKey::Integer(60_000)), known.get(RowKey::Integer(1 << 40)), known.get(RowKey::Null)),
            (None, None, None)
        );
        let noted = (0..100_000).filter(|value| known.insert(RowKey::Integer(value << 20), 1)).count();
        assert!(noted < 1100, "{noted}");
    }
}
