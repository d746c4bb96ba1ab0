//! Tables that are built aside: a bare heap in Landfall's own schema, filled chunk by chunk, which gets its keys, its schema
//! and its name in one transaction at the end.
//!
//! A row of `building` names the table and the process that fills its heap. Each chunk holds a share lock on that row, so
//! that another process which finishes the table, or goes on with it, waits for the chunk; and a process whose row is gone
//! or another's does not write. Parents that rows name stand in small tables beside the heap with a real foreign key, so
//! that nobody can delete one before the heap has its own.

use landfall_core::{
    keys::Scalar,
    schema::{FieldIndex, ForeignKey},
};

use super::{
    catalog::{self, PlacedObject},
    connection::{PostgresConnection, ValueFormat},
    ddl::{self, RelationPlace, quote_name},
    dialect::PostgresDialect,
    failure::{PostgresContext as _, PostgresFailure, PostgresResult},
    heap_keys::{build, missing_keys, rename_keys},
    message::protocol_failure,
    own_tables::parse_integer,
    parameters::BoundParameters,
    rows::{KeyArrays, fields_at},
    session::PostgresSession,
    untouched_table::usual_privileges,
};
use crate::{
    error::{Result, TargetError, TargetErrorKind},
    targets::Table,
    timestamp,
};

/// A heap that a table is built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StagingHeap {
    number: i64,
    /// The process that fills it.
    owner: String,
}

impl StagingHeap {
    /// Whether the process called `owner` fills it.
    pub(super) fn is_owned_by(&self, owner: &str) -> bool {
        self.owner == owner
    }

    /// Where the heap stands.
    pub(super) fn heap_place(&self, session: &PostgresSession) -> RelationPlace {
        RelationPlace::new(&session.own, &format!("building_{}", self.number))
    }

    /// Whether no row of it is committed.
    pub(super) fn is_empty(
        &self,
        session: &PostgresSession,
        connection: &mut PostgresConnection,
    ) -> PostgresResult<bool> {
        let sql = format!("SELECT FROM {} LIMIT 1", self.heap_place(session));
        connection.execute_statement(&sql, &BoundParameters::default()).map(|rows| rows == 0)
    }

    /// Ends the building: the heap, and what stands beside it, are removed.
    pub(super) fn remove(&self, session: &PostgresSession, connection: &mut PostgresConnection) -> PostgresResult<()> {
        // By prefix and not by the schema at hand: the package may have other foreign keys than when it began.
        let sql = "SELECT c.relname::text FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind = 'r' AND pg_catalog.starts_with(c.relname, $2)";
        let named =
            BoundParameters::default().with_text(&session.own).with_text(&format!("building_{}_parents_", self.number));
        let mut places = vec![self.heap_place(session)];
        connection.run_query(sql, &named, ValueFormat::Text, &mut |_, row| {
            let name = String::from_utf8_lossy(row.first().copied().flatten().unwrap_or_default()).into_owned();
            places.push(RelationPlace::new(&session.own, &name));
            Ok(())
        })?;
        let names: Vec<String> = places.iter().map(RelationPlace::to_string).collect();
        // In one statement, since the small tables have foreign keys that would stop one after the other.
        connection.run_batch(&format!("DROP TABLE {}", names.join(", ")))?;
        let sql = format!("DELETE FROM {} WHERE building_id = {}", session.own_table("building"), self.number);
        connection.run_batch(&sql).map(drop)
    }

    /// Where the parents stand that its rows name by the foreign key at `at`.
    fn parents_place(&self, session: &PostgresSession, at: usize) -> RelationPlace {
        RelationPlace::new(&session.own, &format!("building_{}_parents_{at}", self.number))
    }
}

/// How the row of a table is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeapLock {
    /// Not at all.
    None,
    /// So that others may fill it too, and nobody finish it.
    Share,
    /// So that nobody else has to do with it.
    Alone,
}

