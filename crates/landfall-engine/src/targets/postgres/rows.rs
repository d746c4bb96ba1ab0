//! Reading the rows of the dictionary's tables, and asking for many of them at once.

use landfall_core::{
    keys::Scalar,
    schema::{Field, FieldIndex, FieldType},
};

use super::{
    connection::{PostgresConnection, ValueFormat},
    ddl::{RelationPlace, quote_literal, quote_name},
    failure::{PostgresFailure, PostgresResult},
    message::protocol_failure,
    own_tables::parse_integer,
    parameters::{BoundParameters, Oid, oid, push_array, push_sized},
    value,
};
use crate::targets::{
    RowFilter, Table, VisitPageRow,
    batch::{BatchBuilder, OnForeignValue, VisitBatch},
    describe_orphans,
    page::{self, PageSyntax},
    sql,
};

/// Keys looked for by one statement.
const KEYS_PER_STATEMENT: usize = 50_000;
/// What comes before the first row of a binary COPY.
const SIGNATURE: usize = 19;

/// A row that was looked for, with all its fields.
pub(super) type FoundRow = Option<Vec<Scalar>>;

/// A field as it is read: a number as its text, so that no digit is lost.
fn read_expression(field: &Field) -> String {
    let name = quote_name(&field.name);
    if matches!(field.kind, FieldType::Number(_)) { format!("t.{name}::text") } else { format!("t.{name}") }
}

fn select_list(table: &Table, positions: &[FieldIndex]) -> String {
    let fields: Vec<String> = positions.iter().map(|&at| read_expression(&table.schema[at])).collect();
    fields.join(", ")
}

/// The number of rows at `place`, at most `most`.
pub(super) fn count_rows(connection: &mut PostgresConnection, place: &RelationPlace, most: u64) -> PostgresResult<u64> {
    let mut count = 0;
    let sql = sql::count_rows(place, most);
    // To count a large table takes minutes, and the server sends nothing meanwhile.
    connection.without_timeout(|connection| {
        connection.run_query(&sql, &BoundParameters::default(), ValueFormat::Binary, &mut |_, row| {
            count = row.first().copied().flatten().and_then(parse_integer).ok_or_else(protocol_failure)?;
            Ok(())
        })
    })?;
    Ok(count.unsigned_abs())
}

/// Whether the role may insert rows at `place`, be it with some columns alone.
pub(super) fn may_insert_rows(connection: &mut PostgresConnection, place: &RelationPlace) -> PostgresResult<bool> {
    let place = quote_literal(&place.to_string());
    let sql = format!("SELECT WHERE pg_catalog.has_any_column_privilege({place}::regclass, 'INSERT')");
    connection.execute_statement(&sql, &BoundParameters::default()).map(|rows| rows > 0)
}

/// The keys of a question: an array for each field, and a table `k` of them with their numbers.
pub(super) struct KeyArrays {
    pub(super) parameters: BoundParameters,
    /// `ROWS FROM (unnest($1), …) WITH ORDINALITY AS k (k0, …, n)`.
    pub(super) rows: String,
    /// That a row `t` has the key `k`.
    pub(super) matches: String,
}

impl KeyArrays {
    /// The keys `values` of rows whose fields with these names and types have them.
    pub(super) fn new(fields: &[(&str, &FieldType)], values: &[Vec<Scalar>]) -> Self {
        let mut parameters = BoundParameters::default();
        for (column, (_, kind)) in fields.iter().enumerate() {
            push_key_array(&mut parameters, value::oid_of(kind), values.len(), &mut |row, out| {
                value::write(values[row][column].as_ref(), out)
            });
        }
        let arrays: Vec<String> = (1..=fields.len()).map(|at| format!("pg_catalog.unnest(${at})")).collect();
        let columns: String = (0..fields.len()).map(|at| format!("k{at}, ")).collect();
        let matches: Vec<String> =
            fields.iter().enumerate().map(|(at, (name, _))| format!("t.{} = k.k{at}", quote_name(name))).collect();
        Self {
            parameters,
            rows: format!("ROWS FROM ({}) WITH ORDINALITY AS k ({columns}n)", arrays.join(", ")),
            matches: matches.join(" AND "),
        }
    }
}

