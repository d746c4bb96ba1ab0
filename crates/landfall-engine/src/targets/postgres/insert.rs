//! Rows in step with the database: what stands against a row is told, and the others stay.
//!
//! Rows go by COPY within a savepoint. Where something stands against one of them, the database is asked with a few
//! set-based questions which keys are held and which parents are missing; only what those do not explain (a check or a
//! trigger of the user's) is found by halving. Where a trigger or a rule may skip or alter rows, they are read back and compared
//! before the savepoint is released.

use std::{collections::HashSet, ops::Range, sync::Arc};

use arrow_array::{Array, RecordBatch};
use landfall_core::{
    keys::{KeyColumns, Scalar, scalar_at},
    schema::{FieldIndex, FieldType},
};

use super::{
    ddl::{RelationPlace, quote_name},
    failure::{PostgresFailure, PostgresResult},
    lane::insert_description,
    parameters::BoundParameters,
    rows::{fields_at, find_existing, find_rows, push_key_array, scan_rows, with_index_scans},
    value,
    worker::{LaneWorker, RowDestination},
};
use crate::{
    error::Result,
    targets::{
        RefusedRow, Table,
        altered_rows::{self, Census},
        batch::OnForeignValue,
    },
};

/// What is said of a row that is to be updated, and is not there.
const GONE: &str = "there is no row with its primary key any more";
/// How often the database is asked what stands against rows; each time another program may have been quicker.
const ATTEMPTS: usize = 3;

/// Inserts the rows at `selected`; those that a constraint stops are returned.
pub(super) fn insert(
    worker: &mut LaneWorker,
    destination: &Arc<RowDestination>,
    batch: &RecordBatch,
    selected: &[Range<usize>],
) -> Result<Vec<RefusedRow>> {
    let mut refused = Vec::new();
    let mut selected = selected.to_vec();
    // A row that another program inserts meanwhile may stand against ours by the time of the next attempt.
    for _ in 0..ATTEMPTS {
        let opposed = match try_insert(worker, destination, batch, &selected)? {
            None => return Ok(refused),
            Some(InsertObjection::Rows(rows)) => rows,
            Some(InsertObjection::Failure(_)) => find_opposed_rows(worker, destination, batch, &selected)
                .map_err(|failure| worker.row_error(failure, &insert_description(&destination.table.name)))?,
        };
        // Nothing that a question could find: a check or a trigger of the user's. Only halving finds those.
        if opposed.is_empty() {
            break;
        }
        selected = remove_refused(&selected, &opposed);
        refused.extend(opposed);
    }
    let rows: Vec<usize> = selected.into_iter().flatten().collect();
    try_by_halves(&rows, &mut |rows| try_insert(worker, destination, batch, &to_ranges(rows)), &mut refused)?;
    Ok(refused)
}

/// What stands against rows that were written together.
enum InsertObjection {
    /// What the database said of one of them.
    Failure(PostgresFailure),
    /// These were not stored as they were sent.
    Rows(Vec<RefusedRow>),
}

impl InsertObjection {
    /// The words for the only row.
    fn into_message(self) -> String {
        match self {
            Self::Failure(PostgresFailure::Refused(refusal)) => refusal.message,
            Self::Failure(PostgresFailure::Row(said)) => said,
            Self::Failure(other) => other.into_error("refused").to_string(),
            Self::Rows(rows) => rows.into_iter().map(|refused| refused.message).collect(),
        }
    }
}

/// Inserts rows within a savepoint; what the database said where a row was stopped, and with it all of them.
fn try_insert(
    worker: &mut LaneWorker,
    destination: &Arc<RowDestination>,
    batch: &RecordBatch,
    selected: &[Range<usize>],
) -> Result<Option<InsertObjection>> {
    let doing = || insert_description(&destination.table.name);
    within_savepoint(worker, &doing, |worker| {
        let is_keyless = destination.table.schema.primary_key.is_empty();
        // Without a primary key a row cannot be read back, so that only the whole tells whether it came in.
        let before = (destination.watched && is_keyless).then(|| take_census(worker, destination)).transpose()?;
        worker.stream_rows(destination, batch, selected)?;
        worker.end_rows()?;
        let rows: Vec<usize> = selected.iter().cloned().flatten().collect();
        match before {
            Some(before) => check_census(worker, destination, batch, &rows, before).map(|()| Vec::new()),
            None if destination.watched => {
                let fields: Vec<FieldIndex> = destination.table.schema.field_positions().collect();
                find_altered_rows(worker, destination, batch, &rows, &fields)
            }
            None => Ok(Vec::new()),
        }
    })
}

