//! Tables that Landfall has made, that nobody changed, and that have no rows: they can be made anew for another dictionary.

use super::{
    HeapLock, Postgres, RelationPlace, Table,
    catalog::{self, PlacedObject},
    connection::{PostgresConnection, ValueFormat},
    dialect::PostgresDialect,
    failure::{PostgresContext as _, PostgresResult},
    own_tables::PostgresOwnConnection,
    parameters::BoundParameters,
    prepare::is_any_staged,
    session::{PostgresSession, TransactionUse},
    staging_heap::{self, StagingHeap},
    untouched_table::table_traits,
};
use crate::{
    error::Result,
    targets::sql::made_tables::{self, TableCatalogue},
};

const DOING: &str = "cannot make empty tables anew";

/// The tables with a foreign key to one; without those in which Landfall holds parents for tables that are being built.
const REFERRING: &str =
    "SELECT DISTINCT CASE WHEN m.nspname = n.nspname THEN c.relname ELSE m.nspname || '.' || c.relname END
     FROM pg_catalog.pg_constraint AS k
     JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace AS m ON m.oid = c.relnamespace
     JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace
     WHERE k.contype = 'f' AND n.nspname = $1 AND p.relname = $2 AND m.nspname <> $3";

struct PostgresCatalogue<'c> {
    session: &'c PostgresSession,
    connection: &'c mut PostgresConnection,
    tables: &'c [Table],
    /// Whether Landfall's own tables are there.
    has_own: bool,
}

impl PostgresCatalogue<'_> {
    fn table_place(&self, table: &Table) -> RelationPlace {
        RelationPlace::new(&self.session.settings.schema, &table.name)
    }
}

impl TableCatalogue for PostgresCatalogue<'_> {
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>> {
        let place = self.table_place(table);
        let PlacedObject::Table(standing) =
            catalog::read(self.connection, &place).context(|| read_description(&table.name))?
        else {
            return Ok(None);
        };
        let dialect = PostgresDialect { tables: self.tables, schema: &place.schema };
        let is_empty = !standing.existing.has_rows && !standing.is_filtered;
        Ok(is_empty.then(|| !dialect.compare_relation(table, &standing).is_empty()))
    }

    fn is_as_made(&mut self, table: &Table) -> Result<bool> {
        Ok(self.has_own && is_as_made(self.session, self.connection, &table.name)?)
    }

    fn referring_tables(&mut self, table: &Table) -> Result<Vec<String>> {
        let place = self.table_place(table);
        let named =
            BoundParameters::default().with_text(&place.schema).with_text(&place.name).with_text(&self.session.own);
        query_texts(self.connection, REFERRING, &named).context(|| read_description(&table.name))
    }
}

/// Those of `tables` that can be made anew.
pub(super) fn find_remakable(target: &Postgres, tables: &[Table]) -> Result<Vec<Table>> {
    target.finish_commits()?;
    let (session, has_own) = (&target.session, target.has_own.get());
    target.read_in_transaction(|connection| {
        made_tables::find_remakable(&mut PostgresCatalogue { session, connection, tables, has_own }, tables)
    })
}

/// Removes those of `tables` that can be made anew, also where they are still being built.
pub(super) fn remove(target: &mut Postgres, tables: &[Table]) -> Result<()> {
    let whole = find_remakable(target, tables)?;
    // Whoever removes something may write, so that Landfall's own tables are there.
    // What is being built is only looked at under the locks below: another process may finish it just now.
    let is_building = target.read_in_transaction(|connection| is_any_staged(&target.session, connection, tables))?;
    if whole.is_empty() && !is_building {
        return Ok(());
    }
    target.forget_seats();
    target.run_in_transaction(TransactionUse::Write, |connection| {
        let session = &target.session;
        session.lock_schema(connection).context(|| DOING.into())?;
        let unused =
            made_tables::find_remakable(&mut PostgresCatalogue { session, connection, tables, has_own: true }, tables)?;
        for heap in find_stale_heaps(session, connection, tables, &unused)? {
            heap.remove(session, connection).context(|| DOING.into())?;
        }
        if !unused.is_empty() {
            drop_unused_tables(session, connection, &unused).context(|| DOING.into())?;
        }
        Ok(())
    })
}

