//! The database looked at as another program would: promise 1 counted afresh, and content to compare.

use std::collections::BTreeMap;

use rusqlite::{Connection, types::Value};

use super::Project;

/// All rows of a query, in its order.
pub(crate) fn rows(database: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = database.prepare(sql).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

/// One number.
#[track_caller]
pub(crate) fn number(database: &Connection, sql: &str) -> u64 {
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// The content of a table, in the order of its columns.
pub(crate) fn content(project: &Project, table: &str) -> Vec<Vec<Value>> {
    let database = project.database();
    if number(&database, &format!("SELECT count(*) FROM sqlite_schema WHERE name = '{table}'")) == 0 {
        return Vec::new();
    }
    let mut content = rows(&database, &format!("SELECT * FROM \"{table}\""));
    content.sort_by(|a, b| format!("{a:?}").cmp(&format!("{b:?}")));
    content
}

/// What is in the quarantine, without what depends on when and how it came there.
pub(crate) fn quarantine(project: &Project) -> Vec<Vec<Value>> {
    rows(
        &project.database(),
        "SELECT r.table_name, r.record, r.line, r.byte_offset, r.length, r.raw, r.errors, r.state,
             (SELECT group_concat(hex(p.bytes), '') FROM landfall_reject_parts AS p WHERE p.reject_id = r.reject_id)
         FROM landfall_rejects AS r ORDER BY r.table_name, r.load_id, r.record",
    )
}

/// Counts the table, the quarantine and the records of the files afresh, compares them with what every entry of the
/// ledger says, and lets `verify` do the same. `records` gives the number of records in each file that was read whole.
#[track_caller]
pub(crate) fn audit(project: &Project, records: &BTreeMap<&str, u64>) {
    let database = project.database();
    let ledger = project.run(&["loads", "--json"]).exits(0).json();
    let mut inserted: BTreeMap<String, u64> = BTreeMap::new();
    for load in ledger["loads"].as_array().unwrap() {
        let count = |key: &str| load[key].as_u64().unwrap();
        let word = |key: &str| load[key].as_str().unwrap();
        let found = count("inserted") + count("updated") + count("unchanged") + count("rejected");
        assert_eq!(count("read"), found, "the equation of {load}");
        let id = count("load_id");
        let kept = match word("mode") {
            "retry" => "SELECT count(*) FROM landfall_reject_events WHERE action = 'retried' AND load_id =",
            _ => "SELECT count(*) FROM landfall_rejects WHERE load_id =",
        };
        if word("state") == "rolled-back" {
            assert_eq!(count("rejected"), count("read"), "{load}");
        } else {
            assert_eq!(number(&database, &format!("{kept} {id}")), count("rejected"), "the quarantine of {load}");
        }
        if let Some(&all) = records.get(word("source")) {
            match word("state") {
                "complete" | "rolled-back" => assert_eq!(count("read"), all, "the file of {load}"),
                _ => assert!(count("read") <= all, "the file of {load}"),
            }
        }
        let sum = inserted.entry(word("table").to_owned()).or_default();
        if word("mode") == "replace" && word("state") == "complete" {
            *sum = 0;
        }
        *sum += count("inserted");
    }
    for (table, inserted) in inserted {
        assert_eq!(number(&database, &format!("SELECT count(*) FROM \"{table}\"")), inserted, "rows of {table}");
    }
    project.assert_nothing_wrong();
}

/// The cells of well-formed CSV, read without the program.
pub(crate) fn cells(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(char) = chars.next() {
        let row = rows.last_mut().unwrap();
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => row.last_mut().unwrap().push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            _ => row.last_mut().unwrap().push(char),
        }
    }
    if rows.last().is_some_and(|row| *row == [""]) {
        rows.pop();
    }
    rows
}
