//! What is wrong with a cell, in words for a person.

use std::{borrow::Cow, sync::Arc};

use thiserror::Error;

use crate::escape::push_escaped_char;
use crate::reject::CellError;

/// Why a cell cannot be read, as a few words such as `month 13`; empty where the form is wrong as a whole.
pub(super) type CellFault = Cow<'static, str>;

/// The cause where nothing more can be said than that the form is wrong.
pub(super) const FORM: CellFault = Cow::Borrowed("");

/// A rule of the dictionary that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("field {field:?}: {rule} {reason}")]
pub struct RuleError {
    /// The field.
    pub field: Arc<str>,
    /// The rule's name in the dictionary, such as `minimum`, `pattern` or `format`.
    pub rule: &'static str,
    /// Why it cannot be applied.
    pub reason: String,
}

/// An error of a record at the place where it was found.
#[derive(Debug)]
pub(super) struct FoundError {
    /// The record, by its position in the block.
    pub(super) record: u32,
    /// The field's position in the schema; [`FoundError::AFTER_FIELDS`] and above for what belongs to no field.
    pub(super) field: u32,
    /// What is wrong.
    pub(super) error: CellError,
}

impl FoundError {
    /// The position of errors that belong to no field: they are listed last.
    pub(super) const AFTER_FIELDS: u32 = u32::MAX;
}

/// The most characters of a value that a message repeats.
const SHOWN: usize = 80;

/// `text` in quotes for a message: shortened, with the characters escaped that could act on a terminal.
pub(super) fn quote_shortened(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHOWN) + 2);
    out.push('"');
    // Shortened by characters before escaping, so that no escape is cut in two.
    for (at, character) in text.chars().enumerate() {
        if at == SHOWN {
            out.push('…');
            break;
        }
        if character == '"' { out.push_str("\\\"") } else { push_escaped_char(&mut out, character) }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_act_on_a_terminal() {
        assert_eq!(quote_shortened("a\u{1b}[2Jb\n\0\u{202e}"), r#""a\u{1b}[2Jb\n\u{0}\u{202e}""#);
        assert_eq!(quote_shortened("say \"ä\""), r#""say \"ä\"""#);
    }

    #[test]
    fn long_values_are_shortened() {
        let text = quote_shortened(&"ä".repeat(1000));
        assert_eq!(text.chars().count(), SHOWN + 3);
        assert!(text.ends_with("…\""));
    }
}
