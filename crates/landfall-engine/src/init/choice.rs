//! The type of a column, chosen from what all of its values say.

use landfall_core::schema::{BooleanWords, Delimiter, FieldType, NumberFormat, StringFormat, TemporalFormat};

use super::{
    column::{ColumnSurvey, LiveCandidate},
    explain::explain_choice,
    findings::Finding,
    survey::TableSurvey,
    words,
};
use crate::source::Source;

/// With fewer values than this, none may be bad.
pub(super) const LEAST: u64 = 50;
/// One in so many may be bad: two in a hundred.
const ONE_IN: u64 = 50;
/// The field of a key must not be empty, if no more than one cell in so many is.
const KEY_ONE_IN: u64 = 10;

/// Whether `bad` of `all` are few enough to be mistakes.
pub(super) const fn are_mistakes(bad: u64, all: u64) -> bool {
    bad == 0 || (all.saturating_sub(bad) >= LEAST && bad * ONE_IN <= all)
}

/// A type with what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TypeChoice {
    pub(super) kind: FieldType,
    pub(super) required: bool,
    /// The words that stand for a missing value, beside an empty cell.
    pub(super) missing: Vec<String>,
    pub(super) findings: Vec<Finding>,
}

/// Which mark stands before a fraction, as far as the other columns of a table tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecimalMark {
    Unknown,
    Comma,
    Point,
}

/// What the choice of a type may look at beside the column.
pub(super) struct ChoiceContext<'c> {
    pub(super) sources: &'c [Source],
    pub(super) mark: DecimalMark,
    /// Whether the name is that of the table's key.
    pub(super) key: bool,
}

/// The mark before fractions that the columns of `survey` show; `delimiter` separates their cells.
pub(super) fn find_decimal_mark(survey: &TableSurvey, delimiter: &Delimiter) -> DecimalMark {
    let (mut commas, mut points) = (0, 0);
    for column in survey.columns.iter().filter(|column| !column.points.is_ambiguous() && !column.commas.is_ambiguous())
    {
        let chooser = TypeChooser { survey, column, mark: DecimalMark::Unknown, takes_signs: true };
        let Some(live) = chooser.best_candidate() else { continue };
        match &survey.candidates[live.candidate].kind {
            FieldType::Number(NumberFormat { decimal_char, .. }) if decimal_char == "," => commas += 1,
            FieldType::Number(NumberFormat { .. }) => points += u64::from(column.points.occurs()),
            _ => {}
        }
    }
    match (commas, points) {
        (0, 1..) => DecimalMark::Point,
        (1.., 0) => DecimalMark::Comma,
        // Where commas stand before fractions, few programs write them between cells, too.
        (0, 0) if *delimiter == b',' => DecimalMark::Point,
        _ => DecimalMark::Unknown,
    }
}

/// The type of the column at `at`.
pub(super) fn choose_type(survey: &TableSurvey, at: usize, context: &ChoiceContext<'_>) -> TypeChoice {
    let column = &survey.columns[at];
    let chooser = TypeChooser { survey, column, mark: context.mark, takes_signs: false };
    let live = chooser.best_candidate();
    let words = chooser.boolean_kind();
    let kind = words.or_else(|| live.map(|live| survey.candidates[live.candidate].kind.clone()));
    let kind = kind.filter(|_| column.filled > 0).unwrap_or(FieldType::String(StringFormat::Default));
    let missing = match kind {
        FieldType::String(StringFormat::Default) => Vec::new(),
        _ => column.missing.iter().map(|(word, _)| word.clone()).collect(),
    };
    let all = column.empty.count + column.filled + column.missing_count();
    let absent = column.empty.count + if missing.is_empty() { 0 } else { column.missing_count() };
    let spared = context.key && missing.is_empty() && absent * KEY_ONE_IN <= all && column.filled > 1;
    let deliberate = !missing.is_empty();
    let required = all > absent && ((are_mistakes(absent, all) && !deliberate) || spared);
    let findings = explain_choice(&chooser, at, &kind, context);
    TypeChoice { kind, required, missing, findings }
}

/// Chooses among the types in question of one column.
pub(super) struct TypeChooser<'s> {
    pub(super) survey: &'s TableSurvey,
    pub(super) column: &'s ColumnSurvey,
    mark: DecimalMark,
    /// Whether numbers with a sign around them count: they show which mark stands before fractions, though they stay text.
    pub(super) takes_signs: bool,
}

