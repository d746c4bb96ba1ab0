//! Tables that exist, as the server describes them, and how they differ from the dictionary.

use landfall_core::schema::{Field, FieldType};
use mysql::Value;

use super::{
    Difference, Table,
    columns::{is_text, sql_type},
    connection::Connection,
    ddl::{column, foreign_key, is_required, unique_key},
    names::{folded, quoted},
    server::Server,
};
use crate::error::Result;

/// A table that exists.
#[derive(Debug, Default)]
pub(super) struct Existing {
    is_view: bool,
    engine: String,
    columns: Vec<Column>,
    /// The primary key first, where there is one, then the unique keys: their columns in order.
    primary: Vec<String>,
    uniques: Vec<Vec<String>>,
    foreigns: Vec<Foreign>,
}

/// A column of a table that exists.
#[derive(Debug)]
struct Column {
    name: String,
    /// The type without its measures: `varchar`.
    kind: String,
    /// The type in full: `varchar(20)`.
    full: String,
    collation: Option<String>,
    nullable: bool,
    /// Whether a row can be made without a value for it.
    fills_itself: bool,
    precision: i64,
    scale: i64,
    fraction: i64,
}

/// A foreign key of a table that exists.
#[derive(Debug, PartialEq, Eq)]
struct Foreign {
    parent: String,
    /// Each column with that of the parent which it names, sorted.
    pairs: Vec<(String, String)>,
}

impl Existing {
    /// Reads what the server says of `table`; none where there is no such table.
    pub(super) fn read(connection: &mut Connection, table: &Table) -> Result<Option<Self>> {
        let name = || vec![Value::Bytes(table.name.as_bytes().to_vec())];
        let doing = || format!("cannot read the form of the table {:?}", &*table.name);
        let sql = "SELECT table_name, table_type, coalesce(engine, '') FROM information_schema.tables
                   WHERE table_schema = database() AND table_name = ?";
        // The server's own comparison of names may be wider than that of its tables.
        let folds = connection.server.folds_table_names;
        let same = |found: &str| *found == *table.name || folds && folded(found) == folded(&table.name);
        let found = connection.all(sql, name(), &doing)?.into_iter().map(texts).find(|row| same(&row[0]));
        let Some(found) = found else { return Ok(None) };
        let mut existing = Self { is_view: found[1].contains("VIEW"), engine: found[2].clone(), ..Self::default() };
        for row in connection.all(COLUMNS, name(), &doing)? {
            existing.columns.push(Column::of(row));
        }
        for row in connection.all(KEYS, name(), &doing)?.into_iter().map(texts) {
            existing.add_key_part(&row);
        }
        existing.uniques.retain(|key| key.iter().all(|part| !part.is_empty()));
        for row in connection.all(FOREIGNS, name(), &doing)?.into_iter().map(texts) {
            existing.add_foreign_part(&row);
        }
        Ok(Some(existing))
    }

    /// Adds a column to the key that it is part of. A part that is not a whole column is empty: such a key is none of ours.
    fn add_key_part(&mut self, row: &[String]) {
        let [key, first, column] = row else { return };
        if key == "PRIMARY" {
            self.primary.push(column.clone());
        } else if first == "1" {
            self.uniques.push(vec![column.clone()]);
        } else if let Some(last) = self.uniques.last_mut() {
            last.push(column.clone());
        }
    }

    fn add_foreign_part(&mut self, row: &[String]) {
        let [first, column, parent, parent_column] = row else { return };
        if first == "1" {
            self.foreigns.push(Foreign { parent: parent.clone(), pairs: Vec::new() });
        }
        if let Some(last) = self.foreigns.last_mut() {
            last.pairs.push((column.clone(), parent_column.clone()));
            last.pairs.sort();
        }
    }
}

const COLUMNS: &str = "
    SELECT column_name, data_type, column_type, collation_name, is_nullable,
        CASE WHEN column_default IS NOT NULL OR extra LIKE '%auto_increment%' OR extra LIKE '%GENERATED%' THEN 'YES'
             ELSE 'NO' END,
        CAST(coalesce(numeric_precision, 0) AS SIGNED), CAST(coalesce(numeric_scale, 0) AS SIGNED),
        CAST(coalesce(datetime_precision, 0) AS SIGNED)
    FROM information_schema.columns WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position";

