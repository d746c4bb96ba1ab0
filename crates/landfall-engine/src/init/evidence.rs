//! What the values and names of a field say about a foreign key, weighed: a wrong foreign key makes a load reject good records, and one that
//! is missing costs a line in the dictionary. So in doubt, it becomes a comment.

use super::{
    ProposedTable,
    choice::are_mistakes,
    foreign::PossibleLink,
    relation::{NameRelation, names_amount, names_key},
};

/// If so few values are among the keys by accident, the values alone show a foreign key.
const UNLIKELY: f64 = 1e-4;
/// The same if all keys occur, which is another accident.
const UNLIKELY_IF_ALL: f64 = 0.02;
/// Without names, a parent whose keys number its rows has at least so many keys, and the child so many values.
const LEAST_KEYS: u64 = 5;
const LEAST_VALUES: u64 = 20;
/// A name that is only alike needs so many different keys, or half of them.
const MANY_KEYS: u64 = 10;
/// If so many values in a hundred are keys, it is worth a comment with the others.
const NEARLY: u64 = 95;

/// What is to become of a possible foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkVerdict {
    /// It is declared.
    Declared,
    /// It is a comment: values and names do not suffice.
    Possible,
    /// Its name suggests it, and its values do not.
    Contradicted,
    /// It is not worth a word.
    None,
}

/// What is known of a possible foreign key, in numbers.
struct LinkEvidence<'l> {
    link: &'l PossibleLink,
    /// Different keys of the parent.
    keys: u64,
    /// Different keys that occur.
    covered: u64,
    /// The chance that the values are keys by accident.
    accident: f64,
    /// Whether the child has a header, and what its field is called.
    name: Option<&'l str>,
    /// Whether the field's values all differ, too, so that the other table might as well refer to this one.
    one_to_one: bool,
}

/// Weighs `link`, a field of the table `child`.
pub(super) fn weigh_link(link: &PossibleLink, child: &ProposedTable, tables: &[ProposedTable]) -> LinkVerdict {
    let Some(keys) = link.parent_keys(tables) else { return LinkVerdict::None };
    let covered = link.covered_count();
    #[expect(clippy::cast_precision_loss, reason = "a rough chance is enough")]
    let accident = keys.accident_odds().powf(covered as f64);
    let name = child.head.first.has_names().then(|| &*child.fields[link.field].name);
    let unique = child.keys.unique.contains(&link.field) || child.keys.single() == Some(link.field);
    let one_to_one = unique && !(link.settled && keys.holds_texts());
    let evidence = LinkEvidence { link, keys: keys.len(), covered, accident, name, one_to_one };
    evidence.judge()
}

impl LinkEvidence<'_> {
    fn judge(&self) -> LinkVerdict {
        let (values, orphans) = (self.link.values, self.link.orphans.count);
        let related = self.link.relation > NameRelation::None;
        if values == 0 {
            return LinkVerdict::None;
        }
        if are_mistakes(orphans, values) {
            return match (self.is_convincing(), self.is_notable()) {
                (true, _) => LinkVerdict::Declared,
                (false, true) => LinkVerdict::Possible,
                (false, false) => LinkVerdict::None,
            };
        }
        let nearly = (values - orphans) * 100 >= values * NEARLY && (related || self.accident < UNLIKELY);
        match (nearly, self.link.relation == NameRelation::Same && self.link.primary) {
            (true, _) => LinkVerdict::Possible,
            (false, true) => LinkVerdict::Contradicted,
            (false, false) => LinkVerdict::None,
        }
    }

    /// Half of the parent's keys occur, or as many as can be told apart from accidents.
    const fn covers_much(&self) -> bool {
        self.covered * 2 >= self.keys || self.covered >= MANY_KEYS
    }

    /// Whether the values, which are keys of the parent, may be declared so.
    fn is_convincing(&self) -> bool {
        match (self.link.relation, self.link.primary) {
            (NameRelation::Same, true) => true,
            // The same values in both: which of them is the parent?
            (NameRelation::Same | NameRelation::Alike, false) => {
                !self.one_to_one && self.covers_much() && !self.link.spaced
            }
            (NameRelation::Alike, true) => self.covers_much() || self.accident < UNLIKELY,
            (NameRelation::None, false) => false,
            (NameRelation::None, true) => self.is_shown_by_values(),
        }
    }

    /// Whether the values suffice without a name.
    fn is_shown_by_values(&self) -> bool {
        let amount = self.name.is_some_and(names_amount);
        let all = self.covered == self.keys && self.accident < UNLIKELY_IF_ALL;
        let unlikely = (self.accident < UNLIKELY || all) && self.covered >= 3;
        // Rows that are numbered hold every small number: only a file without names leaves no other way to tell.
        let numbered = self.name.is_none() && self.keys >= LEAST_KEYS && self.link.values >= LEAST_VALUES;
        !amount && !self.one_to_one && (unlikely || (numbered && self.covered * 2 >= self.keys))
    }

    /// Whether values that do not convince are worth a comment.
    fn is_notable(&self) -> bool {
        let amount = self.name.is_some_and(names_amount);
        let enough = self.covered >= 3 && self.covered * 2 >= self.keys;
        let named = self.link.relation > NameRelation::None || self.name.is_none_or(names_key) || self.accident < 0.01;
        enough && named && !amount && !self.one_to_one
    }
}
