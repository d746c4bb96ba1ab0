//! Tables that are built aside: a bare heap in Landfall's own schema, filled chunk by chunk, which gets its keys, its schema
//! and its name in one transaction at the end.
//!
//! A row of `building` names the table and the process that fills its heap. Each chunk holds a share lock on that row, so
//! that another process which finishes the table, or goes on with it, waits for the chunk; and a process whose row is gone
//! or another's does not write. Parents that rows name stand in small tables beside the heap with a real foreign key, so
//! that nobody can delete one before the heap has its own.

use landfall_core::{keys::Scalar, schema::ForeignKey};

use super::{
    catalog::{self, Found},
    connection::{Connection, Format},
    ddl::{self, Place, quoted},
    dialect::PostgresDialect,
    failure::{Context as _, Failure, Outcome},
    message::garbled,
    own::integer,
    parameters::Parameters,
    rows::{Keys, fields_at},
    session::Session,
    untouched::usual_privileges,
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    targets::Table,
    timestamp,
};

/// A heap that a table is built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heap {
    number: i64,
    /// The process that fills it.
    owner: String,
}

impl Heap {
    /// Whether the process called `owner` fills it.
    pub(super) fn is_of(&self, owner: &str) -> bool {
        self.owner == owner
    }

    /// Where the heap stands.
    pub(super) fn place(&self, session: &Session) -> Place {
        Place::new(&session.own, &format!("building_{}", self.number))
    }

    /// Whether no row of it is committed.
    pub(super) fn is_empty(&self, session: &Session, connection: &mut Connection) -> Outcome<bool> {
        let sql = format!("SELECT FROM {} LIMIT 1", self.place(session));
        connection.execute(&sql, &Parameters::default()).map(|rows| rows == 0)
    }

    /// Ends the building: the heap, and what stands beside it, are removed.
    pub(super) fn remove(&self, session: &Session, connection: &mut Connection) -> Outcome<()> {
        let sql = "SELECT c.relname::text FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind = 'r' AND pg_catalog.starts_with(c.relname, $2)";
        let named = Parameters::default().text(&session.own).text(&format!("building_{}_parents_", self.number));
        let mut places = vec![self.place(session)];
        connection.query(sql, &named, Format::Text, &mut |_, row| {
            let name = String::from_utf8_lossy(row.first().copied().flatten().unwrap_or_default()).into_owned();
            places.push(Place::new(&session.own, &name));
            Ok(())
        })?;
        let names: Vec<String> = places.iter().map(Place::to_string).collect();
        connection.batch(&format!("DROP TABLE {}", names.join(", ")))?;
        let sql = format!("DELETE FROM {} WHERE building_id = {}", session.own("building"), self.number);
        connection.batch(&sql).map(drop)
    }

    /// Where the parents stand that its rows name by the foreign key at `at`.
    fn parents(&self, session: &Session, at: usize) -> Place {
        Place::new(&session.own, &format!("building_{}_parents_{at}", self.number))
    }
}

/// How the row of a table is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Not at all.
    None,
    /// So that others may fill it too, and nobody finish it.
    Share,
    /// So that nobody else has to do with it.
    Alone,
}

/// The heap in which `table` is built, where it is.
pub(super) fn find(session: &Session, connection: &mut Connection, table: &str, lock: Lock) -> Outcome<Option<Heap>> {
    let lock = match lock {
        Lock::None => "",
        Lock::Share => " FOR SHARE",
        Lock::Alone => " FOR UPDATE",
    };
    let sql = format!("SELECT building_id, owner FROM {} WHERE table_name = $1{lock}", session.own("building"));
    let mut found = None;
    connection.query(&sql, &Parameters::default().text(table), Format::Binary, &mut |_, row| {
        let number = row.first().copied().flatten().and_then(integer).ok_or_else(garbled)?;
        let owner = row.get(1).copied().flatten().ok_or_else(garbled)?;
        found = Some(Heap { number, owner: String::from_utf8_lossy(owner).into_owned() });
        Ok(())
    })?;
    Ok(found)
}

/// Begins to build `table`. Its parents are there.
pub(super) fn begin(session: &Session, connection: &mut Connection, table: &Table, owner: &str) -> Outcome<Heap> {
    let sql = format!(
        "INSERT INTO {} (table_name, owner, began_at) VALUES ($1, $2, $3) RETURNING building_id",
        session.own("building")
    );
    let values = Parameters::default().text(&table.name).text(owner).text(&timestamp::now_utc());
    let mut number = 0;
    connection.query(&sql, &values, Format::Binary, &mut |_, row| {
        number = row.first().copied().flatten().and_then(integer).ok_or_else(garbled)?;
        Ok(())
    })?;
    let heap = Heap { number, owner: owner.to_owned() };
    connection.batch(&ddl::create_heap(table, &heap.place(session)))?;
    for (at, key) in table.schema.foreign_keys.iter().enumerate() {
        make_parents(session, connection, table, key, &heap.parents(session, at))?;
    }
    Ok(heap)
}

