//! Rows in step with the database: what stands against a row is told, and the others stay.
//!
//! Rows go by COPY within a savepoint. Where something stands against one of them, the database is asked with a few
//! set-based questions which keys are held and which parents are missing; only what those do not explain (a check or a
//! trigger of the user's) is found by halving.

use std::{collections::HashSet, ops::Range, sync::Arc};

use arrow_array::{Array, RecordBatch};
use landfall_core::{
    keys::{KeyColumns, Scalar, scalar_at},
    schema::FieldType,
};

use super::{
    ddl::{Place, quoted},
    failure::{Failure, Outcome},
    lane::inserting,
    parameters::Parameters,
    rows::{by_index, exist, fields_at, push_array},
    value,
    worker::{Destination, Worker},
};
use crate::{
    error::Result,
    target::{RefusedRow, Table},
};

/// How often the database is asked what stands against rows; each time another program may have been quicker.
const ATTEMPTS: usize = 3;

/// Inserts the rows at `selected`; those that a constraint stops are returned.
pub(super) fn insert(
    worker: &mut Worker,
    destination: &Arc<Destination>,
    batch: &RecordBatch,
    selected: &[Range<usize>],
) -> Result<Vec<RefusedRow>> {
    let mut refused = Vec::new();
    let mut selected = selected.to_vec();
    for _ in 0..ATTEMPTS {
        if attempt(worker, destination, batch, &selected)?.is_none() {
            return Ok(refused);
        }
        let opposed = opposed(worker, destination, batch, &selected);
        let opposed = opposed.map_err(|failure| worker.told(failure, &inserting(&destination.table.name)))?;
        if opposed.is_empty() {
            break;
        }
        selected = without(&selected, &opposed);
        refused.extend(opposed);
    }
    let rows: Vec<usize> = selected.into_iter().flatten().collect();
    halve(&rows, &mut |rows| attempt(worker, destination, batch, &ranges(rows)), &mut refused)?;
    Ok(refused)
}

/// Inserts rows within a savepoint; what the database said where a row was stopped, and with it all of them.
fn attempt(
    worker: &mut Worker,
    destination: &Arc<Destination>,
    batch: &RecordBatch,
    selected: &[Range<usize>],
) -> Result<Option<Failure>> {
    let doing = || inserting(&destination.table.name);
    within_savepoint(worker, &doing, |worker| {
        worker.stream(destination, batch, selected)?;
        worker.end_rows()
    })
}

/// Runs `work` within a savepoint; the failure where it was about a row, of which no trace is left then.
fn within_savepoint(
    worker: &mut Worker,
    doing: &dyn Fn() -> String,
    work: impl FnOnce(&mut Worker) -> Outcome<()>,
) -> Result<Option<Failure>> {
    let told = |worker: &Worker, failure| worker.told(failure, &doing());
    worker.connection.batch("SAVEPOINT landfall").map_err(|failure| told(worker, failure))?;
    match work(worker) {
        Ok(()) => {
            worker.connection.batch("RELEASE SAVEPOINT landfall").map_err(|failure| told(worker, failure))?;
            Ok(None)
        }
        Err(failure) if failure.is_about_a_row() => {
            let undone = worker.connection.batch("ROLLBACK TO SAVEPOINT landfall");
            undone.map_err(|failure| told(worker, failure))?;
            Ok(Some(failure))
        }
        Err(failure) => Err(told(worker, failure)),
    }
}

/// Tries rows together, and by halves where that fails; those that fail alone are refused.
fn halve(
    rows: &[usize],
    attempt: &mut dyn FnMut(&[usize]) -> Result<Option<Failure>>,
    refused: &mut Vec<RefusedRow>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    match (attempt(rows)?, rows) {
        (None, _) => Ok(()),
        (Some(failure), &[row]) => {
            refused.push(RefusedRow { row, message: words(failure) });
            Ok(())
        }
        (Some(_), _) => {
            let (first, second) = rows.split_at(rows.len() / 2);
            halve(first, attempt, refused)?;
            halve(second, attempt, refused)
        }
    }
}

fn words(failure: Failure) -> String {
    match failure {
        Failure::Refused(refusal) => refusal.message,
        other => other.told("refused").to_string(),
    }
}

/// The rows against which a key or a missing parent stands.
fn opposed(
    worker: &mut Worker,
    destination: &Destination,
    batch: &RecordBatch,
    selected: &[Range<usize>],
) -> Outcome<Vec<RefusedRow>> {
    let Destination { table, seat, unchecked, .. } = destination;
    let schema = &table.schema;
    let mut opposed = Opposed { batch, selected, refused: Vec::new(), met: HashSet::new() };
    for key in std::iter::once(&schema.primary_key).chain(&schema.unique_keys).filter(|key| !key.is_empty()) {
        let held = |found: bool| found.then(|| format!("the key {} is held already", schema.key_name(key)));
        opposed.ask(worker, &seat.place, &fields_at(table, key), key, &held)?;
    }
    for key in schema.foreign_keys.iter().filter(|key| !unchecked && key.parent != table.name) {
        let place = Place::new(&worker.session.settings.schema, &key.parent);
        let kinds = key.fields.iter().map(|&at| &schema.fields[at].kind);
        let fields: Vec<_> = key.parent_fields.iter().map(|name| &**name).zip(kinds).collect();
        let missing = |found: bool| {
            let name = schema.key_name(&key.fields);
            (!found).then(|| format!("{name} names no row of the table {:?}", &*key.parent))
        };
        opposed.ask(worker, &place, &fields, &key.fields, &missing)?;
    }
    Ok(opposed.refused)
}

