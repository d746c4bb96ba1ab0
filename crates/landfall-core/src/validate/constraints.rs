//! The constraints of a field: all that a value breaks are listed.
//!
//! Bounds and enum values are written in the field's lexical form; they are read with the field's own reader, and values
//! are compared, not texts.

use std::{cmp::Ordering, sync::Arc};

use super::{
    column::{Owned, Reader, Stored, Value},
    problem::{RuleError, counted, shown},
};
use crate::schema::Field;

/// The constraints of a field, `required` and `unique` aside.
#[derive(Debug)]
pub(super) struct Checks<R: Reader> {
    min_length: Option<u64>,
    max_length: Option<u64>,
    pattern: Option<Pattern>,
    bounds: Vec<Bound<Owned<R>>>,
    allowed: Option<Allowed<Owned<R>>>,
}

/// A bound of the values.
#[derive(Debug)]
struct Bound<V> {
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
struct Allowed<V> {
    values: Vec<V>,
    words: String,
}

impl<R: Reader> Checks<R> {
    /// The constraints of `field`, whose values `reader` reads.
    pub(super) fn new(field: &Field, reader: &R) -> Result<Self, RuleError> {
        let rules = &field.constraints;
        let refuse = |rule: &'static str, reason: String| RuleError { field: Arc::clone(&field.name), rule, reason };
        for (rule, length) in [("minLength", rules.min_length), ("maxLength", rules.max_length)] {
            if length.is_some() && reader.length("[]").or_else(|| reader.length("{}")).is_none() {
                return Err(refuse(rule, format!("does not apply to the type {}", field.kind.name())));
            }
        }
        let pattern = match &rules.pattern {
            Some(text) => Some(Pattern::new(text).map_err(|why| refuse("pattern", why))?),
            None => None,
        };
        Ok(Self {
            min_length: rules.min_length,
            max_length: rules.max_length,
            pattern,
            bounds: bounds(field, reader, &refuse)?,
            allowed: allowed(field, reader, &refuse)?,
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
    pub(super) fn run(&self, reader: &R, text: &str, value: Value<'_, R>, note: &mut impl FnMut(String)) {
        self.run_lengths(reader, text, note);
        if let Some(problem) = self.pattern.as_ref().and_then(|pattern| pattern.problem(text)) {
            note(problem);
        }
        for bound in &self.bounds {
            if !bound.kind.allows(reader.order(value, R::Stored::kept(&bound.value))) {
                note(format!("{} {}", bound.kind.words(), bound.text));
            }
        }
        if let Some(allowed) = &self.allowed
            && !allowed.has(reader, value)
        {
            note(format!("is not one of {}", allowed.words));
        }
    }

    fn run_lengths(&self, reader: &R, text: &str, note: &mut impl FnMut(String)) {
        if self.min_length.is_none() && self.max_length.is_none() {
            return;
        }
        let Some((length, noun)) = reader.length(text) else { return };
        if let Some(least) = self.min_length.filter(|&least| length < least) {
            note(format!("has {}; at least {least} are required", counted(length, noun)));
        }
        if let Some(most) = self.max_length.filter(|&most| length > most) {
            note(format!("has {}; at most {most} are allowed", counted(length, noun)));
        }
    }
}

/// Reads the bounds of a field.
fn bounds<R: Reader>(
    field: &Field,
    reader: &R,
    refuse: &impl Fn(&'static str, String) -> RuleError,
) -> Result<Vec<Bound<Owned<R>>>, RuleError> {
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
        let value = own_value(reader, text).map_err(|why| refuse(kind.rule(), why))?;
        if reader.order(R::Stored::kept(&value), R::Stored::kept(&value)).is_none() {
            return Err(refuse(kind.rule(), format!("{} has no order among the values of the type", shown(text))));
        }
        bounds.push(Bound { kind, value, text: text.clone() });
    }
    Ok(bounds)
}

/// Reads the enum of a field.
fn allowed<R: Reader>(
    field: &Field,
    reader: &R,
    refuse: &impl Fn(&'static str, String) -> RuleError,
) -> Result<Option<Allowed<Owned<R>>>, RuleError> {
    let Some(texts) = &field.constraints.enumeration else { return Ok(None) };
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        values.push(own_value(reader, text).map_err(|why| refuse("enum", why))?);
    }
    values.sort_by(|left, right| R::Stored::order(R::Stored::kept(left), R::Stored::kept(right)));
    Ok(Some(Allowed { values, words: listed(texts) }))
}

/// Reads a value of the dictionary with the field's own reader.
fn own_value<R: Reader>(reader: &R, text: &str) -> Result<Owned<R>, String> {
    let mut scratch = String::new();
    match reader.read(text, &mut scratch) {
        Ok(value) => Ok(R::Stored::keep(value)),
        Err(cause) if cause.is_empty() => Err(format!("{} is not {}; {}", shown(text), reader.noun(), reader.hint())),
        Err(cause) => Err(format!("{} is not {} ({cause}); {}", shown(text), reader.noun(), reader.hint())),
    }
}

impl<V> Allowed<V> {
    fn has<R: Reader<Stored: Stored<Owned = V>>>(&self, reader: &R, value: Value<'_, R>) -> bool {
        let found = self.values.binary_search_by(|kept| R::Stored::order(R::Stored::kept(kept), value));
        found.is_ok() || (R::OWN_EQUALITY && self.values.iter().any(|kept| same(reader, R::Stored::kept(kept), value)))
    }
}

fn same<R: Reader>(reader: &R, left: Value<'_, R>, right: Value<'_, R>) -> bool {
    reader.order(left, right) == Some(Ordering::Equal)
}

/// The first values of an enum, for a message.
fn listed(texts: &[String]) -> String {
    const LISTED: usize = 8;
    let mut words: Vec<String> = texts.iter().take(LISTED).map(|text| shown(text)).collect();
    if texts.len() > LISTED {
        words.push(format!("… ({} in all)", texts.len()));
    }
    words.join(", ")
}

/// A regular expression that the whole cell matches.
#[derive(Debug)]
struct Pattern {
    text: String,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
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

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        if NOT_BLANK.contains(&text) {
            return Ok(Self { text: text.to_owned(), engine: Engine::NotBlank });
        }
        let whole = format!(r"\A(?:{text})\z");
        // The pattern must be sound by itself, so that nothing in it can close the group around it.
        let engine = match (regex::Regex::new(text), regex::Regex::new(&whole)) {
            (Ok(_), Ok(regex)) => Engine::Linear(regex),
            _ => Engine::Backtracking(Box::new(Self::backtracking(text, &whole)?)),
        };
        Ok(Self { text: text.to_owned(), engine })
    }

    fn backtracking(text: &str, whole: &str) -> Result<fancy_regex::Regex, String> {
        fancy_regex::Regex::new(text)
            .and_then(|_| fancy_regex::Regex::new(whole))
            .map_err(|error| format!("{} is not a regular expression: {error}", shown(text)))
    }

    /// What is wrong with a cell, if it does not match.
    fn problem(&self, cell: &str) -> Option<String> {
        let matches = match &self.engine {
            Engine::NotBlank => cell.chars().any(|character| !character.is_whitespace()),
            Engine::Linear(regex) => regex.is_match(cell),
            Engine::Backtracking(regex) => match regex.is_match(cell) {
                Ok(matches) => matches,
                Err(_) => return Some(format!("is too long a search for the pattern {}", shown(&self.text))),
            },
        };
        (!matches).then(|| format!("does not match the pattern {}", shown(&self.text)))
    }
}

#[cfg(test)]
mod tests {
    use super::{NOT_BLANK, Pattern};

    #[test]
    fn the_short_way_says_what_the_regular_expression_says() {
        let cells = ["", " ", "\t\n", "\u{a0}\u{2003}", "a", " a", "\n\nb\n", "\u{200b}", "\u{85}", "\u{1c}", "\0"];
        for text in NOT_BLANK {
            let short = Pattern::new(text).expect("a pattern");
            let long = regex::Regex::new(&format!(r"\A(?:{text})\z")).expect("a pattern");
            for cell in cells {
                assert_eq!(short.problem(cell).is_none(), long.is_match(cell), "{text} on {cell:?}");
            }
        }
    }
}
