//! Counts as people read them.

use landfall_engine::{ledger::Counts, plural_noun};

/// Promise 1 as an equation: `1,999 read = 1,929 inserted + 0 updated + 0 unchanged + 70 rejected`.
pub(crate) fn format_equation(counts: Counts) -> String {
    let [read, inserted, updated, unchanged, rejected] =
        [counts.read, counts.inserted, counts.updated, counts.unchanged, counts.rejected].map(group_thousands);
    format!("{read} read = {inserted} inserted + {updated} updated + {unchanged} unchanged + {rejected} rejected")
}

/// `count` with a comma between groups of three digits.
pub(crate) fn group_thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count for a person, with its noun: `1 row`, `1,000 rows`.
pub(crate) fn count_noun(count: u64, noun: &str) -> String {
    format!("{} {}", group_thousands(count), plural_noun(count, noun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 12, 999, 1000, 1_234_567].map(group_thousands), ["0", "12", "999", "1,000", "1,234,567"]);
    }
}
