//! What each database can hold of a table's rows, for the validator: what is beyond it is a reject, and never gets there.
//!
//! SQLite holds every value that the validator lets pass. The others have limits on numbers, and on the length of keys.

use jiff::civil::date;
use landfall_core::{
    schema::{FieldIndex, FieldType, TableSchema},
    validate::{KeyLimit, NumberLimits, TargetLimits},
};

/// The digits of PostgreSQL's `numeric`: <https://www.postgresql.org/docs/current/datatype-numeric.html>, table 8.2.
const POSTGRES_DIGITS: (u64, u64) = (131_072, 16_383);

/// The most bytes of an entry of a B-tree in PostgreSQL, a third of a page of 8 KiB (`BTMaxItemSize` in
/// `src/include/access/nbtree.h`; the server's own message names it).
const POSTGRES_ENTRY: usize = 2704;
/// What an entry has beside its values: its header, and a bitmap of the missing ones.
const POSTGRES_ENTRY_HEADER: usize = 16;
/// The most bytes that a text takes beside its own: a length of 4, and 3 for alignment.
const POSTGRES_TEXT: usize = 7;
/// The most bytes that a number takes beside those of its digits, of which four take two bytes: headers of 8, two groups of
/// digits that are not full, alignment.
const POSTGRES_NUMBER: usize = 16;
/// The most bytes of any other value of a key.
const POSTGRES_OTHER: usize = 8;

/// What PostgreSQL can hold of the rows of a table with `schema`. Its dates and datetimes (from 4713 BC) are more than the
/// validator's, which end with the years 1 and 9999. `infinity` tells whether its numbers have one (from version 14).
#[must_use]
pub fn postgres_limits(schema: &TableSchema, infinity: bool) -> TargetLimits {
    let (before, after) = POSTGRES_DIGITS;
    let limit = |fields: &Vec<FieldIndex>| {
        let taken: usize = fields.iter().map(|&at| postgres_overhead(&schema[at].kind)).sum();
        KeyLimit { fields: fields.clone(), bytes: POSTGRES_ENTRY.saturating_sub(POSTGRES_ENTRY_HEADER + taken) }
    };
    TargetLimits {
        numbers: Some(NumberLimits { before, after, nan: true, infinity }),
        keys: unique_keys(schema).map(limit).collect(),
        ..TargetLimits::default()
    }
}

/// The bytes of a value of a key beside its own text.
const fn postgres_overhead(kind: &FieldType) -> usize {
    match kind {
        FieldType::Number(_) => POSTGRES_NUMBER,
        kind if is_fixed(kind) => POSTGRES_OTHER,
        _ => POSTGRES_TEXT,
    }
}

/// The digits before and after the point of MySQL's widest `DECIMAL`, `DECIMAL(65,30)`:
/// <https://dev.mysql.com/doc/refman/8.4/en/precision-math-decimal-characteristics.html>.
const MYSQL_DIGITS: (u64, u64) = (35, 30);

/// The most bytes of a key in InnoDB with pages of 16 KiB, whatever the values are:
/// <https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html>.
const MYSQL_KEY: usize = 3072;
/// The bytes that are counted for a character of utf8mb4.
const MYSQL_CHARACTER: usize = 4;
/// The bytes of `DECIMAL(65,30)` in a key: 16 before the point and 14 after it.
const MYSQL_NUMBER: usize = 30;
/// The most bytes of any other value of a key that is not text.
const MYSQL_OTHER: usize = 8;

/// What MySQL and MariaDB can hold of the rows of a table with `schema`.
///
/// Of dates the documentation of both vouches for the years 1000 to 9999 only ("earlier values might work, but there is no
/// guarantee"): <https://dev.mysql.com/doc/refman/8.4/en/datetime.html>, <https://mariadb.com/kb/en/datetime/>. Every time of
/// day is held. Texts outside of keys have no limit beyond that of a record: they are LONGTEXT.
#[must_use]
pub fn mysql_limits(schema: &TableSchema) -> TargetLimits {
    let (before, after) = MYSQL_DIGITS;
    let (first, last) = (days_since_1970(1000, 1, 1), days_since_1970(9999, 12, 31));
    let start_of = |day: i32| i64::from(day) * 86_400_000_000;
    let characters =
        schema.field_positions().zip(mysql_key_characters(schema)).filter_map(|(at, most)| Some((at, most?)));
    TargetLimits {
        dates: Some(first..=last),
        datetimes: Some(start_of(first)..=start_of(last + 1) - 1),
        numbers: Some(NumberLimits { before, after, nan: false, infinity: false }),
        // Where the dictionary allows no more, its own rule says so.
        characters: characters
            .filter(|&(at, most)| max_length(schema, at).is_none_or(|length| length > most))
            .collect(),
        ..TargetLimits::default()
    }
}

/// For each field that is text and part of a key how many characters its column may hold, for `VARCHAR(n)`: what the key has
/// room for, divided by its texts, or less where the dictionary allows no more. None for all other fields.
#[must_use]
pub fn mysql_key_characters(schema: &TableSchema) -> Vec<Option<usize>> {
    let mut columns: Vec<Option<usize>> = vec![None; schema.fields.len()];
    // A foreign key has an index too.
    for key in unique_keys(schema).chain(schema.foreign_keys.iter().map(|key| &key.fields)) {
        for (at, share) in mysql_shares(schema, key) {
            columns[at.get()] = Some(columns[at.get()].map_or(share, |least| least.min(share)));
        }
    }
    columns
}

