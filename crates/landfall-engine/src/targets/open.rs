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
    Postgres(Box<postgres::PostgresSettings>),
    /// `memory:`, for trials: a database that is empty when it is opened, and gone when the program ends.
    Memory,
    /// `mysql://USER@HOST/DATABASE` or `mariadb://…`, a server.
    Mysql(Box<mysql::MysqlSettings>),
}

impl Location {
    /// Reads a location; relative paths are taken from `base`.
    ///
    /// # Errors
    /// A scheme that Landfall does not know, or a URL that says something else than it should.
    pub fn parse(text: &str, base: &Path) -> Result<Self> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => {
                // `sqlite://data.db` is how the URLs of other programs look.
                Ok(Self::Sqlite(base.join(path.strip_prefix("//").unwrap_or(path))))
            }
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("postgres" | "postgresql", _)) => postgres::PostgresSettings::parse(text, base)
                .map(|settings| Self::Postgres(Box::new(settings)))
                .map_err(|fault| invalid_url_error(text, fault)),
            Some(("mysql" | "mariadb", _)) => mysql::MysqlSettings::parse(text, base)
                .map(|settings| Self::Mysql(Box::new(settings)))
                .map_err(|fault| invalid_url_error(text, fault)),
            _ => Err(Error::Usage(format!(
                "{} is not one that Landfall knows; write sqlite:landfall.db (a file in the project's folder), \
                 postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, or memory: to try things out",
                mask_target(text)
            ))),
        }
    }
}

/// What to do about a password with marks of its own.
const ENCODE: &str =
    "in a user or password, write @ as %40, ? as %3F, & as %26, # as %23, / as %2F, % as %25 and a blank as %20";

/// The error for a URL with this `fault`. What follows a `?` may be the rest of a password: then no word of the fault is told.
fn invalid_url_error(text: &str, fault: String) -> Error {
    let (_, query) = text.split_once('?').unwrap_or((text, ""));
    let hides = query.contains('@') || query.to_ascii_lowercase().contains("password=");
    let fault = if hides { format!("its parameters cannot be read; {ENCODE}") } else { fault };
    Error::Usage(format!("{} cannot be used: {fault}", mask_target(text)))
}

/// A target that cannot be read, without what may be a secret in it: of a URL, the scheme and what stands between its last `@` and
/// its parameters; of anything else nothing, unless it is a plain name.
fn mask_target(text: &str) -> String {
    let (place, query) = text.split_once('?').unwrap_or((text, ""));
    // An @ further on ends the login, or is part of a password: what stands before it may be one too.
    let place = if query.contains('@') { place.split_once('@').map_or(place, |(login, _)| login) } else { place };
    match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) if is_plain_name(scheme) => format!("target \"{scheme}://…@{place}\""),
        (Some((scheme, _)), None) if is_plain_name(scheme) => format!("target \"{scheme}://…\""),
        _ if is_plain_name(text) => format!("target {text:?}"),
        _ => "the target".into(),
    }
}

/// Whether `text` may be a name of a file or a scheme, and has none of the marks by which logins are written.
fn is_plain_name(text: &str) -> bool {
    !text.contains(['@', ':', '=', '?', '&', '#']) && !text.contains("//")
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
pub enum TargetAccess {
    /// To write; a database that does not exist is made.
    Write,
    /// Only to read; a database that does not exist is an empty one, and is not made.
    Read,
}

/// Opens the target at `location`.
///
/// # Errors
/// A database that cannot be opened, is locked, or was made by a newer version.
pub fn open(location: &Location, access: TargetAccess) -> Result<Box<dyn Target>> {
    match location {
        Location::Sqlite(path) => Ok(Box::new(Sqlite::open(path, access)?)),
        Location::Postgres(settings) => Ok(Box::new(Postgres::open(settings, access)?)),
        Location::Memory => Ok(Box::new(Memory::default())),
        Location::Mysql(settings) => Ok(Box::new(Mysql::open((**settings).clone(), access)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_told_of_a_target_that_cannot_be_read() {
        for text in [
            "postgres//lf:s3cret@127.0.0.1:5432/wh",
            "postgres:/lf:s3cret@127.0.0.1:5432/wh",
            "postgres:lf:s3cret@127.0.0.1",
            "lf:s3cret@127.0.0.1",
            "host=127.0.0.1 password=s3cret user=lf",
            "postgres://lf@127.0.0.1:99999/wh?password=s3cret",
            "postgres://lf:s3cret",
            "postgres://lf@127.0.0.1/wh?password=s3cret&bogus=1",
            "postgres://lf@127.0.0.1/wh?Password=s3cret",
            "mysql://lf@127.0.0.1/wh?password=s3cret&bogus=1",
            "mysql://lf:s3cret",
            "oracle://lf:s3cret@host/wh",
            "postgres://lf:p@s3cret?x@127.0.0.1:5432/wh",
            "postgres://lf:p@s3cret?s3cret=1@127.0.0.1:5432/wh",
            "postgres://lf:p?s3cret@127.0.0.1/wh",
            "postgres://lf:s3cret?#@127.0.0.1/wh",
            "postgres://lf:p#s3@cret/s3cret?x=%zz@127.0.0.1/wh",
            "postgres://lf@127.0.0.1/wh?password=p@s3cret&bogus=1",
            "postgres://lf@127.0.0.1/wh?password=p&s3cret=1",
            "postgres://lf@127.0.0.1/wh?password=p&s3cret",
            "postgres://lf:s3cret %@127.0.0.1/wh",
            "postgres://lf:s3'c\"ret s3cret%@127.0.0.1/wh",
            "mysql://lf:p@s3cret?x@127.0.0.1/wh",
            "mysql://lf:p@s3cret?s3cret=1@127.0.0.1:5432/wh",
            "mariadb://lf:p?s3cret=1@127.0.0.1/wh",
            "oracle://lf:p@s3cret?x@host/wh",
            "sqlserver:lf:p@s3cret?x@host/wh",
        ] {
            let Err(error) = Location::parse(text, Path::new("/")) else { panic!("{text} was taken") };
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        let plain = Location::parse("landfall.db", Path::new("/")).map_err(|error| error.to_string());
        assert!(plain.is_err_and(|error| error.contains("target \"landfall.db\" is not one")));
    }
}