/// The heaps of which no row is committed, and that are built for another dictionary than `tables`, or hold parents in one of the tables
/// `unused`.
fn find_stale_heaps(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    tables: &[Table],
    unused: &[Table],
) -> Result<Vec<StagingHeap>> {
    let dialect = PostgresDialect { tables, schema: &session.settings.schema };
    let mut stale = Vec::new();
    for table in tables {
        let doing = || format!("cannot look for the table {:?}", &*table.name);
        let Some(heap) = staging_heap::find(session, connection, &table.name, HeapLock::Alone).context(doing)? else {
            continue;
        };
        let found = catalog::read(connection, &heap.heap_place(session)).context(doing)?;
        let PlacedObject::Table(standing) = found else { continue };
        let fits = dialect.has_columns(table, &standing);
        let refers = table.schema.foreign_keys.iter().any(|key| unused.iter().any(|parent| parent.name == key.parent));
        if (!fits || refers) && !standing.existing.has_rows {
            stale.push(heap);
        }
    }
    Ok(stale)
}

/// Drops `tables`, which have no rows, where nobody uses them now; else they stay.
fn drop_unused_tables(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    tables: &[Table],
) -> PostgresResult<()> {
    let places: Vec<RelationPlace> =
        tables.iter().map(|table| RelationPlace::new(&session.settings.schema, &table.name)).collect();
    let names = places.iter().map(RelationPlace::to_string).collect::<Vec<_>>().join(", ");
    connection.run_batch("SAVEPOINT landfall_unused")?;
    let outcome = lock_empty_tables(connection, &places, &names).and_then(|is_free| match is_free {
        true => connection.run_batch(&format!("DROP TABLE {names} RESTRICT")).map(|_| true),
        false => Ok(false),
    });
    match outcome {
        Ok(true) => connection.run_batch("RELEASE SAVEPOINT landfall_unused").map(drop),
        Err(failure) if failure.sql_state().is_none() => Err(failure),
        // The server knows of more that needs them, or somebody uses them.
        Ok(false) | Err(_) => connection.run_batch("ROLLBACK TO SAVEPOINT landfall_unused").map(drop),
    }
}

/// Locks the tables at `places`; whether none of them has rows.
fn lock_empty_tables(
    connection: &mut PostgresConnection,
    places: &[RelationPlace],
    names: &str,
) -> PostgresResult<bool> {
    connection.run_batch(&format!("LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE NOWAIT"))?;
    for place in places {
        if connection.execute_statement(&format!("SELECT FROM {place} LIMIT 1"), &BoundParameters::default())? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes that Landfall has made the table called `name`.
pub(super) fn note_made_table(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    name: &str,
) -> Result<()> {
    let traits = named_table_traits(session, connection, name)?;
    made_tables::note_made_table(&PostgresOwnConnection::new(session, connection), name, &traits)
}

/// Whether the table called `name` is as Landfall has made it.
pub(super) fn is_as_made(session: &PostgresSession, connection: &mut PostgresConnection, name: &str) -> Result<bool> {
    let traits = named_table_traits(session, connection, name)?;
    let own = PostgresOwnConnection {
        session,
        connection: std::cell::RefCell::new(connection),
        is_there: true,
        is_current: false,
    };
    made_tables::is_as_made(&own, name, &traits)
}

/// All that the catalogue says of the table called `name`.
fn named_table_traits(session: &PostgresSession, connection: &mut PostgresConnection, name: &str) -> Result<String> {
    let place = RelationPlace::new(&session.settings.schema, name);
    let traits = table_traits(connection, &place).context(|| read_description(name))?;
    let lines: Vec<_> = traits.iter().map(|line| String::from_utf8_lossy(line)).collect();
    Ok(lines.join("\n"))
}

fn read_description(name: &str) -> String {
    format!("cannot read the definition of the table {name:?}")
}

fn query_texts(
    connection: &mut PostgresConnection,
    sql: &str,
    parameters: &BoundParameters,
) -> PostgresResult<Vec<String>> {
    let mut found = Vec::new();
    connection.run_query(sql, parameters, ValueFormat::Text, &mut |_, row| {
        found.push(String::from_utf8_lossy(row.first().copied().flatten().unwrap_or_default()).into_owned());
        Ok(())
    })?;
    Ok(found)
}
