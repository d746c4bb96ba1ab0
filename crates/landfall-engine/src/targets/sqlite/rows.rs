//! Reading the rows of the dictionary's tables.

use landfall_core::{
    keys::Scalar,
    schema::{FieldIndex, FieldType},
};
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::{
    Table,
    ddl::quoted_names,
    failure::{SqliteContext as _, sqlite_error},
    quote_name,
    statements::StatementCache,
    values::{BoundValue, read_scalar, stored_text},
};
use crate::{
    error::Result,
    targets::{
        RowFilter, VisitPageRow,
        batch::{BatchBuilder, OnForeignValue, VisitBatch},
        describe_orphans, not_emptied_error,
        page::{self, PageSyntax},
        sql::{
            self,
            followers::{Follower, refuse_followers},
        },
    },
};

/// Whether the database has a table called `name`.
pub(super) fn has_table(connection: &Connection, name: &str) -> Result<bool> {
    connection
        // SQLite compares names of tables without regard to case, of ASCII letters only, as NOCASE does.
        .prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE")
        .and_then(|mut statement| statement.exists([name]))
        .context(|| "cannot read the database's schema".into())
}

/// The number of rows of `table`, at most `most`; 0 where it does not exist.
pub(super) fn row_count(connection: &Connection, table: &Table, most: u64) -> Result<u64> {
    if !has_table(connection, &table.name)? {
        return Ok(0);
    }
    connection
        .query_row(&sql::count_rows(quote_name(&table.name), most), [], |row| row.get(0))
        .context(|| read_description(table))
}

/// The row whose fields at `positions` have `values`.
pub(super) fn find(
    connection: &Connection,
    statements: &StatementCache,
    table: &Table,
    positions: &[FieldIndex],
    values: &[Scalar],
) -> Result<Option<Vec<Scalar>>> {
    let all: Vec<FieldIndex> = table.schema.field_positions().collect();
    let mut statement = match statements.find(connection, table, positions) {
        Ok(statement) => statement,
        // Asked only after an error: this is called for each row.
        Err(_) if !has_table(connection, &table.name)? => return Ok(None),
        Err(error) => return Err(sqlite_error(&error, &read_description(table))),
    };
    let bound = values.iter().map(|value| BoundValue(value.as_ref()));
    statement
        .query_row(params_from_iter(bound), |row| read_row(table, &all, row))
        .optional()
        .context(|| read_description(table))
}

/// The row that `sql` finds by its number.
pub(super) fn find_by_number(
    connection: &Connection,
    table: &Table,
    sql: &str,
    number: i64,
) -> Result<Option<Vec<Scalar>>> {
    let all: Vec<FieldIndex> = table.schema.field_positions().collect();
    let mut statement = connection.prepare_cached(sql).context(|| read_description(table))?;
    statement.query_row([number], |row| read_row(table, &all, row)).optional().context(|| read_description(table))
}

/// The fields at `positions` of every row, in batches.
pub(super) fn scan_rows(
    connection: &Connection,
    table: &Table,
    positions: &[FieldIndex],
    foreign: OnForeignValue,
    visit: VisitBatch<'_>,
) -> Result<()> {
    if !has_table(connection, &table.name)? {
        return Ok(());
    }
    let sql = format!("SELECT {} FROM {}", quoted_names(table, positions), quote_name(&table.name));
    let mut statement = connection.prepare(&sql).context(|| read_description(table))?;
    let mut rows = statement.query([]).context(|| read_description(table))?;
    let mut batch = BatchBuilder::new(table, positions, foreign);
    while let Some(row) = rows.next().context(|| read_description(table))? {
        for (column, &at) in positions.iter().enumerate() {
            let value = row.get_ref(column).context(|| read_description(table))?;
            let kind = &table.schema[at].kind;
            match stored_text(kind, value) {
                Some(text) => batch.push(column, text)?,
                None => batch.push(column, read_scalar(kind, value).as_ref())?,
            }
        }
        if batch.finish_row() {
            batch.hand_over_batch(visit)?;
        }
    }
    batch.hand_over_batch(visit)
}

