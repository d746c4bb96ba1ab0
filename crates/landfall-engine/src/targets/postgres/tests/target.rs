//! The target as the pipeline uses it.

use std::{ops::Range, path::Path, sync::Arc, thread, time::Duration};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use landfall_core::{
    keys::Scalar,
    schema::{Constraints, Field, FieldIndex, FieldType, ForeignKey, StringFormat, TableSchema},
};
use testbed::{PgBouncer, Postgres as Server, TestDatabase};

use super::super::{Postgres, PostgresSettings};
use crate::{
    TargetErrorKind,
    error::Error,
    ledger::{LoadEntry, LoadId, LoadState, Mode, OnConflict},
    targets::{Fence, Pace, ReadBooks as _, RefusedRow, Table, Target, TargetAccess, TargetRead},
};

pub(super) fn fresh() -> TestDatabase {
    Server::shared().fresh_database().expect("a database")
}

pub(super) fn target_at(url: &str) -> Postgres {
    let settings = PostgresSettings::parse(url, Path::new("/")).expect("a URL");
    Postgres::open(&settings, TargetAccess::Write).unwrap_or_else(|error| panic!("{error}"))
}

fn field(name: &str, kind: FieldType) -> Field {
    let constraints = Constraints::default();
    Field { name: name.into(), title: None, description: None, kind, constraints, missing_values: Vec::new() }
}

fn integer(name: &str) -> Field {
    field(name, FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false })
}

/// A table `name` with `id`, `name`, and a foreign key to each of `parents`.
fn table(name: &str, parents: &[&str]) -> Table {
    let mut id = integer("id");
    // As the descriptor's reader has it for the fields of a primary key.
    id.constraints.required = true;
    let mut fields = vec![id, field("name", FieldType::String(StringFormat::Default))];
    fields.extend(parents.iter().map(|parent| integer(&format!("{parent}_id"))));
    let foreign_keys = (2..).zip(parents).map(|(at, parent)| ForeignKey {
        fields: vec![FieldIndex::from(at)],
        parent: (*parent).into(),
        parent_fields: vec!["id".into()],
    });
    let foreign_keys = foreign_keys.collect();
    let schema = TableSchema { fields, primary_key: vec![0.into()], foreign_keys, ..TableSchema::default() };
    Table { name: name.into(), schema: Arc::new(schema) }
}

/// Rows with the ids `ids`, each with the name `n` and its id; all name the parent `parent`.
pub(super) fn rows(table: &Table, ids: Range<i64>, parent: i64) -> RecordBatch {
    let names: Vec<String> = ids.clone().map(|id| format!("n{id}")).collect();
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("id", Arc::new(Int64Array::from_iter_values(ids.clone()))), ("name", Arc::new(StringArray::from(names)))];
    for field in &table.schema.fields[2..] {
        columns.push((&field.name, Arc::new(Int64Array::from_iter_values(ids.clone().map(|_| parent)))));
    }
    RecordBatch::try_from_iter(columns).expect("a batch")
}

pub(super) fn all(batch: &RecordBatch) -> Vec<Range<usize>> {
    std::iter::once(0..batch.num_rows()).collect()
}

fn entry(table: &Table, id: LoadId, offset: u64) -> LoadEntry {
    let mut entry = LoadEntry::new(&table.name, "x.csv", Mode::Append, OnConflict::Reject);
    (entry.id, entry.position.offset) = (id, offset);
    entry
}

pub(super) fn kind<T>(outcome: crate::Result<T>) -> TargetErrorKind {
    match outcome.err().expect("an error") {
        Error::Target(error) => error.kind,
        other => panic!("{other}"),
    }
}

/// Inserts rows in step, in a transaction of their own.
pub(super) fn insert(
    target: &mut Postgres,
    fence: Fence,
    table: &Table,
    batch: &RecordBatch,
) -> crate::Result<Vec<RefusedRow>> {
    let mut transaction = target.begin_transaction(fence, Pace::InStep)?;
    let refused = transaction.insert_rows(table, batch, &all(batch))?;
    transaction.commit_now()?;
    Ok(refused)
}

/// A target with `parent` (rows 1 to 9) and an empty `child`.
pub(super) fn family(url: &str) -> (Postgres, Table, Table) {
    let (parent, child) = (table("parent", &[]), table("child", &["parent"]));
    let mut target = target_at(url);
    target.prepare_tables(&[child.clone(), parent.clone()]).expect("makes the tables");
    let refused = insert(&mut target, Fence::Database, &parent, &rows(&parent, 1..10, 0)).expect("inserts");
    assert!(refused.is_empty());
    (target, parent, child)
}

