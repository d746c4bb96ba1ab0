//! Snapshots: all tables as they were at one moment, with nothing left out.

use landfall_engine::targets::{Snapshot, Table};

use crate::{
    ground::Ground,
    tables::{Row, all, insert, prepared, row, rows_of, table, within},
};

fn two_tables() -> [Table; 2] {
    let schema = "{fields: [{name: id, type: integer}, {name: v, type: datetime}], primaryKey: id}";
    ["first", "second"].map(|name| table(name, schema))
}

fn read(snapshot: &mut dyn Snapshot, table: &Table) -> Vec<Row> {
    let mut rows = Vec::new();
    snapshot
        .visit_rows(table, &all(table), &mut |batch| {
            rows.extend(rows_of(&batch));
            Ok(())
        })
        .unwrap();
    rows.sort_by_key(|row| format!("{row:?}"));
    rows
}

fn all_tables_are_of_one_moment_while_others_write(ground: &Ground) {
    let tables = two_tables();
    let mut target = prepared(ground, &tables);
    let value = landfall_core::keys::Scalar::Datetime(1);
    within(&mut *target, |transaction| {
        assert_eq!(insert(transaction, &tables[0], &[row![1i64, value.clone()]]), []);
        assert_eq!(insert(transaction, &tables[1], &[row![1i64, value.clone()]]), []);
    });
    let mut reader = ground.read();
    let mut snapshot = reader.take_snapshot().unwrap();
    assert!(!snapshot.describe_moment().is_empty());
    let before = [row![1i64, value.clone()]];
    assert_eq!(read(&mut *snapshot, &tables[0]), before);
    within(&mut *target, |transaction| {
        assert_eq!(insert(transaction, &tables[0], &[row![2i64, value.clone()]]), []);
        assert_eq!(insert(transaction, &tables[1], &[row![2i64, value.clone()]]), []);
    });
    assert_eq!(read(&mut *snapshot, &tables[1]), before, "the second table is of the moment of the first");
    assert_eq!(read(&mut *snapshot, &tables[0]), before);
    drop(snapshot);
    let mut later = reader.take_snapshot().unwrap();
    assert_eq!(read(&mut *later, &tables[1]).len(), 2);
}

fn a_table_that_is_not_there_is_told(ground: &Ground) {
    let [first, second] = two_tables();
    let mut target = prepared(ground, std::slice::from_ref(&first));
    let mut snapshot = target.take_snapshot().unwrap();
    assert!(snapshot.has_table(&first).unwrap());
    assert!(!snapshot.has_table(&second).unwrap());
}

fn whoever_reads_may_end_it(ground: &Ground) {
    let [first, _] = two_tables();
    let mut target = prepared(ground, std::slice::from_ref(&first));
    let rows: Vec<Row> = (0..20_000i64).map(|id| row![id, landfall_core::keys::Scalar::Null]).collect();
    within(&mut *target, |transaction| assert_eq!(insert(transaction, &first, &rows), []));
    let mut snapshot = target.take_snapshot().unwrap();
    let mut batches = 0;
    let ended = snapshot.visit_rows(&first, &all(&first), &mut |_| {
        batches += 1;
        Err(landfall_engine::Error::Cancelled)
    });
    assert!(matches!(ended, Err(landfall_engine::Error::Cancelled)), "{ended:?}");
    assert_eq!(batches, 1);
    drop(snapshot);
    assert_eq!(target.row_count(&first).unwrap(), 20_000);
}

/// A backup that leaves out what it cannot make sense of is no backup.
fn what_no_field_holds_is_an_error(ground: &Ground) {
    let [first, _] = two_tables();
    let mut target = prepared(ground, std::slice::from_ref(&first));
    ground.sql(ground.store_no_datetime());
    let mut snapshot = target.take_snapshot().unwrap();
    let error = snapshot.visit_rows(&first, &all(&first), &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("\"first\"") && error.contains("\"v\"") && error.contains("another program"), "{error}");
}

contract! {
    all_tables_are_of_one_moment_while_others_write,
    a_table_that_is_not_there_is_told,
    whoever_reads_may_end_it,
}

contract_in_sql! { what_no_field_holds_is_an_error }
