//! Settings of a server, a database or a role that rewrite values or cut answers: what is loaded, backed up and restored under
//! them is what SQLite has, by the content digests of the backup sets. `landfall-engine/tests/contract/settings` tries more
//! settings on loads and snapshots.

use serde_json::Value;

use super::{
    place::{Kind, Place},
    site::Site,
    things::{self, THINGS},
};
use crate::support::hostile;

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
    for statement in hostile::postgres_statements(&name) {
        postgres.place.superuser().run_sql(&statement).unwrap();
    }
    assert_eq!(lived_through(&postgres), wanted);
    let (_server, database) = hostile::mariadb();
    let place = Place::on(Kind::Mariadb, database);
    assert_eq!(lived_through(&Site::at(things::project(SEED, ROWS), place)), wanted);
}
