//! Values that were read from a database, as a batch.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, Field as ArrowField, Schema};
use landfall_core::{keys::Scalar, schema::FieldType, validate::arrow_field};

use super::Table;

/// A batch of the fields at `positions` of `table`, with the values of each in `columns`, which are taken away. A value
/// that is not of its field's type, as another program may have stored it, is missing.
pub(super) fn batch(
    table: &Table,
    positions: &[usize],
    columns: &mut [Vec<Scalar>],
) -> Result<RecordBatch, ArrowError> {
    let columns = positions.iter().zip(columns).map(|(&at, values)| {
        let field = &table.schema.fields[at];
        let array = array(&field.kind, std::mem::take(values));
        (arrow_field(field, array.data_type().clone()), array)
    });
    let (fields, arrays): (Vec<ArrowField>, Vec<ArrayRef>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn array(kind: &FieldType, values: Vec<Scalar>) -> ArrayRef {
    macro_rules! collect {
        ($array:ty, $variant:path) => {
            Arc::new(
                values
                    .into_iter()
                    .map(|value| if let $variant(v) = value { Some(v) } else { None })
                    .collect::<$array>(),
            )
        };
    }
    match kind {
        FieldType::Integer { .. } | FieldType::Year => collect!(Int64Array, Scalar::Integer),
        FieldType::Boolean(_) => collect!(BooleanArray, Scalar::Boolean),
        FieldType::Date(_) => collect!(Date32Array, Scalar::Date),
        FieldType::Time(_) => collect!(Time64MicrosecondArray, Scalar::Time),
        FieldType::Datetime { .. } => collect!(TimestampMicrosecondArray, Scalar::Datetime),
        FieldType::Number(_) => collect!(StringArray, Scalar::Number),
        _ => collect!(StringArray, Scalar::Text),
    }
}
