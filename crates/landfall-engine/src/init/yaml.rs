//! Just enough of YAML to write a data package that a person reads.

use std::fmt::Write as _;

/// Words that mean something else than text to some reader of YAML.
const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// `text` as a scalar that means that text: plain where that is safe in block and flow style, quoted elsewhere.
pub(super) fn write_scalar(text: &str) -> String {
    if is_plain_scalar(text) { text.to_owned() } else { quote_scalar(text) }
}

/// Letters, digits and a few marks, and nothing that could be a number or a word of YAML's own.
fn is_plain_scalar(text: &str) -> bool {
    let inner = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/');
    text.starts_with(|first: char| first.is_alphabetic())
        && text.chars().all(inner)
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// `text` in double quotes, everything that does not print escaped.
fn quote_scalar(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            ' ' => out.push(' '),
            _ if is_printable(character) => out.push(character),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\U{:08x}", u32::from(character));
            }
        }
    }
    out + "\""
}

/// Whether Rust, which is stricter than YAML, prints a character as it is.
fn is_printable(character: char) -> bool {
    matches!(character, '\'') || character.escape_debug().count() == 1
}

/// `text` for a comment: in one line, and without what could act on a terminal.
pub(super) fn one_line_comment(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            if is_printable(character) || character == '"' {
                vec![character]
            } else {
                character.escape_debug().collect()
            }
        })
        .collect()
}

/// Lines of a document with their indentation.
#[derive(Debug, Default)]
pub(super) struct YamlPage {
    text: String,
}

/// The most characters of a line of comment.
const WIDTH: usize = 116;

impl YamlPage {
    /// A line, indented by `depth` steps.
    pub(super) fn push_line(&mut self, depth: usize, line: &str) {
        let indent = if line.is_empty() { 0 } else { depth * 2 };
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A comment, in as many lines as it takes.
    pub(super) fn push_comment(&mut self, depth: usize, words: &str) {
        let room = WIDTH.saturating_sub(depth * 2);
        let mut line = String::new();
        for word in words.split(' ') {
            if !line.is_empty() && line.chars().count() + word.chars().count() >= room {
                self.push_line(depth, &format!("# {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.push_line(depth, &format!("# {line}"));
    }

    /// All of it.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::document::{DescriptorProblems, NodeValue, parse_yaml};
    use proptest::prelude::*;

    use super::{YamlPage, one_line_comment, write_scalar};

    fn read_back(text: &str) -> Option<String> {
        let document = format!("[{{key: {}}}] # {}\n", write_scalar(text), one_line_comment(text));
        let problems = DescriptorProblems::new();
        let root = parse_yaml(&document, "test", &problems)?;
        let NodeValue::List(items) = root.value else { return None };
        let NodeValue::Map(entries) = &items.first()?.value else { return None };
        match &entries.first()?.node.value {
            NodeValue::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    #[test]
    fn what_is_safe_stays_plain() {
        assert_eq!(write_scalar("data/hired-2021.csv"), "data/hired-2021.csv");
        for text in ["no", "Null", "1", "1e3", "", "-", "a: b", "a #b", "*.csv", "x,y", " a", "~", "0x1f"] {
            assert!(write_scalar(text).starts_with('"'), "{text}");
            assert_eq!(read_back(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn long_comments_are_broken_into_lines() {
        let mut page = YamlPage::default();
        page.push_comment(2, &"word ".repeat(60));
        let text = page.into_text();
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.starts_with("    # ") && line.len() < 120));
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(text in any::<String>()) {
            prop_assert_eq!(read_back(&text), Some(text));
        }
    }
}
