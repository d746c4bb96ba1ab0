//! The table of documents.

use super::{Connection, Parameter, Row};
use crate::{
    document::{Document, DocumentFilter, NewDocument},
    error::{Error, Result, TargetError, TargetErrorKind},
    timestamp,
};

/// Documents added or looked for by one statement. Few different texts of statements, so that they stay prepared.
const PER_STATEMENT: usize = 64;

/// The documents that `filter` wants.
pub(in crate::targets) fn documents(connection: &dyn Connection, filter: &DocumentFilter) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    if !connection.has_own_table("documents")? {
        return Ok(found);
    }
    match &filter.names {
        None => read(connection, filter, None, &mut found)?,
        Some(names) => {
            for group in names.chunks(PER_STATEMENT) {
                read(connection, filter, Some(group), &mut found)?;
            }
            found.sort_by(|one, other| one.name.cmp(&other.name));
        }
    }
    Ok(found)
}

fn read(
    connection: &dyn Connection,
    filter: &DocumentFilter,
    names: Option<&[String]>,
    found: &mut Vec<Document>,
) -> Result<()> {
    let mut condition = "kind = ?".to_owned();
    let mut values: Vec<Parameter<'_>> = vec![filter.kind.as_str().into()];
    if let Some(names) = names {
        // The same text of a statement for every number of names up to a power of two: the last name fills it up.
        let count = names.len().next_power_of_two();
        condition.push_str(&format!(" AND name IN ({})", vec!["?"; count].join(", ")));
        let filled = names.iter().chain(std::iter::repeat(&names[names.len() - 1])).take(count);
        values.extend(filled.map(|name| Parameter::from(name.as_str())));
    }
    if let Some(after) = &filter.after {
        condition.push_str(if filter.last_first { " AND name < ?" } else { " AND name > ?" });
        values.push(after.as_str().into());
    }
    let order = if filter.last_first { " DESC" } else { "" };
    let limit = filter.limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
    let sql = format!(
        "SELECT kind, name, version, body, changed_at FROM {} WHERE {condition} ORDER BY name{order}{limit}",
        connection.spelling().own("documents")
    );
    connection.query(&sql, &values, &mut |row| {
        found.push(document(row)?);
        Ok(())
    })
}

fn document(row: &mut Row) -> Result<Document> {
    Ok(Document {
        kind: row.text()?,
        name: row.text()?,
        version: row.count()?,
        body: row.bytes()?,
        changed_at: row.text()?,
    })
}

/// Stores new documents.
///
/// # Errors
/// [`TargetErrorKind::Overtaken`] where there is one of the same kind and name.
pub(in crate::targets) fn add(connection: &dyn Connection, documents: &[NewDocument]) -> Result<()> {
    let now = timestamp::now_utc();
    let spelling = connection.spelling();
    let mut rest = documents;
    while !rest.is_empty() {
        let count = PER_STATEMENT.min(1 << rest.len().ilog2());
        let (group, later) = rest.split_at(count);
        rest = later;
        let marks = vec!["(?, ?, 1, ?, ?)"; count].join(", ");
        let sql = format!(
            "INSERT INTO {} (kind, name, version, body, changed_at) VALUES {marks}{}",
            spelling.own("documents"),
            spelling.or_nothing
        );
        let values: Vec<Parameter<'_>> = group
            .iter()
            .flat_map(|document| {
                [
                    Parameter::Text(document.kind),
                    Parameter::Text(&document.name),
                    Parameter::Bytes(Some(&document.body)),
                    Parameter::Text(&now),
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
pub(super) fn insert_once(connection: &dyn Connection, sql: &str, values: &[Parameter<'_>], count: u64) -> Result<()> {
    match connection.execute(sql, values) {
        Ok(added) if added == count => Ok(()),
        Err(Error::Target(error)) if error.kind != TargetErrorKind::Constraint => Err(error.into()),
        Ok(_) | Err(_) => Err(taken()),
    }
}

fn taken() -> Error {
    let message = "another process has done the same at the same time; this one stops, and nothing is doubled";
    TargetError::new(TargetErrorKind::Overtaken, message).into()
}

/// Gives a document another body, or takes it away; whether it still had its version.
pub(in crate::targets) fn change(
    connection: &dyn Connection,
    document: &Document,
    body: Option<&[u8]>,
) -> Result<bool> {
    let table = connection.spelling().own("documents");
    let which: [Parameter<'_>; 3] =
        [document.kind.as_str().into(), document.name.as_str().into(), document.version.into()];
    let changed = match body {
        None => {
            connection.execute(&format!("DELETE FROM {table} WHERE kind = ? AND name = ? AND version = ?"), &which)?
        }
        Some(body) => {
            let now = timestamp::now_utc();
            let mut values = vec![Parameter::Bytes(Some(body)), Parameter::Text(&now)];
            values.extend(which);
            let sql = format!(
                "UPDATE {table} SET body = ?, version = version + 1, changed_at = ? WHERE kind = ? AND name = ? AND version = ?"
            );
            connection.execute(&sql, &values)?
        }
    };
    Ok(changed == 1)
}

/// Takes the documents of `kind` away that were not changed since `before`.
pub(in crate::targets) fn forget(connection: &dyn Connection, kind: &str, before: &str) -> Result<u64> {
    let sql = format!("DELETE FROM {} WHERE kind = ? AND changed_at < ?", connection.spelling().own("documents"));
    connection.execute(&sql, &[kind.into(), before.into()])
}
