//! Cells that are missing values only without quotes (`quotedMissing: false`), as PostgreSQL's COPY writes them.

use super::{
    draft::to_u32,
    records::{CellSpan, Records},
    rules::NULL_CELL,
};

impl Records {
    /// Gives each cell that stands without quotes the text [`NULL_CELL`] if its text is among `texts`, of which there is a list for each
    /// column. The dialect must have asked the decoder to note which cells stand in quotes (`quotedMissing`).
    pub fn mark_missing_cells(&mut self, texts: &[Vec<String>]) {
        // One text stands for all of them.
        let null = CellSpan::in_side(to_u32(self.side.len()), to_u32(self.side.len() + NULL_CELL.len()));
        for record in 0..self.len() {
            let (first, end) = (self.firsts[record] as usize, self.firsts[record + 1] as usize);
            for (at, texts) in (first..end).zip(texts) {
                let text = self.span_text(self.cells[at]);
                if texts.iter().any(|missing| missing == text) && !self.quoted.get(at).is_some_and(|quoted| *quoted) {
                    self.cells[at] = null;
                }
            }
        }
        self.side.push_str(NULL_CELL);
    }
}

#[cfg(test)]
mod tests {
    use crate::decode::{Decoder, NULL_CELL};
    use crate::schema::{Dialect, Encoding};

    #[test]
    fn only_cells_without_quotes_are_missing() {
        let dialect = Dialect { quoted_missing: false, ..Dialect::default() };
        let decoder = Decoder::new(&dialect, Encoding::Utf8);
        for (line, expected) in [
            (",\"\",NA,\"NA\"", [NULL_CELL, "", NULL_CELL, "NA"]),
            ("\"\"\"\",,NA,x", ["\"", NULL_CELL, NULL_CELL, "x"]),
            ("a,b,c,d", ["a", "b", "c", "d"]),
        ] {
            let mut records = decoder.decode_record(line.as_bytes());
            let texts = [vec![String::new()], vec![String::new()], vec!["NA".to_owned()], vec!["NA".to_owned()]];
            records.mark_missing_cells(&texts);
            let cells: Vec<_> = (0..4).filter_map(|column| records.cell_text(0, column)).collect();
            assert_eq!(cells, expected, "{line}");
        }
    }
}
