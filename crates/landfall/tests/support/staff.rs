//! A project of two tables, `teams` and `staff`, dirty files for it, and what must become of their records: an
//! independent and much simpler telling of the rules, which the program is measured by.

use std::collections::BTreeMap;

use super::{Project, random::Random};

/// `staff` refers to `teams`.
const PACKAGE: &str = "resources:
  - name: teams
    path: teams.csv
    schema:
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: name, type: string, constraints: {required: true}}
      primaryKey: [id]
  - name: staff
    path: staff.csv
    schema:
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: name, type: string, constraints: {required: true}}
        - {name: age, type: integer, constraints: {minimum: 0, maximum: 150}}
        - {name: team, type: integer, constraints: {required: true}}
      primaryKey: [id]
      foreignKeys:
        - {fields: [team], reference: {resource: teams, fields: [id]}}
";
/// Teams that there are, from 1.
const TEAMS: i64 = 20;

/// A project with its teams and no staff yet.
pub(crate) fn project() -> Project {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    let teams: String = (1..=TEAMS).map(|id| format!("{id},Team {id}\n")).collect();
    project.write("teams.csv", format!("id,name\n{teams}"));
    project.write("staff.csv", HEADER);
    project
}

const HEADER: &str = "id,name,age,team\n";

/// A row of `staff` without its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) age: Option<i64>,
    pub(crate) team: i64,
}

/// The rows of `staff` by id.
pub(crate) type Staff = BTreeMap<i64, Person>;

/// What was written as a record.
#[derive(Debug, Clone)]
pub(crate) enum Made {
    /// A row, whatever its keys.
    Row(i64, Person),
    /// A record that breaks a rule by itself.
    Broken,
}

/// A file with what its records were made as.
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Made>,
}

impl File {
    /// An empty file with a header.
    pub(crate) fn new() -> Self {
        Self { bytes: HEADER.into(), records: Vec::new() }
    }

    /// `count` records of `seed`, ids from `first`: about one in six is broken, an orphan, a duplicate or a conflict.
    pub(crate) fn dirty(seed: u64, first: i64, count: i64) -> Self {
        let mut file = Self::new();
        file.add_dirty(seed, first, count);
        file
    }

    /// `count` good records of `seed`.
    pub(crate) fn clean(seed: u64, first: i64, count: i64) -> Self {
        let (mut file, mut random) = (Self::new(), Random::new(seed));
        for id in first..first + count {
            let person = some_person(&mut random, id);
            file.row(id, person);
        }
        file
    }

    /// Adds records as [`File::dirty`] makes them.
    pub(crate) fn add_dirty(&mut self, seed: u64, first: i64, count: i64) {
        let mut random = Random::new(seed);
        for id in first..first + count {
            let person = some_person(&mut random, id);
            match random.below(72) {
                0 => self.broken(format!("{id},Bad age,old,1")),
                1 => self.broken(format!("{id},,{},0", 200)),
                2 => self.broken(format!("{id},short")),
                3 => self.broken(format!("{id},long,1,1,extra,more")),
                4 => self.broken(""),
                5 => self.broken([id.to_string().as_bytes(), b",\xff\xfe,3,4"].concat()),
                6 => self.broken(format!("{id},\"closed\" too early,30,4")),
                7 => self.broken(format!("99999999999999999999{id},big,1,1")),
                8 | 9 => self.row(id, Person { team: TEAMS + 1 + (id % 3), ..person }),
                10 | 11 => {
                    let earlier = first + random.below((id - first).unsigned_abs() + 1).cast_signed();
                    self.row(earlier, person);
                }
                12 => self.again(&mut random),
                _ => self.row(id, person),
            }
        }
    }

    /// A record that breaks a rule by itself.
    fn broken(&mut self, line: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(line.as_ref());
        self.bytes.push(b'\n');
        self.records.push(Made::Broken);
    }

    fn row(&mut self, id: i64, person: Person) {
        let quoted = person.name.contains(['"', ',', '\n', '\r']);
        let name = if quoted { format!("\"{}\"", person.name.replace('"', "\"\"")) } else { person.name.clone() };
        let age = person.age.map(|age| age.to_string()).unwrap_or_default();
        self.bytes.extend_from_slice(format!("{id},{name},{age},{}\n", person.team).as_bytes());
        self.records.push(Made::Row(id, person));
    }

    /// A record that was there before.
    fn again(&mut self, random: &mut Random) {
        let at = random.below(self.records.len() as u64 + 1);
        match self.records.get(usize::try_from(at).unwrap_or_default()).cloned() {
            Some(Made::Row(id, person)) => self.row(id, person),
            _ => self.broken(" "),
        }
    }
}

fn some_person(random: &mut Random, id: i64) -> Person {
    let name = match random.below(12) {
        0 => format!("Quoted \"{id}\", Jr."),
        1 => format!("Two\nlines {id}"),
        2 => format!("Carriage\r\nreturn\n\n{id}"),
        3 => format!("Zoë Ünïcode {id} 漢字"),
        4 => format!("  blanks stay {id} "),
        _ => format!("Person {id}"),
    };
    let age = (!random.once_in(9)).then(|| random.below(100).cast_signed());
    Person { name, age, team: 1 + random.below(TEAMS.unsigned_abs()).cast_signed() }
}

/// What a load does with a key that is there with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Reject,
    Update,
    Keep,
}

/// Read, inserted, updated, unchanged, rejected.
pub(crate) type Counts = [u64; 5];

/// What must become of `records` when they are loaded over `staff`, which is changed so. `too_many` tells of rejected and
/// read whether to stop.
pub(crate) fn expect(staff: &mut Staff, records: &[Made], rule: Rule, too_many: impl Fn(u64, u64) -> bool) -> Counts {
    let mut counts = [0; 5];
    for record in records {
        counts[0] += 1;
        let [inserted, updated, unchanged, rejected] = [1, 2, 3, 4];
        let fate = match record {
            Made::Row(id, person) if person.team <= TEAMS => match (staff.get(id), rule) {
                (Some(held), _) if held == person => unchanged,
                (Some(_), Rule::Reject) => rejected,
                (Some(_), Rule::Keep) => unchanged,
                (held, _) => {
                    let fate = if held.is_some() { updated } else { inserted };
                    staff.insert(*id, person.clone());
                    fate
                }
            },
            _ => rejected,
        };
        counts[fate] += 1;
        if fate == rejected && too_many(counts[rejected], counts[0]) {
            break;
        }
    }
    counts
}

/// The rows of `staff` as they stand in the database.
pub(crate) fn held(project: &Project) -> Staff {
    let database = project.database();
    let mut statement = database.prepare("SELECT id, name, age, team FROM staff").unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, Person { name: row.get(1)?, age: row.get(2)?, team: row.get(3)? })));
    rows.unwrap().map(Result::unwrap).collect()
}
