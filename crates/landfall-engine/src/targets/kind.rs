//! The kinds of databases.

use super::Location;

/// Which database a target is: what of a project differs between databases is chosen by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// SQLite, embedded.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// Memory, which runs no SQL: nothing of a project is meant for it alone.
    Memory,
}

impl TargetKind {
    /// The kinds that a project may have an SQL text of its own for.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Mysql];

    /// The name by which a project's files call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Memory => "memory",
        }
    }
}

impl std::fmt::Display for TargetKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Location {
    /// Which database it is.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Memory => TargetKind::Memory,
            Self::Sqlite(_) => TargetKind::Sqlite,
            Self::Postgres(_) => TargetKind::Postgres,
            Self::Mysql(_) => TargetKind::Mysql,
        }
    }
}