/// Names and types of the fields of `table` at `positions`.
pub(super) fn fields_at<'t>(table: &'t Table, positions: &[FieldIndex]) -> Vec<(&'t str, &'t FieldType)> {
    let field = |&at: &FieldIndex| (&*table.schema[at].name, &table.schema[at].kind);
    positions.iter().map(field).collect()
}

/// Adds an array of `count` values of type `kind`; `write` writes one, or says that it is missing.
pub(super) fn push_key_array(
    parameters: &mut BoundParameters,
    kind: Oid,
    count: usize,
    write: &mut dyn FnMut(usize, &mut Vec<u8>) -> bool,
) {
    parameters.push(oid::array_of(kind), |out| {
        push_array(out, kind, count, |out| (0..count).for_each(|row| push_sized(out, |out| write(row, out))))
    });
}

/// Runs `work`, which looks for rows by their keys: each through the key's index. Without statistics of a new table the
/// server would rather read all of it.
pub(super) fn with_index_scans<R>(
    connection: &mut PostgresConnection,
    work: impl FnOnce(&mut PostgresConnection) -> PostgresResult<R>,
) -> PostgresResult<R> {
    connection.set_with_next(
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off",
    );
    let outcome = connection.without_timeout(work)?;
    // Set back with the next statement, which saves a round trip.
    connection.set_with_next(
        "SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT; SET LOCAL enable_seqscan TO DEFAULT",
    );
    Ok(outcome)
}

/// For each of `values` the row at `place` whose fields at `positions` have them.
pub(super) fn find_rows(
    connection: &mut PostgresConnection,
    table: &Table,
    place: &RelationPlace,
    positions: &[FieldIndex],
    values: &[Vec<Scalar>],
) -> PostgresResult<Vec<FoundRow>> {
    let mut found = vec![None; values.len()];
    let all: Vec<FieldIndex> = table.schema.field_positions().collect();
    let fields = select_list(table, &all);
    for (part, first) in values.chunks(KEYS_PER_STATEMENT).zip((0..).step_by(KEYS_PER_STATEMENT)) {
        let keys = KeyArrays::new(&fields_at(table, positions), part);
        let sql = format!("SELECT k.n, {fields} FROM {} JOIN {place} AS t ON {}", keys.rows, keys.matches);
        with_index_scans(connection, |connection| {
            connection.run_query(&sql, &keys.parameters, ValueFormat::Binary, &mut |_, row| {
                let number = row.first().copied().flatten().and_then(parse_integer).ok_or_else(protocol_failure)?;
                // Numbers of WITH ORDINALITY begin with 1.
                let at = first + usize::try_from(number - 1).map_err(|_| protocol_failure())?;
                *found.get_mut(at).ok_or_else(protocol_failure)? = Some(read_row(table, &all, &row[1..]));
                Ok(())
            })
        })?;
    }
    Ok(found)
}

/// For each of `values` whether a row at `place` has them in `fields`.
pub(super) fn find_existing(
    connection: &mut PostgresConnection,
    place: &RelationPlace,
    fields: &[(&str, &FieldType)],
    values: &[Vec<Scalar>],
) -> PostgresResult<Vec<bool>> {
    let mut found = vec![false; values.len()];
    for (part, first) in values.chunks(KEYS_PER_STATEMENT).zip((0..).step_by(KEYS_PER_STATEMENT)) {
        let keys = KeyArrays::new(fields, part);
        let sql =
            format!("SELECT k.n FROM {} WHERE EXISTS (SELECT FROM {place} AS t WHERE {})", keys.rows, keys.matches);
        with_index_scans(connection, |connection| {
            connection.run_query(&sql, &keys.parameters, ValueFormat::Binary, &mut |_, row| {
                let number = row.first().copied().flatten().and_then(parse_integer).ok_or_else(protocol_failure)?;
                let at = first + usize::try_from(number - 1).map_err(|_| protocol_failure())?;
                *found.get_mut(at).ok_or_else(protocol_failure)? = true;
                Ok(())
            })
        })?;
    }
    Ok(found)
}

