//! Tables that are made anew within one transaction: filled aside as bare heaps, and put in the place of the old ones at its end. Readers
//! see the old rows until it commits; where it does not, nothing was touched.
//!
//! An old table takes its name, its place and its privileges along when it goes, so only one that is in every other respect as Landfall
//! makes it goes that way. One with a view upon it, a trigger or an index of somebody's is emptied where it stands.

use super::{
    connection::{PostgresConnection, ValueFormat},
    ddl::{RelationPlace, add_foreign_keys, create_heap_statement, quoted_field_names},
    failure::{PostgresContext as _, PostgresResult},
    heap_keys::{build, missing_keys},
    parameters::BoundParameters,
    rows,
    session::PostgresSession,
    staging_heap::move_heap,
    untouched_table::{is_untouched, privileges_of},
    worker::LaneWorker,
};
use crate::{error::Result, targets::Table};

/// A table that is made anew.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) table: Table,
    /// Where its new rows go.
    pub(super) heap: RelationPlace,
    /// Where it stands, and will stand.
    place: RelationPlace,
    /// The rows that it had.
    pub(super) removed: u64,
}

/// The foreign keys of other tables to those at hand: whose, called what, with what words; and whether each can be made once more just
/// as it is.
const REFERRING: &str = "SELECT pg_catalog.quote_ident(m.nspname) || '.' || pg_catalog.quote_ident(c.relname),
         pg_catalog.quote_ident(k.conname), pg_catalog.pg_get_constraintdef(k.oid),
         (c.relkind = 'r' AND pg_catalog.pg_get_userbyid(c.relowner) = current_user AND k.confdeltype = 'a'
             AND k.confupdtype = 'a' AND k.conislocal AND k.coninhcount = 0 AND k.conparentid = 0
             AND pg_catalog.obj_description(k.oid, 'pg_constraint') IS NULL)::text
     FROM pg_catalog.pg_constraint AS k
     JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace AS m ON m.oid = c.relnamespace
     JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace
     WHERE k.contype = 'f' AND n.nspname = $1 AND p.relname = ANY ($2::text::pg_catalog.name[])
         AND NOT (m.nspname = $1 AND c.relname = ANY ($2::text::pg_catalog.name[]))
     ORDER BY 1, 2";

/// Begins to make `tables` anew, which nobody else writes to from here on; none where one of them has to be emptied where it stands.
pub(super) fn begin_replacement(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    tables: &[&Table],
) -> Result<Option<Vec<Replacement>>> {
    let doing = || "cannot make tables anew".to_owned();
    connection.run_batch("SAVEPOINT landfall_anew").context(doing)?;
    match try_replacement(session, connection, tables) {
        Ok(Some(anew)) => {
            connection.run_batch("RELEASE SAVEPOINT landfall_anew").context(doing)?;
            Ok(Some(anew))
        }
        // Without a code, the connection is what failed, and no savepoint helps.
        Err(failure) if failure.sql_state().is_none() => Err(failure.into_error(&doing())),
        // What the server refuses here, such as a right that is missing, only means that the tables are emptied
        // instead.
        Ok(None) | Err(_) => {
            connection.run_batch("ROLLBACK TO SAVEPOINT landfall_anew").context(doing)?;
            Ok(None)
        }
    }
}

fn try_replacement(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    tables: &[&Table],
) -> PostgresResult<Option<Vec<Replacement>>> {
    let schema = &session.settings.schema;
    // Who replicates tables knows them by more than their names.
    let is_published =
        connection.execute_statement("SELECT FROM pg_catalog.pg_publication", &BoundParameters::default())? > 0;
    if is_published || find_referring(connection, schema, tables)?.iter().any(|key| !key.comes_back) {
        return Ok(None);
    }
    let mut anew = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        let place = RelationPlace::new(schema, &table.name);
        // Rows of another process that is about to commit would be overlooked, and lost.
        connection.run_batch(&format!("LOCK TABLE {place} IN SHARE ROW EXCLUSIVE MODE"))?;
        let privileges = privileges_of(connection, &place)?;
        if !is_untouched(connection, table, &place, &privileges)? {
            return Ok(None);
        }
        // Nobody else sees it before it has another name.
        let heap = RelationPlace::new(&session.own, &format!("anew_{}_{at}", std::process::id()));
        connection.run_batch(&create_heap_statement(table, &heap))?;
        let removed = rows::count_rows(connection, &place, u64::MAX)?;
        anew.push(Replacement { table: (*table).clone(), heap, place, removed });
    }
    Ok(Some(anew))
}

