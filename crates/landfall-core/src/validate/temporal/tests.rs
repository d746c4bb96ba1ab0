use proptest::prelude::*;

use super::{calendar::DAY, iso};
use crate::{
    schema::{Ambiguous, FieldType, TemporalFormat},
    validate::{
        Value, ValueReader,
        render::{datetime_text, push_date, push_time},
        scalar::tests::{field, problems_of, text_of, value_of},
    },
};

fn pattern(text: &str) -> TemporalFormat {
    TemporalFormat::Pattern(text.into())
}

fn datetime(format: TemporalFormat, timezone: Option<&str>) -> FieldType {
    FieldType::Datetime { format, timezone: timezone.map(Into::into), ambiguous: Ambiguous::Reject }
}

/// The canonical text of the value of a cell.
fn read(kind: &FieldType, text: &str) -> Option<String> {
    let mut out = String::new();
    match value_of(kind, text)? {
        Value::Date(day) => push_date(day, &mut out),
        Value::Time(time) => push_time(time, &mut out),
        Value::Datetime(micros) => datetime_text(micros, &mut out),
        other => panic!("{other:?}"),
    }
    Some(out)
}

fn check(kind: &FieldType, good: &[(&str, &str)], bad: &[&str]) {
    for (text, expected) in good {
        assert_eq!(read(kind, text).as_deref(), Some(*expected), "{text}");
    }
    bad.iter().for_each(|text| assert_eq!(read(kind, text), None, "{text}"));
}

#[test]
fn dates() {
    let same = ["0001-01-01", "2020-02-29", "9999-12-31"].map(|text| (text, text));
    let bad =
        ["2021-1-1", "2021-02-29", "2021-13-01", "0000-01-01", "2021-01-01 ", " 2021-01-01", "20210101", "2021-01-011"];
    check(&FieldType::Date(TemporalFormat::Default), &same, &bad);
}

#[test]
fn dates_in_any_form() {
    let good = [
        ("2021-11-07", "2021-11-07"),
        ("20211107", "2021-11-07"),
        ("2021-W44-7", "2021-11-07"),
        ("2021W447", "2021-11-07"),
        ("2021-311", "2021-11-07"),
        ("2021311", "2021-11-07"),
        ("2020-W53-7", "2021-01-03"),
    ];
    let bad =
        ["01/02/2021", "2021-11", "2021", "2021-W54-1", "2021-W44", "2021-366", "211107", "2021-11-7", "2021-11-07T10"];
    check(&FieldType::Date(TemporalFormat::Any), &good, &bad);
}

#[test]
fn times() {
    let good = [
        ("10:10:10", "10:10:10"),
        ("10:10:10.5", "10:10:10.500000"),
        ("00:00:00.0000010", "00:00:00.000001"),
        ("23:59:59.999999", "23:59:59.999999"),
    ];
    let bad = ["24:00:00", "10:10:60", "10:10", "10:10:10Z", "10:10:10.", "10:10:10.1234567", "10:10:10,5", "1:1:1"];
    check(&FieldType::Time(TemporalFormat::Default), &good, &bad);
    let good = [("10", "10:00:00"), ("1010", "10:10:00"), ("T101010,5", "10:10:10.500000"), ("10:10", "10:10:00")];
    check(&FieldType::Time(TemporalFormat::Any), &good, &["10:10Z", "1", "10.5", "10:1", "1010:10"]);
}

