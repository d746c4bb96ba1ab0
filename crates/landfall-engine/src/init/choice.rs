//! The type of a column, chosen from what all of its values say.

use landfall_core::schema::{FieldType, StringFormat, TemporalFormat};

use super::survey::{ColumnSurvey, LiveCandidate, TableSurvey};

/// With fewer values than this, none may be bad.
const LEAST: u64 = 50;
/// One in so many may be bad: two in a hundred.
const ONE_IN: u64 = 50;
/// With so many good ones in a hundred, a type that is not proposed is worth a word.
const NEARLY: u64 = 80;

/// Whether `bad` of `all` are few enough to be mistakes.
pub(super) const fn are_mistakes(bad: u64, all: u64) -> bool {
    bad == 0 || (all.saturating_sub(bad) >= LEAST && bad * ONE_IN <= all)
}

/// A type with what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TypeChoice {
    pub(super) kind: FieldType,
    pub(super) required: bool,
    /// For comments.
    pub(super) remarks: Vec<String>,
}

/// The type of the column at `at`.
pub(super) fn choose_type(survey: &TableSurvey, at: usize) -> TypeChoice {
    let column = &survey.columns[at];
    let chooser = TypeChooser { survey, column };
    let filled = column.filled > 0;
    let required = filled && are_mistakes(column.empty, column.empty + column.filled);
    let text = FieldType::String(StringFormat::Default);
    match chooser.best_candidate().filter(|_| filled) {
        Some(live) => {
            let candidate = &survey.candidates[live.candidate];
            let zone = "the values have no zone: UTC is taken for granted; write yours, such as Europe/Paris";
            let remarks = if candidate.assumes_utc() { vec![zone.to_owned()] } else { Vec::new() };
            TypeChoice { kind: candidate.kind.clone(), required, remarks }
        }
        None => TypeChoice { kind: text, required, remarks: chooser.explain_text() },
    }
}

struct TypeChooser<'s> {
    survey: &'s TableSurvey,
    column: &'s ColumnSurvey,
}

impl<'s> TypeChooser<'s> {
    /// Types whose values say all that is needed come before those that take a zone for granted, and types of all values
    /// before those of nearly all.
    fn best_candidate(&self) -> Option<&'s LiveCandidate> {
        let find = |assumes: bool, exact: bool| {
            let fits = |live: &&LiveCandidate| {
                let candidate = &self.survey.candidates[live.candidate];
                candidate.zoned.is_some() == assumes
                    && (if exact { live.bad == 0 } else { !candidate.exact && self.fits_values(live) })
                    && live.is_sound()
                    && self.is_plain(live)
            };
            self.column.live.iter().find(fits)
        };
        [(false, true), (false, false), (true, true), (true, false)].into_iter().find_map(|(a, e)| find(a, e))
    }

    fn fits_values(&self, live: &LiveCandidate) -> bool {
        are_mistakes(live.bad, self.column.filled)
    }

    fn find_candidate(&self, candidate: usize) -> Option<&'s LiveCandidate> {
        self.column.live.iter().find(|live| live.candidate == candidate)
    }

    /// Whether the type can be meant in one way only.
    fn is_plain(&self, live: &LiveCandidate) -> bool {
        let candidate = &self.survey.candidates[live.candidate];
        let twin = candidate.twin.and_then(|twin| self.find_candidate(twin));
        // A day beyond 12 shows the order, unless it is a mistake.
        let order = twin.is_none_or(|twin| (live.bad == 0 && twin.bad > 0) || !self.fits_values(twin));
        let zoned = candidate.zoned.and_then(|zoned| self.find_candidate(zoned));
        let zone = zoned.is_none_or(|zoned| zoned.bad * 2 > self.column.filled);
        order && zone
    }

    /// Why the column is text though it looks like something else.
    fn explain_text(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.column.filled == 0 {
            return doubts;
        }
        if self.column.padded > 0 && self.column.live.iter().any(|live| live.candidate < 2 && self.fits_values(live)) {
            let padded = self.column.padded;
            doubts.push(format!("{padded} values have leading zeros or a plus sign, which a number would lose"));
        } else if let Some(live) = self.column.live.iter().find(|live| self.fits_values(live) && !self.is_plain(live)) {
            doubts.push(self.describe_ambiguity(live));
        } else if let Some(live) = self.column.live.iter().filter(|live| live.is_sound()).min_by_key(|live| live.bad) {
            doubts.extend(self.describe_near_type(live));
        }
        doubts
    }

    fn describe_ambiguity(&self, live: &LiveCandidate) -> String {
        let candidate = &self.survey.candidates[live.candidate];
        match candidate.twin.map(|twin| &self.survey.candidates[twin].kind) {
            Some(twin) => format!(
                "these may be {} in the form {} or {}: no day beyond 12 tells; write type and format if you know",
                plural_name(&candidate.kind),
                date_pattern(&candidate.kind),
                date_pattern(twin)
            ),
            None => "these are datetimes, some with a zone and some without; give them all one, or declare one".into(),
        }
    }

    fn describe_near_type(&self, live: &LiveCandidate) -> Option<String> {
        let (bad, all) = (live.bad, self.column.filled);
        let kind = &self.survey.candidates[live.candidate].kind;
        let telling = all >= LEAST / 2 && all.saturating_sub(bad) * 100 >= all * NEARLY;
        telling
            .then(|| format!("{} of {all} values are {}, too few to reject the others", all - bad, plural_name(kind)))
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