#[test]
fn a_table_is_built_unseen_over_many_chunks() {
    let database = fresh();
    let (parent, child) = (table("parent", &[]), table("child", &["parent"]));
    let mut target = target_at(&database.url());
    target.prepare_tables(std::slice::from_ref(&parent)).expect("makes the parent");
    insert(&mut target, Fence::Database, &parent, &rows(&parent, 1..10, 0)).expect("inserts");
    assert!(target.begin_staging(&child, false).expect("builds"));
    assert!(!target.can_find_rows(&child) && !target.has_table(&child).expect("answers"));
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    let load = transaction.add_load(&entry(&child, LoadId::NONE, 0)).expect("adds");
    transaction.commit_now().expect("commits");
    for chunk in 0..7_i64 {
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins");
        for block in 0..5 {
            let first = (chunk * 5 + block) * 1000;
            let batch = rows(&child, first..first + 1000, 1 + chunk);
            assert!(transaction.insert_rows(&child, &batch, &all(&batch)).expect("sends").is_empty());
        }
        transaction
            .hold_parents(&child, &parent, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(1 + chunk)]])
            .expect("holds");
        let was = u64::try_from(chunk).expect("positive");
        transaction.save_load(&entry(&child, load, was + 1), was).expect("saves");
        transaction.commit_later().expect("sends");
    }
    assert_eq!(target.row_count(&child).expect("counts"), 35_000);
    assert!(database.run_sql("SELECT * FROM child").is_err(), "nobody sees it");
    assert!(database.run_sql("DELETE FROM parent WHERE id = 3").is_err(), "its parents stay");
    target.finish_staging(&child).expect("finishes");
    assert!(target.can_find_rows(&child) && target.has_table(&child).expect("answers"));
    assert_eq!(database.run_sql("SELECT count(*) FROM child").expect("answers"), "35000\n");
    assert!(target.find_differences(&[parent, child]).expect("compares").is_empty());
    let heaps = "SELECT count(*) FROM pg_class WHERE relname LIKE 'building\\__%' AND relkind = 'r'";
    assert_eq!(database.run_sql(heaps).expect("answers"), "0\n", "nothing is left beside it");
}

#[test]
fn a_table_that_is_built_gets_a_key_when_it_is_searched() {
    let database = fresh();
    let mut built = table("built", &[]);
    Arc::make_mut(&mut built.schema).unique_keys.push(vec![1.into(), 0.into()]);
    let mut target = target_at(&database.url());
    assert!(target.begin_staging(&built, false).expect("builds"));
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins");
    let batch = rows(&built, 0..1000, 0);
    transaction.insert_rows(&built, &batch, &all(&batch)).expect("sends");
    let found = transaction
        .find_rows(&built, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(7)], vec![Scalar::Integer(-7)]])
        .expect("asks");
    assert!(found[0].is_some() && found[1].is_none());
    let by_name = [vec![Scalar::Text("n8".into()), Scalar::Integer(8)]];
    assert!(transaction.find_rows(&built, &[1, 0].map(FieldIndex::from), &by_name).expect("asks")[0].is_some());
    assert!(transaction.find_rows(&built, &[1, 0].map(FieldIndex::from), &by_name).expect("asks again")[0].is_some());
    transaction.commit_now().expect("commits");
    target.finish_staging(&built).expect("finishes");
    assert!(target.find_differences(std::slice::from_ref(&built)).expect("compares").is_empty());
    let names = database.run_sql(
        "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'built'::regclass",
    );
    assert_eq!(names.expect("answers"), "built_name_id_key,built_pkey\n");
}

#[test]
fn a_table_that_is_built_was_searched_on_another_connection_which_waited_for_its_key() {
    let database = fresh();
    let built = table("built", &[]);
    let mut target = target_at(&database.url());
    assert!(target.begin_staging(&built, false).expect("builds"));
    let batch = rows(&built, 0..10, 0);
    let mut first = target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins");
    first.insert_rows(&built, &batch, &all(&batch)).expect("sends");
    first.commit_now().expect("commits");
    // A last chunk that has no row of its own: all of its records were put aside.
    let last = target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins");
    assert!(
        last.find_rows(&built, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(7)]]).expect("asks")[0].is_some()
    );
    last.commit_now().expect("commits");
}

