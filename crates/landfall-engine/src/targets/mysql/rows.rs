//! Reading the rows of the dictionary's tables.

use std::collections::HashMap;

use landfall_core::{keys::Scalar, schema::FieldIndex};
use mysql::Value;

use super::{
    Table,
    connection::MysqlConnection,
    existing_table::row_texts,
    failure::{MysqlContext as _, is_missing_table, mysql_error},
    names::{fold_name, quote_name, quoted_field_names, quoted_names},
    values::{bind_value, read_scalar},
};
use crate::{
    error::{Error, Result, TargetErrorKind},
    targets::{
        RowFilter, VisitPageRow,
        batch::{BatchBuilder, OnForeignValue, VisitBatch},
        describe_orphans,
        page::{self, PageSyntax},
        sql,
    },
};

/// The sizes of questions for many keys, so that their statements stay prepared. The largest keeps the server's list of
/// ranges within its memory (`range_optimizer_max_mem_size`).
const KEYS_PER_QUESTION: [usize; 4] = [1, 8, 64, 512];
/// Rows taken out by one statement, so that none takes as long as a server that has stopped.
const ROWS_PER_DELETE: u64 = 50_000;

/// Whether the database has a table called `name`.
pub(super) fn has_table(connection: &mut MysqlConnection, name: &str) -> Result<bool> {
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name = ?";
    let doing = || "cannot read the database's schema".to_owned();
    let folds = connection.server.folds_table_names;
    let found = connection.query_all(sql, vec![Value::Bytes(name.as_bytes().to_vec())], &doing)?;
    // The server's own comparison of names may be wider than that of its tables.
    Ok(found.iter().flatten().any(|value| match value {
        Value::Bytes(found) => {
            found == name.as_bytes() || folds && fold_name(&String::from_utf8_lossy(found)) == fold_name(name)
        }
        _ => false,
    }))
}

/// The number of rows of `table`; 0 where it does not exist.
pub(super) fn row_count(connection: &mut MysqlConnection, table: &Table, most: u64) -> Result<u64> {
    if !has_table(connection, &table.name)? {
        return Ok(0);
    }
    let found = connection
        .query_all(&sql::count_rows(quote_name(&table.name), most), Vec::new(), &|| read_description(table))?;
    Ok(found.first().map_or(0, |row| count_value(row.first())))
}

fn count_value(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Int(count)) => u64::try_from(*count).unwrap_or_default(),
        Some(Value::UInt(count)) => *count,
        _ => 0,
    }
}

/// For each of `values` the row of `table` whose fields at `positions` have them.
pub(super) fn find_rows(
    connection: &mut MysqlConnection,
    table: &Table,
    positions: &[FieldIndex],
    values: &[Vec<Scalar>],
) -> Result<Vec<Option<Vec<Scalar>>>> {
    let mut found = vec![None; values.len()];
    let wanted = positions_by_key(values);
    let keys: Vec<&[Scalar]> = wanted.keys().copied().collect();
    let question = KeyQuestion {
        table: &table.name,
        fields: &field_names(table, positions),
        what: &quoted_field_names(table),
        tail: "",
    };
    let asked = question.ask_for_keys(connection, &keys, &mut |row| {
        let kinds = table.schema.fields.iter().map(|field| &field.kind);
        let row: Vec<Scalar> = kinds.zip(row).map(|(kind, value)| read_scalar(kind, value)).collect();
        let key: Vec<Scalar> = positions.iter().map(|at| row[at.get()].clone()).collect();
        for &at in wanted.get(key.as_slice()).into_iter().flatten() {
            found[at] = Some(row.clone());
        }
    });
    match asked {
        Ok(()) => Ok(found),
        Err(QuestionError::NoTable) => Ok(found),
        Err(QuestionError::Failed(error)) => Err(error),
    }
}

