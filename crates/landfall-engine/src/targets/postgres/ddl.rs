//! The statements that make the dictionary's tables.

use std::collections::HashSet;

use landfall_core::schema::{Field, FieldIndex, FieldType, ForeignKey};

use super::mismatch_error;
use crate::{error::Result, targets::Table};

/// The most bytes of a name: a longer one is cut without a word (`NAMEDATALEN` less one).
const MOST_NAME_BYTES: usize = 63;
/// The most columns of a table.
const MOST_COLUMNS: usize = 1600;
/// Columns that every table has already.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// The name of a table or column, quoted.
pub(super) fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, quoted.
pub(super) fn quote_literal(text: &str) -> String {
    // Enough since every session sets `standard_conforming_strings`: a backslash has no meaning.
    format!("'{}'", text.replace('\'', "''"))
}

/// A relation in a schema, quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelationPlace {
    pub(super) schema: String,
    pub(super) name: String,
}

impl RelationPlace {
    pub(super) fn new(schema: &str, name: &str) -> Self {
        Self { schema: schema.to_owned(), name: name.to_owned() }
    }
}

impl std::fmt::Display for RelationPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", quote_name(&self.schema), quote_name(&self.name))
    }
}

/// The type in which a field is stored.
pub(super) const fn sql_type(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Integer { .. } | FieldType::Year => "bigint",
        // Without precision and scale: `numeric` keeps each number with the digits that it came with.
        FieldType::Number(_) => "numeric",
        FieldType::Boolean(_) => "boolean",
        FieldType::Date(_) => "date",
        FieldType::Time(_) => "time without time zone",
        FieldType::Datetime { .. } => "timestamp with time zone",
        _ => "text",
    }
}

/// A column as it is declared. Text is ordered by its bytes, whatever the database's collation.
pub(super) fn column_definition(field: &Field, required: bool) -> String {
    let name = sql_type(&field.kind);
    // By bytes, so that the database agrees with Landfall on equality and order, on every system.
    let collation = if name == "text" { " COLLATE \"C\"" } else { "" };
    let required = if required { " NOT NULL" } else { "" };
    format!("{} {name}{collation}{required}", quote_name(&field.name))
}

/// The statement that makes `table` at `place` without keys.
pub(super) fn create_heap_statement(table: &Table, place: &RelationPlace) -> String {
    let schema = &table.schema;
    let required = |at: FieldIndex| schema[at].constraints.required || schema.primary_key.contains(&at);
    let columns: Vec<String> =
        schema.positioned_fields().map(|(at, field)| column_definition(field, required(at))).collect();
    format!("CREATE TABLE {place} (\n  {}\n)", columns.join(",\n  "))
}

/// The statements that give `table` at `place` its primary and unique keys.
pub(super) fn add_key_statements(table: &Table, place: &RelationPlace) -> Vec<String> {
    unique_keys(table).map(|key| add_key_statement(table, place, key)).collect()
}

/// The primary key, where there is one, and the unique keys.
pub(super) fn unique_keys(table: &Table) -> impl Iterator<Item = &Vec<FieldIndex>> {
    let primary = std::iter::once(&table.schema.primary_key).filter(|key| !key.is_empty());
    primary.chain(&table.schema.unique_keys)
}

/// The statement that adds one of the keys.
pub(super) fn add_key_statement(table: &Table, place: &RelationPlace, key: &[FieldIndex]) -> String {
    let kind = if key == table.schema.primary_key { "PRIMARY KEY" } else { "UNIQUE" };
    // Without a name: the server chooses one that is free, and by its usual rules.
    format!("ALTER TABLE {place} ADD {kind} ({})", quoted_names(table, key))
}

/// The statements that give `table` at `place` its foreign keys, to tables of `schema`.
pub(super) fn add_foreign_keys(table: &Table, place: &RelationPlace, schema: &str, circular: bool) -> Vec<String> {
    table.schema.foreign_keys.iter().map(|key| add_foreign_key(table, place, key, schema, circular)).collect()
}

/// A foreign key. Every one is deferrable, so that a parent table can be replaced in one transaction; those of tables that
/// name each other in a circle are checked at its end, so that rows may come in any order.
pub(super) fn add_foreign_key(
    table: &Table,
    place: &RelationPlace,
    key: &ForeignKey,
    schema: &str,
    circular: bool,
) -> String {
    let parents: Vec<String> = key.parent_fields.iter().map(|name| quote_name(name)).collect();
    let initially = if circular { "DEFERRED" } else { "IMMEDIATE" };
    format!(
        "ALTER TABLE {place} ADD FOREIGN KEY ({}) REFERENCES {} ({}) DEFERRABLE INITIALLY {initially}",
        quoted_names(table, &key.fields),
        RelationPlace::new(schema, &key.parent),
        parents.join(", ")
    )
}

/// All statements that make `tables` in an empty schema.
pub(super) fn create_statements(tables: &[Table], schema: &str) -> Result<Vec<String>> {
    tables.iter().try_for_each(check_names)?;
    let place = |table: &Table| RelationPlace::new(schema, &table.name);
    let whole = |table: &Table| {
        std::iter::once(create_heap_statement(table, &place(table))).chain(add_key_statements(table, &place(table)))
    };
    let keys = |table: &Table| add_foreign_keys(table, &place(table), schema, is_in_circle(table, tables));
    // All tables before all foreign keys, since tables may refer to each other.
    let mut statements: Vec<String> = tables.iter().flat_map(whole).collect();
    statements.extend(tables.iter().flat_map(keys));
    Ok(statements)
}

