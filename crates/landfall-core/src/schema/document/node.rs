use std::fmt::Write as _;

use super::{Place, Problems, Reader};

/// A value of a document and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
}

/// What a document can hold.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing: `null`, `~`, or a key without a value.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as its text stands in the source.
    Number(String),
    /// A text, its quotes and escapes resolved.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the source. No key occurs twice.
    Map(Vec<Entry>),
}

/// A key of a map with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The text, or nothing and an error that names the node `what`.
    pub fn text(&self, what: &str, problems: &Problems) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Bool(_) => {
                let mend = format!("write it in quotes: {}", quoted(&self.to_json()));
                self.refuse_kind(what, "text", Some(mend), problems)
            }
            _ => self.refuse_kind(what, "text", None, problems),
        }
    }

    /// True or false, or nothing and an error that names the node `what`.
    pub fn flag(&self, what: &str, problems: &Problems) -> Option<bool> {
        match &self.value {
            Value::Bool(flag) => Some(*flag),
            Value::Text(text) if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {
                let mend = format!("write it without quotes: {}", text.to_ascii_lowercase());
                self.refuse_kind(what, "true or false", Some(mend), problems)
            }
            _ => self.refuse_kind(what, "true or false", None, problems),
        }
    }

    /// A whole number from 0, or nothing and an error that names the node `what`.
    pub fn whole(&self, what: &str, problems: &Problems) -> Option<u64> {
        let number = match &self.value {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        };
        number.or_else(|| self.refuse_kind(what, "a whole number, 0 or more", None, problems))
    }

    /// The list's nodes, or nothing and an error that names the node `what`.
    pub fn list(&self, what: &str, problems: &Problems) -> Option<&[Self]> {
        match &self.value {
            Value::List(nodes) => Some(nodes),
            Value::Text(_) | Value::Number(_) | Value::Bool(_) => {
                let mend = format!("write [{}]", self.to_json());
                self.refuse_kind(what, "a list", Some(mend), problems)
            }
            _ => self.refuse_kind(what, "a list", None, problems),
        }
    }

    /// The texts of a list, or nothing and errors that name the node `what`.
    pub fn texts(&self, what: &str, problems: &Problems) -> Option<Vec<String>> {
        let item = format!("an item of {what}");
        let nodes = self.list(what, problems)?;
        let texts: Vec<String> = nodes.iter().filter_map(|node| node.text(&item, problems)).map(String::from).collect();
        (texts.len() == nodes.len()).then_some(texts)
    }

    /// A reader of the map, or nothing and an error that names the node `what`.
    pub fn map<'a>(&'a self, what: &'a str, problems: &'a Problems) -> Option<Reader<'a>> {
        match &self.value {
            Value::Map(entries) => Some(Reader::new(what, entries, &self.place, problems)),
            _ => self.refuse_kind(what, "a map of properties", None, problems),
        }
    }

    /// The node as compact JSON. Numbers are written as they stand in the source.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    fn write_json(&self, json: &mut String) {
        match &self.value {
            Value::Null => json.push_str("null"),
            Value::Bool(flag) => json.push_str(if *flag { "true" } else { "false" }),
            Value::Number(text) => json.push_str(text),
            Value::Text(text) => json.push_str(&quoted(text)),
            Value::List(nodes) => write_joined(json, ['[', ']'], nodes, Self::write_json),
            Value::Map(entries) => write_joined(json, ['{', '}'], entries, |entry, json| {
                let _ = write!(json, "{}:", quoted(&entry.key));
                entry.node.write_json(json);
            }),
        }
    }

    const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    fn refuse_kind<T>(&self, what: &str, wanted: &str, mend: Option<String>, problems: &Problems) -> Option<T> {
        let message = format!("{what} must be {wanted}, not {}", self.kind());
        match mend {
            Some(mend) => problems.report_with_mend(&self.place, message, mend),
            None => problems.report(&self.place, message),
        }
        None
    }
}

/// The text as a JSON string, which is a YAML string too.
pub(in crate::schema) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write_joined<T>(json: &mut String, around: [char; 2], items: &[T], write_item: impl Fn(&T, &mut String)) {
    json.push(around[0]);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        write_item(item, json);
    }
    json.push(around[1]);
}