#[test]
fn a_table_that_is_built_was_given_its_key_by_two_processes_at_once() {
    let database = fresh();
    let built = table("built", &[]);
    let mut target = target_at(&database.url());
    assert!(target.begin_staging(&built, false).expect("builds"));
    let batch = rows(&built, 0..10, 0);
    let mut first = target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins");
    first.insert_rows(&built, &batch, &all(&batch)).expect("sends");
    first.commit_now().expect("commits");
    let heap = database.run_sql("SELECT 'landfall.building_' || building_id FROM landfall.building").expect("answers");
    let heap = heap.trim();
    let add = format!("BEGIN; ALTER TABLE {heap} ADD PRIMARY KEY (id); SELECT pg_sleep(1); COMMIT");
    thread::scope(|scope| {
        let other = scope.spawn(|| database.run_sql(&add).expect("adds the key"));
        let held = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{heap}'::regclass AND mode = 'AccessExclusiveLock' AND granted"
        );
        while database.run_sql(&held).expect("answers") == "0\n" && !other.is_finished() {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!other.is_finished(), "the other process holds the table");
        let searching = target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins");
        assert!(
            searching.find_rows(&built, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(7)]]).expect("asks")[0]
                .is_some()
        );
        searching.commit_now().expect("commits");
    });
    target.finish_staging(&built).expect("finishes");
    assert!(target.find_differences(std::slice::from_ref(&built)).expect("compares").is_empty());
}

#[test]
fn what_was_sent_ahead_and_cannot_stay_takes_what_followed_along() {
    let database = fresh();
    let (mut target, parent, child) = family(&database.url());
    insert(&mut target, Fence::Database, &child, &rows(&child, 500..501, 1)).expect("inserts");
    let sent = |target: &mut Postgres, ids: Range<i64>| {
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead)?;
        let batch = rows(&child, ids, 1);
        transaction.insert_rows(&child, &batch, &all(&batch))?;
        transaction.hold_parents(&child, &parent, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(1)]])?;
        transaction.commit_later()
    };
    sent(&mut target, 0..100).expect("sends");
    sent(&mut target, 450..550).expect("sends, although a key is held");
    let then = sent(&mut target, 600..700).and_then(|()| target.flush_commits());
    assert_eq!(kind(then), TargetErrorKind::Again);
    assert_eq!(target.row_count(&child).expect("counts"), 101, "the chunk before stays");
    sent(&mut target, 600..700).and_then(|()| target.flush_commits()).expect("goes on");
    assert_eq!(target.row_count(&child).expect("counts"), 201);
}

#[test]
fn rows_that_stand_against_constraints_are_told_and_the_others_stay() {
    let database = fresh();
    let (mut target, _, child) = family(&database.url());
    database.run_sql("INSERT INTO child VALUES (3, 'there', 1), (5, 'there', 1)").expect("another program was first");
    let refused = insert(&mut target, Fence::Database, &child, &rows(&child, 0..10, 2)).expect("inserts");
    assert_eq!(refused.iter().map(|refused| refused.row).collect::<Vec<_>>(), [3, 5]);
    assert!(refused[0].message.contains("key id is held"), "{}", refused[0].message);
    let orphans = insert(&mut target, Fence::Database, &child, &rows(&child, 20..22, 77)).expect("inserts");
    assert_eq!(orphans.len(), 2);
    assert!(orphans[0].message.contains("names no row of the table \"parent\""), "{}", orphans[0].message);
    assert_eq!(target.row_count(&child).expect("counts"), 10);
}

#[test]
fn rows_that_a_check_of_the_users_stops_are_found_by_halving() {
    let database = fresh();
    let (mut target, _, child) = family(&database.url());
    database.run_sql("ALTER TABLE child ADD CHECK (id % 100 <> 7)").expect("alters");
    let refused = insert(&mut target, Fence::Database, &child, &rows(&child, 0..300, 1)).expect("inserts");
    assert_eq!(refused.iter().map(|refused| refused.row).collect::<Vec<_>>(), [7, 107, 207]);
    assert!(refused[0].message.contains("check constraint"), "{}", refused[0].message);
    assert_eq!(target.row_count(&child).expect("counts"), 297);
}

