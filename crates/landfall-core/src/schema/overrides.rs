//! A file that is written otherwise than its resource declares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Delimiter, Dialect, Encoding, HeaderMatch, HeaderRows, Ragged, Resource, StrayQuotes,
    descriptor::{encoding_of_label, refusal_of_label},
    dialect::parse_name,
};

/// In what the dialect and encoding of a file differ from those that its resource declares. The names are those of the
/// Table Dialect: <https://datapackage.org/standard/table-dialect/>.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DialectOverrides(BTreeMap<String, String>);

impl DialectOverrides {
    /// The properties that can be given.
    pub const NAMES: [&str; 14] = [
        "delimiter",
        "quoteChar",
        "doubleQuote",
        "escapeChar",
        "commentChar",
        "nullSequence",
        "skipInitialSpace",
        "trim",
        "ragged",
        "strayQuotes",
        "quotedMissing",
        "header",
        "headerMatch",
        "encoding",
    ];

    /// Whether the file is as its resource declares.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the property `name`, one of [`DialectOverrides::NAMES`], the value that is written as `text`: a character (none where
    /// the text is empty), `true` or `false`, or the label of an encoding.
    ///
    /// # Errors
    /// What the value must be.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        // Tried on a throw-away dialect: a wrong value is refused where it is given, before any file is opened.
        set_property(name, text, &mut Dialect::default(), &mut Encoding::default())?;
        self.0.insert(name.to_owned(), text.to_owned());
        Ok(())
    }

    /// The resource as the file is written.
    ///
    /// # Errors
    /// Two characters of the dialect that would be the same.
    pub fn apply_to(&self, resource: &Resource) -> Result<Resource, String> {
        let mut resource = resource.clone();
        for (name, text) in &self.0 {
            set_property(name, text, &mut resource.dialect, &mut resource.encoding)?;
        }
        // At the end only: `delimiter` may be swapped with a character that a later property gives up.
        check_dialect(&resource.dialect)?;
        Ok(resource)
    }
}

fn set_property(name: &str, text: &str, dialect: &mut Dialect, encoding: &mut Encoding) -> Result<(), String> {
    match name {
        "delimiter" => dialect.delimiter = parse_delimiter(text)?,
        "quoteChar" => dialect.quote_char = character_or_none(name, text)?,
        "doubleQuote" => dialect.double_quote = parse_flag(name, text)?,
        "escapeChar" => dialect.escape_char = character_or_none(name, text)?,
        "commentChar" => dialect.comment_char = character_or_none(name, text)?,
        "nullSequence" => dialect.null_sequence = Some(text.to_owned()),
        "skipInitialSpace" => dialect.skip_initial_space = parse_flag(name, text)?,
        "trim" => dialect.trim = parse_flag(name, text)?,
        "ragged" => dialect.ragged = parse_named(name, &Ragged::NAMES, text)?,
        "strayQuotes" => dialect.stray_quotes = parse_named(name, &StrayQuotes::NAMES, text)?,
        "quotedMissing" => dialect.quoted_missing = parse_flag(name, text)?,
        "headerMatch" => dialect.header_match = parse_named(name, &HeaderMatch::NAMES, text)?,
        "header" => match (parse_flag(name, text)?, &dialect.header) {
            (false, _) => dialect.header = HeaderRows::None,
            (true, HeaderRows::None) => dialect.header = HeaderRows::At(vec![1]),
            // The resource may have its header in other rows than the first one, which stay.
            (true, HeaderRows::At(_)) => {}
        },
        "encoding" => {
            *encoding =
                encoding_of_label(text).ok_or_else(|| format!("encoding is wrong: {}", refusal_of_label(text)))?;
        }
        _ => return Err(format!("a dialect has no property {name:?} that can be given here")),
    }
    Ok(())
}

fn check_dialect(dialect: &Dialect) -> Result<(), String> {
    let roles = [
        ("delimiter", dialect.delimiter.as_character()),
        ("quoteChar", dialect.quote_char),
        ("escapeChar", dialect.escape_char),
        ("commentChar", dialect.comment_char),
    ];
    for (at, (name, byte)) in roles.iter().enumerate() {
        if let Some((other, _)) = roles[..at].iter().find(|(_, other)| byte.is_some() && other == byte) {
            return Err(format!("{other} and {name} would be the same character"));
        }
    }
    dialect.find_contradiction().map_or(Ok(()), Err)
}

fn parse_delimiter(text: &str) -> Result<Delimiter, String> {
    // As people write a tab into an address.
    let text = if text == "\\t" { "\t" } else { text };
    let delimiter = Delimiter::parse(text).map_err(|reason| format!("delimiter {reason}"))?;
    // Query strings and forms can carry NUL, which no text file has between cells.
    if delimiter == 0 { Err("delimiter must not be a NUL character".into()) } else { Ok(delimiter) }
}

fn parse_named<T: Copy>(name: &str, names: &[(&'static str, T)], text: &str) -> Result<T, String> {
    parse_name(names, text).map_err(|reason| format!("{name} {reason}"))
}

fn parse_character(name: &str, text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | 0) => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err(format!("{name} must be one ASCII character, and no line end")),
    }
}

fn character_or_none(name: &str, text: &str) -> Result<Option<u8>, String> {
    if text.is_empty() { Ok(None) } else { parse_character(name, text).map(Some) }
}

fn parse_flag(name: &str, text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{name} must be true or false"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::DialectOverrides;
    use crate::schema::{Encoding, HeaderRows, Package};

    fn resource() -> crate::schema::Resource {
        let text = "{\"resources\": [{\"name\": \"t\", \"path\": \"t.csv\", \"schema\": {\"fields\": [{\"name\": \"a\", \"type\": \"string\"}]}}]}";
        Package::from_json(text, "datapackage.json").unwrap().resources.remove(0)
    }

    #[test]
    fn a_dialect_takes_what_is_given_and_keeps_the_rest() {
        let mut overrides = DialectOverrides::default();
        assert!(overrides.is_empty());
        for (name, text) in [("delimiter", ";"), ("quoteChar", ""), ("header", "false"), ("encoding", "windows-1252")] {
            overrides.set(name, text).unwrap();
        }
        let changed = overrides.apply_to(&resource()).unwrap();
        assert!(changed.dialect.delimiter == b';' && changed.dialect.quote_char.is_none());
        assert_eq!(changed.dialect.header, HeaderRows::None);
        assert!(matches!(changed.encoding, Encoding::SingleByte(encoding) if encoding.name() == "windows-1252"));
        assert!(changed.dialect.double_quote);
        let text = serde_json::to_string(&overrides).unwrap();
        assert_eq!(serde_json::from_str::<DialectOverrides>(&text).unwrap(), overrides, "{text}");
    }

    #[test]
    fn what_no_dialect_can_be_is_refused() {
        for (name, text) in [
            ("delimiter", ""),
            ("delimiter", "\n"),
            ("delimiter", "|\n"),
            ("delimiter", "a very long text which nobody writes between cells"),
            ("quoteChar", "ä"),
            ("ragged", "drop"),
            ("strayQuotes", "true"),
            ("headerMatch", "names"),
            ("header", "yes"),
            ("encoding", "iso-2022-jp"),
            ("headerRows", "1"),
        ] {
            assert!(DialectOverrides::default().set(name, text).is_err(), "{name} {text:?}");
        }
        let mut same = DialectOverrides::default();
        same.set("delimiter", "\"").unwrap();
        assert_eq!(same.apply_to(&resource()).unwrap_err(), "delimiter and quoteChar would be the same character");
    }
}
