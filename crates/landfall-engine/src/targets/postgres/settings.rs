//! How to reach a PostgreSQL database: a URL becomes settings, and prints without its password.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    super::url::{SslMode, TargetUrl, UrlSecret, parse_port, parse_seconds, unknown_parameter},
    password::{LoginKey, from_passfile},
};

/// How long a connection may take to come about where the URL does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may take for an answer, or to take bytes in, where the URL does not say.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a statement may wait for a lock of another program, where the URL does not say.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const PORT: u16 = 5432;
/// Where Debian and its kin keep the server's socket.
const SOCKETS: &str = "/var/run/postgresql";

/// What is known as a parameter of a URL. `schema`, `password_file`, `answer_timeout` and `lock_timeout` are Landfall's own,
/// the others are libpq's.
const PARAMETERS: [&str; 14] = [
    "sslmode",
    "sslrootcert",
    "schema",
    "connect_timeout",
    "answer_timeout",
    "lock_timeout",
    "application_name",
    "passfile",
    "password_file",
    "host",
    "port",
    "user",
    "password",
    "dbname",
];

/// How to reach a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    pub(super) user: String,
    password: Option<UrlSecret>,
    /// A name, an address, or the folder of a socket, which begins with `/`.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) ssl_mode: SslMode,
    pub(super) ssl_root_cert: Option<PathBuf>,
    /// The schema of the package's tables.
    pub(super) schema: String,
    pub(super) connect_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) lock_timeout: Duration,
    pub(super) application_name: String,
    passfile: Option<PathBuf>,
    password_file: Option<PathBuf>,
    /// The URL without its password.
    shown: String,
}

impl PostgresSettings {
    /// Reads a URL; relative paths in it are taken from `base`.
    ///
    /// # Errors
    /// What is wrong with the URL, as a sentence without its password.
    pub(crate) fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let url = TargetUrl::parse(text, &SCHEMES)?;
        // Made before the password is taken out of the URL, and kept: it is the only form that is ever printed.
        let shown = url.masked_text(SCHEMES[0]);
        // As libpq does. `USER` stands for the name of the system's user.
        let user = first_nonempty([url.user, env_text("PGUSER"), env_text("USER")]);
        let mut settings = Self {
            // An empty password is none, so that the other places are still looked at.
            password: url.password.filter(|UrlSecret(password)| !password.is_empty()),
            host: url.host,
            port: parse_port(&url.port, PORT)?,
            database: url.database,
            user,
            ssl_mode: SslMode::default(),
            ssl_root_cert: None,
            schema: "public".into(),
            connect_timeout: CONNECT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
            lock_timeout: LOCK_TIMEOUT,
            application_name: "landfall".into(),
            passfile: None,
            password_file: None,
            shown,
        };
        for (name, value) in url.parameters {
            settings.set(&name, value, base)?;
        }
        settings.complete_settings()
    }

    fn set(&mut self, name: &str, value: String, base: &Path) -> Result<(), String> {
        match name {
            "sslmode" => self.ssl_mode = SslMode::parse(&value)?,
            // As in libpq since version 16, `system` means the authorities of the machine.
            "sslrootcert" => self.ssl_root_cert = (value != "system").then(|| base.join(value)),
            "schema" => self.schema = value,
            "connect_timeout" => self.connect_timeout = parse_seconds(name, &value)?,
            "answer_timeout" => self.answer_timeout = parse_seconds(name, &value)?,
            "lock_timeout" => self.lock_timeout = parse_seconds(name, &value)?,
            "application_name" => self.application_name = value,
            "passfile" => self.passfile = Some(base.join(value)),
            "password_file" => self.password_file = Some(base.join(value)),
            "host" => self.host = value,
            "port" => self.port = parse_port(&value, PORT)?,
            "user" => self.user = value,
            "password" => self.password = Some(UrlSecret(value)),
            "dbname" => self.database = value,
            unknown => return Err(unknown_parameter(unknown, &PARAMETERS)),
        }
        Ok(())
    }

    /// Fills in what the URL leaves to others, and checks the whole.
    fn complete_settings(mut self) -> Result<Self, String> {
        if self.host.is_empty() {
            self.host = if Path::new(SOCKETS).is_dir() { SOCKETS.into() } else { "localhost".into() };
        }
        if self.user.is_empty() {
            return Err("it names no user; write postgres://USER@HOST/DATABASE".into());
        }
        if self.database.is_empty() {
            self.database.clone_from(&self.user);
        }
        if self.schema.is_empty() {
            return Err("its parameter schema is empty".into());
        }
        // The protocol ends each of them with a NUL: what follows would be read as another parameter.
        let texts = [&self.user, &self.host, &self.database, &self.schema, &self.application_name];
        if texts.iter().any(|text| text.contains('\0')) {
            return Err("it has a NUL".into());
        }
        Ok(self)
    }

    /// The password, where there is one. In libpq's order: the URL, the file that the URL names, `PGPASSWORD`, the
    /// password file.
    ///
    /// # Errors
    /// A `password_file` that cannot be read.
    pub(super) fn find_password(&self) -> Result<Option<UrlSecret>, String> {
        if let Some(password) = &self.password {
            return Ok(Some(password.clone()));
        }
        if let Some(path) = &self.password_file {
            // It was asked for by name: if it cannot be read, no other password is tried in its stead.
            return UrlSecret::from_file(path).map(Some);
        }
        let from_environment = env_text("PGPASSWORD");
        if !from_environment.is_empty() {
            return Ok(Some(UrlSecret(from_environment)));
        }
        let login = LoginKey { host: &self.host, port: self.port, database: &self.database, user: &self.user };
        Ok(from_passfile(self.passfile.as_deref(), login))
    }
}

