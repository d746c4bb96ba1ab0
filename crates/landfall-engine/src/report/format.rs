//! The formats of a report's result: one list for the command, and the part of it that can be streamed for the service.

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReportFormat {
    /// Aligned columns for a person; control characters are escaped.
    #[default]
    Table,
    /// RFC 4180 with a header row and LF at the end of lines.
    Csv {
        /// Put `'` before texts that a spreadsheet would run as a formula.
        guard_formulas: bool,
    },
    /// An array of objects.
    Json,
    /// An object on each line.
    JsonLines,
    /// A table of Markdown.
    Markdown,
    /// A page of HTML with a table.
    Html,
}

impl ReportFormat {
    /// All formats, in the order in which they are offered. The service offers [`Self::STREAMED`].
    pub const ALL: [Self; 6] =
        [Self::Table, Self::Csv { guard_formulas: false }, Self::Json, Self::JsonLines, Self::Markdown, Self::Html];

    /// Those that are written row by row, in bounded memory. A table is not: it knows its widths only behind the last row.
    pub const STREAMED: [Self; 5] = {
        // Taken from `ALL` by position: the table must stay the first there.
        let [_, streamed @ ..] = Self::ALL;
        streamed
    };

    /// The name by which it is requested.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv { .. } => "csv",
            Self::Json => "json",
            Self::JsonLines => "ndjson",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }

    /// The format that is called `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// Its media type (RFC 6838), without parameters. It is in UTF-8.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Table => "text/plain",
            Self::Csv { .. } => "text/csv",
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
        }
    }

    /// The same, where a text that a spreadsheet would run as a formula is guarded in CSV if `guard_formulas`.
    #[must_use]
    pub const fn with_guard(self, guard_formulas: bool) -> Self {
        match self {
            Self::Csv { .. } => Self::Csv { guard_formulas },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_found_by_its_name() {
        for format in ReportFormat::ALL {
            assert_eq!(ReportFormat::parse(format.as_str()), Some(format));
        }
        assert_eq!(ReportFormat::parse("xml"), None);
        assert!(!ReportFormat::STREAMED.contains(&ReportFormat::Table));
    }
}
