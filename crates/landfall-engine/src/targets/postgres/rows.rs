//! Reading the rows of the dictionary's tables, and asking for many of them at once.

use landfall_core::{
    keys::Scalar,
    schema::{Field, FieldType},
};

use super::{
    connection::{Connection, Format},
    ddl::{Place, literal, quoted},
    failure::{Failure, Outcome},
    message::garbled,
    own::integer,
    parameters::{Oid, Parameters, array, oid, sized},
    value,
};
use crate::targets::{
    RowFilter, Table, VisitRow,
    batch::{BatchBuilder, EachBatch, Foreign},
    page::{self, Words},
    sql,
};

/// Keys looked for by one statement.
const KEYS_PER_STATEMENT: usize = 50_000;
/// What comes before the first row of a binary COPY.
const SIGNATURE: usize = 19;

/// A row that was looked for, with all its fields.
pub(super) type Found = Option<Vec<Scalar>>;

/// A field as it is read: a number as its text, so that no digit is lost.
fn read_as(field: &Field) -> String {
    let name = quoted(&field.name);
    if matches!(field.kind, FieldType::Number(_)) { format!("t.{name}::text") } else { format!("t.{name}") }
}

fn select_list(table: &Table, positions: &[usize]) -> String {
    let fields: Vec<String> = positions.iter().map(|&at| read_as(&table.schema.fields[at])).collect();
    fields.join(", ")
}

/// The number of rows at `place`, at most `most`.
pub(super) fn count(connection: &mut Connection, place: &Place, most: u64) -> Outcome<u64> {
    let mut count = 0;
    let sql = sql::count_rows(place, most);
    connection.patiently(|connection| {
        connection.query(&sql, &Parameters::default(), Format::Binary, &mut |_, row| {
            count = row.first().copied().flatten().and_then(integer).ok_or_else(garbled)?;
            Ok(())
        })
    })?;
    Ok(count.unsigned_abs())
}

/// Whether the role may insert rows at `place`, be it with some columns alone.
pub(super) fn may_insert(connection: &mut Connection, place: &Place) -> Outcome<bool> {
    let place = literal(&place.to_string());
    let sql = format!("SELECT WHERE pg_catalog.has_any_column_privilege({place}::regclass, 'INSERT')");
    connection.execute(&sql, &Parameters::default()).map(|rows| rows > 0)
}

/// The keys of a question: an array for each field, and a table `k` of them with their numbers.
pub(super) struct Keys {
    pub(super) parameters: Parameters,
    /// `ROWS FROM (unnest($1), …) WITH ORDINALITY AS k (k0, …, n)`.
    pub(super) rows: String,
    /// That a row `t` has the key `k`.
    pub(super) matches: String,
}

impl Keys {
    /// The keys `values` of rows whose fields with these names and types have them.
    pub(super) fn new(fields: &[(&str, &FieldType)], values: &[Vec<Scalar>]) -> Self {
        let mut parameters = Parameters::default();
        for (column, (_, kind)) in fields.iter().enumerate() {
            push_array(&mut parameters, value::oid_of(kind), values.len(), &mut |row, out| {
                value::write(values[row][column].as_ref(), out)
            });
        }
        let arrays: Vec<String> = (1..=fields.len()).map(|at| format!("pg_catalog.unnest(${at})")).collect();
        let columns: String = (0..fields.len()).map(|at| format!("k{at}, ")).collect();
        let matches: Vec<String> =
            fields.iter().enumerate().map(|(at, (name, _))| format!("t.{} = k.k{at}", quoted(name))).collect();
        Self {
            parameters,
            rows: format!("ROWS FROM ({}) WITH ORDINALITY AS k ({columns}n)", arrays.join(", ")),
            matches: matches.join(" AND "),
        }
    }
}

/// Names and types of the fields of `table` at `positions`.
pub(super) fn fields_at<'t>(table: &'t Table, positions: &[usize]) -> Vec<(&'t str, &'t FieldType)> {
    let field = |&at: &usize| (&*table.schema.fields[at].name, &table.schema.fields[at].kind);
    positions.iter().map(field).collect()
}

/// Adds an array of `count` values of type `kind`; `write` writes one, or says that it is missing.
pub(super) fn push_array(
    parameters: &mut Parameters,
    kind: Oid,
    count: usize,
    write: &mut dyn FnMut(usize, &mut Vec<u8>) -> bool,
) {
    parameters.push(oid::array_of(kind), |out| {
        array(out, kind, count, |out| (0..count).for_each(|row| sized(out, |out| write(row, out))))
    });
}

