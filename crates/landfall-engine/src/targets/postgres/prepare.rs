//! Tables of the dictionary: made where they are missing, checked where they exist, built aside, finished.

use landfall_core::schema::ForeignKey;

use super::{
    Difference, Lock, Place, Postgres, Seat, Table,
    building::{self, Heap},
    catalog::{self, Found},
    connection::Connection,
    ddl::{self, add_foreign_keys, add_keys, create_heap, in_circle},
    dialect::PostgresDialect,
    failure::{Context as _, Failure, Outcome, Refusal},
    own::make_schema,
    parameters::Parameters,
    place::refuse_filtered,
    session::{Session, Use},
    untouched::take_away,
    unused,
};
use crate::{
    error::Result,
    targets::sql::compare::{missing, not_a_table, refuse},
};

const MAKING: &str = "cannot make the tables of the data package";

/// Makes the tables that do not exist, finishes those that are being built, and checks the others.
pub(super) fn prepare(target: &mut Postgres, tables: &[Table]) -> Result<()> {
    target.settled()?;
    tables.iter().try_for_each(ddl::check_names)?;
    target.forget();
    let nothing_to_do = target.reading(|connection| {
        let session = &target.session;
        Ok(all_whole(session, connection, tables)? && !any_built(session, connection, tables)?)
    })?;
    if nothing_to_do {
        return Ok(());
    }
    target.within(Use::Write, |connection| {
        let session = &target.session;
        session.lock(connection).context(|| MAKING.into())?;
        make_missing(session, connection, tables)
    })
}

/// Whether all `tables` are there; each of them is checked.
fn all_whole(session: &Session, connection: &mut Connection, tables: &[Table]) -> Result<bool> {
    let mut whole = true;
    for table in tables {
        whole &= is_whole(session, connection, table, tables)?;
    }
    Ok(whole)
}

