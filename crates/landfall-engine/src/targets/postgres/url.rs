//! URLs of PostgreSQL, cut into their parts: `postgres://user:password@host:port/database?name=value`.
//!
//! Form and meaning are libpq's (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>).

/// The parts of a URL, decoded; what it does not have is empty.
#[derive(PartialEq, Eq)]
pub(super) struct PostgresUrl {
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) host: String,
    pub(super) port: String,
    pub(super) database: String,
    /// Parameters in the order in which they stand.
    pub(super) parameters: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Cuts `text`, or says what is wrong with it, without a word of it that may be secret.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or("it does not begin with postgres:// or postgresql://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = rest.rfind('@').map_or(0, |at| at + 1);
        let (authority, database) = match rest[place..].find('/') {
            Some(slash) => (&rest[..place + slash], &rest[place + slash + 1..]),
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
            password: password.map(|password| percent_decode(password, "password")).transpose()?,
            host: percent_decode(host, "host")?,
            port: port.to_owned(),
            database: percent_decode(database, "database")?,
            parameters: parse_parameters(query)?,
        })
    }
}

/// Host and port of `host:port`, where the host may be an IPv6 address in brackets.
fn split_host_and_port(place: &str) -> Result<(&str, &str), String> {
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
        None => Err("text follows the bracket of its IPv6 address; a port is written :5432".into()),
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
    if text.contains('\0') { Err(format!("its {part} has a NUL")) } else { Ok(text) }
}

/// `text` as it is written in a URL: everything but unreserved characters is encoded.
pub(super) fn percent_encode(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> PostgresUrl {
        PostgresUrl::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn all_parts() {
        let url = parsed("postgresql://ann:s3%20cret%25@db.example.org:6432/h%C3%A4fen?sslmode=require&schema=a%26b");
        assert_eq!(url.user, "ann");
        assert_eq!(url.password.as_deref(), Some("s3 cret%"));
        assert_eq!((url.host.as_str(), url.port.as_str()), ("db.example.org", "6432"));
        assert_eq!(url.database, "häfen");
        assert_eq!(url.parameters, [("sslmode".into(), "require".into()), ("schema".into(), "a&b".into())]);
    }

    #[test]
    fn parts_may_be_missing() {
        let url = parsed("postgres://");
        assert!(url.user.is_empty() && url.host.is_empty() && url.database.is_empty() && url.password.is_none());
        assert_eq!(parsed("postgres://host").host, "host");
        assert_eq!(parsed("postgres:///base").database, "base");
        assert_eq!(parsed("postgres://ann@/base").user, "ann");
        assert_eq!(parsed("postgres://ann:@host").password.as_deref(), Some(""));
        assert_eq!(parsed("postgres://host:77?schema=s").port, "77");
    }

    #[test]
    fn hosts_of_all_kinds() {
        let url = parsed("postgres://[2001:db8::1]:5433/base");
        assert_eq!((url.host.as_str(), url.port.as_str()), ("2001:db8::1", "5433"));
        assert_eq!(parsed("postgres://[::1]").host, "::1");
        assert_eq!(parsed("postgres://%2Frun%2Fpostgresql/base").host, "/run/postgresql");
    }

    #[test]
    fn passwords_with_marks_of_urls_are_read_up_to_the_last_at() {
        let url = parsed("postgres://ann:a@b/c:d@host/base");
        assert_eq!((url.password.as_deref(), url.host.as_str()), (Some("a@b/c:d"), "host"));
        assert_eq!(url.database, "base");
    }

    #[test]
    fn faults_are_told_without_the_text() {
        for (text, fault) in [
            ("mysql://host/secret", "does not begin with"),
            ("postgres://ann:secret%4@host", "password has a %"),
            ("postgres://ann:secret%zz@host", "password has a %"),
            ("postgres://ann:secret%ff@host", "password is not UTF-8"),
            ("postgres://ann:secret%00@host", "password has a NUL"),
            ("postgres://secret1,secret2/base", "several hosts"),
            ("postgres://[::1/base", "not closed"),
            ("postgres://[::1]x/base", "text follows"),
            ("postgres://host/base?secret", "has no value"),
        ] {
            let said = PostgresUrl::parse(text).err().unwrap_or_else(|| panic!("{text} passed"));
            assert!(said.contains(fault) && !said.contains("secret"), "{text}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in "[^\0]*") {
            proptest::prop_assert_eq!(percent_decode(&percent_encode(&text), "text"), Ok(text));
        }

        #[test]
        fn no_text_makes_it_panic(text in "postgres://[a:@/?%&=\\[\\],0-9é]*") {
            let _ = PostgresUrl::parse(&text);
        }
    }
}