/// Gives the new tables their keys, and puts them in the place of the old ones; where somebody reads those for too long, the new rows.
pub(super) fn finish_replacement(worker: &mut LaneWorker, anew: &[Replacement]) -> PostgresResult<()> {
    let connection = &mut worker.connection;
    // What takes long comes first: readers wait from the lock on.
    for Replacement { table, heap, .. } in anew {
        let missing = missing_keys(connection, table, heap, heap)?;
        build(connection, &missing)?;
    }
    let places: Vec<String> = anew.iter().map(|anew| anew.place.to_string()).collect();
    let places = places.join(", ");
    // A lock that is not got in time fails the transaction up to this point, and not all of it.
    connection.run_batch("SAVEPOINT landfall_anew")?;
    match connection.run_batch(&format!("LOCK TABLE {places} IN ACCESS EXCLUSIVE MODE")) {
        Ok(_) => swap_tables(connection, &worker.session.settings.schema, anew, &places),
        Err(failure) if failure.sql_state() == Some(LOCK_NOT_AVAILABLE) => {
            connection.run_batch("ROLLBACK TO SAVEPOINT landfall_anew")?;
            tracing::info!(tables = places, "others read the tables; their rows are replaced where they stand");
            replace_rows(worker, anew)
        }
        Err(failure) => Err(failure),
    }
}

/// The SQLSTATE for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Takes the rows of the old tables out, and those of the new ones over. Readers need not wait for that.
fn replace_rows(worker: &mut LaneWorker, anew: &[Replacement]) -> PostgresResult<()> {
    worker.check_keys(true)?;
    worker.defer_keys()?;
    worker.connection.without_timeout(|connection| {
        // Children first, since keys of others may be checked at once.
        for Replacement { place, .. } in anew.iter().rev() {
            connection.run_batch(&format!("DELETE FROM {place}"))?;
        }
        for Replacement { table, heap, place, .. } in anew {
            let names = quoted_field_names(table);
            connection
                .run_batch(&format!("INSERT INTO {place} ({names}) SELECT {names} FROM {heap}; DROP TABLE {heap}"))?;
        }
        Ok(())
    })
}

/// Puts the new tables in the place of the old ones, which are locked.
fn swap_tables(
    connection: &mut PostgresConnection,
    schema: &str,
    anew: &[Replacement],
    places: &str,
) -> PostgresResult<()> {
    let tables: Vec<&Table> = anew.iter().map(|anew| &anew.table).collect();
    // Looked for again under the lock: somebody may have made a foreign key since.
    let referring = find_referring(connection, schema, &tables)?;
    for ReferringKey { table, name, .. } in &referring {
        connection.run_batch(&format!("ALTER TABLE {table} DROP CONSTRAINT {name}"))?;
    }
    let mut privileges = Vec::new();
    for Replacement { place, .. } in anew {
        privileges.extend(privileges_of(connection, place)?.iter().map(|privilege| privilege.grant_statement(place)));
    }
    // RESTRICT: a view that was made in the meantime stops this, and is not lost.
    connection.run_batch(&format!("DROP TABLE {places} RESTRICT"))?;
    for Replacement { table, heap, place, .. } in anew {
        let statements = move_heap(connection, table, heap, place)?;
        build(connection, &statements)?;
    }
    let own = anew.iter().flat_map(|anew| add_foreign_keys(&anew.table, &anew.place, schema, false));
    let others =
        referring.iter().map(|key| format!("ALTER TABLE {} ADD CONSTRAINT {} {}", key.table, key.name, key.words));
    build(connection, &privileges.into_iter().chain(own).chain(others).collect::<Vec<_>>())
}

/// A foreign key of another table.
struct ReferringKey {
    table: String,
    name: String,
    words: String,
    /// Whether it can be made once more, just as it is.
    comes_back: bool,
}

fn find_referring(
    connection: &mut PostgresConnection,
    schema: &str,
    tables: &[&Table],
) -> PostgresResult<Vec<ReferringKey>> {
    let names: Vec<String> =
        tables.iter().map(|table| format!("\"{}\"", table.name.replace('\\', r"\\").replace('"', "\\\""))).collect();
    let parameters = BoundParameters::default().with_text(schema).with_text(&format!("{{{}}}", names.join(",")));
    let mut found = Vec::new();
    connection.run_query(REFERRING, &parameters, ValueFormat::Text, &mut |_, row| {
        let text = |at: usize| String::from_utf8_lossy(row.get(at).copied().flatten().unwrap_or_default()).into_owned();
        found.push(ReferringKey { table: text(0), name: text(1), words: text(2), comes_back: text(3) == "true" });
        Ok(())
    })?;
    Ok(found)
}