/// Whether any of `tables` is being built aside.
pub(super) fn any_built(session: &Session, connection: &mut Connection, tables: &[Table]) -> Result<bool> {
    for table in tables {
        let doing = || format!("cannot look for the table {:?}", &*table.name);
        if building::find(session, connection, &table.name, Lock::None).context(doing)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `table` is there; if so, it is checked.
fn is_whole(session: &Session, connection: &mut Connection, table: &Table, tables: &[Table]) -> Result<bool> {
    let place = Place::new(&session.settings.schema, &table.name);
    let doing = || format!("cannot look at the table {:?}", &*table.name);
    match catalog::read(connection, &place).context(doing)? {
        Found::Nothing => return Ok(false),
        Found::Other(what) => refuse(table, &[not_a_table(table, what)])?,
        Found::Table(standing) => {
            refuse_filtered(table, &standing)?;
            let dialect = PostgresDialect { tables, schema: &session.settings.schema };
            refuse(table, &dialect.compare(table, &standing))?;
        }
    }
    Ok(true)
}

/// Makes what is missing of `tables`; foreign keys come last, since tables may refer to each other.
fn make_missing(session: &Session, connection: &mut Connection, tables: &[Table]) -> Result<()> {
    let schema = &session.settings.schema;
    make_schema(connection, schema).context(|| MAKING.into())?;
    let mut made = Vec::new();
    for table in tables {
        let making = || format!("cannot make the table {:?}", &*table.name);
        let heap = heap_of(session, connection, table)?;
        if is_whole(session, connection, table, tables)? {
            let Some(heap) = &heap else { continue };
            make_way(session, connection, table, heap)?;
        }
        if let Some(heap) = heap {
            finish_heap(session, connection, table, &heap)?;
            continue;
        }
        let place = Place::new(schema, &table.name);
        connection.batch(&create_heap(table, &place)).context(making)?;
        for statement in add_keys(table, &place) {
            connection.batch(&statement).context(making)?;
        }
        made.push((table, place));
    }
    for (table, place) in &made {
        for statement in add_foreign_keys(table, place, schema, in_circle(table, tables)) {
            connection.batch(&statement).context(|| format!("cannot make the table {:?}", &*table.name))?;
        }
    }
    made.iter().try_for_each(|(table, _)| unused::note(session, connection, &table.name))
}

/// The heap in which `table` is being built. Whoever finishes it holds its row until then: so this comes before the look
/// whether the table is there, or it would be made twice.
fn heap_of(session: &Session, connection: &mut Connection, table: &Table) -> Result<Option<Heap>> {
    let doing = || format!("cannot look for the table {:?}", &*table.name);
    building::find(session, connection, &table.name, Lock::Alone).context(doing)
}

/// Takes an empty table away that another program has made while a load built it aside: the rows of that load are in the heap.
fn make_way(session: &Session, connection: &mut Connection, table: &Table, heap: &Heap) -> Result<()> {
    if take_away(session, connection, table).context(|| format!("cannot finish the table {:?}", &*table.name))? {
        return Ok(());
    }
    Err(super::mismatch(format!(
        "another program has made the table {:?} while a load built it aside, and the rows of that load are in {}; drop the table \
         that the other program made, or rename it, then run the same command again: it puts the other one in its place",
        &*table.name,
        heap.place(session)
    )))
}

fn finish_heap(session: &Session, connection: &mut Connection, table: &Table, heap: &Heap) -> Result<()> {
    building::finish(session, connection, table, heap)
        .context(|| format!("cannot finish the table {:?}", &*table.name))?;
    unused::note(session, connection, &table.name)
}

/// Begins to build `table` aside, or goes on with it. Whether it is being built now.
pub(super) fn build(target: &mut Postgres, table: &Table, resumes: bool) -> Result<bool> {
    target.settled()?;
    ddl::check_names(table)?;
    target.forget();
    let heap = target.within(Use::Write, |connection| {
        let (session, owner) = (&target.session, &target.owner);
        session.lock(connection).context(|| MAKING.into())?;
        build_within(session, connection, table, resumes, owner)
    })?;
    let Some(heap) = heap else { return Ok(false) };
    target.note(table, Seat::heap(heap.place(&target.session), heap));
    Ok(true)
}

/// Makes sure that the role may make tables in `schema`.
fn may_create(connection: &mut Connection, schema: &str) -> Outcome<()> {
    let may = "SELECT WHERE pg_catalog.has_schema_privilege($1, 'CREATE')";
    if connection.execute(may, &Parameters::default().text(schema))? > 0 {
        return Ok(());
    }
    Err(Failure::Refused(Box::new(Refusal {
        code: "42501".into(),
        message: format!("permission denied for schema {schema}"),
        constraint: None,
    })))
}

fn build_within(
    session: &Session,
    connection: &mut Connection,
    table: &Table,
    resumes: bool,
    owner: &str,
) -> Result<Option<Heap>> {
    let doing = || format!("cannot build the table {:?}", &*table.name);
    make_schema(connection, &session.settings.schema).context(doing)?;
    // Finished, it goes there: that must not turn out to be forbidden when its rows are loaded.
    may_create(connection, &session.settings.schema).context(doing)?;
    let heap = heap_of(session, connection, table)?;
    if is_whole(session, connection, table, std::slice::from_ref(table))? {
        let Some(heap) = &heap else { return Ok(None) };
        make_way(session, connection, table, heap)?;
    }
    match heap {
        None => building::begin(session, connection, table, owner).context(doing).map(Some),
        Some(heap) if resumes || heap.is_empty(session, connection).context(doing)? => {
            building::take_over(session, connection, table, heap, owner).map(Some)
        }
        // Another load fills it, or began to. Its rows stay, and this load adds to the finished table.
        Some(heap) => finish_heap(session, connection, table, &heap).map(|()| None),
    }
}

/// Gives the table its keys and its place, where it is being built.
pub(super) fn finish(target: &mut Postgres, table: &Table) -> Result<()> {
    target.settled()?;
    let is_building = target.seat(table)?.is_some_and(|seat| seat.heap.is_some());
    target.forget();
    if !is_building {
        return Ok(());
    }
    target.within(Use::Write, |connection| match heap_of(&target.session, connection, table)? {
        Some(heap) => finish_heap(&target.session, connection, table, &heap),
        None => Ok(()),
    })
}

/// How the database differs from `tables`: first the tables, then the foreign keys of those that are missing.
pub(super) fn differences(target: &Postgres, tables: &[Table]) -> Result<Vec<Difference>> {
    target.settled()?;
    tables.iter().try_for_each(ddl::check_names)?;
    let dialect = PostgresDialect { tables, schema: &target.session.settings.schema };
    target.reading(|connection| {
        let (mut found, mut later) = (Vec::new(), Vec::new());
        for table in tables {
            let doing = || format!("cannot look at the table {:?}", &*table.name);
            let place = target.place(&table.name);
            match catalog::read(connection, &place).context(doing)? {
                Found::Table(standing) => {
                    refuse_filtered(table, &standing)?;
                    found.extend(dialect.compare(table, &standing));
                }
                Found::Other(what) => found.push(not_a_table(table, what)),
                Found::Nothing if target.is_building(connection, table)? => found.push(being_built(table)),
                Found::Nothing => {
                    let statements = std::iter::once(create_heap(table, &place)).chain(add_keys(table, &place));
                    found.push(missing(table, statements.collect::<Vec<_>>().join(";\n")));
                    let keys = add_foreign_keys(table, &place, &place.schema, in_circle(table, tables));
                    let keys = table.schema.foreign_keys.iter().zip(keys);
                    later.extend(keys.map(|(key, statement)| missing_key(table, key, statement)));
                }
            }
        }
        found.extend(later);
        Ok(found)
    })
}

fn being_built(table: &Table) -> Difference {
    let message = "is being built by a load that has not ended".to_owned();
    Difference { table: table.name.clone(), message, addition: None, harmless: true }
}

/// A foreign key of a table that does not exist yet: tables may refer to each other, so that it comes after them.
fn missing_key(table: &Table, key: &ForeignKey, statement: String) -> Difference {
    let fields: Vec<&str> = key.fields.iter().map(|&at| &*table.schema.fields[at].name).collect();
    let message = format!("has no foreign key ({}) to {} yet", fields.join(", "), key.parent);
    Difference { table: table.name.clone(), message, addition: Some(statement), harmless: true }
}

/// Carries out the additions of `differences`, all or none.
pub(super) fn add_missing(target: &mut Postgres, differences: &[Difference]) -> Result<()> {
    target.settled()?;
    target.forget();
    target.within(Use::Write, |connection| {
        let doing = || "cannot alter the database".to_owned();
        target.session.lock(connection).context(doing)?;
        let session = &target.session;
        make_schema(connection, &session.settings.schema).context(doing)?;
        let mut own = Vec::new();
        for Difference { table, addition, .. } in differences {
            let place = Place::new(&session.settings.schema, table);
            let is_missing = matches!(catalog::read(connection, &place).context(doing)?, Found::Nothing);
            if addition.is_some() && (is_missing || unused::is_as_made(session, connection, table)?) {
                own.push(table);
            }
        }
        for Difference { table, addition, .. } in differences {
            let Some(statement) = addition else { continue };
            let altering = || format!("cannot alter the table {table:?}");
            connection.patiently(|connection| connection.batch(statement)).context(altering)?;
        }
        own.into_iter().try_for_each(|table| unused::note(session, connection, table))
    })
}
