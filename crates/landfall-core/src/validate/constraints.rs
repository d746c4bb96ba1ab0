//! The constraints of a field: all that a value breaks are listed.
//!
//! Bounds and enum values are written in the field's lexical form; they are read with the field's own reader, and values
//! are compared, not texts.

use std::{cmp::Ordering, sync::Arc};

use super::{
    column::{CellReader, ColumnBuilder, OwnedReaderValue, ReaderValue},
    problem::{RuleError, quote_shortened},
};
use crate::{count_noun, schema::Field};

/// The constraints of a field, `required` and `unique` aside.
#[derive(Debug)]
pub(super) struct FieldChecks<R: CellReader> {
    min_length: Option<u64>,
    max_length: Option<u64>,
    pattern: Option<PatternCheck>,
    bounds: Vec<ValueBound<OwnedReaderValue<R>>>,
    allowed: Option<AllowedValues<OwnedReaderValue<R>>>,
}

/// A bound of the values.
#[derive(Debug)]
struct ValueBound<V> {
    kind: BoundKind,
    value: V,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BoundKind {
    Minimum,
    Maximum,
    ExclusiveMinimum,
    ExclusiveMaximum,
}

impl BoundKind {
    const fn rule(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::ExclusiveMinimum => "exclusiveMinimum",
            Self::ExclusiveMaximum => "exclusiveMaximum",
        }
    }

    /// Whether a value that compares so with the bound keeps it. A value without order (NaN) keeps none.
    fn allows(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Minimum => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Self::Maximum => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::ExclusiveMinimum => order == Some(Ordering::Greater),
            Self::ExclusiveMaximum => order == Some(Ordering::Less),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Minimum => "is not at least",
            Self::Maximum => "is not at most",
            Self::ExclusiveMinimum => "is not greater than",
            Self::ExclusiveMaximum => "is not less than",
        }
    }
}

/// The only values that are allowed, sorted by their stored form.
#[derive(Debug)]
struct AllowedValues<V> {
    values: Vec<V>,
    words: String,
}

impl<R: CellReader> FieldChecks<R> {
    /// The constraints of `field`, whose values `reader` reads.
    pub(super) fn new(field: &Field, reader: &R) -> Result<Self, RuleError> {
        let rules = &field.constraints;
        let refuse = |rule: &'static str, reason: String| RuleError { field: Arc::clone(&field.name), rule, reason };
        for (rule, length) in [("minLength", rules.min_length), ("maxLength", rules.max_length)] {
            // A trial with an empty array and object shows whether the type has a length at all.
            if length.is_some() && reader.value_length("[]").or_else(|| reader.value_length("{}")).is_none() {
                return Err(refuse(rule, format!("does not apply to the type {}", field.kind.name())));
            }
        }
        let pattern = match &rules.pattern {
            Some(text) => Some(PatternCheck::new(text).map_err(|why| refuse("pattern", why))?),
            None => None,
        };
        Ok(Self {
            min_length: rules.min_length,
            max_length: rules.max_length,
            pattern,
            bounds: read_bounds(field, reader, &refuse)?,
            allowed: read_allowed_values(field, reader, &refuse)?,
        })
    }

    /// Whether there is nothing to check.
    pub(super) fn is_empty(&self) -> bool {
        self.min_length.is_none()
            && self.max_length.is_none()
            && self.pattern.is_none()
            && self.bounds.is_empty()
            && self.allowed.is_none()
    }

    /// Tells `note` every constraint that the value of the cell `text` breaks, as the end of a sentence.
    pub(super) fn run(&self, reader: &R, text: &str, value: ReaderValue<'_, R>, note: &mut impl FnMut(String)) {
        self.check_lengths(reader, text, note);
        if let Some(problem) = self.pattern.as_ref().and_then(|pattern| pattern.find_problem(text)) {
            note(problem);
        }
        for bound in &self.bounds {
            if !bound.kind.allows(reader.compare_values(value, R::Stored::as_value(&bound.value))) {
                note(format!("{} {}", bound.kind.words(), bound.text));
            }
        }
        if let Some(allowed) = &self.allowed
            && !allowed.contains_value(reader, value)
        {
            note(format!("is not one of {}", allowed.words));
        }
    }

