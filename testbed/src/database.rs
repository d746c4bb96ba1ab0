//! A database on a private server, and who may use it.

use std::{env, fmt::Write as _, path::PathBuf, process::Command};

use anyhow::Result;

use crate::program;

/// Seconds that a client program may take to connect.
const CONNECT_SECONDS: &str = "10";

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerKind {
    Postgres,
    Mariadb,
}

/// A database and a role that may log in to it.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    pub(crate) kind: ServerKind,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl TestDatabase {
    /// The server's host, 127.0.0.1.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The role that logs in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The same through another port, such as that of a proxy.
    #[must_use]
    pub fn through_port(&self, port: u16) -> Self {
        Self { port, ..self.clone() }
    }

    /// The same through another name of the host, such as `localhost`.
    #[must_use]
    pub fn through_host(&self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self.clone() }
    }

    /// The same with another role.
    #[must_use]
    pub fn as_user(&self, user: &str, password: &str) -> Self {
        Self { user: user.to_owned(), password: password.to_owned(), ..self.clone() }
    }

    /// `postgres://user:password@host:port/name` or `mysql://…`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.kind {
            ServerKind::Postgres => "postgres",
            ServerKind::Mariadb => "mysql",
        };
        let [user, password, name] = [&self.user, &self.password, &self.name].map(|part| percent_encoded(part));
        format!("{scheme}://{user}:{password}@{}:{}/{name}", self.host, self.port)
    }

    /// Runs SQL with the server's own client program, and gives what it prints: a line for each row, without a head. Cells
    /// are parted by `|` (PostgreSQL) or a tab (MariaDB). The first statement that fails is an error.
    pub fn run_sql(&self, sql: &str) -> Result<String> {
        program::run_program(&mut self.client_command()?, sql)
    }

    /// The client program (`psql_command`, `mariadb_command`), about to read commands from its standard input. None of the user's own
    /// configuration is read.
    pub fn client_command(&self) -> Result<Command> {
        match self.kind {
            ServerKind::Postgres => self.psql_command(),
            ServerKind::Mariadb => self.mariadb_command(),
        }
    }

    /// `pg_dump` of this database.
    pub fn dump_command(&self) -> Result<Command> {
        Ok(self.with_credentials(without_variables(program::find("pg_dump", "postgresql-client")?)))
    }

    fn psql_command(&self) -> Result<Command> {
        let mut command = without_variables(program::find("psql", "postgresql-client")?);
        command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        Ok(self.with_credentials(command))
    }

    /// A program of PostgreSQL's, with what lets it in.
    fn with_credentials(&self, mut command: Command) -> Command {
        command.args(["--host", &self.host, "--port", &self.port.to_string()]);
        command.args(["--username", &self.user, "--no-password", "--dbname", &self.name]);
        command.env("PGPASSWORD", &self.password).env("PGCONNECT_TIMEOUT", CONNECT_SECONDS);
        command
    }

    fn mariadb_command(&self) -> Result<Command> {
        let mut command = without_variables(program::find("mariadb", "mariadb-client")?);
        command.args(["--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]);
        command.args(["--protocol=TCP", "--host", &self.host, "--port", &self.port.to_string()]);
        command.args(["--connect-timeout", CONNECT_SECONDS, "--local-infile=1"]);
        command.args(["--user", &self.user, "--database", &self.name]).env("MYSQL_PWD", &self.password);
        Ok(command)
    }
}

/// A program with none of the variables that the clients take settings from.
fn without_variables(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    let names = env::vars_os().map(|(name, _)| name);
    for name in
        names.filter(|name| name.to_str().is_some_and(|name| ["PG", "MYSQL"].iter().any(|p| name.starts_with(p))))
    {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8");
    command
}

/// As the parts of a URL are written: all but letters, digits and `-._~` as `%` and two digits.
fn percent_encoded(part: &str) -> String {
    part.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            // Writing to a String cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{ServerKind, TestDatabase};

    #[test]
    fn a_url_holds_any_name_and_password() {
        let database = TestDatabase {
            kind: ServerKind::Mariadb,
            host: "127.0.0.1".into(),
            port: 3306,
            name: "ö/1".into(),
            user: "a b".into(),
            password: "p:@?#%".into(),
        };
        assert_eq!(database.url(), "mysql://a%20b:p%3A%40%3F%23%25@127.0.0.1:3306/%C3%B6%2F1");
    }
}
