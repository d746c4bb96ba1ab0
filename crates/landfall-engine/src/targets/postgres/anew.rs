//! Tables that are made anew within one transaction: filled aside as bare heaps, and put in the place of the old ones at its end. Readers
//! see the old rows until it commits; where it does not, nothing was touched.
//!
//! An old table takes its name, its place and its privileges along when it goes, so only one that is in every other respect as Landfall
//! makes it goes that way. One with a view upon it, a trigger or an index of somebody's is emptied where it stands.

use super::{
    building::{build, missing_keys, move_to},
    connection::{Connection, Format},
    ddl::{Place, add_foreign_keys, all_names, create_heap},
    failure::{Context as _, Outcome},
    parameters::Parameters,
    rows,
    session::Session,
    untouched::{is_untouched, privileges_of},
    worker::Worker,
};
use crate::{error::Result, targets::Table};

/// A table that is made anew.
#[derive(Debug)]
pub(super) struct Anew {
    pub(super) table: Table,
    /// Where its new rows go.
    pub(super) heap: Place,
    /// Where it stands, and will stand.
    place: Place,
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
pub(super) fn begin(session: &Session, connection: &mut Connection, tables: &[&Table]) -> Result<Option<Vec<Anew>>> {
    let doing = || "cannot make tables anew".to_owned();
    connection.batch("SAVEPOINT landfall_anew").context(doing)?;
    match attempt(session, connection, tables) {
        Ok(Some(anew)) => {
            connection.batch("RELEASE SAVEPOINT landfall_anew").context(doing)?;
            Ok(Some(anew))
        }
        Err(failure) if failure.code().is_none() => Err(failure.told(&doing())),
        Ok(None) | Err(_) => {
            connection.batch("ROLLBACK TO SAVEPOINT landfall_anew").context(doing)?;
            Ok(None)
        }
    }
}

fn attempt(session: &Session, connection: &mut Connection, tables: &[&Table]) -> Outcome<Option<Vec<Anew>>> {
    let schema = &session.settings.schema;
    // Who replicates tables knows them by more than their names.
    let is_published = connection.execute("SELECT FROM pg_catalog.pg_publication", &Parameters::default())? > 0;
    if is_published || referring(connection, schema, tables)?.iter().any(|key| !key.comes_back) {
        return Ok(None);
    }
    let mut anew = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        let place = Place::new(schema, &table.name);
        // Rows of another process that is about to commit would be overlooked, and lost.
        connection.batch(&format!("LOCK TABLE {place} IN SHARE ROW EXCLUSIVE MODE"))?;
        let privileges = privileges_of(connection, &place)?;
        if !is_untouched(connection, table, &place, &privileges)? {
            return Ok(None);
        }
        // Nobody else sees it before it has another name.
        let heap = Place::new(&session.own, &format!("anew_{}_{at}", std::process::id()));
        connection.batch(&create_heap(table, &heap))?;
        let removed = rows::count(connection, &place, u64::MAX)?;
        anew.push(Anew { table: (*table).clone(), heap, place, removed });
    }
    Ok(Some(anew))
}

/// Gives the new tables their keys, and puts them in the place of the old ones; where somebody reads those for too long, the new rows.
pub(super) fn finish(worker: &mut Worker, anew: &[Anew]) -> Outcome<()> {
    let connection = &mut worker.connection;
    // What takes long comes first: readers wait from the lock on.
    for Anew { table, heap, .. } in anew {
        let missing = missing_keys(connection, table, heap, heap)?;
        build(connection, &missing)?;
    }
    let places: Vec<String> = anew.iter().map(|anew| anew.place.to_string()).collect();
    let places = places.join(", ");
    connection.batch("SAVEPOINT landfall_anew")?;
    match connection.batch(&format!("LOCK TABLE {places} IN ACCESS EXCLUSIVE MODE")) {
        Ok(_) => swap(connection, &worker.session.settings.schema, anew, &places),
        Err(failure) if failure.code() == Some(LOCK_NOT_AVAILABLE) => {
            connection.batch("ROLLBACK TO SAVEPOINT landfall_anew")?;
            tracing::info!(tables = places, "others read the tables; their rows are replaced where they stand");
            replace_rows(worker, anew)
        }
        Err(failure) => Err(failure),
    }
}

/// The SQLSTATE for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Takes the rows of the old tables out, and those of the new ones over. Readers need not wait for that.
fn replace_rows(worker: &mut Worker, anew: &[Anew]) -> Outcome<()> {
    worker.check_keys(true)?;
    worker.defer_keys()?;
    worker.connection.patiently(|connection| {
        for Anew { place, .. } in anew.iter().rev() {
            connection.batch(&format!("DELETE FROM {place}"))?;
        }
        for Anew { table, heap, place, .. } in anew {
            let names = all_names(table);
            connection
                .batch(&format!("INSERT INTO {place} ({names}) SELECT {names} FROM {heap}; DROP TABLE {heap}"))?;
        }
        Ok(())
    })
}

/// Puts the new tables in the place of the old ones, which are locked.
fn swap(connection: &mut Connection, schema: &str, anew: &[Anew], places: &str) -> Outcome<()> {
    let tables: Vec<&Table> = anew.iter().map(|anew| &anew.table).collect();
    let referring = referring(connection, schema, &tables)?;
    for Referring { table, name, .. } in &referring {
        connection.batch(&format!("ALTER TABLE {table} DROP CONSTRAINT {name}"))?;
    }
    let mut privileges = Vec::new();
    for Anew { place, .. } in anew {
        privileges.extend(privileges_of(connection, place)?.iter().map(|privilege| privilege.grant(place)));
    }
    connection.batch(&format!("DROP TABLE {places} RESTRICT"))?;
    for Anew { table, heap, place, .. } in anew {
        let statements = move_to(connection, table, heap, place)?;
        build(connection, &statements)?;
    }
    let own = anew.iter().flat_map(|anew| add_foreign_keys(&anew.table, &anew.place, schema, false));
    let others =
        referring.iter().map(|key| format!("ALTER TABLE {} ADD CONSTRAINT {} {}", key.table, key.name, key.words));
    build(connection, &privileges.into_iter().chain(own).chain(others).collect::<Vec<_>>())
}

/// A foreign key of another table.
struct Referring {
    table: String,
    name: String,
    words: String,
    /// Whether it can be made once more, just as it is.
    comes_back: bool,
}

fn referring(connection: &mut Connection, schema: &str, tables: &[&Table]) -> Outcome<Vec<Referring>> {
    let names: Vec<String> =
        tables.iter().map(|table| format!("\"{}\"", table.name.replace('\\', r"\\").replace('"', "\\\""))).collect();
    let parameters = Parameters::default().text(schema).text(&format!("{{{}}}", names.join(",")));
    let mut found = Vec::new();
    connection.query(REFERRING, &parameters, Format::Text, &mut |_, row| {
        let text = |at: usize| String::from_utf8_lossy(row.get(at).copied().flatten().unwrap_or_default()).into_owned();
        found.push(Referring { table: text(0), name: text(1), words: text(2), comes_back: text(3) == "true" });
        Ok(())
    })?;
    Ok(found)
}
