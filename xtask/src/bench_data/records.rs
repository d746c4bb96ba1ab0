//! The employee records of a bench: many, fast, and some of them bad.

use std::fmt::{self, Write as _};

use super::DataTally;
use crate::{
    hr::{DEPARTMENTS, JOB_COUNT},
    names::PeopleNames,
    random::Random,
};

const SEED: u64 = 0xBEAC_0000;

/// The kinds of oddities with their weights: mostly keys, types and missing values, as in life.
const KINDS: [(OddityKind, usize); 16] = [
    (OddityKind::UnknownDepartment, 150),
    (OddityKind::UnknownJob, 150),
    (OddityKind::OtherContent, 140),
    (OddityKind::Repeated, 20),
    (OddityKind::NoName, 60),
    (OddityKind::NoDepartment, 90),
    (OddityKind::BlankName, 30),
    (OddityKind::Month13, 80),
    (OddityKind::NoZone, 50),
    (OddityKind::WordForJob, 90),
    (OddityKind::MissingCell, 80),
    (OddityKind::ExtraCell, 40),
    (OddityKind::BlankLine, 10),
    (OddityKind::BadUtf8, 5),
    (OddityKind::TextAfterQuote, 5),
    (OddityKind::Nul, 1),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OddityKind {
    UnknownDepartment,
    UnknownJob,
    OtherContent,
    Repeated,
    NoName,
    NoDepartment,
    BlankName,
    Month13,
    NoZone,
    WordForJob,
    MissingCell,
    ExtraCell,
    BlankLine,
    BadUtf8,
    TextAfterQuote,
    Nul,
    /// Only at the end: what follows would be within the quotes.
    UnclosedQuote,
}

/// Makes one line after the other.
#[derive(Debug)]
pub(super) struct RecordMaker {
    people: PeopleParts,
    rows: u64,
    /// The greatest id that another file holds.
    after: u64,
    /// Of 2^32 records so many are odd.
    odd_of: u64,
    line: Vec<u8>,
    /// The last plain record: what a repeated one repeats.
    plain: Vec<u8>,
    tally: DataTally,
}

impl RecordMaker {
    /// For `rows` records of which `dirty` percent are odd, with ids from `after` + 1 upward.
    pub(super) fn new(rows: u64, dirty: f64, after: u64) -> Self {
        Self {
            people: PeopleParts::new(),
            rows,
            after,
            odd_of: (dirty / 100.0 * 2f64.powi(32)) as u64,
            line: Vec::new(),
            plain: Vec::new(),
            tally: DataTally::default(),
        }
    }

    /// What was made so far (without the bytes).
    pub(super) const fn tally(&self) -> DataTally {
        self.tally
    }

    /// The next line with its end, or none after the last.
    pub(super) fn next_line(&mut self) -> Option<&[u8]> {
        if self.tally.read == self.rows {
            return None;
        }
        self.tally.read += 1;
        self.line.clear();
        match self.kind() {
            None => self.push_plain(),
            Some(kind) => self.push_oddity(kind),
        }
        Some(&self.line)
    }

    /// What is odd about the next record.
    fn kind(&mut self) -> Option<OddityKind> {
        let random = &mut self.people.random;
        if self.odd_of > 0 && self.tally.read == self.rows {
            return Some(OddityKind::UnclosedQuote);
        }
        // The first record is plain: before it there is nothing to repeat.
        let odd = random.next() >> 32 < self.odd_of && !self.plain.is_empty();
        odd.then(|| KINDS[random.pick_weighted(&KINDS.map(|(_, weight)| weight))].0)
    }

    fn push_plain(&mut self) {
        self.people.next(self.after + self.tally.read).write(&mut self.line);
        self.line.push(b'\n');
        self.plain.clone_from(&self.line);
        self.tally.inserted += 1;
    }

    fn push_oddity(&mut self, kind: OddityKind) {
        if kind == OddityKind::Repeated {
            self.tally.unchanged += 1;
            return self.line.clone_from(&self.plain);
        }
        self.tally.rejected += 1;
        self.line.extend(self.people.next(self.after + self.tally.read).written_as(kind, &self.plain));
        self.line.push(b'\n');
    }
}

/// Where people come from.
#[derive(Debug)]
struct PeopleParts {
    random: Random,
    names: PeopleNames,
    days: Vec<String>,
}

impl PeopleParts {
    fn new() -> Self {
        Self { random: Random::new(SEED), names: PeopleNames::new(), days: three_years_of_days() }
    }

    fn next(&mut self, id: u64) -> PersonRecord<'_> {
        let random = &mut self.random;
        let [first, last] = self.names.pick_name(random);
        PersonRecord {
            id,
            first,
            last,
            day: &self.days[random.below(self.days.len())],
            clock: ClockTime(random.below(86_400) as u32),
            department: random.below(DEPARTMENTS.len()) + 1,
            job: random.below(JOB_COUNT) + 1,
        }
    }
}

/// Every day of three years, `YYYY-MM-DD`.
fn three_years_of_days() -> Vec<String> {
    const LENGTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months = (2020..=2022).flat_map(|year| (1..).zip(LENGTHS).map(move |(month, days)| (year, month, days)));
    months.flat_map(|(year, month, days)| (1..=days).map(move |day| format!("{year}-{month:02}-{day:02}"))).collect()
}

