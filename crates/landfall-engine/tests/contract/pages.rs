//! Pages of a table's rows.

use landfall_core::keys::Scalar;
use landfall_engine::targets::{ComparisonOperator, RowCondition, RowFilter, Table, Target};

use crate::{
    ground::Ground,
    tables::{Row, insert, prepared, row, table, within},
};

fn filled(ground: &Ground) -> (Table, Box<dyn Target>) {
    let events = table(
        "events",
        "{fields: [{name: kind, type: string}, {name: n, type: integer}, {name: at, type: datetime}, \
         {name: day, type: date}, {name: ok, type: boolean}], primaryKey: [kind, n]}",
    );
    let mut target = prepared(ground, std::slice::from_ref(&events));
    let second = 1_000_000;
    let moment = |n: i64| if n == 5 { Scalar::Null } else { Scalar::Datetime(n * second / 2) };
    let event = |kind: &str, n: i64| row![kind, n, moment(n), Scalar::Date(i32::try_from(n).unwrap()), n % 2 == 0];
    let rows: Vec<Row> = ["b", "a", "Z"].iter().flat_map(|kind| (0..10).map(move |n| event(kind, n))).collect();
    within(&mut *target, |transaction| assert_eq!(insert(transaction, &events, &rows), []));
    (events, target)
}

fn page(target: &dyn Target, table: &Table, filter: &RowFilter) -> Vec<Row> {
    let mut found = Vec::new();
    let visited = target.read_page(table, filter, &mut |row| {
        found.push(row);
        Ok(true)
    });
    visited.unwrap();
    found
}

fn keys(rows: &[Row]) -> Vec<(String, i64)> {
    let key = |row: &Row| match &row[..2] {
        [Scalar::Text(kind), Scalar::Integer(n)] => (kind.clone(), *n),
        other => panic!("{other:?}"),
    };
    rows.iter().map(key).collect()
}

fn pages_follow_each_other_in_the_order_of_the_key(ground: &Ground) {
    let (events, target) = filled(ground);
    let mut filter = RowFilter { limit: 7, ..RowFilter::default() };
    let mut all = Vec::new();
    loop {
        let page = page(&*target, &events, &filter);
        let Some(last) = page.last() else { break };
        filter.after = Some(last[..2].to_vec());
        assert!(page.len() <= 7);
        all.extend(page);
    }
    let expected: Vec<(String, i64)> =
        ["Z", "a", "b"].iter().flat_map(|kind| (0..10).map(|n| ((*kind).to_owned(), n))).collect();
    assert_eq!(keys(&all), expected);
    assert_eq!(all[12], row!["a", 2, Scalar::Datetime(1_000_000), Scalar::Date(2), true]);
}

fn conditions_compare_values_and_not_their_texts(ground: &Ground) {
    let (events, target) = filled(ground);
    let count = |conditions: &[(usize, ComparisonOperator, Scalar)]| {
        let condition = |(position, comparison, value): &(usize, ComparisonOperator, Scalar)| RowCondition {
            position: (*position).into(),
            comparison: *comparison,
            value: value.clone(),
        };
        let conditions = conditions.iter().map(condition).collect();
        let filter = RowFilter { conditions, limit: 100, ..RowFilter::default() };
        page(&*target, &events, &filter).len()
    };
    use ComparisonOperator::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    let text = |text: &str| Scalar::Text(text.into());
    assert_eq!(count(&[(0, Equal, text("a"))]), 10);
    assert_eq!(count(&[(0, Greater, text("Z"))]), 20);
    assert_eq!(count(&[(1, AtLeast, Scalar::Integer(8)), (0, Equal, text("a"))]), 2);
    assert_eq!(count(&[(1, Less, Scalar::Integer(3))]), 9);
    // Half a second lies between two whole ones, however it is written.
    assert_eq!(count(&[(2, Greater, Scalar::Datetime(1_000_000))]), 18);
    assert_eq!(count(&[(2, AtMost, Scalar::Datetime(1_500_000))]), 12);
    assert_eq!(count(&[(2, Less, Scalar::Datetime(1_000_000))]), 6);
    assert_eq!(count(&[(2, Equal, Scalar::Null)]), 3);
    assert_eq!(count(&[(2, NotEqual, Scalar::Null)]), 27);
    assert_eq!(count(&[(2, NotEqual, Scalar::Datetime(0))]), 27);
    assert_eq!(count(&[(3, Equal, Scalar::Date(4))]), 3);
    assert_eq!(count(&[(4, Equal, Scalar::Boolean(true))]), 15);
    assert_eq!(count(&[(0, Equal, text("' OR 1 = 1 --"))]), 0);
}

/// Ten rows may be as many bytes as ten thousand.
fn who_wants_no_more_rows_is_given_none(ground: &Ground) {
    let wide = table("wide", "{fields: [{name: n, type: integer}, {name: t, type: string}], primaryKey: n}");
    let mut target = prepared(ground, std::slice::from_ref(&wide));
    let rows: Vec<Row> = (0..1000).map(|n| row![n, "x".repeat(1000).as_str()]).collect();
    within(&mut *target, |transaction| assert_eq!(insert(transaction, &wide, &rows), []));
    let filter = RowFilter { limit: 1000, ..RowFilter::default() };
    for most in [1, 99, 100, 101, 250] {
        let mut seen = Vec::new();
        let visited = target.read_page(&wide, &filter, &mut |row| {
            seen.push(row);
            Ok(seen.len() < most)
        });
        visited.unwrap();
        assert!(seen == rows[..most], "{most}");
        // The connection goes on as if nothing had been left.
        assert_eq!(page(&*target, &wide, &filter).len(), 1000);
    }
    let failed = target.read_page(&wide, &filter, &mut |_| Err(landfall_engine::Error::Usage("no".into())));
    assert!(matches!(failed, Err(landfall_engine::Error::Usage(_))));
    assert_eq!(page(&*target, &wide, &filter).len(), 1000);
}

fn a_table_that_is_not_there_has_no_rows(ground: &Ground) {
    let target = ground.open();
    let filter = RowFilter { limit: 1, ..RowFilter::default() };
    assert_eq!(page(&*target, &crate::tables::people(), &filter), Vec::<Row>::new());
}

contract! {
    pages_follow_each_other_in_the_order_of_the_key,
    conditions_compare_values_and_not_their_texts,
    who_wants_no_more_rows_is_given_none,
    a_table_that_is_not_there_has_no_rows,
}