/// Makes the table that holds the parents of one foreign key, with the parent's own types.
fn make_parents(
    session: &Session,
    connection: &mut Connection,
    table: &Table,
    key: &ForeignKey,
    place: &Place,
) -> Outcome<()> {
    let parent = Place::new(&session.settings.schema, &key.parent);
    let columns: Vec<String> = key.parent_fields.iter().map(|name| quoted(name)).collect();
    let columns = columns.join(", ");
    let declared: Vec<String> = key
        .fields
        .iter()
        .zip(&key.parent_fields)
        .map(|(&at, name)| {
            let field = &table.schema.fields[at];
            ddl::column(&landfall_core::schema::Field { name: name.clone(), ..field.clone() }, true)
        })
        .collect();
    connection
        .batch(&format!(
            "CREATE TABLE {place} ({}, PRIMARY KEY ({columns}), FOREIGN KEY ({columns}) REFERENCES {parent} ({columns}))",
            declared.join(", ")
        ))
        .map(drop)
}

/// Takes over the heap of `table` from a process that is gone, or that stops when it notices.
pub(super) fn take_over(
    session: &Session,
    connection: &mut Connection,
    table: &Table,
    heap: Heap,
    owner: &str,
) -> Result<Heap> {
    let doing = || format!("cannot go on with the table {:?}, which is being built", &*table.name);
    let dialect = PostgresDialect { tables: std::slice::from_ref(table), schema: &session.settings.schema };
    let found = catalog::read(connection, &heap.place(session)).context(doing)?;
    if !matches!(found, Found::Table(standing) if dialect.has_columns(table, &standing)) {
        return Err(super::mismatch(format!(
            "the table {:?} is being built by an earlier load under another data package, in {}; go on with that \
             package, or drop that table and delete its row in {}",
            &*table.name,
            heap.place(session),
            session.own("building")
        )));
    }
    let sql = format!("UPDATE {} SET owner = $1 WHERE building_id = $2", session.own("building"));
    connection.execute(&sql, &Parameters::default().text(owner).integer(heap.number)).context(doing)?;
    Ok(Heap { owner: owner.to_owned(), ..heap })
}

/// Makes sure that this process still fills `heap`, and that it stays so until the transaction ends.
///
/// # Errors
/// [`TargetErrorKind::Again`] where the table was finished meanwhile, [`TargetErrorKind::Overtaken`] where another process
/// goes on with it.
pub(super) fn hold(session: &Session, connection: &mut Connection, table: &str, heap: &Heap) -> Outcome<()> {
    let (kind, message) = match find(session, connection, table, Lock::Share)? {
        Some(found) if found == *heap => return Ok(()),
        Some(_) => (
            TargetErrorKind::Overtaken,
            format!("another process goes on with the table {table:?}; this one stops, and nothing is doubled"),
        ),
        None => (TargetErrorKind::Again, format!("another process has finished the table {table:?} meanwhile")),
    };
    Err(Failure::Taker(TargetError::new(kind, message).into()))
}

