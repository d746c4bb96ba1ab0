//! The table of documents.

use super::{OwnRow, SqlConnection, SqlParameter};
use crate::{
    document::{Document, DocumentFilter, NewDocument},
    error::{Error, Result, TargetError, TargetErrorKind},
    timestamp,
};

/// Documents added or looked for by one statement. Few different texts of statements, so that they stay prepared.
const PER_STATEMENT: usize = 64;

/// The documents that `filter` wants.
pub(in crate::targets) fn find_documents(
    connection: &dyn SqlConnection,
    filter: &DocumentFilter,
) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    // A database of an older version that is only read was not migrated.
    if !connection.has_own_table("documents")? {
        return Ok(found);
    }
    match &filter.names {
        None => read(connection, filter, None, &mut found)?,
        Some(names) => {
            for group in names.chunks(PER_STATEMENT) {
                read(connection, filter, Some(group), &mut found)?;
            }
            // Each group came in order, but not one group after the other.
            found.sort_by(|one, other| one.name.cmp(&other.name));
        }
    }
    Ok(found)
}

fn read(
    connection: &dyn SqlConnection,
    filter: &DocumentFilter,
    names: Option<&[String]>,
    found: &mut Vec<Document>,
) -> Result<()> {
    let mut condition = "kind = ?".to_owned();
    let mut values: Vec<SqlParameter<'_>> = vec![filter.kind.as_str().into()];
    if let Some(names) = names {
        // The same text of a statement for every number of names up to a power of two: the last name fills it up.
        let count = names.len().next_power_of_two();
        condition.push_str(&format!(" AND name IN ({})", vec!["?"; count].join(", ")));
        let filled = names.iter().chain(std::iter::repeat(&names[names.len() - 1])).take(count);
        values.extend(filled.map(|name| SqlParameter::from(name.as_str())));
    }
    if let Some(after) = &filter.after {
        condition.push_str(if filter.last_first { " AND name < ?" } else { " AND name > ?" });
        values.push(after.as_str().into());
    }
    let order = if filter.last_first { " DESC" } else { "" };
    let limit = filter.limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
    let sql = format!(
        "SELECT kind, name, version, body, changed_at FROM {} WHERE {condition} ORDER BY name{order}{limit}",
        connection.sql_spelling().own_table("documents")
    );
    connection.query_rows(&sql, &values, &mut |row| {
        found.push(read_document(row)?);
        Ok(())
    })
}

fn read_document(row: &mut OwnRow) -> Result<Document> {
    Ok(Document {
        kind: row.take_text()?,
        name: row.take_text()?,
        version: row.take_count()?,
        body: row.take_bytes()?,
        changed_at: row.take_text()?,
    })
}

/// Stores new documents.
///
/// # Errors
/// [`TargetErrorKind::Overtaken`] where there is one of the same kind and name.
pub(in crate::targets) fn add_documents(connection: &dyn SqlConnection, documents: &[NewDocument]) -> Result<()> {
    let now = timestamp::now_utc();
    let spelling = connection.sql_spelling();
    let mut rest = documents;
    while !rest.is_empty() {
        // Powers of two here as well: at most seven texts of statements, whatever the number.
        let count = PER_STATEMENT.min(1 << rest.len().ilog2());
        let (group, later) = rest.split_at(count);
        rest = later;
        let marks = vec!["(?, ?, 1, ?, ?)"; count].join(", ");
        let sql = format!(
            "INSERT INTO {} (kind, name, version, body, changed_at) VALUES {marks}{}",
            spelling.own_table("documents"),
            spelling.or_nothing
        );
        let values: Vec<SqlParameter<'_>> = group
            .iter()
            .flat_map(|document| {
                [
                    SqlParameter::Text(document.kind),
                    SqlParameter::Text(&document.name),
                    SqlParameter::Bytes(Some(&document.body)),
                    SqlParameter::Text(&now),
                ]
            })
            .collect();
        insert_once(connection, &sql, &values, count as u64)?;
    }
    Ok(())
}

/// Runs an `INSERT` of `count` rows whose keys must be free.
///
/// # Errors
/// [`TargetErrorKind::Overtaken`] if one of them is taken.
pub(super) fn insert_once(
    connection: &dyn SqlConnection,
    sql: &str,
    values: &[SqlParameter<'_>],
    count: u64,
) -> Result<()> {
    match connection.execute_statement(sql, values) {
        Ok(added) if added == count => Ok(()),
        // With `or_nothing` a name that is taken counts as no row; without it, it is a constraint.
        Err(Error::Target(error)) if error.kind != TargetErrorKind::Constraint => Err(error.into()),
        Ok(_) | Err(_) => Err(name_taken_error()),
    }
}

fn name_taken_error() -> Error {
    let message = "another process has done the same at the same time; this one stops, and nothing is doubled";
    TargetError::new(TargetErrorKind::Overtaken, message).into()
}

/// Gives a document another body, or takes it away; whether it still had its version.
pub(in crate::targets) fn change_document(
    connection: &dyn SqlConnection,
    document: &Document,
    body: Option<&[u8]>,
) -> Result<bool> {
    let table = connection.sql_spelling().own_table("documents");
    let which: [SqlParameter<'_>; 3] =
        [document.kind.as_str().into(), document.name.as_str().into(), document.version.into()];
    let changed = match body {
        None => connection
            .execute_statement(&format!("DELETE FROM {table} WHERE kind = ? AND name = ? AND version = ?"), &which)?,
        Some(body) => {
            let now = timestamp::now_utc();
            let mut values = vec![SqlParameter::Bytes(Some(body)), SqlParameter::Text(&now)];
            values.extend(which);
            let sql = format!(
                "UPDATE {table} SET body = ?, version = version + 1, changed_at = ? WHERE kind = ? AND name = ? AND version = ?"
            );
            connection.execute_statement(&sql, &values)?
        }
    };
    // The caller must look: no row means that somebody else has changed the document since it was read.
    Ok(changed == 1)
}

/// Takes the documents of `kind` away that were not changed since `before`.
pub(in crate::targets) fn forget_documents(connection: &dyn SqlConnection, kind: &str, before: &str) -> Result<u64> {
    let sql =
        format!("DELETE FROM {} WHERE kind = ? AND changed_at < ?", connection.sql_spelling().own_table("documents"));
    connection.execute_statement(&sql, &[kind.into(), before.into()])
}
