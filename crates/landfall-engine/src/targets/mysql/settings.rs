//! How to reach a MySQL or MariaDB database: a URL becomes settings, and prints without its password.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::super::url::{SslMode, TargetUrl, UrlSecret, parse_port, parse_seconds, unknown_parameter};

/// The schemes of a URL; both mean the same, since the server itself says what it is.
const SCHEMES: [&str; 2] = ["mysql://", "mariadb://"];

const PORT: u16 = 3306;
/// How long a connection may take to come about where the URL does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may be silent where the URL does not say. No statement of a load takes as long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// What is known as a parameter of a URL: the names that PostgreSQL's URLs have, and those of MySQL's own programs.
const PARAMETERS: [&str; 8] =
    ["sslmode", "ssl-mode", "sslrootcert", "ssl-ca", "connect_timeout", "answer_timeout", "password_file", "socket"];

/// How to reach a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MysqlSettings {
    pub(super) user: String,
    password: Option<UrlSecret>,
    password_file: Option<PathBuf>,
    /// A name or an address.
    pub(super) host: String,
    pub(super) port: u16,
    /// The file of a socket, which goes before host and port.
    pub(super) socket: Option<PathBuf>,
    pub(super) database: String,
    pub(super) ssl_mode: SslMode,
    pub(super) ssl_root_cert: Option<PathBuf>,
    /// The longest time that a connection may take to come about.
    pub(super) connect_timeout: Duration,
    /// The longest time that the server may be silent.
    pub(super) answer_timeout: Duration,
    /// The URL without its password.
    shown: String,
}

impl MysqlSettings {
    /// Reads a URL; relative paths in it are taken from `base`.
    ///
    /// # Errors
    /// What is wrong with the URL, as a sentence without its password.
    pub(crate) fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let url = TargetUrl::parse(text, &SCHEMES)?;
        let scheme = SCHEMES.into_iter().find(|scheme| text.starts_with(scheme)).unwrap_or(SCHEMES[0]);
        let mut settings = Self {
            shown: url.masked_text(scheme),
            password: url.password.filter(|UrlSecret(text)| !text.is_empty()),
            password_file: None,
            user: if url.user.is_empty() { env::var("USER").unwrap_or_default() } else { url.user },
            host: if url.host.is_empty() { "localhost".into() } else { url.host },
            port: parse_port(&url.port, PORT)?,
            socket: None,
            database: url.database,
            ssl_mode: SslMode::default(),
            ssl_root_cert: None,
            connect_timeout: CONNECT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
        };
        for (name, value) in url.parameters {
            settings.set(&name, &value, base)?;
        }
        settings.check_settings()
    }

    fn set(&mut self, name: &str, value: &str, base: &Path) -> Result<(), String> {
        match name {
            "sslmode" | "ssl-mode" => self.ssl_mode = parse_ssl_mode(name, value)?,
            // `system`, as for PostgreSQL: the certificates of the machine.
            "sslrootcert" | "ssl-ca" => self.ssl_root_cert = (value != "system").then(|| base.join(value)),
            "connect_timeout" => self.connect_timeout = parse_seconds(name, value)?,
            "answer_timeout" => self.answer_timeout = parse_seconds(name, value)?,
            "password_file" => self.password_file = Some(base.join(value)),
            "socket" => self.socket = Some(base.join(value)),
            unknown => return Err(unknown_parameter(unknown, &PARAMETERS)),
        }
        Ok(())
    }

    fn check_settings(self) -> Result<Self, String> {
        if self.user.is_empty() {
            return Err("it names no user; write mysql://USER@HOST/DATABASE".into());
        }
        if self.database.is_empty() {
            return Err("it names no database; write mysql://USER@HOST/DATABASE".into());
        }
        Ok(self)
    }

    /// The password, where there is one: that of the URL, else of the file that the URL names, else `MYSQL_PWD`.
    ///
    /// # Errors
    /// A `password_file` that cannot be read.
    pub(super) fn find_password(&self) -> Result<Option<UrlSecret>, String> {
        // Read when it is needed, and not kept: a password that was changed holds with the next connection.
        match (&self.password, &self.password_file) {
            (Some(password), _) => Ok(Some(password.clone())),
            (None, Some(path)) => UrlSecret::from_file(path).map(Some),
            (None, None) => Ok(env::var("MYSQL_PWD").ok().filter(|text| !text.is_empty()).map(UrlSecret)),
        }
    }
}

