//! Names of tables and fields, and how they fit each other.

use std::collections::HashSet;

use landfall_core::schema::fold_case;

/// The longest name that every database keeps whole, in bytes.
pub(super) const MOST_BYTES: usize = 63;

/// Beginnings that belong to Landfall and to SQLite.
const RESERVED: [&str; 2] = ["landfall_", "sqlite_"];

/// What a name of a key ends with, after the name of its table.
const KEY_ENDINGS: [&str; 9] = ["id", "code", "key", "no", "nr", "number", "num", "uuid", "ref"];

/// `stem` as the name of a table: lower case, everything but letters and digits an underscore.
pub(super) fn table_name(stem: &str) -> String {
    let name = to_snake_case(stem);
    let reserved = RESERVED.iter().any(|prefix| name.starts_with(prefix));
    match name.chars().next() {
        None => "table_1".into(),
        Some(first) if first.is_ascii_digit() || reserved => cut_to_bytes(&format!("t_{name}"), MOST_BYTES).into(),
        Some(_) => cut_to_bytes(&name, MOST_BYTES).into(),
    }
}

/// `text` in lower case with single underscores between its words; `hiredAt` has two words.
pub(super) fn to_snake_case(text: &str) -> String {
    let mut out = String::new();
    let mut previous = ' ';
    for character in text.chars() {
        let starts_word = character.is_uppercase() && previous.is_lowercase();
        if (starts_word || !character.is_alphanumeric()) && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        if character.is_alphanumeric() {
            out.extend(character.to_lowercase());
        }
        previous = character;
    }
    out.trim_end_matches('_').to_owned()
}

/// The first `bytes` bytes of `text`, or a few fewer.
fn cut_to_bytes(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Names that differ from each other, also for a database that does not tell upper from lower case.
#[derive(Debug, Default)]
pub(super) struct DistinctNames {
    taken: HashSet<String>,
}

impl DistinctNames {
    /// `name`, with a number where it is taken.
    pub(super) fn take_name(&mut self, name: &str) -> String {
        let numbered = |n: u64| {
            let ending = if n == 1 { String::new() } else { format!("_{n}") };
            format!("{}{ending}", cut_to_bytes(name, MOST_BYTES - ending.len()))
        };
        let free = (1..).map(numbered).find(|name| self.taken.insert(fold_case(name)));
        free.unwrap_or_default()
    }
}

/// Whether `label` can be the name of a field as it stands.
pub(super) fn is_valid_name(label: &str) -> bool {
    !label.is_empty() && label.len() <= MOST_BYTES && !label.chars().any(char::is_control)
}

/// `label` made a sound name; that of its column, counted from 0, where nothing is left of it.
pub(super) fn make_valid_name(label: &str, column: usize) -> String {
    let kept: String = label.chars().filter(|character| !character.is_control()).collect();
    match cut_to_bytes(kept.trim(), MOST_BYTES).trim() {
        "" => format!("column{}", column + 1),
        name => name.to_owned(),
    }
}

/// A plural English noun in the singular, as far as its ending tells.
fn to_singular(word: &str) -> String {
    let ends = |ending: &str| word.strip_suffix(ending).filter(|stem| stem.len() > 1);
    if let Some(stem) = ends("ies") {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes", "zes"] {
        if ends(ending).is_some() {
            return word[..word.len() - 2].to_owned();
        }
    }
    match ends("s") {
        Some(stem) if !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => word.to_owned(),
    }
}

/// What a field's name says that it refers to: `department_id` and `Department` name a `department`.
fn referred_noun(field: &str) -> String {
    let name = to_snake_case(field);
    match name.rsplit_once('_') {
        Some((rest, ending)) if KEY_ENDINGS.contains(&ending) => to_singular(rest),
        _ => to_singular(name.strip_suffix("id").filter(|rest| rest.len() > 3).unwrap_or(&name)),
    }
}

/// Whether a field of this name is likely to refer to `table`: `department_id`, `home_department` and `departments` to
/// `departments`.
pub(super) fn refers_to(field: &str, table: &str) -> bool {
    let (subject, table) = (referred_noun(field), to_singular(&to_snake_case(table)));
    if table.is_empty() || subject.is_empty() || KEY_ENDINGS.contains(&subject.as_str()) {
        return false;
    }
    subject == table || subject.ends_with(&format!("_{table}")) || table.ends_with(&format!("_{subject}"))
}

/// Whether a field of this name in `table` is likely to be its key: `id`, `code`, `department_id` in `departments`.
pub(super) fn names_key_of(field: &str, table: &str) -> bool {
    let name = to_snake_case(field);
    let general = KEY_ENDINGS.contains(&name.as_str());
    let ending = name.rsplit('_').next().unwrap_or_default();
    let own =
        ending != name && KEY_ENDINGS.contains(&ending) && referred_noun(field) == to_singular(&to_snake_case(table));
    general || own || name == format!("{}id", to_singular(&to_snake_case(table)))
}

/// Whether a field of this name may hold the parent row of its own table.
pub(super) fn names_parent(field: &str) -> bool {
    matches!(
        to_snake_case(field).as_str(),
        "parent" | "parent_id" | "parentid" | "manager_id" | "reports_to" | "reports_to_id"
    )
}

#[cfg(test)]
mod tests {
    use super::{DistinctNames, make_valid_name, names_key_of, refers_to, table_name, to_singular, to_snake_case};

    #[test]
    fn tables_are_named_after_their_files() {
        for (stem, name) in [
            ("Hired Employees (2021)", "hired_employees_2021"),
            ("hiredEmployees", "hired_employees"),
            ("2021", "t_2021"),
            ("Größe", "größe"),
            ("sqlite_x", "t_sqlite_x"),
            ("--", "table_1"),
        ] {
            assert_eq!(table_name(stem), name, "{stem}");
        }
        assert!(table_name(&"é".repeat(80)).len() <= 63);
    }

    #[test]
    fn names_become_distinct_and_sound() {
        let mut names = DistinctNames::default();
        let taken: Vec<String> = ["a", "A", "a"].iter().map(|name| names.take_name(name)).collect();
        assert_eq!(taken, ["a", "A_2", "a_3"]);
        assert_eq!(make_valid_name(" \n ", 2), "column3");
        assert_eq!(make_valid_name(&"x".repeat(70), 0).len(), 63);
    }

    #[test]
    fn simple_english_plurals() {
        for (plural, one) in
            [("jobs", "job"), ("countries", "country"), ("boxes", "box"), ("status", "status"), ("classes", "class")]
        {
            assert_eq!(to_singular(plural), one);
        }
        assert_eq!(to_snake_case("departmentID"), "department_id");
    }

    #[test]
    fn a_field_refers_to_the_table_that_it_names() {
        for (field, table) in [
            ("department_id", "departments"),
            ("DepartmentId", "departments"),
            ("job", "jobs"),
            ("home_country_code", "countries"),
            ("employee_id", "hired_employees"),
        ] {
            assert!(refers_to(field, table), "{field}");
        }
        for (field, table) in [("id", "departments"), ("name", "departments"), ("code", "codes"), ("job_title", "jobs")]
        {
            assert!(!refers_to(field, table), "{field}");
        }
    }

    #[test]
    fn a_key_is_named_so() {
        for (field, table) in [("id", "jobs"), ("ID", "jobs"), ("job_id", "jobs"), ("country code", "countries")] {
            assert!(names_key_of(field, table), "{field}");
        }
        assert!(!names_key_of("job_id", "employees"));
        assert!(!names_key_of("name", "jobs"));
    }
}
