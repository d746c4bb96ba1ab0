#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use landfall_core::{
    keys::Scalar,
    schema::{Constraints, Field, FieldType},
};

use super::{ReportDefinition, ReportFormat, ReportParameter};
use crate::targets::{Location, Target, TargetAccess, open};

fn target(folder: &std::path::Path) -> Box<dyn Target> {
    open(&Location::Sqlite(folder.join("a.db")), TargetAccess::Write).unwrap()
}

fn report(sql: &str) -> ReportDefinition {
    ReportDefinition { name: "r".into(), title: None, description: None, sql: sql.into(), parameters: Vec::new() }
}

fn run(sql: &str, format: ReportFormat) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    let rows = report(sql).run(&*target(folder.path()), &[], format, &mut out);
    rows.map_or_else(|error| error.to_string(), |_| String::from_utf8(out).unwrap())
}

const MIXED: &str = "SELECT 9223372036854775807 AS n, 'a,\"b\"' AS t, NULL AS z, 0.5 AS r \
                     UNION ALL SELECT -1, '=1+1', '', 1e300";
const CSV: ReportFormat = ReportFormat::Csv { guard_formulas: false };

#[test]
fn csv_quotes_only_where_it_must() {
    let expected = "n,t,z,r\n9223372036854775807,\"a,\"\"b\"\"\",,0.5\n-1,=1+1,\"\",1e300\n";
    assert_eq!(run(MIXED, CSV), expected);
}

#[test]
fn csv_for_people_guards_formulas_in_text_and_leaves_numbers() {
    let csv = run(MIXED, ReportFormat::Csv { guard_formulas: true });
    assert!(csv.ends_with("-1,'=1+1,\"\",1e300\n"), "{csv}");
    // A line end, a blank or a full-width sign before went through.
    let csv = run(
        "SELECT char(10) || '=1' AS a, ' =1' AS b, '＝1' AS c, 'x' AS d",
        ReportFormat::Csv { guard_formulas: true },
    );
    assert_eq!(csv, "a,b,c,d\n\"'\n=1\",' =1,'＝1,x\n");
}

#[test]
fn json_keeps_every_digit_of_integers() {
    let expected = "[\n{\"n\":9223372036854775807,\"t\":\"a,\\\"b\\\"\",\"z\":null,\"r\":0.5},\n\
                    {\"n\":-1,\"t\":\"=1+1\",\"z\":\"\",\"r\":1e+300}\n]\n";
    assert_eq!(run(MIXED, ReportFormat::Json), expected);
    assert_eq!(run("SELECT 1 AS a WHERE 0", ReportFormat::Json), "[]\n");
}

#[test]
fn json_cannot_hold_two_columns_of_one_name() {
    assert!(run("SELECT 1 AS a, 2 AS a", ReportFormat::Json).contains("two columns \"a\""));
}

#[test]
fn a_table_is_aligned_and_safe_for_terminals() {
    let expected = " n  t\n──  ─────────\n 1  \\u{1b}[2J\n20  b\n";
    assert_eq!(run("SELECT 1 AS n, char(27) || '[2J' AS t UNION ALL SELECT 20, 'b'", ReportFormat::Table), expected);
}

#[test]
fn json_lines_are_objects() {
    assert_eq!(
        run("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL", ReportFormat::JsonLines),
        "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n"
    );
    assert_eq!(run("SELECT 1 AS a WHERE 0", ReportFormat::JsonLines), "");
}

#[test]
fn markup_has_no_meaning_in_a_cell() {
    let sql = "SELECT '<b>|*' AS \"a|b\", char(10) || 'x' AS c";
    assert_eq!(run(sql, ReportFormat::Markdown), "| a\\|b | c |\n| --- | --- |\n| &lt;b&gt;\\|\\* | \\\\nx |\n");
    let html = run(sql, ReportFormat::Html);
    assert!(html.contains("<th>a|b</th>") && html.contains("<td>&lt;b&gt;|*</td>"), "{html}");
}

#[test]
fn a_report_cannot_write() {
    assert!(run("CREATE TABLE a (b INTEGER)", CSV).contains("may only read"));
}

fn year(default: Option<&str>) -> ReportDefinition {
    let kind = FieldType::Integer { bare_number: true, group_char: None, zero_decimals: false };
    let constraints = Constraints { minimum: Some("1".into()), ..Constraints::default() };
    let field =
        Field { name: "year".into(), title: None, description: None, kind, constraints, missing_values: Vec::new() };
    let parameters = vec![ReportParameter { field, default: default.map(String::from) }];
    ReportDefinition { parameters, ..report("SELECT :year AS y") }
}

fn bind(report: &ReportDefinition, given: &[(&str, &str)]) -> Result<Vec<(String, Scalar)>, String> {
    let given: Vec<(String, String)> =
        given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    report.bind_values(&given).map_err(|error| error.to_string())
}

#[test]
fn a_parameter_is_read_with_its_type_and_constraints() {
    let bound = |value| Ok(vec![("year".to_owned(), Scalar::Integer(value))]);
    assert_eq!(bind(&year(Some("2021")), &[]), bound(2021));
    assert_eq!(bind(&year(Some("2021")), &[("year", "1999")]), bound(1999));
    assert!(bind(&year(None), &[("year", "x")]).unwrap_err().starts_with("parameter year: "));
    assert!(bind(&year(None), &[("year", "0")]).unwrap_err().starts_with("parameter year: "));
    assert!(bind(&year(Some("x")), &[]).unwrap_err().starts_with("the default of parameter year: "));
}

#[test]
fn unknown_missing_and_repeated_parameters_are_told_with_what_there_is() {
    let unknown = "report r has no parameter \"yaer\"; its parameter is year (integer, default 2021)";
    assert_eq!(bind(&year(Some("2021")), &[("yaer", "1")]), Err(unknown.into()));
    let missing = "report r needs a value for year; its parameter is year (integer)";
    assert_eq!(bind(&year(None), &[]), Err(missing.into()));
    assert_eq!(bind(&year(None), &[("year", "1"), ("year", "2")]), Err("parameter year is given twice".into()));
}

/// An empty value was a missing one, for which the report found no rows.
#[test]
fn a_parameter_that_is_left_empty_is_an_error() {
    let with = |missing: &[&str], default: Option<&str>| {
        let mut report = year(default);
        report.parameters[0].field.missing_values = missing.iter().map(|text| (*text).to_owned()).collect();
        report
    };
    for report in [with(&[""], Some("2021")), with(&[""], None)] {
        assert!(bind(&report, &[("year", "")]).unwrap_err().starts_with("parameter year is empty; "));
    }
    assert!(bind(&with(&[], None), &[("year", "")]).unwrap_err().starts_with("parameter year: "));
    let null = Ok(vec![("year".to_owned(), Scalar::Null)]);
    assert_eq!(bind(&with(&["", "any"], None), &[("year", "")]), null);
    assert_eq!(bind(&with(&["any"], None), &[("year", "any")]), null);
    assert_eq!(bind(&with(&[""], Some("")), &[("year", "")]), null);
}
