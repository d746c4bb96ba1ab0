//! Settings of the server, the database and the role that rewrite, cut or hide rows: a session sets what it relies on.

use landfall_core::keys::Scalar;
use landfall_engine::{
    Project,
    ledger::OnConflict,
    pipeline::{LoadOptions, Selection, SilentObserver, load_tables},
    targets::{Location, Target, TargetAccess, open},
    verify::verify_tables,
};
use testbed::Mariadb;

use crate::{
    ground::Ground,
    tables::{Row, all, content, fields_at, insert, package, people, prepared, resource, row, rows_of, table, within},
};

const TEAMS: &str = "{fields: [{name: id, type: integer}, {name: name, type: string}], primaryKey: id}";
const THINGS: &str = "{fields: [{name: id, type: integer}, {name: text, type: string}, {name: amount, type: number}, \
                      {name: day, type: date}, {name: at, type: datetime}, {name: flag, type: boolean}, \
                      {name: team, type: integer}], primaryKey: id, uniqueKeys: [[text]], \
                      foreignKeys: [{fields: team, reference: {resource: teams, fields: id}}]}";

/// Values of settings that ordinary roles may set for themselves.
const POSTGRES: [(&str, &str); 38] = [
    ("datestyle", "'SQL, DMY'"),
    ("intervalstyle", "sql_standard"),
    ("timezone", "'Asia/Kathmandu'"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-15"),
    ("client_encoding", "latin1"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "on"),
    ("escape_string_warning", "off"),
    ("xmloption", "document"),
    ("search_path", "nowhere"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("row_security", "off"),
    ("synchronous_commit", "off"),
    ("statement_timeout", "100"),
    ("lock_timeout", "100"),
    ("idle_in_transaction_session_timeout", "1"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_sort", "off"),
    ("enable_hashagg", "off"),
    ("gin_fuzzy_search_limit", "1"),
    ("lc_monetary", "'C'"),
    ("lc_numeric", "'C'"),
    ("lc_time", "'C'"),
    ("quote_all_identifiers", "on"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("check_function_bodies", "off"),
    ("work_mem", "64"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "on"),
    ("constraint_exclusion", "on"),
    ("cursor_tuple_fraction", "0"),
    ("client_min_messages", "debug1"),
    ("application_name", "other"),
];

/// Values of settings of a server, all of a session's at once.
const MARIADB: [(&str, &str); 31] = [
    ("sql_mode", "'EMPTY_STRING_IS_NULL,PAD_CHAR_TO_FULL_LENGTH'"),
    ("sql_select_limit", "5"),
    ("sql_safe_updates", "1"),
    ("sql_big_selects", "0"),
    ("max_join_size", "3"),
    ("sql_auto_is_null", "1"),
    ("time_zone", "'+05:45'"),
    ("character_set_client", "latin1"),
    ("character_set_results", "latin1"),
    ("character_set_connection", "latin1"),
    ("collation_connection", "latin1_swedish_ci"),
    ("autocommit", "0"),
    ("completion_type", "'CHAIN'"),
    ("tx_isolation", "'SERIALIZABLE'"),
    ("foreign_key_checks", "0"),
    ("unique_checks", "0"),
    ("check_constraint_checks", "0"),
    ("group_concat_max_len", "4"),
    ("max_statement_time", "0.001"),
    ("innodb_lock_wait_timeout", "1"),
    ("lock_wait_timeout", "1"),
    ("lc_time_names", "'de_DE'"),
    ("div_precision_increment", "0"),
    ("auto_increment_increment", "7"),
    ("default_storage_engine", "'MyISAM'"),
    ("old_mode", "'ZERO_DATE_TIME_CAST'"),
    ("low_priority_updates", "1"),
    ("sql_quote_show_create", "0"),
    ("max_error_count", "0"),
    ("max_sort_length", "64"),
    ("wait_timeout", "1"),
];

fn csv() -> (String, String) {
    let teams: String = (0..300).map(|id| format!("{id},team {id}\n")).collect();
    let thing = |id: i64| {
        format!("{id},\"a\\b 'ü' \"\"{id}\"\" \",{id}.50,2024-02-29,2024-05-06T07:08:09.000001Z,true,{}\n", id % 300)
    };
    let things: String = (0..2000).map(thing).collect();
    (format!("id,name\n{teams}"), format!("id,text,amount,day,at,flag,team\n{things}"))
}

/// Loads teams and things twice, the second time as updates; all rows of both tables, as a snapshot has them.
fn loaded(open: &dyn Fn() -> Box<dyn Target>) -> Vec<Vec<Row>> {
    let folder = tempfile::tempdir().unwrap();
    let resources = [("teams", TEAMS), ("things", THINGS)];
    let text = resources.map(|(name, schema)| resource(name, schema).replace("data.csv", &format!("{name}.csv")));
    let project = Project { folder: folder.path().to_owned(), package: package(&text.concat()) };
    let (teams, things) = csv();
    std::fs::write(folder.path().join("teams.csv"), teams).unwrap();
    std::fs::write(folder.path().join("things.csv"), &things).unwrap();
    let selections: [Selection; 0] = [];
    let options = LoadOptions { on_conflict: OnConflict::Update, ..LoadOptions::default() };
    for changed in [things.clone(), things.replace(",true,", ",false,")] {
        std::fs::write(folder.path().join("things.csv"), changed).unwrap();
        let outcomes = load_tables(&mut *open(), &project, &selections, &options, &SilentObserver).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.counts.rejected == 0), "{outcomes:?}");
    }
    let mut target = open();
    let found = verify_tables(&*target, &project, &SilentObserver).unwrap();
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let mut snapshot = target.take_snapshot().unwrap();
    let tables = project.target_tables();
    let rows = tables.iter().map(|table| {
        let mut rows = Vec::new();
        let mut take = |batch| {
            rows.extend(rows_of(&batch));
            Ok(())
        };
        snapshot.visit_rows(table, &all(table), &mut take).unwrap();
        assert_eq!(snapshot.row_count(table).unwrap(), rows.len() as u64);
        rows.sort_by_key(|row| format!("{row:?}"));
        rows
    });
    rows.collect()
}

fn expected() -> Vec<Vec<Row>> {
    let memory = Ground::memory();
    loaded(&|| memory.open())
}

#[test]
fn settings_of_postgres_do_not_change_what_is_stored() {
    let ground = Ground::postgres();
    // One after the other, since some make the next statement fail: the last are set first.
    let settings = POSTGRES.map(|(name, value)| format!("ALTER ROLE CURRENT_USER SET {name} = {value}"));
    ground.sql(&settings.join(";\n"));
    assert_eq!(loaded(&|| ground.open()), expected());
}

#[test]
fn settings_of_mariadb_do_not_change_what_is_stored() {
    let server = Mariadb::start().unwrap();
    let database = server.fresh_database().unwrap();
    let set = MARIADB.map(|(name, value)| format!("{name} = {value}"));
    // The way of a server's owner: it runs for every ordinary user that connects.
    let init = format!("SET SESSION {}", set.join(", ")).replace('\'', "''");
    server
        .superuser("mysql")
        .run_sql(&format!("SET GLOBAL sql_select_limit = 5, GLOBAL init_connect = '{init}'"))
        .unwrap();
    let location = Location::parse(&database.url(), std::path::Path::new("/")).unwrap();
    assert_eq!(loaded(&|| open(&location, TargetAccess::Write).unwrap()), expected());
}

#[test]
fn the_number_0_became_another_in_a_column_that_counts_by_itself() {
    let ground = Ground::mysql();
    ground.sql("CREATE TABLE counted (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, n bigint) ENGINE=InnoDB");
    let counted = table("counted", "{fields: [{name: id, type: integer}, {name: n, type: integer}], primaryKey: id}");
    let mut target = prepared(&ground, std::slice::from_ref(&counted));
    let rows = [row![-1, 1], row![0, 2], row![1, 3]];
    assert_eq!(within(&mut *target, |transaction| insert(transaction, &counted, &rows)), []);
    assert_eq!(content(&*target, &counted), [row![-1, 1], row![0, 2], row![1, 3]]);
    assert_eq!(target.find_row(&counted, &fields_at([0]), &[Scalar::Integer(0)]).unwrap(), Some(row![0, 2]));
}

#[test]
fn rows_that_a_policy_hides_were_left_out_without_a_word() {
    let ground = Ground::postgres();
    let people = people();
    let mut target = prepared(&ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()], row![2, "b", ()]]));
    let policy = "CREATE POLICY visible ON people USING (id < 2); ALTER TABLE people ENABLE ROW LEVEL SECURITY";
    ground.sql(&format!("{policy}; ALTER TABLE people FORCE ROW LEVEL SECURITY"));
    // A handle that knows the table already, and one that does not.
    for mut target in [target, ground.read()] {
        let told = |error: landfall_engine::Error| {
            let error = error.to_string();
            assert!(error.contains("row-level security"), "{error}");
        };
        told(target.row_count(&people).unwrap_err());
        told(target.find_rows(&people, &fields_at([0]), &[row![2]]).unwrap_err());
        let mut snapshot = target.take_snapshot().unwrap();
        told(snapshot.visit_rows(&people, &all(&people), &mut |_| Ok(())).unwrap_err());
    }
    let error = ground.open().prepare_tables(std::slice::from_ref(&people)).unwrap_err().to_string();
    assert!(error.contains("BYPASSRLS"), "{error}");
    // Its owner sees all where the policy is not forced.
    ground.sql("ALTER TABLE people NO FORCE ROW LEVEL SECURITY");
    assert_eq!(ground.open().row_count(&people).unwrap(), 2);
}