/// Runs `work`, which looks for rows by their keys: each through the key's index. Without statistics of a new table the
/// server would rather read all of it.
pub(super) fn by_index<R>(connection: &mut Connection, work: impl FnOnce(&mut Connection) -> Outcome<R>) -> Outcome<R> {
    connection.set_with_next(
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off",
    );
    let outcome = connection.patiently(work)?;
    connection.set_with_next(
        "SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT; SET LOCAL enable_seqscan TO DEFAULT",
    );
    Ok(outcome)
}

/// For each of `values` the row at `place` whose fields at `positions` have them.
pub(super) fn find_all(
    connection: &mut Connection,
    table: &Table,
    place: &Place,
    positions: &[usize],
    values: &[Vec<Scalar>],
) -> Outcome<Vec<Found>> {
    let mut found = vec![None; values.len()];
    let all: Vec<usize> = (0..table.schema.fields.len()).collect();
    let fields = select_list(table, &all);
    for (part, first) in values.chunks(KEYS_PER_STATEMENT).zip((0..).step_by(KEYS_PER_STATEMENT)) {
        let keys = Keys::new(&fields_at(table, positions), part);
        let sql = format!("SELECT k.n, {fields} FROM {} JOIN {place} AS t ON {}", keys.rows, keys.matches);
        by_index(connection, |connection| {
            connection.query(&sql, &keys.parameters, Format::Binary, &mut |_, row| {
                let number = row.first().copied().flatten().and_then(integer).ok_or_else(garbled)?;
                let at = first + usize::try_from(number - 1).map_err(|_| garbled())?;
                *found.get_mut(at).ok_or_else(garbled)? = Some(read_row(table, &all, &row[1..]));
                Ok(())
            })
        })?;
    }
    Ok(found)
}

/// For each of `values` whether a row at `place` has them in `fields`.
pub(super) fn exist(
    connection: &mut Connection,
    place: &Place,
    fields: &[(&str, &FieldType)],
    values: &[Vec<Scalar>],
) -> Outcome<Vec<bool>> {
    let mut found = vec![false; values.len()];
    for (part, first) in values.chunks(KEYS_PER_STATEMENT).zip((0..).step_by(KEYS_PER_STATEMENT)) {
        let keys = Keys::new(fields, part);
        let sql =
            format!("SELECT k.n FROM {} WHERE EXISTS (SELECT FROM {place} AS t WHERE {})", keys.rows, keys.matches);
        by_index(connection, |connection| {
            connection.query(&sql, &keys.parameters, Format::Binary, &mut |_, row| {
                let number = row.first().copied().flatten().and_then(integer).ok_or_else(garbled)?;
                let at = first + usize::try_from(number - 1).map_err(|_| garbled())?;
                *found.get_mut(at).ok_or_else(garbled)? = true;
                Ok(())
            })
        })?;
    }
    Ok(found)
}

/// Hands the rows at `place` that `filter` wants to `visit`.
pub(super) fn page(
    connection: &mut Connection,
    table: &Table,
    place: &Place,
    filter: &RowFilter,
    visit: VisitRow<'_>,
) -> Outcome<()> {
    let fields = &table.schema.fields;
    let column = |at: usize| format!("t.{}", quoted(&fields[at].name));
    let words = Words { column: &column, mark: &|number, _| format!("${number}") };
    let (tail, values) = page::sql(table, filter, &words);
    let mut parameters = Parameters::default();
    for (at, value) in &values {
        parameters.push(value::oid_of(&fields[*at].kind), |out| value::write(value.as_ref(), out));
    }
    let all: Vec<usize> = (0..fields.len()).collect();
    let sql = format!("SELECT {} FROM {place} AS t{tail}", select_list(table, &all));
    connection.patiently(|connection| {
        connection.query_while(&sql, &parameters, Format::Binary, &mut |row| {
            visit(read_row(table, &all, row)).map_err(Failure::Taker)
        })
    })
}

fn read_row(table: &Table, positions: &[usize], row: &[Option<&[u8]>]) -> Vec<Scalar> {
    positions.iter().zip(row).map(|(&at, sent)| value::read(&table.schema.fields[at].kind, *sent)).collect()
}