/// The places of each key among `values`. A key with a missing value is none: SQL compares no such key with any other.
fn positions_by_key(values: &[Vec<Scalar>]) -> HashMap<&[Scalar], Vec<usize>> {
    let mut wanted: HashMap<&[Scalar], Vec<usize>> = HashMap::with_capacity(values.len());
    for (at, key) in values.iter().enumerate().filter(|(_, key)| !key.contains(&Scalar::Null)) {
        wanted.entry(key).or_default().push(at);
    }
    wanted
}

/// The names of the fields at `positions`.
pub(super) fn field_names<'t>(table: &'t Table, positions: &[FieldIndex]) -> Vec<&'t str> {
    positions.iter().map(|&at| &*table.schema[at].name).collect()
}

/// Whether every row of the table called `table` whose `fields` have one of `values` is there; those that are cannot be
/// deleted, or given another key, before the transaction ends.
pub(super) fn lock_parents(
    connection: &mut MysqlConnection,
    table: &str,
    fields: &[&str],
    values: impl IntoIterator<Item = impl AsRef<[Scalar]>>,
) -> Result<bool> {
    let values: Vec<_> = values.into_iter().collect();
    let keys: Vec<&[Scalar]> = values.iter().map(AsRef::as_ref).filter(|key| !key.contains(&Scalar::Null)).collect();
    let question = KeyQuestion { table, fields, what: "1", tail: " LOCK IN SHARE MODE" };
    let mut held = 0;
    match question.ask_for_keys(connection, &keys, &mut |_| held += 1) {
        // The keys differ and are unique in the table, so that each row is one of them.
        Ok(()) => Ok(held == keys.len()),
        Err(QuestionError::NoTable) => Ok(keys.is_empty()),
        Err(QuestionError::Failed(error)) => Err(error),
    }
}

/// Why there was no answer.
enum QuestionError {
    NoTable,
    Failed(crate::Error),
}

/// A question for the rows of a table that have certain keys.
struct KeyQuestion<'q> {
    table: &'q str,
    /// The fields of the key.
    fields: &'q [&'q str],
    /// What is asked of each row.
    what: &'q str,
    /// What follows the condition.
    tail: &'q str,
}

impl KeyQuestion<'_> {
    /// Asks for `keys`, with few statements. The keys differ from each other.
    fn ask_for_keys(
        &self,
        connection: &mut MysqlConnection,
        keys: &[&[Scalar]],
        visit: &mut dyn FnMut(Vec<Value>),
    ) -> Result<(), QuestionError> {
        let doing = || format!("cannot read the table {:?}", self.table);
        let mut rest = keys;
        while let Some(first) = rest.first() {
            let size = KEYS_PER_QUESTION.into_iter().find(|&size| size >= rest.len());
            let size = size.unwrap_or(KEYS_PER_QUESTION[KEYS_PER_QUESTION.len() - 1]);
            let (some, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            // A question is filled up with its first key.
            let padded = some.iter().chain(std::iter::repeat_n(first, size - some.len()));
            // So that the text is one of four, which stay prepared.
            let values = padded.flat_map(|key| key.iter().map(|value| bind_value(value.as_ref()))).collect();
            let sql = self.question_sql(size);
            match connection.prepare_statement(&sql) {
                Err(error) if is_missing_table(&error) => return Err(QuestionError::NoTable),
                Err(error) => return Err(QuestionError::Failed(mysql_error(&error, &doing()))),
                Ok(_) => {}
            }
            let asked = connection.query_rows(&sql, values, &doing, &mut |_, row| {
                visit(row);
                Ok(())
            });
            asked.map_err(QuestionError::Failed)?;
        }
        Ok(())
    }

    /// The question for `size` keys. Both servers look up each of them in an index.
    fn question_sql(&self, size: usize) -> String {
        let condition = if let [field] = self.fields {
            format!("{} IN ({})", quote_name(field), vec!["?"; size].join(", "))
        } else {
            let each: Vec<String> = self.fields.iter().map(|field| format!("{} = ?", quote_name(field))).collect();
            vec![format!("({})", each.join(" AND ")); size].join(" OR ")
        };
        format!("SELECT {} FROM {} WHERE {condition}{}", self.what, quote_name(self.table), self.tail)
    }
}