/// Whether `table` refers to itself, directly or through others of `tables`.
pub(super) fn is_in_circle(table: &Table, tables: &[Table]) -> bool {
    let mut met = HashSet::new();
    let mut open = vec![table];
    while let Some(at) = open.pop() {
        for key in &at.schema.foreign_keys {
            if key.parent == table.name {
                return true;
            }
            open.extend(tables.iter().filter(|other| other.name == key.parent && met.insert(other.name.clone())));
        }
    }
    false
}

/// The fields at `positions`, quoted and joined.
pub(super) fn quoted_names(table: &Table, positions: &[FieldIndex]) -> String {
    let names: Vec<String> = positions.iter().map(|&at| quote_name(&table.schema[at].name)).collect();
    names.join(", ")
}

/// All fields, quoted and joined.
pub(super) fn quoted_field_names(table: &Table) -> String {
    quoted_names(table, &table.schema.field_positions().collect::<Vec<_>>())
}

/// Refuses names that the server would cut short or has for itself, and tables that are too wide.
pub(super) fn check_names(table: &Table) -> Result<()> {
    let fields = &table.schema.fields;
    if fields.len() > MOST_COLUMNS {
        let message = format!("has {} fields; PostgreSQL holds at most {MOST_COLUMNS}", fields.len());
        return Err(mismatch_error(format!("the table {:?} {message}", &*table.name)));
    }
    check_name("the table", &table.name)?;
    let whose = format!("in the table {:?} the field", &*table.name);
    for field in fields {
        check_name(&whose, &field.name)?;
        if SYSTEM_COLUMNS.contains(&&*field.name) {
            let message = "has the name of a system column of PostgreSQL; give it another";
            return Err(mismatch_error(format!("{whose} {:?} {message}", &*field.name)));
        }
    }
    Ok(())
}

/// Refuses a name that the server cannot keep.
pub(super) fn check_name(whose: &str, name: &str) -> Result<()> {
    let fault = match name {
        "" => "has no name",
        _ if name.contains('\0') => "has a NUL in its name",
        _ if name.len() > MOST_NAME_BYTES => "has a name of more than 63 bytes, which PostgreSQL would cut short",
        _ => return Ok(()),
    };
    Err(mismatch_error(format!("{whose} {name:?} {fault}; give it another")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use landfall_core::schema::{Constraints, StringFormat, TableSchema};

    use super::*;

    fn field(name: &str, kind: FieldType) -> Field {
        Field {
            name: name.into(),
            title: None,
            description: None,
            kind,
            constraints: Constraints::default(),
            missing_values: Vec::new(),
        }
    }

    fn table(name: &str, parents: &[&str]) -> Table {
        let integer = FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false };
        let mut fields = vec![field("id", integer.clone()), field("Na\"me", FieldType::String(StringFormat::Default))];
        fields.extend(parents.iter().map(|parent| field(&format!("{parent}_id"), integer.clone())));
        let foreign_keys = (2..).zip(parents).map(|(at, parent)| ForeignKey {
            fields: vec![FieldIndex::from(at)],
            parent: (*parent).into(),
            parent_fields: vec!["id".into()],
        });
        let schema = TableSchema {
            fields,
            primary_key: vec![0.into()],
            unique_keys: vec![vec![1.into(), 0.into()]],
            foreign_keys: foreign_keys.collect(),
            ..TableSchema::default()
        };
        Table { name: name.into(), schema: Arc::new(schema) }
    }

    #[test]
    fn statements() {
        let made = create_statements(&[table("a b", &["p"]), table("p", &[])], "s").expect("sound").join(";\n");
        assert_eq!(
            made,
            r#"CREATE TABLE "s"."a b" (
  "id" bigint NOT NULL,
  "Na""me" text COLLATE "C",
  "p_id" bigint
);
ALTER TABLE "s"."a b" ADD PRIMARY KEY ("id");
ALTER TABLE "s"."a b" ADD UNIQUE ("Na""me", "id");
CREATE TABLE "s"."p" (
  "id" bigint NOT NULL,
  "Na""me" text COLLATE "C"
);
ALTER TABLE "s"."p" ADD PRIMARY KEY ("id");
ALTER TABLE "s"."p" ADD UNIQUE ("Na""me", "id");
ALTER TABLE "s"."a b" ADD FOREIGN KEY ("p_id") REFERENCES "s"."p" ("id") DEFERRABLE INITIALLY IMMEDIATE"#
        );
    }

    #[test]
    fn circles() {
        let tables =
            [table("a", &["b"]), table("b", &["c"]), table("c", &["b"]), table("d", &["d"]), table("e", &["a"])];
        let found: Vec<bool> = tables.iter().map(|table| is_in_circle(table, &tables)).collect();
        assert_eq!(found, [false, true, true, true, false]);
        assert!(
            add_foreign_keys(&tables[3], &RelationPlace::new("s", "d"), "s", true)[0].ends_with("INITIALLY DEFERRED")
        );
    }

    #[test]
    fn names_that_the_server_cannot_keep() {
        let long = "ä".repeat(32);
        for (name, said) in [(long.as_str(), "63 bytes"), ("a\0b", "NUL"), ("", "no name")] {
            let error = check_names(&table(name, &[])).expect_err(name).to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(check_names(&table(&"ä".repeat(31), &[])).is_ok());
        let mut odd = table("t", &[]);
        Arc::make_mut(&mut odd.schema).fields[1].name = "ctid".into();
        assert!(check_names(&odd).expect_err("ctid").to_string().contains("system column"));
    }
}