/// Locks the rows of `parent` at `place` that have the keys `values`, so that nobody deletes them before the transaction
/// ends; whether all of them are there.
pub(super) fn hold(
    connection: &mut Connection,
    parent: &Table,
    place: &Place,
    positions: &[usize],
    values: &[Vec<Scalar>],
) -> Outcome<bool> {
    for part in values.chunks(KEYS_PER_STATEMENT) {
        let keys = Keys::new(&fields_at(parent, positions), part);
        let sql = format!(
            "SELECT count(*) FROM (SELECT FROM {} JOIN {place} AS t ON {} FOR KEY SHARE OF t) AS held",
            keys.rows, keys.matches
        );
        let mut count = 0;
        by_index(connection, |connection| {
            connection.query(&sql, &keys.parameters, Format::Binary, &mut |_, row| {
                count = row.first().copied().flatten().and_then(integer).ok_or_else(garbled)?;
                Ok(())
            })
        })?;
        if usize::try_from(count).is_ok_and(|count| count < part.len()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The fields at `positions` of every row at `place`, in batches.
pub(super) fn scan(
    connection: &mut Connection,
    table: &Table,
    place: &Place,
    (positions, foreign): (&[usize], Foreign),
    visit: EachBatch<'_>,
) -> Outcome<()> {
    let sql = format!("COPY (SELECT {} FROM {place} AS t) TO STDOUT (FORMAT binary)", select_list(table, positions));
    let kinds = positions.iter().map(|&at| &table.schema.fields[at].kind).collect();
    let mut scan = Scan { kinds, batch: BatchBuilder::new(table, positions, foreign) };
    let (mut buffer, mut begun) = (Vec::new(), false);
    connection.patiently(|connection| {
        connection.copy_out(&sql, &mut |bytes| {
            if begun && buffer.is_empty() {
                // The server sends whole rows.
                let rest = scan.take(bytes, visit)?;
                buffer.extend_from_slice(&bytes[bytes.len() - rest..]);
                return Ok(());
            }
            buffer.extend_from_slice(bytes);
            if !begun && buffer.len() >= SIGNATURE {
                buffer.drain(..SIGNATURE);
                begun = true;
            }
            if begun {
                let rest = scan.take(&buffer, visit)?;
                buffer.drain(..buffer.len() - rest);
            }
            Ok(())
        })
    })?;
    scan.batch.hand_over(visit).map_err(Failure::Taker)
}

/// A scan under way.
struct Scan<'s> {
    kinds: Vec<&'s FieldType>,
    batch: BatchBuilder<'s>,
}

impl Scan<'_> {
    /// Takes all whole rows of `bytes` in; how many bytes are left.
    fn take(&mut self, bytes: &[u8], visit: EachBatch<'_>) -> Outcome<usize> {
        let mut rest = bytes;
        while let Some(row) = whole_row(rest)? {
            let mut sent = &rest[2..row];
            for (column, kind) in self.kinds.iter().enumerate() {
                let (length, behind) = sent.split_first_chunk().ok_or_else(garbled)?;
                let (cell, behind) = match usize::try_from(i32::from_be_bytes(*length)) {
                    Ok(length) => behind.split_at_checked(length).map(|(cell, behind)| (Some(cell), behind)),
                    Err(_) => Some((None, behind)),
                }
                .ok_or_else(garbled)?;
                sent = behind;
                let value = value::view(kind, cell).unwrap_or(value::UNKNOWN);
                self.batch.push(column, value).map_err(Failure::Taker)?;
            }
            rest = &rest[row..];
            if self.batch.end_row() {
                self.batch.hand_over(visit).map_err(Failure::Taker)?;
            }
        }
        Ok(rest.len())
    }
}

/// The length of the row at the head of `bytes`, where all of it is there; none at the end of a COPY too.
#[inline]
fn whole_row(bytes: &[u8]) -> Outcome<Option<usize>> {
    let Some(fields) = bytes.first_chunk() else { return Ok(None) };
    let fields = u16::from_be_bytes(*fields);
    if fields == u16::MAX {
        return Ok(None);
    }
    let mut at = 2;
    for _ in 0..fields {
        let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        at += 4;
        if length > 0 {
            at += usize::try_from(length).map_err(|_| garbled())?;
        }
    }
    Ok((at <= bytes.len()).then_some(at))
}

/// Rows of `table` that name a parent which does not exist, as sentences, at most ten.
pub(super) fn orphans(
    connection: &mut Connection,
    tables: &[&Table],
    place_of: &dyn Fn(&str) -> Place,
) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    for table in tables {
        for key in &table.schema.foreign_keys {
            let own: Vec<String> =
                key.fields.iter().map(|&at| format!("t.{}", quoted(&table.schema.fields[at].name))).collect();
            let there: Vec<String> = own.iter().map(|name| format!("{name} IS NOT NULL")).collect();
            let matches: Vec<String> = key
                .parent_fields
                .iter()
                .zip(&own)
                .map(|(parent, own)| format!("p.{} = {own}", quoted(parent)))
                .collect();
            let sql = format!(
                "SELECT FROM {} AS t WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
                place_of(&table.name),
                there.join(" AND "),
                place_of(&key.parent),
                matches.join(" AND ")
            );
            let count = connection.patiently(|connection| connection.execute(&sql, &Parameters::default()))?;
            if count > 0 {
                found.push(format!(
                    "{count} rows of {:?} name rows of {:?} that would be gone",
                    &*table.name, &*key.parent
                ));
            }
        }
    }
    found.truncate(10);
    Ok(found)
}
