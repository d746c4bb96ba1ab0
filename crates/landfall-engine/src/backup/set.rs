//! Names of backup sets and of their files.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

use crate::error::{Error, Result};

/// The name of a backup set: when it began, in UTC, and eight random digits, such as `20261122T040000.123456Z-0a1b2c3d`. Names sort by
/// time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(String);

/// `20261122T040000.123456Z-`.
const TIME: usize = 24;
const RANDOM: usize = 8;
const FORMAT: &str = "%Y%m%dT%H%M%S%.6fZ";

impl SetId {
    /// A new name for a set that begins now.
    ///
    /// # Errors
    /// A system without random bytes.
    pub(super) fn new(now: Timestamp) -> Result<Self> {
        let mut random = [0; RANDOM / 2];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Internal(format!("the system has no random bytes: {error}")))?;
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(format!("{}-{hex}", now.to_zoned(TimeZone::UTC).strftime(FORMAT))))
    }

    /// The set called `name`; none where a set of ours cannot be called so. So a name from outside never leaves its folder.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (time, random) = name.split_at_checked(TIME)?;
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_random = random.len() == RANDOM && random.bytes().all(hex);
        let time = time.strip_suffix('-')?;
        let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'.',
            22 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
        (is_random && is_time && parse_set_time(time).is_some()).then(|| Self(name.to_owned()))
    }

    /// When it began.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        parse_set_time(&self.0[..TIME - 1]).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn parse_set_time(time: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime(FORMAT, time).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The file of the table called `name`. Letters, digits, `_` and `-` of ASCII stand for themselves, every other byte is `%` and two
/// hexadecimal digits.
#[must_use]
pub fn set_file_name(name: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(name.len() + 5);
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            out.push(byte.into());
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out.push_str(".avro");
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn a_name_tells_when_its_set_began() {
        let time: Timestamp = "2026-11-22T04:05:06.000789Z".parse().unwrap();
        let set = SetId::new(time).unwrap();
        assert!(set.as_str().starts_with("20261122T040506.000789Z-"), "{set}");
        assert_eq!(SetId::parse(set.as_str()), Some(set.clone()));
        assert_eq!(set.started_at(), time);
        assert_ne!(SetId::new(time).unwrap(), set);
    }

    #[test]
    fn names_that_are_not_ours_are_no_sets() {
        for name in [
            "",
            "..",
            "../20261122T040506.000000Z-01234567",
            "20261122T040506.000000Z-0123456",
            "20261122T040506.000000Z-012345678",
            "20261122T040506.000000Z-0123456G",
            "20261122T040506.000000Z-0123456A",
            "20261322T040506.000000Z-01234567",
            "20261122T240506.000000Z-01234567",
            "20261122X040506.000000Z-01234567",
            "/etc/passwd",
            "20261122T040506.000000Z-%2e%2e%2f",
            "20261122T040506.000000Z-0123\u{0}567",
            "２0261122T040506.000000Z-01234567",
            "20261122T040506Z-01234567",
        ] {
            assert_eq!(SetId::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn tables_have_files_that_stay_in_their_folder() {
        for (table, file) in [
            ("hired_employees", "hired_employees.avro"),
            ("..", "%2E%2E.avro"),
            ("a/b", "a%2Fb.avro"),
            ("a b.c", "a%20b%2Ec.avro"),
            ("größe", "gr%C3%B6%C3%9Fe.avro"),
        ] {
            assert_eq!(set_file_name(table), file);
        }
    }
}
