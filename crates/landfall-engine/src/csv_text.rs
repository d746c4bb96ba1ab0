//! Writing CSV (RFC 4180, LF).

/// A line of `cells`, with its line end.
pub(crate) fn line<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let mut text = self::cells(cells);
    text.push('\n');
    text
}

/// `cells`, joined by commas and quoted where that is needed.
pub(crate) fn cells<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let mut text = String::new();
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push_cell(&mut text, cell);
    }
    text
}

/// Appends `cell`, quoted where it has a comma, a quote or a line end in it, or blanks around it.
pub(crate) fn push_cell(text: &mut String, cell: &str) {
    let blank = cell.starts_with(' ') || cell.ends_with(' ');
    if blank || cell.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(cell);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_only_what_needs_it() {
        assert_eq!(super::line(["a", "b,c", "d\"e", "", "é\n"]), "a,\"b,c\",\"d\"\"e\",,\"é\n\"\n");
    }
}
