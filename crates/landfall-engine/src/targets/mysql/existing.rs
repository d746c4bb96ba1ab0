//! Tables that exist, as the server's catalogue tells them, and what they can hold.

use landfall_core::schema::{FieldType, ForeignKey};
use mysql::Value;

use super::{
    Table,
    columns::{most_characters, sql_type},
    connection::Connection,
    ddl::{column, foreign_key, unique_key},
    names::{folded, names, quoted},
    server::Server,
};
use crate::{
    error::Result,
    targets::sql::existing::{Dialect, Existing, ExistingColumn, ExistingForeignKey, Fit},
};

/// What has the name of a table.
pub(super) enum Found {
    Nothing,
    /// Not a table with transactions: what it is.
    Other(String),
    Table(Existing),
}

/// Reads what the server says of `table`.
pub(super) fn read(connection: &mut Connection, table: &Table) -> Result<Found> {
    let doing = || format!("cannot read the definition of the table {:?}", &*table.name);
    let folds = connection.server.folds_table_names;
    let sql = "SELECT table_name, table_type, coalesce(engine, 'unknown') FROM information_schema.tables
               WHERE table_schema = database() AND table_name = ?";
    let name = |name: &str| vec![Value::Bytes(name.as_bytes().to_vec())];
    let found = connection.all(sql, name(&table.name), &doing)?.into_iter().map(texts);
    // The server's own comparison of names may be wider than that of its tables.
    let same = |found: &str| *found == *table.name || folds && folded(found) == folded(&table.name);
    let Some(found) = found.into_iter().find(|row| same(&row[0])) else { return Ok(Found::Nothing) };
    if found[1].contains("VIEW") {
        return Ok(Found::Other("a view".into()));
    }
    if found[2] != "InnoDB" {
        return Ok(Found::Other(format!("kept by the engine {}, which has no transactions", found[2])));
    }
    let mut existing = Existing { name: found[0].clone(), ..Existing::default() };
    let keys = connection.all(KEYS, name(&existing.name), &doing)?;
    let foreign_keys = connection.all(FOREIGN_KEYS, name(&existing.name), &doing)?;
    for row in connection.all(COLUMNS, name(&existing.name), &doing)? {
        existing.columns.push(existing_column(&connection.server, row));
    }
    keys.into_iter().map(texts).for_each(|row| add_key_part(&mut existing, &row));
    foreign_keys.into_iter().map(texts).for_each(|row| add_foreign_part(&mut existing, &row));
    forget_folding_keys(&mut existing);
    require_as_declared(&mut existing, table);
    let any = format!("SELECT 1 FROM {} LIMIT 1", quoted(&existing.name));
    let doing = || format!("cannot read the table {:?}", &*table.name);
    existing.has_rows = !connection.all(&any, Vec::new(), &doing)?.is_empty();
    Ok(Found::Table(existing))
}

const COLUMNS: &str = "
    SELECT column_name, column_type, coalesce(collation_name, ''), is_nullable,
        CASE WHEN column_default IS NOT NULL OR extra LIKE '%auto_increment%' THEN 'YES' ELSE 'NO' END,
        CASE WHEN extra LIKE '%GENERATED%' AND extra NOT LIKE '%DEFAULT_GENERATED%' THEN 'YES' ELSE 'NO' END
    FROM information_schema.columns WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position";

const KEYS: &str = "
    SELECT index_name, CAST(seq_in_index AS CHAR), CASE WHEN sub_part IS NULL THEN coalesce(column_name, '') ELSE '' END
    FROM information_schema.statistics
    WHERE table_schema = database() AND table_name = ? AND non_unique = 0 ORDER BY index_name, seq_in_index";

const FOREIGN_KEYS: &str = "
    SELECT CAST(ordinal_position AS CHAR), column_name, referenced_column_name,
        CASE WHEN referenced_table_schema = database() THEN referenced_table_name
             ELSE concat(referenced_table_schema, '.', referenced_table_name) END
    FROM information_schema.key_column_usage
    WHERE table_schema = database() AND table_name = ? AND referenced_table_name IS NOT NULL
    ORDER BY constraint_name, ordinal_position";

fn existing_column(server: &Server, row: Vec<Value>) -> ExistingColumn {
    let mut texts = texts(row).into_iter();
    let mut next = || texts.next().unwrap_or_default();
    let (name, sql_type, collation) = (next(), next().to_lowercase(), next());
    let by_bytes = collation.is_empty() || collation == server.collation();
    ExistingColumn {
        name,
        sql_type,
        collation: (!by_bytes).then_some(collation),
        required: next() == "NO",
        filled: next() == "YES",
        computed: next() == "YES",
    }
}

