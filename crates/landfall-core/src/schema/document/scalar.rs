//! The core schema of YAML 1.2 (<https://yaml.org/spec/1.2.2/#103-core-schema>): what a scalar without quotes means.

use super::NodeValue;

/// What the plain scalar `text` means. `yes`, `no`, `on`, `off` and dates are text, unlike in YAML 1.1.
pub(super) fn resolve_scalar(text: &str) -> NodeValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => NodeValue::Null,
        "true" | "True" | "TRUE" => NodeValue::Bool(true),
        "false" | "False" | "FALSE" => NodeValue::Bool(false),
        _ => parse_number(text).map_or_else(|| NodeValue::Text(text.to_owned()), NodeValue::Number),
    }
}

/// The text of a number: as it stands for decimal ones, in decimal for octal and hexadecimal ones.
fn parse_number(text: &str) -> Option<String> {
    if let Some(digits) = text.strip_prefix("0o") {
        return parse_whole_number(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return parse_whole_number(digits, 16);
    }
    is_decimal(text).then(|| text.to_owned())
}

fn parse_whole_number(digits: &str, radix: u32) -> Option<String> {
    // `from_str_radix` alone would take a sign behind the prefix: `0x+1F`.
    let only_digits = digits.chars().all(|char| char.is_digit(radix));
    let number = u64::from_str_radix(digits, radix).ok().filter(|_| only_digits)?;
    Some(number.to_string())
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, infinities and not-a-number.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    // Leading zeros are decimal in YAML 1.2: `010` is ten, where 1.1 had eight.
    is_all_digits(whole)
        && is_all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && !exponent.is_empty()
        && is_all_digits(exponent)
}

fn is_all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
