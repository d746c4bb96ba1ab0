//! Tables that exist, as the server's catalogue tells them, and what they can hold.

use landfall_core::schema::{FieldIndex, FieldType, ForeignKey};
use mysql::Value;

use super::{
    Table,
    columns::{most_characters, sql_type},
    connection::MysqlConnection,
    ddl::{column_definition, foreign_key_definition, unique_key_definition},
    names::{fold_name, quote_name, quoted_names},
    server::MysqlServer,
};
use crate::{
    error::Result,
    targets::sql::existing_table::{ColumnFit, ExistingColumn, ExistingForeignKey, ExistingTable, SqlDialect},
};

/// What has the name of a table.
pub(super) enum MysqlObject {
    Nothing,
    /// Not a table with transactions: what it is.
    Other(String),
    Table(ExistingTable),
}

/// Reads what the server says of `table`.
pub(super) fn read(connection: &mut MysqlConnection, table: &Table) -> Result<MysqlObject> {
    let doing = || format!("cannot read the definition of the table {:?}", &*table.name);
    let folds = connection.server.folds_table_names;
    let sql = "SELECT table_name, table_type, coalesce(engine, 'unknown') FROM information_schema.tables
               WHERE table_schema = database() AND table_name = ?";
    let name = |name: &str| vec![Value::Bytes(name.as_bytes().to_vec())];
    let found = connection.query_all(sql, name(&table.name), &doing)?.into_iter().map(row_texts);
    // The server's own comparison of names may be wider than that of its tables.
    let same = |found: &str| *found == *table.name || folds && fold_name(found) == fold_name(&table.name);
    let Some(found) = found.into_iter().find(|row| same(&row[0])) else { return Ok(MysqlObject::Nothing) };
    if found[1].contains("VIEW") {
        return Ok(MysqlObject::Other("a view".into()));
    }
    if found[2] != "InnoDB" {
        return Ok(MysqlObject::Other(format!("kept by the engine {}, which has no transactions", found[2])));
    }
    let mut existing = ExistingTable { name: found[0].clone(), ..ExistingTable::default() };
    let keys = connection.query_all(KEYS, name(&existing.name), &doing)?;
    let foreign_keys = connection.query_all(FOREIGN_KEYS, name(&existing.name), &doing)?;
    for row in connection.query_all(COLUMNS, name(&existing.name), &doing)? {
        existing.columns.push(existing_column(&connection.server, row));
    }
    keys.into_iter().map(row_texts).for_each(|row| add_key_part(&mut existing, &row));
    foreign_keys.into_iter().map(row_texts).for_each(|row| add_foreign_part(&mut existing, &row));
    forget_folding_keys(&mut existing);
    require_as_declared(&mut existing, table);
    let any = format!("SELECT 1 FROM {} LIMIT 1", quote_name(&existing.name));
    let doing = || format!("cannot read the table {:?}", &*table.name);
    existing.has_rows = !connection.query_all(&any, Vec::new(), &doing)?.is_empty();
    Ok(MysqlObject::Table(existing))
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

fn existing_column(server: &MysqlServer, row: Vec<Value>) -> ExistingColumn {
    let mut texts = row_texts(row).into_iter();
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
fn add_key_part(existing: &mut ExistingTable, row: &[String]) {
    let [key, first, column] = row else { return };
    if key == "PRIMARY" {
        existing.primary_key.push(column.clone());
    } else if first == "1" {
        existing.unique_keys.push(vec![column.clone()]);
    } else if let Some(last) = existing.unique_keys.last_mut() {
        last.push(column.clone());
    }
}

fn add_foreign_part(existing: &mut ExistingTable, row: &[String]) {
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
fn forget_folding_keys(existing: &mut ExistingTable) {
    let columns = &existing.columns;
    let by_bytes = |name: &String| columns.iter().any(|column| column.name == *name && column.collation.is_none());
    existing.unique_keys.retain(|key| key.iter().all(by_bytes));
}

/// The server requires the columns of a primary key whatever it was told, so that this says nothing of the dictionary.
fn require_as_declared(existing: &mut ExistingTable, table: &Table) {
    let fields = &table.schema.fields;
    for column in &mut existing.columns {
        if existing.primary_key.contains(&column.name)
            && let Some(field) = fields.iter().find(|field| fold_name(&field.name) == fold_name(&column.name))
        {
            column.required = field.constraints.required;
        }
    }
}

/// The texts of a row, NULL as the empty one.
pub(super) fn row_texts(row: Vec<Value>) -> Vec<String> {
    let text = |value| match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    row.into_iter().map(text).collect()
}

/// What MySQL holds in which column, and what it can add to a table.
pub(super) struct MysqlDialect<'d> {
    pub(super) server: &'d MysqlServer,
    /// The tables of the dictionary.
    pub(super) tables: &'d [Table],
}

impl MysqlDialect<'_> {
    fn alter_statement(&self, table: &Table, what: &str) -> String {
        format!("ALTER TABLE {} ADD {what}", quote_name(&table.name))
    }
}

impl SqlDialect for MysqlDialect<'_> {
    fn are_same_column(&self, a: &str, b: &str) -> bool {
        fold_name(a) == fold_name(b)
    }

    fn are_same_table(&self, a: &str, b: &str) -> bool {
        a == b || self.server.folds_table_names && fold_name(a) == fold_name(b)
    }

    /// Others may write between check and commit; and rows are looked for by each key.
    fn needs_unique_key(&self, _table: &Table, _key: &[FieldIndex]) -> bool {
        true
    }

    /// Parents are held until the commit.
    fn needs_foreign_key(&self, _key: &ForeignKey) -> bool {
        false
    }

    fn sql_type(&self, table: &Table, at: FieldIndex) -> String {
        sql_type(table, at)
    }

    fn column_fit(&self, table: &Table, at: FieldIndex, column: &ExistingColumn) -> ColumnFit {
        fit_type(&table.schema[at].kind, most_characters(&table.schema, at), &column.sql_type)
    }

    fn fit_of_collation(&self, table: &Table, at: FieldIndex, column: &ExistingColumn) -> ColumnFit {
        // Another character set does not hold all texts; and in a key, texts that differ would be one.
        let holds_all = column.collation.as_deref().is_none_or(|collation| collation.starts_with("utf8mb4"));
        if holds_all && !table.schema.is_in_key(at) { ColumnFit::Alike } else { ColumnFit::Other }
    }

    fn add_column(&self, table: &Table, at: FieldIndex) -> Option<String> {
        Some(self.alter_statement(table, &format!("COLUMN {}", column_definition(self.server, table, at))))
    }

    fn add_primary_key(&self, table: &Table) -> Option<String> {
        let key = &table.schema.primary_key;
        (!key.is_empty()).then(|| self.alter_statement(table, &format!("PRIMARY KEY ({})", quoted_names(table, key))))
    }

    fn add_unique_key(&self, table: &Table, key: &[FieldIndex]) -> Option<String> {
        Some(self.alter_statement(table, &unique_key_definition(table, key)))
    }

    fn add_foreign_key(&self, table: &Table, key: &ForeignKey) -> Option<String> {
        Some(self.alter_statement(table, &foreign_key_definition(table, key, self.tables)))
    }
}