impl<'s> TypeChooser<'s> {
    /// Types whose values say all that is needed come before those that take a zone for granted, and types of all values
    /// before those of nearly all.
    pub(super) fn best_candidate(&self) -> Option<&'s LiveCandidate> {
        if let Some(live) = self.marked_candidate() {
            return Some(live);
        }
        let find = |assumes: bool, exact: bool| {
            let fits = |live: &&LiveCandidate| {
                let candidate = &self.survey.candidates[live.candidate];
                candidate.zoned.is_some() == assumes
                    && (if exact { live.bad == 0 } else { !candidate.exact && self.fits_values(live) })
                    && self.column.filled >= candidate.least
                    && live.is_sound()
                    && self.is_plain(live)
                    && self.is_justified(&candidate.kind)
            };
            self.column.live.iter().find(fits)
        };
        [(false, true), (false, false), (true, true), (true, false)].into_iter().find_map(|(a, e)| find(a, e))
    }

    /// The type of values such as `1.234` or `1,500`, where other columns tell what the mark means.
    fn marked_candidate(&self) -> Option<&'s LiveCandidate> {
        let wanted = match (self.mark, self.column.points.is_ambiguous(), self.column.commas.is_ambiguous()) {
            (DecimalMark::Comma, true, false) => (".", true),
            (DecimalMark::Point, false, true) => (",", true),
            (DecimalMark::Comma, false, true) => (",", false),
            _ => return None,
        };
        let is_wanted = |kind: &FieldType| match kind {
            FieldType::Integer { group_char: Some(group), .. } => (group.as_str(), true) == wanted,
            FieldType::Number(NumberFormat { decimal_char, group_char: None, .. }) => {
                (decimal_char.as_str(), false) == wanted
            }
            _ => false,
        };
        let fits = |live: &&LiveCandidate| {
            let kind = &self.survey.candidates[live.candidate].kind;
            live.bad == 0 && live.is_possible() && is_wanted(kind) && self.is_justified(kind)
        };
        self.column.live.iter().find(fits)
    }

    pub(super) fn fits_values(&self, live: &LiveCandidate) -> bool {
        are_mistakes(live.bad, self.column.filled)
    }

    fn find_candidate(&self, candidate: usize) -> Option<&'s LiveCandidate> {
        self.column.live.iter().find(|live| live.candidate == candidate)
    }

    /// Whether the type can be meant in one way only.
    pub(super) fn is_plain(&self, live: &LiveCandidate) -> bool {
        let candidate = &self.survey.candidates[live.candidate];
        let twin = candidate.twin.and_then(|twin| self.find_candidate(twin));
        // A day beyond 12 shows the order, unless it is a mistake.
        let order = twin.is_none_or(|twin| (live.bad == 0 && twin.bad > 0) || !self.fits_values(twin));
        let zoned = candidate.zoned.and_then(|zoned| self.find_candidate(zoned));
        let zone = zoned.is_none_or(|zoned| zoned.bad * 2 > self.column.filled);
        order && zone
    }

    /// Whether a type that leaves something out, or takes a fraction for a whole number, has a reason for that.
    fn is_justified(&self, kind: &FieldType) -> bool {
        match kind {
            // Programs that know no missing integers write all of a column with a point, if one of them is missing.
            FieldType::Integer { zero_decimals: true, .. } => {
                self.column.empty.count > 0 || self.column.missing_count() > 0
            }
            // Amounts have different lengths; numbers of telephones and accounts have not.
            FieldType::Integer { group_char: Some(group), .. }
            | FieldType::Number(NumberFormat { group_char: Some(group), .. })
                if group != "," && group != "." && self.column.is_grouped_code() =>
            {
                false
            }
            // A number would lose the sign: only a person knows that it is told elsewhere. As text, nothing is lost.
            FieldType::Integer { bare_number: false, .. }
            | FieldType::Number(NumberFormat { bare_number: false, .. }) => {
                self.takes_signs && self.column.only_unit().is_some()
            }
            _ => true,
        }
    }

    /// Booleans with words of their own.
    fn boolean_kind(&self) -> Option<FieldType> {
        let (yes, no) = self.column.boolean_words()?;
        let usual = BooleanWords::default();
        let is_usual = |words: &[&str], known: &[String]| words.iter().all(|word| known.iter().any(|one| one == word));
        if is_usual(&yes, &usual.true_values) && is_usual(&no, &usual.false_values) {
            return None;
        }
        let owned = |words: Vec<&str>| words.into_iter().map(String::from).collect();
        Some(FieldType::Boolean(BooleanWords { true_values: owned(yes), false_values: owned(no) }))
    }

    /// Whether words such as `NaN` stand among the values.
    pub(super) fn has_nan(&self) -> bool {
        self.column.missing.iter().any(|(word, _)| words::is_not_a_number(word))
    }
}

/// The name of a type in the plural.
pub(super) fn plural_name(kind: &FieldType) -> String {
    match kind {
        FieldType::String(StringFormat::Email) => "e-mail addresses".into(),
        FieldType::String(StringFormat::Uri) => "URIs".into(),
        FieldType::String(StringFormat::Uuid) => "UUIDs".into(),
        FieldType::String(_) => "text".into(),
        other => format!("{}s", other.name()),
    }
}

/// The pattern of a date or datetime.
pub(super) fn date_pattern(kind: &FieldType) -> &str {
    match kind {
        FieldType::Date(TemporalFormat::Pattern(pattern))
        | FieldType::Time(TemporalFormat::Pattern(pattern))
        | FieldType::Datetime { format: TemporalFormat::Pattern(pattern), .. } => pattern,
        FieldType::Datetime { format: TemporalFormat::Any, .. } => "any",
        _ => "default",
    }
}