impl fmt::Display for PostgresSettings {
    /// The URL, without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn first_nonempty(texts: [String; 3]) -> String {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

fn env_text(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> PostgresSettings {
        PostgresSettings::parse(text, Path::new("/project")).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    fn fault(text: &str) -> String {
        PostgresSettings::parse(text, Path::new("/project")).err().unwrap_or_else(|| panic!("{text} passed"))
    }

    #[test]
    fn all_parameters() {
        let settings = parsed(
            "postgres://ann@db:6432/staff?sslmode=verify-full&sslrootcert=ca.pem&schema=My%20Schema&connect_timeout=3\
             &answer_timeout=5&lock_timeout=2&application_name=night&passfile=/etc/pgpass&password_file=secret.txt",
        );
        assert_eq!((settings.user.as_str(), settings.host.as_str(), settings.port), ("ann", "db", 6432));
        assert_eq!((settings.database.as_str(), settings.schema.as_str()), ("staff", "My Schema"));
        assert_eq!(settings.ssl_mode, SslMode::VerifyFull);
        assert_eq!(settings.ssl_root_cert.as_deref(), Some(Path::new("/project/ca.pem")));
        let timeouts = [settings.connect_timeout, settings.answer_timeout, settings.lock_timeout];
        assert_eq!(timeouts, [3, 5, 2].map(Duration::from_secs));
        assert_eq!(settings.application_name, "night");
        assert_eq!(settings.passfile.as_deref(), Some(Path::new("/etc/pgpass")));
        assert_eq!(settings.password_file.as_deref(), Some(Path::new("/project/secret.txt")));
    }

    #[test]
    fn defaults_are_those_of_libpq() {
        let settings = parsed("postgres://ann@db");
        assert_eq!((settings.port, settings.database.as_str(), settings.schema.as_str()), (5432, "ann", "public"));
        assert_eq!(settings.ssl_mode, SslMode::Prefer);
    }

    #[test]
    fn places_as_parameters() {
        let settings = parsed("postgres:///?host=/tmp/sockets&port=7000&user=ann&dbname=staff&password=pw");
        assert_eq!((settings.host.as_str(), settings.port), ("/tmp/sockets", 7000));
        assert_eq!((settings.user.as_str(), settings.database.as_str()), ("ann", "staff"));
        assert_eq!(settings.find_password(), Ok(Some(UrlSecret("pw".into()))));
    }

    #[test]
    fn a_password_is_never_printed() {
        for text in [
            "postgres://ann:s3cret@db:6432/staff?schema=x",
            "postgres://ann@db/staff?password=s3cret&schema=x",
            "postgres://ann:s3cret@[::1]/staff",
        ] {
            let settings = parsed(text);
            let printed = format!("{settings} {settings:?}");
            assert!(!printed.contains("s3cret"), "{printed}");
            assert_eq!(settings.find_password(), Ok(Some(UrlSecret("s3cret".into()))));
        }
    }

    #[test]
    fn what_is_printed_is_read_as_the_same() {
        for text in [
            "postgres://ann@db:6432/staff?schema=My%20Schema&sslmode=require",
            "postgres://ann%40x@[2001:db8::1]:5433/h%C3%A4fen",
            "postgres://ann@%2Frun%2Fpostgresql/staff",
        ] {
            assert_eq!(parsed(text).to_string(), text);
            assert_eq!(parsed(&parsed(text).to_string()), parsed(text));
        }
    }

    #[test]
    fn the_url_comes_before_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("pw"), "from file\n").expect("writes");
        let password = |text: &str| PostgresSettings::parse(text, folder.path()).expect("settings").find_password();
        assert_eq!(password("postgres://a:url@h/?password_file=pw"), Ok(Some(UrlSecret("url".into()))));
        assert_eq!(password("postgres://a@h/?password_file=pw"), Ok(Some(UrlSecret("from file".into()))));
        assert!(password("postgres://a@h/?password_file=other").is_err());
    }

    #[test]
    fn faults_say_what_to_do() {
        for (text, said) in [
            ("postgres://a@h/b?sslmod=require", "did you mean sslmode?"),
            ("postgres://a@h/b?sslmode=verify", "verify-ca and verify-full"),
            ("postgres://a@h/b?zebra=1", "known are sslmode"),
            ("postgres://a@h:0/b", "from 1 to 65535"),
            ("postgres://a@h:99999/b", "from 1 to 65535"),
            ("postgres://a@h/b?connect_timeout=0", "seconds from 1"),
            ("postgres://a@h/b?schema=", "schema is empty"),
        ] {
            assert!(fault(text).contains(said), "{text}: {}", fault(text));
        }
    }
}
