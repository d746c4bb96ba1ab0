//! Tables of the dictionary: made where they are missing, checked where they exist, built aside, finished.

use landfall_core::schema::ForeignKey;

use super::{
    Difference, HeapLock, Postgres, RelationPlace, Table, TableSeat,
    catalog::{self, PlacedObject},
    connection::PostgresConnection,
    ddl::{self, add_foreign_keys, add_key_statements, create_heap_statement, is_in_circle},
    dialect::PostgresDialect,
    failure::{PostgresContext as _, PostgresFailure, PostgresResult, ServerRefusal},
    migrations::create_schema,
    parameters::BoundParameters,
    remakable,
    session::{PostgresSession, TransactionUse},
    staging_heap::{self, StagingHeap},
    table_seat::refuse_filtered,
    untouched_table::drop_untouched,
};
use crate::{
    error::Result,
    targets::sql::compare::{missing_table, not_a_table, refuse_differences},
};

const MAKING: &str = "cannot make the tables of the data package";

/// Makes the tables that do not exist, finishes those that are being built, and checks the others.
pub(super) fn prepare_tables(target: &mut Postgres, tables: &[Table]) -> Result<()> {
    target.finish_commits()?;
    tables.iter().try_for_each(ddl::check_names)?;
    target.forget_seats();
    // Read only at first: a load into tables that are there must need no right to make any, and no lock.
    let nothing_to_do = target.read_in_transaction(|connection| {
        let session = &target.session;
        Ok(are_all_whole(session, connection, tables)? && !is_any_staged(session, connection, tables)?)
    })?;
    if nothing_to_do {
        return Ok(());
    }
    target.run_in_transaction(TransactionUse::Write, |connection| {
        let session = &target.session;
        // Two processes that begin at once would both find the table missing; the second waits here.
        session.lock_schema(connection).context(|| MAKING.into())?;
        make_missing(session, connection, tables)
    })
}

/// Whether all `tables` are there; each of them is checked.
fn are_all_whole(session: &PostgresSession, connection: &mut PostgresConnection, tables: &[Table]) -> Result<bool> {
    let mut whole = true;
    for table in tables {
        whole &= is_whole_table(session, connection, table, tables)?;
    }
    Ok(whole)
}