#[test]
fn rows_are_updated_together_and_refused_one_by_one() {
    let database = fresh();
    let (mut target, parent, _) = family(&database.url());
    database.run_sql("ALTER TABLE parent ADD CHECK (name <> 'n4')").expect_err("n4 is there");
    database.run_sql("UPDATE parent SET name = 'old'; ALTER TABLE parent ADD CHECK (name <> 'n4')").expect("alters");
    let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep).expect("begins");
    let batch = rows(&parent, 1..10, 0);
    let refused = transaction.update_rows(&parent, &batch, &[0, 3, 8], &[1].map(FieldIndex::from)).expect("updates");
    assert_eq!(refused.iter().map(|refused| refused.row).collect::<Vec<_>>(), [3]);
    transaction.commit_now().expect("commits");
    let names = database.run_sql("SELECT string_agg(name, ',' ORDER BY id) FROM parent").expect("answers");
    assert_eq!(names, "n1,old,old,old,old,old,old,old,n9\n");
}

#[test]
fn keys_are_found_in_one_question_in_their_order() {
    let database = fresh();
    let (target, parent, _) = family(&database.url());
    let values: Vec<Vec<Scalar>> = [7, 99, 1].map(|id| vec![Scalar::Integer(id)]).to_vec();
    let found = target.find_rows(&parent, &[0].map(FieldIndex::from), &values).expect("finds");
    let name = |id: i64| Some(vec![Scalar::Integer(id), Scalar::Text(format!("n{id}"))]);
    assert_eq!(found, [name(7), None, name(1)]);
    let by_both =
        vec![vec![Scalar::Text("n2".into()), Scalar::Integer(2)], vec![Scalar::Text("n2".into()), Scalar::Integer(3)]];
    assert_eq!(target.find_rows(&parent, &[1, 0].map(FieldIndex::from), &by_both).expect("finds"), [name(2), None]);
    let mut seen = 0;
    target.scan_rows(&parent, &[1, 0].map(FieldIndex::from), &mut |batch| seen += batch.num_rows()).expect("scans");
    assert_eq!(seen, 9);
}

/// The superuser may switch the server's own check of foreign keys off for a transaction.
#[test]
fn parents_are_held_where_the_server_does_not_look() {
    let database = Server::shared().superuser(fresh().name());
    let (mut target, parent, child) = family(&database.url());
    let batch = rows(&child, 0..10, 4);
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    transaction.insert_rows(&child, &batch, &all(&batch)).expect("inserts");
    transaction.hold_parents(&child, &parent, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(4)]]).expect("holds");
    let locked = database.run_sql("SET lock_timeout = '300ms'; DELETE FROM parent WHERE id = 4");
    assert!(locked.is_err(), "the parent is held");
    transaction.commit_now().expect("commits");
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    let gone = transaction.hold_parents(&child, &parent, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(4444)]]);
    assert_eq!(kind(gone.map(|()| transaction)), TargetErrorKind::Constraint, "before rows, as after them");
}

#[test]
fn a_parent_table_can_be_replaced_in_one_transaction() {
    for database in [fresh(), Server::shared().superuser(fresh().name())] {
        let (mut target, parent, child) = family(&database.url());
        insert(&mut target, Fence::Database, &child, &rows(&child, 0..5, 2)).expect("inserts");
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
        transaction.delete_rows(&parent).expect("clears");
        assert_eq!(transaction.find_orphans(&[&child], &[]).expect("asks").len(), 1);
        let batch = rows(&parent, 2..4, 0);
        transaction.insert_rows(&parent, &batch, &all(&batch)).expect("inserts");
        assert!(transaction.find_orphans(&[&child], &[]).expect("asks").is_empty());
        transaction.commit_now().expect("commits");
        assert_eq!(target.row_count(&parent).expect("counts"), 2);
    }
}

#[test]
fn tables_in_a_circle_take_rows_in_any_order() {
    let database = fresh();
    let (egg, hen) = (table("egg", &["hen"]), table("hen", &["egg"]));
    let mut target = target_at(&database.url());
    target.prepare_tables(&[egg.clone(), hen.clone()]).expect("makes both");
    let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep).expect("begins");
    for table in [&egg, &hen] {
        let batch = rows(table, 1..2, 1);
        assert!(transaction.insert_rows(table, &batch, &all(&batch)).expect("inserts").is_empty());
    }
    transaction.commit_now().expect("commits");
    assert_eq!(target.row_count(&hen).expect("counts"), 1);
    let refused = insert(&mut target, Fence::Database, &egg, &rows(&egg, 7..8, 99));
    assert_eq!(kind(refused), TargetErrorKind::Constraint);
}