/// Hands the rows at `place` that `filter` wants to `visit`.
pub(super) fn read_page(
    connection: &mut PostgresConnection,
    table: &Table,
    place: &RelationPlace,
    filter: &RowFilter,
    visit: VisitPageRow<'_>,
) -> PostgresResult<()> {
    let column = |at: FieldIndex| format!("t.{}", quote_name(&table.schema[at].name));
    let words = PageSyntax { column: &column, mark: &|number, _| format!("${number}") };
    let (tail, values) = page::page_sql(table, filter, &words);
    let mut parameters = BoundParameters::default();
    for (at, value) in &values {
        parameters.push(value::oid_of(&table.schema[*at].kind), |out| value::write(value.as_ref(), out));
    }
    let all: Vec<FieldIndex> = table.schema.field_positions().collect();
    let sql = format!("SELECT {} FROM {place} AS t{tail}", select_list(table, &all));
    connection.without_timeout(|connection| {
        connection.run_query_while(&sql, &parameters, ValueFormat::Binary, &mut |row| {
            visit(read_row(table, &all, row)).map_err(PostgresFailure::Taker)
        })
    })
}

fn read_row(table: &Table, positions: &[FieldIndex], row: &[Option<&[u8]>]) -> Vec<Scalar> {
    positions.iter().zip(row).map(|(&at, sent)| value::read(&table.schema[at].kind, *sent)).collect()
}

