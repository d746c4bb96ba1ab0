//! `string` in its formats, and `any`: text kept byte for byte.

use arrow_schema::DataType;

use super::{
    column::{CellReader, TextColumn},
    formats,
    problem::{CellFault, FORM},
};
use crate::{decode::json::JsonKind, schema::StringFormat};

/// Reads `any` and the `string` format that is any text.
#[derive(Debug)]
pub(super) struct TextReader {
    any: bool,
}

impl TextReader {
    /// Reads `string`.
    pub(super) const STRING: Self = Self { any: false };
    /// Reads `any`.
    pub(super) const ANY: Self = Self { any: true };
}

impl CellReader for TextReader {
    type Stored = TextColumn;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    #[inline]
    fn read_common_form<'a>(&self, text: &'a str) -> Option<&'a str> {
        // No text is wrong. NUL is looked for by the column, for all types at once.
        Some(text)
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<&'a str, CellFault> {
        Ok(text)
    }

    /// What has no declared type is kept as its text.
    fn json_kinds(&self) -> &[JsonKind] {
        const ANY: &[JsonKind] =
            &[JsonKind::String, JsonKind::Number, JsonKind::Boolean, JsonKind::Array, JsonKind::Object];
        if self.any { ANY } else { &[JsonKind::String] }
    }

    fn value_length(&self, text: &str) -> Option<(u64, &'static str)> {
        Some((count_characters(text), "character"))
    }

    fn value_noun(&self) -> &'static str {
        "text"
    }

    fn mend_hint(&self) -> String {
        "take that character out".into()
    }
}

fn count_characters(text: &str) -> u64 {
    text.chars().count() as u64
}

/// Reads the other formats of `string`.
#[derive(Debug)]
pub(super) struct FormatReader {
    format: StringFormat,
}

impl FormatReader {
    pub(super) fn new(format: StringFormat) -> Self {
        Self { format }
    }
}

impl CellReader for FormatReader {
    type Stored = TextColumn;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<&'a str, CellFault> {
        let sound = match self.format {
            StringFormat::Default => true,
            StringFormat::Email => formats::is_email(text),
            StringFormat::Uri => formats::is_uri(text),
            // Checked but not decoded: the database gets the text as it is in the file.
            StringFormat::Binary => formats::is_base64(text),
            StringFormat::Uuid => formats::is_uuid(text),
        };
        if sound { Ok(text) } else { Err(FORM) }
    }

    fn value_length(&self, text: &str) -> Option<(u64, &'static str)> {
        Some((count_characters(text), "character"))
    }

    fn value_noun(&self) -> &'static str {
        match self.format {
            StringFormat::Default => "text",
            StringFormat::Email => "an e-mail address",
            StringFormat::Uri => "a URI",
            StringFormat::Binary => "base64",
            StringFormat::Uuid => "a UUID",
        }
    }

    fn mend_hint(&self) -> String {
        let example = match self.format {
            StringFormat::Default => "text",
            StringFormat::Email => "ada@example.org",
            StringFormat::Uri => "https://example.org/page",
            StringFormat::Binary => "TGFuZGZhbGw=, with padding and without spaces",
            StringFormat::Uuid => "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
        };
        format!("write it like {example}")
    }
}
