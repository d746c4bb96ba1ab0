//! Departments, jobs and the employees hired for them, in every way that people write such files.

use std::{fmt::Write as _, fs, path::Path};

use landfall_core::schema::{Encoding, FieldIndex, HeaderRows, Package};

use super::{folder, loaded, proposal, types};

const DEPARTMENTS: usize = 12;
const JOBS: usize = 40;

/// How the files are written.
#[derive(Clone, Copy)]
struct Style {
    header: bool,
    delimiter: &'static str,
    encode: fn(&str) -> Vec<u8>,
}

const PLAIN: Style = Style { header: false, delimiter: ",", encode: |text| text.as_bytes().to_vec() };

impl Style {
    fn write(self, header: &str, lines: impl Iterator<Item = String>) -> Vec<u8> {
        let mut text = if self.header { format!("{header}\n") } else { String::new() };
        lines.for_each(|line| text.extend([line.as_str(), "\n"]));
        (self.encode)(&text.replace(',', self.delimiter))
    }

    fn files(self) -> Vec<(&'static str, Vec<u8>)> {
        let departments = (1..=DEPARTMENTS).map(|id| format!("{id},Département {id}"));
        let jobs = (1..=JOBS).map(|id| format!("{id},Métier {}", id / 2));
        vec![
            ("data/departments.csv", self.write("id,department", departments)),
            ("data/hired_employees.csv", self.write("id,name,datetime,department_id,job_id", (1..=600).map(employee))),
            ("data/jobs.csv", self.write("id,job", jobs)),
        ]
    }
}

/// One record in a hundred is broken, each time in another way.
fn employee(id: usize) -> String {
    let (department, job) = (id % DEPARTMENTS + 1, id % JOBS + 1);
    let when = format!("2021-{:02}-{:02}T02:48:42Z", id % 12 + 1, id % 28 + 1);
    match id {
        100 => format!("{id},Zoë {id},{when},,{job}"),
        200 => format!("{id},Zoë {id},yesterday,{department},{job}"),
        300 => format!("{id},Zoë {id},{when},{department},9999"),
        400 => format!("{id},Zoë {id},{when},{department}"),
        500 => format!("499,Zoë {id},{when},{department},{job}"),
        _ => format!("{id},Zoë {id},{when},{department},{job}"),
    }
}

fn check(style: Style) -> (String, Package) {
    let files = style.files();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let folder = folder(&files);
    let (proposal, package) = proposal(folder.path());
    is_found(&package, style.header);
    let outcomes = loaded(folder.path(), &package);
    let counts = outcomes.iter().map(|o| (o.table.as_str(), o.counts.inserted, o.counts.rejected));
    let expected = [("departments", 12, 0), ("jobs", 40, 0), ("hired_employees", 595, 5)];
    assert!(counts.clone().all(|count| expected.contains(&count)), "{:?}", counts.collect::<Vec<_>>());
    (proposal.package_yaml, package)
}

/// Types, keys and foreign keys are those of the running example.
fn is_found(package: &Package, header: bool) {
    let table = |name: &str| package.resources.iter().find(|resource| &*resource.name == name).expect(name);
    let hired = table("hired_employees");
    let names =
        if header { "id name datetime department_id job_id" } else { "column1 column2 column3 column4 column5" };
    let kinds = ["integer", "string", "datetime", "integer", "integer"];
    let expected: Vec<String> = names.split(' ').zip(kinds).map(|(name, kind)| format!("{name} {kind}")).collect();
    assert_eq!(types(hired), expected.join(", "));
    assert!(hired.schema.fields.iter().all(|field| field.constraints.required));
    let keys: Vec<_> = hired.schema.foreign_keys.iter().map(|key| (key.fields.clone(), &*key.parent)).collect();
    assert_eq!(keys, [(vec![3.into()], "departments"), (vec![4.into()], "jobs")]);
    assert!(package.resources.iter().all(|resource| resource.schema.primary_key == [FieldIndex::from(0)]));
    assert!(package.resources.iter().all(|resource| (resource.dialect.header != HeaderRows::None) == header));
}

#[test]
fn without_a_header_the_values_tell_the_foreign_keys() {
    let (yaml, _) = check(PLAIN);
    let words =
        ["12 of its 12 keys occur", "596 of 597 values are keys of jobs", "1 empty cell would be rejected (line 100)"];
    assert!(words.iter().all(|words| yaml.contains(words)), "{yaml}");
}

#[test]
fn with_a_header_the_names_tell_them() {
    check(Style { header: true, ..PLAIN });
    let (_, package) = check(Style { header: true, delimiter: ";", ..PLAIN });
    assert!(package.resources.iter().all(|resource| resource.dialect.delimiter == b';'));
}

#[test]
fn any_encoding_is_found() {
    let mark: fn(&str) -> Vec<u8> = |text| format!("\u{feff}{text}").into_bytes();
    let utf16: fn(&str) -> Vec<u8> =
        |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let unmarked: fn(&str) -> Vec<u8> = |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin: fn(&str) -> Vec<u8> = |text| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    let windows = Encoding::SingleByte(encoding_rs::WINDOWS_1252);
    for (encode, encoding) in
        [(mark, Encoding::Utf8), (utf16, Encoding::Utf16), (unmarked, Encoding::Utf16Le), (latin, windows)]
    {
        let (yaml, package) = check(Style { header: true, encode, ..PLAIN });
        assert!(package.resources.iter().all(|resource| resource.encoding == encoding), "{yaml}");
        check(Style { delimiter: "\t", encode, ..PLAIN });
    }
}

#[test]
fn the_real_data_are_understood() {
    let Some(shared) = std::env::var_os("LANDFALL_CONFORMANCE") else {
        eprintln!("skipped: LANDFALL_CONFORMANCE does not name the conformance folder");
        return;
    };
    let copy = folder(&[]);
    for name in ["departments.csv", "jobs.csv", "hired_employees.csv"] {
        fs::copy(Path::new(&shared).join("hr").join(name), copy.path().join(name)).expect("the real data");
    }
    let (proposal, package) = proposal(copy.path());
    is_found(&package, false);
    let mut text = String::new();
    for outcome in loaded(copy.path(), &package) {
        write!(text, "{} {} {}; ", outcome.table, outcome.counts.inserted, outcome.counts.rejected).expect("text");
    }
    assert_eq!(text, "departments 12 0; jobs 183 0; hired_employees 1929 70; ", "{}", proposal.package_yaml);
}
