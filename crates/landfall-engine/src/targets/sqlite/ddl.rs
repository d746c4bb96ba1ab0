//! Tables of the dictionary in SQLite: made where they are missing, checked where they exist.

use std::sync::Arc;

use landfall_core::schema::{Field, FieldIndex, FieldType, ForeignKey};
use rusqlite::{Connection, TransactionBehavior};

use super::{
    Difference, Table,
    catalogue::{self, SqliteObject},
    failure::SqliteContext as _,
    mismatch_error, quote_name, remakable,
    rows::has_table,
};
use crate::{
    error::Result,
    targets::sql::{
        compare::{compare_table, has_other_foreign_key, missing_table, not_a_table, refuse_differences},
        existing_table::{ColumnFit, ExistingColumn, SqlDialect},
    },
};

/// SQLite's own limit on the columns of a table (`SQLITE_MAX_COLUMN`).
const MOST_COLUMNS: usize = 2000;

/// Makes or checks all `tables` in one transaction. Whether one of them has a foreign key that is not in the dictionary.
pub(super) fn prepare_tables(connection: &mut Connection, tables: &[Table]) -> Result<bool> {
    // Most often nothing is to be made, so that no write transaction is begun for the look.
    let checked = check_tables(connection, tables)?;
    if checked.missing.is_empty() {
        return Ok(checked.other_foreign_keys);
    }
    let doing = || "cannot make the tables of the data package".to_owned();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).context(doing)?;
    // Once more: another process may have made tables since.
    let checked = check_tables(&transaction, tables)?;
    for table in checked.missing {
        let statement = create_table(table)?;
        transaction.execute_batch(&statement).context(|| format!("cannot make the table {:?}", &*table.name))?;
        remakable::note_made_table(&transaction, &table.name)?;
    }
    transaction.commit().context(doing)?;
    Ok(checked.other_foreign_keys)
}

/// What came of checking tables.
#[derive(Default)]
struct SqliteCheckedTables<'t> {
    /// Those that do not exist.
    missing: Vec<&'t Table>,
    /// Whether one that exists has a foreign key that is not in the dictionary.
    other_foreign_keys: bool,
}

/// Checks those of `tables` that exist against the dictionary; nothing is altered.
fn check_tables<'t>(connection: &Connection, tables: &'t [Table]) -> Result<SqliteCheckedTables<'t>> {
    let mut checked = SqliteCheckedTables::default();
    let dialect = SqliteDialect { tables, taken: Vec::new() };
    for table in tables {
        match catalogue::read(connection, table)? {
            SqliteObject::Nothing => checked.missing.push(table),
            SqliteObject::Other(what) => refuse_differences(table, &[not_a_table(table, what)])?,
            SqliteObject::Table(existing) => {
                refuse_differences(table, &compare_table(table, &existing, &dialect))?;
                checked.other_foreign_keys |= has_other_foreign_key(table, &existing, &dialect);
            }
        }
    }
    Ok(checked)
}

/// The statement that makes `table`.
pub(super) fn create_table(table: &Table) -> Result<String> {
    let schema = &table.schema;
    if schema.fields.len() > MOST_COLUMNS {
        return Err(mismatch_error(format!(
            "the table {:?} has {} fields; SQLite holds at most {MOST_COLUMNS}",
            &*table.name,
            schema.fields.len()
        )));
    }
    let mut parts: Vec<String> = schema.fields.iter().map(column_definition).collect();
    if !schema.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", quoted_names(table, &schema.primary_key)));
    }
    parts.extend(schema.unique_keys.iter().map(|key| format!("UNIQUE ({})", quoted_names(table, key))));
    parts.extend(schema.foreign_keys.iter().map(|key| foreign_key_definition(table, key)));
    Ok(format!("CREATE TABLE {} (\n  {}\n) STRICT", quote_name(&table.name), parts.join(",\n  ")))
}