const KEYS: &str = "
    SELECT index_name, CAST(seq_in_index AS CHAR), CASE WHEN sub_part IS NULL THEN coalesce(column_name, '') ELSE '' END
    FROM information_schema.statistics
    WHERE table_schema = database() AND table_name = ? AND non_unique = 0 ORDER BY index_name, seq_in_index";

const FOREIGNS: &str = "
    SELECT CAST(ordinal_position AS CHAR), column_name, referenced_table_name, referenced_column_name
    FROM information_schema.key_column_usage
    WHERE table_schema = database() AND table_name = ? AND referenced_table_schema = database()
        AND referenced_table_name IS NOT NULL
    ORDER BY constraint_name, ordinal_position";

impl Column {
    fn of(row: Vec<Value>) -> Self {
        let number = |at: usize| if let Some(Value::Int(number)) = row.get(at) { *number } else { 0 };
        let (precision, scale, fraction) = (number(6), number(7), number(8));
        let nulls = matches!(row.get(3), Some(Value::NULL));
        let mut texts = texts(row).into_iter();
        let mut next = || texts.next().unwrap_or_default();
        let (name, kind, full, collation) = (next(), next().to_lowercase(), next().to_lowercase(), next());
        let (nullable, fills_itself) = (next() == "YES", next() == "YES");
        let collation = (!nulls).then_some(collation);
        Self { name, kind, full, collation, nullable, fills_itself, precision, scale, fraction }
    }
}

/// The texts of a row, NULL as the empty one.
fn texts(row: Vec<Value>) -> Vec<String> {
    let text = |value| match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    row.into_iter().map(text).collect()
}

/// How a column can differ from its field.
enum Fit {
    /// It is what Landfall would make.
    Same,
    /// What does not fit it is refused, and nothing is changed silently.
    Narrower,
    /// It would change values.
    Other,
}

/// How `existing` differs from `table`, which is one of `tables`.
pub(super) fn compare(
    server: &Server,
    table: &Table,
    tables: &[Table],
    existing: &Existing,
) -> Result<Vec<Difference>> {
    let mut found = Differences { table, found: Vec::new() };
    if existing.is_view {
        found.serious("is a view".into());
        return Ok(found.found);
    }
    if existing.engine != "InnoDB" {
        found.serious(format!(
            "is kept by the engine {}, which has no transactions; it must be InnoDB",
            existing.engine
        ));
    }
    for (at, field) in table.schema.fields.iter().enumerate() {
        let same = |column: &&Column| folded(&column.name) == folded(&field.name);
        match existing.columns.iter().find(same) {
            None => found.missing_column(server, at, field)?,
            Some(column) => found.column(server, at, field, column)?,
        }
    }
    found.extra_columns(existing);
    found.keys(tables, existing);
    Ok(found.found)
}

struct Differences<'t> {
    table: &'t Table,
    found: Vec<Difference>,
}

