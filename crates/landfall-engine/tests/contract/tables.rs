//! Tables and rows for tests.

use std::{ops::Range, sync::Arc};

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use landfall_core::{
    keys::{Scalar, ScalarRef, scalars_of_row},
    schema::{FieldIndex, Package},
    validate::{ColumnMap, Validator},
};
use landfall_engine::targets::{Fence, Pace, RefusedRow, Table, Target, TargetRead, Transaction, tables_of};

/// The values of a row.
pub(crate) type Row = Vec<Scalar>;

/// A row of integers, texts, truth values and `()` for NULL.
macro_rules! row {
    ($($value:expr),* $(,)?) => { Vec::from([$(crate::tables::Value::scalar($value)),*]) };
}
pub(crate) use row;

/// What can stand in [`row!`].
pub(crate) trait Value {
    fn scalar(self) -> Scalar;
}

impl Value for i64 {
    fn scalar(self) -> Scalar {
        Scalar::Integer(self)
    }
}

impl Value for &str {
    fn scalar(self) -> Scalar {
        Scalar::Text(self.to_owned())
    }
}

impl Value for bool {
    fn scalar(self) -> Scalar {
        Scalar::Boolean(self)
    }
}

impl Value for () {
    fn scalar(self) -> Scalar {
        Scalar::Null
    }
}

impl Value for Scalar {
    fn scalar(self) -> Scalar {
        self
    }
}

/// The tables of a data package in YAML, of which `resources` is the list.
pub(crate) fn tables(resources: &str) -> Vec<Table> {
    tables_of(&package(resources))
}

/// The data package with these resources.
pub(crate) fn package(resources: &str) -> Package {
    let text = format!("resources:\n{resources}");
    Package::from_yaml(&text, "datapackage.yaml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A resource in YAML: its name, and its schema in the flow style.
pub(crate) fn resource(name: &str, schema: &str) -> String {
    let name = name.replace('\'', "''");
    format!("  - {{name: '{name}', path: data.csv, schema: {schema}}}\n")
}

/// The table with this name and schema.
pub(crate) fn table(name: &str, schema: &str) -> Table {
    tables(&resource(name, schema)).remove(0)
}

/// People with a number, a name that occurs once, and a note.
pub(crate) fn people() -> Table {
    table(
        "people",
        "{fields: [{name: id, type: integer}, {name: name, type: string}, {name: note, type: string}], \
         primaryKey: id, uniqueKeys: [[name]]}",
    )
}

/// Teams, and their members who each name one.
pub(crate) fn teams_and_members() -> (Table, Table) {
    let teams = "{fields: [{name: id, type: integer}, {name: name, type: string}], primaryKey: id}";
    let members = "{fields: [{name: id, type: integer}, {name: team, type: integer}], primaryKey: id, \
                   foreignKeys: [{fields: team, reference: {resource: teams, fields: id}}]}";
    let mut both = tables(&format!("{}{}", resource("teams", teams), resource("members", members)));
    let members = both.pop().unwrap();
    (both.pop().unwrap(), members)
}

/// The positions of all fields.
pub(crate) fn all(table: &Table) -> Vec<FieldIndex> {
    table.schema.field_positions().collect()
}

/// The fields at `positions`.
pub(crate) fn fields_at<const N: usize>(positions: [usize; N]) -> [FieldIndex; N] {
    positions.map(FieldIndex::from)
}

/// `rows` as the validator would hand them over.
pub(crate) fn batch(table: &Table, rows: &[Row]) -> RecordBatch {
    let map = ColumnMap::identity(table.schema.fields.len());
    let schema = Validator::new(table.schema.clone(), map).unwrap().row_schema();
    let column = |(at, field): (usize, &Arc<arrow_schema::Field>)| {
        let values: Vec<&Scalar> = rows.iter().map(|row| &row[at]).collect();
        array(field.data_type(), &values)
    };
    let columns = schema.fields().iter().enumerate().map(column).collect();
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

fn array(kind: &DataType, values: &[&Scalar]) -> ArrayRef {
    macro_rules! collect {
        ($array:ty, $($variant:pat => $value:expr),+) => {
            values.iter().map(|value| match value {
                Scalar::Null => None,
                $($variant => Some($value),)+
                other => panic!("{other:?} in a column of {kind}"),
            }).collect::<$array>()
        };
    }
    let array: ArrayRef = match kind {
        DataType::Int64 => Arc::new(collect!(Int64Array, Scalar::Integer(v) => *v)),
        DataType::Boolean => Arc::new(collect!(BooleanArray, Scalar::Boolean(v) => *v)),
        DataType::Date32 => Arc::new(collect!(Date32Array, Scalar::Date(v) => *v)),
        DataType::Time64(TimeUnit::Microsecond) => Arc::new(collect!(Time64MicrosecondArray, Scalar::Time(v) => *v)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            Arc::new(collect!(TimestampMicrosecondArray, Scalar::Datetime(v) => *v).with_timezone_opt(zone.clone()))
        }
        _ => Arc::new(collect!(StringArray, Scalar::Text(v) => v.as_str(), Scalar::Number(v) => v.as_str())),
    };
    assert_eq!(array.data_type(), kind);
    array
}

/// The rows of a batch.
pub(crate) fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let row = |row| scalars_of_row(batch, row).into_iter().map(ScalarRef::to_owned).collect();
    (0..batch.num_rows()).map(row).collect()
}

/// All rows of `table`, in the order of their text.
pub(crate) fn content(read: &dyn TargetRead, table: &Table) -> Vec<Row> {
    let mut rows = Vec::new();
    read.scan_rows(table, &all(table), &mut |batch| rows.extend(rows_of(batch))).unwrap();
    rows.sort_by_key(|row| format!("{row:?}"));
    rows
}

/// Runs `work` in a transaction that is in step, and commits it.
pub(crate) fn within<R>(target: &mut dyn Target, work: impl FnOnce(&mut dyn Transaction) -> R) -> R {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    let outcome = work(&mut *transaction);
    transaction.commit_now().unwrap();
    outcome
}

/// Inserts all `rows`.
pub(crate) fn insert(transaction: &mut dyn Transaction, table: &Table, rows: &[Row]) -> Vec<RefusedRow> {
    let everything: Range<usize> = 0..rows.len();
    transaction.insert_rows(table, &batch(table, rows), &[everything]).unwrap()
}

/// Makes `tables` in a database, and gives a handle.
pub(crate) fn prepared(ground: &crate::ground::Ground, tables: &[Table]) -> Box<dyn Target> {
    let mut target = ground.open();
    target.prepare_tables(tables).unwrap();
    target
}
