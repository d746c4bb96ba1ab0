//! What is to be said about the values of a column: why it is text though it looks like something else, and what a person should check.

use landfall_core::schema::{FieldType, NumberFormat, StringFormat, TemporalFormat};

use super::{
    choice::{ChoiceContext, DecimalMark, LEAST, TypeChooser, date_pattern, plural_name},
    column::{ColumnSurvey, LiveCandidate},
    findings::{Finding, FindingSubject, list_places},
    yaml::one_line_comment,
};
use crate::count_noun;

/// With so many good ones in a hundred, a type that is not proposed is worth a word.
const NEARLY: u64 = 80;

/// The findings about the column at `at`, whose type is to be `kind`.
pub(super) fn explain_choice(
    chooser: &TypeChooser<'_>,
    at: usize,
    kind: &FieldType,
    context: &ChoiceContext<'_>,
) -> Vec<Finding> {
    let subject = FindingSubject::Field(at);
    let column = chooser.column;
    let text = matches!(kind, FieldType::String(StringFormat::Default));
    let mut findings = Vec::new();
    if text && column.filled > 0 {
        findings.extend(explain_text(chooser).map(|words| Finding::notable(subject, words)));
    } else {
        let unsure = matches!(kind, FieldType::Number(_)) && column.points.is_ambiguous();
        let notable = unsure && context.mark == DecimalMark::Unknown;
        let kind_words = explain_kind(column, kind);
        findings.extend(kind_words.map(|words| Finding { notable, ..Finding::comment(subject, words) }));
        findings.extend(find_type_doubt(column, kind, context).map(|words| Finding::notable(subject, words)));
    }
    findings.extend(
        describe_missing_words(column, text, context)
            .map(|words| Finding { notable: text, ..Finding::comment(subject, words) }),
    );
    findings.extend(describe_edges(column, context).map(|words| Finding::notable(subject, words)));
    findings
}

/// What a type makes of the values, where that is not plain.
fn explain_kind(column: &ColumnSurvey, kind: &FieldType) -> Option<String> {
    match kind {
        FieldType::Integer { zero_decimals: true, .. } => {
            Some("whole numbers that a program wrote as 8.0, since some are missing".into())
        }
        FieldType::Number(NumberFormat { decimal_char, .. }) if decimal_char == "." && column.points.is_ambiguous() => {
            Some("every point has three digits behind it: where it groups thousands, write type: integer, groupChar: \".\"".into())
        }
        FieldType::Date(TemporalFormat::Pattern(pattern)) if pattern.contains("%y") => {
            Some("years of two digits: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068".into())
        }
        _ => None,
    }
}

/// What is to be checked about a type.
fn find_type_doubt(column: &ColumnSurvey, kind: &FieldType, context: &ChoiceContext<'_>) -> Option<String> {
    match kind {
        FieldType::Datetime { timezone: Some(_), .. } => {
            Some("the values have no zone: UTC is taken for granted; write yours, such as Europe/Paris".into())
        }
        FieldType::Integer { .. } | FieldType::Number(_) => describe_odd_numbers(column, kind, context),
        _ => None,
    }
}

/// Numbers that may be something else: times, or the sign of a missing value.
fn describe_odd_numbers(column: &ColumnSurvey, kind: &FieldType, context: &ChoiceContext<'_>) -> Option<String> {
    let timely = |count: u64| kind.name() == "integer" && count == column.filled && count > 1 && !context.key;
    let unit = match (timely(column.seconds), timely(column.millis)) {
        (true, _) => Some("seconds"),
        (_, true) => Some("milliseconds"),
        _ => None,
    };
    if let Some(unit) = unit {
        return Some(format!(
            "all values may be {unit} since 1970-01-01 in UTC; they stay integers, as the files have them"
        ));
    }
    let (word, tally) = column.sentinel.as_ref().filter(|(_, tally)| tally.count > 1 && tally.count < column.filled)?;
    let (times, places) = (tally.count, list_places(context.sources, tally));
    Some(format!(
        "{word} occurs {times} times ({places}); if it means that nothing is known, add missingValues: [\"\", \"{word}\"]"
    ))
}

/// Words such as `n/a`: in a column of text they may be values.
fn describe_missing_words(column: &ColumnSurvey, text: bool, context: &ChoiceContext<'_>) -> Option<String> {
    let cells = |(word, tally): &(String, super::records::PlaceTally)| {
        format!("{:?} ({})", one_line_comment(word), list_places(context.sources, tally))
    };
    let words: Vec<String> = column.missing.iter().map(cells).collect();
    match (words.is_empty(), text) {
        (true, _) => None,
        (false, false) => Some(format!("these stand for a missing value: {}", words.join(", "))),
        (false, true) => {
            Some(format!("if these stand for a missing value, write them to missingValues: {}", words.join(", ")))
        }
    }
}

/// Blanks at the edges of cells.
fn describe_edges(column: &ColumnSurvey, context: &ChoiceContext<'_>) -> Option<String> {
    let tally = &column.edges;
    let (cells, places) = (count_noun(tally.count, "value"), list_places(context.sources, tally));
    (tally.count > 0).then(|| format!("{cells} with blanks at the edges ({places}), which are kept"))
}

