//! JSON as text: checked, counted and compared without a conversion of its numbers.

use std::{cmp::Ordering, collections::BTreeMap};

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{
    decimal,
    problem::{CellFault, FORM},
};

/// The deepest nesting that is accepted.
// The same as for rows of JSON files, and the depth at which serde_json gives up.
const DEPTH: usize = 128;

/// A JSON value that is taken apart. Numbers stay text.
#[derive(Debug)]
enum JsonTree {
    Scalar(String),
    Number(String),
    Array(Vec<JsonTree>),
    Object(BTreeMap<String, JsonTree>),
}

/// The first character of a JSON text that is not white space.
fn first_character(text: &str) -> Option<char> {
    text.trim_start_matches([' ', '\t', '\n', '\r']).chars().next()
}

/// Checks that `text` is JSON that opens with `bracket`.
pub(super) fn check_json(text: &str, bracket: char) -> Result<(), CellFault> {
    // White space of JSON only: other spaces of Unicode make the text no JSON.
    if first_character(text) != Some(bracket) {
        return Err(FORM);
    }
    // Counted before the parser runs, so that the reason is given in our words and no deep text reaches a recursion.
    if nesting_depth(text) > DEPTH {
        return Err(format!("nested deeper than {DEPTH} levels").into());
    }
    // Nothing is built: the value stays text, and numbers beyond a float keep their digits.
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|error| format!("JSON: {error}").into())
}

/// The deepest nesting of brackets outside strings.
fn nesting_depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            // More brackets closed than opened is for the parser to report.
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The items of an array, each as its text.
pub(super) fn array_items(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

/// The members of an object, each as its text; of equal names the last counts.
pub(super) fn object_members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(text).ok()
}

/// The text that a JSON string stands for.
pub(super) fn string_value(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Whether two JSON texts mean the same: numbers by value, members in any order.
pub(super) fn are_equal_json(left: &str, right: &str) -> bool {
    match (parse(left, DEPTH), parse(right, DEPTH)) {
        (Some(left), Some(right)) => left == right,
        // A text that cannot be parsed equals itself, so that equality stays reflexive.
        _ => left == right,
    }
}

fn parse(text: &str, depth: usize) -> Option<JsonTree> {
    let depth = depth.checked_sub(1)?;
    match first_character(text)? {
        '[' => {
            array_items(text)?.iter().map(|item| parse(item.get(), depth)).collect::<Option<_>>().map(JsonTree::Array)
        }
        '{' => object_members(text)?
            .into_iter()
            .map(|(name, value)| Some((name, parse(value.get(), depth)?)))
            .collect::<Option<_>>()
            .map(JsonTree::Object),
        '"' => serde_json::from_str(text).ok().map(JsonTree::Scalar),
        '-' | '0'..='9' => Some(JsonTree::Number(text.trim().to_owned())),
        // `true`, `false` and `null`; a quote keeps them apart from strings.
        _ => Some(JsonTree::Scalar(format!("\"{}", text.trim()))),
    }
}

impl PartialEq for JsonTree {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(left), Self::Scalar(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => decimal::compare_numbers(left, right) == Some(Ordering::Equal),
            (Self::Array(left), Self::Array(right)) => left == right,
            (Self::Object(left), Self::Object(right)) => left == right,
            _ => false,
        }
    }
}

/// Writes `text` as a JSON string.
pub(super) fn push_string(out: &mut String, text: &str) {
    use std::fmt::Write;
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(check_json(&nested(DEPTH), '[').is_ok());
        assert!(check_json(&nested(DEPTH + 1), '[').is_err());
        assert!(check_json(&nested(1_000_000), '[').is_err());
        assert_eq!(nesting_depth(r#"["[[[\"[", {}]"#), 2);
    }

    #[test]
    fn equality_is_of_values() {
        assert!(are_equal_json(r#"{"a":1.0,"b":[true,null]}"#, r#" {"b":[true, null],"a":1e0} "#));
        assert!(!are_equal_json(r#"[1]"#, r#"["1"]"#));
        assert!(!are_equal_json(r#"[true]"#, r#"["true"]"#));
        assert!(!are_equal_json(r#"[0.1000000000000000000001]"#, r#"[0.1]"#));
    }
}
