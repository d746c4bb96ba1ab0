//! What a server says of itself, as far as it matters here.

use mysql::{Conn, prelude::Queryable as _};

/// Which of the two families a server is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerFamily {
    /// MySQL, or one that says of itself that it is like MySQL.
    Mysql,
    /// MariaDB.
    Mariadb,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MysqlServer {
    pub(super) flavour: ServerFamily,
    /// Major and minor version.
    pub(super) version: (u32, u32),
    /// The version in the server's own words.
    pub(super) named: String,
    /// Whether names of tables that differ only in case are one name (`lower_case_table_names`).
    pub(super) folds_table_names: bool,
    /// Whether a client may send files (`local_infile`).
    pub(super) local_infile: bool,
    /// The most bytes of one statement.
    pub(super) max_packet: usize,
    /// How far apart two numbers are that the server gives one after the other (`auto_increment_increment`).
    pub(super) number_step: i64,
}

impl MysqlServer {
    /// Asks the server behind `conn`.
    pub(super) fn ask_server(conn: &mut Conn) -> mysql::Result<Self> {
        let asked = "SELECT @@version, @@lower_case_table_names, @@local_infile, @@max_allowed_packet,
            @@auto_increment_increment";
        let answer: Option<(String, u8, bool, usize, i64)> = conn.query_first(asked)?;
        let (named, lower_case, local_infile, max_packet, number_step) = answer.unwrap_or_default();
        let flavour = if named.contains("MariaDB") { ServerFamily::Mariadb } else { ServerFamily::Mysql };
        let (version, folds_table_names) = (parse_version(&named), lower_case != 0);
        Ok(Self { flavour, version, named, folds_table_names, local_infile, max_packet, number_step })
    }

    /// Refuses a server that lacks what Landfall needs: checked constraints, collations that do not pad, and
    /// transactions that the standard's words name.
    pub(super) fn refuse_old(&self) -> Result<(), String> {
        let (name, oldest) = match self.flavour {
            ServerFamily::Mysql => ("MySQL", (8, 0)),
            ServerFamily::Mariadb => ("MariaDB", (10, 6)),
        };
        if self.version >= oldest {
            return Ok(());
        }
        let (major, minor) = oldest;
        Err(format!("the server is {name} {}, and Landfall needs {name} {major}.{minor} or newer", self.named))
    }

    /// The collation of text: by bytes, where a blank at the end makes another key.
    pub(super) const fn collation(&self) -> &'static str {
        match self.flavour {
            ServerFamily::Mysql => "utf8mb4_0900_bin",
            ServerFamily::Mariadb => "utf8mb4_nopad_bin",
        }
    }
}

/// Major and minor version at the head of `text`; zeros where there are none. Behind some proxies, MariaDB puts `5.5.5-`
/// before its version.
fn parse_version(text: &str) -> (u32, u32) {
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text.split(|char: char| !char.is_ascii_digit()).map_while(|digits| digits.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(named: &str, flavour: ServerFamily) -> MysqlServer {
        MysqlServer {
            flavour,
            version: parse_version(named),
            named: named.into(),
            folds_table_names: false,
            local_infile: true,
            max_packet: 1 << 24,
            number_step: 1,
        }
    }

    #[test]
    fn versions() {
        assert_eq!(parse_version("10.11.19-MariaDB-0+deb12u1"), (10, 11));
        assert_eq!(parse_version("5.5.5-10.6.4-MariaDB"), (10, 6));
        assert_eq!(parse_version("8.4.0"), (8, 4));
        assert_eq!(parse_version("odd"), (0, 0));
    }

    #[test]
    fn old_servers_are_refused() {
        assert_eq!(server("8.0.36", ServerFamily::Mysql).refuse_old(), Ok(()));
        assert_eq!(server("10.6.1-MariaDB", ServerFamily::Mariadb).refuse_old(), Ok(()));
        assert_eq!(server("11.4.2-MariaDB", ServerFamily::Mariadb).refuse_old(), Ok(()));
        let said = server("10.5.9-MariaDB", ServerFamily::Mariadb).refuse_old().expect_err("too old");
        assert!(said.contains("MariaDB 10.5.9-MariaDB") && said.contains("MariaDB 10.6 or newer"), "{said}");
        assert!(server("5.7.44-log", ServerFamily::Mysql).refuse_old().is_err());
    }
}
