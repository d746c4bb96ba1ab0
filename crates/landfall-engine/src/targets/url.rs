//! URLs of database servers, cut into their parts: `scheme://user:password@host:port/database?name=value`.
//!
//! The form is libpq's (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>), for all
//! databases alike. No message about a URL has a word of it that may be secret.

use std::{fmt, fs, path::Path, time::Duration};

use landfall_core::schema::document::find_nearest;

/// The parts of a URL, decoded; what it does not have is empty.
#[derive(PartialEq, Eq)]
pub(super) struct TargetUrl {
    pub(super) user: String,
    pub(super) password: Option<UrlSecret>,
    pub(super) host: String,
    pub(super) port: String,
    pub(super) database: String,
    /// Parameters in the order in which they stand.
    pub(super) parameters: Vec<(String, String)>,
}

impl TargetUrl {
    /// Cuts `text`, which begins with one of `schemes` (each with its `://`), or says what is wrong with it.
    pub(super) fn parse(text: &str, schemes: &[&str]) -> Result<Self, String> {
        let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or_else(|| format!("it does not begin with {}", schemes.join(" or ")))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // From the last `@`, since people do not encode those in passwords. So also a `/` before it is no path.
        let after = rest.rfind('@').map_or(0, |at| at + 1);
        let (authority, database) = match rest[after..].find('/') {
            Some(slash) => (&rest[..after + slash], &rest[after + slash + 1..]),
            None => (rest, ""),
        };
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        let (host, port) = split_host_and_port(place)?;
        Ok(Self {
            user: percent_decode(user, "user")?,
            password: password.map(|password| percent_decode(password, "password").map(UrlSecret)).transpose()?,
            host: percent_decode(host, "host")?,
            port: port.to_owned(),
            database: percent_decode(database, "database")?,
            parameters: parse_parameters(query)?,
        })
    }

    /// The URL as it may be shown: with the scheme `scheme`, and without a password.
    pub(super) fn masked_text(&self, scheme: &str) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            // A folder of sockets has slashes, which would begin the database.
            percent_encode(&self.host).replace('/', "%2F")
        };
        let user = if self.user.is_empty() { String::new() } else { format!("{}@", percent_encode(&self.user)) };
        let port = if self.port.is_empty() { String::new() } else { format!(":{}", percent_encode(&self.port)) };
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .filter(|(name, _)| name != "password")
            .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
            .collect();
        let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
        format!("{scheme}{user}{host}{port}/{}{query}", percent_encode(&self.database))
    }
}

/// Host and port of `host:port`, where the host may be an IPv6 address in brackets.
fn split_host_and_port(place: &str) -> Result<(&str, &str), String> {
    // libpq takes several and tries them in turn; rows must not go to whichever server answers.
    if place.contains(',') {
        return Err("it names several hosts; name one".into());
    }
    let (host, rest) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("the bracket of its IPv6 address is not closed")?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if rest.is_empty() => Ok((host, "")),
        None => Err("text follows the bracket of its IPv6 address; a port is written :1234".into()),
    }
}

fn parse_parameters(query: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or("a parameter has no value; write name=value")?;
            let name = percent_decode(name, "parameters")?;
            let value = percent_decode(value, &format!("parameter {name}"))?;
            Ok((name, value))
        })
        .collect()
}

/// `text` with each `%xx` replaced by the byte that it stands for.
fn percent_decode(text: &str, part: &str) -> Result<String, String> {
    let fault = || format!("its {part} has a % that two hexadecimal digits do not follow; a % itself is written %25");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(fault)?;
        let digit = |at: usize| char::from(digits[at]).to_digit(16).ok_or_else(fault);
        bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).unwrap_or_default());
        rest = after;
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("its {part} is not UTF-8"))?;
    // The protocols end texts with NUL, so that the server would read a shorter one.
    if text.contains('\0') { Err(format!("its {part} has a NUL")) } else { Ok(text) }
}

