//! `boolean`: exactly the declared words.

use arrow_schema::DataType;

use super::{
    column::{BooleanColumn, CellReader},
    problem::{CellFault, FORM, quote_shortened},
};
use crate::{decode::json::JsonKind, schema::BooleanWords};

/// Reads `boolean`.
#[derive(Debug)]
pub(super) struct BooleanReader {
    words: BooleanWords,
}

impl BooleanReader {
    pub(super) fn new(words: BooleanWords) -> Self {
        Self { words }
    }
}

impl CellReader for BooleanReader {
    type Stored = BooleanColumn;

    fn data_type(&self) -> DataType {
        DataType::Boolean
    }

    #[inline]
    fn read_common_form(&self, text: &str) -> Option<bool> {
        // A word in both lists is false, as in the reference validator.
        if self.words.false_values.iter().any(|word| word == text) {
            return Some(false);
        }
        self.words.true_values.iter().any(|word| word == text).then_some(true)
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<bool, CellFault> {
        self.read_common_form(text).ok_or(FORM)
    }

    fn json_kinds(&self) -> &[JsonKind] {
        &[JsonKind::Boolean]
    }

    fn read_json<'a>(&self, _kind: JsonKind, text: &'a str, _scratch: &'a mut String) -> Result<bool, CellFault> {
        Ok(text == "true")
    }

    fn value_noun(&self) -> &'static str {
        "a boolean"
    }

    fn mend_hint(&self) -> String {
        let words = self.words.true_values.iter().chain(&self.words.false_values);
        // Enough for all default words; a field may declare hundreds, and the message must stay readable.
        let words: Vec<String> = words.take(12).map(|word| quote_shortened(word)).collect();
        format!("write one of {}", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Value, scalar::tests::value_of};
    use crate::schema::{BooleanWords, FieldType};

    #[test]
    fn the_words_are_exact() {
        let kind = FieldType::Boolean(BooleanWords::default());
        for (text, value) in [
            ("true", Some(true)),
            ("TRUE", Some(true)),
            ("0", Some(false)),
            ("T", None),
            (" true", None),
            ("tRue", None),
        ] {
            assert_eq!(value_of(&kind, text), value.map(Value::Boolean), "{text}");
        }
    }

    #[test]
    fn own_words() {
        let kind =
            FieldType::Boolean(BooleanWords { true_values: vec!["ja".into()], false_values: vec!["nein".into()] });
        assert_eq!(value_of(&kind, "ja"), Some(Value::Boolean(true)));
        assert_eq!(value_of(&kind, "true"), None);
    }
}
