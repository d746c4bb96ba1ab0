//! The keys of a table that is built aside: some before their time, the others at its end.

use landfall_core::schema::FieldIndex;

use super::{
    catalog::{self, PlacedObject},
    connection::{PostgresConnection, ValueFormat},
    ddl::{self, RelationPlace, quote_name},
    failure::PostgresResult,
    parameters::BoundParameters,
};
use crate::targets::Table;

/// Gives the heap at `place` the key at `positions` before its time, since its rows are to be looked for by it: to read all of them
/// would take as long, and the key has to be built anyway.
pub(super) fn add_key_early(
    connection: &mut PostgresConnection,
    table: &Table,
    place: &RelationPlace,
    positions: &[FieldIndex],
) -> PostgresResult<()> {
    let Some(key) = ddl::unique_keys(table).find(|key| *key == positions) else { return Ok(()) };
    if !lacks_unique_key(connection, table, place, key)? {
        return Ok(());
    }
    // Another process may be giving it the same key just now. The look counts only once nobody else can.
    connection.without_timeout(|connection| {
        connection.run_batch(&format!("LOCK TABLE {place} IN ACCESS EXCLUSIVE MODE")).map(drop)
    })?;
    if lacks_unique_key(connection, table, place, key)? {
        build(connection, &[ddl::add_key_statement(table, place, key)])?;
    }
    Ok(())
}

/// Whether a table stands at `place` and has no key over the fields at `key`.
fn lacks_unique_key(
    connection: &mut PostgresConnection,
    table: &Table,
    place: &RelationPlace,
    key: &[FieldIndex],
) -> PostgresResult<bool> {
    Ok(match catalog::read(connection, place)? {
        PlacedObject::Table(standing) => !standing.has_key_over(table, key),
        _ => false,
    })
}

/// Runs statements that build indexes or read whole tables.
pub(super) fn build(connection: &mut PostgresConnection, statements: &[String]) -> PostgresResult<()> {
    connection.run_batch(&format!("SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'"))?;
    connection.without_timeout(|connection| {
        statements.iter().try_for_each(|statement| connection.run_batch(statement).map(drop))
    })
}

/// Memory for building indexes; the server's usual amount makes it sort on disk.
const INDEX_MEMORY: &str = "256MB";

/// The statements that give keys which were made before their time the names that the server would choose for the table at
/// `heap_place`, as far as those are free.
pub(super) fn rename_keys(
    connection: &mut PostgresConnection,
    table: &Table,
    place: &RelationPlace,
    heap_place: &RelationPlace,
) -> PostgresResult<Vec<String>> {
    let sql = "SELECT c.conname::text, c.contype::text, (
             SELECT pg_catalog.string_agg(a.attname, '_' ORDER BY k.at)
             FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k (own, at)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.own)
         FROM pg_catalog.pg_constraint AS c
         JOIN pg_catalog.pg_class AS t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
         WHERE n.nspname = $1 AND t.relname = $2 AND c.contype IN ('p', 'u')";
    let named = BoundParameters::default().with_text(&heap_place.schema).with_text(&heap_place.name);
    let mut found = Vec::new();
    connection.run_query(sql, &named, ValueFormat::Text, &mut |_, row| {
        let text = |at: usize| String::from_utf8_lossy(row.get(at).copied().flatten().unwrap_or_default()).into_owned();
        let wanted = match text(1).as_str() {
            "p" => format!("{}_pkey", table.name),
            _ => format!("{}_{}_key", table.name, text(2)),
        };
        found.push((text(0), wanted));
        Ok(())
    })?;
    let mut statements = Vec::new();
    for (name, wanted) in found {
        // A name that is taken would fail the whole finish, for the sake of a name.
        let free =
            matches!(catalog::read(connection, &RelationPlace::new(&place.schema, &wanted))?, PlacedObject::Nothing);
        if free && ddl::check_name("the key", &wanted).is_ok() {
            statements.push(format!(
                "ALTER TABLE {place} RENAME CONSTRAINT {} TO {}",
                quote_name(&name),
                quote_name(&wanted)
            ));
        }
    }
    Ok(statements)
}

/// The statements that give the heap at `from` the keys that it does not have yet, once it is at `place`.
pub(super) fn missing_keys(
    connection: &mut PostgresConnection,
    table: &Table,
    from: &RelationPlace,
    place: &RelationPlace,
) -> PostgresResult<Vec<String>> {
    Ok(match catalog::read(connection, from)? {
        PlacedObject::Table(standing) => {
            let missing = ddl::unique_keys(table).filter(|key| !standing.has_key_over(table, key));
            missing.map(|key| ddl::add_key_statement(table, place, key)).collect()
        }
        _ => Vec::new(),
    })
}
