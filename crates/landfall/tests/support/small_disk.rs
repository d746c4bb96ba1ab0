//! A disk that is soon full.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use testbed::{Mariadb, Postgres, TestDatabase};

/// A small disk, mounted in a folder of its own; gone with its owner.
pub(crate) struct SmallDisk {
    shell: Child,
    pub(crate) folder: PathBuf,
}

impl SmallDisk {
    /// One that `user` may write to; none where this process may not mount anything.
    pub(crate) fn new(mebibytes: u32, user: &str) -> Option<Self> {
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

    /// Gives it so many mebibytes.
    pub(crate) fn grow(&self, mebibytes: u32) {
        let mut mount = Command::new("mount");
        mount.arg("-o").arg(format!("remount,size={mebibytes}m")).arg(&self.folder);
        assert!(mount.status().unwrap().success());
    }

    /// Fills it to its last byte.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.folder.join("ballast")).unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Takes away what filled it.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.folder.join("ballast")).unwrap();
    }

    /// A database on the disk, of a server that the test has started itself: PostgreSQL has tablespaces.
    pub(crate) fn postgres_database(&self, server: &Postgres) -> TestDatabase {
        let database = server.fresh_database().unwrap();
        let folder = self.folder.join("space");
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(owner("postgres")), None).unwrap();
        let superuser = server.superuser("postgres");
        superuser.run_sql(&format!("CREATE TABLESPACE small LOCATION '{}'", folder.display())).unwrap();
        superuser.run_sql(&format!("ALTER DATABASE {} SET TABLESPACE small", database.name())).unwrap();
        database
    }

    /// The same: MariaDB follows a link in place of a database's folder.
    pub(crate) fn mariadb_database(&self, server: &Mariadb) -> TestDatabase {
        let database = server.fresh_database().unwrap();
        let data = server.superuser("mysql").run_sql("SELECT @@datadir").unwrap();
        let folder = Path::new(data.trim()).join(database.name());
        let moved = self.folder.join(database.name());
        std::fs::create_dir(&moved).unwrap();
        std::os::unix::fs::chown(&moved, Some(owner("mysql")), None).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(&moved, &folder).unwrap();
        database
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// The number of a user.
fn owner(name: &str) -> u32 {
    let output = Command::new("id").args(["-u", name]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
