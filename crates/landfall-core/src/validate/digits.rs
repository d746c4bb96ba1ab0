//! What stands around and between the digits of a number: `bareNumber` and `groupChar`.

use std::borrow::Cow;

use super::problem::Cause;

/// `text` without the other characters before and after the number (`bareNumber: false`).
///
/// A sign or decimal point stays where a digit follows it, so that `$.5` is a half and not five.
pub(super) fn trimmed<'a>(text: &'a str, decimal_char: &str) -> &'a str {
    let Some(first) = text.find(|c: char| c.is_ascii_digit()) else { return text };
    let last = text.rfind(|c: char| c.is_ascii_digit()).unwrap_or(first);
    let before = &text[..first];
    let point = if !decimal_char.is_empty() && before.ends_with(decimal_char) { decimal_char.len() } else { 0 };
    let sign = usize::from(before[..first - point].ends_with('-'));
    let start = first - point - sign;
    // A minus further away may be meant as a sign: such a text is left as it is, and is not a number.
    if text[..start].contains('-') { text } else { &text[start..=last] }
}

/// `text` without the characters that group its digits. They must stand between two digits.
pub(super) fn ungrouped<'a>(text: &'a str, group: Option<&str>) -> Result<Cow<'a, str>, Cause> {
    let Some(group) = group.filter(|group| !group.is_empty() && text.contains(group)) else {
        return Ok(Cow::Borrowed(text));
    };
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let sound = text.match_indices(group).all(|(at, _)| {
        let (before, after) = (&text.as_bytes()[..at], &text.as_bytes()[at + group.len()..]);
        digit(before.last()) && digit(after.first())
    });
    if sound { Ok(Cow::Owned(text.replace(group, ""))) } else { Err("a group separator is not between digits".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_around_a_number() {
        for (text, expected) in [
            ("€95", "95"),
            ("95%", "95"),
            ("€-95 EUR", "-95"),
            ("$.5", ".5"),
            ("-.5 kg", "-.5"),
            ("x", "x"),
            ("- 5", "- 5"),
            ("--5", "--5"),
        ] {
            assert_eq!(trimmed(text, "."), expected, "{text}");
        }
    }

    #[test]
    fn group_separators_stand_between_digits() {
        assert_eq!(ungrouped("1,000,000", Some(",")).as_deref(), Ok("1000000"));
        assert_eq!(ungrouped("1000", Some(",")).as_deref(), Ok("1000"));
        for text in [",1", "1,", "1,,0", "-,5"] {
            assert!(ungrouped(text, Some(",")).is_err(), "{text}");
        }
    }
}
