//! `list`: items in a delimited text, stored as a JSON array.

use std::cmp::Ordering;

use arrow_schema::DataType;
use serde_json::value::RawValue;

use super::{
    boolean::BooleanReader,
    column::{Reader, Texts},
    integer::IntegerReader,
    json,
    number::NumberReader,
    problem::{Cause, shown},
    render,
    temporal::{DateReader, DatetimeReader, TimeReader},
};
use crate::{
    decode::json::JsonKind,
    schema::{Ambiguous, BooleanWords, ListItem, NumberFormat, TemporalFormat},
};

/// Reads `list`.
#[derive(Debug)]
pub(super) struct ListReader {
    delimiter: String,
    item: Item,
}

/// How an item is read: with the default format of its type, as the standard requires.
#[derive(Debug)]
enum Item {
    Text,
    Integer(IntegerReader),
    Number(NumberReader),
    Boolean(BooleanReader),
    Datetime(DatetimeReader),
    Date(DateReader),
    Time(TimeReader),
}

impl Item {
    fn new(kind: ListItem) -> Result<Self, String> {
        let form = TemporalFormat::Default;
        Ok(match kind {
            ListItem::String => Self::Text,
            ListItem::Integer => Self::Integer(IntegerReader::new(true, None, false)),
            ListItem::Number => Self::Number(NumberReader::new(NumberFormat::default(), false)),
            ListItem::Boolean => Self::Boolean(BooleanReader::new(BooleanWords::default())),
            ListItem::Datetime => {
                Self::Datetime(DatetimeReader::new(&form, None, Ambiguous::Reject).map_err(|(_, why)| why)?)
            }
            ListItem::Date => Self::Date(DateReader::new(&form)?),
            ListItem::Time => Self::Time(TimeReader::new(&form)?),
        })
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer(reader) => reader.noun(),
            Self::Number(reader) => reader.noun(),
            Self::Boolean(reader) => reader.noun(),
            Self::Datetime(reader) => reader.noun(),
            Self::Date(reader) => reader.noun(),
            Self::Time(reader) => reader.noun(),
        }
    }

    /// Writes an item as JSON.
    fn push(&self, text: &str, out: &mut String) -> Result<(), Cause> {
        let mut scratch = String::new();
        match self {
            Self::Text => json::push_string(out, text),
            Self::Integer(reader) => render::integer_text(value(reader, text, &mut scratch)?, out),
            Self::Boolean(reader) => render::boolean_text(value(reader, text, &mut scratch)?, out),
            Self::Number(reader) => match value(reader, text, &mut scratch)? {
                // JSON has no such numbers.
                special @ ("NaN" | "INF" | "-INF") => json::push_string(out, special),
                number => out.push_str(number),
            },
            Self::Datetime(reader) => quoted(out, value(reader, text, &mut scratch)?, render::datetime_text),
            Self::Date(reader) => quoted(out, value(reader, text, &mut scratch)?, render::date_text),
            Self::Time(reader) => quoted(out, value(reader, text, &mut scratch)?, render::time_text),
        }
        Ok(())
    }
}

fn value<'a, R: Reader>(
    reader: &R,
    text: &'a str,
    scratch: &'a mut String,
) -> Result<super::column::Value<'a, R>, Cause> {
    match reader.quick(text) {
        Some(value) => Ok(value),
        None => reader.read(text, scratch),
    }
}

fn quoted<V>(out: &mut String, value: V, text: fn(V, &mut String)) {
    out.push('"');
    text(value, out);
    out.push('"');
}

impl Item {
    /// Adds an item of a JSON array.
    fn push_json(&self, item: &RawValue, out: &mut String) -> Result<(), Cause> {
        let text = item.get();
        let is_string = text.starts_with('"');
        let sound = match self {
            Self::Integer(_) | Self::Number(_) => {
                !is_string && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            }
            Self::Boolean(_) => matches!(text, "true" | "false"),
            Self::Text | Self::Datetime(_) | Self::Date(_) | Self::Time(_) => is_string,
        };
        if !sound {
            return Err(format!("item {} is not {}", shown(text), self.noun()).into());
        }
        if !is_string {
            return self.push(text, out);
        }
        let text = json::string(item).ok_or("an item has half a surrogate pair, which is no text")?;
        if text.contains('\0') {
            return Err("an item contains a NUL character, which not every database can hold".into());
        }
        self.push(&text, out)
    }
}