/// Adds a column to the key that it is part of; one that is not a whole column is empty.
fn add_key_part(existing: &mut Existing, row: &[String]) {
    let [key, first, column] = row else { return };
    if key == "PRIMARY" {
        existing.primary_key.push(column.clone());
    } else if first == "1" {
        existing.unique_keys.push(vec![column.clone()]);
    } else if let Some(last) = existing.unique_keys.last_mut() {
        last.push(column.clone());
    }
}

fn add_foreign_part(existing: &mut Existing, row: &[String]) {
    let [first, column, parent_column, parent] = row else { return };
    if first == "1" {
        existing.foreign_keys.push(ExistingForeignKey { parent: parent.clone(), ..Default::default() });
    }
    if let Some(last) = existing.foreign_keys.last_mut() {
        last.fields.push(column.clone());
        last.parent_fields.push(parent_column.clone());
    }
}

/// Takes out the keys that are not of whole columns, compared byte by byte: they say nothing of the dictionary's keys.
fn forget_folding_keys(existing: &mut Existing) {
    let columns = &existing.columns;
    let by_bytes = |name: &String| columns.iter().any(|column| column.name == *name && column.collation.is_none());
    existing.unique_keys.retain(|key| key.iter().all(by_bytes));
}

/// The server requires the columns of a primary key whatever it was told, so that this says nothing of the dictionary.
fn require_as_declared(existing: &mut Existing, table: &Table) {
    let fields = &table.schema.fields;
    for column in &mut existing.columns {
        if existing.primary_key.contains(&column.name)
            && let Some(field) = fields.iter().find(|field| folded(&field.name) == folded(&column.name))
        {
            column.required = field.constraints.required;
        }
    }
}

/// The texts of a row, NULL as the empty one.
pub(super) fn texts(row: Vec<Value>) -> Vec<String> {
    let text = |value| match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    row.into_iter().map(text).collect()
}

/// What MySQL holds in which column, and what it can add to a table.
pub(super) struct MysqlDialect<'d> {
    pub(super) server: &'d Server,
    /// The tables of the dictionary.
    pub(super) tables: &'d [Table],
}

impl MysqlDialect<'_> {
    fn alter(&self, table: &Table, what: &str) -> String {
        format!("ALTER TABLE {} ADD {what}", quoted(&table.name))
    }
}

impl Dialect for MysqlDialect<'_> {
    fn same_name(&self, a: &str, b: &str) -> bool {
        folded(a) == folded(b)
    }

    fn same_table(&self, a: &str, b: &str) -> bool {
        a == b || self.server.folds_table_names && folded(a) == folded(b)
    }

    /// Others may write between check and commit; and rows are looked for by each key.
    fn needs_unique_key(&self, _table: &Table, _key: &[usize]) -> bool {
        true
    }

    /// Parents are held until the commit.
    fn needs_foreign_key(&self, _key: &ForeignKey) -> bool {
        false
    }

    fn sql_type(&self, table: &Table, at: usize) -> String {
        sql_type(table, at)
    }

    fn fit(&self, table: &Table, at: usize, column: &ExistingColumn) -> Fit {
        fit(&table.schema.fields[at].kind, most_characters(&table.schema, at), &column.sql_type)
    }

    fn fit_of_collation(&self, table: &Table, at: usize, column: &ExistingColumn) -> Fit {
        // Another character set does not hold all texts; and in a key, texts that differ would be one.
        let holds_all = column.collation.as_deref().is_none_or(|collation| collation.starts_with("utf8mb4"));
        if holds_all && !table.schema.is_in_key(at) { Fit::Alike } else { Fit::Other }
    }

    fn add_column(&self, table: &Table, at: usize) -> Option<String> {
        Some(self.alter(table, &format!("COLUMN {}", column(self.server, table, at))))
    }

    fn add_primary_key(&self, table: &Table) -> Option<String> {
        let key = &table.schema.primary_key;
        (!key.is_empty()).then(|| self.alter(table, &format!("PRIMARY KEY ({})", names(table, key))))
    }

    fn add_unique_key(&self, table: &Table, key: &[usize]) -> Option<String> {
        Some(self.alter(table, &unique_key(table, key)))
    }

    fn add_foreign_key(&self, table: &Table, key: &ForeignKey) -> Option<String> {
        Some(self.alter(table, &foreign_key(table, key, self.tables)))
    }
}

