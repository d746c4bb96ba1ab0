//! The values of a column, collected into an Arrow array.

use std::{cmp::Ordering, fmt::Debug, sync::Arc};

use arrow_array::{ArrayRef, ArrowPrimitiveType, builder};
use arrow_schema::DataType;

/// The values of a column as they are collected.
pub(in crate::validate) trait ColumnBuilder: Sized {
    /// A value.
    type Value<'a>: Copy;
    /// A value that is kept, for bounds and enums.
    type Owned: Debug + Clone + Send + Sync;
    /// An empty column with room for `rows` values, of `bytes` bytes of text in all.
    fn with_capacity(rows: usize, bytes: usize, data_type: DataType) -> Self;
    /// Adds a value.
    fn push(&mut self, value: Self::Value<'_>);
    /// Adds a null.
    fn push_null(&mut self);
    /// The column as an array.
    fn finish_column(self) -> ArrayRef;
    /// Keeps a value.
    fn to_owned_value(value: Self::Value<'_>) -> Self::Owned;
    /// A kept value.
    fn as_value(value: &Self::Owned) -> Self::Value<'_>;
    /// The order of the stored form.
    fn compare_values(left: Self::Value<'_>, right: Self::Value<'_>) -> Ordering;
}

/// A column of numbers: integers, days, microseconds.
#[derive(Debug)]
pub(in crate::validate) struct PrimitiveColumn<T: ArrowPrimitiveType>(builder::PrimitiveBuilder<T>);

impl<T: ArrowPrimitiveType<Native: Ord>> ColumnBuilder for PrimitiveColumn<T> {
    type Value<'a> = T::Native;
    type Owned = T::Native;

    fn with_capacity(rows: usize, _bytes: usize, data_type: DataType) -> Self {
        Self(builder::PrimitiveBuilder::with_capacity(rows).with_data_type(data_type))
    }

    #[inline(always)]
    fn push(&mut self, value: T::Native) {
        self.0.append_value(value);
    }

    #[inline(always)]
    fn push_null(&mut self) {
        self.0.append_null();
    }

    fn finish_column(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }

    fn to_owned_value(value: T::Native) -> T::Native {
        value
    }

    fn as_value(value: &T::Native) -> T::Native {
        *value
    }

    fn compare_values(left: T::Native, right: T::Native) -> Ordering {
        left.cmp(&right)
    }
}

/// A column of truth values.
#[derive(Debug)]
pub(in crate::validate) struct BooleanColumn(builder::BooleanBuilder);

impl ColumnBuilder for BooleanColumn {
    type Value<'a> = bool;
    type Owned = bool;

    fn with_capacity(rows: usize, _bytes: usize, _data_type: DataType) -> Self {
        Self(builder::BooleanBuilder::with_capacity(rows))
    }

    #[inline(always)]
    fn push(&mut self, value: bool) {
        self.0.append_value(value);
    }

    #[inline(always)]
    fn push_null(&mut self) {
        self.0.append_null();
    }

    fn finish_column(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }

    fn to_owned_value(value: bool) -> bool {
        value
    }

    fn as_value(value: &bool) -> bool {
        *value
    }

    fn compare_values(left: bool, right: bool) -> Ordering {
        left.cmp(&right)
    }
}

/// A column of text.
#[derive(Debug)]
pub(in crate::validate) struct TextColumn(builder::StringBuilder);

impl ColumnBuilder for TextColumn {
    type Value<'a> = &'a str;
    type Owned = String;

    fn with_capacity(rows: usize, bytes: usize, _data_type: DataType) -> Self {
        Self(builder::StringBuilder::with_capacity(rows, bytes))
    }

    #[inline(always)]
    fn push(&mut self, value: &str) {
        self.0.append_value(value);
    }

    #[inline(always)]
    fn push_null(&mut self) {
        self.0.append_null();
    }

    fn finish_column(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }

    fn to_owned_value(value: &str) -> String {
        value.to_owned()
    }

    fn as_value(value: &String) -> &str {
        value
    }

    fn compare_values(left: &str, right: &str) -> Ordering {
        left.cmp(right)
    }
}
