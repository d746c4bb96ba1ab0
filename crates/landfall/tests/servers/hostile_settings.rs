//! Settings of a server, a database or a role that rewrite values or cut answers: what is loaded, backed up and restored under
//! them is what SQLite has, by the content digests of the backup sets. `landfall-engine/tests/contract/settings` tries more
//! settings on loads and snapshots.

use serde_json::Value;
use testbed::{Mariadb, Options};

use super::{
    place::{Kind, Place},
    site::Site,
    things::{self, THINGS},
};

/// What a database of PostgreSQL may set for whoever connects.
const POSTGRES: [(&str, &str); 18] = [
    ("datestyle", "'SQL, DMY'"),
    ("intervalstyle", "sql_standard"),
    ("timezone", "'Asia/Kathmandu'"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-15"),
    ("client_encoding", "latin1"),
    ("standard_conforming_strings", "off"),
    ("escape_string_warning", "off"),
    ("xmloption", "document"),
    ("search_path", "nowhere"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("synchronous_commit", "off"),
    ("statement_timeout", "100"),
    ("lock_timeout", "100"),
    ("quote_all_identifiers", "on"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
];

/// What a MariaDB server sets in each session that begins.
const MARIADB: &str = "SET SESSION sql_select_limit = 5, sql_mode = 'EMPTY_STRING_IS_NULL,PAD_CHAR_TO_FULL_LENGTH', \
    sql_safe_updates = 1, sql_big_selects = 0, max_join_size = 3, sql_auto_is_null = 1, time_zone = '+05:45', \
    completion_type = 1, foreign_key_checks = 0, unique_checks = 0, group_concat_max_len = 4, \
    innodb_lock_wait_timeout = 1, div_precision_increment = 0, auto_increment_increment = 7, \
    default_storage_engine = 'MyISAM', max_error_count = 0, max_sort_length = 64";

const SEED: u64 = 23;
const ROWS: u64 = 200;

/// Table, rows and digest of each table in a new set.
#[track_caller]
fn backed_up(site: &Site) -> Vec<[Value; 3]> {
    let set = site.run(&["backup", "--json", "--to", "sets"]).exits(0).json();
    let tables = set["tables"].as_array().unwrap().iter();
    tables.map(|table| ["table", "rows", "digest"].map(|name| table[name].clone())).collect()
}

/// Loads twice, the second time as updates, backs up, and restores in the place of the rows; what a backup has after each step.
fn lived_through(site: &Site) -> Vec<Vec<[Value; 3]>> {
    site.run(&["load", "-q"]).exits(0);
    let loaded = backed_up(site);
    things::write_files(site, SEED + 1, ROWS);
    site.run(&["load", "-q", "--mode", "upsert"]).exits(0);
    let updated = backed_up(site);
    let tables: Vec<&str> = THINGS.iter().map(|(table, _)| *table).collect();
    site.run(&[&["restore", "-q", "--in", "sets"], &tables[..]].concat()).exits(0);
    site.run(&["backups", "verify", "--in", "sets"]).exits(0);
    site.assert_nothing_wrong();
    vec![loaded, updated, backed_up(site)]
}

#[test]
fn settings_of_a_server_do_not_change_what_is_loaded_backed_up_and_restored() {
    let wanted = lived_through(&Site::new(things::project(SEED, ROWS), Kind::Sqlite));
    let postgres = Site::new(things::project(SEED, ROWS), Kind::Postgres);
    let name = postgres.place.database().name().to_owned();
    for (setting, value) in POSTGRES {
        postgres.place.superuser().sql(&format!("ALTER DATABASE {name} SET {setting} = {value}")).unwrap();
    }
    assert_eq!(lived_through(&postgres), wanted);
    let server = Mariadb::start_with(&Options::default().setting("init_connect", MARIADB)).unwrap();
    let place = Place::on(Kind::Mariadb, server.fresh_database().unwrap());
    assert_eq!(lived_through(&Site::at(things::project(SEED, ROWS), place)), wanted);
}