/// Whether the user may insert rows into `table`. The server looks at that when a statement is prepared.
pub(super) fn may_insert_rows(connection: &mut MysqlConnection, table: &Table) -> Result<bool> {
    let marks = vec!["?"; table.schema.fields.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", quote_name(&table.name), quoted_field_names(table));
    match connection.prepare_statement(&sql).context(|| read_description(table)) {
        Ok(_) => Ok(true),
        Err(Error::Target(error)) if error.kind == TargetErrorKind::Denied => Ok(false),
        Err(error) => Err(error),
    }
}

/// Hands the rows of `table` that `filter` wants to `visit`. The driver takes what the server still sends when `visit` wants no
/// more, and forgets it.
pub(super) fn read_page(
    connection: &mut MysqlConnection,
    table: &Table,
    filter: &RowFilter,
    visit: VisitPageRow<'_>,
) -> Result<()> {
    if !has_table(connection, &table.name)? {
        return Ok(());
    }
    let column = |at: FieldIndex| quote_name(&table.schema[at].name);
    let words = PageSyntax { column: &column, mark: &|_, _| "?".to_owned() };
    let (tail, values) = page::page_sql(table, filter, &words);
    let sql = format!("SELECT {} FROM {}{tail}", quoted_field_names(table), quote_name(&table.name));
    let values = values.iter().map(|(_, value)| bind_value(value.as_ref())).collect();
    let mut wants_more = true;
    connection.query_rows(&sql, values, &|| read_description(table), &mut |_, row| {
        if wants_more {
            let kinds = table.schema.fields.iter().map(|field| &field.kind);
            wants_more = visit(kinds.zip(row).map(|(kind, value)| read_scalar(kind, value)).collect())?;
        }
        Ok(())
    })
}

/// The fields at `positions` of every row, in batches.
pub(super) fn scan_rows(
    connection: &mut MysqlConnection,
    table: &Table,
    positions: &[FieldIndex],
    foreign: OnForeignValue,
    visit: VisitBatch<'_>,
) -> Result<()> {
    if !has_table(connection, &table.name)? {
        return Ok(());
    }
    let sql = format!("SELECT {} FROM {}", quoted_names(table, positions), quote_name(&table.name));
    let mut batch = BatchBuilder::new(table, positions, foreign);
    connection.query_rows(&sql, Vec::new(), &|| read_description(table), &mut |_, row| {
        for (column, (value, &at)) in row.into_iter().zip(positions).enumerate() {
            batch.push(column, read_scalar(&table.schema[at].kind, value).as_ref())?;
        }
        if batch.finish_row() { batch.hand_over_batch(visit) } else { Ok(()) }
    })?;
    batch.hand_over_batch(visit)
}

/// Takes all rows out of `table`, within the transaction: `TRUNCATE` would commit.
pub(super) fn delete_rows(connection: &mut MysqlConnection, table: &Table) -> Result<u64> {
    let sql = format!("DELETE FROM {} LIMIT {ROWS_PER_DELETE}", quote_name(&table.name));
    let mut removed = 0;
    loop {
        let done = connection
            .execute_statement(&sql, Vec::new())
            .context(|| format!("cannot empty the table {:?}", &*table.name))?;
        removed += done.rows;
        // Fewer than were allowed: none is left.
        if done.rows < ROWS_PER_DELETE {
            return Ok(removed);
        }
    }
}

/// A foreign key between two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ForeignReference {
    child: String,
    parent: String,
    /// Each field of the child with that of the parent which it names, sorted.
    pairs: Vec<(String, String)>,
}

