//! Names of tables and columns, which become SQL identifiers.

use std::collections::HashMap;

use crate::schema::document::{DescriptorProblems, DocumentPlace};

/// The longest identifier that `PostgreSQL` keeps whole, in bytes.
// MySQL takes 64 characters, so that the limit of PostgreSQL is the narrower one for both.
const MAX_BYTES: usize = 63;

/// Beginnings of table names that belong to Landfall and to SQLite.
const RESERVED: [&str; 2] = ["landfall_", "sqlite_"];

/// Checks the name of a resource.
pub(super) fn check_resource(name: &str, place: &DocumentPlace, problems: &DescriptorProblems) {
    check_name(name, place, "resource", problems);
    // SQLite compares its own prefix without regard to case.
    let lower = name.to_ascii_lowercase();
    for prefix in RESERVED.iter().filter(|prefix| lower.starts_with(**prefix)) {
        problems
            .report_problem(place, format!("names of resources must not begin with \"{prefix}\": they are reserved"));
    }
}

/// Checks the name of a resource or field (`what`).
pub(super) fn check_name(name: &str, place: &DocumentPlace, what: &str, problems: &DescriptorProblems) {
    if name.is_empty() {
        problems.report_problem(place, format!("the name of a {what} must not be empty"));
    // Names go into messages, logs and terminals.
    } else if name.chars().any(char::is_control) {
        problems.report_problem(place, format!("the name of this {what} has a control character"));
    // PostgreSQL would cut the name silently, and two long names could become one table.
    } else if name.len() > MAX_BYTES {
        let message = format!("the name of this {what} has {} bytes, and databases cut names", name.len());
        problems.report_with_mend(place, message, format!("write a name of at most {MAX_BYTES} bytes"));
    }
}

/// Checks that names differ, also for a database that does not tell upper from lower case: SQLite in ASCII, MySQL in all
/// of Unicode, letter by letter.
pub(super) fn check_distinct<'a>(
    names: impl Iterator<Item = (&'a str, &'a DocumentPlace)>,
    what: &str,
    problems: &DescriptorProblems,
) {
    let mut seen: HashMap<String, (&str, &DocumentPlace)> = HashMap::new();
    for (name, place) in names {
        let Some((first, at)) = seen.insert(fold_case(name), (name, place)) else { continue };
        let line = at.line();
        let message = if first == name {
            format!("the {what} \"{name}\" occurs twice, first in line {line}")
        } else {
            format!(
                "the {what} \"{name}\" differs only in case from \"{first}\" in line {line}: databases take both as one"
            )
        };
        problems.report_with_mend(place, message, "write another name");
    }
}

/// `name` as it is compared by a database that does not tell upper from lower case.
#[must_use]
pub fn fold_case(name: &str) -> String {
    // Letter by letter and not `str::to_lowercase`, which writes a final sigma by its neighbours; MySQL does not.
    name.chars().flat_map(char::to_lowercase).collect()
}
