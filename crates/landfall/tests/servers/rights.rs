//! The rights that `docs/servers.md` names are enough.

use serde_json::Value;

use super::{place::Kind, site::Site};
use crate::support::staff::{self, File};

/// The rights of a row of the table in the documentation, as GRANT takes them.
fn documented_rights(database: &str) -> String {
    let (_, section) = include_str!("../../../../docs/servers.md").split_once("## Rights").unwrap();
    let row = section.lines().find_map(|line| line.strip_prefix(&format!("| {database} | "))).unwrap();
    row.trim_end_matches(" |").to_owned()
}

/// Everything that a user does from day to day, as a user that has only `rights`.
fn works_with(site: &Site, user: &str) {
    let full = Site::new(staff::project(), site.place.kind);
    for site in [site, &full] {
        site.write("staff.csv", File::dirty(77, 1, 300).bytes);
        site.run(&["load", "-q"]).exits(0);
        site.write("staff.csv", File::dirty(78, 200, 500).bytes);
        site.run(&["load", "-q", "--mode", "upsert"]).exits(0);
        site.run(&["rejects", "retry", "-q"]).exits(0);
        site.run(&["backup", "-q", "--to", "sets"]).exits(0);
        site.run(&["restore", "staff", "-q", "--in", "sets", "--mode", "upsert"]).exits(0);
        site.run(&["schema", "diff"]).exits(0);
    }
    site.assert_nothing_wrong();
    assert_eq!(counts(site), counts(&full), "{user}");
}

/// What became of the records of each load.
fn counts(site: &Site) -> Vec<[Value; 6]> {
    let loads = site.run(&["loads", "--json"]).exits(0).json();
    let names = ["table", "read", "inserted", "updated", "unchanged", "rejected"];
    loads["loads"].as_array().unwrap().iter().map(|load| names.map(|name| load[name].clone())).collect()
}

#[test]
fn the_documented_rights_on_mysql_are_enough() {
    let site = Site::new(staff::project(), Kind::Mariadb);
    let (name, rights) = (site.place.database().name().to_owned(), documented_rights("MySQL, MariaDB"));
    assert!(rights.contains("INDEX"), "{rights}");
    let least = site.place.database().as_user(&format!("{name}_least"), "least");
    let user = format!("'{}'@'%'", least.user());
    site.place
        .superuser()
        .run_sql(&format!("CREATE USER {user} IDENTIFIED BY 'least'; GRANT {rights} ON `{name}`.* TO {user}"))
        .unwrap();
    site.aim(&least.url());
    works_with(&site, least.user());
}

#[test]
fn the_documented_rights_on_postgres_are_enough() {
    let site = Site::new(staff::project(), Kind::Postgres);
    let name = site.place.database().name().to_owned();
    assert_eq!(documented_rights("PostgreSQL"), "CREATE on the database, for Landfall's schema");
    let least = site.place.database().as_user(&format!("{name}_least"), "least");
    let user = least.user();
    site.place
        .superuser()
        .run_sql(&format!(
            "CREATE ROLE \"{user}\" LOGIN PASSWORD 'least'; GRANT CREATE, CONNECT ON DATABASE \"{name}\" TO \"{user}\"; \
             GRANT CREATE, USAGE ON SCHEMA public TO \"{user}\""
        ))
        .unwrap();
    site.aim(&least.url());
    works_with(&site, user);
}
