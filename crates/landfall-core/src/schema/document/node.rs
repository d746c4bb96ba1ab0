use std::fmt::Write as _;

use super::{DescriptorProblems, DocumentPlace, MapReader};

/// A value of a document and where it stands.
#[derive(Debug, Clone)]
pub struct DocumentNode {
    /// What it is.
    pub value: NodeValue,
    /// Where it stands.
    pub place: DocumentPlace,
}

/// What a document can hold.
#[derive(Debug, Clone)]
pub enum NodeValue {
    /// Nothing: `null`, `~`, or a key without a value.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as its text stands in the source.
    Number(String),
    /// A text, its quotes and escapes resolved.
    Text(String),
    /// A list.
    List(Vec<DocumentNode>),
    /// A map, in the order of the source. No key occurs twice.
    Map(Vec<MapEntry>),
}

/// A key of a map with its value.
#[derive(Debug, Clone)]
pub struct MapEntry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_place: DocumentPlace,
    /// The value.
    pub node: DocumentNode,
}

impl DocumentNode {
    /// The text, or nothing and an error that names the node `what`.
    pub fn read_text(&self, what: &str, problems: &DescriptorProblems) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            // Taken for text, `1.10` and `no` would depend on how YAML reads them; quotes make it plain.
            NodeValue::Number(_) | NodeValue::Bool(_) => {
                let mend = format!("write it in quotes: {}", quote_text(&self.to_json()));
                self.refuse_kind(what, "text", Some(mend), problems)
            }
            _ => self.refuse_kind(what, "text", None, problems),
        }
    }

    /// True or false, or nothing and an error that names the node `what`.
    pub fn read_flag(&self, what: &str, problems: &DescriptorProblems) -> Option<bool> {
        match &self.value {
            NodeValue::Bool(flag) => Some(*flag),
            NodeValue::Text(text) if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {
                let mend = format!("write it without quotes: {}", text.to_ascii_lowercase());
                self.refuse_kind(what, "true or false", Some(mend), problems)
            }
            _ => self.refuse_kind(what, "true or false", None, problems),
        }
    }

    /// A whole number from 0, or nothing and an error that names the node `what`.
    pub fn read_whole_number(&self, what: &str, problems: &DescriptorProblems) -> Option<u64> {
        let number = match &self.value {
            NodeValue::Number(text) => text.parse().ok(),
            _ => None,
        };
        number.or_else(|| self.refuse_kind(what, "a whole number, 0 or more", None, problems))
    }

    /// The list's nodes, or nothing and an error that names the node `what`.
    pub fn read_list(&self, what: &str, problems: &DescriptorProblems) -> Option<&[Self]> {
        match &self.value {
            NodeValue::List(nodes) => Some(nodes),
            NodeValue::Text(_) | NodeValue::Number(_) | NodeValue::Bool(_) => {
                let mend = format!("write [{}]", self.to_json());
                self.refuse_kind(what, "a list", Some(mend), problems)
            }
            _ => self.refuse_kind(what, "a list", None, problems),
        }
    }

    /// The texts of a list, or nothing and errors that name the node `what`.
    pub fn read_texts(&self, what: &str, problems: &DescriptorProblems) -> Option<Vec<String>> {
        let item = format!("an item of {what}");
        let nodes = self.read_list(what, problems)?;
        let texts: Vec<String> =
            nodes.iter().filter_map(|node| node.read_text(&item, problems)).map(String::from).collect();
        (texts.len() == nodes.len()).then_some(texts)
    }

    /// A reader of the map, or nothing and an error that names the node `what`.
    pub fn read_map<'a>(&'a self, what: &'a str, problems: &'a DescriptorProblems) -> Option<MapReader<'a>> {
        match &self.value {
            NodeValue::Map(entries) => Some(MapReader::new(what, entries, &self.place, problems)),
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
            NodeValue::Null => json.push_str("null"),
            NodeValue::Bool(flag) => json.push_str(if *flag { "true" } else { "false" }),
            NodeValue::Number(text) => json.push_str(text),
            NodeValue::Text(text) => json.push_str(&quote_text(text)),
            NodeValue::List(nodes) => write_joined(json, ['[', ']'], nodes, Self::write_json),
            NodeValue::Map(entries) => write_joined(json, ['{', '}'], entries, |entry, json| {
                let _ = write!(json, "{}:", quote_text(&entry.key));
                entry.node.write_json(json);
            }),
        }
    }

    const fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "true or false",
            NodeValue::Number(_) => "a number",
            NodeValue::Text(_) => "text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a map",
        }
    }

    fn refuse_kind<T>(
        &self,
        what: &str,
        wanted: &str,
        mend: Option<String>,
        problems: &DescriptorProblems,
    ) -> Option<T> {
        let message = format!("{what} must be {wanted}, not {}", self.kind());
        match mend {
            Some(mend) => problems.report_with_mend(&self.place, message, mend),
            None => problems.report_problem(&self.place, message),
        }
        None
    }
}

/// The text as a JSON string, which is a YAML string too.
pub(in crate::schema) fn quote_text(text: &str) -> String {
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