/// How well a column of the type `is` holds the values of a field of type `kind`, whose texts have at most so many
/// characters. The type may have a width by which it is only shown: `bigint(20)`.
fn fit(kind: &FieldType, most_characters: Option<usize>, is: &str) -> Fit {
    let plain = is.split(['(', ' ']).next().unwrap_or_default();
    let exactly = |wanted: &str| if is == wanted { Fit::Same } else { Fit::Other };
    match kind {
        FieldType::Integer { .. } | FieldType::Year => match plain {
            "bigint" if !is.contains("unsigned") => Fit::Same,
            _ => Fit::Other,
        },
        FieldType::Boolean(_) => match plain {
            "tinyint" => Fit::Same,
            "bigint" | "int" | "mediumint" | "smallint" => Fit::Alike,
            _ => Fit::Other,
        },
        FieldType::Number(_) => exactly("decimal(65,30)"),
        FieldType::Date(_) => exactly("date"),
        // One without fractions rounds them, and says nothing.
        FieldType::Time(_) => exactly("time(6)"),
        FieldType::Datetime { .. } => exactly("datetime(6)"),
        _ => fit_of_text(most_characters, plain, is),
    }
}

fn fit_of_text(most_characters: Option<usize>, plain: &str, is: &str) -> Fit {
    const BYTES_OF_CHARACTER: usize = 4;
    let length = || is.split(['(', ')']).nth(1)?.parse().ok();
    let room = match plain {
        "longtext" => return Fit::Same,
        "varchar" => length().unwrap_or(0),
        "mediumtext" => 0xFF_FFFF / BYTES_OF_CHARACTER,
        "text" => 0xFFFF / BYTES_OF_CHARACTER,
        "tinytext" => 0xFF / BYTES_OF_CHARACTER,
        _ => 0,
    };
    match most_characters {
        Some(most) if most == room && plain == "varchar" => Fit::Same,
        Some(most) if most <= room => Fit::Alike,
        _ => Fit::Other,
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::{BooleanWords, NumberFormat, StringFormat, TemporalFormat};

    use super::*;

    #[test]
    fn types_that_hold_a_field() {
        let integer = FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false };
        let number = FieldType::Number(NumberFormat::default());
        let datetime =
            FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() };
        let string = FieldType::String(StringFormat::Default);
        let cases = [
            (&integer, "bigint(20)", Fit::Same),
            (&integer, "bigint", Fit::Same),
            (&integer, "bigint(20) unsigned", Fit::Other),
            (&integer, "int(11)", Fit::Other),
            (&integer, "double", Fit::Other),
            (&FieldType::Boolean(BooleanWords::default()), "tinyint(1)", Fit::Same),
            (&FieldType::Boolean(BooleanWords::default()), "int(11)", Fit::Alike),
            (&FieldType::Boolean(BooleanWords::default()), "bit(1)", Fit::Other),
            (&number, "decimal(65,30)", Fit::Same),
            (&number, "decimal(10,2)", Fit::Other),
            (&number, "double", Fit::Other),
            (&FieldType::Date(TemporalFormat::Default), "date", Fit::Same),
            (&FieldType::Time(TemporalFormat::Default), "time", Fit::Other),
            (&FieldType::Time(TemporalFormat::Default), "time(6)", Fit::Same),
            (&datetime, "datetime(6)", Fit::Same),
            (&datetime, "datetime", Fit::Other),
            (&datetime, "timestamp(6)", Fit::Other),
            (&string, "longtext", Fit::Same),
            (&string, "varchar(20)", Fit::Other),
            (&string, "text", Fit::Other),
            (&string, "longblob", Fit::Other),
        ];
        for (kind, is, expected) in cases {
            assert_eq!(fit(kind, None, is), expected, "{} in {is}", kind.name());
        }
    }

    #[test]
    fn texts_of_a_declared_length_fit_where_there_is_room() {
        let string = FieldType::String(StringFormat::Default);
        for (is, expected) in [
            ("longtext", Fit::Same),
            ("varchar(20)", Fit::Same),
            ("varchar(19)", Fit::Other),
            ("varchar(200)", Fit::Alike),
            ("text", Fit::Alike),
            ("tinytext", Fit::Alike),
            ("char(20)", Fit::Other),
        ] {
            assert_eq!(fit(&string, Some(20), is), expected, "{is}");
        }
    }
}