    fn check_lengths(&self, reader: &R, text: &str, note: &mut impl FnMut(String)) {
        if self.min_length.is_none() && self.max_length.is_none() {
            return;
        }
        let Some((length, noun)) = reader.value_length(text) else { return };
        if let Some(least) = self.min_length.filter(|&least| length < least) {
            note(format!("has {}; at least {least} are required", count_noun(length, noun)));
        }
        if let Some(most) = self.max_length.filter(|&most| length > most) {
            note(format!("has {}; at most {most} are allowed", count_noun(length, noun)));
        }
    }
}

/// Reads the bounds of a field.
fn read_bounds<R: CellReader>(
    field: &Field,
    reader: &R,
    refuse: &impl Fn(&'static str, String) -> RuleError,
) -> Result<Vec<ValueBound<OwnedReaderValue<R>>>, RuleError> {
    let rules = &field.constraints;
    let declared = [
        (BoundKind::Minimum, &rules.minimum),
        (BoundKind::Maximum, &rules.maximum),
        (BoundKind::ExclusiveMinimum, &rules.exclusive_minimum),
        (BoundKind::ExclusiveMaximum, &rules.exclusive_maximum),
    ];
    let mut bounds = Vec::new();
    for (kind, text) in declared {
        let Some(text) = text else { continue };
        let value = read_own_value(reader, text).map_err(|why| refuse(kind.rule(), why))?;
        // NaN is a number without order: as a bound it would refuse every value of the column.
        if reader.compare_values(R::Stored::as_value(&value), R::Stored::as_value(&value)).is_none() {
            return Err(refuse(
                kind.rule(),
                format!("{} has no order among the values of the type", quote_shortened(text)),
            ));
        }
        bounds.push(ValueBound { kind, value, text: text.clone() });
    }
    Ok(bounds)
}

/// Reads the enum of a field.
fn read_allowed_values<R: CellReader>(
    field: &Field,
    reader: &R,
    refuse: &impl Fn(&'static str, String) -> RuleError,
) -> Result<Option<AllowedValues<OwnedReaderValue<R>>>, RuleError> {
    let Some(texts) = &field.constraints.enumeration else { return Ok(None) };
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        values.push(read_own_value(reader, text).map_err(|why| refuse("enum", why))?);
    }
    // Sorted for the binary search below, by the stored form since not every type has an order of values.
    values.sort_by(|left, right| R::Stored::compare_values(R::Stored::as_value(left), R::Stored::as_value(right)));
    Ok(Some(AllowedValues { values, words: list_values(texts) }))
}

/// Reads a value of the dictionary with the field's own reader.
fn read_own_value<R: CellReader>(reader: &R, text: &str) -> Result<OwnedReaderValue<R>, String> {
    let mut scratch = String::new();
    // Through `read` and not the hot path: only it says why a value cannot be read.
    match reader.read(text, &mut scratch) {
        Ok(value) => Ok(R::Stored::to_owned_value(value)),
        Err(cause) if cause.is_empty() => {
            Err(format!("{} is not {}; {}", quote_shortened(text), reader.value_noun(), reader.mend_hint()))
        }
        Err(cause) => {
            Err(format!("{} is not {} ({cause}); {}", quote_shortened(text), reader.value_noun(), reader.mend_hint()))
        }
    }
}

impl<V> AllowedValues<V> {
    fn contains_value<R: CellReader<Stored: ColumnBuilder<Owned = V>>>(
        &self,
        reader: &R,
        value: ReaderValue<'_, R>,
    ) -> bool {
        // Most cells are written as in the dictionary, so the search by text spares comparing by value.
        let found = self.values.binary_search_by(|kept| R::Stored::compare_values(R::Stored::as_value(kept), value));
        found.is_ok()
            || (R::OWN_EQUALITY
                && self.values.iter().any(|kept| are_same_values(reader, R::Stored::as_value(kept), value)))
    }
}

fn are_same_values<R: CellReader>(reader: &R, left: ReaderValue<'_, R>, right: ReaderValue<'_, R>) -> bool {
    reader.compare_values(left, right) == Some(Ordering::Equal)
}

/// The first values of an enum, for a message.
fn list_values(texts: &[String]) -> String {
    const LISTED: usize = 8;
    let mut words: Vec<String> = texts.iter().take(LISTED).map(|text| quote_shortened(text)).collect();
    if texts.len() > LISTED {
        words.push(format!("… ({} in all)", texts.len()));
    }
    words.join(", ")
}

/// A regular expression that the whole cell matches.
#[derive(Debug)]
struct PatternCheck {
    text: String,
    engine: RegexEngine,
}

#[derive(Debug)]
enum RegexEngine {
    /// One of the patterns of [`NOT_BLANK`], which need no automaton.
    NotBlank,
    /// Linear time.
    Linear(regex::Regex),
    /// With look-around or back-references; gives up after a bounded number of steps.
    Backtracking(Box<fancy_regex::Regex>),
}

/// What "at least one character that is not white space" is written as. Data dictionaries have it on many a text field,
/// where it would take as long as everything else together.
const NOT_BLANK: [&str; 3] = [r"\s*\S[\s\S]*", r"[\s\S]*\S[\s\S]*", r"(?s).*\S.*"];

impl PatternCheck {
    fn new(text: &str) -> Result<Self, String> {
        if NOT_BLANK.contains(&text) {
            return Ok(Self { text: text.to_owned(), engine: RegexEngine::NotBlank });
        }
        let whole = format!(r"\A(?:{text})\z");
        // The pattern must be sound by itself, so that nothing in it can close the group around it.
        let engine = match (regex::Regex::new(text), regex::Regex::new(&whole)) {
            (Ok(_), Ok(regex)) => RegexEngine::Linear(regex),
            _ => RegexEngine::Backtracking(Box::new(Self::build_backtracking(text, &whole)?)),
        };
        Ok(Self { text: text.to_owned(), engine })
    }

    fn build_backtracking(text: &str, whole: &str) -> Result<fancy_regex::Regex, String> {
        fancy_regex::Regex::new(text)
            // As above: the bare pattern first, or `a)|(b` would slip out of the group.
            .and_then(|_| fancy_regex::Regex::new(whole))
            .map_err(|error| format!("{} is not a regular expression: {error}", quote_shortened(text)))
    }

    /// What is wrong with a cell, if it does not match.
    fn find_problem(&self, cell: &str) -> Option<String> {
        let matches = match &self.engine {
            RegexEngine::NotBlank => cell.chars().any(|character| !character.is_whitespace()),
            RegexEngine::Linear(regex) => regex.is_match(cell),
            RegexEngine::Backtracking(regex) => match regex.is_match(cell) {
                Ok(matches) => matches,
                // The engine gave up at its step limit. The cell is refused, since nobody knows whether it matches.
                Err(_) => return Some(format!("is too long a search for the pattern {}", quote_shortened(&self.text))),
            },
        };
        (!matches).then(|| format!("does not match the pattern {}", quote_shortened(&self.text)))
    }
}

#[cfg(test)]
mod tests {
    use super::{NOT_BLANK, PatternCheck};

    #[test]
    fn the_short_way_says_what_the_regular_expression_says() {
        let cells = ["", " ", "\t\n", "\u{a0}\u{2003}", "a", " a", "\n\nb\n", "\u{200b}", "\u{85}", "\u{1c}", "\0"];
        for text in NOT_BLANK {
            let short = PatternCheck::new(text).expect("a pattern");
            let long = regex::Regex::new(&format!(r"\A(?:{text})\z")).expect("a pattern");
            for cell in cells {
                assert_eq!(short.find_problem(cell).is_none(), long.is_match(cell), "{text} on {cell:?}");
            }
        }
    }
}
