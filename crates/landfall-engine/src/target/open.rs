//! Locations of targets, and opening them.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{
    Memory, Target,
    mysql::{self, Mysql},
    postgres::{self, Postgres},
    sqlite::Sqlite,
};
use crate::error::{Error, Result};

/// Where a target is: a URL-like value that parses and prints the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `sqlite:PATH`, a file; a relative path is relative to the project's folder.
    Sqlite(PathBuf),
    /// `postgres://USER@HOST/DATABASE`, or `postgresql://…`, with the parameters of libpq and a few of Landfall's own.
    Postgres(Box<postgres::Settings>),
    /// `memory:`, for trials: a database that is empty when it is opened, and gone when the program ends.
    Memory,
    /// `mysql://USER@HOST/DATABASE` or `mariadb://…`, a server.
    Mysql(Box<mysql::Settings>),
}

impl Location {
    /// Reads a location; relative paths are taken from `base`.
    ///
    /// # Errors
    /// A scheme that Landfall does not know, or a URL that says something else than it should.
    pub fn parse(text: &str, base: &Path) -> Result<Self> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => {
                Ok(Self::Sqlite(base.join(path.strip_prefix("//").unwrap_or(path))))
            }
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("postgres" | "postgresql", _)) => postgres::Settings::parse(text, base)
                .map(|settings| Self::Postgres(Box::new(settings)))
                .map_err(|fault| Error::Usage(format!("target {:?} cannot be used: {fault}", mask(text)))),
            Some(("mysql" | "mariadb", _)) => mysql::Settings::parse(text, base)
                .map(|settings| Self::Mysql(Box::new(settings)))
                .map_err(|fault| Error::Usage(format!("target {:?} cannot be used: {fault}", mask(text)))),
            _ => Err(Error::Usage(format!(
                "target {:?} is not one that Landfall knows; write sqlite:landfall.db (a file in the project's folder), \
                 postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, or memory: to try things out",
                mask(text)
            ))),
        }
    }
}

/// `text` without what may be a secret: everything between `://` and the last `@`.
fn mask(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(start), Some(end)) if start < end => format!("{}…{}", &text[..start + 3], &text[end..]),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(settings) => settings.fmt(f),
            Self::Memory => f.write_str("memory:"),
            Self::Mysql(settings) => settings.fmt(f),
        }
    }
}

/// What is wanted of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To write; a database that does not exist is made.
    Write,
    /// Only to read; a database that does not exist is an empty one, and is not made.
    Read,
}

/// Opens the target at `location`.
///
/// # Errors
/// A database that cannot be opened, is locked, or was made by a newer version.
pub fn open(location: &Location, access: Access) -> Result<Box<dyn Target>> {
    match location {
        Location::Sqlite(path) => Ok(Box::new(Sqlite::open(path, access)?)),
        Location::Postgres(settings) => Ok(Box::new(Postgres::open(settings, access)?)),
        Location::Memory => Ok(Box::new(Memory::default())),
        Location::Mysql(settings) => Ok(Box::new(Mysql::open((**settings).clone(), access)?)),
    }
}
