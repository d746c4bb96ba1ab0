//! Where a test stands: a fresh database of one kind, that any number of handles can be opened on.

use std::path::{Path, PathBuf};

use landfall_engine::targets::{Location, Memory, MemoryOptions, Target, TargetAccess, open};
use tempfile::TempDir;
use testbed::{Mariadb, Postgres, TestDatabase};

/// A database for one test, gone with it.
pub(crate) struct Ground {
    place: Place,
    _folder: Option<TempDir>,
}

enum Place {
    Memory(Memory, MemoryOptions),
    Sqlite(PathBuf),
    Postgres(TestDatabase),
    Mysql(TestDatabase),
}

impl Ground {
    /// In memory, as plainly as can be.
    pub(crate) fn memory() -> Self {
        Self::in_memory(MemoryOptions::default())
    }

    /// In memory, with the ways of a server: remote, tables built aside, commits under way.
    pub(crate) fn memory_as_server() -> Self {
        Self::in_memory(MemoryOptions { remote: true, builds: true, ahead: 2, ..MemoryOptions::default() })
    }

    /// In memory, with any ways.
    pub(crate) fn in_memory(options: MemoryOptions) -> Self {
        Self { place: Place::Memory(Memory::with(options.clone()), options), _folder: None }
    }

    /// A SQLite file.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { place: Place::Sqlite(folder.path().join("landfall.db")), _folder: Some(folder) }
    }

    /// A database of a PostgreSQL server that all tests share, and a role without special rights.
    pub(crate) fn postgres() -> Self {
        Self { place: Place::Postgres(Postgres::shared().fresh_database().unwrap()), _folder: None }
    }

    /// The same, used by a superuser, who may switch the server's own checks off.
    pub(crate) fn postgres_as_superuser() -> Self {
        let database = Postgres::shared().fresh_database().unwrap();
        Self { place: Place::Postgres(Postgres::shared().superuser(database.name())), _folder: None }
    }

    /// A database of its own on a private MariaDB.
    pub(crate) fn mysql() -> Self {
        Self { place: Place::Mysql(Mariadb::shared().fresh_database().unwrap()), _folder: None }
    }

    /// Another database of the same kind.
    pub(crate) fn fresh(&self) -> Self {
        match &self.place {
            Place::Memory(_, options) => Self::in_memory(options.clone()),
            Place::Sqlite(_) => Self::sqlite(),
            Place::Postgres(_) => Self::postgres(),
            Place::Mysql(_) => Self::mysql(),
        }
    }

    /// A handle that may write, as a command opens one.
    pub(crate) fn open(&self) -> Box<dyn Target> {
        self.handle(TargetAccess::Write)
    }

    /// A handle that only reads.
    pub(crate) fn read(&self) -> Box<dyn Target> {
        self.handle(TargetAccess::Read)
    }

    fn handle(&self, access: TargetAccess) -> Box<dyn Target> {
        match &self.place {
            Place::Memory(memory, _) => Box::new(memory.another_handle()),
            Place::Sqlite(_) | Place::Postgres(_) | Place::Mysql(_) => open(&self.location(), access).unwrap(),
        }
    }

    /// The location of a database that speaks SQL.
    pub(crate) fn location(&self) -> Location {
        match &self.place {
            Place::Sqlite(path) => Location::Sqlite(path.clone()),
            Place::Postgres(database) | Place::Mysql(database) => {
                Location::parse(&database.url(), Path::new("/")).unwrap()
            }
            Place::Memory(..) => panic!("not a database that speaks SQL"),
        }
    }

    /// Runs statements as another program would.
    pub(crate) fn sql(&self, statements: &str) {
        match &self.place {
            Place::Sqlite(path) => rusqlite::Connection::open(path).unwrap().execute_batch(statements).unwrap(),
            Place::Postgres(database) | Place::Mysql(database) => drop(database.run_sql(statements).unwrap()),
            Place::Memory(..) => panic!("not a database that speaks SQL"),
        }
    }

    /// The statement by which another program stores what is no datetime of ours in `first (id, v)`.
    pub(crate) fn store_no_datetime(&self) -> &'static str {
        match &self.place {
            Place::Sqlite(_) => "INSERT INTO first (id, v) VALUES (1, 'soon')",
            Place::Postgres(_) => "INSERT INTO first (id, v) VALUES (1, 'infinity')",
            Place::Mysql(_) => "SET sql_mode = ''; INSERT INTO first (id, v) VALUES (1, '0000-00-00 00:00:00')",
            Place::Memory(..) => panic!("not a database that speaks SQL"),
        }
    }

    /// The name of the database's dialect: `sqlite`, `postgres` or `mysql`.
    pub(crate) fn dialect(&self) -> &'static str {
        match &self.place {
            Place::Sqlite(_) => "sqlite",
            Place::Postgres(_) => "postgres",
            Place::Mysql(_) => "mysql",
            Place::Memory(..) => panic!("not a database that speaks SQL"),
        }
    }

    /// What stands before the names of Landfall's own tables.
    pub(crate) fn own(&self) -> &'static str {
        match &self.place {
            Place::Sqlite(_) | Place::Mysql(_) => "landfall_",
            Place::Postgres(_) => "landfall.",
            Place::Memory(..) => panic!("not a database that speaks SQL"),
        }
    }
}