/// `text` as it is written in a URL: everything but unreserved characters is encoded.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct UrlSecret(pub(super) String);

impl UrlSecret {
    /// The password in the file at `path`: its first line.
    ///
    /// # Errors
    /// A file that cannot be read or is empty: a password that was asked for is not passed over.
    pub(super) fn from_file(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("the password file {} cannot be read: {error}", path.display()))?;
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(Self(line.to_owned())),
            _ => Err(format!("the password file {} is empty", path.display())),
        }
    }
}

impl fmt::Debug for UrlSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How much a connection is protected, as libpq has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SslMode {
    /// Without TLS.
    Disable,
    /// With TLS where the server offers it.
    #[default]
    Prefer,
    /// With TLS; the server's certificate is not checked, unless a file with its authority is given.
    Require,
    /// With TLS, and a certificate of a known authority.
    VerifyCa,
    /// With TLS, and a certificate of a known authority for the host's name.
    VerifyFull,
}

impl SslMode {
    const NAMES: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// Whether the server's certificate must come from a known authority, if a file with authorities is given or not.
    pub(super) const fn checks_authority(self, has_file: bool) -> bool {
        match self {
            Self::Disable | Self::Prefer => false,
            // libpq has it so for the sake of old files: `require` with a root file checks as `verify-ca` does.
            Self::Require => has_file,
            Self::VerifyCa | Self::VerifyFull => true,
        }
    }

    /// The mode written as `text`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found
            .map(|&(_, mode)| mode)
            .ok_or_else(|| format!("sslmode={text} is not one of disable, prefer, require, verify-ca and verify-full"))
    }
}

/// The port written as `text`; `usual` where there is none.
pub(super) fn parse_port(text: &str, usual: u16) -> Result<u16, String> {
    if text.is_empty() {
        return Ok(usual);
    }
    text.parse().ok().filter(|&port| port > 0).ok_or_else(|| "its port is not a number from 1 to 65535".into())
}

/// The seconds of the parameter `name`.
pub(super) fn parse_seconds(name: &str, text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        // In libpq 0 means to wait forever, which no unattended load should.
        Ok(0) | Err(_) => Err(format!("{name}={text} is not a number of seconds from 1")),
        Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
    }
}

