//! Values come back as they went in.

use landfall_core::{
    keys::Scalar,
    validate::{NumberLimits, TargetLimits, decimal},
};
use landfall_engine::targets::Table;

use crate::{
    ground::Ground,
    tables::{Row, all, batch, content, fields_at, insert, prepared, row, rows_of, table, within},
};

/// A table with a field `v` of the type, behind a number.
fn table_of(kind: &str) -> Table {
    let schema = format!("{{fields: [{{name: id, type: integer}}, {{name: v, type: {kind}}}], primaryKey: id}}");
    table(&format!("of_{kind}"), &schema)
}

/// Inserts the values, and reads them again in every way.
fn round_trip(ground: &Ground, table: &Table, values: &[Scalar]) {
    let mut target = prepared(ground, std::slice::from_ref(table));
    let rows: Vec<Row> = (0i64..).zip(values).map(|(id, value)| row![id, value.clone()]).collect();
    assert_eq!(within(&mut *target, |transaction| insert(transaction, table, &rows)), []);
    let keys: Vec<Row> = rows.iter().map(|row| row[..1].to_vec()).collect();
    let found: Vec<Row> = target.find_rows(table, &fields_at([0]), &keys).unwrap().into_iter().flatten().collect();
    assert_eq!(found, rows, "found by key");
    let mut sorted = rows.clone();
    sorted.sort_by_key(|row| format!("{row:?}"));
    assert_eq!(by_number(content(&*target, table)), by_number(sorted), "scanned");
    let mut backed_up = Vec::new();
    let mut snapshot = target.take_snapshot().unwrap();
    let mut visit = |batch| {
        backed_up.extend(rows_of(&batch));
        Ok(())
    };
    snapshot.visit_rows(table, &all(table), &mut visit).unwrap();
    drop(snapshot);
    assert_eq!(by_number(backed_up), rows, "of a snapshot");
    for row in rows.iter().filter(|row| row[1] != Scalar::Null) {
        let found = target
            .find_row(table, &fields_at([1]), &row[1..])
            .unwrap()
            .unwrap_or_else(|| panic!("{row:?} is not found"));
        assert_eq!(found[1], row[1], "found by value");
    }
    updated(&mut *target, table, &rows);
}

/// Takes the value of the row before, by an update.
fn updated(target: &mut dyn landfall_engine::targets::Target, table: &Table, rows: &[Row]) {
    let mut turned: Vec<Row> = rows.to_vec();
    for (at, row) in turned.iter_mut().enumerate() {
        row[1] = rows[(at + rows.len() - 1) % rows.len()][1].clone();
    }
    let everything: Vec<usize> = (0..turned.len()).collect();
    let refused = within(target, |transaction| {
        transaction.update_rows(table, &batch(table, &turned), &everything, &fields_at([1])).unwrap()
    });
    assert_eq!(refused, []);
    assert_eq!(by_number(content(target, table)), turned, "updated");
}

fn by_number(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| if let Scalar::Integer(id) = row[0] { id } else { panic!("{row:?}") });
    rows
}

fn integers(ground: &Ground) {
    let values = [0, 1, -1, i64::from(i32::MAX) + 1, (1 << 53) + 1, -(1 << 53) - 1, i64::MAX, i64::MIN, i64::MIN + 1];
    round_trip(ground, &table_of("integer"), &values.map(Scalar::Integer));
}

fn years(ground: &Ground) {
    round_trip(ground, &table_of("year"), &[1, 1900, 2024, 9999, -44].map(Scalar::Integer));
}

fn booleans_and_nothing(ground: &Ground) {
    let values = [Scalar::Boolean(true), Scalar::Boolean(false), Scalar::Null];
    round_trip(ground, &table_of("boolean"), &values);
}

fn numbers(ground: &Ground) {
    let table = table_of("number");
    let texts = [
        "0",
        "1",
        "-1",
        "0.1",
        "1.50",
        "-0.05",
        "100",
        "9007199254740993",
        "0.000000000000000000000000000001",
        "12345678901234567890123456789012345.678901234567890123456789012345",
        "99999999999999999999",
        "1E+120",
        "-1E-90",
        "NaN",
        "INF",
        "-INF",
        "18446744073709551616.5",
        "3.14159265358979323846264338327950288419716939937510",
    ];
    let limits = ground.open().table_limits(&table).numbers;
    let fits = |text: &&str| limits.is_none_or(|limits| fits(&limits, text));
    let values: Vec<Scalar> = texts.iter().copied().filter(fits).map(|text| Scalar::Number(text.into())).collect();
    assert!(values.len() >= 10, "{values:?}");
    round_trip(ground, &table, &values);
}

fn fits(limits: &NumberLimits, text: &str) -> bool {
    match decimal::count_digits(text) {
        Some((before, after)) => before <= limits.before && after <= limits.after,
        None if text == "NaN" => limits.nan,
        None => limits.infinity,
    }
}

fn texts(ground: &Ground) {
    let long = "päng ".repeat(5_000);
    let texts = [
        "",
        " ",
        "  both  ",
        "\t",
        "tab\tin",
        "line\nend",
        "cr\rlf\r\n",
        "\\",
        "\\N",
        "\\.",
        "\\t\\n",
        "'",
        "''",
        "\"",
        "\"\"",
        "`",
        ";",
        "--",
        "NULL",
        "null",
        "0",
        "true",
        "ä",
        "Ä",
        "a",
        "A",
        "a ",
        " a",
        "ß",
        "ss",
        "é",
        "e\u{301}",
        "𝄞",
        "😀👩‍👩‍👧",
        "\u{feff}",
        "\u{200b}",
        "\u{1}",
        "\u{7f}",
        "\u{ffff}",
        "\u{10ffff}",
        "%",
        "_",
        "?",
        "$1",
        ":name",
        "{}",
        "a,b",
        "x'00'",
        &long,
    ];
    let values: Vec<Scalar> = texts.iter().map(|text| Scalar::Text((*text).into())).chain([Scalar::Null]).collect();
    round_trip(ground, &table_of("string"), &values);
}