#[test]
fn another_process_goes_on_with_a_table_or_finishes_it() {
    let database = fresh();
    let child = table("t", &[]);
    let send = |target: &mut Postgres, ids: Range<i64>| {
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead)?;
        let batch = rows(&child, ids, 0);
        transaction.insert_rows(&child, &batch, &all(&batch))?;
        transaction.commit_later().and_then(|()| target.flush_commits())
    };
    let mut first = target_at(&database.url());
    assert!(first.begin_staging(&child, false).expect("builds"));
    send(&mut first, 0..10).expect("sends");
    let mut second = target_at(&database.url());
    assert!(second.begin_staging(&child, true).expect("goes on"));
    assert_eq!(second.row_count(&child).expect("counts"), 10);
    assert_eq!(kind(send(&mut first, 10..20)), TargetErrorKind::Overtaken);
    send(&mut second, 10..20).expect("sends");
    let mut third = target_at(&database.url());
    assert!(!third.begin_staging(&child, false).expect("finishes what another load began"));
    assert_eq!(kind(send(&mut second, 20..30)), TargetErrorKind::Again);
    send(&mut second, 20..30).expect("goes on in the finished table");
    assert_eq!(database.run_sql("SELECT count(*) FROM t").expect("answers"), "30\n");
}

#[test]
fn a_connection_lost_before_the_commit_leaves_nothing() {
    let database = fresh();
    let (mut target, parent, _) = family(&database.url());
    let mut transaction = target.begin_transaction(Fence::Database, Pace::InStep).expect("begins");
    let batch = rows(&parent, 20..30, 0);
    transaction.insert_rows(&parent, &batch, &all(&batch)).expect("inserts");
    Server::shared().kill_backends(&database).expect("ends them");
    assert_eq!(kind(transaction.commit_now()), TargetErrorKind::Lost);
    assert_eq!(target.row_count(&parent).expect("connects again"), 9);
}

#[test]
fn a_locked_table_is_told_in_bounded_time() {
    let database = fresh();
    let (mut target, parent, _) = family(&format!("{}?lock_timeout=1", database.url()));
    let locking = database.clone();
    let other = thread::spawn(move || {
        locking.run_sql("BEGIN; LOCK TABLE parent; SELECT pg_sleep(4); COMMIT").expect("locks");
    });
    thread::sleep(Duration::from_millis(800));
    let refused = insert(&mut target, Fence::Database, &parent, &rows(&parent, 50..51, 0));
    assert_eq!(kind(refused), TargetErrorKind::Locked);
    other.join().expect("ends");
}

#[test]
fn processes_that_start_at_once_make_the_tables_once() {
    let database = fresh();
    let tables = [table("a", &[]), table("b", &["a"])];
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| target_at(&database.url()).prepare_tables(&tables).expect("makes or finds the tables"));
        }
    });
    assert!(target_at(&database.url()).find_differences(&tables).expect("compares").is_empty());
}

#[test]
fn a_newer_database_is_refused() {
    let database = fresh();
    drop(target_at(&database.url()));
    database.run_sql("INSERT INTO landfall.migrations VALUES (99, 'later')").expect("writes");
    let settings = PostgresSettings::parse(&database.url(), Path::new("/")).expect("a URL");
    for access in [TargetAccess::Write, TargetAccess::Read] {
        assert_eq!(kind(Postgres::open(&settings, access)), TargetErrorKind::NewerVersion);
    }
}

#[test]
fn reading_makes_nothing() {
    let database = fresh();
    let settings = PostgresSettings::parse(&database.url(), Path::new("/")).expect("a URL");
    let target = Postgres::open(&settings, TargetAccess::Read).expect("opens");
    assert!(target.all_loads().expect("reads").is_empty());
    assert_eq!(target.row_count(&table("none", &[])).expect("counts"), 0);
    assert_eq!(
        database.run_sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'landfall'").expect("answers"),
        "0\n"
    );
}

#[test]
fn odd_names_and_another_schema() {
    let database = fresh();
    let mut target = target_at(&format!("{}?schema=Mein%20%22Schema%22", database.url()));
    let (parent, child) = (table("Select \"x\" ä", &[]), table("ORDER", &["Select \"x\" ä"]));
    target.prepare_tables(std::slice::from_ref(&parent)).expect("makes the parent");
    insert(&mut target, Fence::Database, &parent, &rows(&parent, 1..3, 0)).expect("inserts");
    assert!(target.begin_staging(&child, false).expect("builds"));
    let batch = rows(&child, 0..3, 1);
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins");
    transaction.insert_rows(&child, &batch, &all(&batch)).expect("sends");
    transaction.hold_parents(&child, &parent, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(1)]]).expect("holds");
    transaction.commit_later().expect("commits");
    target.finish_staging(&child).expect("finishes");
    assert!(target.find_differences(&[parent, child]).expect("compares").is_empty());
    assert_eq!(database.run_sql("SELECT count(*) FROM \"Mein \"\"Schema\"\"\".\"ORDER\"").expect("answers"), "3\n");
}

