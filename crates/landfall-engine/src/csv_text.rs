//! Writing CSV (RFC 4180, LF).

/// A line of `join_cells`, with its line end.
pub(crate) fn join_line<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let mut text = self::join_cells(cells);
    text.push('\n');
    text
}

/// `cells`, joined by commas and quoted where that is needed.
pub(crate) fn join_cells<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let mut text = String::new();
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push_csv_cell(&mut text, cell);
    }
    text
}

/// Appends `cell`, quoted where it has a comma, a quote or a line end in it, or blanks around it.
pub(crate) fn push_csv_cell(text: &mut String, cell: &str) {
    // RFC 4180 keeps blanks as they are, and yet many programs trim a cell without quotes.
    let blank = cell.starts_with(' ') || cell.ends_with(' ');
    if blank || cell.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(cell);
    }
}

/// Whether a spreadsheet may run `cell` as a formula: it begins with one of the characters that begin a formula, in half or full
/// width, or with what some programs cut off before they look (blanks, line ends, a byte order mark).
pub(crate) fn is_formula(cell: &str) -> bool {
    let begins = |first: char| matches!(first, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\u{2212}');
    let is_cut_off = |first: char| {
        first.is_whitespace()
            || first.is_control()
            || matches!(first, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}')
    };
    cell.starts_with(begins) || cell.starts_with(is_cut_off)
}

/// `cell` as it is shown to people: what a spreadsheet may run as a formula has a `'` before it, which makes it text.
pub(crate) fn guard_formula(cell: &str) -> String {
    if is_formula(cell) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    /// A line end, a blank or a full-width sign before a formula went through.
    #[test]
    fn formulas_are_known_by_how_they_begin() {
        for formula in [
            "=1",
            "+1",
            "-1",
            "@x",
            "\t=1",
            "\r=1",
            "\n=1",
            "\n",
            " =1",
            "  x",
            "\u{a0}=1",
            "\u{3000}=1",
            "\u{feff}=1",
            "\u{200b}=1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "−1",
            "\0=1",
        ] {
            assert!(super::is_formula(formula), "{formula:?}");
            assert_eq!(super::guard_formula(formula), format!("'{formula}"));
        }
        for text in ["", "1", "a=1", "'=1", "x -1", "É", "(1)", "\"=1", "#N/A", "%x"] {
            assert!(!super::is_formula(text), "{text:?}");
            assert_eq!(super::guard_formula(text), text);
        }
    }

    #[test]
    fn quotes_only_what_needs_it() {
        assert_eq!(super::join_line(["a", "b,c", "d\"e", "", "é\n"]), "a,\"b,c\",\"d\"\"e\",,\"é\n\"\n");
    }
}
