//! Rows that the database has something against, found with few statements, while the others go in.

use std::{collections::HashSet, ops::Range};

use arrow_array::RecordBatch;
use landfall_core::{
    keys::{KeyColumns, Scalar, scalar_at},
    schema::{FieldIndex, FieldType},
};
use mysql::Value;

use super::{
    Fence, RefusedRow, Table,
    failure::{MysqlContext as _, is_constraint, mask_row_values, mysql_error, refusal_message},
    load_data::SendTrouble,
    names::quote_name,
    rows::find_rows,
    triggers::{RowsObjection, find_altered_rows},
    values::bind_value,
    work::MysqlWork,
};
use crate::error::Result;

/// Inserts the rows of `batch` at `selected`; those that the database stops are returned.
pub(super) fn insert(
    work: &mut MysqlWork,
    table: &Table,
    batch: &RecordBatch,
    selected: &[Range<usize>],
) -> Result<Vec<RefusedRow>> {
    if selected.iter().all(Range::is_empty) {
        return Ok(Vec::new());
    }
    let rows: Vec<usize> = selected.iter().cloned().flatten().collect();
    let mut refused = match work.try_insert(table, batch, selected)? {
        None => return Ok(Vec::new()),
        Some(RowsObjection::Rows(refused)) => refused,
        // Nearly always a key that another program has taken. One question for all finds these rows.
        Some(RowsObjection::Words(_)) => taken_keys(work, table, batch, &rows)?,
    };
    let taken: HashSet<usize> = refused.iter().map(|refused| refused.row).collect();
    let rest: Vec<usize> = rows.into_iter().filter(|row| !taken.contains(row)).collect();
    if work.fence == Fence::Database {
        work.with_parents_later(table, batch, &rest, |work| insert_by_halves(work, table, batch, &rest, &mut refused))?;
    } else {
        insert_by_halves(work, table, batch, &rest, &mut refused)?;
    }
    // They were found in several ways, and rejects go in the order of their records.
    refused.sort_by_key(|refused| refused.row);
    Ok(refused)
}

/// The rows whose keys the table holds already: another program was there first.
fn taken_keys(work: &mut MysqlWork, table: &Table, batch: &RecordBatch, rows: &[usize]) -> Result<Vec<RefusedRow>> {
    let schema = &table.schema;
    let (mut refused, mut taken) = (Vec::new(), HashSet::new());
    for key in std::iter::once(&schema.primary_key).chain(&schema.unique_keys).filter(|key| !key.is_empty()) {
        let columns = KeyColumns::new(batch, key);
        let values: Vec<Vec<Scalar>> = rows.iter().map(|&row| columns.row_values(row)).collect();
        let found = find_rows(&mut work.connection, table, key, &values)?;
        for (&row, _) in rows.iter().zip(found).filter(|(_, found)| found.is_some()) {
            if taken.insert(row) {
                let message = format!("another row has the same key ({})", schema.key_name(key));
                refused.push(RefusedRow { row, message });
            }
        }
    }
    Ok(refused)
}

/// Inserts `rows`, halves of them where there is trouble, and so on down to one.
fn insert_by_halves(
    work: &mut MysqlWork,
    table: &Table,
    batch: &RecordBatch,
    rows: &[usize],
    refused: &mut Vec<RefusedRow>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let message = match work.try_insert(table, batch, &to_ranges(rows))? {
        None => return Ok(()),
        Some(RowsObjection::Rows(others)) => {
            let out: HashSet<usize> = others.iter().map(|refused| refused.row).collect();
            let rest: Vec<usize> = rows.iter().copied().filter(|row| !out.contains(row)).collect();
            refused.extend(others);
            return insert_by_halves(work, table, batch, &rest, refused);
        }
        Some(RowsObjection::Words(message)) => message,
    };
    if let [row] = rows {
        refused.push(RefusedRow { row: *row, message });
        return Ok(());
    }
    // The server names no row. So many rows cost few statements as long as few of them are bad.
    let (first, second) = rows.split_at(rows.len() / 2);
    insert_by_halves(work, table, batch, first, refused)?;
    insert_by_halves(work, table, batch, second, refused)
}

