//! A disk that is full at the server.

use std::time::{Duration, Instant};

use testbed::{Mariadb, Postgres, ServerOptions};

use super::{
    place::{Kind, Place},
    site::Site,
};
use crate::support::{
    small_disk::SmallDisk,
    staff::{self, File},
};

/// Nothing has to wait for a disk that is full.
const BOUND: Duration = Duration::from_secs(40);

#[test]
fn a_full_disk_of_the_server_ends_with_8_and_leaves_whole_chunks() {
    for kind in Kind::DATABASES {
        let (user, mebibytes) = if kind == Kind::Mariadb { ("mysql", 7) } else { ("postgres", 12) };
        let Some(disk) = SmallDisk::new(mebibytes, user) else { return };
        let server = match kind {
            Kind::Mariadb => (None, Some(Mariadb::start().unwrap())),
            _ => (Some(Postgres::start_with(&ServerOptions::default()).unwrap()), None),
        };
        let database = match &server {
            (Some(postgres), _) => disk.postgres_database(postgres),
            (_, mariadb) => disk.mariadb_database(mariadb.as_ref().unwrap()),
        };
        let site = Site::at(staff::project(), Place::on(kind, database));
        site.run(&["load", "-q"]).exits(0);
        let count = 30_000;
        site.write("staff.csv", File::dirty(6, 1, count).bytes);
        for options in [&["--atomic"][..], &["--chunk-records=500", "--block-bytes=8192"]] {
            let begun = Instant::now();
            let failed = site.run(&[&["load", "staff"], options].concat());
            assert!(begun.elapsed() < BOUND);
            let failed = failed.exits(8);
            assert_eq!(
                failed.stderr.lines().filter(|line| line.starts_with("error: ")).count(),
                1,
                "{}",
                failed.stderr
            );
            assert!(failed.stderr.contains("make room"), "{kind:?}: {}", failed.stderr);
            eprintln!("{kind:?} {options:?}: {} rows, {}", site.count("staff"), failed.stderr);
        }
        disk.grow(200);
        assert_eq!(site.run(&["load", "--json"]).exits(0).counts("staff")[0], count.unsigned_abs());
        site.audit(&[]);
        drop(site);
        drop(server);
    }
}

/// A backup for which there is no space leaves the earlier ones, and nothing that looks like one.
#[test]
fn a_backup_without_space_is_told_and_leaves_the_older_ones() {
    let Some(disk) = SmallDisk::new(1, "0") else { return };
    let site = Site::new(staff::project(), Kind::Sqlite);
    let folder = disk.folder.join("sets").display().to_string();
    site.run(&["load", "-q", "teams"]).exits(0);
    site.run(&["backup", "-q", "--to", &folder, "teams"]).exits(0);
    site.write("staff.csv", File::clean(1, 1, 60_000).bytes);
    site.run(&["load", "-q"]).exits(0);
    let error = site.run(&["backup", "--codec", "none", "--to", &folder]).fails(8);
    assert!(error.contains("backup"), "{error}");
    let verified = site.run(&["backups", "verify", "--json", "--in", &folder]).exits(0).json();
    assert_eq!(verified["sets"].as_array().unwrap().len(), 1, "{verified}");
    // What was written of it takes no space any more.
    site.run(&["backup", "-q", "--to", &folder, "teams"]).exits(0);
}
