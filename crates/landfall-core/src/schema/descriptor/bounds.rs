//! Bounds that leave no value between them.

use std::cmp::Ordering;

use crate::schema::document::{DescriptorProblems, DocumentPlace};
use crate::schema::{Constraints, FieldType, TemporalFormat};

/// Reports bounds that exclude each other. Bounds that cannot be compared as text are left to the validator.
pub(super) fn check_bounds(
    constraints: &Constraints,
    kind: Option<&FieldType>,
    place: &DocumentPlace,
    problems: &DescriptorProblems,
) {
    if let (Some(least), Some(greatest)) = (constraints.min_length, constraints.max_length)
        && least > greatest
    {
        problems.report_problem(place, format!("\"minLength\" {least} is greater than \"maxLength\" {greatest}"));
    }
    // Without a type the bounds cannot be read, and its own error is reported already.
    let Some(kind) = kind else { return };
    let lower = [("minimum", &constraints.minimum), ("exclusiveMinimum", &constraints.exclusive_minimum)];
    let upper = [("maximum", &constraints.maximum), ("exclusiveMaximum", &constraints.exclusive_maximum)];
    for (low_name, low) in &lower {
        for (high_name, high) in &upper {
            let (Some(low), Some(high)) = (low, high) else { continue };
            // Only if both ends are inclusive may they be the same value.
            let touching = (*low_name, *high_name) == ("minimum", "maximum");
            let fits = |order: Ordering| order == Ordering::Less || (touching && order == Ordering::Equal);
            if compare_bounds(kind, low, high).is_some_and(|order| !fits(order)) {
                let message = format!("no value lies between \"{low_name}\" {low} and \"{high_name}\" {high}");
                problems.report_problem(place, message);
            }
        }
    }
}

fn compare_bounds(kind: &FieldType, a: &str, b: &str) -> Option<Ordering> {
    match kind {
        FieldType::Year => compare_decimals(a, b),
        FieldType::Integer { group_char, .. } => {
            let plain = |text: &str| without_groups(text, group_char.as_deref());
            compare_decimals(&plain(a), &plain(b))
        }
        FieldType::Number(format) => {
            // First the groups: in `1.000,5`, the point is none of a fraction.
            let plain =
                |text: &str| without_groups(text, format.group_char.as_deref()).replace(&format.decimal_char, ".");
            compare_decimals(&plain(a), &plain(b))
        }
        FieldType::Date(TemporalFormat::Default) => compare_shaped(a, b, "0000-00-00"),
        FieldType::Time(TemporalFormat::Default) => compare_shaped(a, b, "00:00:00"),
        FieldType::YearMonth => compare_shaped(a, b, "0000-00"),
        _ => None,
    }
}

fn without_groups(text: &str, group: Option<&str>) -> String {
    group.map_or_else(|| text.to_owned(), |group| text.replace(group, ""))
}

/// Texts of fixed shape whose order is that of their bytes; a `0` in the shape stands for any digit.
fn compare_shaped(a: &str, b: &str, shape: &str) -> Option<Ordering> {
    let matches = |byte: u8, wanted: u8| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
    let shaped = |text: &str| text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(|(x, y)| matches(x, y));
    // Only a text of full width sorts by its bytes as it does by its value.
    (shaped(a) && shaped(b)).then(|| a.cmp(b))
}

/// Compares decimal numbers of any length without an exponent.
fn compare_decimals(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (BoundDecimal::read(a)?, BoundDecimal::read(b)?);
    Some(match (a.negative, b.negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => a.compare_size(&b),
        (true, true) => b.compare_size(&a),
    })
}

struct BoundDecimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> BoundDecimal<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        // -0 and 0 are one value.
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: text.starts_with('-') && !is_zero, whole, fraction })
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        // Without zeros in front, the longer number is the larger one.
        let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(other.whole));
        // Fractions compare digit by digit from the point, whatever their lengths.
        whole.then_with(|| self.fraction.cmp(other.fraction))
    }
}
