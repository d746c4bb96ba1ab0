//! Parts of batches, put together: of all types of columns, by the ranges of rows that are wanted.

use std::ops::Range;

use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_data::transform::MutableArrayData;
use arrow_schema::SchemaRef;

/// The rows of all `batches`, whose schema is `schema`, one after the other.
///
/// # Panics
/// A batch with other columns.
#[must_use]
pub fn concat_batches(schema: &SchemaRef, batches: &[&RecordBatch]) -> RecordBatch {
    let whole: Vec<_> = batches.iter().enumerate().map(|(at, batch)| (at, 0..batch.num_rows())).collect();
    gather_rows(schema, batches, &whole)
}

/// The rows of `batch` for which `is_wanted` says so, in their order.
#[must_use]
pub fn filter_rows(batch: &RecordBatch, is_wanted: impl Fn(usize) -> bool) -> RecordBatch {
    take_rows(batch, (0..batch.num_rows()).filter(|&row| is_wanted(row)))
}

/// The rows of `batch` at the positions `rows`, in their order.
///
/// # Panics
/// A position behind the last row.
#[must_use]
pub fn take_rows(batch: &RecordBatch, rows: impl Iterator<Item = usize>) -> RecordBatch {
    let mut ranges: Vec<(usize, Range<usize>)> = Vec::new();
    for row in rows {
        match ranges.last_mut() {
            // Most rows follow each other, and are copied together.
            Some((_, range)) if range.end == row => range.end += 1,
            _ => ranges.push((0, row..row + 1)),
        }
    }
    gather_rows(&batch.schema(), &[batch], &ranges)
}

/// `column` with null at the positions `rows`, in addition to those that it has.
///
/// # Panics
/// A position behind the last value.
#[must_use]
pub fn null_rows(column: &ArrayRef, rows: impl Iterator<Item = usize>) -> ArrayRef {
    let mut is_kept = vec![true; column.len()];
    rows.for_each(|row| is_kept[row] = false);
    let kept = NullBuffer::new(BooleanBuffer::from(is_kept));
    let nulls = NullBuffer::union(column.nulls(), Some(&kept));
    let data = column.to_data().into_builder().nulls(nulls).build();
    make_array(data.expect("a null buffer of the column's length"))
}

/// The ranges of rows of `batches`, one after the other.
fn gather_rows(schema: &SchemaRef, batches: &[&RecordBatch], ranges: &[(usize, Range<usize>)]) -> RecordBatch {
    let count: usize = ranges.iter().map(|(_, range)| range.len()).sum();
    let columns = (0..schema.fields().len()).map(|at| {
        let data: Vec<_> = batches.iter().map(|batch| batch.column(at).to_data()).collect();
        let mut gathered = MutableArrayData::new(data.iter().collect(), false, count);
        for (batch, range) in ranges {
            let extended = gathered.try_extend(*batch, range.start, range.end);
            extended.expect("a text column of less than 2 GiB, since blocks are bounded");
        }
        make_array(gathered.freeze())
    });
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect(), &options)
        .expect("columns of the schema's types, of equal length")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Date32Array, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(ids: &[Option<i64>]) -> RecordBatch {
        let texts = ids.iter().map(|id| id.map(|id| format!("text {id}")));
        let days = ids.iter().map(|id| id.map(|id| (id % 1000) as i32));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from(ids.to_vec()))),
            ("text", Arc::new(texts.collect::<StringArray>())),
            ("day", Arc::new(days.collect::<Date32Array>())),
            ("even", Arc::new(ids.iter().map(|id| id.map(|id| id % 2 == 0)).collect::<BooleanArray>())),
        ];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
    }

    proptest! {
        #[test]
        fn rows_are_those_of_their_positions(
            ids in prop::collection::vec(prop::option::of(any::<i64>()), 1..50),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
            cut in any::<prop::sample::Index>(),
        ) {
            let all = batch(&ids);
            let rows: Vec<usize> = picks.iter().map(|pick| pick.index(ids.len())).collect();
            let taken: Vec<_> = rows.iter().map(|&row| ids[row]).collect();
            prop_assert_eq!(take_rows(&all, rows.into_iter()), batch(&taken));
            let odd: Vec<_> = ids.iter().copied().enumerate().filter(|(row, _)| row % 3 == 1).map(|(_, id)| id).collect();
            prop_assert_eq!(filter_rows(&all, |row| row % 3 == 1), batch(&odd));
            let at = cut.index(ids.len());
            // Parts of other batches begin at an offset.
            let parts = [all.slice(0, at), all.slice(at, ids.len() - at)];
            prop_assert_eq!(concat_batches(&all.schema(), &parts.each_ref()), all.clone());
            let without: Vec<_> = ids.iter().enumerate().map(|(row, id)| id.filter(|_| row != at)).collect();
            let expected = batch(&without);
            for (column, expected) in all.columns().iter().zip(expected.columns()) {
                prop_assert_eq!(&null_rows(column, std::iter::once(at)), expected);
            }
        }
    }

    #[test]
    fn a_batch_without_columns_keeps_its_number_of_rows() {
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let empty = RecordBatch::try_new_with_options(Arc::new(arrow_schema::Schema::empty()), vec![], &options);
        let empty = empty.expect("a batch");
        assert_eq!(filter_rows(&empty, |row| row < 2).num_rows(), 2);
        assert_eq!(concat_batches(&empty.schema(), &[&empty, &empty]).num_rows(), 6);
        assert_eq!(concat_batches(&empty.schema(), &[]).num_rows(), 0);
    }
}
