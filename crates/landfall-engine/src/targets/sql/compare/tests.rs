//! What SQLite cannot show: names that are told by their letters, keys that are added to a table.

use landfall_core::schema::{FieldIndex, Package};

use super::*;
use crate::targets::tables_of;

/// A database that tells names by their letters, and adds everything.
struct Exact;

impl SqlDialect for Exact {
    fn are_same_column(&self, a: &str, b: &str) -> bool {
        a == b
    }

    fn needs_unique_key(&self, _table: &Table, _key: &[FieldIndex]) -> bool {
        true
    }

    fn needs_foreign_key(&self, _key: &ForeignKey) -> bool {
        true
    }

    fn sql_type(&self, table: &Table, at: FieldIndex) -> String {
        table.schema[at].kind.name().into()
    }

    fn column_fit(&self, table: &Table, at: FieldIndex, column: &ExistingColumn) -> ColumnFit {
        match column.sql_type.as_str() {
            "any" => ColumnFit::Alike,
            other if other == self.sql_type(table, at) => ColumnFit::Same,
            _ => ColumnFit::Other,
        }
    }

    fn add_column(&self, _table: &Table, at: FieldIndex) -> Option<String> {
        Some(format!("add column {}", at.get()))
    }

    fn add_primary_key(&self, _table: &Table) -> Option<String> {
        Some("add primary key".into())
    }

    fn add_unique_key(&self, _table: &Table, key: &[FieldIndex]) -> Option<String> {
        Some(format!("add unique key {key:?}"))
    }

    fn add_foreign_key(&self, _table: &Table, key: &ForeignKey) -> Option<String> {
        Some(format!("add foreign key {:?}", key.fields))
    }
}

fn table() -> Table {
    let package = "resources:
  - name: t
    path: t.csv
    schema:
      fields: [{name: a, type: integer}, {name: b, type: string}, {name: c, type: integer}]
      primaryKey: [a]
      uniqueKeys: [[b, c]]
      foreignKeys: [{fields: [c], reference: {fields: [a]}}]
";
    let package = Package::from_yaml(package, "datapackage.yaml").expect("a sound package");
    tables_of(&package).remove(0)
}

fn column(name: &str, sql_type: &str) -> ExistingColumn {
    ExistingColumn { name: name.into(), sql_type: sql_type.into(), ..ExistingColumn::default() }
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(String::from).to_vec()
}

/// The table as the dictionary has it.
fn equal() -> ExistingTable {
    let foreign_key = ExistingForeignKey { fields: names(["c"]), parent: "t".into(), parent_fields: names(["a"]) };
    ExistingTable {
        name: "t".into(),
        columns: vec![
            ExistingColumn { required: true, ..column("a", "integer") },
            column("b", "string"),
            column("c", "integer"),
        ],
        primary_key: names(["a"]),
        unique_keys: vec![names(["c", "b"])],
        foreign_keys: vec![foreign_key],
        has_rows: true,
    }
}

fn additions(existing: &ExistingTable) -> Vec<(Option<String>, bool)> {
    compare_table(&table(), existing, &Exact).into_iter().map(|found| (found.addition, found.harmless)).collect()
}

#[test]
fn an_equal_table_does_not_differ() {
    assert_eq!(compare_table(&table(), &equal(), &Exact), []);
}

#[test]
fn additions_stand_in_the_order_in_which_they_run() {
    let bare = ExistingTable { columns: vec![equal().columns.remove(0)], ..ExistingTable::default() };
    let bare = ExistingTable { name: "t".into(), ..bare };
    let expected = ["add column 1", "add column 2", "add primary key", "add unique key [1, 2]", "add foreign key [2]"];
    let found: Vec<String> = additions(&bare).into_iter().filter_map(|(addition, _)| addition).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_primary_key_is_added_where_there_is_none_and_never_exchanged() {
    let none = ExistingTable { primary_key: Vec::new(), ..equal() };
    assert_eq!(additions(&none), [(Some("add primary key".into()), false)]);
    let other = ExistingTable { primary_key: names(["c"]), ..equal() };
    assert_eq!(additions(&other), [(None, false)]);
    let kept = ExistingTable { primary_key: Vec::new(), unique_keys: vec![names(["b", "c"]), names(["a"])], ..equal() };
    assert_eq!(additions(&kept), [(Some("add primary key".into()), true)]);
}

#[test]
fn where_others_may_write_loads_need_the_databases_keys() {
    let none = ExistingTable { unique_keys: Vec::new(), foreign_keys: Vec::new(), ..equal() };
    let (unique, foreign) = ("add unique key [1, 2]".to_owned(), "add foreign key [2]".to_owned());
    assert_eq!(additions(&none), [(Some(unique), false), (Some(foreign), false)]);
}

#[test]
fn names_are_told_apart_as_the_database_does() {
    let mut existing = equal();
    existing.columns[1].name = "B".into();
    let messages: Vec<String> = compare_table(&table(), &existing, &Exact).into_iter().map(|d| d.message).collect();
    assert_eq!(messages[0], "has no column \"b\"");
    assert_eq!(messages[1], "has the column \"B\", which is not in the data package: loads leave it alone");
}

#[test]
fn a_foreign_key_to_other_columns_is_another() {
    let mut existing = equal();
    existing.foreign_keys[0].parent_fields = names(["b"]);
    let found = compare_table(&table(), &existing, &Exact);
    assert_eq!(found[0].addition.as_deref(), Some("add foreign key [2]"));
    assert!(found[1].message.starts_with("has the foreign key (c) to t (b), which is not in the data package"));
    assert!(has_other_foreign_key(&table(), &existing, &Exact));
    assert!(!has_other_foreign_key(&table(), &equal(), &Exact));
}

#[test]
fn only_what_is_serious_refuses_a_table() {
    let mut existing = equal();
    existing.columns[1].sql_type = "any".into();
    assert!(refuse_differences(&table(), &compare_table(&table(), &existing, &Exact)).is_ok());
    existing.columns[1].sql_type = "date".into();
    existing.columns[2].collation = Some("nocase".into());
    let refusal =
        refuse_differences(&table(), &compare_table(&table(), &existing, &Exact)).expect_err("two differences");
    let expected = "the table \"t\" exists and differs from the data package: it has the column \"b\" as date and not \
                    string; it compares the column \"c\" by nocase and not byte by byte. Nothing was altered: \
                    rename the table, or mend the data package; `landfall schema` shows every difference";
    assert_eq!(refusal.to_string(), expected);
}
