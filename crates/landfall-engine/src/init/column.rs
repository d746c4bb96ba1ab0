//! What is seen in the cells of one column: how many are empty, and forms that decide between types or that a person should know.

use std::collections::BTreeSet;

use landfall_core::decode::NULL_CELL;

use super::{
    candidate::{TypeCandidate, is_exponent_code, is_padded},
    records::{PlaceTally, RecordPlace},
    second_look::{is_either_way, unit_part},
    words,
};

/// The most different values that are told one by one, and the longest of them in bytes.
const FEW: usize = 8;
const SHORT: usize = 20;
/// The most different words for missing values, and units, that are kept.
const MOST_WORDS: usize = 6;
/// The seconds since 1970 of the years 2000 to 2039.
const EPOCH: std::ops::Range<i64> = 946_684_800..2_208_988_800;
/// Numbers that instruments and old programs write where nothing was measured.
const SENTINELS: [&str; 10] =
    ["-99", "-999", "-9999", "-99999", "9999", "99999", "-99.9", "-999.9", "-999.0", "-9999.0"];

/// What is known of a column.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnSurvey {
    /// Cells that are empty.
    pub(super) empty: PlaceTally,
    /// Cells that are not, and no word for a missing value.
    pub(super) filled: u64,
    /// Words for a missing value, such as `n/a`.
    pub(super) missing: Vec<(String, PlaceTally)>,
    /// Values with zeros or a plus sign that a number would lose.
    pub(super) padded: u64,
    /// Codes such as `9e42`.
    pub(super) exponents: u64,
    /// All values have a digit, and no letters but a short unit.
    pub(super) has_only_numbers: bool,
    /// Some value has white space in it.
    pub(super) spaced: bool,
    /// The most characters of a value, and the least.
    pub(super) longest: usize,
    shortest: usize,
    /// Values that look like codes: with a digit, or few capital letters.
    pub(super) codes: u64,
    /// Values in brackets or with a sign behind them, as accountants write what is less than nothing.
    pub(super) bracketed: u64,
    /// Cells with white space before or behind the value.
    pub(super) edges: PlaceTally,
    /// Values with one comma, and with one point: how many, and how many of those may be thousands as well as fractions.
    pub(super) commas: MarkCount,
    pub(super) points: MarkCount,
    /// What stands around numbers; none once it is too much to be units.
    pub(super) units: Option<BTreeSet<String>>,
    /// The different values with their number; none once there are too many.
    pub(super) few: Option<Vec<(String, u64)>>,
    /// Integers that may be seconds since 1970, and those that may be milliseconds.
    pub(super) seconds: u64,
    pub(super) millis: u64,
    /// The number that may stand for a missing one, and how often it occurs.
    pub(super) sentinel: Option<(&'static str, PlaceTally)>,
    /// Some value has the name of a month that no pattern reads.
    pub(super) foreign_months: bool,
    /// The types still in question, by their position in the list of candidates.
    pub(super) live: Vec<LiveCandidate>,
}

/// How often a mark occurs, and how often it can be meant in two ways.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MarkCount {
    with: u64,
    either: u64,
}

impl MarkCount {
    fn count_value(&mut self, value: &str, mark: char) {
        if value.contains(mark) {
            self.with += 1;
            self.either += u64::from(is_either_way(value, mark));
        }
    }

    /// Whether the mark occurs.
    pub(super) const fn occurs(self) -> bool {
        self.with > 0
    }

    /// Whether the mark occurs, and every time may mean thousands as well as a fraction.
    pub(super) const fn is_ambiguous(self) -> bool {
        self.with > 0 && self.with == self.either
    }
}

/// A type in question.
#[derive(Debug, Clone)]
pub(super) struct LiveCandidate {
    /// Its position in the list of candidates.
    pub(super) candidate: usize,
    /// Values that are not of this type; words for missing values are none of them.
    pub(super) bad: u64,
    evidence: bool,
    taboo: bool,
}

impl LiveCandidate {
    /// The type at `candidate`, of which no value was seen yet.
    pub(super) const fn new(candidate: usize) -> Self {
        Self { candidate, bad: 0, evidence: false, taboo: false }
    }

    /// Whether anything speaks for the type, and nothing rules it out.
    pub(super) const fn is_sound(&self) -> bool {
        self.evidence && !self.taboo
    }

    /// Whether nothing rules the type out.
    pub(super) const fn is_possible(&self) -> bool {
        !self.taboo
    }
}

/// Whether `cell` is empty, or MySQL's word for it.
pub(super) fn is_empty_cell(cell: &str) -> bool {
    cell.is_empty() || cell == NULL_CELL
}

impl ColumnSurvey {
    /// A column of which nothing was seen yet, that may be of these types.
    pub(super) fn new(live: Vec<LiveCandidate>) -> Self {
        let (few, units) = (Some(Vec::new()), Some(BTreeSet::new()));
        Self { live, few, units, has_only_numbers: true, ..Self::default() }
    }

    /// Cells with a word for a missing value.
    pub(super) fn missing_count(&self) -> u64 {
        self.missing.iter().map(|(_, tally)| tally.count).sum()
    }