fn column_definition(field: &Field) -> String {
    let required = if field.constraints.required { " NOT NULL" } else { "" };
    format!("{} {}{required}", quote_name(&field.name), sql_type(&field.kind))
}

/// The STRICT type of a field: INTEGER or TEXT, so that nothing is ever stored as a float.
pub(super) const fn sql_type(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Integer { .. } | FieldType::Year | FieldType::Boolean(_) => "INTEGER",
        _ => "TEXT",
    }
}

/// A foreign key of a table.
fn foreign_key_definition(table: &Table, key: &ForeignKey) -> String {
    format!("FOREIGN KEY ({}) {}", quoted_names(table, &key.fields), references_clause(key))
}

/// What a foreign key refers to. It is checked at the end of the transaction, so that rows may name each other.
fn references_clause(key: &ForeignKey) -> String {
    let parents: Vec<String> = key.parent_fields.iter().map(|name| quote_name(name)).collect();
    format!("REFERENCES {} ({}) DEFERRABLE INITIALLY DEFERRED", quote_name(&key.parent), parents.join(", "))
}

/// The fields at `positions`, quoted and joined.
pub(super) fn quoted_names(table: &Table, positions: &[FieldIndex]) -> String {
    let names: Vec<String> = positions.iter().map(|&at| quote_name(&table.schema[at].name)).collect();
    names.join(", ")
}

/// How the database differs from `tables`.
pub(super) fn find_differences(connection: &Connection, tables: &[Table]) -> Result<Vec<Difference>> {
    let dialect = SqliteDialect { tables, taken: catalogue::taken_names(connection)? };
    let mut found = Vec::new();
    for table in tables {
        match catalogue::read(connection, table)? {
            SqliteObject::Nothing => found.push(missing_table(table, create_table(table)?)),
            SqliteObject::Other(what) => found.push(not_a_table(table, what)),
            SqliteObject::Table(existing) => found.extend(compare_table(table, &existing, &dialect)),
        }
    }
    Ok(found)
}

/// Carries out the additions of `differences`, all or none.
pub(super) fn add_missing(connection: &mut Connection, differences: &[Difference]) -> Result<()> {
    let doing = || "cannot alter the database".to_owned();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).context(doing)?;
    let mut own = Vec::new();
    for Difference { table, addition, .. } in differences {
        if addition.is_some() && (!has_table(&transaction, table)? || remakable::is_as_made(&transaction, table)?) {
            // Asked before anything is altered, since afterwards no table is as it was made.
            own.push(table);
        }
    }
    for Difference { table, addition, .. } in differences {
        let Some(statement) = addition else { continue };
        transaction.execute_batch(statement).context(|| format!("cannot alter the table {table:?}"))?;
    }
    own.into_iter().try_for_each(|table| remakable::note_made_table(&transaction, table))?;
    transaction.commit().context(doing)
}

/// What SQLite holds in which column, and what it can add to a table.
pub(super) struct SqliteDialect<'t> {
    /// The tables of the dictionary.
    pub(super) tables: &'t [Table],
    /// The names that an index cannot have.
    pub(super) taken: Vec<String>,
}