/// Those of `rows` that are not in the table as they were sent; only the fields at `fields` were.
fn find_altered_rows(
    worker: &mut LaneWorker,
    destination: &RowDestination,
    batch: &RecordBatch,
    rows: &[usize],
    fields: &[FieldIndex],
) -> PostgresResult<Vec<RefusedRow>> {
    let RowDestination { table, seat, .. } = destination;
    let key = &table.schema.primary_key;
    let columns = KeyColumns::new(batch, key);
    let values: Vec<Vec<Scalar>> = rows.iter().map(|&row| columns.row_values(row)).collect();
    let found = find_rows(&mut worker.connection, table, &seat.place, key, &values)?;
    Ok(altered_rows::find_altered_rows(table, batch, rows, fields, &found))
}

/// What a table without a primary key holds.
fn take_census(worker: &mut LaneWorker, RowDestination { table, seat, .. }: &RowDestination) -> PostgresResult<Census> {
    let every: Vec<FieldIndex> = table.schema.field_positions().collect();
    let mut census = Census::default();
    let mut add = |batch: RecordBatch| {
        census.add_batch(&batch);
        Ok(())
    };
    scan_rows(&mut worker.connection, table, &seat.place, &every, OnForeignValue::Missing, &mut add)?;
    Ok(census)
}

/// Fails where not just `rows` came to the table since `before`.
fn check_census(
    worker: &mut LaneWorker,
    destination: &RowDestination,
    batch: &RecordBatch,
    rows: &[usize],
    before: Census,
) -> PostgresResult<()> {
    let now = take_census(worker, destination)?;
    let mut sent = Census::default();
    rows.iter().for_each(|&row| sent.add_row(batch, row));
    before.compare_with(&sent, &now).map_or(Ok(()), |said| Err(PostgresFailure::Row(said)))
}

/// Runs `work` within a savepoint; what stands against a row, of which no trace is left then. `work` gives the rows that were not
/// stored as they were sent.
fn within_savepoint(
    worker: &mut LaneWorker,
    doing: &dyn Fn() -> String,
    work: impl FnOnce(&mut LaneWorker) -> PostgresResult<Vec<RefusedRow>>,
) -> Result<Option<InsertObjection>> {
    let told = |worker: &LaneWorker, failure| worker.row_error(failure, &doing());
    // PostgreSQL ends a whole transaction with the first error; only a savepoint lets it go on.
    worker.connection.run_batch("SAVEPOINT landfall").map_err(|failure| told(worker, failure))?;
    let objection = match work(worker) {
        Ok(rows) if rows.is_empty() => {
            worker.connection.run_batch("RELEASE SAVEPOINT landfall").map_err(|failure| told(worker, failure))?;
            return Ok(None);
        }
        Ok(rows) => InsertObjection::Rows(rows),
        Err(failure) if failure.is_about_a_row() => InsertObjection::Failure(failure),
        // A lost connection or a full disk is no fault of a row, and must not be taken for one.
        Err(failure) => return Err(told(worker, failure)),
    };
    let undone = worker.connection.run_batch("ROLLBACK TO SAVEPOINT landfall");
    undone.map_err(|failure| told(worker, failure))?;
    Ok(Some(objection))
}

/// Tries rows together, and by halves where that fails; those that fail alone are refused.
fn try_by_halves(
    rows: &[usize],
    attempt: &mut dyn FnMut(&[usize]) -> Result<Option<InsertObjection>>,
    refused: &mut Vec<RefusedRow>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    match (attempt(rows)?, rows) {
        (None, _) => Ok(()),
        (Some(objection), &[row]) => {
            refused.push(RefusedRow { row, message: objection.into_message() });
            Ok(())
        }
        (Some(InsertObjection::Rows(objected)), _) => {
            // These are known by name, so that the rest can be tried at once and without halving.
            let out: HashSet<usize> = objected.iter().map(|refused| refused.row).collect();
            let rest: Vec<usize> = rows.iter().copied().filter(|row| !out.contains(row)).collect();
            refused.extend(objected);
            try_by_halves(&rest, attempt, refused)
        }
        (Some(_), _) => {
            let (first, second) = rows.split_at(rows.len() / 2);
            try_by_halves(first, attempt, refused)?;
            try_by_halves(second, attempt, refused)
        }
    }
}