/// Says that the parameter `name` is none of `known`.
pub(super) fn unknown_parameter(name: &str, known: &[&str]) -> String {
    match find_nearest(name, known.iter().copied()) {
        Some(near) => format!("its parameter {name} is not known; did you mean {near}?"),
        None => format!("its parameter {name} is not known; known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: [&str; 2] = ["db://", "database://"];

    fn parsed(text: &str) -> TargetUrl {
        TargetUrl::parse(text, &SCHEMES).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    fn password(url: &TargetUrl) -> Option<&str> {
        url.password.as_ref().map(|UrlSecret(text)| text.as_str())
    }

    #[test]
    fn all_parts() {
        let url = parsed("database://ann:s3%20cret%25@db.example.org:6432/h%C3%A4fen?sslmode=require&schema=a%26b");
        assert_eq!(url.user, "ann");
        assert_eq!(password(&url), Some("s3 cret%"));
        assert_eq!((url.host.as_str(), url.port.as_str()), ("db.example.org", "6432"));
        assert_eq!(url.database, "häfen");
        assert_eq!(url.parameters, [("sslmode".into(), "require".into()), ("schema".into(), "a&b".into())]);
    }

    #[test]
    fn parts_may_be_missing() {
        let url = parsed("db://");
        assert!(url.user.is_empty() && url.host.is_empty() && url.database.is_empty() && url.password.is_none());
        assert_eq!(parsed("db://host").host, "host");
        assert_eq!(parsed("db:///base").database, "base");
        assert_eq!(parsed("db://ann@/base").user, "ann");
        assert_eq!(password(&parsed("db://ann:@host")), Some(""));
        assert_eq!(parsed("db://host:77?schema=s").port, "77");
    }

    #[test]
    fn hosts_of_all_kinds() {
        let url = parsed("db://[2001:db8::1]:5433/base");
        assert_eq!((url.host.as_str(), url.port.as_str()), ("2001:db8::1", "5433"));
        assert_eq!(parsed("db://[::1]").host, "::1");
        assert_eq!(parsed("db://%2Frun%2Fsockets/base").host, "/run/sockets");
    }

    #[test]
    fn passwords_with_marks_of_urls_are_read_up_to_the_last_at() {
        let url = parsed("db://ann:a@b/c:d@host/base");
        assert_eq!((password(&url), url.host.as_str()), (Some("a@b/c:d"), "host"));
        assert_eq!(url.database, "base");
    }

    #[test]
    fn faults_are_told_without_the_text() {
        for (text, fault) in [
            ("dbs://host/secret", "does not begin with db:// or database://"),
            ("db://ann:secret%4@host", "password has a %"),
            ("db://ann:secret%zz@host", "password has a %"),
            ("db://ann:secret%ff@host", "password is not UTF-8"),
            ("db://ann:secret%00@host", "password has a NUL"),
            ("db://secret1,secret2/base", "several hosts"),
            ("db://[::1/base", "not closed"),
            ("db://[::1]x/base", "text follows"),
            ("db://host/base?secret", "has no value"),
        ] {
            let said = TargetUrl::parse(text, &SCHEMES).err().unwrap_or_else(|| panic!("{text} passed"));
            assert!(said.contains(fault) && !said.contains("secret"), "{text}: {said}");
        }
    }

    #[test]
    fn what_is_shown_has_no_password_and_is_read_as_the_same() {
        let url = parsed("database://ann%40x:s3cret@[::1]:7/h%C3%A4fen?password=s3cret&x=a%26b");
        assert_eq!(url.masked_text("db://"), "db://ann%40x@[::1]:7/h%C3%A4fen?x=a%26b");
        assert_eq!(parsed(&url.masked_text("db://")).masked_text("db://"), url.masked_text("db://"));
        assert_eq!(format!("{:?}", url.password), "Some(…)");
    }

    #[test]
    fn a_password_file_is_its_first_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        assert!(UrlSecret::from_file(&path).expect_err("no file").contains("cannot be read"));
        fs::write(&path, "\n").expect("writes");
        assert!(UrlSecret::from_file(&path).expect_err("empty").contains("is empty"));
        fs::write(&path, "pw \r\nrest").expect("writes");
        assert_eq!(UrlSecret::from_file(&path), Ok(UrlSecret("pw ".into())));
    }

    #[test]
    fn values_of_parameters() {
        assert_eq!((parse_port("", 7), parse_port("80", 7)), (Ok(7), Ok(80)));
        assert!(parse_port("0", 7).is_err() && parse_port("99999", 7).is_err() && parse_port("x", 7).is_err());
        assert_eq!(parse_seconds("connect_timeout", "3"), Ok(Duration::from_secs(3)));
        assert!(parse_seconds("connect_timeout", "0").is_err());
        assert_eq!(SslMode::parse("verify-full"), Ok(SslMode::VerifyFull));
        assert!(SslMode::parse("verify").expect_err("no mode").contains("verify-ca and verify-full"));
        assert!(unknown_parameter("sslmod", &["schema", "sslmode"]).ends_with("did you mean sslmode?"));
        assert!(unknown_parameter("zebra", &["schema", "sslmode"]).ends_with("known are schema, sslmode"));
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in "[^\0]*") {
            proptest::prop_assert_eq!(percent_decode(&percent_encode(&text), "text"), Ok(text));
        }

        #[test]
        fn no_text_makes_it_panic(text in "db://[a:@/?%&=\\[\\],0-9é]*") {
            let _ = TargetUrl::parse(&text, &SCHEMES);
        }
    }
}