/// Holds the parents `values` of rows of `child` until its heap is finished; whether all of them are there. `positions`
/// are those of the key in `parent`.
pub(super) fn hold_parents(
    session: &Session,
    connection: &mut Connection,
    child: &Table,
    heap: &Heap,
    parent: &Table,
    positions: &[usize],
    values: &[Vec<Scalar>],
) -> Outcome<bool> {
    let names: Vec<&str> = positions.iter().map(|&at| &*parent.schema.fields[at].name).collect();
    let is = |key: &ForeignKey| {
        key.parent == parent.name && key.parent_fields.iter().map(|name| &**name).eq(names.iter().copied())
    };
    let Some(at) = child.schema.foreign_keys.iter().position(is) else { return Ok(true) };
    let keys = Keys::new(&fields_at(parent, positions), values);
    let columns: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let numbers: Vec<String> = (0..positions.len()).map(|at| format!("k.k{at}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT DO NOTHING",
        heap.parents(session, at),
        columns.join(", "),
        numbers.join(", "),
        keys.rows
    );
    match connection.execute(&sql, &keys.parameters) {
        Err(failure) if failure.code() == Some("23503") => Ok(false),
        outcome => outcome.map(|_| true),
    }
}

/// Gives the heap at `place` the key at `positions` before its time, since its rows are to be looked for by it: to read all of them
/// would take as long, and the key has to be built anyway.
pub(super) fn index(connection: &mut Connection, table: &Table, place: &Place, positions: &[usize]) -> Outcome<()> {
    let Some(key) = ddl::keys(table).find(|key| *key == positions) else { return Ok(()) };
    if !lacks_key(connection, table, place, key)? {
        return Ok(());
    }
    // Another process may be giving it the same key just now. The look counts only once nobody else can.
    connection
        .patiently(|connection| connection.batch(&format!("LOCK TABLE {place} IN ACCESS EXCLUSIVE MODE")).map(drop))?;
    if lacks_key(connection, table, place, key)? {
        build(connection, &[ddl::add_key(table, place, key)])?;
    }
    Ok(())
}

/// Whether a table stands at `place` and has no key over the fields at `key`.
fn lacks_key(connection: &mut Connection, table: &Table, place: &Place, key: &[usize]) -> Outcome<bool> {
    Ok(match catalog::read(connection, place)? {
        Found::Table(standing) => !standing.has_key(table, key),
        _ => false,
    })
}

/// Runs statements that build indexes or read whole tables.
pub(super) fn build(connection: &mut Connection, statements: &[String]) -> Outcome<()> {
    connection.batch(&format!("SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'"))?;
    connection.patiently(|connection| statements.iter().try_for_each(|statement| connection.batch(statement).map(drop)))
}

/// Memory for building indexes; the server's usual amount makes it sort on disk.
const INDEX_MEMORY: &str = "256MB";

/// The statements that give keys which were made before their time the names that the server would choose for the table at
/// `place`, as far as those are free.
fn own_names(connection: &mut Connection, table: &Table, place: &Place, heap_place: &Place) -> Outcome<Vec<String>> {
    let sql = "SELECT c.conname::text, c.contype::text, (
             SELECT pg_catalog.string_agg(a.attname, '_' ORDER BY k.at)
             FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k (own, at)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.own)
         FROM pg_catalog.pg_constraint AS c
         JOIN pg_catalog.pg_class AS t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
         WHERE n.nspname = $1 AND t.relname = $2 AND c.contype IN ('p', 'u')";
    let named = Parameters::default().text(&heap_place.schema).text(&heap_place.name);
    let mut found = Vec::new();
    connection.query(sql, &named, Format::Text, &mut |_, row| {
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
        let free = matches!(catalog::read(connection, &Place::new(&place.schema, &wanted))?, Found::Nothing);
        if free && ddl::check_name("the key", &wanted).is_ok() {
            statements.push(format!("ALTER TABLE {place} RENAME CONSTRAINT {} TO {}", quoted(&name), quoted(&wanted)));
        }
    }
    Ok(statements)
}

/// The statements that give the heap at `from` the keys that it does not have yet, once it is at `place`.
pub(super) fn missing_keys(
    connection: &mut Connection,
    table: &Table,
    from: &Place,
    place: &Place,
) -> Outcome<Vec<String>> {
    Ok(match catalog::read(connection, from)? {
        Found::Table(standing) => {
            let missing = ddl::keys(table).filter(|key| !standing.has_key(table, key));
            missing.map(|key| ddl::add_key(table, place, key)).collect()
        }
        _ => Vec::new(),
    })
}

/// The statements that bring the heap at `from` to `place`, where nothing stands.
pub(super) fn move_to(connection: &mut Connection, table: &Table, from: &Place, place: &Place) -> Outcome<Vec<String>> {
    let mut statements = vec![
        format!("ALTER TABLE {from} RENAME TO {}", quoted(&place.name)),
        format!("ALTER TABLE {} SET SCHEMA {}", Place::new(&from.schema, &place.name), quoted(&place.schema)),
    ];
    statements.extend(usual_privileges(connection, place)?);
    statements.extend(own_names(connection, table, place, from)?);
    Ok(statements)
}

/// Gives the table that is built in `heap` its keys and its place. The row of `building` is locked by this transaction
/// alone.
pub(super) fn finish(session: &Session, connection: &mut Connection, table: &Table, heap: &Heap) -> Outcome<()> {
    let place = Place::new(&session.settings.schema, &table.name);
    let heap_place = heap.place(session);
    let missing = missing_keys(connection, table, &heap_place, &place)?;
    let mut statements = move_to(connection, table, &heap_place, &place)?;
    statements.extend(missing);
    statements.extend(ddl::add_foreign_keys(table, &place, &place.schema, false));
    statements
        .extend((0..table.schema.foreign_keys.len()).map(|at| format!("DROP TABLE {}", heap.parents(session, at))));
    statements.push(format!("DELETE FROM {} WHERE building_id = {}", session.own("building"), heap.number));
    build(connection, &statements)
}