/// Rows as ranges; they ascend.
fn to_ranges(rows: &[usize]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for &row in rows {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

/// Rows updated by one statement.
const ROWS_PER_UPDATE: usize = 128;

/// Gives the rows of `table` with the primary keys of the rows of `batch` at `selected` their content in `fields`; those that
/// the database stops are returned.
pub(super) fn update_rows(
    work: &mut MysqlWork,
    table: &Table,
    batch: &RecordBatch,
    selected: &[usize],
    fields: &[FieldIndex],
) -> Result<Vec<RefusedRow>> {
    let mut refused = Vec::new();
    let mut rest = selected;
    while !rest.is_empty() {
        // Few different texts of statements, so that they stay prepared.
        let count = ROWS_PER_UPDATE.min(1 << rest.len().ilog2());
        let (some, after) = rest.split_at(count);
        rest = after;
        if some.len() > 1 && update_together(work, table, batch, some, fields)?.is_none() {
            continue;
        }
        for &row in some {
            if let Some(message) = update_together(work, table, batch, &[row], fields)? {
                refused.push(RefusedRow { row, message });
            }
        }
    }
    Ok(refused)
}

/// Updates rows with one statement, all or none; what the server had against that.
fn update_together(
    work: &mut MysqlWork,
    table: &Table,
    batch: &RecordBatch,
    rows: &[usize],
    fields: &[FieldIndex],
) -> Result<SendTrouble> {
    let doing = || format!("cannot update the table {:?}", &*table.name);
    work.connection.run("SAVEPOINT landfall_rows").context(doing)?;
    let sent: Vec<FieldIndex> = table.schema.primary_key.iter().chain(fields).copied().collect();
    let values = rows.iter().flat_map(|&row| sent.iter().map(move |at| bind_value(scalar_at(batch, at.get(), row))));
    let values: Vec<Value> = values.collect();
    let statement = update_statement(table, work.connection.server.collation(), rows.len(), fields);
    let trouble = match work.connection.execute_statement(&statement, values) {
        Ok(done) if done.warnings == 0 && done.rows == rows.len() as u64 => None,
        Ok(done) if done.warnings == 0 => Some("no row has its primary key any more".into()),
        Ok(_) => {
            let warnings = work.connection.read_warnings(&doing)?;
            let words = warnings.into_iter().next().map(|(code, message)| mask_row_values(code, &message));
            Some(words.unwrap_or_else(|| "a value would be changed".into()))
        }
        Err(error) if is_constraint(&error) => refusal_message(&error),
        Err(error) => return Err(mysql_error(&error, &doing())),
    };
    let trouble = match trouble {
        None if work.is_watched(table)? => altered_words(work, table, batch, rows, fields)?,
        other => other,
    };
    if trouble.is_some() {
        work.connection.run("ROLLBACK TO SAVEPOINT landfall_rows").context(doing)?;
    }
    Ok(trouble)
}

/// What stands against rows that were updated, where a trigger altered one of them.
fn altered_words(
    work: &mut MysqlWork,
    table: &Table,
    batch: &RecordBatch,
    rows: &[usize],
    fields: &[FieldIndex],
) -> Result<SendTrouble> {
    Ok(find_altered_rows(&mut work.connection, table, batch, rows, fields)?.map(|objection| match objection {
        RowsObjection::Words(words) => words,
        RowsObjection::Rows(refused) => refused.into_iter().map(|refused| refused.message).take(1).collect(),
    }))
}

/// The statement that updates the fields at `fields` of `count` rows: they are joined to the table as a list of values, those
/// of the primary key first. Each value is told its type, since the servers do not agree on what a bare `?` in a list is.
fn update_statement(table: &Table, collation: &str, count: usize, fields: &[FieldIndex]) -> String {
    let schema = &table.schema;
    let sent: Vec<FieldIndex> = schema.primary_key.iter().chain(fields).copied().collect();
    let values: Vec<String> = sent.iter().map(|&at| typed_placeholder(&schema[at].kind, collation)).collect();
    let named: Vec<String> = sent.iter().zip(&values).map(|(at, value)| format!("{value} AS c{}", at.get())).collect();
    let first = format!("SELECT {}", named.join(", "));
    let other = format!(" UNION ALL SELECT {}", values.join(", "));
    let column = |at: FieldIndex| format!("t.{}", quote_name(&schema[at].name));
    let key: Vec<String> = schema.primary_key.iter().map(|&at| format!("{} = n.c{}", column(at), at.get())).collect();
    // Where there is nothing but the key, it is set to what it is.
    let others = if fields.is_empty() { &schema.primary_key } else { fields };
    let set: Vec<String> = others.iter().map(|&at| format!("{} = n.c{}", column(at), at.get())).collect();
    format!(
        "UPDATE {} AS t JOIN ({first}{}) AS n ON {} SET {}",
        quote_name(&table.name),
        other.repeat(count - 1),
        key.join(" AND "),
        set.join(", ")
    )
}

fn typed_placeholder(kind: &FieldType, collation: &str) -> String {
    match kind {
        FieldType::Integer { .. } | FieldType::Year | FieldType::Boolean(_) => "CAST(? AS SIGNED)".into(),
        FieldType::Number(_) => "CAST(? AS DECIMAL(65,30))".into(),
        FieldType::Date(_) => "CAST(? AS DATE)".into(),
        FieldType::Time(_) => "CAST(? AS TIME(6))".into(),
        FieldType::Datetime { .. } => "CAST(? AS DATETIME(6))".into(),
        _ => format!("CAST(? AS CHAR CHARACTER SET utf8mb4) COLLATE {collation}"),
    }
}