/// Hands the rows that `filter` wants to `visit`.
pub(super) fn read_page(
    connection: &Connection,
    table: &Table,
    filter: &RowFilter,
    visit: VisitPageRow<'_>,
) -> Result<()> {
    if !has_table(connection, &table.name)? {
        return Ok(());
    }
    let column = |at: FieldIndex| quote_name(&table.schema[at].name);
    let is_datetime = |at: FieldIndex| matches!(table.schema[at].kind, FieldType::Datetime { .. });
    // A fraction of a second comes before the Z at the end, and sorts before it.
    let bare = |at: FieldIndex, text: String| if is_datetime(at) { format!("rtrim({text}, 'Z')") } else { text };
    let (compared, mark) = (|at| bare(at, column(at)), |number: usize, at: FieldIndex| bare(at, format!("?{number}")));
    let words = PageSyntax { column: &compared, mark: &mark };
    let (tail, values) = page::page_sql(table, filter, &words);
    let all: Vec<FieldIndex> = table.schema.field_positions().collect();
    let sql = format!("SELECT {} FROM {}{tail}", quoted_names(table, &all), quote_name(&table.name));
    let mut statement = connection.prepare_cached(&sql).context(|| read_description(table))?;
    let bound = values.iter().map(|(_, value)| BoundValue(value.as_ref()));
    let mut rows = statement.query(params_from_iter(bound)).context(|| read_description(table))?;
    while let Some(row) = rows.next().context(|| read_description(table))? {
        if !visit(read_row(table, &all, row).context(|| read_description(table))?)? {
            return Ok(());
        }
    }
    Ok(())
}

fn read_row(table: &Table, positions: &[FieldIndex], row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<Scalar>> {
    positions
        .iter()
        .enumerate()
        .map(|(column, &at)| Ok(read_scalar(&table.schema[at].kind, row.get_ref(column)?)))
        .collect()
}

/// Takes all rows out of `table`.
pub(super) fn delete_rows(connection: &Connection, table: &Table) -> Result<u64> {
    let doing = || format!("cannot empty the table {:?}", &*table.name);
    refuse_followers(table, find_followers(connection, table).context(doing)?, |sql| {
        connection.prepare(sql).and_then(|mut statement| statement.exists([])).context(doing)
    })?;
    let removed = connection.execute(&format!("DELETE FROM {}", quote_name(&table.name)), []).context(doing)?;
    if row_count(connection, table, 1)? > 0 { Err(not_emptied_error(table)) } else { Ok(removed as u64) }
}

/// The other tables whose rows SQLite deletes or alters with those of `table`.
fn find_followers(connection: &Connection, table: &Table) -> rusqlite::Result<Vec<Follower>> {
    let mut statement = connection.prepare(
        "SELECT DISTINCT m.name, k.on_delete FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS k
         WHERE m.type = 'table' AND lower(k.\"table\") = lower(?1) AND lower(m.name) <> lower(?1)
             AND k.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT')",
    )?;
    let rows = statement.query_map([&*table.name], |row| {
        Ok(Follower { name: quote_name(&row.get::<_, String>(0)?), action: row.get(1)? })
    })?;
    rows.collect()
}

/// Rows of `tables` that name a parent which does not exist, as sentences, at most ten.
pub(super) fn find_orphans(connection: &Connection, tables: &[&Table]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for table in tables {
        let doing = || format!("cannot check the foreign keys of the table {:?}", &*table.name);
        let mut statement = connection
            .prepare("SELECT parent, count(*) FROM pragma_foreign_key_check(?) GROUP BY parent")
            .context(doing)?;
        let rows = statement
            .query_map([&*table.name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)))
            .context(doing)?;
        for row in rows {
            let (parent, count) = row.context(doing)?;
            found.push(describe_orphans(count, &table.name, &parent));
        }
    }
    found.truncate(10);
    Ok(found)
}

fn read_description(table: &Table) -> String {
    format!("cannot read the table {:?}", &*table.name)
}
