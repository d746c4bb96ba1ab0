//! Nouns after a count.

/// A count with its noun, which is given in the singular: `1 row`, `2 rows`, `3 discrepancies`, `4 batches`.
#[must_use]
pub fn count_noun(count: u64, noun: &str) -> String {
    format!("{count} {}", plural_noun(count, noun))
}

/// `noun` as it stands after `count`.
#[must_use]
pub fn plural_noun(count: u64, noun: &str) -> String {
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match stem {
        _ if count == 1 => noun.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None if noun.ends_with(['s', 'x']) || noun.ends_with("ch") => format!("{noun}es"),
        None => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_told_in_the_singular() {
        let told =
            ["row", "discrepancy", "batch", "key", "index"].map(|noun| (count_noun(1, noun), count_noun(0, noun)));
        let wanted = [
            ("1 row", "0 rows"),
            ("1 discrepancy", "0 discrepancies"),
            ("1 batch", "0 batches"),
            ("1 key", "0 keys"),
            ("1 index", "0 indexes"),
        ];
        assert_eq!(told, wanted.map(|(one, none)| (one.to_owned(), none.to_owned())));
    }
}
