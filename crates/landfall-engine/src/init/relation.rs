//! How the names of fields and tables fit each other: in several languages, with and without underscores.

use landfall_core::schema::fold_case;

use super::{
    names::to_snake_case,
    relation_words::{AMOUNTS, ENDINGS, GENERAL, INFLECTIONS, KEY_WORDS, PARENTS, PARTS, WORLD_KEYS},
};

/// How sure a name makes it that a field refers to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameRelation {
    /// The name says nothing.
    None,
    /// The names are alike: `kundennr` and `kunden`, `dept` and `departments`.
    Alike,
    /// The name names the table or its key: `department_id` and `departments`, `sku` and `sku`.
    Same,
}

/// `text` in lower case without the marks of letters, as far as they are common: `Größe` is `grosse`.
fn fold_letters(text: &str) -> String {
    let plain = |character: char| match character {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ą' => "a",
        'é' | 'è' | 'ê' | 'ë' | 'ę' => "e",
        'í' | 'ì' | 'î' | 'ï' | 'ı' => "i",
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' => "o",
        'ú' | 'ù' | 'û' | 'ü' => "u",
        'ç' | 'ć' | 'č' => "c",
        'ñ' | 'ń' => "n",
        'ś' | 'š' | 'ş' => "s",
        'ź' | 'ż' | 'ž' => "z",
        'ł' => "l",
        'ğ' => "g",
        'ý' => "y",
        'ß' => "ss",
        _ => "",
    };
    let mut out = String::new();
    for character in fold_case(text).chars() {
        match plain(character) {
            "" => out.push(character),
            letters => out.push_str(letters),
        }
    }
    out
}

/// A name in words, as what it names and whether it calls that a key.
#[derive(Debug, PartialEq, Eq)]
struct ParsedName {
    /// What is named, without the word for a key; empty where there is nothing else.
    subject: String,
    /// Whether a word for a key was there.
    key: bool,
}

impl ParsedName {
    fn new(field: &str) -> Self {
        let name = fold_letters(&to_snake_case(field));
        let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
        let is_key = |word: &&str| KEY_WORDS.contains(word);
        let rest = match words.as_slice() {
            [rest @ .., last] if is_key(last) => Some(rest),
            [first, rest @ ..] if is_key(first) => Some(rest),
            _ => None,
        };
        // "id_de_cliente" names a client.
        let is_particle = |word: &&&str| !matches!(**word, "de" | "do" | "da" | "del" | "du" | "der" | "des" | "of");
        if let Some(rest) = rest {
            let subject: Vec<&str> = rest.iter().filter(is_particle).copied().collect();
            return Self { subject: subject.join("_"), key: true };
        }
        match strip_key_word(&name) {
            Some(subject) => Self { subject: subject.to_owned(), key: true },
            None => Self { subject: name, key: false },
        }
    }
}

/// `name`, one word, without the word for a key at its end or beginning: `kundennr`, `idcliente`.
fn strip_key_word(name: &str) -> Option<&str> {
    let enough = |rest: &&str| rest.len() >= 3;
    let endings = KEY_WORDS[..ENDINGS].iter();
    let ending = endings.filter_map(|word| name.strip_suffix(word)).filter(enough).min_by_key(|rest| rest.len());
    let beginning = || ["id", "cod"].iter().filter_map(|word| name.strip_prefix(word)).find(enough);
    ending.or_else(beginning).map(|rest| rest.trim_matches('_'))
}

/// Whether two nouns are one, but for their inflection.
fn are_same_noun(one: &str, other: &str) -> bool {
    let common: usize = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let (one_end, other_end) = (&one[common..], &other[common..]);
    let inflected = |end: &str| INFLECTIONS.contains(&end);
    let stem = common >= 5 && one_end.len() <= 2 && other_end.len() <= 2;
    one == other || stem || (common >= 3 && inflected(one_end) && inflected(other_end))
}

/// Whether `short` abbreviates `long`: the same first letter, and all letters in their order.
fn abbreviates(short: &str, long: &str) -> bool {
    let mut letters = long.chars();
    short.len() >= 3
        && short.len() < long.len()
        && short.chars().next() == long.chars().next()
        && short.chars().all(|letter| letters.any(|next| next == letter))
        && (long.starts_with(short) || short.len() * 3 <= long.len() + 3)
}

/// How the field called `field` relates to the table called `table`, whose key is called `key` where it has a name.
pub(super) fn relate_names(field: &str, table: &str, key: Option<&str>) -> NameRelation {
    let (parsed, table) = (ParsedName::new(field), fold_letters(&to_snake_case(table)));
    let same_key = key.is_some_and(|key| fold_letters(&to_snake_case(key)) == fold_letters(&to_snake_case(field)));
    if same_key && !is_general_name(field) {
        return NameRelation::Same;
    }
    let subject = parsed.subject.as_str();
    if subject.len() < 2 || table.is_empty() || GENERAL.contains(&subject) {
        return acronym_relation(field, &table);
    }
    if names_amount(field) {
        return NameRelation::None;
    }
    let nouns =
        [table.as_str(), table.rsplit('_').next().unwrap_or_default(), table.split('_').next().unwrap_or_default()];
    let last = subject.rsplit('_').next().unwrap_or_default();
    if nouns.iter().any(|noun| are_same_noun(subject, noun) || are_same_noun(last, noun)) {
        return NameRelation::Same;
    }
    let inside = |noun: &str| noun.len() >= 4 && are_same_noun_at_end(subject, noun);
    let near = |noun: &str| subject.len() >= 5 && noun.len() >= 5 && strsim::levenshtein(subject, noun) <= 1;
    let alike = |noun: &str| abbreviates(last, noun) || abbreviates(noun, last) || inside(noun) || near(noun);
    if nouns.iter().any(|noun| alike(noun)) { NameRelation::Alike } else { acronym_relation(field, &table) }
}