/// The heap in which `table` is built, where it is.
pub(super) fn find(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &str,
    lock: HeapLock,
) -> PostgresResult<Option<StagingHeap>> {
    let lock = match lock {
        HeapLock::None => "",
        HeapLock::Share => " FOR SHARE",
        HeapLock::Alone => " FOR UPDATE",
    };
    let sql = format!("SELECT building_id, owner FROM {} WHERE table_name = $1{lock}", session.own_table("building"));
    let mut found = None;
    connection.run_query(&sql, &BoundParameters::default().with_text(table), ValueFormat::Binary, &mut |_, row| {
        let number = row.first().copied().flatten().and_then(parse_integer).ok_or_else(protocol_failure)?;
        let owner = row.get(1).copied().flatten().ok_or_else(protocol_failure)?;
        found = Some(StagingHeap { number, owner: String::from_utf8_lossy(owner).into_owned() });
        Ok(())
    })?;
    Ok(found)
}

/// Begins to build `table`. Its parents are there.
pub(super) fn begin_heap(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
    owner: &str,
) -> PostgresResult<StagingHeap> {
    let sql = format!(
        "INSERT INTO {} (table_name, owner, began_at) VALUES ($1, $2, $3) RETURNING building_id",
        session.own_table("building")
    );
    let values = BoundParameters::default().with_text(&table.name).with_text(owner).with_text(&timestamp::now_utc());
    let mut number = 0;
    connection.run_query(&sql, &values, ValueFormat::Binary, &mut |_, row| {
        number = row.first().copied().flatten().and_then(parse_integer).ok_or_else(protocol_failure)?;
        Ok(())
    })?;
    let heap = StagingHeap { number, owner: owner.to_owned() };
    connection.run_batch(&ddl::create_heap_statement(table, &heap.heap_place(session)))?;
    for (at, key) in table.schema.foreign_keys.iter().enumerate() {
        make_parents(session, connection, table, key, &heap.parents_place(session, at))?;
    }
    Ok(heap)
}

/// Makes the table that holds the parents of one foreign key, with the parent's own types.
fn make_parents(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
    key: &ForeignKey,
    place: &RelationPlace,
) -> PostgresResult<()> {
    let parent = RelationPlace::new(&session.settings.schema, &key.parent);
    let columns: Vec<String> = key.parent_fields.iter().map(|name| quote_name(name)).collect();
    let columns = columns.join(", ");
    let declared: Vec<String> = key
        .fields
        .iter()
        .zip(&key.parent_fields)
        .map(|(&at, name)| {
            let field = &table.schema[at];
            ddl::column_definition(&landfall_core::schema::Field { name: name.clone(), ..field.clone() }, true)
        })
        .collect();
    connection
        .run_batch(&format!(
            // A real foreign key: no lock outlives a chunk, and parents must stay until the heap has its own key.
            "CREATE TABLE {place} ({}, PRIMARY KEY ({columns}), FOREIGN KEY ({columns}) REFERENCES {parent} ({columns}))",
            declared.join(", ")
        ))
        .map(drop)
}

/// Takes over the heap of `table` from a process that is gone, or that stops when it notices.
pub(super) fn take_over_heap(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
    heap: StagingHeap,
    owner: &str,
) -> Result<StagingHeap> {
    let doing = || format!("cannot go on with the table {:?}, which is being built", &*table.name);
    let dialect = PostgresDialect { tables: std::slice::from_ref(table), schema: &session.settings.schema };
    let found = catalog::read(connection, &heap.heap_place(session)).context(doing)?;
    // Rows would go into columns of other types, or of another order.
    if !matches!(found, PlacedObject::Table(standing) if dialect.has_columns(table, &standing)) {
        return Err(super::mismatch_error(format!(
            "the table {:?} is being built by an earlier load under another data package, in {}; go on with that \
             package, or drop that table and delete its row in {}",
            &*table.name,
            heap.heap_place(session),
            session.own_table("building")
        )));
    }
    let sql = format!("UPDATE {} SET owner = $1 WHERE building_id = $2", session.own_table("building"));
    connection
        .execute_statement(&sql, &BoundParameters::default().with_text(owner).with_integer(heap.number))
        .context(doing)?;
    Ok(StagingHeap { owner: owner.to_owned(), ..heap })
}

