//! Constraints: what they stop comes back, and the others stay.

use landfall_core::keys::Scalar;
use landfall_engine::targets::{RefusedRow, Table};

use crate::{
    ground::Ground,
    tables::{Row, batch, content, fields_at, insert, people, prepared, row, table, within},
};

fn positions(refused: &[RefusedRow]) -> Vec<usize> {
    assert!(refused.iter().all(|row| !row.message.is_empty()));
    let mut positions: Vec<usize> = refused.iter().map(|row| row.row).collect();
    positions.sort_unstable();
    positions
}

fn refused_rows_come_back_and_the_others_stay(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![5, "five", ()], row![6, "six", ()]]));
    let rows: Vec<Row> = (0..1_000)
        .map(|id| match id {
            400 => row![id, "five", ()],
            700 => row![id, "0", ()],
            _ => row![id, format!("{id}").as_str(), ()],
        })
        .collect();
    let refused = within(&mut *target, |transaction| insert(transaction, &people, &rows));
    assert_eq!(positions(&refused), [5, 6, 400, 700]);
    assert_eq!(target.row_count(&people).unwrap(), 998);
    assert_eq!(target.find_row(&people, &fields_at([0]), &row![5]).unwrap(), Some(row![5, "five", ()]));
    assert_eq!(target.find_row(&people, &fields_at([0]), &row![400]).unwrap(), None);
    assert_eq!(target.find_row(&people, &fields_at([0]), &row![999]).unwrap(), Some(row![999, "999", ()]));
}

fn refused_rows_keep_their_place_in_a_selection(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let rows: Vec<Row> = (0..100).map(|id| row![id / 2, format!("{id}").as_str(), ()]).collect();
    let refused = within(&mut *target, |transaction| {
        transaction.insert_rows(&people, &batch(&people, &rows), &[10..13, 50..52]).unwrap()
    });
    assert_eq!(positions(&refused), [11, 51], "the first of two equal keys wins");
    assert_eq!(target.row_count(&people).unwrap(), 3);
}

fn a_composite_key_is_all_of_its_fields(ground: &Ground) {
    let places = table(
        "places",
        "{fields: [{name: a, type: integer}, {name: b, type: string}, {name: c, type: integer}], primaryKey: [b, a]}",
    );
    let mut target = prepared(ground, std::slice::from_ref(&places));
    let rows = [row![1, "x", 1], row![1, "y", 2], row![2, "x", 3], row![1, "x", 4], row![12, "", 5], row![1, "2", 6]];
    let refused = within(&mut *target, |transaction| insert(transaction, &places, &rows));
    assert_eq!(positions(&refused), [3]);
    assert_eq!(target.find_row(&places, &fields_at([1, 0]), &row!["y", 1]).unwrap(), Some(rows[1].clone()));
    assert_eq!(target.find_row(&places, &fields_at([0, 1]), &row![2, "x"]).unwrap(), Some(rows[2].clone()));
    let asked = [row!["x", 2], row!["y", 2], row!["", 12], row!["2", 1]];
    let found = target.find_rows(&places, &fields_at([1, 0]), &asked).unwrap();
    assert_eq!(found, [Some(rows[2].clone()), None, Some(rows[4].clone()), Some(rows[5].clone())]);
}

fn pairs() -> Table {
    table(
        "pairs",
        "{fields: [{name: id, type: integer}, {name: a, type: integer}, {name: b, type: string}], primaryKey: id, \
         uniqueKeys: [[a, b]]}",
    )
}

fn a_missing_value_makes_no_two_keys_equal(ground: &Ground) {
    let pairs = pairs();
    let mut target = prepared(ground, std::slice::from_ref(&pairs));
    let rows = [row![1, 1, ()], row![2, 1, ()], row![3, (), ()], row![4, (), ()], row![5, (), "x"], row![6, (), "x"]];
    assert_eq!(within(&mut *target, |transaction| insert(transaction, &pairs, &rows)), []);
    let refused = within(&mut *target, |transaction| insert(transaction, &pairs, &[row![7, 1, ""], row![8, 1, ""]]));
    assert_eq!(positions(&refused), [1], "empty text is a value");
}

fn keys_are_compared_by_their_bytes(ground: &Ground) {
    let words = table("words", "{fields: [{name: w, type: string}, {name: n, type: integer}], primaryKey: w}");
    let mut target = prepared(ground, std::slice::from_ref(&words));
    let texts = ["a", "A", "ä", "Ä", "a ", " a", "", "é", "e\u{301}", "ß", "ss", "ﬁ", "fi", "ı", "i", "I", "🙂", "🙃"];
    let rows: Vec<Row> = (0i64..).zip(texts).map(|(n, w)| row![w, n]).collect();
    assert_eq!(within(&mut *target, |transaction| insert(transaction, &words, &rows)), []);
    let asked: Vec<Row> = texts.iter().map(|w| row![*w]).collect();
    let found: Vec<Row> = target.find_rows(&words, &fields_at([0]), &asked).unwrap().into_iter().flatten().collect();
    assert_eq!(found, rows);
    assert_eq!(target.find_row(&words, &fields_at([0]), &row!["SS"]).unwrap(), None);
    let refused = within(&mut *target, |transaction| insert(transaction, &words, &rows));
    assert_eq!(refused.len(), rows.len());
}

