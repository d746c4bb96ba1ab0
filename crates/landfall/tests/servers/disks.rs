//! A disk that is full at the server.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use testbed::{Database, Mariadb, Options, Postgres};

use super::{
    place::{Kind, Place},
    site::Site,
};
use crate::support::staff::{self, File};

/// Nothing has to wait for a disk that is full.
const BOUND: Duration = Duration::from_secs(40);

/// A small disk, mounted in a folder of its own; gone with its owner.
struct SmallDisk {
    shell: Child,
    folder: PathBuf,
}

impl SmallDisk {
    /// One that `user` may write to; none where this process may not mount anything.
    fn new(mebibytes: u32, user: &str) -> Option<Self> {
        // The shell ends, and takes the disk along, when its standard input ends: however this process ends.
        let script = format!(
            "folder=$(mktemp -d) && mount -t tmpfs -o size={mebibytes}m,mode=0777 tmpfs \"$folder\" || exit 1
             chown {user} \"$folder\"; echo \"$folder\"; cat >/dev/null; umount --lazy \"$folder\" && rmdir \"$folder\""
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let _ = shell.wait();
            eprintln!("not run: this user cannot mount a small disk");
            return None;
        }
        Some(Self { shell, folder: PathBuf::from(line.trim_end()) })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A database that is on the disk, of a server that the test has started itself. Where the server's files are is its own
/// matter: PostgreSQL has tablespaces; MariaDB follows a link in place of a database's folder.
fn on_disk(kind: Kind, disk: &SmallDisk, server: &(Option<Postgres>, Option<Mariadb>)) -> Database {
    if let (Some(postgres), _) = server {
        let database = postgres.fresh_database().unwrap();
        let folder = disk.folder.join("space");
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(owner("postgres")), None).unwrap();
        let superuser = postgres.superuser("postgres");
        superuser.sql(&format!("CREATE TABLESPACE small LOCATION '{}'", folder.display())).unwrap();
        superuser.sql(&format!("ALTER DATABASE {} SET TABLESPACE small", database.name())).unwrap();
        return database;
    }
    let mariadb = server.1.as_ref().unwrap();
    let database = mariadb.fresh_database().unwrap();
    let data = mariadb.superuser("mysql").sql("SELECT @@datadir").unwrap();
    let folder = Path::new(data.trim()).join(database.name());
    let moved = disk.folder.join(database.name());
    std::fs::create_dir(&moved).unwrap();
    std::os::unix::fs::chown(&moved, Some(owner("mysql")), None).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(&moved, &folder).unwrap();
    assert_eq!(kind, Kind::Mariadb);
    database
}

/// The number of a user.
fn owner(name: &str) -> u32 {
    let output = Command::new("id").args(["-u", name]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_full_disk_of_the_server_ends_with_8_and_leaves_whole_chunks() {
    for kind in Kind::DATABASES {
        let (user, mebibytes) = if kind == Kind::Mariadb { ("mysql", 7) } else { ("postgres", 12) };
        let Some(disk) = SmallDisk::new(mebibytes, user) else { return };
        let server = match kind {
            Kind::Mariadb => (None, Some(Mariadb::start().unwrap())),
            _ => (Some(Postgres::start_with(&Options::default()).unwrap()), None),
        };
        let site = Site::at(staff::project(), Place::on(kind, on_disk(kind, &disk, &server)));
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
        let room = Command::new("mount").args(["-o", "remount,size=200m"]).arg(&disk.folder).status().unwrap();
        assert!(room.success());
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