impl SqlDialect for SqliteDialect<'_> {
    /// SQLite folds the letters of ASCII, in quoted names too.
    fn are_same_column(&self, a: &str, b: &str) -> bool {
        a.eq_ignore_ascii_case(b)
    }

    /// A write transaction keeps all others out, so that the pipeline's check is enough. But SQLite checks no foreign key
    /// to columns that are no key.
    fn needs_unique_key(&self, table: &Table, key: &[FieldIndex]) -> bool {
        let mut foreign_keys = self.tables.iter().flat_map(|table| &table.schema.foreign_keys);
        foreign_keys.any(|foreign| foreign.parent == table.name && have_same_fields(table, key, &foreign.parent_fields))
    }

    fn needs_foreign_key(&self, _key: &ForeignKey) -> bool {
        false
    }

    fn sql_type(&self, table: &Table, at: FieldIndex) -> String {
        sql_type(&table.schema[at].kind).into()
    }

    fn column_fit(&self, table: &Table, at: FieldIndex, column: &ExistingColumn) -> ColumnFit {
        let kind = &table.schema[at].kind;
        if column.sql_type.eq_ignore_ascii_case(sql_type(kind)) {
            return ColumnFit::Same;
        }
        if keeps_values(column_affinity(&column.sql_type), kind) { ColumnFit::Alike } else { ColumnFit::Other }
    }

    fn add_column(&self, table: &Table, at: FieldIndex) -> Option<String> {
        let own = |key: &&ForeignKey| key.fields == [at];
        let parents: String =
            table.schema.foreign_keys.iter().filter(own).map(|key| format!(" {}", references_clause(key))).collect();
        Some(format!(
            "ALTER TABLE {} ADD COLUMN {}{parents}",
            quote_name(&table.name),
            column_definition(&table.schema[at])
        ))
    }

    fn add_primary_key(&self, _table: &Table) -> Option<String> {
        // SQLite adds neither a primary key nor a foreign key to a table that exists: it would have to be made anew.
        None
    }

    fn add_unique_key(&self, table: &Table, key: &[FieldIndex]) -> Option<String> {
        let fields: Vec<&str> = key.iter().map(|&at| &*table.schema[at].name).collect();
        let name = self.free_name(&format!("{}_{}_key", table.name, fields.join("_")));
        Some(format!(
            "CREATE UNIQUE INDEX {} ON {} ({})",
            quote_name(&name),
            quote_name(&table.name),
            quoted_names(table, key)
        ))
    }

    fn add_foreign_key(&self, _table: &Table, _key: &ForeignKey) -> Option<String> {
        None
    }

    fn comes_with_its_column(&self, key: &ForeignKey) -> bool {
        key.fields.len() == 1
    }
}

/// Whether the fields of `table` at `positions` are those called `names`, in whatever order.
fn have_same_fields(table: &Table, positions: &[FieldIndex], names: &[Arc<str>]) -> bool {
    positions.len() == names.len() && positions.iter().all(|&at| names.contains(&table.schema[at].name))
}

impl SqliteDialect<'_> {
    /// `name`, or with the first number behind it that makes it one that is not taken.
    fn free_name(&self, name: &str) -> String {
        let free = |name: &String| !self.taken.iter().any(|taken| taken.eq_ignore_ascii_case(name));
        let numbered = (2..).map(|number: u64| format!("{name}_{number}"));
        std::iter::once(name.to_owned()).chain(numbered).find(free).unwrap_or_default()
    }
}

/// What a column of a table that is not STRICT does with values: <https://www.sqlite.org/datatype3.html#affname>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    /// Values stay as they are.
    None,
    /// Texts that read as numbers become numbers.
    Numeric,
    /// Integers become floating-point numbers.
    Real,
}

fn column_affinity(declared: &str) -> Affinity {
    // The words are looked for in SQLite's order: `CHARINT` is an integer.
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    match () {
        () if has(&["INT"]) => Affinity::Integer,
        () if has(&["CHAR", "CLOB", "TEXT"]) => Affinity::Text,
        () if declared.is_empty() || has(&["BLOB"]) => Affinity::None,
        () if has(&["REAL", "FLOA", "DOUB"]) => Affinity::Real,
        () => Affinity::Numeric,
    }
}

/// Whether a column gives back every value of a field of this type as it went in.
fn keeps_values(affinity: Affinity, kind: &FieldType) -> bool {
    let is_integer = sql_type(kind) == "INTEGER";
    match affinity {
        Affinity::Integer => is_integer,
        Affinity::Text => !is_integer,
        Affinity::Numeric => !reads_as_number(kind),
        Affinity::None => true,
        Affinity::Real => false,
    }
}

/// Whether a text that this type is stored as may read as a number.
const fn reads_as_number(kind: &FieldType) -> bool {
    matches!(kind, FieldType::String(_) | FieldType::Any | FieldType::Number(_))
}