    /// Takes the cell at `place` into account, and holds it against the types of this look, of which `candidates` has all.
    pub(super) fn look_at_cell(&mut self, cell: &str, place: RecordPlace, candidates: &[TypeCandidate]) {
        if is_empty_cell(cell) {
            return self.empty.add_place(place);
        }
        if self.note_missing_word(cell, place) {
            return;
        }
        self.filled += 1;
        self.note_forms(cell, place);
        self.note_few(cell);
        self.weigh_types(cell, candidates, 0);
    }

    /// Holds `cell` against the types from the position `from` on.
    pub(super) fn weigh_types(&mut self, cell: &str, candidates: &[TypeCandidate], from: usize) {
        for live in self.live.iter_mut().filter(|live| live.candidate >= from) {
            let candidate = &candidates[live.candidate];
            live.evidence |= (candidate.evidence)(cell);
            live.taboo |= (candidate.taboo)(cell);
        }
    }

    /// Whether `cell` is a word for a missing value; there are few of them, or they are no such words.
    pub(super) fn note_missing_word(&mut self, cell: &str, place: RecordPlace) -> bool {
        if !words::is_missing_word(cell) {
            return false;
        }
        if let Some((_, tally)) = self.missing.iter_mut().find(|(word, _)| word == cell) {
            tally.add_place(place);
            return true;
        }
        let room = self.missing.len() < MOST_WORDS;
        if room {
            let mut tally = PlaceTally::default();
            tally.add_place(place);
            self.missing.push((cell.to_owned(), tally));
        }
        room
    }

    fn note_forms(&mut self, cell: &str, place: RecordPlace) {
        let length = cell.chars().count();
        self.shortest = if self.longest == 0 { length } else { self.shortest.min(length) };
        self.longest = self.longest.max(length);
        self.spaced |= cell.contains(char::is_whitespace);
        if cell.starts_with(char::is_whitespace) || cell.ends_with(char::is_whitespace) {
            self.edges.add_place(place);
        }
        let capitals = length <= 8 && !cell.contains(char::is_lowercase);
        self.codes += u64::from(!self.spaced && (capitals || cell.bytes().any(|byte| byte.is_ascii_digit())));
        let letters = cell.chars().filter(|character| character.is_alphabetic()).count();
        self.has_only_numbers &= letters < 4 && cell.bytes().any(|byte| byte.is_ascii_digit());
        if !cell.bytes().any(|byte| byte.is_ascii_digit()) {
            return;
        }
        self.foreign_months |= self.spaced && words::names_foreign_month(cell);
        let behind = cell.len() > 1 && cell.ends_with('-') && !cell.contains(char::is_alphabetic);
        self.bracketed += u64::from(behind || (cell.starts_with('(') && cell.ends_with(')')));
        self.padded += u64::from(is_padded(cell));
        self.exponents += u64::from(is_exponent_code(cell));
        self.commas.count_value(cell, ',');
        self.points.count_value(cell, '.');
        if let Some(units) = &mut self.units {
            units.insert(unit_part(cell));
            if units.len() > MOST_WORDS {
                self.units = None;
            }
        }
        self.note_number(cell, place);
    }

    fn note_number(&mut self, cell: &str, place: RecordPlace) {
        if let Some(word) = SENTINELS.iter().find(|word| **word == cell) {
            match &mut self.sentinel {
                Some((known, tally)) if known == word => tally.add_place(place),
                Some(_) => {}
                none => {
                    let mut tally = PlaceTally::default();
                    tally.add_place(place);
                    *none = Some((word, tally));
                }
            }
        }
        if matches!(cell.len(), 9 | 10 | 12 | 13)
            && let Ok(value) = cell.parse::<i64>()
        {
            self.seconds += u64::from(EPOCH.contains(&value));
            self.millis += u64::from(EPOCH.contains(&(value / 1000)));
        }
    }

    fn note_few(&mut self, cell: &str) {
        let Some(few) = &mut self.few else { return };
        if let Some((_, count)) = few.iter_mut().find(|(value, _)| value == cell) {
            *count += 1;
        } else if few.len() < FEW && cell.len() <= SHORT {
            few.push((cell.to_owned(), 1));
        } else {
            self.few = None;
        }
    }

    /// The words for true and for false, where all values but mistakes are such words.
    pub(super) fn boolean_words(&self) -> Option<(Vec<&str>, Vec<&str>)> {
        let values: Vec<&str> = self.few.as_ref()?.iter().map(|(value, _)| value.as_str()).collect();
        words::split_boolean_words(&values)
    }

    /// Whether long groups of digits all have one length: numbers of telephones, and no amounts.
    pub(super) const fn is_grouped_code(&self) -> bool {
        let whole = !self.commas.occurs() && !self.points.occurs();
        whole && self.filled > 1 && self.shortest == self.longest && self.longest > 8
    }

    /// The one unit of all numbers; none where they have several, or some have none.
    pub(super) fn only_unit(&self) -> Option<&str> {
        let units = self.units.as_ref()?;
        units.iter().next().filter(|unit| units.len() == 1 && !unit.is_empty()).map(String::as_str)
    }
}
