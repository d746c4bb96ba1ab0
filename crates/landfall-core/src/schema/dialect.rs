//! The Table Dialect: how a delimited file is written.
//!
//! Standard: <https://datapackage.org/standard/table-dialect/>. The properties `ragged`, `strayQuotes`, `quotedMissing`, `trim` and
//! `headerMatch` are Landfall's own, as is a delimiter of several characters.

use std::fmt;

/// How a delimited file is written. All characters with a role are single ASCII characters, save for the delimiter and the line terminator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Between two cells; `,` by default.
    pub delimiter: Delimiter,
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
    /// What becomes of records with too few or too many cells.
    pub ragged: Ragged,
    /// What becomes of quotes in cells that do not begin with one.
    pub stray_quotes: StrayQuotes,
    /// Whether a cell in quotes can be a missing value.
    pub quoted_missing: bool,
    /// Spaces and tabs around a cell are not part of it. Those within quotes are.
    pub trim: bool,
    /// How the columns of a file with a header belong to the fields.
    pub header_match: HeaderMatch,
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

    /// Whether blanks before a cell are not part of it.
    #[must_use]
    pub const fn skips_blanks(&self) -> bool {
        self.skip_initial_space || self.trim
    }

    /// What its properties say against each other, as a sentence without its end: for descriptors and for what is given with a file.
    pub(super) fn find_contradiction(&self) -> Option<String> {
        let text = self.delimiter.as_str();
        // A tab alone may be a delimiter under `trim`: trimming leaves it where it parts cells.
        let blank = text.starts_with(' ') || (self.trim && text.starts_with('\t') && text.len() > 1);
        if self.skips_blanks() && blank {
            let name = if self.trim { "trim" } else { "skipInitialSpace" };
            let begins = if text == " " { "is" } else { "begins with" };
            return Some(format!("\"{name}\" cannot be true where \"delimiter\" {begins} a space"));
        }
        let roles =
            [("quoteChar", self.quote_char), ("escapeChar", self.escape_char), ("commentChar", self.comment_char)];
        // One character with two roles is reported elsewhere; here it is about longer delimiters.
        let within = |byte: u8| text.len() > 1 && text.as_bytes().contains(&byte);
        let clash = roles.iter().find(|(_, byte)| byte.is_some_and(within));
        clash.map(|(name, _)| format!("\"delimiter\" holds the character of \"{name}\""))
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: b','.into(),
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
            ragged: Ragged::Reject,
            stray_quotes: StrayQuotes::Keep,
            quoted_missing: true,
            trim: false,
            header_match: HeaderMatch::Labels,
        }
    }
}

/// What stands between two cells: one ASCII character in nearly all files, else a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Delimiter(DelimiterText);

#[derive(Clone, PartialEq, Eq)]
enum DelimiterText {
    /// One ASCII character, which can be looked for at memory speed.
    Character([u8; 1]),
    /// At least two bytes of UTF-8.
    Text(Box<str>),
}

impl Delimiter {
    /// The most bytes of a delimiter.
    pub const MOST_BYTES: usize = 32;

    /// The delimiter `text`; none where it cannot be one.
    ///
    /// # Errors
    /// What it must be, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text.as_bytes() {
            [] => Err("must not be empty"),
            bytes if bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n')) && bytes.len() == 1 => {
                Err("must not be a line end")
            }
            bytes if bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n')) => Err("must not hold a line end"),
            bytes if bytes.len() > Self::MOST_BYTES => Err("must not be longer than 32 bytes"),
            [byte] => Ok((*byte).into()),
            _ => Ok(Self(DelimiterText::Text(text.into()))),
        }
    }

    /// The delimiter as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            DelimiterText::Character(byte) => std::str::from_utf8(byte).unwrap_or("\u{FFFD}"),
            DelimiterText::Text(text) => text,
        }
    }

    /// The delimiter where it is one ASCII character.
    #[must_use]
    pub const fn as_character(&self) -> Option<u8> {
        match &self.0 {
            DelimiterText::Character(byte) => Some(byte[0]),
            DelimiterText::Text(_) => None,
        }
    }
}

impl From<u8> for Delimiter {
    fn from(byte: u8) -> Self {
        Self(DelimiterText::Character([byte]))
    }
}

impl PartialEq<u8> for Delimiter {
    fn eq(&self, byte: &u8) -> bool {
        self.as_character() == Some(*byte)
    }
}

impl fmt::Debug for Delimiter {
    // As a number, since version 0.1.0 made its digests of this form (`rules_digest::legacy` of the engine).
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            DelimiterText::Character(byte) => byte[0].fmt(formatter),
            DelimiterText::Text(text) => text.fmt(formatter),
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

/// What becomes of records with too few or too many cells (`ragged`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ragged {
    /// They are rejects.
    #[default]
    Reject,
    /// Cells that are missing at the end are missing values.
    Pad,
    /// Superfluous cells are dropped where all of them are empty.
    TruncateEmpty,
    /// Both of these.
    PadOrTruncateEmpty,
}

impl Ragged {
    /// All values, with their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("reject", Self::Reject),
        ("pad", Self::Pad),
        ("truncate-empty", Self::TruncateEmpty),
        ("pad-or-truncate-empty", Self::PadOrTruncateEmpty),
    ];

    /// Whether short records get what they lack.
    #[must_use]
    pub const fn pads(self) -> bool {
        matches!(self, Self::Pad | Self::PadOrTruncateEmpty)
    }

    /// Whether long records lose what is empty.
    #[must_use]
    pub const fn truncates(self) -> bool {
        matches!(self, Self::TruncateEmpty | Self::PadOrTruncateEmpty)
    }
}

/// What becomes of quotes where none should stand: in cells that do not begin with one (`strayQuotes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StrayQuotes {
    /// They are text, and are counted.
    #[default]
    Keep,
    /// They are text, and so are those within a quoted cell that are not doubled.
    Literal,
    /// Such a record is a reject.
    Reject,
}

impl StrayQuotes {
    /// All values, with their names.
    pub const NAMES: [(&'static str, Self); 3] =
        [("keep", Self::Keep), ("literal", Self::Literal), ("reject", Self::Reject)];
}

/// How the columns of a file with a header belong to the fields (`headerMatch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderMatch {
    /// By their labels, as `fieldsMatch` says.
    #[default]
    Labels,
    /// In the order of the fields, whatever the header says.
    Position,
}

impl HeaderMatch {
    /// All values, with their names.
    pub const NAMES: [(&'static str, Self); 2] = [("labels", Self::Labels), ("position", Self::Position)];
}

/// The value called `name` among `names`.
///
/// # Errors
/// The names that there are, as the end of a sentence.
pub(super) fn parse_name<T: Copy>(names: &[(&'static str, T)], name: &str) -> Result<T, String> {
    let found = names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let known: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
    found.ok_or_else(|| format!("must be one of: {}", known.join(", ")))
}

/// The name of `value` among `names`.
pub(super) fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}
