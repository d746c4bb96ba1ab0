use std::sync::Arc;

/// The text of a file, cut into lines.
#[derive(Debug)]
pub(super) struct DocumentSource {
    name: Box<str>,
    text: Box<str>,
    /// The byte at which each line starts.
    line_starts: Vec<usize>,
}

impl DocumentSource {
    pub(super) fn new(name: &str, text: &str) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), line_starts: line_starts(text) })
    }

    /// The place of the character at byte `at`, `width` characters wide.
    pub(super) fn place_at(self: &Arc<Self>, at: usize, width: usize) -> DocumentPlace {
        let line = self.line_starts.partition_point(|&start| start <= at).max(1);
        DocumentPlace { source: Arc::clone(self), line, column: PlaceColumn::OfByte(at), width: width.max(1) }
    }

    /// The place at `line` and `column`, both counted from 1.
    pub(super) fn place_of(self: &Arc<Self>, line: usize, column: usize, width: usize) -> DocumentPlace {
        let column = PlaceColumn::Counted(column.max(1));
        DocumentPlace { source: Arc::clone(self), line: line.max(1), column, width: width.max(1) }
    }

    /// The byte at which `line` starts.
    pub(super) fn line_start(&self, line: usize) -> usize {
        let known = self.line_starts.get(line.saturating_sub(1));
        known.copied().unwrap_or(self.text.len())
    }

    fn line_text(&self, line: usize) -> &str {
        let rest = self.text.get(self.line_start(line)..).unwrap_or_default();
        rest.split(['\n', '\r']).next().unwrap_or_default()
    }
}

/// Lines end with LF, CRLF or CR, as YAML has it.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends_line = |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    let after_ends = (0..bytes.len()).filter(|&at| ends_line(at)).map(|at| at + 1);
    std::iter::once(0).chain(after_ends).collect()
}

/// Where something stands in a file.
#[derive(Debug, Clone)]
pub struct DocumentPlace {
    source: Arc<DocumentSource>,
    line: usize,
    column: PlaceColumn,
    width: usize,
}

/// A column is counted when it is asked for: a document of one long line would be read again for each of its values.
#[derive(Debug, Clone, Copy)]
enum PlaceColumn {
    Counted(usize),
    /// Of the character at this byte of the text.
    OfByte(usize),
}

/// How much of a long line a snippet shows on each side of the place.
const SNIPPET_SIDE: usize = 50;

impl DocumentPlace {
    /// The name of the file.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.source.name
    }

    /// The line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The character in the line, counted from 1.
    #[must_use]
    pub fn column_number(&self) -> usize {
        match self.column {
            PlaceColumn::Counted(column) => column,
            PlaceColumn::OfByte(at) => {
                let before = self.source.text.get(self.source.line_start(self.line)..at).unwrap_or_default();
                before.chars().count() + 1
            }
        }
    }

    /// The line with carets under the place; a long line is shown in part. Control characters are shown as blanks.
    pub(super) fn render_snippet(&self) -> String {
        let line = self.source.line_text(self.line);
        let mut chars: Vec<char> = line.chars().map(printable_char).collect();
        // A snippet goes to terminals, logs and bug reports; the project file may hold the target's password.
        if may_hold_secret(line) {
            // The name before the colon stays.
            let value = chars.iter().position(|&char| char == ':').unwrap_or(0);
            chars[value..].iter_mut().filter(|char| char.is_alphanumeric()).for_each(|char| *char = '•');
        }
        let column = self.column_number();
        let from = column.saturating_sub(SNIPPET_SIDE + 1).min(chars.len());
        let to = (column + SNIPPET_SIDE).min(chars.len());
        let shown: String = chars[from..to].iter().collect();
        let number = self.line.to_string();
        let blank = " ".repeat(number.len());
        let indent = " ".repeat(column - 1 - from);
        let carets = "^".repeat(self.width.min((to + 1).saturating_sub(column)).max(1));
        format!("  {number} | {}\n  {blank} | {indent}{carets}", shown.trim_end())
    }
}

/// Whether a line may hold a login: a URL with one, or a password.
fn may_hold_secret(line: &str) -> bool {
    // The last `@` counts, since a password may contain one too.
    let login = |before: &str| before.rsplit([' ', '\t', '"', '\'']).next().is_some_and(|word| word.contains(':'));
    let url = line.rsplit_once('@').is_some_and(|(before, _)| login(before) || before.contains("://"));
    url || line.to_ascii_lowercase().contains("password")
}

fn printable_char(char: char) -> char {
    // One blank for each, so that the carets stay under their place.
    if char.is_control() { ' ' } else { char }
}