/// The texts of one key, each with its share of the characters that the key has room for.
fn mysql_shares(schema: &TableSchema, key: &[FieldIndex]) -> Vec<(FieldIndex, usize)> {
    let kind = |at: &FieldIndex| &schema[*at].kind;
    let (texts, others): (Vec<FieldIndex>, Vec<FieldIndex>) =
        key.iter().partition(|at| !is_fixed(kind(at)) && !matches!(kind(at), FieldType::Number(_)));
    let taken = |at: &FieldIndex| if is_fixed(kind(at)) { MYSQL_OTHER } else { MYSQL_NUMBER };
    let room = MYSQL_KEY.saturating_sub(others.iter().map(taken).sum()) / MYSQL_CHARACTER;
    let even = room / texts.len().max(1);
    // Texts that the dictionary keeps below an even share leave what they do not need to the others.
    let short: Vec<Option<usize>> =
        texts.iter().map(|&at| max_length(schema, at).filter(|&length| length <= even)).collect();
    let long = short.iter().filter(|length| length.is_none()).count();
    let rest = (room - short.iter().flatten().sum::<usize>()) / long.max(1);
    let share = |(at, short): (FieldIndex, Option<usize>)| {
        let wanted = max_length(schema, at).unwrap_or(rest);
        (at, short.unwrap_or(wanted.min(rest)))
    };
    texts.into_iter().zip(short).map(share).collect()
}

/// The primary key and the unique keys.
fn unique_keys(schema: &TableSchema) -> impl Iterator<Item = &Vec<FieldIndex>> {
    std::iter::once(&schema.primary_key).filter(|key| !key.is_empty()).chain(&schema.unique_keys)
}

/// Whether all values of a type take the same few bytes.
const fn is_fixed(kind: &FieldType) -> bool {
    matches!(
        kind,
        FieldType::Integer { .. }
            | FieldType::Year
            | FieldType::Boolean(_)
            | FieldType::Date(_)
            | FieldType::Time(_)
            | FieldType::Datetime { .. }
    )
}

/// The most characters that the dictionary allows in a field of text.
fn max_length(schema: &TableSchema, at: FieldIndex) -> Option<usize> {
    let field = &schema[at];
    let length = field.constraints.max_length.filter(|_| matches!(field.kind, FieldType::String(_)))?;
    // `VARCHAR(0)` holds nothing but the empty text.
    usize::try_from(length.max(1)).ok()
}

/// The days from 1970-01-01 to a date.
fn days_since_1970(year: i16, month: i8, day: i8) -> i32 {
    date(year, month, day).since(date(1970, 1, 1)).map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use landfall_core::schema::Package;

    use super::*;

    fn schema(fields: &str, keys: &str) -> TableSchema {
        let text = format!("resources: [{{name: t, path: t.csv, schema: {{fields: [{fields}], {keys}}}}}]");
        Package::from_yaml(&text, "t.yaml").unwrap().resources.remove(0).schema
    }

    #[test]
    fn mysql_holds_the_years_1000_to_9999() {
        let limits = mysql_limits(&schema("{name: a, type: date}", ""));
        let text = |micros: i64| {
            let mut text = String::new();
            landfall_core::validate::render::datetime_text(micros, &mut text);
            text
        };
        assert_eq!(limits.dates, Some(-354_285..=2_932_896));
        let datetimes = limits.datetimes.unwrap();
        assert_eq!(text(*datetimes.start()), "1000-01-01T00:00:00Z");
        assert_eq!(text(*datetimes.end()), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn the_texts_of_a_key_share_what_mysql_has_room_for() {
        let of = |fields: &str, keys: &str| mysql_key_characters(&schema(fields, keys));
        let text = |name: &str| format!("{{name: {name}, type: string}}");
        assert_eq!(of(&text("a"), "primaryKey: [a]"), [Some(768)]);
        assert_eq!(of(&text("a"), ""), [None]);
        let three = format!("{}, {}, {{name: i, type: integer}}", text("a"), text("b"));
        assert_eq!(of(&three, "primaryKey: [a, b, i]"), [Some(383), Some(383), None]);
        assert_eq!(of(&three, "uniqueKeys: [[a], [a, b]]"), [Some(384), Some(384), None]);
        let number = format!("{}, {{name: n, type: number}}", text("a"));
        assert_eq!(of(&number, "primaryKey: [a, n]"), [Some(760), None]);
    }

    #[test]
    fn a_text_that_the_dictionary_keeps_short_leaves_room_for_others() {
        let fields = "{name: a, type: string, constraints: {maxLength: 10}}, {name: b, type: string}";
        let schema = schema(fields, "primaryKey: [a, b]");
        assert_eq!(mysql_key_characters(&schema), [Some(10), Some(758)]);
        assert_eq!(mysql_limits(&schema).characters, [(1.into(), 758)]);
    }

    #[test]
    fn a_key_of_postgres_fits_into_a_third_of_a_page() {
        let schema = schema(
            "{name: a, type: string}, {name: i, type: integer}, {name: n, type: number}",
            "primaryKey: [a], uniqueKeys: [[a, i, n]]",
        );
        let bytes: Vec<usize> = postgres_limits(&schema, true).keys.iter().map(|key| key.bytes).collect();
        assert_eq!(bytes, [2681, 2657]);
    }
}