impl Differences<'_> {
    fn add(&mut self, message: String, addition: Option<String>, harmless: bool) {
        self.found.push(Difference { table: self.table.name.clone(), message, addition, harmless });
    }

    fn serious(&mut self, message: String) {
        self.add(message, None, false);
    }

    /// A column can be added where the rows that are there need no value for it.
    fn missing_column(&mut self, server: &Server, at: usize, field: &Field) -> Result<()> {
        let addition = if is_required(self.table, at) {
            None
        } else {
            Some(format!("ALTER TABLE {} ADD COLUMN {}", quoted(&self.table.name), column(server, self.table, at)?))
        };
        self.add(format!("has no column {:?}", &*field.name), addition, false);
        Ok(())
    }

    fn column(&mut self, server: &Server, at: usize, field: &Field, column: &Column) -> Result<()> {
        let wanted = sql_type(server, self.table, at)?;
        let name = &*field.name;
        match fit(&field.kind, column) {
            Fit::Same => {}
            Fit::Narrower => self.add(format!("has the column {name:?} as {}, not {wanted}", column.full), None, true),
            Fit::Other => self.serious(format!("has the column {name:?} as {}, not {wanted}", column.full)),
        }
        if is_text(&field.kind)
            && let Some(collation) = column.collation.as_deref().filter(|found| *found != server.collation())
        {
            let message = format!(
                "has the column {name:?} with the collation {collation}, not {}, by which texts are compared byte by byte",
                server.collation()
            );
            // In a key, texts that differ would be one; and not all of Unicode fits another character set.
            let harmless = !self.table.schema.in_key(at) && collation.starts_with("utf8mb4");
            self.add(message, None, harmless);
        }
        match (is_required(self.table, at), column.nullable) {
            (true, true) => self.add(format!("takes missing values of the column {name:?}"), None, true),
            (false, false) => self.serious(format!("takes no missing values of the column {name:?}")),
            _ => {}
        }
        Ok(())
    }

    fn extra_columns(&mut self, existing: &Existing) {
        let known =
            |column: &Column| self.table.schema.fields.iter().any(|field| folded(&field.name) == folded(&column.name));
        let extra: Vec<String> = existing
            .columns
            .iter()
            .filter(|column| !known(column) && !column.nullable && !column.fills_itself)
            .map(|column| format!("asks for a value of the column {:?}, which is not in the data package", column.name))
            .collect();
        extra.into_iter().for_each(|message| self.serious(message));
    }

    fn keys(&mut self, tables: &[Table], existing: &Existing) {
        let table = self.table;
        let schema = &table.schema;
        if self.sorted(&schema.primary_key) != sorted(&existing.primary) {
            let wanted: Vec<&str> = schema.primary_key.iter().map(|&at| &*schema.fields[at].name).collect();
            let is = existing.primary.join(", ");
            self.serious(format!("has the primary key ({is}) and not ({})", wanted.join(", ")));
        }
        let alter = format!("ALTER TABLE {} ADD ", quoted(&table.name));
        for key in &schema.unique_keys {
            let wanted = self.sorted(key);
            let mut keys = existing.uniques.iter().chain([&existing.primary]);
            if !keys.any(|key| sorted(key) == wanted) {
                let message = format!("has no unique key ({})", schema.key_name(key));
                self.add(message, Some(format!("{alter}{}", unique_key(table, key))), false);
            }
        }
        for key in &schema.foreign_keys {
            let column = |at: usize| folded(&schema.fields[at].name);
            let mut pairs: Vec<(String, String)> = key
                .fields
                .iter()
                .map(|&at| column(at))
                .zip(key.parent_fields.iter().map(|name| folded(name)))
                .collect();
            pairs.sort();
            if !existing.foreigns.iter().any(|found| found.is(&key.parent, &pairs)) {
                let message =
                    format!("has no foreign key ({}) that names {:?}", schema.key_name(&key.fields), &*key.parent);
                self.add(message, Some(format!("{alter}{}", foreign_key(table, key, tables))), false);
            }
        }
    }

    fn sorted(&self, positions: &[usize]) -> Vec<String> {
        let names: Vec<String> = positions.iter().map(|&at| self.table.schema.fields[at].name.to_string()).collect();
        sorted(&names)
    }
}

impl Foreign {
    fn is(&self, parent: &str, pairs: &[(String, String)]) -> bool {
        let mut own: Vec<(String, String)> =
            self.pairs.iter().map(|(column, parent)| (folded(column), folded(parent))).collect();
        own.sort();
        folded(&self.parent) == folded(parent) && own == pairs
    }
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| folded(name)).collect();
    names.sort();
    names
}

/// Whether values of a type fit a column.
fn fit(kind: &FieldType, column: &Column) -> Fit {
    let exact = |wanted: &str| if column.kind == wanted { Fit::Same } else { Fit::Other };
    let to_the_microsecond = |fit: Fit| if column.fraction == 6 { fit } else { Fit::Other };
    match kind {
        FieldType::Integer { .. } | FieldType::Year => match column.kind.as_str() {
            "bigint" if !column.full.contains("unsigned") => Fit::Same,
            "bigint" | "int" | "mediumint" | "smallint" | "tinyint" => Fit::Narrower,
            _ => Fit::Other,
        },
        FieldType::Boolean(_) => exact("tinyint"),
        FieldType::Number(_) if column.kind == "decimal" && (column.precision, column.scale) == (65, 30) => Fit::Same,
        FieldType::Number(_) if column.kind == "decimal" => Fit::Narrower,
        FieldType::Number(_) => Fit::Other,
        FieldType::Date(_) => exact("date"),
        FieldType::Time(_) => to_the_microsecond(exact("time")),
        FieldType::Datetime { .. } => to_the_microsecond(exact("datetime")),
        _ => match column.kind.as_str() {
            "longtext" | "varchar" => Fit::Same,
            "text" | "mediumtext" | "tinytext" => Fit::Narrower,
            _ => Fit::Other,
        },
    }
}