#[test]
fn datetimes() {
    let good = [
        ("2021-11-07T02:48:42Z", "2021-11-07T02:48:42Z"),
        ("2021-11-07T02:48:42.1Z", "2021-11-07T02:48:42.100000Z"),
        ("2021-11-07T02:48:42+01:30", "2021-11-07T01:18:42Z"),
        ("2021-11-07T02:48:42-00:00", "2021-11-07T02:48:42Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ];
    let bad = [
        "2021-11-07T02:48:42",
        "2021-11-07 02:48:42Z",
        "2021-11-07t02:48:42z",
        "2021-11-07T02:48:42+01",
        "2021-11-07T02:48:42+0100",
        "2021-11-07T02:48:42+24:00",
        "2021-11-07T24:00:00Z",
        "2021-11-07T23:59:60Z",
        "2021-11-07T02:48Z",
        "2021-11-07",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2021-11-07T02:48:42ZZ",
    ];
    check(&datetime(TemporalFormat::Default, None), &good, &bad);
}

#[test]
fn datetimes_in_any_form() {
    let good = [
        ("2021-11-07 02:48z", "2021-11-07T02:48:00Z"),
        ("20211107T024842+01", "2021-11-07T01:48:42Z"),
        ("2021-W44-7t02:48:42,5+0130", "2021-11-07T01:18:42.500000Z"),
        ("2021-311T02Z", "2021-11-07T02:00:00Z"),
    ];
    let bad = ["2021-11-07", "2021-11-07T02:48:42", "07/11/2021 02:48Z", "2021-11-07  02:48Z", "2021-11-07T02:48:42+1"];
    check(&datetime(TemporalFormat::Any, None), &good, &bad);
}

#[test]
fn local_times() {
    let berlin = datetime(TemporalFormat::Default, Some("Europe/Berlin"));
    let good = [
        ("2021-07-01T12:00:00", "2021-07-01T10:00:00Z"),
        ("2021-12-01T12:00:00.5", "2021-12-01T11:00:00.500000Z"),
        ("2021-12-01T12:00:00Z", "2021-12-01T12:00:00Z"),
        ("2021-10-31T02:30:00+01:00", "2021-10-31T01:30:00Z"),
    ];
    check(&berlin, &good, &["2021-03-28T02:30:00", "2021-10-31T02:30:00"]);
    let gap = problems_of(&berlin, "2021-03-28T02:30:00").remove(0).message;
    assert!(gap.contains("does not exist in Europe/Berlin"), "{gap}");
    let fold = problems_of(&berlin, "2021-10-31T02:30:00").remove(0).message;
    assert!(fold.contains("occurs twice in Europe/Berlin"), "{fold}");
    let fixed = datetime(TemporalFormat::Default, Some("-03:30"));
    check(&fixed, &[("2021-07-01T12:00:00", "2021-07-01T15:30:00Z")], &[]);
    assert!(
        ValueReader::new(&field(&datetime(TemporalFormat::Default, Some("Mars/One")), Default::default())).is_err()
    );
}

#[test]
fn an_offset_tells_apart_a_time_that_occurs_twice_also_under_a_pattern_without_one() {
    let berlin = datetime(pattern("%d.%m.%Y %H:%M"), Some("Europe/Berlin"));
    let good = [
        ("31.10.2021 02:30+02:00", "2021-10-31T00:30:00Z"),
        ("31.10.2021 02:30 +01:00", "2021-10-31T01:30:00Z"),
        ("31.10.2021 02:30+0100", "2021-10-31T01:30:00Z"),
        ("31.10.2021 02:30+01", "2021-10-31T01:30:00Z"),
        ("28.03.2021 02:30+01:00", "2021-03-28T01:30:00Z"),
        ("28.03.2021 02:30+02:00", "2021-03-28T00:30:00Z"),
        ("01.07.2021 12:00+02:00", "2021-07-01T10:00:00Z"),
    ];
    let bad = [
        "31.10.2021 02:30",
        "28.03.2021 02:30",
        "31.10.2021 02:30+03:00",
        "31.10.2021 02:30Z",
        "01.07.2021 08:00-09:30",
        "31.10.2021 02:30  +01:00",
        "+01:00",
    ];
    check(&berlin, &good, &bad);
    let words = |text| problems_of(&berlin, text).remove(0).message;
    let fold = words("31.10.2021 02:30");
    assert!(
        fold.contains("add +02:00 (the earlier) or +01:00 (the later)") && fold.contains("\"ambiguous\""),
        "{fold}"
    );
    let gap = words("28.03.2021 02:30");
    assert!(gap.contains("went forward by 60 minutes: correct it, or add +01:00 or +02:00"), "{gap}");
    assert!(words("01.07.2021 08:00-09:30").contains("does not have the offset -09:30"));
    check(&datetime(pattern("%d.%m.%Y %H:%M"), None), &[], &["31.10.2021 02:30+02:00"]);
    let london = datetime(pattern("%d.%m.%Y %H:%M"), Some("Europe/London"));
    check(&london, &[("31.10.2021 01:30Z", "2021-10-31T01:30:00Z")], &["31.10.2021 01:30"]);
}

#[test]
fn the_dictionary_says_which_of_two_times_is_meant() {
    let berlin = |format: &TemporalFormat, ambiguous| FieldType::Datetime {
        format: format.clone(),
        timezone: Some("Europe/Berlin".into()),
        ambiguous,
    };
    for format in [TemporalFormat::Default, TemporalFormat::Any, pattern("%Y-%m-%dT%H:%M:%S")] {
        let both = [(Ambiguous::Earlier, "2021-10-31T00:30:00Z"), (Ambiguous::Later, "2021-10-31T01:30:00Z")];
        for (ambiguous, expected) in both {
            let kind = berlin(&format, ambiguous);
            let good = [("2021-10-31T02:30:00", expected), ("2021-10-31T02:30:00+01:00", "2021-10-31T01:30:00Z")];
            check(&kind, &good, &["2021-03-28T02:30:00"]);
        }
        check(&berlin(&format, Ambiguous::Reject), &[], &["2021-10-31T02:30:00"]);
    }
}

#[test]
fn patterns() {
    let date = |text: &str| FieldType::Date(pattern(text));
    check(
        &date("%d/%m/%Y"),
        &[("7/11/2021", "2021-11-07"), ("07/11/2021", "2021-11-07")],
        &["31/11/2021", "11/2021", "7/13/2021"],
    );
    check(&date("%d.%m.%y"), &[("7.11.68", "2068-11-07"), ("7.11.69", "1969-11-07")], &["7.11.2021"]);
    check(
        &date("%d %b %Y %a"),
        &[("7 nov 2021 SUN", "2021-11-07"), ("07  Nov 2021 Sun", "2021-11-07")],
        &["7 Nov 2021 Mon"],
    );
    check(&date("%A, %B %d %Y"), &[("sunday, november 7 2021", "2021-11-07")], &["Sun, Nov 7 2021"]);
    check(&date("%Y%j"), &[("2021311", "2021-11-07")], &["2021366"]);
    check(&date("%Y-%m-%d %H:%M:%S"), &[("2021-11-07 00:00:00", "2021-11-07")], &["2021-11-07 00:00:01"]);
    let time = |text: &str| FieldType::Time(pattern(text));
    check(&time("%I:%M %p"), &[("12:05 am", "00:05:00"), ("1:05 PM", "13:05:00")], &["13:05 PM", "0:05 am"]);
    check(&time("%H.%M.%S.%f"), &[("1.2.3.45", "01:02:03.450000")], &["1.2.60.0", "24.0.0.0"]);
    let moment = datetime(pattern("%d/%m/%Y %H:%M %z"), None);
    check(
        &moment,
        &[("7/11/2021 2:48 +0100", "2021-11-07T01:48:00Z"), ("7/11/2021 2:48 Z", "2021-11-07T02:48:00Z")],
        &["7/11/2021 2:48"],
    );
    let local = datetime(pattern("%d/%m/%Y %H:%M"), Some("UTC"));
    check(&local, &[("7/11/2021 2:48", "2021-11-07T02:48:00Z")], &[]);
    check(&datetime(pattern("100%% %Y%m%d%H %Z"), None), &[("100% 2021110702 gmt", "2021-11-07T02:00:00Z")], &[]);
}

#[test]
fn patterns_that_cannot_be_applied() {
    let refused =
        |kind: FieldType| ValueReader::new(&field(&kind, Default::default())).expect_err("refused").to_string();
    assert_eq!(
        refused(FieldType::Date(pattern("%G-%V"))),
        "field \"f\": format has the directive %G, which is not supported"
    );
    assert_eq!(refused(FieldType::Date(pattern("%Y-%m"))), "field \"f\": format does not say year, month and day");
    assert!(refused(FieldType::Date(pattern("%Y-%m-%d %"))).contains("single %"));
    assert!(refused(FieldType::Date(pattern("%Y-%m-%d %Y"))).contains("twice"));
    assert!(refused(FieldType::Time(pattern("%H:%M %z"))).contains("zone"));
    assert!(refused(FieldType::Time(pattern("%I:%M"))).contains("hour"));
    assert!(refused(datetime(pattern("%Y-%m-%d"), None)).contains("hour"));
}

#[test]
fn messages() {
    let kind = datetime(TemporalFormat::Default, None);
    let cases = [
        ("2021-13-01T02:48:42Z", "(month 13)"),
        ("2021-02-30T02:48:42Z", "(2021-02 has no day 30)"),
        ("2021-11-07T02:48:60Z", "(second 60: leap seconds cannot be stored)"),
        ("2021-11-07T02:48:42.1234567Z", "(finer than a microsecond, which cannot be stored)"),
        ("2021-11-07T02:48:42", "(no zone, and the field declares no timezone)"),
        ("2021-11-07", "(no time of day)"),
        ("2021-11-07 02:48:42Z", "(no T between date and time)"),
    ];
    for (text, cause) in cases {
        let expected = format!("field \"f\": \"{text}\" is not a datetime {cause}; write it like 2021-11-07T02:48:42Z");
        assert_eq!(problems_of(&kind, text)[0].message, expected);
    }
    assert_eq!(
        problems_of(&kind, "soon")[0].message,
        "field \"f\": \"soon\" is not a datetime; write it like 2021-11-07T02:48:42Z"
    );
}

#[test]
fn months_and_durations() {
    for (text, good) in
        [("2021-01", true), ("2021-13", false), ("2021-1", false), ("21-01", false), ("2021-012", false)]
    {
        assert_eq!(text_of(&FieldType::YearMonth, text).is_some(), good, "{text}");
    }
    for text in ["P1D", "PT1H", "P1Y2M3DT4H5M6S", "-P1D", "+P1D", "P1W", "PT1.5S", "P1.5D", "PT1,5S", "P1YT1.5M"] {
        assert_eq!(text_of(&FieldType::Duration, text).as_deref(), Some(text));
    }
    for text in [
        "P",
        "PT",
        "P1DT",
        "1D",
        "pt1h",
        "P1H",
        "P1S",
        "P1.5DT1H",
        "P1W1D",
        "P1D1Y",
        "P1.D",
        "P0001-01-01",
        "P1D ",
        "P1M1M",
    ] {
        assert_eq!(text_of(&FieldType::Duration, text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn the_hot_path_agrees_with_jiff(text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z") {
        let expected = text.parse::<jiff::Timestamp>().ok().filter(|_| !text.starts_with("0000"));
        prop_assert_eq!(iso::quick_datetime(&text), expected.map(|timestamp| timestamp.as_microsecond()));
        let slow = iso::parse_datetime(&text).ok().map(|moment| i64::from(moment.day) * DAY + moment.time);
        prop_assert_eq!(slow, iso::quick_datetime(&text));
    }

    #[test]
    fn one_wrong_byte_is_never_read(at in 0usize..20, byte in 0u8..128) {
        let mut text = *b"2021-11-07T02:48:42Z";
        text[at] = byte;
        let text = std::str::from_utf8(&text).expect("ASCII");
        let expected = text.parse::<jiff::Timestamp>().ok().map(|timestamp| timestamp.as_microsecond());
        let canonical = byte.is_ascii_digit() == b"2021-11-07T02:48:42Z"[at].is_ascii_digit();
        let expected = expected.filter(|_| canonical && text.as_bytes()[10] == b'T' && text.ends_with('Z') && &text[17..19] != "60");
        prop_assert_eq!(iso::quick_datetime(text), expected);
        prop_assert_eq!(iso::parse_common_date(&text[..10]).is_some(), iso::parse_date(&text[..10]).is_ok());
    }

    #[test]
    fn datetimes_come_back(micros in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
        let mut text = String::new();
        datetime_text(micros, &mut text);
        prop_assert_eq!(value_of(&datetime(TemporalFormat::Default, None), &text), Some(Value::Datetime(micros)));
        prop_assert_eq!(value_of(&datetime(TemporalFormat::Any, None), &text), Some(Value::Datetime(micros)));
    }

    #[test]
    fn dates_and_times_come_back(day in -719_162i32..=2_932_896, time in 0..DAY) {
        let mut text = String::new();
        push_date(day, &mut text);
        prop_assert_eq!(value_of(&FieldType::Date(TemporalFormat::Default), &text), Some(Value::Date(day)));
        text.clear();
        push_time(time, &mut text);
        prop_assert_eq!(value_of(&FieldType::Time(TemporalFormat::Default), &text), Some(Value::Time(time)));
    }
}