/// The first and last value that the target can hold, or those of the calendar.
fn limits(ground: &Ground, table: &Table) -> TargetLimits {
    ground.open().table_limits(table)
}

fn dates(ground: &Ground) {
    let table = table_of("date");
    let range = limits(ground, &table).dates.unwrap_or(-719_162..=2_932_896);
    let values = [*range.start(), *range.end(), range.start() + 1, -1, 0, 1, 11_016, 19_782];
    let values: Vec<Scalar> = values.map(Scalar::Date).into_iter().chain([Scalar::Null]).collect();
    round_trip(ground, &table, &values);
}

fn times(ground: &Ground) {
    let day = 86_400_000_000;
    let values = [0, 1, 999_999, 1_000_000, 3_599_999_999, day / 2, day - 1, day - 1_000_000];
    round_trip(ground, &table_of("time"), &values.map(Scalar::Time));
}

fn datetimes(ground: &Ground) {
    let table = table_of("datetime");
    let day = 86_400_000_000_i64;
    let range = limits(ground, &table).datetimes.unwrap_or(-719_162 * day..=2_932_897 * day - 1);
    let values = [*range.start(), *range.end(), -1, 0, 1, -day, 951_782_400_123_456, 1_711_846_800_000_000];
    round_trip(ground, &table, &values.map(Scalar::Datetime));
}

fn what_is_kept_as_text(ground: &Ground) {
    let cases: [(&str, &[&str]); 7] = [
        ("any", &["x", "1", "{\"a\": 1}", " "]),
        ("yearmonth", &["2024-02", "0001-01"]),
        ("duration", &["P1Y2M3DT4H5M6.789S", "PT0S"]),
        ("object", &["{\"b\":1,\"a\":[1.50, null],\"a\":2}", "{}"]),
        ("array", &["[1,  2.0, \"ü\"]", "[]"]),
        ("geopoint", &["[90.50,45]"]),
        ("geojson", &["{\"type\":\"Point\",\"coordinates\":[1.10,2]}"]),
    ];
    for (kind, texts) in cases {
        let values: Vec<Scalar> = texts.iter().map(|text| Scalar::Text((*text).into())).chain([Scalar::Null]).collect();
        round_trip(ground, &table_of(kind), &values);
    }
}

fn rows_come_in_any_selection(ground: &Ground) {
    let table = table_of("string");
    let mut target = prepared(ground, std::slice::from_ref(&table));
    let rows: Vec<Row> = (0..5_000).map(|id| row![id, format!("{id}").as_str()]).collect();
    let batch = batch(&table, &rows);
    within(&mut *target, |transaction| {
        assert_eq!(transaction.insert_rows(&table, &batch, &[]).unwrap(), []);
        assert_eq!(transaction.insert_rows(&table, &batch, &[3..4, 10..10, 100..4_999]).unwrap(), []);
        assert_eq!(transaction.row_count(&table).unwrap(), 4_900);
        let asked: Vec<Row> = (0..5_000).map(|id| row![id]).collect();
        let found = transaction.find_rows(&table, &fields_at([0]), &asked).unwrap();
        let expected = |id: usize| (id == 3 || (100..4_999).contains(&id)).then(|| rows[id].clone());
        assert_eq!(found, (0..5_000).map(expected).collect::<Vec<_>>());
    });
    assert_eq!(target.row_count(&table).unwrap(), 4_900);
    assert_eq!(target.find_rows(&table, &fields_at([0]), &[]).unwrap(), Vec::<Option<Row>>::new());
    let twice = target.find_rows(&table, &fields_at([0]), &[row![3], row![4], row![3]]).unwrap();
    assert_eq!(twice, [Some(rows[3].clone()), None, Some(rows[3].clone())]);
}

fn a_table_without_keys_holds_equal_rows(ground: &Ground) {
    let table = table("bag", "{fields: [{name: a, type: integer}, {name: b, type: string}]}");
    let mut target = prepared(ground, std::slice::from_ref(&table));
    let rows = [row![1, "x"], row![1, "x"], row![(), ()], row![(), ()]];
    assert_eq!(within(&mut *target, |transaction| insert(transaction, &table, &rows)), []);
    assert_eq!(content(&*target, &table).len(), 4);
}

fn a_scan_gives_the_fields_asked_for(ground: &Ground) {
    let table = crate::tables::people();
    let mut target = prepared(ground, std::slice::from_ref(&table));
    within(&mut *target, |transaction| insert(transaction, &table, &[row![1, "a", "n"], row![2, "b", ()]]));
    let mut met = Vec::new();
    target
        .scan_rows(&table, &fields_at([2, 0]), &mut |batch| {
            let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            assert_eq!(names, ["note", "id"]);
            met.push(batch.num_rows());
        })
        .unwrap();
    assert_eq!(met.iter().sum::<usize>(), 2);
    assert_eq!(all(&table), fields_at([0, 1, 2]));
}

contract! {
    integers,
    years,
    booleans_and_nothing,
    numbers,
    texts,
    dates,
    times,
    datetimes,
    what_is_kept_as_text,
    rows_come_in_any_selection,
    a_table_without_keys_holds_equal_rows,
    a_scan_gives_the_fields_asked_for,
}