/// The rows against which a key or a missing parent stands.
fn find_opposed_rows(
    worker: &mut LaneWorker,
    destination: &RowDestination,
    batch: &RecordBatch,
    selected: &[Range<usize>],
) -> PostgresResult<Vec<RefusedRow>> {
    let RowDestination { table, seat, unchecked, .. } = destination;
    let schema = &table.schema;
    let mut opposed = OpposedRows { batch, selected, refused: Vec::new(), met: HashSet::new() };
    for key in std::iter::once(&schema.primary_key).chain(&schema.unique_keys).filter(|key| !key.is_empty()) {
        let held = |found: bool| found.then(|| format!("the key {} is held already", schema.key_name(key)));
        opposed.ask_for_rows(worker, &seat.place, &fields_at(table, key), key, &held)?;
    }
    // Parents in the same table may be among the very rows, which are not there yet.
    for key in schema.foreign_keys.iter().filter(|key| !unchecked && key.parent != table.name) {
        let place = RelationPlace::new(&worker.session.settings.schema, &key.parent);
        let kinds = key.fields.iter().map(|&at| &schema[at].kind);
        let fields: Vec<_> = key.parent_fields.iter().map(|name| &**name).zip(kinds).collect();
        let missing = |found: bool| {
            let name = schema.key_name(&key.fields);
            (!found).then(|| format!("{name} names no row of the table {:?}", &*key.parent))
        };
        opposed.ask_for_rows(worker, &place, &fields, &key.fields, &missing)?;
    }
    Ok(opposed.refused)
}

struct OpposedRows<'o> {
    batch: &'o RecordBatch,
    selected: &'o [Range<usize>],
    refused: Vec<RefusedRow>,
    met: HashSet<usize>,
}

impl OpposedRows<'_> {
    /// Looks for rows at `place` that have in `fields` the values which the rows at hand have in `own`; `judge` says what
    /// is wrong where one is found or not.
    fn ask_for_rows(
        &mut self,
        worker: &mut LaneWorker,
        place: &RelationPlace,
        fields: &[(&str, &FieldType)],
        own: &[FieldIndex],
        judge: &dyn Fn(bool) -> Option<String>,
    ) -> PostgresResult<()> {
        let columns = KeyColumns::new(self.batch, own);
        let rows: Vec<usize> = self
            .selected
            .iter()
            .cloned()
            .flatten()
            // A key with a missing value clashes with nothing and names no parent.
            .filter(|&row| !columns.row_values(row).contains(&Scalar::Null))
            .collect();
        let values: Vec<Vec<Scalar>> = rows.iter().map(|&row| columns.row_values(row)).collect();
        let found = find_existing(&mut worker.connection, place, fields, &values)?;
        for (row, found) in rows.into_iter().zip(found) {
            // One reason for each row is enough here: the pipeline has told all that it knows of.
            if let Some(message) = judge(found)
                && self.met.insert(row)
            {
                self.refused.push(RefusedRow { row, message });
            }
        }
        Ok(())
    }
}

fn remove_refused(selected: &[Range<usize>], refused: &[RefusedRow]) -> Vec<Range<usize>> {
    let out: HashSet<usize> = refused.iter().map(|refused| refused.row).collect();
    let rows: Vec<usize> = selected.iter().cloned().flatten().filter(|row| !out.contains(row)).collect();
    to_ranges(&rows)
}

/// Rows in order as ranges.
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

