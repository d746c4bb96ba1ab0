//! What stands around and between the digits of a number: `bareNumber` and `groupChar`.
//!
//! Whatever is taken away must leave the value what a reader of the file takes it for. So only texts that are known to do so are taken away
//! ([`super::units`]): brackets, signs behind the digits, other dashes than `-` and words such as `k`, `Mio` or `CR` would change it.

use std::borrow::Cow;

use super::{problem::CellFault, units};

/// `text` without the currency, percent sign or unit before and after the number (`bareNumber: false`).
///
/// A sign or decimal point stays where a digit follows it, so that `$.5` is a half and not five; a sign may also stand before a currency.
///
/// # Errors
/// Other characters around the number.
pub(super) fn strip_units<'a>(text: &'a str, decimal_char: &str) -> Result<Cow<'a, str>, CellFault> {
    let Some(first) = text.find(|c: char| c.is_ascii_digit()) else { return Ok(Cow::Borrowed(text)) };
    let last = text.rfind(|c: char| c.is_ascii_digit()).unwrap_or(first);
    let (before, after) = (&text[..first], &text[last + 1..]);
    let pointed = Some(decimal_char).filter(|point| !point.is_empty()).and_then(|point| before.strip_suffix(point));
    let point = pointed.map_or(0, |_| decimal_char.len());
    let before = pointed.unwrap_or(before);
    // `Rs.500`: the point may belong to the abbreviation, and may be that of a half rupee.
    if point > 0 && before.ends_with(char::is_alphabetic) {
        return Err(units::UNKNOWN);
    }
    let after = after.strip_prefix(decimal_char).unwrap_or(after);
    let sign = usize::from(before.ends_with(['-', '+']));
    let number = &text[before.len() - sign..=last];
    let before = &before[..before.len() - sign];
    let outer = before.chars().next().filter(|first| matches!(first, '-' | '+')).filter(|_| sign == 0);
    let before = &before[outer.map_or(0, char::len_utf8)..];
    if !units::may_precede(before) || !units::may_follow(after) || (outer.is_some() && !units::is_currency(before)) {
        return Err(units::UNKNOWN);
    }
    Ok(outer.map_or(Cow::Borrowed(number), |sign| Cow::Owned(format!("{sign}{number}"))))
}

/// `text`, a number without its fraction, without the characters that group its digits: by threes, or as in India the last three and the
/// others by twos. Other groups are refused, since `1,5` would rather be one and a half; and so are groups behind a zero, since `0,500`
/// would rather be a half.
///
/// # Errors
/// Groups of other sizes.
pub(super) fn strip_groups<'a>(text: &'a str, group: Option<&str>) -> Result<Cow<'a, str>, CellFault> {
    let Some(group) = group.filter(|group| !group.is_empty() && text.contains(group)) else {
        return Ok(Cow::Borrowed(text));
    };
    let (number, exponent) = text.split_at(text.find(['e', 'E']).unwrap_or(text.len()));
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let sizes: Vec<usize> = digits.split(group).map(str::len).collect();
    if digits.split(group).all(numeric) && are_valid_groups(&sizes) && !digits.starts_with('0') {
        Ok(Cow::Owned(number.replace(group, "") + exponent))
    } else {
        Err("its digits are not in groups of three".into())
    }
}

/// Whether digits in groups of these sizes can only be one number.
fn are_valid_groups(sizes: &[usize]) -> bool {
    let [first, middle @ .., 3] = sizes else { return false };
    let threes = (1..=3).contains(first) && middle.iter().all(|&size| size == 3);
    // As in India: 12,34,567.
    let twos = (1..=2).contains(first) && !middle.is_empty() && middle.iter().all(|&size| size == 2);
    threes || twos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_percent_signs_and_units_are_taken_away() {
        for (text, expected) in [
            ("€95", "95"),
            ("95%", "95"),
            ("95 %", "95"),
            ("EUR 95", "95"),
            ("95\u{a0}€", "95"),
            ("US$95.50", "95.50"),
            ("€-95 EUR", "-95"),
            ("-€95", "-95"),
            ("-$ .5", "-.5"),
            ("-EUR 95", "-95"),
            ("$.5", ".5"),
            ("-.5 kg", "-.5"),
            ("+5kg", "+5"),
            ("5. kg", "5"),
            ("Rs. 500", "500"),
            ("120 km/h", "120"),
            ("20°C", "20"),
            ("12 m²", "12"),
            ("1e3 EUR", "1e3"),
            ("x", "x"),
        ] {
            assert_eq!(strip_units(text, ".").as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_may_change_the_value_is_not_taken_away() {
        for text in [
            "(2.00)",
            "($2.00)",
            "[5]",
            "3.00-",
            "3.00 -",
            "5+",
            "500.-",
            "500.--",
            "\u{2212}5",
            "\u{2013}5",
            "\u{2014}5",
            "\u{ff0d}5",
            "\u{2010}5",
            "\u{fe63}5",
            "- 5",
            "--5",
            "-€-5",
            "- €5",
            "-5-",
            "minus 5",
            "5 CR",
            "5 Cr",
            "5 DR",
            "CR 5",
            "neg. 5",
            "12.5 k",
            "12.5k",
            "12.5 K",
            "12.5 M",
            "12.5 m",
            "$5m",
            "$5bn",
            "12.5 Mio",
            "12.5 Mio. €",
            "12.5 million",
            "12.5 T€",
            "5 TEUR",
            "k€ 5",
            "5 kEUR",
            "5 Tsd.",
            "5 lakh",
            "5 万",
            "5‰",
            "5 ppm",
            "5 bps",
            "12.5 W",
            "12.5° S",
            "5 B",
            "min 5",
            "max. 5",
            "5 dozen",
            "<5",
            ">5",
            "~5",
            "±5",
            "5x",
            "x5",
            "1/5 kg",
            "Rs.500",
            ",5",
            "5²",
            "½5",
            "5½",
            "5e",
            "5 €*",
            "5 h 3 min",
            "1 2",
        ] {
            let bare = strip_units(text, ".");
            let number = bare.as_deref().is_ok_and(|number| number.parse::<f64>().is_ok());
            assert!(!number, "{text} became {bare:?}");
        }
    }

    #[test]
    fn groups_have_three_digits() {
        for (text, expected) in [
            ("1,000,000", "1000000"),
            ("-12,000", "-12000"),
            ("+999,999", "+999999"),
            ("1000", "1000"),
            ("12,34,567", "1234567"),
            ("1,23,456", "123456"),
            ("1,000e3", "1000e3"),
        ] {
            assert_eq!(strip_groups(text, Some(",")).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            ",1",
            "1,",
            "1,,0",
            "-,5",
            "1,5",
            "1,50",
            "1,5000",
            "1234,567",
            "1,000,00",
            "12,34,56",
            "123,45,678",
            "1,2345,6789",
            "0,500",
            "00,500",
            "1,00a",
            "1,000,",
            "1,-00",
        ] {
            assert!(strip_groups(text, Some(",")).is_err(), "{text}");
        }
        assert_eq!(strip_groups("1 234", Some(" ")).as_deref(), Ok("1234"));
        assert!(strip_groups("10 23", Some(" ")).is_err());
        assert_eq!(strip_groups("1'234", Some("'")).as_deref(), Ok("1234"));
    }
}
