//! Names that Avro can take: a letter or `_`, then letters, digits and `_`, all of ASCII.

use std::collections::HashSet;

/// `name`, with `_` for each character that Avro does not take.
pub(super) fn avro_name(name: &str) -> String {
    let mut out: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if out.is_empty() || out.starts_with(|first: char| first.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

/// Words that the specification, or its libraries, take for a type wherever a type is named: no record can be called so.
const TYPES: [&str; 15] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "error", "enum", "array", "map",
    "fixed", "union",
];

/// The name of a record for the table called `name`. Fields need no such care: their names are never taken for types.
pub(super) fn record_name(name: &str) -> String {
    let mut out = avro_name(name);
    if TYPES.contains(&out.as_str()) {
        out.push('_');
    }
    out
}

/// The names of one record.
#[derive(Debug, Default)]
pub(super) struct UniqueNames(HashSet<String>);

impl UniqueNames {
    /// A name for the field called `name` that no other has.
    pub(super) fn make_unique(&mut self, name: &str) -> String {
        let wanted = avro_name(name);
        let mut found = wanted.clone();
        let mut number = 2;
        while !self.0.insert(found.clone()) {
            found = format!("{wanted}_{number}");
            number += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_becomes_one_that_avro_takes() {
        let mut names = UniqueNames::default();
        let found: Vec<String> = ["id", "hire date", "hire-date", "2nd", "", "größe", "hire_date_2"]
            .iter()
            .map(|name| names.make_unique(name))
            .collect();
        assert_eq!(found, ["id", "hire_date", "hire_date_2", "_2nd", "_", "gr__e", "hire_date_2_2"]);
    }

    #[test]
    fn no_record_is_called_like_a_type() {
        for name in TYPES {
            assert_eq!(record_name(name), format!("{name}_"));
        }
        assert_eq!(["Null", "strings", "int_"].map(record_name), ["Null", "strings", "int_"]);
    }
}
