//! Against a real MariaDB: what the contract of all targets does not ask.

mod connection;
mod failures;
mod values;

use std::{path::Path, sync::Arc};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use landfall_core::schema::{Package, TableSchema};
use testbed::{Mariadb, TestDatabase};

use super::{Mysql, MysqlSettings};
use crate::{
    error::{Error, Result, TargetError},
    ledger::{LoadEntry, Mode, OnConflict},
    targets::{Table, TargetAccess, tables_of},
};

fn fresh() -> TestDatabase {
    Mariadb::shared().fresh_database().expect("a database")
}

fn open(url: &str) -> Result<Mysql> {
    Mysql::open(MysqlSettings::parse(url, Path::new("/")).expect("a URL"), TargetAccess::Write)
}

/// The error that something ended with.
fn fault<T>(outcome: Result<T>) -> TargetError {
    match outcome {
        Err(Error::Target(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it should have failed"),
    }
}

/// A table with this schema, in YAML.
fn table(name: &str, schema: &str) -> Table {
    let text = format!("resources:\n  - {{name: '{name}', path: data.csv, schema: {schema}}}\n");
    let package = Package::from_yaml(&text, "datapackage.yaml").unwrap_or_else(|error| panic!("{error}\n{text}"));
    tables_of(&package).remove(0)
}

/// Numbers with a text that occurs once.
fn people() -> Table {
    table(
        "people",
        "{fields: [{name: id, type: integer}, {name: name, type: string}], primaryKey: id, uniqueKeys: [[name]]}",
    )
}

fn rows(table: &Table, ids: impl IntoIterator<Item = i64>) -> RecordBatch {
    let ids: Vec<i64> = ids.into_iter().collect();
    let names = StringArray::from(ids.iter().map(|id| format!("name {id}")).collect::<Vec<_>>());
    batch(&table.schema, vec![Arc::new(Int64Array::from(ids)), Arc::new(names)])
}

fn batch(schema: &TableSchema, columns: Vec<ArrayRef>) -> RecordBatch {
    let named = schema.fields.iter().zip(columns).map(|(field, column)| (field.name.to_string(), column, true));
    RecordBatch::try_from_iter_with_nullable(named).expect("a batch")
}

fn entry() -> LoadEntry {
    LoadEntry::new("people", "people.csv", Mode::Append, OnConflict::Reject)
}