/// Locks the rows of `parent` at `place` that have the keys `values`, so that nobody deletes them before the transaction
/// ends; whether all of them are there.
pub(super) fn lock_parents(
    connection: &mut PostgresConnection,
    parent: &Table,
    place: &RelationPlace,
    positions: &[FieldIndex],
    values: &[Vec<Scalar>],
) -> PostgresResult<bool> {
    for part in values.chunks(KEYS_PER_STATEMENT) {
        let keys = KeyArrays::new(&fields_at(parent, positions), part);
        let sql = format!(
            // KEY SHARE keeps a parent from being deleted or given another key, and lets others change its other
            // fields.
            "SELECT count(*) FROM (SELECT FROM {} JOIN {place} AS t ON {} FOR KEY SHARE OF t) AS held",
            keys.rows, keys.matches
        );
        let mut count = 0;
        with_index_scans(connection, |connection| {
            connection.run_query(&sql, &keys.parameters, ValueFormat::Binary, &mut |_, row| {
                count = row.first().copied().flatten().and_then(parse_integer).ok_or_else(protocol_failure)?;
                Ok(())
            })
        })?;
        // Fewer, and not different: without a unique key a parent may be found several times.
        if usize::try_from(count).is_ok_and(|count| count < part.len()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The fields at `positions` of every row at `place`, in batches.
pub(super) fn scan_rows(
    connection: &mut PostgresConnection,
    table: &Table,
    place: &RelationPlace,
    positions: &[FieldIndex],
    foreign: OnForeignValue,
    visit: VisitBatch<'_>,
) -> PostgresResult<()> {
    // COPY in binary is the fastest way out, and sends a large table without a cursor.
    let sql = format!("COPY (SELECT {} FROM {place} AS t) TO STDOUT (FORMAT binary)", select_list(table, positions));
    let kinds = positions.iter().map(|&at| &table.schema[at].kind).collect();
    let mut scan = TableScan { kinds, batch: BatchBuilder::new(table, positions, foreign) };
    let (mut buffer, mut begun) = (Vec::new(), false);
    connection.without_timeout(|connection| {
        connection.copy_to_stdout(&sql, &mut |bytes| {
            if begun && buffer.is_empty() {
                // The server sends whole rows.
                let rest = scan.take_rows(bytes, visit)?;
                buffer.extend_from_slice(&bytes[bytes.len() - rest..]);
                return Ok(());
            }
            buffer.extend_from_slice(bytes);
            // The signature may be cut by the network; rows behind it are not.
            if !begun && buffer.len() >= SIGNATURE {
                buffer.drain(..SIGNATURE);
                begun = true;
            }
            if begun {
                let rest = scan.take_rows(&buffer, visit)?;
                buffer.drain(..buffer.len() - rest);
            }
            Ok(())
        })
    })?;
    scan.batch.hand_over_batch(visit).map_err(PostgresFailure::Taker)
}

/// A scan under way.
struct TableScan<'s> {
    kinds: Vec<&'s FieldType>,
    batch: BatchBuilder<'s>,
}

impl TableScan<'_> {
    /// Takes all whole rows of `bytes` in; how many bytes are left.
    fn take_rows(&mut self, bytes: &[u8], visit: VisitBatch<'_>) -> PostgresResult<usize> {
        let mut rest = bytes;
        while let Some(row) = whole_row_length(rest)? {
            let mut sent = &rest[2..row];
            for (column, kind) in self.kinds.iter().enumerate() {
                let (length, behind) = sent.split_first_chunk().ok_or_else(protocol_failure)?;
                let (cell, behind) = match usize::try_from(i32::from_be_bytes(*length)) {
                    Ok(length) => behind.split_at_checked(length).map(|(cell, behind)| (Some(cell), behind)),
                    Err(_) => Some((None, behind)),
                }
                .ok_or_else(protocol_failure)?;
                sent = behind;
                // What another program stored must match nothing of ours, and must not stop the scan by itself.
                let value = value::value_view(kind, cell).unwrap_or(value::UNKNOWN);
                self.batch.push(column, value).map_err(PostgresFailure::Taker)?;
            }
            rest = &rest[row..];
            if self.batch.finish_row() {
                self.batch.hand_over_batch(visit).map_err(PostgresFailure::Taker)?;
            }
        }
        Ok(rest.len())
    }
}

/// The length of the row at the head of `bytes`, where all of it is there; none at the end of a COPY too.
#[inline]
fn whole_row_length(bytes: &[u8]) -> PostgresResult<Option<usize>> {
    let Some(fields) = bytes.first_chunk() else { return Ok(None) };
    let fields = u16::from_be_bytes(*fields);
    // A field count of -1 ends the COPY.
    if fields == u16::MAX {
        return Ok(None);
    }
    let mut at = 2;
    for _ in 0..fields {
        let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        at += 4;
        // -1 is NULL, and has no bytes.
        if length > 0 {
            at += usize::try_from(length).map_err(|_| protocol_failure())?;
        }
    }
    Ok((at <= bytes.len()).then_some(at))
}

/// Rows of `table` that name a parent which does not exist, as sentences, at most ten.
pub(super) fn find_orphans(
    connection: &mut PostgresConnection,
    tables: &[&Table],
    place_of: &dyn Fn(&str) -> RelationPlace,
) -> PostgresResult<Vec<String>> {
    let mut found = Vec::new();
    for table in tables {
        for key in &table.schema.foreign_keys {
            let own: Vec<String> =
                key.fields.iter().map(|&at| format!("t.{}", quote_name(&table.schema[at].name))).collect();
            // With the default MATCH SIMPLE a key with any NULL refers to nothing.
            let there: Vec<String> = own.iter().map(|name| format!("{name} IS NOT NULL")).collect();
            let matches: Vec<String> = key
                .parent_fields
                .iter()
                .zip(&own)
                .map(|(parent, own)| format!("p.{} = {own}", quote_name(parent)))
                .collect();
            let sql = format!(
                "SELECT FROM {} AS t WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
                place_of(&table.name),
                there.join(" AND "),
                place_of(&key.parent),
                matches.join(" AND ")
            );
            let count = connection
                .without_timeout(|connection| connection.execute_statement(&sql, &BoundParameters::default()))?;
            if count > 0 {
                found.push(describe_orphans(count, &table.name, &key.parent));
            }
        }
    }
    found.truncate(10);
    Ok(found)
}
