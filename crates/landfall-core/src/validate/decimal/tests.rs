use proptest::prelude::*;

use super::*;

fn canonical_of(text: &str) -> Option<String> {
    let mut out = String::new();
    write_canonical(text, &mut out).then_some(out)
}

#[test]
fn canonical_texts() {
    let cases = [
        ("1.50", "1.50"),
        ("+1.50", "1.50"),
        ("007.0", "7.0"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-0.00", "0.00"),
        ("-0", "0"),
        ("000", "0"),
        ("1e3", "1000"),
        ("1.5E3", "1500"),
        ("1.50e1", "15.0"),
        ("1.50e-3", "0.00150"),
        ("12e-1", "1.2"),
        ("0e5", "0"),
        ("0.00e1", "0.0"),
        ("0e-2", "0.00"),
        ("0e999", "0"),
        ("1e99", &format!("1{}", "0".repeat(99))),
        ("1e100", "1E+100"),
        ("12.30e-200", "1.230E-199"),
        ("-0.001e300", "-1E+297"),
        ("nan", "NaN"),
        ("inf", "INF"),
        ("+INF", "INF"),
        ("-Inf", "-INF"),
        ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
    ];
    for (text, expected) in cases {
        assert_eq!(canonical_of(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn not_numbers() {
    for text in
        ["", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "1 ", " 1", "1_0", "٣", "--1", "Infinity", "-NaN", "0x1"]
    {
        assert_eq!(canonical_of(text), None, "{text}");
        assert_eq!(compare_numbers(text, "1"), None, "{text}");
    }
    assert_eq!(canonical_of("1e1000000000000000000"), None);
}

#[test]
fn one_text_for_each_value() {
    for (left, right) in [("1.0", "1e0"), ("1.00", "0.1E1"), ("-0", "0.000"), ("100", "1e2"), ("0.0010", "1e-3")] {
        assert_eq!(normalize_number(left), normalize_number(right), "{left} {right}");
    }
    assert_ne!(normalize_number("10"), normalize_number("1"));
    assert_eq!(normalize_number("1200").as_deref(), Some("12E3"));
}

fn reduced_of(text: &str) -> Option<String> {
    let mut out = String::new();
    write_reduced(text, &mut out).then_some(out)
}

#[test]
fn reduced_texts() {
    let cases = [
        ("1.50", "1.5"),
        ("1.00", "1"),
        ("-0.00", "0"),
        ("100", "100"),
        ("-0.050", "-0.05"),
        ("1e99", &format!("1{}", "0".repeat(99))),
        ("1e100", "1E+100"),
        (&format!("1{}.0", "0".repeat(100)), "1E+100"),
        ("12.30e-200", "1.23E-199"),
        ("inf", "INF"),
    ];
    for (text, expected) in cases {
        assert_eq!(reduced_of(text).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(reduced_of("x"), None);
}

#[test]
fn infinities_are_beyond_all_numbers() {
    assert_eq!(compare_numbers("INF", "1e99999999"), Some(Ordering::Greater));
    assert_eq!(compare_numbers("-INF", "-1e99999999"), Some(Ordering::Less));
    assert_eq!(compare_numbers("INF", "INF"), Some(Ordering::Equal));
    assert_eq!(compare_numbers("NaN", "1"), None);
}

#[test]
fn plain_texts_are_canonical() {
    for text in ["0", "7", "-7", "12.340", "0.5", "-1.0"] {
        assert!(is_plain_decimal(text), "{text}");
    }
    for text in ["-0", "-0.5", "007", "+1", "1.", ".5", "1e3", "NaN", "", "-", "1.2.3", "1 "] {
        assert!(!is_plain_decimal(text), "{text}");
    }
}

/// A number as a whole number of 10^-15: the model that comparisons are checked against.
fn model(negative: bool, digits: u64, exponent: i32) -> i128 {
    let value = i128::from(digits) * 10i128.pow(u32::try_from(exponent + 15).expect("in range"));
    if negative { -value } else { value }
}

fn written(negative: bool, digits: u64, exponent: i32, form: u8) -> String {
    let sign = if negative { "-" } else { "" };
    match form % 3 {
        0 => format!("{sign}{digits}e{exponent}"),
        1 => format!("{sign}00{digits}0.00E{}", exponent - 1),
        _ => format!("{sign}0.{digits:020}e{}", exponent + 20),
    }
}

proptest! {
    #[test]
    fn comparison_agrees_with_whole_numbers(
        left in (any::<bool>(), 0u64..10_000_000, -15i32..15, any::<u8>()),
        right in (any::<bool>(), 0u64..10_000_000, -15i32..15, any::<u8>()),
    ) {
        let (one, two) = (written(left.0, left.1, left.2, left.3), written(right.0, right.1, right.2, right.3));
        let expected = model(left.0, left.1, left.2).cmp(&model(right.0, right.1, right.2));
        prop_assert_eq!(compare_numbers(&one, &two), Some(expected), "{} {}", &one, &two);
        prop_assert_eq!(normalize_number(&one) == normalize_number(&two), expected == Ordering::Equal);
    }

    #[test]
    fn canonical_text_has_the_same_value(negative: bool, digits: u64, exponent in -300i32..300, form: u8) {
        let text = written(negative, digits, exponent, form);
        let canonical = canonical_of(&text).expect("a number");
        prop_assert_eq!(compare_numbers(&text, &canonical), Some(Ordering::Equal), "{} {}", &text, &canonical);
        prop_assert_eq!(canonical_of(&canonical), Some(canonical.clone()));
    }

    #[test]
    fn equal_numbers_have_one_reduced_text(
        left in (any::<bool>(), 0u64..1000, -110i32..110, any::<u8>()),
        right in (any::<bool>(), 0u64..1000, -110i32..110, any::<u8>()),
        near: bool,
    ) {
        let right = if near { (left.0, right.1 % 10 * left.1, left.2, right.3) } else { right };
        let (one, two) = (written(left.0, left.1, left.2, left.3), written(right.0, right.1, right.2, right.3));
        let equal = compare_numbers(&one, &two) == Some(Ordering::Equal);
        let text = reduced_of(&one).expect("a number");
        prop_assert_eq!(are_same_numbers(&one, &two), equal);
        prop_assert_eq!(Some(&text) == reduced_of(&two).as_ref(), equal, "{} {}", &one, &two);
        prop_assert!(are_same_numbers(&one, &text) && canonical_of(&text).as_ref() == Some(&text), "{} {}", &one, &text);
    }

    #[test]
    fn short_whole_numbers_are_reduced(text in "-?[0-9.]{0,8}") {
        if is_plain_decimal(&text) && is_short_whole(&text) {
            prop_assert_eq!(reduced_of(&text), Some(text));
        }
    }

    #[test]
    fn plain_is_canonical(text in "-?[0-9.]{0,8}") {
        if is_plain_decimal(&text) {
            prop_assert_eq!(canonical_of(&text), Some(text));
        }
    }

    #[test]
    fn never_panics(left: String, right in "[-+0-9.eE]{0,12}") {
        let _ = (compare_numbers(&left, &right), compare_numbers(&right, &left), normalize_number(&left), canonical_of(&right));
    }
}