/// `gid` for `groups`.
fn acronym_relation(field: &str, table: &str) -> NameRelation {
    let name = fold_letters(&to_snake_case(field)).replace('_', "");
    let first = name.strip_suffix("id").or_else(|| name.strip_suffix("nr"));
    match first.filter(|first| first.len() == 1 && table.starts_with(*first)) {
        Some(_) => NameRelation::Alike,
        None => NameRelation::None,
    }
}

/// Whether a compound such as `heimteam` ends with the noun of a table.
fn are_same_noun_at_end(subject: &str, noun: &str) -> bool {
    let starts = subject.char_indices().map(|(at, _)| at).filter(|at| *at >= 3 && subject.len() - at >= 4);
    starts.into_iter().any(|at| are_same_noun(&subject[at..], noun))
}

/// Whether many tables may have a field of this name, each for something of its own.
pub(super) fn is_general_name(field: &str) -> bool {
    let name = fold_letters(&to_snake_case(field));
    let registered = name.starts_with("matricul");
    GENERAL.contains(&name.as_str())
        || (KEY_WORDS.contains(&name.as_str()) && !registered)
        || name.starts_with("column")
}

/// Whether `text` labels columns more often than it is a value: `Nazwa`, `id`, `ISBN`.
pub(super) fn is_label_word(text: &str) -> bool {
    let name = fold_letters(&to_snake_case(text));
    [&GENERAL[..], &KEY_WORDS[..], &WORLD_KEYS[..]].iter().any(|words| words.contains(&name.as_str()))
}

/// Whether a field of this name counts or measures something.
pub(super) fn names_amount(field: &str) -> bool {
    fold_letters(&to_snake_case(field)).split('_').any(|word| AMOUNTS.contains(&word))
}

/// Whether a field is called a key of anything: `customer_ref`, `idcliente`, `isbn`.
pub(super) fn names_key(field: &str) -> bool {
    ParsedName::new(field).key || WORLD_KEYS.contains(&fold_letters(field).as_str())
}

/// Whether a field of this name in `table` is likely to be its key: `id`, `code`, `department_id` in `departments`.
pub(super) fn names_key_of(field: &str, table: &str) -> bool {
    let parsed = ParsedName::new(field);
    let own = || relate_names(field, table, None) > NameRelation::None;
    WORLD_KEYS.contains(&fold_letters(field).as_str()) || (parsed.key && (parsed.subject.is_empty() || own()))
}

/// Whether a field of this name is a part of what tells records apart: a key, a position, or a time.
pub(super) fn names_key_part(field: &str) -> bool {
    let name = fold_letters(&to_snake_case(field));
    names_key(field) || name.split('_').any(|word| PARTS.contains(&word))
}

/// Whether a field of this name may hold the parent row of its own table.
pub(super) fn names_parent(field: &str) -> bool {
    PARENTS.contains(&ParsedName::new(field).subject.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_refers_to_the_table_that_it_names() {
        for (field, table) in [
            ("department_id", "departments"),
            ("DepartmentId", "departments"),
            ("job", "jobs"),
            ("home_country_code", "countries"),
            ("employee_id", "hired_employees"),
            ("Kundennr", "kunden"),
            ("kunden_nr", "Kunde"),
            ("id_cliente", "clientes"),
            ("cod_producto", "productos"),
            ("numer_klienta", "klienci"),
            ("equipo", "equipos"),
            ("id_de_cliente", "clientes"),
            ("schueler", "schueler"),
        ] {
            assert_eq!(relate_names(field, table, Some("id")), NameRelation::Same, "{field} {table}");
        }
        assert_eq!(relate_names("sku", "artikel", Some("SKU")), NameRelation::Same);
        assert_eq!(relate_names("gid", "gruppen", Some("gid")), NameRelation::Same);
    }

    #[test]
    fn short_names_and_compounds_are_alike() {
        for (field, table) in
            [("dept", "departments"), ("heimteam", "teams"), ("gid", "groups"), ("prod_id", "products")]
        {
            assert_eq!(relate_names(field, table, Some("id")), NameRelation::Alike, "{field} {table}");
        }
    }

    #[test]
    fn other_names_say_nothing() {
        for (field, table) in [
            ("id", "departments"),
            ("name", "departments"),
            ("code", "codes"),
            ("job_title", "jobs"),
            ("team", "equipos"),
            ("price", "products"),
            ("city", "customers"),
            ("age", "agencies"),
        ] {
            assert_eq!(relate_names(field, table, Some("id")), NameRelation::None, "{field} {table}");
        }
    }

    #[test]
    fn a_key_is_named_so() {
        for (field, table) in [
            ("id", "jobs"),
            ("ID", "jobs"),
            ("job_id", "jobs"),
            ("country code", "countries"),
            ("Kundennr", "kunden"),
            ("codigo", "equipos"),
            ("ISBN", "books"),
            ("Nr", "rechnungen"),
        ] {
            assert!(names_key_of(field, table), "{field}");
        }
        for (field, table) in [("job_id", "employees"), ("name", "jobs"), ("Ort", "kunden")] {
            assert!(!names_key_of(field, table), "{field}");
        }
    }

    #[test]
    fn amounts_and_parts_of_keys_are_known() {
        assert!(names_amount("Menge") && names_amount("total_price") && !names_amount("team"));
        assert!(
            names_key_part("order_id") && names_key_part("Pos") && names_key_part("Datum") && !names_key_part("remark")
        );
        assert!(names_parent("manager_id") && names_parent("Vorgesetzter") && !names_parent("team"));
    }
}
