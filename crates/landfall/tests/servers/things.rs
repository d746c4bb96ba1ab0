//! A project with fields of every type, keys of several fields, keys between tables, within a table and in a circle, and dirty
//! files for it. What must become of them is not told here: one database is measured by another.

use std::fmt::Write as _;

use super::{cells::Form, site::Column};
use crate::support::{Project, random::Random};

const PACKAGE: &str = r"resources:
  - name: places
    path: places.csv
    schema:
      fields:
        - {name: code, type: string, constraints: {required: true, maxLength: 20}}
        - {name: rate, type: number, constraints: {required: true}}
        - {name: day, type: date, constraints: {required: true}}
        - {name: title, type: string}
      primaryKey: [code, rate, day]
      uniqueKeys: [[title]]
  - name: things
    path: [things-1.csv, things-2.csv]
    schema:
      missingValues: ['', NA]
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: label, type: string, constraints: {maxLength: 100}}
        - {name: amount, type: number, constraints: {minimum: -10000000000000}}
        - {name: flag, type: boolean}
        - {name: day, type: date}
        - {name: at, type: datetime}
        - {name: clock, type: time}
        - {name: year, type: year}
        - {name: month, type: yearmonth}
        - {name: span, type: duration}
        - {name: spot, type: geopoint}
        - {name: object, type: object}
        - {name: array, type: array}
        - {name: words, type: list}
        - {name: note, type: any}
        - {name: parent, type: integer}
        - {name: place_code, type: string, constraints: {maxLength: 20}}
        - {name: place_rate, type: number}
        - {name: place_day, type: date}
      primaryKey: [id]
      uniqueKeys: [[label], [day, amount]]
      foreignKeys:
        - {fields: [parent], reference: {resource: '', fields: [id]}}
        - {fields: [place_code, place_rate, place_day], reference: {resource: places, fields: [code, rate, day]}}
  - name: hens
    path: hens.csv
    schema:
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: egg, type: integer}
      primaryKey: [id]
      foreignKeys: [{fields: [egg], reference: {resource: eggs, fields: [id]}}]
  - name: eggs
    path: eggs.csv
    schema:
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: hen, type: integer}
      primaryKey: [id]
      foreignKeys: [{fields: [hen], reference: {resource: hens, fields: [id]}}]
";

/// The tables with their columns.
pub(crate) const THINGS: [(&str, &[Column]); 4] = [
    ("places", &[("code", Form::Plain), ("rate", Form::Number), ("day", Form::Plain), ("title", Form::Plain)]),
    (
        "things",
        &[
            ("id", Form::Plain),
            ("label", Form::Plain),
            ("amount", Form::Number),
            ("flag", Form::Boolean),
            ("day", Form::Plain),
            ("at", Form::Datetime),
            ("clock", Form::Time),
            ("year", Form::Plain),
            ("month", Form::Plain),
            ("span", Form::Plain),
            ("spot", Form::Plain),
            ("object", Form::Plain),
            ("array", Form::Plain),
            ("words", Form::Plain),
            ("note", Form::Plain),
            ("parent", Form::Plain),
            ("place_code", Form::Plain),
            ("place_rate", Form::Number),
            ("place_day", Form::Plain),
        ],
    ),
    ("hens", &[("id", Form::Plain), ("egg", Form::Plain)]),
    ("eggs", &[("id", Form::Plain), ("hen", Form::Plain)]),
];

/// How many places there are to refer to; some records name others.
const PLACES: u64 = 60;

/// The project with dirty files of `seed`, with about `count` things in each of their two files.
pub(crate) fn project(seed: u64, count: u64) -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    write_files(&project, seed, count);
    project
}

/// Writes the files afresh, of `seed`.
pub(crate) fn write_files(project: &Project, seed: u64, count: u64) {
    let mut random = Random::new(seed);
    project.write("places.csv", places(&mut random));
    project.write("things-1.csv", things(&mut random, 1, count));
    project.write("things-2.csv", things(&mut random, count - count / 4, count));
    project.write("hens.csv", circle(&mut random, "egg"));
    project.write("eggs.csv", circle(&mut random, "hen"));
}

/// The key of a place, written in one of several ways: 1.5 and 1.50 are one number.
fn place_key(random: &mut Random, number: u64) -> String {
    let rate = format!("{}.5{}", number % 7, ["", "0", "00"][pick(random, 3)]);
    format!("{},{rate},20{:02}-0{}-1{}", code(number), number % 30, 1 + number % 9, number % 10)
}

/// Codes that some databases take for the same: by case, by blanks at the end, by accents.
fn code(number: u64) -> String {
    let base = ["ab", "AB", "Ab", "ab ", "áb", "ab\u{301}", "ÄB", "ß", "ss", "漢字"];
    format!("{}{}", number / 10, base[usize::try_from(number % 10).unwrap()])
}

fn places(random: &mut Random) -> String {
    let mut text = String::from("code,rate,day,title\n");
    for number in 0..PLACES {
        let key = place_key(random, number);
        let title = if random.once_in(9) { String::new() } else { format!("Title {}", code(number)) };
        writeln!(text, "{key},{title}").unwrap();
        if random.once_in(6) {
            let earlier = random.below(number + 1);
            let key = place_key(random, earlier);
            let title = if random.once_in(2) { title } else { format!("Other {number}") };
            writeln!(text, "{key},{title}").unwrap();
        }
    }
    text
}

