//! Cells in exported rejects of sources in which a missing value and a text are two things though a spreadsheet shows them alike: MySQL's
//! form with its `\N`, and PostgreSQL's with its empty cells in quotes and without (`quotedMissing: false`).
//!
//! A missing value is exported as `\N`, and the text `\N`, or one with more escape characters before its N, with one escape character more.
//! All other texts stand for themselves, so that a person reads and mends them as they are.

use landfall_core::{decode::NULL_CELL, schema::Dialect};

const ESCAPE: u8 = b'\\';
const NULL: &str = "\\N";

/// How the cells of a source are exported, and taken back.
#[derive(Debug, Clone, Copy)]
pub(super) struct NullCellForm {
    /// Whether a missing value has a text that no value can have.
    has_null: bool,
}

impl NullCellForm {
    pub(super) fn for_dialect(dialect: &Dialect) -> Self {
        Self { has_null: dialect.is_mysql() || !dialect.quoted_missing }
    }

    /// The text of a cell as it is exported.
    pub(super) fn export_cell(self, text: &str) -> String {
        match text {
            NULL_CELL => NULL.to_owned(),
            text if self.has_null && looks_missing(text) => format!("\\{text}"),
            text => text.to_owned(),
        }
    }

    /// The text for a missing value, where there is one in every field.
    pub(super) fn missing_text(self) -> Option<&'static str> {
        self.has_null.then_some(NULL)
    }

    /// A cell of an export as the record has it that is tried: see [`mended_dialect`](Self::mended_dialect).
    pub(super) fn to_record_cell(self, cell: &str) -> String {
        if !self.has_null || cell == NULL {
            return cell.to_owned();
        }
        let text = if looks_missing(cell) { &cell[1..] } else { cell };
        text.replace('\\', "\\\\")
    }

    /// The dialect of a mended record: the default one, with the null sequence of the source's own `dialect`. Its superfluous empty cells
    /// are still there.
    pub(super) fn mended_dialect(dialect: &Dialect) -> Dialect {
        let own =
            Dialect { null_sequence: dialect.null_sequence.clone(), ragged: dialect.ragged, ..Dialect::default() };
        if Self::for_dialect(dialect).has_null {
            return Dialect { escape_char: Some(ESCAPE), null_sequence: Some(NULL.to_owned()), ..own };
        }
        own
    }
}

/// Whether `text` is an N behind one escape character or more.
fn looks_missing(text: &str) -> bool {
    text.len() > 1 && text.strip_suffix('N').is_some_and(|before| before.bytes().all(|byte| byte == ESCAPE))
}

#[cfg(test)]
mod tests {
    use landfall_core::decode::Decoder;
    use landfall_core::schema::Encoding;
    use proptest::prelude::*;

    use super::*;
    use crate::csv_text;

    /// The cells of MySQL's own form.
    fn mysql() -> Dialect {
        Dialect { escape_char: Some(b'\\'), null_sequence: Some("\\N".into()), ..Dialect::default() }
    }

    proptest! {
        #[test]
        fn what_is_exported_and_left_alone_is_tried_as_it_was(cells in prop::collection::vec(
            prop_oneof![Just(NULL_CELL.to_owned()), r"\\{0,4}N", r#"[\\Nn"', ;\t\r\na-cé=]{0,8}"#], 2..6
        )) {
            let nulls = NullCellForm::for_dialect(&mysql());
            let exported: Vec<String> = cells.iter().map(|cell| nulls.export_cell(cell)).collect();
            let written: Vec<String> = exported.iter().map(|cell| nulls.to_record_cell(cell)).collect();
            let record = csv_text::join_cells(written.iter().map(String::as_str));
            let records = Decoder::new(&NullCellForm::mended_dialect(&mysql()), Encoding::Utf8).decode_record(record.as_bytes());
            prop_assert!(records.record_faults().is_empty(), "{record:?}");
            let read: Vec<&str> = (0..records.cell_count(0)).filter_map(|column| records.cell_text(0, column)).collect();
            prop_assert_eq!(read, cells);
        }
    }

    #[test]
    fn other_sources_are_exported_as_they_are() {
        let nulls = NullCellForm::for_dialect(&Dialect::default());
        for cell in ["\\N", "\\\\N", "a\\b", ""] {
            assert_eq!((nulls.export_cell(cell), nulls.to_record_cell(cell)), (cell.to_owned(), cell.to_owned()));
        }
    }
}
