//! Data packages and dirty files, made from a seed.

use std::{fmt::Write as _, fs, path::Path};

use landfall_engine::Project;
use tempfile::TempDir;

use super::random::Random;
use crate::tables::package;

/// What the primary key of people is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    Integer,
    Text,
    Number,
    /// A number and a text.
    Pair,
    /// Nothing: the table has no primary key.
    None,
}

/// The table of people: which rules it has.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) identity: Identity,
    /// An e-mail address occurs once.
    pub(super) email: bool,
    /// A seat of a room is taken once.
    pub(super) seat: bool,
    /// Everybody is of a team.
    pub(super) team: bool,
    /// Everybody has a boss, who is in the same table.
    pub(super) boss: bool,
    /// Every source must tell the day.
    pub(super) day: bool,
    /// Some files have only some of the fields.
    pub(super) partial: bool,
}

impl Shape {
    pub(super) fn new(random: &mut Random) -> Self {
        use Identity::{Integer, None, Number, Pair, Text};
        // Beside the others, so that the files of a seed stay what they were.
        let mut own = random.clone();
        let identity = random.pick(&[Integer, Integer, Text, Text, Number, Pair, None]);
        Self {
            identity,
            email: random.once_in(2),
            seat: random.once_in(3),
            team: !random.once_in(4),
            boss: matches!(identity, Integer | Text) && random.once_in(4),
            day: own.once_in(4),
            partial: own.once_in(2),
        }
    }

    fn kind(&self) -> &'static str {
        match self.identity {
            Identity::Text => "string",
            Identity::Number => "number",
            Identity::Integer | Identity::Pair | Identity::None => "integer",
        }
    }

    /// The resources: notes about people, people, teams.
    fn resources(&self) -> String {
        let kind = self.kind();
        let mut people = format!(
            "fields: [{{name: id, type: {kind}}}, {{name: part, type: string}}, {{name: email, type: string}}, \
             {{name: room, type: integer}}, {{name: seat, type: string}}, {{name: team, type: integer}}, \
             {{name: boss, type: {kind}}}, {{name: amount, type: number}}, {{name: day, type: date, constraints: {{required: {}}}}}], fieldsMatch: [superset]",
            self.day
        );
        match self.identity {
            Identity::None => {}
            Identity::Pair => people.push_str(", primaryKey: [id, part]"),
            _ => people.push_str(", primaryKey: id"),
        }
        let mut keys = Vec::new();
        keys.extend(self.email.then_some("[email]"));
        keys.extend(self.seat.then_some("[room, seat]"));
        if !keys.is_empty() {
            let _ = write!(people, ", uniqueKeys: [{}]", keys.join(", "));
        }
        let mut foreign = Vec::new();
        foreign.extend(self.team.then_some("{fields: team, reference: {resource: teams, fields: id}}"));
        foreign.extend(self.boss.then_some("{fields: boss, reference: {fields: id}}"));
        if !foreign.is_empty() {
            let _ = write!(people, ", foreignKeys: [{}]", foreign.join(", "));
        }
        let named = match self.identity {
            Identity::Integer | Identity::Text | Identity::Number => {
                ", foreignKeys: [{fields: person, reference: {resource: people, fields: id}}]"
            }
            Identity::Pair | Identity::None => "",
        };
        format!(
            "  - {{name: notes, path: notes.csv, schema: {{fields: [{{name: n, type: integer}}, {{name: person, type: {kind}}}], \
             primaryKey: n{named}}}}}
  - {{name: people, path: [people-1.csv, people-2.csv], schema: {{{people}}}}}
  - {{name: teams, path: teams.csv, schema: {{fields: [{{name: id, type: integer}}, {{name: name, type: string}}], \
             primaryKey: id, uniqueKeys: [[name]]}}}}
"
        )
    }

    fn id(&self, number: u64, random: &mut Random) -> String {
        match self.identity {
            Identity::Text => format!("p{number}"),
            // One value, several ways to write it.
            Identity::Number => random.pick(&[format!("{number}"), format!("{number}.0"), format!("{number}.00")]),
            _ => number.to_string(),
        }
    }

    /// A record of people: who it is decides what it says, but for a few versions of it.
    fn record(&self, people: u64, random: &mut Random) -> String {
        let number = 1 + random.below(people);
        let version = if random.once_in(3) { 1 + random.below(2) } else { 0 };
        let mut own = Random::new(number * 10 + version);
        let part = random.pick(&["a", "b"]);
        let email = match own.below(8) {
            0 => String::new(),
            1 => format!("e{}", own.below(people)),
            _ => format!("e{number}"),
        };
        let seat = own.pick(&["", "x", "y", "z"]);
        let room = if own.once_in(5) { String::new() } else { own.below(people).to_string() };
        let team = if own.once_in(6) { String::new() } else { own.below(9).to_string() };
        let boss = if own.once_in(2) { String::new() } else { self.id(1 + own.below(people + people / 8), &mut own) };
        let amount = own.pick(&["1.5", "1.50", "-7", "1e3", ""]);
        let day = own.pick(&["2024-02-29", "0001-01-01", "9999-12-31"]);
        format!("{},{part},{email},{room},{seat},{team},{boss},{amount},{day}", self.id(number, random))
    }

    /// A file of people.
    pub(super) fn people(&self, records: u64, random: &mut Random) -> String {
        let columns = columns(self.partial, &mut random.clone());
        let names = ["id", "part", "email", "room", "seat", "team", "boss", "amount", "day"];
        let mut text = format!("{}\n", of(&columns, &names));
        for _ in 0..records {
            let record = self.record(records, random);
            let record = of(&columns, &record.split(',').collect::<Vec<_>>());
            text.push_str(&spoilt(record, random));
            text.push_str(random.pick(&["\n", "\n", "\r\n"]));
        }
        text
    }

    fn notes(&self, records: u64, random: &mut Random) -> String {
        let mut text = "n,person\n".to_owned();
        for _ in 0..records {
            let person = self.id(1 + random.below(records * 5), random);
            let _ = writeln!(text, "{},{person}", random.below(records * 2));
        }
        text
    }
}

