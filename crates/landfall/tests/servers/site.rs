//! A project whose target is a database of its own, and what came of it there.

use std::{collections::BTreeMap, ops::Deref};

use serde_json::Value as Json;

use super::{
    cells::{self, Form},
    place::{Kind, Place},
};
use crate::support::{
    Project,
    staff::{Person, Staff},
};

/// A column with what its values are.
pub(crate) type Column = (&'static str, Form);

/// The tables of the project `staff` with their columns.
pub(crate) const STAFF: [(&str, &[Column]); 2] = [
    ("teams", &[("id", Form::Plain), ("name", Form::Plain)]),
    ("staff", &[("id", Form::Plain), ("name", Form::Plain), ("age", Form::Plain), ("team", Form::Plain)]),
];

/// The tables of the example with their columns.
pub(crate) const HR: [(&str, &[Column]); 3] = [
    ("departments", &[("id", Form::Plain), ("department", Form::Plain)]),
    ("jobs", &[("id", Form::Plain), ("job", Form::Plain)]),
    (
        "hired_employees",
        &[
            ("id", Form::Plain),
            ("name", Form::Plain),
            ("datetime", Form::Datetime),
            ("department_id", Form::Plain),
            ("job_id", Form::Plain),
        ],
    ),
];

/// A project with its database.
pub(crate) struct Site {
    project: Project,
    pub(crate) place: Place,
}

impl Deref for Site {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Site {
    /// `project` with an empty database.
    pub(crate) fn new(project: Project, kind: Kind) -> Self {
        let place = Place::fresh(kind, project.path());
        Self::at(project, place)
    }

    /// `project` with this database.
    pub(crate) fn at(project: Project, place: Place) -> Self {
        let site = Self { project, place };
        site.aim(&site.place.url);
        site
    }

    /// Names another way to the database.
    pub(crate) fn aim(&self, url: &str) {
        let line = format!("target: \"{url}\"\n");
        let file = self.path().join("landfall.yaml");
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        let kept = before.split_inclusive('\n').filter(|line| !line.starts_with("target:"));
        std::fs::write(file, kept.chain([line.as_str()]).collect::<String>()).unwrap();
    }

    /// The rows of a table in one form for all databases, in the order of their text.
    #[track_caller]
    pub(crate) fn content(&self, table: &str, columns: &[Column]) -> Vec<Vec<Option<String>>> {
        if !self.place.has_table(table) {
            return Vec::new();
        }
        let asked: Vec<String> = columns.iter().map(|(name, form)| cells::asked(&self.place, name, *form)).collect();
        let rows = self.place.rows(&format!("SELECT {} FROM {}", asked.join(", "), self.place.quoted(table)));
        let told =
            |row: Vec<String>| row.iter().zip(columns).map(|(cell, (_, form))| cells::told(cell, *form)).collect();
        let mut rows: Vec<Vec<Option<String>>> = rows.into_iter().map(told).collect();
        rows.sort();
        rows
    }

    /// The number of rows of a table; none where it is not there.
    #[track_caller]
    pub(crate) fn count(&self, table: &str) -> u64 {
        if !self.place.has_table(table) {
            return 0;
        }
        self.place.number(&format!("SELECT count(*) FROM {}", self.place.quoted(table)))
    }

    /// What is in the quarantine, without what depends on when and how it came there.
    #[track_caller]
    pub(crate) fn quarantine(&self) -> Vec<Vec<String>> {
        if self.place.tables().iter().all(|name| *name != self.place.own("rejects")) {
            return Vec::new();
        }
        let place = &self.place;
        let (raw, errors, part) = (place.hex("r.raw", false), place.hex("r.errors", true), place.hex("p.bytes", false));
        let parts = match place.kind {
            Kind::Postgres | Kind::Pooled => format!("string_agg({part}, '' ORDER BY p.part)"),
            Kind::Mariadb => format!("group_concat({part} ORDER BY p.part SEPARATOR '')"),
            Kind::Sqlite => format!("group_concat({part}, '')"),
        };
        let mut rows = place.rows(&format!(
            "SELECT r.table_name, r.load_id, r.record, r.line, r.byte_offset, r.length, r.state, r.waiting, {raw}, {errors},
                 coalesce((SELECT {parts} FROM {} p WHERE p.reject_id = r.reject_id), '')
             FROM {} r ORDER BY r.table_name, r.load_id, r.record",
            place.own("reject_parts"),
            place.own("rejects")
        ));
        // A number of a load that was undone may be left out.
        rows.iter_mut().for_each(|row| drop(row.remove(1)));
        rows
    }

    /// The ledger, without times and without the numbers of loads.
    #[track_caller]
    pub(crate) fn ledger(&self) -> Vec<String> {
        let document = self.run(&["loads", "--json"]).exits(0).json();
        let loads = document["loads"].as_array().unwrap().iter().cloned();
        loads.map(|load| without(load, &["load_id", "seconds", "started_at", "changed_at"]).to_string()).collect()
    }

    /// The rejects as the program lists them, without the numbers of loads and rejects.
    #[track_caller]
    pub(crate) fn rejects(&self) -> Vec<String> {
        let lines = self.run(&["rejects", "list", "--json"]).exits(0).json_list();
        lines.into_iter().map(|line| without(line, &["id", "load_id"]).to_string()).collect()
    }

    /// What must be the same on all databases, and whatever happened on the way, as lines.
    #[track_caller]
    pub(crate) fn outcome(&self, tables: &[(&str, &[Column])]) -> Vec<String> {
        let mut lines = Vec::new();
        for (table, columns) in tables {
            lines.extend(self.content(table, columns).iter().map(|row| format!("{table}: {row:?}")));
        }
        lines.extend(self.quarantine().iter().map(|row| format!("quarantine: {row:?}")));
        lines.extend(self.ledger().iter().map(|load| format!("ledger: {load}")));
        lines
    }

    /// The rows of `staff`.
    #[track_caller]
    pub(crate) fn held(&self) -> Staff {
        let rows = self.content("staff", STAFF[1].1).into_iter().map(|row| {
            let [id, name, age, team] = <[Option<String>; 4]>::try_from(row).unwrap();
            let number = |text: String| text.parse().unwrap();
            (number(id.unwrap()), Person { name: name.unwrap(), age: age.map(number), team: number(team.unwrap()) })
        });
        rows.collect()
    }

    /// Counts tables and quarantine afresh with the database's own program, compares them with what every entry of the
    /// ledger says, and lets `verify` do the same. `records` gives the number of records in each file that was read whole.
    #[track_caller]
    pub(crate) fn audit(&self, records: &[(&str, u64)]) {
        self.audit_counts(records);
        self.assert_nothing_wrong();
    }

    /// The same without `verify`.
    #[track_caller]
    pub(crate) fn audit_counts(&self, records: &[(&str, u64)]) {
        let document = self.run(&["loads", "--json"]).exits(0).json();
        let kept = self.kept();
        let mut inserted: BTreeMap<String, u64> = BTreeMap::new();
        for load in document["loads"].as_array().unwrap() {
            let count = |key: &str| load[key].as_u64().unwrap();
            let word = |key: &str| load[key].as_str().unwrap();
            let sum = count("inserted") + count("updated") + count("unchanged") + count("rejected");
            assert_eq!(count("read"), sum, "the equation of {load}");
            let found = kept.get(&(word("mode") == "retry", count("load_id"))).copied().unwrap_or_default();
            let wanted = if word("state") == "rolled-back" { found } else { count("rejected") };
            assert_eq!(found, wanted, "the quarantine of {load}");
            if let Some((_, all)) = records.iter().find(|(name, _)| *name == word("source")) {
                let whole = ["complete", "rolled-back"].contains(&word("state"));
                assert!(count("read") == *all || (!whole && count("read") < *all), "the file of {load}: {all}");
            }
            let sum = inserted.entry(word("table").to_owned()).or_default();
            if word("mode") == "replace" && word("state") == "complete" {
                *sum = 0;
            }
            *sum += count("inserted");
        }
        for (table, inserted) in inserted {
            assert_eq!(self.count(&table), inserted, "rows of {table}");
        }
    }

    /// How many rejects each load left, and how often each retry failed, as the database counts them.
    fn kept(&self) -> BTreeMap<(bool, u64), u64> {
        let (rejects, events) = (self.place.own("rejects"), self.place.own("reject_events"));
        let sql = format!(
            "SELECT 0, load_id, count(*) FROM {rejects} GROUP BY load_id UNION ALL
             SELECT 1, load_id, count(*) FROM {events} WHERE action = 'retried' GROUP BY load_id"
        );
        let numbers = |row: Vec<String>| row.iter().map(|cell| cell.parse().unwrap()).collect::<Vec<u64>>();
        let rows = self.place.rows(&sql).into_iter().map(numbers);
        rows.map(|row| ((row[0] == 1, row[1]), row[2])).collect()
    }
}

fn without(mut document: Json, keys: &[&str]) -> Json {
    let object = document.as_object_mut().unwrap();
    keys.iter().for_each(|key| drop(object.remove(*key)));
    document
}

/// Fails with the lines that are in one of the two only.
#[track_caller]
pub(crate) fn assert_same(found: &[String], wanted: &[String], what: &str) {
    let only = |in_these: &[String], not_in: &[String]| -> Vec<String> {
        let held: std::collections::HashSet<&String> = not_in.iter().collect();
        in_these.iter().filter(|line| !held.contains(line)).take(10).cloned().collect()
    };
    let (more, less) = (only(found, wanted), only(wanted, found));
    assert!(found == wanted, "{what}\nonly found: {more:#?}\nonly wanted: {less:#?}");
}
