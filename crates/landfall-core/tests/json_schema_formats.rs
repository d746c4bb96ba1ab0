//! The lexical forms of dates, times and UUIDs against the JSON Schema test suite (draft 2020-12, optional formats).
//!
//! The suite is read in place from `$LANDFALL_CONFORMANCE/conformance/json-schema-formats`. Its formats are those of RFC
//! 3339; where the Table Schema or what a database can store differs, the text is listed with the reason.

use std::{fs, path::Path};

use landfall_core::{
    schema::{Constraints, Field, FieldType, StringFormat, TemporalFormat},
    validate::ValueReader,
};

/// A text on which the suite and Landfall disagree, and why.
type Exception = (&'static str, &'static str);

const LEAP: &str = "a leap second cannot be stored, so it is an error and not another second";
const FINE: &str = "finer than a microsecond cannot be stored, so it is an error and not rounded";
const CASE: &str = "the Table Schema's default form is that of XML Schema: T and Z are capitals";
const ZONE: &str = "the Table Schema's time is hh:mm:ss, without a zone, which a time of day could not keep";
const NONE: &str = "the empty text is a missing value";

const DATETIMES: &[Exception] = &[
    ("1998-12-31T23:59:60Z", LEAP),
    ("1998-12-31T15:59:60.123-08:00", LEAP),
    ("1963-06-19t08:30:06.283185z", CASE),
    ("1985-04-12T00:59:59.999999999999999Z", FINE),
];
const DATES: &[Exception] = &[("", NONE)];
const TIMES: &[Exception] = &[
    ("08:30:06Z", ZONE),
    ("23:59:60Z", LEAP),
    ("23:59:60+00:00", LEAP),
    ("01:29:60+01:30", LEAP),
    ("23:29:60+23:30", LEAP),
    ("15:59:60-08:00", LEAP),
    ("00:29:60-23:30", LEAP),
    ("23:20:50.52Z", ZONE),
    ("08:30:06.283185Z", ZONE),
    ("08:30:06+00:20", ZONE),
    ("08:30:06-08:00", ZONE),
    ("12:34:56-00:00", ZONE),
    ("08:30:06z", ZONE),
    ("12:00:00", ZONE),
    ("12:00:00.52", ZONE),
];

#[test]
fn date_time() {
    let kind = FieldType::Datetime { format: TemporalFormat::Default, timezone: None, ambiguous: Default::default() };
    check("date-time", kind, DATETIMES);
}

#[test]
fn date() {
    check("date", FieldType::Date(TemporalFormat::Default), DATES);
}

#[test]
fn time() {
    check("time", FieldType::Time(TemporalFormat::Default), TIMES);
}

#[test]
fn uuid() {
    check("uuid", FieldType::String(StringFormat::Uuid), &[]);
}

/// Reads every text of the suite's `format`; the texts that are not answered as the suite says are exactly `exceptions`.
fn check(format: &str, kind: FieldType, exceptions: &[Exception]) {
    let Some(folder) = std::env::var_os("LANDFALL_CONFORMANCE") else {
        eprintln!("skipped: set LANDFALL_CONFORMANCE to check {format} against the JSON Schema test suite");
        return;
    };
    let path = Path::new(&folder).join("conformance/json-schema-formats").join(format!("{format}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = ValueReader::new(&field(kind)).expect("a sound field");
    let cases = cases(&serde_json::from_str(&text).expect("JSON"));
    assert!(cases.len() > 20, "only {} texts in {}", cases.len(), path.display());
    let differing = cases.iter().filter(|(text, valid)| reader.read(text).is_ok() != *valid);
    let mut differing: Vec<&str> = differing.map(|(text, _)| text.as_str()).collect();
    let mut expected: Vec<&str> = exceptions.iter().map(|(text, _)| *text).collect();
    differing.sort_unstable();
    expected.sort_unstable();
    assert_eq!(differing, expected, "the texts of {format} that are answered otherwise than in the suite");
}

/// The texts of a file of the suite, and whether they are valid. Data that is not text is not of interest.
fn cases(file: &serde_json::Value) -> Vec<(String, bool)> {
    let groups = file.as_array().expect("groups");
    let tests = groups.iter().flat_map(|group| group["tests"].as_array().expect("tests"));
    tests
        .filter_map(|test| Some((test["data"].as_str()?.to_owned(), test["valid"].as_bool().expect("a verdict"))))
        .collect()
}

fn field(kind: FieldType) -> Field {
    Field {
        name: "f".into(),
        title: None,
        description: None,
        kind,
        constraints: Constraints::default(),
        missing_values: vec![String::new()],
    }
}