/// Gives the rows with the primary keys of those at `selected` their content in `fields`; those that a constraint stops are
/// returned.
pub(super) fn update_rows(
    worker: &mut LaneWorker,
    destination: &RowDestination,
    batch: &RecordBatch,
    selected: &[usize],
    fields: &[FieldIndex],
) -> Result<Vec<RefusedRow>> {
    let RowDestination { table, seat, .. } = destination;
    let mut refused = Vec::new();
    // `UPDATE … SET` needs at least one column.
    if fields.is_empty() {
        return Ok(refused);
    }
    let sql = update_statement(table, &seat.place, fields);
    let sent: Vec<FieldIndex> = table.schema.primary_key.iter().chain(fields).copied().collect();
    let doing = || format!("cannot update the table {:?}", &*table.name);
    worker
        .prepare_destination(destination)
        // An update may change what rows of other tables refer to, and only the server knows those.
        .and_then(|()| worker.check_keys(true))
        .map_err(|failure| worker.row_error(failure, &doing()))?;
    // Asked before: the count of updated rows alone would not tell which of them is missing.
    let absent = find_absent_rows(worker, destination, batch, selected)
        .map_err(|failure| worker.row_error(failure, &doing()))?;
    let present: Vec<usize> = selected.iter().copied().filter(|row| !absent.contains(row)).collect();
    let mut attempt = |rows: &[usize]| {
        within_savepoint(worker, &doing, |worker| {
            let new = gather_columns(table, &sent, batch, rows);
            let updated =
                with_index_scans(&mut worker.connection, |connection| connection.execute_statement(&sql, &new))?;
            if destination.watched {
                return find_altered_rows(worker, destination, batch, rows, fields);
            }
            if updated == rows.len() as u64 { Ok(Vec::new()) } else { Err(PostgresFailure::Row(GONE.to_owned())) }
        })
    };
    try_by_halves(&present, &mut attempt, &mut refused)?;
    let gone = |row| RefusedRow { row, message: GONE.to_owned() };
    refused.extend(absent.into_iter().map(gone));
    refused.sort_unstable_by_key(|refused| refused.row);
    Ok(refused)
}

/// The rows at `selected` whose primary key no row of the table has.
fn find_absent_rows(
    worker: &mut LaneWorker,
    destination: &RowDestination,
    batch: &RecordBatch,
    selected: &[usize],
) -> PostgresResult<Vec<usize>> {
    let RowDestination { table, seat, .. } = destination;
    let key = &table.schema.primary_key;
    let columns = KeyColumns::new(batch, key);
    let values: Vec<Vec<Scalar>> = selected.iter().map(|&row| columns.row_values(row)).collect();
    let found = find_existing(&mut worker.connection, &seat.place, &fields_at(table, key), &values)?;
    Ok(selected.iter().zip(found).filter(|(_, found)| !found).map(|(&row, _)| row).collect())
}

/// The statement that updates the fields at `fields` of many rows. Its arrays are those of the primary key, and then theirs.
fn update_statement(table: &Table, place: &RelationPlace, fields: &[FieldIndex]) -> String {
    let key = &table.schema.primary_key;
    let name = |at: FieldIndex| quote_name(&table.schema[at].name);
    let set: Vec<String> = fields.iter().map(|&at| format!("{} = s.s{}", name(at), at.get())).collect();
    let matches: Vec<String> = key.iter().map(|&at| format!("t.{} = s.s{}", name(at), at.get())).collect();
    let arrays: Vec<String> = (1..=key.len() + fields.len()).map(|at| format!("pg_catalog.unnest(${at})")).collect();
    let names: Vec<String> = key.iter().chain(fields).map(|at| format!("s{}", at.get())).collect();
    format!(
        "UPDATE {place} AS t SET {} FROM ROWS FROM ({}) AS s ({}) WHERE {}",
        set.join(", "),
        arrays.join(", "),
        names.join(", "),
        matches.join(" AND ")
    )
}

/// The columns at `sent` of `rows`, as arrays.
fn gather_columns(table: &Table, sent: &[FieldIndex], batch: &RecordBatch, rows: &[usize]) -> BoundParameters {
    let mut parameters = BoundParameters::default();
    for &at in sent {
        let field = &table.schema[at];
        let is_null = |row: usize| batch.column(at.get()).is_null(row);
        push_key_array(&mut parameters, value::oid_of(&field.kind), rows.len(), &mut |row, out| {
            !is_null(rows[row]) && value::write(scalar_at(batch, at.get(), rows[row]), out)
        });
    }
    parameters
}