struct Opposed<'o> {
    batch: &'o RecordBatch,
    selected: &'o [Range<usize>],
    refused: Vec<RefusedRow>,
    met: HashSet<usize>,
}

impl Opposed<'_> {
    /// Looks for rows at `place` that have in `fields` the values which the rows at hand have in `own`; `judge` says what
    /// is wrong where one is found or not.
    fn ask(
        &mut self,
        worker: &mut Worker,
        place: &Place,
        fields: &[(&str, &FieldType)],
        own: &[usize],
        judge: &dyn Fn(bool) -> Option<String>,
    ) -> Outcome<()> {
        let columns = KeyColumns::new(self.batch, own);
        let rows: Vec<usize> = self
            .selected
            .iter()
            .cloned()
            .flatten()
            .filter(|&row| !columns.values(row).contains(&Scalar::Null))
            .collect();
        let values: Vec<Vec<Scalar>> = rows.iter().map(|&row| columns.values(row)).collect();
        let found = exist(&mut worker.connection, place, fields, &values)?;
        for (row, found) in rows.into_iter().zip(found) {
            if let Some(message) = judge(found)
                && self.met.insert(row)
            {
                self.refused.push(RefusedRow { row, message });
            }
        }
        Ok(())
    }
}

fn without(selected: &[Range<usize>], refused: &[RefusedRow]) -> Vec<Range<usize>> {
    let out: HashSet<usize> = refused.iter().map(|refused| refused.row).collect();
    let rows: Vec<usize> = selected.iter().cloned().flatten().filter(|row| !out.contains(row)).collect();
    ranges(&rows)
}

/// Rows in order as ranges.
fn ranges(rows: &[usize]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for &row in rows {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

/// Gives the rows with the primary keys of those at `selected` their content; those that a constraint stops are returned.
pub(super) fn update(
    worker: &mut Worker,
    destination: &Destination,
    batch: &RecordBatch,
    selected: &[usize],
) -> Result<Vec<RefusedRow>> {
    let Destination { table, seat, .. } = destination;
    let mut refused = Vec::new();
    let Some(sql) = update_statement(table, &seat.place) else { return Ok(refused) };
    let doing = || format!("cannot update the table {:?}", &*table.name);
    worker
        .ready_for(destination)
        .and_then(|()| worker.check_keys(true))
        .map_err(|failure| worker.told(failure, &doing()))?;
    let absent = absent(worker, destination, batch, selected).map_err(|failure| worker.told(failure, &doing()))?;
    let present: Vec<usize> = selected.iter().copied().filter(|row| !absent.contains(row)).collect();
    let mut attempt = |rows: &[usize]| {
        within_savepoint(worker, &doing, |worker| {
            let new = columns(table, batch, rows);
            by_index(&mut worker.connection, |connection| connection.execute(&sql, &new)).map(drop)
        })
    };
    halve(&present, &mut attempt, &mut refused)?;
    let gone = |row| RefusedRow { row, message: "there is no row with its primary key any more".into() };
    refused.extend(absent.into_iter().map(gone));
    refused.sort_unstable_by_key(|refused| refused.row);
    Ok(refused)
}

/// The rows at `selected` whose primary key no row of the table has.
fn absent(
    worker: &mut Worker,
    destination: &Destination,
    batch: &RecordBatch,
    selected: &[usize],
) -> Outcome<Vec<usize>> {
    let Destination { table, seat, .. } = destination;
    let key = &table.schema.primary_key;
    let columns = KeyColumns::new(batch, key);
    let values: Vec<Vec<Scalar>> = selected.iter().map(|&row| columns.values(row)).collect();
    let found = exist(&mut worker.connection, &seat.place, &fields_at(table, key), &values)?;
    Ok(selected.iter().zip(found).filter(|(_, found)| !found).map(|(&row, _)| row).collect())
}

/// The statement that updates many rows; none where a table is all key.
fn update_statement(table: &Table, place: &Place) -> Option<String> {
    let schema = &table.schema;
    let name = |at: usize| quoted(&schema.fields[at].name);
    let others: Vec<String> = (0..schema.fields.len())
        .filter(|at| !schema.primary_key.contains(at))
        .map(|at| format!("{} = s.s{at}", name(at)))
        .collect();
    let matches: Vec<String> = schema.primary_key.iter().map(|&at| format!("t.{} = s.s{at}", name(at))).collect();
    let arrays: Vec<String> = (1..=schema.fields.len()).map(|at| format!("pg_catalog.unnest(${at})")).collect();
    let names: Vec<String> = (0..schema.fields.len()).map(|at| format!("s{at}")).collect();
    (!others.is_empty()).then(|| {
        format!(
            "UPDATE {place} AS t SET {} FROM ROWS FROM ({}) AS s ({}) WHERE {}",
            others.join(", "),
            arrays.join(", "),
            names.join(", "),
            matches.join(" AND ")
        )
    })
}

/// All columns of `rows`, as arrays.
fn columns(table: &Table, batch: &RecordBatch, rows: &[usize]) -> Parameters {
    let mut parameters = Parameters::default();
    for (at, field) in table.schema.fields.iter().enumerate() {
        let is_null = |row: usize| batch.column(at).is_null(row);
        push_array(&mut parameters, value::oid_of(&field.kind), rows.len(), &mut |row, out| {
            !is_null(rows[row]) && value::write(scalar_at(batch, at, rows[row]), out)
        });
    }
    parameters
}