#[test]
fn differences_are_listed_and_additions_carried_out() {
    let database = fresh();
    let (parent, child) = (table("parent", &[]), table("child", &["parent"]));
    database
        .run_sql("CREATE TABLE parent (id integer PRIMARY KEY, name varchar(10), must text NOT NULL); CREATE TABLE child (id bigint NOT NULL)")
        .expect("another program made them");
    let mut target = target_at(&database.url());
    let found = target.find_differences(&[parent.clone(), child.clone()]).expect("compares");
    let of = |name: &str| -> Vec<String> {
        found
            .iter()
            .filter(|found| *found.table == *name && !found.harmless)
            .map(|found| found.message.clone())
            .collect()
    };
    assert_eq!(
        of("parent"),
        [
            "has the column \"id\" as integer and not bigint",
            "has the column \"name\" as character varying(10) and not text",
            "asks for a value of the column \"must\", which is not in the data package",
        ]
    );
    assert_eq!(of("child").len(), 4, "{:?}", of("child"));
    assert_eq!(kind(target.prepare_tables(std::slice::from_ref(&parent))), TargetErrorKind::Mismatch);
    database.run_sql("DROP TABLE parent").expect("drops");
    let found = target.find_differences(&[child.clone(), parent.clone()]).expect("compares");
    let additions: Vec<_> = found.into_iter().filter(|found| found.addition.is_some()).collect();
    let (keys, rest): (Vec<_>, Vec<_>) = additions.into_iter().partition(|found| found.message.contains("foreign key"));
    target.add_missing(&rest).expect("adds");
    target.add_missing(&keys).expect("adds");
    target.prepare_tables(&[parent, child]).expect("is in order now");
}

#[test]
fn what_the_user_may_not_do_is_told() {
    let database = fresh();
    let (target, parent, _) = family(&database.url());
    drop(target);
    let owner = Server::shared().superuser(database.name());
    owner
        .run_sql(&format!("REVOKE ALL ON parent FROM \"{0}\"; ALTER TABLE parent OWNER TO admin", database.user()))
        .expect("revokes");
    let mut target = target_at(&database.url());
    let refused = insert(&mut target, Fence::Database, &parent, &rows(&parent, 50..51, 0));
    assert_eq!(kind(refused), TargetErrorKind::Denied);
}

#[test]
fn everything_through_pgbouncer() {
    let bouncer = PgBouncer::start_with_pool(Server::shared(), 3).expect("a PgBouncer");
    let database = bouncer.through_pool(&fresh());
    let (mut target, parent, child) = family(&database.url());
    let built = table("built", &["parent"]);
    assert!(target.begin_staging(&built, false).expect("builds"));
    for chunk in 0..4_i64 {
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::Ahead).expect("begins");
        let batch = rows(&built, chunk * 1000..chunk * 1000 + 1000, 1);
        transaction.insert_rows(&built, &batch, &all(&batch)).expect("sends");
        transaction
            .hold_parents(&built, &parent, &[0].map(FieldIndex::from), &[vec![Scalar::Integer(1)]])
            .expect("holds");
        let found = transaction.find_row(&parent, &[0].map(FieldIndex::from), &[Scalar::Integer(3)]).expect("asks");
        assert!(found.is_some());
        transaction.commit_later().expect("sends");
    }
    target.finish_staging(&built).expect("finishes");
    assert_eq!(target.row_count(&built).expect("counts"), 4000);
    let refused = insert(&mut target, Fence::Database, &child, &rows(&child, 0..10, 77)).expect("inserts");
    assert_eq!(refused.len(), 10);
    let mut load = entry(&child, LoadId::NONE, 0);
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).expect("begins");
    load.id = transaction.add_load(&load).expect("adds");
    load.state = LoadState::Complete;
    transaction.save_load(&load, 0).expect("saves");
    transaction.commit_now().expect("commits");
    assert_eq!(target.all_loads().expect("reads"), [load]);
}
