//! Names of tables, columns and keys: quoted, and refused where the server would cut them or fold them together.

use std::collections::HashMap;

use landfall_core::schema::FieldIndex;

use super::{Table, mismatch_error, server::MysqlServer};
use crate::error::Result;

/// The most characters of a name.
const LONGEST: usize = 64;
/// Characters of a key's name that are its digest.
const DIGEST: usize = 8;

/// The name of a table or column, quoted: with the one quote that means a name in every session.
pub(super) fn quote_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The fields of `table` at `positions`, quoted and joined.
pub(super) fn quoted_names(table: &Table, positions: &[FieldIndex]) -> String {
    let names: Vec<String> = positions.iter().map(|&at| quote_name(&table.schema[at].name)).collect();
    names.join(", ")
}

/// All fields of `table`, quoted and joined.
pub(super) fn quoted_field_names(table: &Table) -> String {
    quoted_names(table, &table.schema.field_positions().collect::<Vec<_>>())
}

/// The name of a key of the table called `table`: readable, and the same each time. Its end is a digest of `table`, `kind`
/// and `fields`, since the server cuts names, folds their case, and wants those of foreign keys only once in a database.
pub(super) fn key_name(kind: &str, table: &str, fields: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [kind, table].iter().chain(fields) {
        // A part's end is marked by what no name has.
        hasher.update(part.as_bytes()).update(b"\0");
    }
    let digest = hasher.finalize().to_hex();
    let readable = format!("{kind}_{table}_{}", fields.join("_"));
    let head: String = readable.chars().take(LONGEST - DIGEST - 1).collect();
    format!("{}_{}", head, &digest[..DIGEST])
}

/// Refuses names that the server cannot keep apart, or not keep at all.
pub(super) fn check_names(server: &MysqlServer, tables: &[Table]) -> Result<()> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for table in tables {
        check_name("table", &table.name)?;
        let folded = if server.folds_table_names { fold_name(&table.name) } else { table.name.to_string() };
        if let Some(other) = seen.insert(folded, &table.name).filter(|other| *other != &*table.name) {
            return Err(mismatch_error(format!(
                "this server takes the tables {other:?} and {:?} for one, since it does not look at the case of their \
                 names (lower_case_table_names); rename one of them",
                &*table.name
            )));
        }
        check_columns(table)?;
    }
    Ok(())
}

fn check_columns(table: &Table) -> Result<()> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for field in &table.schema.fields {
        check_name("column", &field.name)?;
        if let Some(other) = seen.insert(fold_name(&field.name), &field.name) {
            return Err(mismatch_error(format!(
                "MySQL takes the columns {other:?} and {:?} of the table {:?} for one, since it does not look at the case \
                 of their names; rename one of them",
                &*field.name, &*table.name
            )));
        }
    }
    Ok(())
}

/// <https://dev.mysql.com/doc/refman/8.0/en/identifiers.html>
fn check_name(what: &str, name: &str) -> Result<()> {
    let fault = if name.is_empty() {
        "empty names".to_owned()
    } else if name.chars().count() > LONGEST {
        format!("names of more than {LONGEST} characters")
    } else if name.chars().any(|char| char == '\0' || char > '\u{FFFF}') {
        "characters beyond U+FFFF in names, nor NUL".to_owned()
    } else if name.ends_with(char::is_whitespace) {
        "names that end with a blank".to_owned()
    } else {
        return Ok(());
    };
    Err(mismatch_error(format!("the {what} {name:?} cannot be made: MySQL takes no {fault}; rename it")))
}

/// A name as the server compares it.
pub(super) fn fold_name(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use landfall_core::schema::{Constraints, Field, FieldType, TableSchema};

    use super::*;
    use crate::targets::mysql::server::ServerFamily;

    fn table(name: &str, columns: &[&str]) -> Table {
        let field = |name: &&str| Field {
            name: (*name).into(),
            title: None,
            description: None,
            kind: FieldType::Any,
            constraints: Constraints::default(),
            missing_values: Vec::new(),
        };
        let schema = TableSchema { fields: columns.iter().map(field).collect(), ..TableSchema::default() };
        Table { name: name.into(), schema: Arc::new(schema) }
    }

    fn server(folds_table_names: bool) -> MysqlServer {
        MysqlServer {
            flavour: ServerFamily::Mariadb,
            version: (10, 11),
            named: String::new(),
            folds_table_names,
            local_infile: true,
            max_packet: 1 << 24,
            number_step: 1,
        }
    }

    #[test]
    fn keywords_and_quotes_are_quoted() {
        assert_eq!(quote_name("select"), "`select`");
        assert_eq!(quote_name("a\"b `c`"), "`a\"b ``c```");
    }

    #[test]
    fn names_that_fold_together_are_refused() {
        let said = |tables: &[Table], folds| check_names(&server(folds), tables).expect_err("refused").to_string();
        assert!(said(&[table("t", &["Name", "name"])], false).contains("\"Name\" and \"name\""));
        assert!(said(&[table("t", &["Ä", "ä"])], false).contains("for one"));
        let two = [table("Dept", &["a"]), table("dept", &["a"])];
        assert!(said(&two, true).contains("lower_case_table_names"));
        assert!(check_names(&server(false), &two).is_ok());
        assert!(check_names(&server(false), &[table("t", &["a", "á"])]).is_ok());
    }

    #[test]
    fn names_that_would_be_cut_are_refused() {
        let fits = "é".repeat(64);
        assert!(check_names(&server(false), &[table(&fits, &[&fits])]).is_ok());
        for name in [&*"x".repeat(65), "clef 𝄞", "blank ", ""] {
            let said = check_names(&server(false), &[table("t", &[name])]).expect_err("refused").to_string();
            assert!(said.contains("rename it"), "{said}");
        }
    }

    #[test]
    fn names_of_keys_are_short_and_differ() {
        let long = "x".repeat(64);
        let name = key_name("fk", &long, &[&long]);
        assert_eq!(name.chars().count(), 64);
        assert_eq!(name, key_name("fk", &long, &[&long]));
        assert_ne!(key_name("uk", "t", &["a_b"]), key_name("uk", "t", &["a", "b"]));
        assert_ne!(key_name("fk", "t", &["a"]), key_name("fk", "T", &["a"]));
        assert!(key_name("uk", "t", &["a"]).starts_with("uk_t_a_"));
    }
}