/// How well a column of the type `is` holds the values of a field of type `kind`, whose texts have at most so many
/// characters. The type may have a width by which it is only shown: `bigint(20)`.
fn fit_type(kind: &FieldType, most_characters: Option<usize>, is: &str) -> ColumnFit {
    let plain = is.split(['(', ' ']).next().unwrap_or_default();
    let exactly = |wanted: &str| if is == wanted { ColumnFit::Same } else { ColumnFit::Other };
    match kind {
        FieldType::Integer { .. } | FieldType::Year => match plain {
            "bigint" if !is.contains("unsigned") => ColumnFit::Same,
            _ => ColumnFit::Other,
        },
        FieldType::Boolean(_) => match plain {
            "tinyint" => ColumnFit::Same,
            "bigint" | "int" | "mediumint" | "smallint" => ColumnFit::Alike,
            _ => ColumnFit::Other,
        },
        FieldType::Number(_) => exactly("decimal(65,30)"),
        FieldType::Date(_) => exactly("date"),
        // One without fractions rounds them, and says nothing.
        FieldType::Time(_) => exactly("time(6)"),
        FieldType::Datetime { .. } => exactly("datetime(6)"),
        _ => fit_text_type(most_characters, plain, is),
    }
}

fn fit_text_type(most_characters: Option<usize>, plain: &str, is: &str) -> ColumnFit {
    const BYTES_OF_CHARACTER: usize = 4;
    let length = || is.split(['(', ')']).nth(1)?.parse().ok();
    let room = match plain {
        "longtext" => return ColumnFit::Same,
        "varchar" => length().unwrap_or(0),
        "mediumtext" => 0xFF_FFFF / BYTES_OF_CHARACTER,
        "text" => 0xFFFF / BYTES_OF_CHARACTER,
        "tinytext" => 0xFF / BYTES_OF_CHARACTER,
        _ => 0,
    };
    match most_characters {
        Some(most) if most == room && plain == "varchar" => ColumnFit::Same,
        Some(most) if most <= room => ColumnFit::Alike,
        _ => ColumnFit::Other,
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
            (&integer, "bigint(20)", ColumnFit::Same),
            (&integer, "bigint", ColumnFit::Same),
            (&integer, "bigint(20) unsigned", ColumnFit::Other),
            (&integer, "int(11)", ColumnFit::Other),
            (&integer, "double", ColumnFit::Other),
            (&FieldType::Boolean(BooleanWords::default()), "tinyint(1)", ColumnFit::Same),
            (&FieldType::Boolean(BooleanWords::default()), "int(11)", ColumnFit::Alike),
            (&FieldType::Boolean(BooleanWords::default()), "bit(1)", ColumnFit::Other),
            (&number, "decimal(65,30)", ColumnFit::Same),
            (&number, "decimal(10,2)", ColumnFit::Other),
            (&number, "double", ColumnFit::Other),
            (&FieldType::Date(TemporalFormat::Default), "date", ColumnFit::Same),
            (&FieldType::Time(TemporalFormat::Default), "time", ColumnFit::Other),
            (&FieldType::Time(TemporalFormat::Default), "time(6)", ColumnFit::Same),
            (&datetime, "datetime(6)", ColumnFit::Same),
            (&datetime, "datetime", ColumnFit::Other),
            (&datetime, "timestamp(6)", ColumnFit::Other),
            (&string, "longtext", ColumnFit::Same),
            (&string, "varchar(20)", ColumnFit::Other),
            (&string, "text", ColumnFit::Other),
            (&string, "longblob", ColumnFit::Other),
        ];
        for (kind, is, expected) in cases {
            assert_eq!(fit_type(kind, None, is), expected, "{} in {is}", kind.name());
        }
    }

    #[test]
    fn texts_of_a_declared_length_fit_where_there_is_room() {
        let string = FieldType::String(StringFormat::Default);
        for (is, expected) in [
            ("longtext", ColumnFit::Same),
            ("varchar(20)", ColumnFit::Same),
            ("varchar(19)", ColumnFit::Other),
            ("varchar(200)", ColumnFit::Alike),
            ("text", ColumnFit::Alike),
            ("tinytext", ColumnFit::Alike),
            ("char(20)", ColumnFit::Other),
        ] {
            assert_eq!(fit_type(&string, Some(20), is), expected, "{is}");
        }
    }
}