/// What a record says.
#[derive(Debug)]
struct PersonRecord<'a> {
    id: u64,
    first: &'a str,
    last: &'a str,
    /// `YYYY-MM-DD`.
    day: &'a str,
    clock: ClockTime,
    department: usize,
    job: usize,
}

impl PersonRecord<'_> {
    /// Writes the plain record, without a line end. By hand: `format!` would take most of the generator's time.
    fn write(&self, line: &mut Vec<u8>) {
        write_number(line, self.id);
        for part in [",", self.first, " ", self.last, ",", self.day] {
            line.extend_from_slice(part.as_bytes());
        }
        line.extend_from_slice(&self.clock.format_time());
        line.extend_from_slice(b"Z,");
        write_number(line, self.department as u64);
        line.push(b',');
        write_number(line, self.job as u64);
    }

    /// The record written in an odd way, without a line end. `plain` is an earlier, plain record.
    fn written_as(&self, kind: OddityKind, plain: &[u8]) -> Vec<u8> {
        let Self { id, first, last, day, clock, department, job } = self;
        let line = match kind {
            OddityKind::UnknownDepartment => format!("{id},{first} {last},{day}{clock}Z,{},{job}", department + 100),
            OddityKind::UnknownJob => format!("{id},{first} {last},{day}{clock}Z,{department},{}", job + 1000),
            OddityKind::OtherContent => format!("{},Second {last},{day}{clock}Z,{department},{job}", record_id(plain)),
            OddityKind::Repeated => String::from_utf8_lossy(plain).trim_end().to_owned(),
            OddityKind::NoName => format!("{id},,{day}{clock}Z,{department},{job}"),
            OddityKind::NoDepartment => format!("{id},{first} {last},{day}{clock}Z,,{job}"),
            OddityKind::BlankName => format!("{id},  ,{day}{clock}Z,{department},{job}"),
            OddityKind::Month13 => format!("{id},{first} {last},2021-13{}{clock}Z,{department},{job}", &day[7..]),
            OddityKind::NoZone => format!("{id},{first} {last},{day}{clock},{department},{job}"),
            OddityKind::WordForJob => format!("{id},{first} {last},{day}{clock}Z,{department},n/a"),
            OddityKind::MissingCell => format!("{id},{first} {last},{day}{clock}Z,{department}"),
            OddityKind::ExtraCell => format!("{id},{first} {last},{day}{clock}Z,{department},{job},see note"),
            OddityKind::BlankLine => String::new(),
            OddityKind::TextAfterQuote => format!("{id},\"{first}\" {last},{day}{clock}Z,{department},{job}"),
            OddityKind::UnclosedQuote => format!("{id},\"{first} {last},{day}{clock}Z,{department},{job}"),
            OddityKind::Nul => format!("{id},{first} {last},{day}\0{clock}Z,{department},{job}"),
            OddityKind::BadUtf8 => return self.with_bad_utf8(),
        };
        line.into()
    }

    fn with_bad_utf8(&self) -> Vec<u8> {
        let Self { id, first, day, clock, department, job, .. } = self;
        let head = format!("{id},{first} ");
        let tail = format!(",{day}{clock}Z,{department},{job}");
        [head.as_bytes(), b"\xE9", tail.as_bytes()].concat()
    }
}

/// The id of a plain record.
fn record_id(plain: &[u8]) -> u64 {
    plain.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |id, digit| id * 10 + u64::from(digit - b'0'))
}

/// A second of the day, counted from 0.
#[derive(Debug, Clone, Copy)]
struct ClockTime(u32);

impl ClockTime {
    /// `Thh:mm:ss`.
    fn format_time(self) -> [u8; 9] {
        let digits = |number: u32| [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        let [[h, hh], [m, mm], [s, ss]] = [self.0 / 3600, self.0 / 60 % 60, self.0 % 60].map(digits);
        [b'T', h, hh, b':', m, mm, b':', s, ss]
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.format_time().iter().try_for_each(|&byte| f.write_char(char::from(byte)))
    }
}

fn write_number(line: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return line.extend_from_slice(&digits[at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rows: u64, dirty: f64, after: u64) -> (Vec<Vec<u8>>, DataTally) {
        let mut maker = RecordMaker::new(rows, dirty, after);
        let lines = std::iter::from_fn(|| maker.next_line().map(<[u8]>::to_vec)).collect();
        (lines, maker.tally())
    }

    #[test]
    fn a_clean_file_has_ids_from_one_upward() {
        let (lines, tally) = lines(1_000, 0.0, 0);
        assert_eq!(tally, DataTally { read: 1_000, inserted: 1_000, ..DataTally::default() });
        assert!(lines.iter().zip(1..).all(|(line, id)| record_id(line) == id));
    }

    #[test]
    fn a_dirty_file_holds_every_kind_and_is_conserved() {
        let (lines, tally) = lines(100_000, 10.0, 0);
        assert_eq!(lines.len(), 100_000);
        assert_eq!(tally.read, tally.inserted + tally.unchanged + tally.rejected);
        assert!((9_000..11_000).contains(&tally.rejected) && tally.unchanged > 0);
    }

    #[test]
    fn the_ids_of_another_file_come_after() {
        let ids: Vec<u64> = lines(3, 0.0, 1_000).0.iter().map(|line| record_id(line)).collect();
        assert_eq!(ids, [1_001, 1_002, 1_003]);
    }
}