impl fmt::Display for MysqlSettings {
    /// The URL, without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The mode of `name=text`, in libpq's words or in those of MySQL's own programs (`VERIFY_IDENTITY`).
fn parse_ssl_mode(name: &str, text: &str) -> Result<SslMode, String> {
    const MYSQL: [(&str, SslMode); 5] = [
        ("DISABLED", SslMode::Disable),
        ("PREFERRED", SslMode::Prefer),
        ("REQUIRED", SslMode::Require),
        ("VERIFY_CA", SslMode::VerifyCa),
        ("VERIFY_IDENTITY", SslMode::VerifyFull),
    ];
    match MYSQL.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
        Some(&(_, mode)) => Ok(mode),
        None => SslMode::parse(text).map_err(|fault| fault.replacen("sslmode", name, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> MysqlSettings {
        MysqlSettings::parse(text, Path::new("/project")).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn all_parameters() {
        let settings = parsed(
            "mariadb://ann@db:3307/staff?sslmode=verify-full&sslrootcert=ca.pem&connect_timeout=3&answer_timeout=9\
             &password_file=secret.txt&socket=/run/mysqld/mysqld.sock",
        );
        assert_eq!((settings.user.as_str(), settings.host.as_str(), settings.port), ("ann", "db", 3307));
        assert_eq!(settings.database, "staff");
        assert_eq!(settings.ssl_mode, SslMode::VerifyFull);
        assert_eq!(settings.ssl_root_cert.as_deref(), Some(Path::new("/project/ca.pem")));
        assert_eq!((settings.connect_timeout.as_secs(), settings.answer_timeout.as_secs()), (3, 9));
        assert_eq!(settings.password_file.as_deref(), Some(Path::new("/project/secret.txt")));
        assert_eq!(settings.socket.as_deref(), Some(Path::new("/run/mysqld/mysqld.sock")));
    }

    #[test]
    fn words_of_mysqls_own_programs() {
        let settings = parsed("mysql://ann@db/staff?ssl-mode=VERIFY_IDENTITY&ssl-ca=/etc/ca.pem");
        assert_eq!(settings.ssl_mode, SslMode::VerifyFull);
        assert_eq!(settings.ssl_root_cert.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(parsed("mysql://ann@db/staff?ssl-mode=required").ssl_mode, SslMode::Require);
        assert_eq!(parsed("mysql://ann@db/staff?ssl-mode=VERIFY_CA").ssl_mode, SslMode::VerifyCa);
    }

    #[test]
    fn what_is_left_out() {
        let settings = parsed("mysql://ann@/staff");
        assert_eq!((settings.host.as_str(), settings.port), ("localhost", 3306));
        assert_eq!((settings.ssl_mode, settings.socket), (SslMode::Prefer, None));
    }

    #[test]
    fn a_password_is_never_printed() {
        for text in ["mysql://ann:s3cret@db:3307/staff", "mysql://ann:s3cret@[::1]/staff?sslmode=require"] {
            let settings = parsed(text);
            let printed = format!("{settings} {settings:?}");
            assert!(!printed.contains("s3cret"), "{printed}");
            assert_eq!(settings.find_password(), Ok(Some(UrlSecret("s3cret".into()))));
        }
    }

    #[test]
    fn what_is_printed_is_read_as_the_same() {
        for text in [
            "mysql://ann@db:3307/staff?sslmode=require&socket=/run/mysqld/mysqld.sock",
            "mariadb://ann%40x@[2001:db8::1]:3307/h%C3%A4fen",
        ] {
            assert_eq!(parsed(text).to_string(), text);
        }
    }

    #[test]
    fn the_url_comes_before_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("pw"), "from file\n").expect("writes");
        let password = |text: &str| MysqlSettings::parse(text, folder.path()).expect("settings").find_password();
        assert_eq!(password("mysql://a:url@h/b?password_file=pw"), Ok(Some(UrlSecret("url".into()))));
        assert_eq!(password("mysql://a@h/b?password_file=pw"), Ok(Some(UrlSecret("from file".into()))));
        assert!(password("mysql://a@h/b?password_file=other").is_err());
    }

    #[test]
    fn faults_say_what_to_do() {
        for (text, said) in [
            ("mysql://a@h/b?sslmod=require", "did you mean sslmode?"),
            ("mysql://a@h/b?ssl-mode=verify", "ssl-mode=verify is not one of"),
            ("mysql://a@h/b?zebra=1", "known are sslmode"),
            ("mysql://a@h:0/b", "from 1 to 65535"),
            ("mysql://a@h/b?answer_timeout=0", "seconds from 1"),
            ("mysql://a@h", "names no database"),
            ("postgres://a@h/b", "does not begin with mysql:// or mariadb://"),
        ] {
            let fault = MysqlSettings::parse(text, Path::new("/")).err().unwrap_or_else(|| panic!("{text} passed"));
            assert!(fault.contains(said), "{text}: {fault}");
        }
    }
}
