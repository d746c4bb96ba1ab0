//! Tables that Landfall has made, that nobody changed, and that have no rows: they can be made anew for another dictionary.

use super::{
    Lock, Place, Postgres, Table,
    building::{self, Heap},
    catalog::{self, Found},
    connection::{Connection, Format},
    dialect::PostgresDialect,
    failure::{Context as _, Outcome},
    own::Own,
    parameters::Parameters,
    prepare::any_built,
    session::{Session, Use},
    untouched::traits,
};
use crate::{
    error::Result,
    targets::sql::made::{self, Tables},
};

const DOING: &str = "cannot make empty tables anew";

/// The tables with a foreign key to one; without those in which Landfall holds parents for tables that are being built.
const REFERRING: &str =
    "SELECT DISTINCT CASE WHEN m.nspname = n.nspname THEN c.relname ELSE m.nspname || '.' || c.relname END
     FROM pg_catalog.pg_constraint AS k
     JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace AS m ON m.oid = c.relnamespace
     JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace
     WHERE k.contype = 'f' AND n.nspname = $1 AND p.relname = $2 AND m.nspname <> $3";

struct Catalogue<'c> {
    session: &'c Session,
    connection: &'c mut Connection,
    tables: &'c [Table],
    /// Whether Landfall's own tables are there.
    has_own: bool,
}

impl Catalogue<'_> {
    fn place(&self, table: &Table) -> Place {
        Place::new(&self.session.settings.schema, &table.name)
    }
}

impl Tables for Catalogue<'_> {
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>> {
        let place = self.place(table);
        let Found::Table(standing) = catalog::read(self.connection, &place).context(|| reading(&table.name))? else {
            return Ok(None);
        };
        let dialect = PostgresDialect { tables: self.tables, schema: &place.schema };
        let is_empty = !standing.existing.has_rows && !standing.is_filtered;
        Ok(is_empty.then(|| !dialect.compare(table, &standing).is_empty()))
    }

    fn is_as_made(&mut self, table: &Table) -> Result<bool> {
        Ok(self.has_own && is_as_made(self.session, self.connection, &table.name)?)
    }

    fn referring(&mut self, table: &Table) -> Result<Vec<String>> {
        let place = self.place(table);
        let named = Parameters::default().text(&place.schema).text(&place.name).text(&self.session.own);
        texts(self.connection, REFERRING, &named).context(|| reading(&table.name))
    }
}

/// Those of `tables` that can be made anew.
pub(super) fn unused(target: &Postgres, tables: &[Table]) -> Result<Vec<Table>> {
    target.settled()?;
    let (session, has_own) = (&target.session, target.has_own.get());
    target.reading(|connection| made::unused(&mut Catalogue { session, connection, tables, has_own }, tables))
}

/// Removes those of `tables` that can be made anew, also where they are still being built.
pub(super) fn remove(target: &mut Postgres, tables: &[Table]) -> Result<()> {
    let whole = unused(target, tables)?;
    // Whoever removes something may write, so that Landfall's own tables are there.
    // What is being built is only looked at under the locks below: another process may finish it just now.
    let is_building = target.reading(|connection| any_built(&target.session, connection, tables))?;
    if whole.is_empty() && !is_building {
        return Ok(());
    }
    target.forget();
    target.within(Use::Write, |connection| {
        let session = &target.session;
        session.lock(connection).context(|| DOING.into())?;
        let unused = made::unused(&mut Catalogue { session, connection, tables, has_own: true }, tables)?;
        for heap in stale_heaps(session, connection, tables, &unused)? {
            heap.remove(session, connection).context(|| DOING.into())?;
        }
        if !unused.is_empty() {
            drop_free(session, connection, &unused).context(|| DOING.into())?;
        }
        Ok(())
    })
}

/// The heaps of which no row is committed, and that are built for another dictionary than `tables`, or hold parents in one of the tables
/// `unused`.
fn stale_heaps(
    session: &Session,
    connection: &mut Connection,
    tables: &[Table],
    unused: &[Table],
) -> Result<Vec<Heap>> {
    let dialect = PostgresDialect { tables, schema: &session.settings.schema };
    let mut stale = Vec::new();
    for table in tables {
        let doing = || format!("cannot look for the table {:?}", &*table.name);
        let Some(heap) = building::find(session, connection, &table.name, Lock::Alone).context(doing)? else {
            continue;
        };
        let found = catalog::read(connection, &heap.place(session)).context(doing)?;
        let Found::Table(standing) = found else { continue };
        let fits = dialect.has_columns(table, &standing);
        let refers = table.schema.foreign_keys.iter().any(|key| unused.iter().any(|parent| parent.name == key.parent));
        if (!fits || refers) && !standing.existing.has_rows {
            stale.push(heap);
        }
    }
    Ok(stale)
}

/// Drops `tables`, which have no rows, where nobody uses them now; else they stay.
fn drop_free(session: &Session, connection: &mut Connection, tables: &[Table]) -> Outcome<()> {
    let places: Vec<Place> = tables.iter().map(|table| Place::new(&session.settings.schema, &table.name)).collect();
    let names = places.iter().map(Place::to_string).collect::<Vec<_>>().join(", ");
    connection.batch("SAVEPOINT landfall_unused")?;
    let outcome = lock_empty(connection, &places, &names).and_then(|is_free| match is_free {
        true => connection.batch(&format!("DROP TABLE {names} RESTRICT")).map(|_| true),
        false => Ok(false),
    });
    match outcome {
        Ok(true) => connection.batch("RELEASE SAVEPOINT landfall_unused").map(drop),
        Err(failure) if failure.code().is_none() => Err(failure),
        // The server knows of more that needs them, or somebody uses them.
        Ok(false) | Err(_) => connection.batch("ROLLBACK TO SAVEPOINT landfall_unused").map(drop),
    }
}

/// Locks the tables at `places`; whether none of them has rows.
fn lock_empty(connection: &mut Connection, places: &[Place], names: &str) -> Outcome<bool> {
    connection.batch(&format!("LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE NOWAIT"))?;
    for place in places {
        if connection.execute(&format!("SELECT FROM {place} LIMIT 1"), &Parameters::default())? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes that Landfall has made the table called `name`.
pub(super) fn note(session: &Session, connection: &mut Connection, name: &str) -> Result<()> {
    let traits = traits_of(session, connection, name)?;
    made::note(&Own::new(session, connection), name, &traits)
}

/// Whether the table called `name` is as Landfall has made it.
pub(super) fn is_as_made(session: &Session, connection: &mut Connection, name: &str) -> Result<bool> {
    let traits = traits_of(session, connection, name)?;
    let own = Own { session, connection: std::cell::RefCell::new(connection), is_there: true, is_current: false };
    made::is_as_made(&own, name, &traits)
}

/// All that the catalogue says of the table called `name`.
fn traits_of(session: &Session, connection: &mut Connection, name: &str) -> Result<String> {
    let place = Place::new(&session.settings.schema, name);
    let traits = traits(connection, &place).context(|| reading(name))?;
    let lines: Vec<_> = traits.iter().map(|line| String::from_utf8_lossy(line)).collect();
    Ok(lines.join("\n"))
}

fn reading(name: &str) -> String {
    format!("cannot read the definition of the table {name:?}")
}

fn texts(connection: &mut Connection, sql: &str, parameters: &Parameters) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    connection.query(sql, parameters, Format::Text, &mut |_, row| {
        found.push(String::from_utf8_lossy(row.first().copied().flatten().unwrap_or_default()).into_owned());
        Ok(())
    })?;
    Ok(found)
}
