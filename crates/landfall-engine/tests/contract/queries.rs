//! Reports.

use landfall_core::keys::Scalar;
use landfall_engine::{
    Error, Result,
    targets::{Cell, Memory, QueryRows, Target},
};

use crate::{
    ground::Ground,
    tables::{Row, Value as _, content, insert, people, prepared, row, table, within},
};

/// Keeps what a query gives.
#[derive(Default)]
struct Kept {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl QueryRows for Kept {
    fn take_columns(&mut self, names: &[String]) -> Result<()> {
        assert!(self.columns.is_empty() && self.rows.is_empty(), "once, and first");
        self.columns = names.to_vec();
        Ok(())
    }

    fn take_row(&mut self, cells: &[Cell]) -> Result<()> {
        self.rows.push(cells.to_vec());
        Ok(())
    }
}

fn asked(target: &dyn Target, sql: &str, parameters: &[(&str, Scalar)]) -> Result<Kept> {
    let parameters: Vec<(String, Scalar)> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mut kept = Kept::default();
    target.run_query(sql, &parameters, &mut kept).map(|()| kept)
}

fn texts(kept: &Kept) -> Vec<String> {
    kept.rows.iter().map(|row| if let Cell::Text(text) = &row[0] { text.clone() } else { panic!("{row:?}") }).collect()
}

fn columns_and_rows(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![i64::MAX, "ä", ()], row![-1, "b", "x"]]));
    let kept = asked(&*target, "SELECT id, name AS \"the Name\", note FROM people ORDER BY id", &[]).unwrap();
    assert_eq!(kept.columns, ["id", "the Name", "note"]);
    let text = |text: &str| Cell::Text(text.into());
    let expected =
        [vec![Cell::Integer(-1), text("b"), text("x")], vec![Cell::Integer(i64::MAX), text("ä"), Cell::Null]];
    assert_eq!(kept.rows, expected);
    let none = asked(&*target, "SELECT id FROM people WHERE id = 5", &[]).unwrap();
    assert_eq!((none.columns.len(), none.rows.len()), (1, 0), "columns are told without rows too");
}

fn parameters_are_bound_as_values(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let nasty = "'; DROP TABLE people; --";
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, nasty, ()], row![2, ":least", "x"]]));
    let sql = "SELECT name FROM people WHERE name = :name AND id >= :least AND id <= :least + 5 AND ':name' <> name";
    let parameters = [("name", nasty.scalar()), ("least", 1.scalar()), ("unused", true.scalar())];
    assert_eq!(texts(&asked(&*target, sql, &parameters).unwrap()), [nasty]);
    let undeclared = asked(&*target, "SELECT name FROM people WHERE id = :other", &parameters);
    assert!(matches!(&undeclared, Err(Error::Usage(message)) if message.contains("other")));
    assert_eq!(target.row_count(&people).unwrap(), 2);
}

fn parameters_of_every_type(ground: &Ground) {
    let events = table(
        "events",
        "{fields: [{name: id, type: integer}, {name: d, type: date}, {name: t, type: datetime}, {name: b, type: boolean}, \
         {name: n, type: number}], primaryKey: id}",
    );
    let mut target = prepared(ground, std::slice::from_ref(&events));
    let event = |id: i64, day: i32, micros: i64, done: bool, amount: &str| -> Row {
        row![id, Scalar::Date(day), Scalar::Datetime(micros), done, Scalar::Number(amount.into())]
    };
    within(&mut *target, |transaction| {
        insert(transaction, &events, &[event(1, 10, 1_000_000, true, "1.5"), event(2, 20, 2_000_000, false, "2")])
    });
    let cases = [
        ("d = :v", Scalar::Date(10), 1),
        ("d > :v", Scalar::Date(10), 2),
        ("t = :v", Scalar::Datetime(2_000_000), 2),
        ("t < :v", Scalar::Datetime(2_000_000), 1),
        ("b = :v", Scalar::Boolean(true), 1),
    ];
    for (condition, value, expected) in cases {
        let kept = asked(&*target, &format!("SELECT id FROM events WHERE {condition}"), &[("v", value)]).unwrap();
        assert_eq!(kept.rows, [vec![Cell::Integer(expected)]], "{condition}");
    }
}

fn text_is_ordered_by_its_bytes(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    let names =
        ["b", "B", "a", "A", "ä", "z", "", " ", "a b", "ab", "a-b", "_", "é", "e", "Z", "1", "10", "2", "😀", "ﬁ"];
    let rows: Vec<Row> = (0i64..).zip(names).map(|(id, name)| row![id, name, ()]).collect();
    within(&mut *target, |transaction| insert(transaction, &people, &rows));
    let mut expected: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    expected.sort_unstable();
    let kept = asked(&*target, "SELECT name FROM people ORDER BY name", &[]).unwrap();
    assert_eq!(texts(&kept), expected);
    let kept = asked(&*target, "SELECT count(*) FROM people WHERE name > 'a' AND name < 'b'", &[]).unwrap();
    let between = expected.iter().filter(|name| ("a".."b").contains(&name.as_str()) && *name != "a").count();
    assert_eq!(kept.rows, [vec![Cell::Integer(i64::try_from(between).unwrap())]]);
}

fn a_query_can_change_nothing(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    for sql in
        ["DELETE FROM people", "INSERT INTO people (id, name) VALUES (2, 'b')", "DROP TABLE people", "no sql at all"]
    {
        assert!(asked(&*target, sql, &[]).is_err(), "{sql}");
        assert!(asked(&*ground.read(), sql, &[]).is_err(), "{sql}");
    }
    assert_eq!(content(&*target, &people), [row![1, "a", ()]]);
    assert!(asked(&*target, "SELECT 1", &[]).is_ok(), "the handle is of use afterwards");
}

contract_in_sql! {
    columns_and_rows,
    parameters_are_bound_as_values,
    parameters_of_every_type,
    text_is_ordered_by_its_bytes,
    a_query_can_change_nothing,
}

#[test]
fn in_memory_there_is_no_sql() {
    let mut memory = Memory::default();
    let refused = [
        asked(&memory, "SELECT 1", &[]).map(drop),
        memory.table_statements(&[people()]).map(drop),
        memory.add_missing(&[]),
    ];
    for refused in refused {
        assert!(matches!(&refused, Err(Error::Usage(message)) if message.contains("memory:")), "{refused:?}");
    }
}