/// Why the column is text though it looks like something else.
fn explain_text(chooser: &TypeChooser<'_>) -> Option<String> {
    let column = chooser.column;
    let fits = |live: &&LiveCandidate| chooser.fits_values(live);
    if column.padded > 0 && has_numbers(chooser) {
        let padded = column.padded;
        return Some(format!("{} leading zeros or a plus sign, which a number would lose", have(padded)));
    }
    if column.exponents > 0 && has_numbers(chooser) {
        return Some(format!(
            "{} the form 9e42: codes, which numbers with an exponent would change",
            have(column.exponents)
        ));
    }
    if column.commas.is_ambiguous() && column.live.iter().any(|live| chooser.fits_values(live) && live.is_possible()) {
        return Some(
            "numbers whose comma may group thousands (groupChar) or begin a fraction (decimalChar): write which".into(),
        );
    }
    if let Some(live) = column.live.iter().find(|live| fits(live) && !chooser.is_plain(live)) {
        return Some(describe_ambiguity(chooser, live));
    }
    describe_accounting(column).or_else(|| describe_units(chooser)).or_else(|| describe_months(column)).or_else(|| {
        let sound = column.live.iter().filter(|live| live.is_sound());
        sound.min_by_key(|live| live.bad).and_then(|live| describe_near_type(chooser, live))
    })
}

/// Numbers as accountants write what is less than nothing.
fn describe_accounting(column: &ColumnSurvey) -> Option<String> {
    let some = column.bracketed > 0 && column.bracketed < column.filled && column.has_only_numbers;
    let values = count_noun(column.bracketed, "value");
    some.then(|| format!("{values} such as (75.20) or 75.20-: if that is less than nothing, write -75.20 in the files"))
}

fn have(count: u64) -> String {
    if count == 1 { "1 value has".into() } else { format!("{count} values have") }
}

/// Whether the values are numbers, but for what rules those out.
fn has_numbers(chooser: &TypeChooser<'_>) -> bool {
    let is_number = |live: &&LiveCandidate| {
        let name = chooser.survey.candidates[live.candidate].kind.name();
        matches!(name, "integer" | "number")
    };
    chooser.column.live.iter().filter(is_number).any(|live| chooser.fits_values(live))
}

fn describe_ambiguity(chooser: &TypeChooser<'_>, live: &LiveCandidate) -> String {
    let candidate = &chooser.survey.candidates[live.candidate];
    match candidate.twin.map(|twin| &chooser.survey.candidates[twin].kind) {
        Some(twin) => format!(
            "these may be {} in the form {} or {}: no day beyond 12 tells; write type and format if you know",
            plural_name(&candidate.kind),
            date_pattern(&candidate.kind),
            date_pattern(twin)
        ),
        None => "these are datetimes, some with a zone and some without; give them all one, or declare one".into(),
    }
}

/// Numbers with one unit, with several, or with and without one.
fn describe_units(chooser: &TypeChooser<'_>) -> Option<String> {
    let units = chooser.column.units.as_ref().filter(|units| units.iter().any(|unit| !unit.is_empty()))?;
    let is_unit = |kind: &FieldType| {
        matches!(
            kind,
            FieldType::Integer { bare_number: false, .. } | FieldType::Number(NumberFormat { bare_number: false, .. })
        )
    };
    let live = |live: &&LiveCandidate| is_unit(&chooser.survey.candidates[live.candidate].kind);
    let fitting = chooser.column.live.iter().filter(live).find(|live| chooser.fits_values(live))?;
    if let Some(unit) = chooser.column.only_unit() {
        let (unit, form) = (one_line_comment(unit), number_form(&chooser.survey.candidates[fitting.candidate].kind));
        return Some(format!("every value has the unit {unit:?}; to load numbers without it, write {form}"));
    }
    let name =
        |unit: &String| if unit.is_empty() { "none".to_owned() } else { format!("{:?}", one_line_comment(unit)) };
    let names: Vec<String> = units.iter().map(name).collect();
    Some(format!("numbers with different units ({}): a number would lose them", names.join(", ")))
}

/// How a number with signs around it is declared.
fn number_form(kind: &FieldType) -> String {
    match kind {
        FieldType::Number(NumberFormat { decimal_char, group_char, .. }) => {
            let group = group_char.as_ref().map(|group| format!(", groupChar: {group:?}")).unwrap_or_default();
            let decimal = if decimal_char == "." { String::new() } else { format!(", decimalChar: {decimal_char:?}") };
            format!("type: number, bareNumber: false{decimal}{group}")
        }
        FieldType::Integer { group_char: Some(group), .. } => {
            format!("type: integer, bareNumber: false, groupChar: {group:?}")
        }
        _ => "type: integer, bareNumber: false".into(),
    }
}

/// Dates with names of months in a language that patterns do not know.
fn describe_months(column: &ColumnSurvey) -> Option<String> {
    column.foreign_months.then(|| "dates with the names of months, which patterns know in English only".into())
}

fn describe_near_type(chooser: &TypeChooser<'_>, live: &LiveCandidate) -> Option<String> {
    let (bad, all) = (live.bad, chooser.column.filled);
    let kind = &chooser.survey.candidates[live.candidate].kind;
    let telling = bad > 0 && all >= LEAST / 5 && all.saturating_sub(bad) * 100 >= all * NEARLY;
    telling.then(|| {
        let nan = if chooser.has_nan() { ", besides NaN" } else { "" };
        format!("{} of {all} values are {}{nan}, too few to reject the others", all - bad, plural_name(kind))
    })
}
