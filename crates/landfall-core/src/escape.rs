//! Texts of the data as they are shown to a person.

use std::{borrow::Cow, fmt::Write as _};

/// `text` with the characters escaped that could act on a terminal: control characters, line separators and marks that
/// change the direction of text.
#[must_use]
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(acts_on_terminals) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        push_escaped_char(&mut out, character);
    }
    Cow::Owned(out)
}

/// Adds one character of a text that is shown.
pub(crate) fn push_escaped_char(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if acts_on_terminals(character) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        }
        _ => out.push(character),
    }
}

/// Control characters, line separators and the marks that change the direction of text.
fn acts_on_terminals(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
