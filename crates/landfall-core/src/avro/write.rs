//! A table's rows as Avro: the schema that describes them, and their bytes.
//!
//! | type of the field | Avro |
//! |---|---|
//! | integer, year | long |
//! | number | bytes, `decimal` (see [`NumberForm`]), or string |
//! | boolean | boolean |
//! | date | int, `date` |
//! | time | long, `time-micros` |
//! | datetime | long, `timestamp-micros` |
//! | string of the format uuid | string, `uuid` |
//! | all others | string: the stored text |
//!
//! Numbers are written by value: `1.50` and `1.5` are one. A field that may be missing is a union with null. What Avro cannot say stands in properties: `landfall.type` (of each field),
//! `landfall.field` (the field's name, where Avro cannot take it), `landfall.table` and `landfall.schema_json` (of the record: the Table
//! Schema). For one schema there is one way to write a row: so its bytes can be compared and digested.

use arrow_array::{
    Array, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, cast::AsArray,
};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Map, Value, json};

use super::{
    decimal,
    name::{UniqueNames, record_name},
    schema::MOST_TEXT,
    varint::put_long,
};
use crate::{
    schema::{Field, FieldIndex, FieldType, StringFormat, TableSchema, to_standard::write_schema},
    validate::decimal::{count_digits, write_reduced},
};

/// How the numbers of a field are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NumberForm {
    /// With this many digits in all, and after the point.
    Decimal {
        /// All digits.
        precision: u32,
        /// Those after the point.
        scale: u32,
    },
    /// As text: some of them have no such form, or too many digits.
    #[default]
    Text,
}

/// What is known of the numbers of a field: which form can hold them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NumberSpan {
    whole: u64,
    fraction: u64,
    others: bool,
}

impl NumberSpan {
    /// The most digits of a decimal; what has more is written as text.
    const MOST: u64 = 1000;

    /// Takes a number in.
    pub fn widen(&mut self, text: &str) {
        let mut plain = String::new();
        match write_reduced(text, &mut plain).then(|| count_digits(&plain)).flatten() {
            Some((whole, fraction)) => {
                self.whole = self.whole.max(whole);
                self.fraction = self.fraction.max(fraction);
            }
            None => self.others = true,
        }
    }

    /// The form that holds all of them.
    #[must_use]
    pub fn narrowest_form(self) -> NumberForm {
        let digits = self.whole.saturating_add(self.fraction).max(1);
        match (u32::try_from(digits), u32::try_from(self.fraction)) {
            (Ok(precision), Ok(scale)) if !self.others && digits <= Self::MOST => {
                NumberForm::Decimal { precision, scale }
            }
            _ => NumberForm::Text,
        }
    }
}

/// A value that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    /// The row's position in its batch.
    pub row: usize,
    /// The field's position in the schema.
    pub field: FieldIndex,
}

/// Writes the rows of a table.
#[derive(Debug, Clone)]
pub struct RowWriter {
    schema: String,
    fields: Vec<FieldWriter>,
}

/// How a field is written.
#[derive(Debug, Clone, Copy)]
struct FieldWriter {
    nullable: bool,
    form: ValueForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueForm {
    Long,
    Boolean,
    Date,
    Text,
    Decimal { scale: u32 },
    Number,
}

impl RowWriter {
    /// A writer of rows of the table called `name`, whose fields of the type `number` have the forms of `numbers`, in their order.
    #[must_use]
    pub fn new(name: &str, schema: &TableSchema, numbers: &[NumberForm]) -> Self {
        let mut numbers = numbers.iter().copied();
        let mut names = UniqueNames::default();
        let (mut fields, mut told) = (Vec::new(), Vec::new());
        for (at, field) in schema.positioned_fields() {
            let number = match field.kind {
                FieldType::Number(_) => numbers.next().unwrap_or_default(),
                _ => NumberForm::Text,
            };
            let nullable = !field.constraints.required && !schema.primary_key.contains(&at);
            told.push(describe_field(field, number, nullable, &mut names));
            fields.push(FieldWriter { nullable, form: form(&field.kind, number) });
        }
        let mut record = Map::new();
        record.insert("type".into(), json!("record"));
        record.insert("name".into(), json!(record_name(name)));
        record.insert("fields".into(), told.into());
        record.insert("landfall.table".into(), json!(name));
        let own = write_schema(schema);
        // Nobody needs it to read the rows, and a schema of more bytes is not read: a long `enum` must not make a file useless.
        if own.to_string().len() <= MOST_TEXT / 4 {
            record.insert("landfall.schema".into(), own);
        }
        Self { schema: Value::Object(record).to_string(), fields }
    }

    /// The Avro schema, as JSON.
    #[must_use]
    pub fn schema_json(&self) -> &str {
        &self.schema
    }

