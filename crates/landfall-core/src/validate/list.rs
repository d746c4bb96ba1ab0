//! `list`: items in a delimited text, stored as a JSON array.

use std::cmp::Ordering;

use arrow_schema::DataType;
use serde_json::value::RawValue;

use super::{
    boolean::BooleanReader,
    column::{CellReader, TextColumn},
    integer::IntegerReader,
    json,
    number::NumberReader,
    problem::{CellFault, quote_shortened},
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
    item: ListItemReader,
}

/// How an item is read: with the default format of its type, as the standard requires.
#[derive(Debug)]
enum ListItemReader {
    Text,
    Integer(IntegerReader),
    Number(NumberReader),
    Boolean(BooleanReader),
    Datetime(DatetimeReader),
    Date(DateReader),
    Time(TimeReader),
}

impl ListItemReader {
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

    fn item_noun(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer(reader) => reader.value_noun(),
            Self::Number(reader) => reader.value_noun(),
            Self::Boolean(reader) => reader.value_noun(),
            Self::Datetime(reader) => reader.value_noun(),
            Self::Date(reader) => reader.value_noun(),
            Self::Time(reader) => reader.value_noun(),
        }
    }

    /// Writes an item as JSON.
    fn push(&self, text: &str, out: &mut String) -> Result<(), CellFault> {
        let mut scratch = String::new();
        match self {
            Self::Text => json::push_string(out, text),
            Self::Integer(reader) => render::integer_text(read_item(reader, text, &mut scratch)?, out),
            Self::Boolean(reader) => render::boolean_text(read_item(reader, text, &mut scratch)?, out),
            Self::Number(reader) => match read_item(reader, text, &mut scratch)? {
                // JSON has no such numbers.
                special @ ("NaN" | "INF" | "-INF") => json::push_string(out, special),
                number => out.push_str(number),
            },
            Self::Datetime(reader) => push_quoted(out, read_item(reader, text, &mut scratch)?, render::datetime_text),
            Self::Date(reader) => push_quoted(out, read_item(reader, text, &mut scratch)?, render::push_date),
            Self::Time(reader) => push_quoted(out, read_item(reader, text, &mut scratch)?, render::push_time),
        }
        Ok(())
    }
}

fn read_item<'a, R: CellReader>(
    reader: &R,
    text: &'a str,
    scratch: &'a mut String,
) -> Result<super::column::ReaderValue<'a, R>, CellFault> {
    match reader.read_common_form(text) {
        Some(value) => Ok(value),
        None => reader.read(text, scratch),
    }
}

fn push_quoted<V>(out: &mut String, value: V, text: fn(V, &mut String)) {
    out.push('"');
    text(value, out);
    out.push('"');
}

impl ListItemReader {
    /// Adds an item of a JSON array.
    fn push_json_item(&self, item: &RawValue, out: &mut String) -> Result<(), CellFault> {
        let text = item.get();
        let is_string = text.starts_with('"');
        let sound = match self {
            // A JSON array has types of its own: `"1"` is a string there and no number, unlike in a delimited list.
            Self::Integer(_) | Self::Number(_) => {
                !is_string && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            }
            Self::Boolean(_) => matches!(text, "true" | "false"),
            Self::Text | Self::Datetime(_) | Self::Date(_) | Self::Time(_) => is_string,
        };
        if !sound {
            return Err(format!("item {} is not {}", quote_shortened(text), self.item_noun()).into());
        }
        if !is_string {
            return self.push(text, out);
        }
        let text = json::string_value(item).ok_or("an item has half a surrogate pair, which is no text")?;
        // The check of the cell sees `\u0000` only as an escape; it becomes a NUL here.
        if text.contains('\0') {
            return Err("an item contains a NUL character, which not every database can hold".into());
        }
        self.push(&text, out)
    }
}

impl ListReader {
    pub(super) fn new(delimiter: &str, item: ListItem) -> Result<Self, String> {
        if delimiter.is_empty() {
            // Rust splits at every character by an empty text, which would make a list of letters.
            return Err("is empty".into());
        }
        Ok(Self { delimiter: delimiter.to_owned(), item: ListItemReader::new(item)? })
    }
}

impl CellReader for ListReader {
    type Stored = TextColumn;

    const OWN_EQUALITY: bool = true;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn read<'a>(&self, text: &'a str, scratch: &'a mut String) -> Result<&'a str, CellFault> {
        scratch.push('[');
        // Items are not trimmed: the standard knows no white space around a delimiter.
        for (at, item) in text.split(&self.delimiter).enumerate() {
            if at > 0 {
                scratch.push(',');
            }
            self.item.push(item, scratch).map_err(|cause| {
                let because = if cause.is_empty() { String::new() } else { format!(", {cause}") };
                CellFault::from(format!(
                    "item {} is {}, which is not {}{because}",
                    at + 1,
                    quote_shortened(item),
                    self.item.item_noun()
                ))
            })?;
        }
        scratch.push(']');
        Ok(scratch)
    }

    fn json_kinds(&self) -> &[JsonKind] {
        &[JsonKind::Array]
    }

    fn read_json<'a>(&self, _kind: JsonKind, text: &'a str, scratch: &'a mut String) -> Result<&'a str, CellFault> {
        scratch.push('[');
        for (at, item) in json::array_items(text).ok_or("")?.into_iter().enumerate() {
            if at > 0 {
                scratch.push(',');
            }
            self.item.push_json_item(item, scratch)?;
        }
        scratch.push(']');
        Ok(scratch)
    }

    fn compare_values(&self, left: &str, right: &str) -> Option<Ordering> {
        json::are_equal_json(left, right).then_some(Ordering::Equal)
    }

    fn value_length(&self, text: &str) -> Option<(u64, &'static str)> {
        // The text of a cell, not the stored array, and so of the same delimiter as the reading.
        Some((text.split(&self.delimiter).count() as u64, "item"))
    }

    fn value_noun(&self) -> &'static str {
        "a list"
    }

    fn mend_hint(&self) -> String {
        format!("separate the items with {}", quote_shortened(&self.delimiter))
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
