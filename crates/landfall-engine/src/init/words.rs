//! Words that people write into cells, in several languages: for missing values, for yes and no, and for sums.

use landfall_core::schema::fold_case;

/// Words for a missing value, in lower case. None of them is a value of any type but text.
const MISSING: [&str; 34] = [
    "n/a",
    "na",
    "n.a.",
    "n.a",
    "#n/a",
    "#na",
    "<na>",
    "null",
    "(null)",
    "none",
    "nil",
    "nan",
    "-nan",
    "-",
    "--",
    "---",
    "–",
    "—",
    ".",
    "..",
    "...",
    "?",
    "missing",
    "unknown",
    "k.a.",
    "k. a.",
    "keine angabe",
    "s/d",
    "s.d.",
    "n/d",
    "n.d.",
    "nd",
    "b.d.",
    "brak",
];

/// Words for true and false, in lower case.
const PAIRS: [(&str, &str); 33] = [
    ("true", "false"),
    ("yes", "no"),
    ("y", "n"),
    ("t", "f"),
    ("t", "n"),
    ("on", "off"),
    ("ja", "nein"),
    ("j", "n"),
    ("wahr", "falsch"),
    ("an", "aus"),
    ("oui", "non"),
    ("o", "n"),
    ("vrai", "faux"),
    ("v", "f"),
    ("sí", "no"),
    ("si", "no"),
    ("s", "n"),
    ("verdadero", "falso"),
    ("sì", "no"),
    ("vero", "falso"),
    ("sim", "não"),
    ("sim", "nao"),
    ("verdadeiro", "falso"),
    ("tak", "nie"),
    ("prawda", "fałsz"),
    ("ja", "nee"),
    ("ja", "nej"),
    ("ano", "ne"),
    ("evet", "hayır"),
    ("evet", "hayir"),
    ("kyllä", "ei"),
    ("igen", "nem"),
    ("да", "нет"),
];

/// First words of a record that sums up the ones before it.
const SUMS: [&str; 19] = [
    "total",
    "totals",
    "grand total",
    "subtotal",
    "sum",
    "summe",
    "gesamt",
    "gesamtsumme",
    "insgesamt",
    "suma",
    "suma total",
    "total general",
    "somme",
    "total général",
    "totale",
    "soma",
    "razem",
    "ogółem",
    "toplam",
];

/// The months as words that no pattern reads, by their first letters.
const MONTHS: [&str; 33] = [
    "januar",
    "februar",
    "märz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
    "janvier",
    "février",
    "mars",
    "avril",
    "juin",
    "juillet",
    "août",
    "janeiro",
    "fevereiro",
    "março",
    "stycz",
    "lut",
    "sierp",
];

/// Whether `text` stands for a missing value, wherever it is no text that means itself.
pub(super) fn is_missing_word(text: &str) -> bool {
    text.len() <= 14 && MISSING.contains(&fold_case(text).as_str())
}

/// Whether `word`, one for a missing value, is also a value of numbers.
pub(super) fn is_not_a_number(word: &str) -> bool {
    word.eq_ignore_ascii_case("nan")
}

/// The words for true and those for false among `values`, where all are such words of one language and both occur.
pub(super) fn split_boolean_words<'v>(values: &[&'v str]) -> Option<(Vec<&'v str>, Vec<&'v str>)> {
    let folded: Vec<String> = values.iter().map(|value| fold_case(value)).collect();
    let (yes, no) = PAIRS.iter().find(|(yes, no)| {
        let both = folded.iter().any(|word| word == yes) && folded.iter().any(|word| word == no);
        both && folded.iter().all(|word| word == yes || word == no)
    })?;
    let words = |wanted: &str| {
        values.iter().zip(&folded).filter(|(_, word)| *word == wanted).map(|(value, _)| *value).collect()
    };
    Some((words(yes), words(no)))
}

/// Whether `text` begins a record of sums.
pub(super) fn is_sum_word(text: &str) -> bool {
    let word = fold_case(text.trim().trim_end_matches([':', '.']));
    SUMS.contains(&word.as_str())
}

/// Whether `text` has the name of a month that no pattern reads, and a number.
pub(super) fn names_foreign_month(text: &str) -> bool {
    let words = fold_case(text);
    text.len() <= 40
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && words.split(|character: char| !character.is_alphabetic()).any(|word| MONTHS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_several_languages_are_known() {
        assert!(is_missing_word("N/A") && is_missing_word("K.A.") && is_missing_word("NaN"));
        assert!(!is_missing_word("0") && !is_missing_word("no") && !is_missing_word("Nantes"));
        assert_eq!(split_boolean_words(&["Ja", "nein", "JA"]), Some((vec!["Ja", "JA"], vec!["nein"])));
        assert_eq!(split_boolean_words(&["Sí", "No"]), Some((vec!["Sí"], vec!["No"])));
        assert_eq!(split_boolean_words(&["N"]), None, "one word says nothing of the other");
        assert_eq!(split_boolean_words(&["M", "F"]), None);
        assert!(is_sum_word("Summe:") && is_sum_word("Total") && !is_sum_word("Totale Finsternis"));
        assert!(
            names_foreign_month("3. März 2024")
                && !names_foreign_month("Mars Bar")
                && !names_foreign_month("3 March 2024")
        );
    }
}