impl ListReader {
    pub(super) fn new(delimiter: &str, item: ListItem) -> Result<Self, String> {
        if delimiter.is_empty() {
            return Err("is empty".into());
        }
        Ok(Self { delimiter: delimiter.to_owned(), item: Item::new(item)? })
    }
}

impl Reader for ListReader {
    type Stored = Texts;

    const OWN_EQUALITY: bool = true;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn read<'a>(&self, text: &'a str, scratch: &'a mut String) -> Result<&'a str, Cause> {
        scratch.push('[');
        for (at, item) in text.split(&self.delimiter).enumerate() {
            if at > 0 {
                scratch.push(',');
            }
            self.item.push(item, scratch).map_err(|cause| {
                let because = if cause.is_empty() { String::new() } else { format!(", {cause}") };
                Cause::from(format!("item {} is {}, which is not {}{because}", at + 1, shown(item), self.item.noun()))
            })?;
        }
        scratch.push(']');
        Ok(scratch)
    }

    fn json_kinds(&self) -> &[JsonKind] {
        &[JsonKind::Array]
    }

    fn read_json<'a>(&self, _kind: JsonKind, text: &'a str, scratch: &'a mut String) -> Result<&'a str, Cause> {
        scratch.push('[');
        for (at, item) in json::items(text).ok_or("")?.into_iter().enumerate() {
            if at > 0 {
                scratch.push(',');
            }
            self.item.push_json(item, scratch)?;
        }
        scratch.push(']');
        Ok(scratch)
    }

    fn order(&self, left: &str, right: &str) -> Option<Ordering> {
        json::equal(left, right).then_some(Ordering::Equal)
    }

    fn length(&self, text: &str) -> Option<(u64, &'static str)> {
        Some((text.split(&self.delimiter).count() as u64, "item"))
    }

    fn noun(&self) -> &'static str {
        "a list"
    }

    fn hint(&self) -> String {
        format!("separate the items with {}", shown(&self.delimiter))
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalar::tests::{problems_of, text_of};
    use crate::schema::{FieldType, ListItem};

    fn list(delimiter: &str, item: ListItem) -> FieldType {
        FieldType::List { delimiter: delimiter.into(), item }
    }

    #[test]
    fn lists() {
        let text = |item, cell| text_of(&list(",", item), cell);
        assert_eq!(text(ListItem::String, "a, b,,\"").as_deref(), Some(r#"["a"," b","","\""]"#));
        assert_eq!(text(ListItem::Integer, "1,+2").as_deref(), Some("[1,2]"));
        assert_eq!(text(ListItem::Integer, "1,,2"), None);
        assert_eq!(text(ListItem::Number, "1.50,nan").as_deref(), Some(r#"[1.50,"NaN"]"#));
        assert_eq!(text(ListItem::Boolean, "true,0").as_deref(), Some("[true,false]"));
        assert_eq!(text(ListItem::Date, "2021-11-07").as_deref(), Some(r#"["2021-11-07"]"#));
        assert_eq!(text(ListItem::Time, "02:48:42.5").as_deref(), Some(r#"["02:48:42.500000"]"#));
        let utc = text(ListItem::Datetime, "2021-11-07T02:48:42+01:00");
        assert_eq!(utc.as_deref(), Some(r#"["2021-11-07T01:48:42Z"]"#));
        assert_eq!(text_of(&list("; ", ListItem::String), "a; b;c").as_deref(), Some(r#"["a","b;c"]"#));
    }

    #[test]
    fn the_item_at_fault_is_named() {
        let problems = problems_of(&list(";", ListItem::Integer), "1;x");
        assert_eq!(
            problems[0].message,
            "field \"f\": \"1;x\" is not a list (item 2 is \"x\", which is not an integer); separate the items with \";\""
        );
    }
}
