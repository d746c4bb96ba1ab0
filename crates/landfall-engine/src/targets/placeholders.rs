//! Named parameters (`:name`) of a query become positional ones, for databases that know no names.
//!
//! A name is what SQLite takes for one: letters, digits, `_`, `$` and everything beyond ASCII, not beginning with a digit or
//! `$`. What stands in strings, quoted identifiers and comments stays as it is, and so do `::` and `:=`. A slice of an array
//! needs blanks around its colon where a name follows it: `a[1 : n]`.
//!
//! The rules for strings are those of a session with the settings that Landfall makes: `standard_conforming_strings` is on
//! in PostgreSQL; in MySQL `ANSI_QUOTES` is set and `NO_BACKSLASH_ESCAPES` is not.

/// A query with positional parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionalQuery {
    /// The text.
    pub sql: String,
    /// The names of the parameters, in the order of their positions.
    pub names: Vec<String>,
}

/// `sql` for PostgreSQL: each name has a number, `$1` and so on; a name that occurs again has the same number.
/// Lexical rules: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>.
#[must_use]
pub fn number_parameters(sql: &str) -> PositionalQuery {
    let mut result = PositionalQuery { sql: String::with_capacity(sql.len()), names: Vec::new() };
    for piece in cut_at_parameters(sql, LexicalRules::Postgres) {
        match piece {
            QueryPiece::Text(text) => result.sql.push_str(text),
            QueryPiece::Name(name) => {
                let at = result.names.iter().position(|known| known == name).unwrap_or_else(|| {
                    result.names.push(name.to_owned());
                    result.names.len() - 1
                });
                // `SELECT:a` would be the identifier `SELECT$1`.
                let blank = if result.sql.bytes().next_back().is_some_and(is_word) { " " } else { "" };
                result.sql.push_str(&format!("{blank}${}", at + 1));
            }
        }
    }
    result
}

/// `sql` for MySQL and MariaDB: a `?` for each parameter; the names in the order in which they occur, some perhaps several
/// times. Lexical rules: <https://dev.mysql.com/doc/refman/8.4/en/language-structure.html>.
#[must_use]
pub fn mark_parameters(sql: &str) -> PositionalQuery {
    let mut result = PositionalQuery { sql: String::with_capacity(sql.len()), names: Vec::new() };
    for piece in cut_at_parameters(sql, LexicalRules::Mysql) {
        match piece {
            QueryPiece::Text(text) => result.sql.push_str(text),
            QueryPiece::Name(name) => {
                result.names.push(name.to_owned());
                result.sql.push('?');
            }
        }
    }
    result
}

/// Whose lexical rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LexicalRules {
    Postgres,
    Mysql,
}

/// A part of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueryPiece<'a> {
    Text(&'a str),
    /// A parameter, without its colon.
    Name(&'a str),
}

/// The query cut at its parameters: joined again, with the colons, the pieces are `sql`.
fn cut_at_parameters(sql: &str, rules: LexicalRules) -> Vec<QueryPiece<'_>> {
    let scanner = TokenScanner { bytes: sql.as_bytes(), rules };
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while at < sql.len() {
        if let Some(end) = scanner.parameter_end(at) {
            pieces.extend([QueryPiece::Text(&sql[start..at]), QueryPiece::Name(&sql[at + 1..end])]);
            (start, at) = (end, end);
        } else {
            at = scanner.token_end(at);
        }
    }
    pieces.push(QueryPiece::Text(&sql[start..]));
    pieces
}

/// Finds the ends of tokens. Every end is the end of the text or next to an ASCII byte, so that no character is cut.
struct TokenScanner<'a> {
    bytes: &'a [u8],
    rules: LexicalRules,
}

impl TokenScanner<'_> {
    fn byte_at(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The end of the parameter at `at`, if there is one.
    fn parameter_end(&self, at: usize) -> Option<usize> {
        let first = self.byte_at(at + 1).filter(|_| self.bytes[at] == b':')?;
        (is_word(first) && !first.is_ascii_digit() && first != b'$').then(|| self.word_end(at + 1))
    }

    /// The end of the token at `at`.
    fn token_end(&self, at: usize) -> usize {
        let mysql = self.rules == LexicalRules::Mysql;
        match (self.bytes[at], self.byte_at(at + 1)) {
            (b':', Some(b':' | b'=')) => at + 2,
            (b'\'', _) => self.quoted_end(at, mysql),
            (b'"', _) => self.quoted_end(at, false),
            (b'`', _) if mysql => self.quoted_end(at, false),
            (b'#', _) if mysql => self.line_end(at),
            (b'-', Some(b'-')) if !mysql || self.byte_at(at + 2).is_none_or(|byte| byte <= b' ') => self.line_end(at),
            (b'/', Some(b'*')) => self.comment_end(at),
            (b'$', _) if !mysql => self.dollar_quote_end(at).unwrap_or(at + 1),
            // With E before it, a string of PostgreSQL has escapes.
            (b'e' | b'E', Some(b'\'')) if !mysql => self.quoted_end(at + 1, true),
            (byte, _) if is_word(byte) => self.word_end(at),
            _ => at + 1,
        }
    }

    fn word_end(&self, at: usize) -> usize {
        at + self.bytes[at..].iter().take_while(|byte| is_word(**byte)).count()
    }

    fn line_end(&self, at: usize) -> usize {
        at + self.bytes[at..].iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count()
    }

    /// The end of what begins with a quote at `at`. A doubled quote needs no care: it ends one and begins the next.
    fn quoted_end(&self, at: usize, escapes: bool) -> usize {
        let mut end = at + 1;
        while let Some(byte) = self.byte_at(end) {
            end += 1;
            if byte == self.bytes[at] {
                // In a string with escapes the next begins with escapes too.
                if !escapes || self.byte_at(end) != Some(byte) {
                    return end;
                }
                end += 1;
            } else if byte == b'\\' && escapes {
                end += 1;
            }
        }
        // An escape at the very end points behind the text.
        end.min(self.bytes.len())
    }

    /// The end of a comment; in PostgreSQL others may stand within it.
    fn comment_end(&self, at: usize) -> usize {
        let (mut depth, mut end) = (1u32, at + 2);
        while depth > 0 && end < self.bytes.len() {
            match (self.bytes[end], self.byte_at(end + 1)) {
                (b'*', Some(b'/')) => (depth, end) = (depth - 1, end + 2),
                (b'/', Some(b'*')) if self.rules == LexicalRules::Postgres => (depth, end) = (depth + 1, end + 2),
                _ => end += 1,
            }
        }
        end
    }

    /// The end of a string between two `$tag$`, if one begins at `at`.
    fn dollar_quote_end(&self, at: usize) -> Option<usize> {
        let tag = self.bytes[at + 1..].iter().take_while(|byte| is_word(**byte) && **byte != b'$').count();
        let starts = at + 1 + tag;
        if self.byte_at(starts) != Some(b'$') || self.bytes[at + 1].is_ascii_digit() {
            return None;
        }
        let quote = &self.bytes[at..=starts];
        let within = &self.bytes[starts + 1..];
        let found = within.windows(quote.len()).position(|window| window == quote);
        Some(found.map_or(self.bytes.len(), |found| starts + 1 + found + quote.len()))
    }
}

/// Whether a byte can be part of a word: an identifier, a key word, a number, a name.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

#[cfg(test)]
mod tests;