    /// Appends the rows of `batch`, which has all fields in the schema's order, to `out`, and the position behind each to `ends`.
    ///
    /// # Errors
    /// The first value that the schema has no place for: nothing where there must be a value, or a number of another form than
    /// was said.
    pub fn write(&self, batch: &RecordBatch, out: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<(), Unwritable> {
        let columns: Vec<ColumnCells<'_>> = self
            .fields
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| ColumnCells::new(field.form, column))
            .collect();
        for row in 0..batch.num_rows() {
            for (at, (field, cells)) in self.fields.iter().zip(&columns).enumerate() {
                if cells.is_null(row) {
                    if !field.nullable {
                        return Err(Unwritable { row, field: at.into() });
                    }
                    // The number of the branch: null is 0, and the value is 1, which Avro writes as 2.
                    out.push(0);
                    continue;
                }
                if field.nullable {
                    out.push(2);
                }
                if !cells.write_cell(row, out) {
                    return Err(Unwritable { row, field: at.into() });
                }
            }
            ends.push(out.len());
        }
        Ok(())
    }
}

const fn form(kind: &FieldType, number: NumberForm) -> ValueForm {
    match kind {
        FieldType::Integer { .. } | FieldType::Year | FieldType::Time(_) | FieldType::Datetime { .. } => {
            ValueForm::Long
        }
        FieldType::Boolean(_) => ValueForm::Boolean,
        FieldType::Date(_) => ValueForm::Date,
        FieldType::Number(_) => match number {
            NumberForm::Decimal { scale, .. } => ValueForm::Decimal { scale },
            NumberForm::Text => ValueForm::Number,
        },
        _ => ValueForm::Text,
    }
}

/// A field as the schema tells it.
fn describe_field(field: &Field, number: NumberForm, nullable: bool, names: &mut UniqueNames) -> Value {
    let logical = |base: &str, logical: &str| json!({"type": base, "logicalType": logical});
    let plain = match (&field.kind, number) {
        (FieldType::Integer { .. } | FieldType::Year, _) => json!("long"),
        (FieldType::Boolean(_), _) => json!("boolean"),
        (FieldType::Date(_), _) => logical("int", "date"),
        (FieldType::Time(_), _) => logical("long", "time-micros"),
        (FieldType::Datetime { .. }, _) => logical("long", "timestamp-micros"),
        (FieldType::String(StringFormat::Uuid), _) => logical("string", "uuid"),
        (FieldType::Number(_), NumberForm::Decimal { precision, scale }) => {
            json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
        }
        _ => json!("string"),
    };
    let name = names.make_unique(&field.name);
    let mut out = Map::new();
    out.insert("name".into(), json!(name));
    if let Some(doc) = field.description.as_ref().or(field.title.as_ref()) {
        out.insert("doc".into(), json!(doc));
    }
    // Null first: Avro wants a default value to be of the first branch.
    if nullable {
        out.insert("type".into(), json!(["null", plain]));
        out.insert("default".into(), Value::Null);
    } else {
        out.insert("type".into(), plain);
    }
    out.insert("landfall.type".into(), json!(field.kind.name()));
    if *name != *field.name {
        out.insert("landfall.field".into(), json!(&*field.name));
    }
    Value::Object(out)
}

/// A column of a batch.
enum ColumnCells<'a> {
    Integer(&'a Int64Array),
    Boolean(&'a BooleanArray),
    Date(&'a Date32Array),
    Time(&'a Time64MicrosecondArray),
    Datetime(&'a TimestampMicrosecondArray),
    Text(&'a StringArray),
    Number(&'a StringArray),
    Decimal(&'a StringArray, u32),
    /// Of another type than the field's: nothing of it can be written.
    Other(&'a dyn Array),
}

impl<'a> ColumnCells<'a> {
    fn new(form: ValueForm, column: &'a dyn Array) -> Self {
        match (form, column.data_type()) {
            (ValueForm::Long, DataType::Int64) => Self::Integer(column.as_primitive()),
            (ValueForm::Long, DataType::Time64(TimeUnit::Microsecond)) => Self::Time(column.as_primitive()),
            (ValueForm::Long, DataType::Timestamp(TimeUnit::Microsecond, _)) => Self::Datetime(column.as_primitive()),
            (ValueForm::Boolean, DataType::Boolean) => Self::Boolean(column.as_boolean()),
            (ValueForm::Date, DataType::Date32) => Self::Date(column.as_primitive()),
            (ValueForm::Text, DataType::Utf8) => Self::Text(column.as_string()),
            (ValueForm::Number, DataType::Utf8) => Self::Number(column.as_string()),
            (ValueForm::Decimal { scale }, DataType::Utf8) => Self::Decimal(column.as_string(), scale),
            _ => Self::Other(column),
        }
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Integer(column) => column.is_null(row),
            Self::Boolean(column) => column.is_null(row),
            Self::Date(column) => column.is_null(row),
            Self::Time(column) => column.is_null(row),
            Self::Datetime(column) => column.is_null(row),
            Self::Text(column) | Self::Number(column) | Self::Decimal(column, ..) => column.is_null(row),
            Self::Other(column) => column.is_null(row),
        }
    }

    /// Writes a value; `false` where it has no place in the schema.
    #[inline]
    fn write_cell(&self, row: usize, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Integer(column) => put_long(column.value(row), out),
            Self::Time(column) => put_long(column.value(row), out),
            Self::Datetime(column) => put_long(column.value(row), out),
            Self::Date(column) => put_long(column.value(row).into(), out),
            Self::Boolean(column) => out.push(u8::from(column.value(row))),
            Self::Text(column) => put_bytes(column.value(row).as_bytes(), out),
            Self::Number(column) => {
                let mut text = String::new();
                if !write_reduced(column.value(row), &mut text) {
                    return false;
                }
                put_bytes(text.as_bytes(), out);
            }
            Self::Decimal(column, scale) => return decimal::push_decimal(column.value(row), *scale, out),
            Self::Other(_) => return false,
        }
        true
    }
}

#[inline]
fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_long(i64::try_from(bytes.len()).unwrap_or(i64::MAX), out);
    out.extend_from_slice(bytes);
}