fn teams(random: &mut Random) -> String {
    let mut text = "id,name\n".to_owned();
    for _ in 0..10 {
        let id = random.below(8);
        let _ = writeln!(text, "{id},team {}", if random.once_in(5) { random.below(8) } else { id });
    }
    text
}

/// The columns of a file of people: all, or only some beside the key.
fn columns(partial: bool, random: &mut Random) -> Vec<usize> {
    let all = !partial || random.once_in(2);
    (0..9).filter(|&at| all || at < 2 || random.once_in(2)).collect()
}

/// The cells of these columns, as a record.
fn of(columns: &[usize], cells: &[&str]) -> String {
    columns.iter().map(|&at| cells[at]).collect::<Vec<_>>().join(",")
}

/// A record, now and then with something wrong.
fn spoilt(record: String, random: &mut Random) -> String {
    if !random.once_in(8) {
        return record;
    }
    let cells: Vec<&str> = record.split(',').collect();
    let with = |at: usize, cell: &str| {
        let mut cells = cells.clone();
        let at = at.min(cells.len() - 1);
        cells[at] = cell;
        cells.join(",")
    };
    match random.below(10) {
        0 => with(7, "much"),
        1 => with(8, "2023-02-29"),
        2 => with(5, "1.5"),
        3 => with(0, ""),
        4 => cells[..cells.len().min(7) - 1].join(","),
        5 => format!("{record},more"),
        6 => String::new(),
        7 => with(2, "\"never closed"),
        8 => with(2, "\"two\nlines\""),
        _ => format!("{},{}", with(7, "much"), "x".repeat(400)),
    }
}

/// A project in a folder of its own.
pub(super) struct Files {
    pub(super) project: Project,
    folder: TempDir,
}

impl Files {
    /// A project with these resources, and no files yet.
    pub(super) fn of(resources: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { folder: folder.path().to_owned(), package: package(resources) };
        Self { project, folder }
    }

    /// A project whose people have `shape`.
    pub(super) fn new(shape: &Shape, random: &mut Random) -> Self {
        let files = Self::of(&shape.resources());
        let records = random.pick(&[5, 60, 150]);
        files.write("teams.csv", &teams(random));
        files.write("people-1.csv", &shape.people(records, random));
        files.write("people-2.csv", &shape.people(records / 2, random));
        files.write("notes.csv", &shape.notes(records / 3 + 1, random));
        files
    }

    pub(super) fn write(&self, name: &str, content: &str) {
        fs::write(self.path().join(name), content).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}
