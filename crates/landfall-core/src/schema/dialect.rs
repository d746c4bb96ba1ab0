//! The Table Dialect: how a delimited file is written.
//!
//! Standard: <https://datapackage.org/standard/table-dialect/>.

/// How a delimited file is written. All characters are single ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Between two cells; `,` by default.
    pub delimiter: u8,
    /// Around a cell that contains delimiters or line ends; `"` by default.
    pub quote_char: Option<u8>,
    /// Two quotes within a quoted cell are one.
    pub double_quote: bool,
    /// The character that takes the meaning from the next one; see also [`Dialect::is_mysql`].
    pub escape_char: Option<u8>,
    /// A cell with exactly this text is a missing value.
    pub null_sequence: Option<String>,
    /// Spaces after a delimiter are not part of the cell.
    pub skip_initial_space: bool,
    /// Where the header is, or that there is none.
    pub header: HeaderRows,
    /// Joins the cells of several header rows; one space by default.
    pub header_join: String,
    /// A record that starts with this character is a comment.
    pub comment_char: Option<u8>,
    /// Records (counted from 1, header rows and comments included) that are comments.
    pub comment_rows: Vec<u64>,
    /// What ends a record.
    pub line_terminator: LineTerminator,
}

impl Dialect {
    /// Whether the file is written as `SELECT … INTO OUTFILE` of MySQL and MariaDB writes it: where `nullSequence` is the escape
    /// character and an `N`, which no cell could be otherwise, since the escape character would be taken away. Then `\N` without quotes is
    /// a missing value, and `\0`, `\b`, `\n`, `\r`, `\t` and `\Z` are control characters.
    ///
    /// <https://dev.mysql.com/doc/refman/8.4/en/load-data.html>
    #[must_use]
    pub fn is_mysql(&self) -> bool {
        let escape = self.escape_char.filter(|_| self.escape_char != self.quote_char);
        let null = self.null_sequence.as_deref().map(str::as_bytes);
        matches!((escape, null), (Some(escape), Some([first, b'N'])) if *first == escape)
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote_char: Some(b'"'),
            double_quote: true,
            escape_char: None,
            null_sequence: None,
            skip_initial_space: false,
            header: HeaderRows::At(vec![1]),
            header_join: " ".into(),
            comment_char: None,
            comment_rows: Vec::new(),
            line_terminator: LineTerminator::Any,
        }
    }
}

/// Where the header of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderRows {
    /// The file has no header: the first record is data.
    None,
    /// The header's records, counted from 1. Records before the last of them are not data.
    At(Vec<u64>),
}

/// What ends a record outside quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LineTerminator {
    /// LF, CRLF or CR, also mixed.
    #[default]
    Any,
    /// Exactly this text, where it is none of those three.
    Custom(String),
}
