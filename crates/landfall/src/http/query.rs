//! The query of a request: each parameter is known, given once, and text that every database takes.

use landfall_engine::pipeline::MaxRejects;

use super::problem::{Outcome, Problem};

/// The parameters of a request that were not taken yet.
#[derive(Debug)]
pub(super) struct QueryParameters(Vec<(String, String)>);

impl QueryParameters {
    /// The parameters of `text`, as it stands behind the `?`.
    pub(super) fn parse(text: Option<&str>) -> Outcome<Self> {
        let text = text.unwrap_or_default();
        // The library would put U+FFFD in place of what is not UTF-8, and another name would be looked for.
        if !is_encoded(text) {
            return Err(Problem::wrong_parameter("the query is not UTF-8, encoded with %XX"));
        }
        let pairs = form_urlencoded::parse(text.as_bytes());
        let pairs: Vec<_> = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        // No database can be asked for it by all of its names and values: one refuses it, and another does not. Of a token only a digest
        // is looked for: one with such a character is a token that nobody has.
        let has_nul = |(name, value): &(String, String)| name.contains('\0') || name != "token" && value.contains('\0');
        if pairs.iter().any(has_nul) {
            return Err(Problem::wrong_parameter("a parameter has the character NUL (%00) in it; no value here has"));
        }
        Ok(Self(pairs))
    }

    /// Takes the parameter `name`, where it is given.
    pub(super) fn take_value(&mut self, name: &str) -> Outcome<Option<String>> {
        let mut found = self.0.extract_if(.., |(given, _)| given == name).map(|(_, value)| value);
        let (first, second) = (found.next(), found.next());
        drop(found);
        match (first, second) {
            (_, Some(_)) => Err(Problem::wrong_parameter(format!("the parameter {name} is given twice"))),
            (value, None) => Ok(value),
        }
    }

    /// Takes a parameter that `parse` reads; `expected` says what it must be.
    pub(super) fn take_parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Outcome<Option<T>> {
        let Some(text) = self.take_value(name)? else { return Ok(None) };
        let wrong = || Problem::wrong_parameter(format!("the parameter {name} must be {expected}"));
        parse(&text).ok_or_else(wrong).map(Some)
    }

    /// Takes a number of rejects, or a share of the records, as it is written.
    pub(super) fn take_max_rejects(&mut self) -> Outcome<Option<String>> {
        let text = self.take_value("max_rejects")?;
        if let Some(text) = &text {
            MaxRejects::parse(text).map_err(|reason| Problem::wrong_parameter(format!("max_rejects: {reason}")))?;
        }
        Ok(text)
    }

    /// Takes `true` or `false`; false where it is not given.
    pub(super) fn take_flag(&mut self, name: &str) -> Outcome<bool> {
        self.take_flag_or(name, false)
    }

    /// Takes `true` or `false`; `usual` where it is not given.
    pub(super) fn take_flag_or(&mut self, name: &str, usual: bool) -> Outcome<bool> {
        let flag = self.take_parsed(name, "true or false", |text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })?;
        Ok(flag.unwrap_or(usual))
    }

    /// Takes the size of a page.
    pub(super) fn take_limit(&mut self, usual: u64, most: u64) -> Outcome<u64> {
        let expected = format!("a whole number from 1 to {most}");
        let limit =
            self.take_parsed("limit", &expected, |text| text.parse().ok().filter(|limit| (1..=most).contains(limit)))?;
        Ok(limit.unwrap_or(usual))
    }

    /// What is left, in order.
    pub(super) fn remaining_pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// All that is left, in order.
    pub(super) fn into_remaining(self) -> Vec<(String, String)> {
        self.0
    }

    /// Refuses what nobody has taken.
    pub(super) fn refuse_remaining(self, known: &[&str]) -> Outcome<()> {
        // A misspelled filter that is passed over would give all rows instead of a few.
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        let known =
            if known.is_empty() { "there are none".to_owned() } else { format!("known are {}", known.join(", ")) };
        let name: String = name.chars().take(80).collect();
        Err(Problem::wrong_parameter(format!("there is no parameter {name:?} here; {known}")))
    }
}

/// Whether each `%` begins an encoded byte, and the bytes are UTF-8.
fn is_encoded(text: &str) -> bool {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) else { return false };
        bytes.push(byte);
        rest = &after[2..];
    }
    std::str::from_utf8(&bytes).is_ok()
}