/// Whether any of `tables` is being built aside.
pub(super) fn is_any_staged(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    tables: &[Table],
) -> Result<bool> {
    for table in tables {
        let doing = || format!("cannot look for the table {:?}", &*table.name);
        if staging_heap::find(session, connection, &table.name, HeapLock::None).context(doing)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `table` is there; if so, it is checked.
fn is_whole_table(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
    tables: &[Table],
) -> Result<bool> {
    let place = RelationPlace::new(&session.settings.schema, &table.name);
    let doing = || format!("cannot look at the table {:?}", &*table.name);
    match catalog::read(connection, &place).context(doing)? {
        PlacedObject::Nothing => return Ok(false),
        PlacedObject::Other(what) => refuse_differences(table, &[not_a_table(table, what)])?,
        PlacedObject::Table(standing) => {
            refuse_filtered(table, &standing)?;
            let dialect = PostgresDialect { tables, schema: &session.settings.schema };
            refuse_differences(table, &dialect.compare_relation(table, &standing))?;
        }
    }
    Ok(true)
}

/// Makes what is missing of `tables`; foreign keys come last, since tables may refer to each other.
fn make_missing(session: &PostgresSession, connection: &mut PostgresConnection, tables: &[Table]) -> Result<()> {
    let schema = &session.settings.schema;
    create_schema(connection, schema).context(|| MAKING.into())?;
    let mut made = Vec::new();
    for table in tables {
        let making = || format!("cannot make the table {:?}", &*table.name);
        let heap = find_heap(session, connection, table)?;
        if is_whole_table(session, connection, table, tables)? {
            let Some(heap) = &heap else { continue };
            drop_empty_table(session, connection, table, heap)?;
        }
        if let Some(heap) = heap {
            finish_heap(session, connection, table, &heap)?;
            continue;
        }
        let place = RelationPlace::new(schema, &table.name);
        connection.run_batch(&create_heap_statement(table, &place)).context(making)?;
        for statement in add_key_statements(table, &place) {
            connection.run_batch(&statement).context(making)?;
        }
        made.push((table, place));
    }
    for (table, place) in &made {
        for statement in add_foreign_keys(table, place, schema, is_in_circle(table, tables)) {
            connection.run_batch(&statement).context(|| format!("cannot make the table {:?}", &*table.name))?;
        }
    }
    // Noted last, since the digest is of the table with all of its keys.
    made.iter().try_for_each(|(table, _)| remakable::note_made_table(session, connection, &table.name))
}

/// The heap in which `table` is being built. Whoever finishes it holds its row until then: so this comes before the look
/// whether the table is there, or it would be made twice.
fn find_heap(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
) -> Result<Option<StagingHeap>> {
    let doing = || format!("cannot look for the table {:?}", &*table.name);
    staging_heap::find(session, connection, &table.name, HeapLock::Alone).context(doing)
}

/// Takes an empty table away that another program has made while a load built it aside: the rows of that load are in the heap.
fn drop_empty_table(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
    heap: &StagingHeap,
) -> Result<()> {
    if drop_untouched(session, connection, table).context(|| format!("cannot finish the table {:?}", &*table.name))? {
        return Ok(());
    }
    Err(super::mismatch_error(format!(
        "another program has made the table {:?} while a load built it aside, and the rows of that load are in {}; drop the table \
         that the other program made, or rename it, then run the same command again: it puts the other one in its place",
        &*table.name,
        heap.heap_place(session)
    )))
}

fn finish_heap(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
    heap: &StagingHeap,
) -> Result<()> {
    staging_heap::finish_heap(session, connection, table, heap)
        .context(|| format!("cannot finish the table {:?}", &*table.name))?;
    remakable::note_made_table(session, connection, &table.name)
}

/// Begins to build `table` aside, or goes on with it. Whether it is being built now.
pub(super) fn build(target: &mut Postgres, table: &Table, resumes: bool) -> Result<bool> {
    target.finish_commits()?;
    ddl::check_names(table)?;
    target.forget_seats();
    let heap = target.run_in_transaction(TransactionUse::Write, |connection| {
        let (session, owner) = (&target.session, &target.owner);
        session.lock_schema(connection).context(|| MAKING.into())?;
        build_within(session, connection, table, resumes, owner)
    })?;
    let Some(heap) = heap else { return Ok(false) };
    target.note_seat(table, TableSeat::staged_table(heap.heap_place(&target.session), heap));
    Ok(true)
}

/// Makes sure that the role may make tables in `schema`.
fn check_may_create(connection: &mut PostgresConnection, schema: &str) -> PostgresResult<()> {
    let may = "SELECT WHERE pg_catalog.has_schema_privilege($1, 'CREATE')";
    if connection.execute_statement(may, &BoundParameters::default().with_text(schema))? > 0 {
        return Ok(());
    }
    Err(PostgresFailure::Refused(Box::new(ServerRefusal {
        code: "42501".into(),
        message: format!("permission denied for schema {schema}"),
        constraint: None,
    })))
}

fn build_within(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
    resumes: bool,
    owner: &str,
) -> Result<Option<StagingHeap>> {
    let doing = || format!("cannot build the table {:?}", &*table.name);
    create_schema(connection, &session.settings.schema).context(doing)?;
    // Finished, it goes there: that must not turn out to be forbidden when its rows are loaded.
    check_may_create(connection, &session.settings.schema).context(doing)?;
    let heap = find_heap(session, connection, table)?;
    if is_whole_table(session, connection, table, std::slice::from_ref(table))? {
        let Some(heap) = &heap else { return Ok(None) };
        drop_empty_table(session, connection, table, heap)?;
    }
    match heap {
        None => staging_heap::begin_heap(session, connection, table, owner).context(doing).map(Some),
        Some(heap) if resumes || heap.is_empty(session, connection).context(doing)? => {
            staging_heap::take_over_heap(session, connection, table, heap, owner).map(Some)
        }
        // Another load fills it, or began to. Its rows stay, and this load adds to the finished table.
        Some(heap) => finish_heap(session, connection, table, &heap).map(|()| None),
    }
}

/// Gives the table its keys and its place, where it is being built.
pub(super) fn finish_table(target: &mut Postgres, table: &Table) -> Result<()> {
    target.finish_commits()?;
    let is_building = target.table_seat(table)?.is_some_and(|seat| seat.heap.is_some());
    target.forget_seats();
    if !is_building {
        return Ok(());
    }
    target.run_in_transaction(TransactionUse::Write, |connection| {
        match find_heap(&target.session, connection, table)? {
            Some(heap) => finish_heap(&target.session, connection, table, &heap),
            // Another process has finished it meanwhile, with the rows of this one.
            None => Ok(()),
        }
    })
}

/// How the database differs from `tables`: first the tables, then the foreign keys of those that are missing.
pub(super) fn find_differences(target: &Postgres, tables: &[Table]) -> Result<Vec<Difference>> {
    target.finish_commits()?;
    tables.iter().try_for_each(ddl::check_names)?;
    let dialect = PostgresDialect { tables, schema: &target.session.settings.schema };
    target.read_in_transaction(|connection| {
        let (mut found, mut later) = (Vec::new(), Vec::new());
        for table in tables {
            let doing = || format!("cannot look at the table {:?}", &*table.name);
            let place = target.table_place(&table.name);
            match catalog::read(connection, &place).context(doing)? {
                PlacedObject::Table(standing) => {
                    refuse_filtered(table, &standing)?;
                    found.extend(dialect.compare_relation(table, &standing));
                }
                PlacedObject::Other(what) => found.push(not_a_table(table, what)),
                PlacedObject::Nothing if target.is_building(connection, table)? => {
                    found.push(staging_difference(table))
                }
                PlacedObject::Nothing => {
                    let statements =
                        std::iter::once(create_heap_statement(table, &place)).chain(add_key_statements(table, &place));
                    found.push(missing_table(table, statements.collect::<Vec<_>>().join(";\n")));
                    let keys = add_foreign_keys(table, &place, &place.schema, is_in_circle(table, tables));
                    let keys = table.schema.foreign_keys.iter().zip(keys);
                    later.extend(keys.map(|(key, statement)| missing_key_difference(table, key, statement)));
                }
            }
        }
        found.extend(later);
        Ok(found)
    })
}

fn staging_difference(table: &Table) -> Difference {
    let message = "is being built by a load that has not ended".to_owned();
    Difference { table: table.name.clone(), message, addition: None, harmless: true }
}

/// A foreign key of a table that does not exist yet: tables may refer to each other, so that it comes after them.
fn missing_key_difference(table: &Table, key: &ForeignKey, statement: String) -> Difference {
    let fields: Vec<&str> = key.fields.iter().map(|&at| &*table.schema[at].name).collect();
    let message = format!("has no foreign key ({}) to {} yet", fields.join(", "), key.parent);
    Difference { table: table.name.clone(), message, addition: Some(statement), harmless: true }
}

/// Carries out the additions of `differences`, all or none.
pub(super) fn add_missing(target: &mut Postgres, differences: &[Difference]) -> Result<()> {
    target.finish_commits()?;
    target.forget_seats();
    target.run_in_transaction(TransactionUse::Write, |connection| {
        let doing = || "cannot alter the database".to_owned();
        target.session.lock_schema(connection).context(doing)?;
        let session = &target.session;
        create_schema(connection, &session.settings.schema).context(doing)?;
        let mut own = Vec::new();
        for Difference { table, addition, .. } in differences {
            let place = RelationPlace::new(&session.settings.schema, table);
            // Looked at before anything is added: afterwards the digest would be that of the changed table.
            let is_missing = matches!(catalog::read(connection, &place).context(doing)?, PlacedObject::Nothing);
            if addition.is_some() && (is_missing || remakable::is_as_made(session, connection, table)?) {
                own.push(table);
            }
        }
        for Difference { table, addition, .. } in differences {
            let Some(statement) = addition else { continue };
            let altering = || format!("cannot alter the table {table:?}");
            // A key or column on a large table takes longer than any answer of the server should.
            connection.without_timeout(|connection| connection.run_batch(statement)).context(altering)?;
        }
        own.into_iter().try_for_each(|table| remakable::note_made_table(session, connection, table))
    })
}