fn things(random: &mut Random, first: u64, count: u64) -> String {
    let names: Vec<&str> = THINGS[1].1.iter().map(|(name, _)| *name).collect();
    let mut text = names.join(",") + "\n";
    for id in first..first + count {
        let mut cells = thing(random, id);
        if random.once_in(8) {
            spoil(random, &mut cells, id, first);
        }
        let line = cells.join(",") + "\n";
        text += &line;
        // The same record again is no other row.
        if random.once_in(25) {
            text += &line;
        }
    }
    text
}

fn thing(random: &mut Random, id: u64) -> Vec<String> {
    let mut values = vec![id.to_string(), label(random, id)];
    for cell in [
        format!("{}{}.{}", ["", "-"][pick(random, 2)], random.below(1 << 40), random.below(1_000_000)),
        ["true", "false", "1", "0", "True"][pick(random, 5)].to_owned(),
        format!("{}-0{}-{}", 1990 + random.below(60), 1 + random.below(9), 10 + random.below(19)),
        moment(random),
        format!("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60)),
        (1000 + random.below(2000)).to_string(),
        format!("{}-{:02}", 1900 + random.below(200), 1 + random.below(12)),
        ["P1Y2M", "PT3H", "P10D", "P1DT2H3M4S"][pick(random, 4)].to_owned(),
        format!("\"{}.{}, {}\"", random.below(180), random.below(1000), random.below(90)),
        format!("\"{{\"\"a\"\": {}, \"\"b\"\": [1.50, null, \"\"ü\"\"]}}\"", random.below(100)),
        format!("\"[{}, true]\"", random.below(100)),
        format!("\"x,{},Zoë\"", random.below(100)),
        note(random, id),
    ] {
        values.push(if random.once_in(7) { String::new() } else { cell });
    }
    // Mostly an earlier thing, sometimes a later one or none that there is.
    values.push(if random.once_in(3) { random.below(id + 20).to_string() } else { String::new() });
    let place = random.below(PLACES + 3);
    values.extend(if random.once_in(4) {
        vec![String::new(); 3]
    } else {
        place_key(random, place).split(',').map(str::to_owned).collect()
    });
    values
}

fn label(random: &mut Random, id: u64) -> String {
    match random.below(10) {
        0 => String::new(),
        1 => "NA".into(),
        2 => format!("\" blanks {id}  \""),
        3 => format!("\"quoted \"\"{id}\"\", and\nmore\""),
        4 => format!("back\\slash \\N \\{id}"),
        5 => format!("Æ漢\u{1F980} {id}"),
        6 => format!("tab\t{id}"),
        _ => format!("label {id}"),
    }
}

fn note(random: &mut Random, id: u64) -> String {
    match random.below(6) {
        0 => "\"\r\n\"".into(),
        1 => format!("\\.{id}"),
        2 => "x".repeat(usize::try_from(random.below(3000)).unwrap()),
        3 => format!("\"'; DROP TABLE things; -- {id}\""),
        4 => "\u{feff}\u{200b}\u{1}".into(),
        _ => format!("note {id}"),
    }
}

fn moment(random: &mut Random) -> String {
    let zone = ["Z", "+02:00", "-11:30", "Z"][pick(random, 4)];
    let fraction = ["", ".5", ".123456", ".000001"][pick(random, 4)];
    let year = 1600 + random.below(600);
    format!("{year}-12-{}T{:02}:30:59{fraction}{zone}", 10 + random.below(22), random.below(24))
}

/// Breaks one or two rules.
fn spoil(random: &mut Random, cells: &mut Vec<String>, id: u64, first: u64) {
    for _ in 0..=random.below(2) {
        let at = pick(random, cells.len().min(19) as u64);
        match random.below(7) {
            0 => cells[at] = "nonsense".into(),
            1 => cells[0] = (first + random.below(id - first + 1)).to_string(),
            2 => cells[0] = String::new(),
            3 => drop(cells.pop()),
            4 => cells[1] = format!("label {}", first + random.below(id - first + 1)),
            5 => cells[2] = ["1.25e20", "-12.50E-7"][pick(random, 2)].into(),
            _ => cells[2] = "-1e14".into(),
        }
    }
}

/// Records of which each names one of the other table, often one that comes later.
fn circle(random: &mut Random, other: &str) -> String {
    let mut text = format!("id,{other}\n");
    for id in 1..=40 {
        let named = if random.once_in(4) { String::new() } else { (1 + random.below(42)).to_string() };
        writeln!(text, "{id},{named}").unwrap();
    }
    text
}

fn pick(random: &mut Random, bound: u64) -> usize {
    usize::try_from(random.below(bound)).unwrap()
}

#[test]
fn a_good_share_of_the_records_pass_and_a_good_share_do_not() {
    let project = project(1, 150);
    let run = project.run(&["load", "--json"]).exits(0);
    for (table, _) in THINGS {
        let [read, inserted, _, unchanged, rejected] = run.counts(table);
        let told = || format!("{table}: {:?}\n{}", run.counts(table), project.run(&["rejects", "group"]).stdout);
        assert!(inserted * 2 > read && rejected > 1, "{}", told());
        assert!(unchanged > 0 || ["hens", "eggs"].contains(&table), "{}", told());
    }
}