/// Makes sure that this process still fills `heap`, and that it stays so until the transaction ends.
///
/// # Errors
/// [`TargetErrorKind::Again`] where the table was finished meanwhile, [`TargetErrorKind::Overtaken`] where another process
/// goes on with it.
pub(super) fn lock_heap(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &str,
    heap: &StagingHeap,
) -> PostgresResult<()> {
    let (kind, message) = match find(session, connection, table, HeapLock::Share)? {
        // Number and owner: a heap that was finished and begun again has another number.
        Some(found) if found == *heap => return Ok(()),
        Some(_) => (
            TargetErrorKind::Overtaken,
            format!("another process goes on with the table {table:?}; this one stops, and nothing is doubled"),
        ),
        None => (TargetErrorKind::Again, format!("another process has finished the table {table:?} meanwhile")),
    };
    Err(PostgresFailure::Taker(TargetError::new(kind, message).into()))
}

/// Holds the parents `values` of rows of `child` until its heap is finished; whether all of them are there. `positions`
/// are those of the key in `parent`.
pub(super) fn hold_parents(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    child: &Table,
    heap: &StagingHeap,
    parent: &Table,
    positions: &[FieldIndex],
    values: &[Vec<Scalar>],
) -> PostgresResult<bool> {
    let names: Vec<&str> = positions.iter().map(|&at| &*parent.schema[at].name).collect();
    let is = |key: &ForeignKey| {
        key.parent == parent.name && key.parent_fields.iter().map(|name| &**name).eq(names.iter().copied())
    };
    let Some(at) = child.schema.foreign_keys.iter().position(is) else { return Ok(true) };
    let keys = KeyArrays::new(&fields_at(parent, positions), values);
    let columns: Vec<String> = names.iter().map(|name| quote_name(name)).collect();
    let numbers: Vec<String> = (0..positions.len()).map(|at| format!("k.k{at}")).collect();
    let sql = format!(
        // Most parents are named again and again; those held already cost nothing.
        "INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT DO NOTHING",
        heap.parents_place(session, at),
        columns.join(", "),
        numbers.join(", "),
        keys.rows
    );
    match connection.execute_statement(&sql, &keys.parameters) {
        // 23503, a foreign key violation: one of the parents is not there.
        Err(failure) if failure.sql_state() == Some("23503") => Ok(false),
        outcome => outcome.map(|_| true),
    }
}

/// The statements that bring the heap at `from` to `place`, where nothing stands.
pub(super) fn move_heap(
    connection: &mut PostgresConnection,
    table: &Table,
    from: &RelationPlace,
    place: &RelationPlace,
) -> PostgresResult<Vec<String>> {
    // In Landfall's own schema, the name of the table may be one of Landfall's (`jobs`, `loads`); in the other one, the name of the heap
    // may be anybody's. So it goes from one to the other under a name of its own.
    let moving = format!("landfall_{}", from.name);
    let mut statements = vec![
        format!("ALTER TABLE {from} RENAME TO {}", quote_name(&moving)),
        format!("ALTER TABLE {} SET SCHEMA {}", RelationPlace::new(&from.schema, &moving), quote_name(&place.schema)),
        format!("ALTER TABLE {} RENAME TO {}", RelationPlace::new(&place.schema, &moving), quote_name(&place.name)),
    ];
    statements.extend(usual_privileges(connection, place)?);
    statements.extend(rename_keys(connection, table, place, from)?);
    Ok(statements)
}

/// Gives the table that is built in `heap` its keys and its place. The row of `building` is locked by this transaction
/// alone.
pub(super) fn finish_heap(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
    heap: &StagingHeap,
) -> PostgresResult<()> {
    let place = RelationPlace::new(&session.settings.schema, &table.name);
    let heap_place = heap.heap_place(session);
    // Asked while the heap still has its old place.
    let missing = missing_keys(connection, table, &heap_place, &place)?;
    let mut statements = move_heap(connection, table, &heap_place, &place)?;
    statements.extend(missing);
    // Before the small tables go: so parents are held without a gap.
    statements.extend(ddl::add_foreign_keys(table, &place, &place.schema, false));
    statements.extend(
        (0..table.schema.foreign_keys.len()).map(|at| format!("DROP TABLE {}", heap.parents_place(session, at))),
    );
    statements.push(format!("DELETE FROM {} WHERE building_id = {}", session.own_table("building"), heap.number));
    build(connection, &statements)
}
