//! Names of tables and fields: made of those of files and labels, and fit for every database.

use std::collections::HashSet;

use landfall_core::schema::fold_case;

/// The longest name that every database keeps whole, in bytes.
pub(super) const MOST_BYTES: usize = 63;

/// Beginnings that belong to Landfall and to SQLite.
const RESERVED: [&str; 2] = ["landfall_", "sqlite_"];

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

#[cfg(test)]
mod tests {
    use super::{DistinctNames, make_valid_name, table_name, to_snake_case};

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
    fn names_have_words() {
        assert_eq!(to_snake_case("departmentID"), "department_id");
        assert_eq!(to_snake_case("Kunden-Nr."), "kunden_nr");
    }
}
