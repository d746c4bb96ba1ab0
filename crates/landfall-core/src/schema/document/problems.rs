use std::cell::RefCell;
use std::fmt;

use super::DocumentPlace;

/// Something wrong in a descriptor: where, what, and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DescriptorError {
    /// The name of the file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The character in the line, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be told.
    pub mend: Option<String>,
    /// The line with carets under the place.
    pub snippet: String,
}

impl DescriptorError {
    fn new(place: &DocumentPlace, message: String, mend: Option<String>) -> Self {
        Self {
            file: place.file_name().into(),
            line: place.line(),
            column: place.column_number(),
            message,
            mend,
            snippet: place.render_snippet(),
        }
    }
}

impl fmt::Display for DescriptorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        write!(f, "{}", self.snippet)?;
        self.mend.iter().try_for_each(|mend| write!(f, "\n  mend: {mend}"))
    }
}

/// Everything wrong in a descriptor, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DescriptorErrors(Vec<DescriptorError>);

impl DescriptorErrors {
    /// The errors; there is at least one.
    #[must_use]
    pub fn as_slice(&self) -> &[DescriptorError] {
        &self.0
    }
}

/// How many errors are shown at once.
const SHOWN: usize = 50;

impl fmt::Display for DescriptorErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().take(SHOWN).enumerate() {
            let gap = if at == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{error}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}

/// The errors found so far while a descriptor is read. Reading goes on after an error, so that all are told at once.
#[derive(Debug, Default)]
pub struct DescriptorProblems(RefCell<Vec<DescriptorError>>);

impl DescriptorProblems {
    /// No errors yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that something is wrong at `place`.
    pub fn report_problem(&self, place: &DocumentPlace, message: impl Into<String>) {
        self.push(DescriptorError::new(place, message.into(), None));
    }

    /// Notes that something is wrong at `place`, and what to write instead.
    pub fn report_with_mend(&self, place: &DocumentPlace, message: impl Into<String>, mend: impl Into<String>) {
        self.push(DescriptorError::new(place, message.into(), Some(mend.into())));
    }

    /// How many errors were found so far.
    #[must_use]
    pub fn problem_count(&self) -> usize {
        self.0.borrow().len()
    }

    /// The value that was read, where nothing is wrong.
    ///
    /// # Errors
    ///
    /// Everything that was found, sorted by place, each once.
    ///
    /// # Panics
    ///
    /// Where nothing was read and nothing reported: a mistake of the reading code.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, DescriptorErrors> {
        let mut errors = self.0.into_inner();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => {
                assert!(!errors.is_empty(), "a descriptor was not read, and no error says why");
                let main = errors[0].file.clone();
                errors.sort_by(|a, b| {
                    // Not by the names of the files: the one in which the first error was found comes first.
                    let key = |error: &DescriptorError| (error.file != main, error.line, error.column);
                    (key(a), &a.file).cmp(&(key(b), &b.file))
                });
                // A file that two resources refer to is read twice, and tells its errors twice.
                errors.dedup();
                Err(DescriptorErrors(errors))
            }
        }
    }

    fn push(&self, error: DescriptorError) {
        self.0.borrow_mut().push(error);
    }
}
