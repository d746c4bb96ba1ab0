//! A hired employee, and how the record is written.

use std::fmt::Write as _;

use super::parents::{DEPARTMENTS, HIRES, JOB_COUNT};
use crate::{names::PeopleNames, random::Random};

/// A record as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Employee {
    pub(crate) id: usize,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) datetime: String,
    pub(crate) department: usize,
    pub(crate) job: usize,
}

impl Employee {
    /// Somebody.
    pub(crate) fn make_up(id: usize, names: &PeopleNames, random: &mut Random) -> Self {
        let [first, last] = names.pick_name(random).map(String::from);
        let datetime = made_up_datetime(random);
        let department = random.pick_weighted(&HIRES) + 1;
        Self { id, first, last, datetime, department, job: random.below(JOB_COUNT) + 1 }
    }

    /// The full name.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }

    /// The record's five cells.
    pub(crate) fn csv_cells(&self) -> [String; 5] {
        [self.id.to_string(), self.name(), self.datetime.clone(), self.department.to_string(), self.job.to_string()]
    }

    /// The record as CSV, without a line end.
    pub(crate) fn csv_record(&self) -> String {
        self.csv_cells().join(",")
    }

    /// The record with one cell (counted from 0) written as `text`.
    pub(crate) fn with(&self, column: usize, text: &str) -> String {
        let mut cells = self.csv_cells();
        text.clone_into(&mut cells[column]);
        cells.join(",")
    }
}

/// Mostly in 2021, the report's default year.
fn made_up_datetime(random: &mut Random) -> String {
    let year = 2020 + random.pick_weighted(&[1, 8, 1]);
    let month = random.below(12) + 1;
    let day = random.below(28) + 1;
    let [hour, minute, second] = [24, 60, 60].map(|limit| random.below(limit));
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The file of departments, with lines that end in CRLF.
pub(crate) fn departments_csv() -> String {
    number_lines(DEPARTMENTS.iter().copied(), "\r\n")
}

/// The file of jobs, with a byte order mark.
pub(crate) fn jobs_csv() -> String {
    let jobs = super::parents::job_names();
    format!("\u{FEFF}{}", number_lines(jobs.iter().map(String::as_str), "\n"))
}

/// One line for each name: a number from 1, the name.
pub(crate) fn number_lines<'a>(names: impl Iterator<Item = &'a str>, line_end: &str) -> String {
    names.zip(1..).fold(String::new(), |mut text, (name, id)| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{id},{}{line_end}", quoted_if_needed(name));
        text
    })
}

fn quoted_if_needed(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { quote_cell(text) } else { text.to_owned() }
}

/// The text in quotes, as CSV wants it.
pub(crate) fn quote_cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