fn keys_of_every_type(ground: &Ground) {
    let cases: [(&str, [Scalar; 2]); 6] = [
        ("integer", [Scalar::Integer(i64::MIN), Scalar::Integer(i64::MAX)]),
        ("number", [Scalar::Number("1.5".into()), Scalar::Number("-1".into())]),
        ("boolean", [Scalar::Boolean(true), Scalar::Boolean(false)]),
        ("date", [Scalar::Date(0), Scalar::Date(1)]),
        ("time", [Scalar::Time(0), Scalar::Time(86_399_999_999)]),
        ("datetime", [Scalar::Datetime(1), Scalar::Datetime(2)]),
    ];
    for (kind, values) in cases {
        let schema = format!("{{fields: [{{name: k, type: {kind}}}, {{name: n, type: integer}}], primaryKey: k}}");
        let keyed = table(&format!("keyed_{kind}"), &schema);
        let mut target = prepared(ground, std::slice::from_ref(&keyed));
        let rows: Vec<Row> = (0i64..).zip(&values).map(|(n, value)| row![value.clone(), n]).collect();
        assert_eq!(within(&mut *target, |transaction| insert(transaction, &keyed, &rows)), [], "{kind}");
        let again = within(&mut *target, |transaction| insert(transaction, &keyed, &rows));
        assert_eq!(positions(&again), [0, 1], "{kind}");
        let asked: Vec<Row> = values.iter().map(|value| vec![value.clone()]).collect();
        let found: Vec<Row> =
            target.find_rows(&keyed, &fields_at([0]), &asked).unwrap().into_iter().flatten().collect();
        assert_eq!(found, rows, "{kind}");
    }
}

fn updates_give_rows_new_content(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| {
        insert(transaction, &people, &[row![1, "a", "x"], row![2, "b", "y"], row![3, "c", ()]]);
        let new = batch(&people, &[row![9, "z", ()], row![3, "d", "w"], row![1, "a", ()]]);
        assert_eq!(transaction.update_rows(&people, &new, &[1, 2], &fields_at([1, 2])).unwrap(), []);
        assert_eq!(transaction.find_row(&people, &fields_at([1]), &row!["d"]).unwrap(), Some(row![3, "d", "w"]));
        assert_eq!(transaction.update_rows(&people, &new, &[], &fields_at([1, 2])).unwrap(), []);
    });
    assert_eq!(content(&*target, &people), [row![1, "a", ()], row![2, "b", "y"], row![3, "d", "w"]]);
}

fn refused_updates_come_back_and_the_others_stay(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let refused = within(&mut *target, |transaction| {
        insert(transaction, &people, &[row![1, "a", ()], row![2, "b", ()], row![3, "c", ()]]);
        let new = batch(&people, &[row![1, "a", "new"], row![2, "c", "new"], row![3, "d", "new"], row![4, "e", "new"]]);
        transaction.update_rows(&people, &new, &[0, 1, 2, 3], &fields_at([1, 2])).unwrap()
    });
    assert_eq!(positions(&refused), [1, 3], "a name that is taken, and a row that is not there");
    assert_eq!(content(&*target, &people), [row![1, "a", "new"], row![2, "b", ()], row![3, "d", "new"]]);
}

fn updates_are_made_in_their_order(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let refused = within(&mut *target, |transaction| {
        insert(transaction, &people, &[row![1, "a", ()], row![2, "b", ()], row![3, "c", ()]]);
        // Each takes the name that the one before gave up.
        let new = batch(&people, &[row![1, "z", ()], row![2, "a", ()], row![3, "b", ()]]);
        transaction.update_rows(&people, &new, &[0, 1, 2], &fields_at([1, 2])).unwrap()
    });
    assert_eq!(refused, []);
    assert_eq!(content(&*target, &people), [row![1, "z", ()], row![2, "a", ()], row![3, "b", ()]]);
}

fn an_update_of_some_fields_leaves_the_others(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let refused = within(&mut *target, |transaction| {
        insert(transaction, &people, &[row![1, "a", "x"], row![2, "b", "y"]]);
        let new = batch(&people, &[row![1, (), "z"], row![2, "c", ()], row![3, "d", ()]]);
        let mut refused = transaction.update_rows(&people, &new, &[0], &fields_at([2])).unwrap();
        refused.extend(transaction.update_rows(&people, &new, &[1, 2], &fields_at([1])).unwrap());
        refused
    });
    assert_eq!(positions(&refused), [2], "a row that is not there");
    assert_eq!(content(&*target, &people), [row![1, "a", "z"], row![2, "c", "y"]]);
}

contract! {
    an_update_of_some_fields_leaves_the_others,
    refused_rows_come_back_and_the_others_stay,
    refused_rows_keep_their_place_in_a_selection,
    a_composite_key_is_all_of_its_fields,
    a_missing_value_makes_no_two_keys_equal,
    keys_are_compared_by_their_bytes,
    keys_of_every_type,
    updates_give_rows_new_content,
    refused_updates_come_back_and_the_others_stay,
    updates_are_made_in_their_order,
}