/// Rows that name a parent which does not exist, as sentences, at most ten: by the foreign keys of `tables`, and by those
/// that the database has from or to them and the dictionary does not know.
pub(super) fn find_orphans(
    connection: &mut MysqlConnection,
    tables: &[&Table],
    sound: &[&Table],
) -> Result<Vec<String>> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let held: Vec<ForeignReference> = sound.iter().flat_map(|table| declared_references(table)).collect();
    let references = all_references(connection, tables)?.into_iter().filter(|reference| !held.contains(reference));
    for ForeignReference { child, parent, pairs } in references.collect::<Vec<_>>() {
        let named = |side: &str, name: &str| format!("{side}.{}", quote_name(name));
        let joined: Vec<String> =
            pairs.iter().map(|(own, other)| format!("{} = {}", named("c", own), named("p", other))).collect();
        let given: Vec<String> = pairs.iter().map(|(own, _)| format!("{} IS NOT NULL", named("c", own))).collect();
        let sql = format!(
            // Checks were switched off while the rows came in, and MySQL does not catch up on them.
            "SELECT count(*) FROM {} AS c LEFT JOIN {} AS p ON {} WHERE {} AND {} IS NULL",
            quote_name(&child),
            quote_name(&parent),
            joined.join(" AND "),
            given.join(" AND "),
            named("p", &pairs[0].1)
        );
        let doing = || format!("cannot check the foreign keys of the table {child:?}");
        let rows = connection.query_all(&sql, Vec::new(), &doing)?;
        let count = rows.first().map_or(0, |row| count_value(row.first()));
        if count > 0 {
            found.push(describe_orphans(count, &child, &parent));
        }
    }
    found.truncate(10);
    Ok(found)
}

/// The foreign keys that the dictionary gives `table`.
fn declared_references(table: &Table) -> impl Iterator<Item = ForeignReference> {
    table.schema.foreign_keys.iter().map(|key| {
        let own = key.fields.iter().map(|&at| table.schema[at].name.to_string());
        let mut pairs: Vec<_> = own.zip(key.parent_fields.iter().map(ToString::to_string)).collect();
        pairs.sort();
        ForeignReference { child: table.name.to_string(), parent: key.parent.to_string(), pairs }
    })
}

/// The foreign keys of `tables`, and those of the database from or to them.
fn all_references(connection: &mut MysqlConnection, tables: &[&Table]) -> Result<Vec<ForeignReference>> {
    let mut all: Vec<ForeignReference> = tables.iter().flat_map(|table| declared_references(table)).collect();
    let doing = || "cannot read the database's foreign keys".to_owned();
    let marks = vec!["?"; tables.len()].join(", ");
    let sql = format!(
        "SELECT CAST(ordinal_position AS CHAR), table_name, referenced_table_name, column_name, referenced_column_name
         FROM information_schema.key_column_usage
         WHERE table_schema = database() AND referenced_table_schema = database()
             AND (table_name IN ({marks}) OR referenced_table_name IN ({marks}))
         ORDER BY table_name, constraint_name, ordinal_position"
    );
    let names = tables.iter().chain(tables).map(|table| Value::Bytes(table.name.as_bytes().to_vec()));
    let mut others: Vec<ForeignReference> = Vec::new();
    // One row for each field of a key. The first field begins a new key.
    for row in connection.query_all(&sql, names.collect(), &doing)? {
        let [first, child, parent, own, other] = <[String; 5]>::try_from(row_texts(row)).unwrap_or_default();
        if first == "1" {
            others.push(ForeignReference { child, parent, pairs: Vec::new() });
        }
        if let Some(last) = others.last_mut() {
            last.pairs.push((own, other));
            last.pairs.sort();
        }
    }
    all.extend(others);
    let mut once: Vec<ForeignReference> = Vec::new();
    for reference in all {
        if !once.contains(&reference) {
            once.push(reference);
        }
    }
    Ok(once)
}

fn read_description(table: &Table) -> String {
    format!("cannot read the table {:?}", &*table.name)
}
