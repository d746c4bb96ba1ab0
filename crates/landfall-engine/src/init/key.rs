//! Primary keys that the data support.

use landfall_core::schema::Field;

use super::{
    choice::are_mistakes,
    column::ColumnSurvey,
    distinct::{DistinctValues, may_be_key},
    measure::DataMeasures,
    relation::{NameRelation, names_key_of, relate_names},
};

/// With fewer values than this, only a name tells a key.
const LEAST: u64 = 3;
/// With fewer values than this, texts may all differ by accident: only a name, or a foreign key to it, tells a key.
const LEAST_TEXTS: u64 = 10;
/// A field with the name of a key is one, too, if no more than one value in so many occurs before, and that many others do not.
const NAMED_ONE_IN: u64 = 10;
const NAMED_LEAST: u64 = 5;

/// The keys of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KeyCandidates {
    /// The fields of the primary key: none, one or several.
    pub(super) primary: Vec<usize>,
    /// Fields whose values tell records apart together, though nothing but the values says so.
    pub(super) possible: Vec<usize>,
    /// Other fields whose values all differ.
    pub(super) unique: Vec<usize>,
    /// Those among them that foreign keys refer to.
    pub(super) referred: Vec<usize>,
    /// A field that is likely to be the key, with too many values to tell.
    pub(super) unknown: Option<usize>,
    /// A field with the name of a key that is none, since its values are repeated or missing.
    pub(super) spoiled: Option<usize>,
}

impl KeyCandidates {
    /// The field of the primary key, where it is only one.
    pub(super) fn single(&self) -> Option<usize> {
        match self.primary.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }
}

/// Which fields are likely to be keys by their name or place.
pub(super) fn find_likely_keys(table: &str, fields: &[Field]) -> Vec<bool> {
    let likely = |(at, field): (usize, &Field)| at == 0 || names_key_of(&field.name, table);
    fields.iter().enumerate().map(likely).collect()
}

/// The keys of the table called `table`, each of one field. In a `numbered` table, the first column only numbers the records.
pub(super) fn find_keys(
    table: &str,
    fields: &[Field],
    columns: &[ColumnSurvey],
    measured: &DataMeasures,
    numbered: bool,
) -> KeyCandidates {
    let finder = KeyFinder { table, fields, columns, measured };
    let all = || 0..fields.len();
    let named = |at: &usize| names_key_of(&fields[*at].name, table);
    // Numbers of the rows are others as soon as the file is written again.
    let first = Some(0).filter(|&at| !numbered && finder.is_unique(at, Tolerance::Mistakes) && finder.is_key_like(at));
    let primary = all()
        .filter(named)
        .find(|&at| finder.is_unique(at, Tolerance::Mistakes))
        .or_else(|| all().filter(named).find(|&at| finder.is_unique(at, Tolerance::Named)))
        .or_else(|| first.filter(|&at| finder.is_sure(at)));
    let strict = |at: &usize| Some(*at) != primary && finder.is_unique(*at, Tolerance::None);
    let many = |at: &usize| finder.values(*at).is_some_and(|values| values.values > LEAST);
    let unknown = |at: &usize| finder.values(*at).is_some_and(DistinctValues::is_unknown);
    let spoiled = |at: &usize| primary.is_none() && finder.is_spoiled(*at);
    KeyCandidates {
        primary: primary.into_iter().collect(),
        possible: first.filter(|_| primary.is_none()).into_iter().collect(),
        unique: all().filter(|at| strict(at) && many(at)).collect(),
        referred: Vec::new(),
        unknown: all().filter(|at| *at == 0 || named(at)).find(unknown).filter(|_| primary.is_none()),
        spoiled: all().filter(named).find(spoiled),
    }
}

/// How many repeated values a key may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tolerance {
    /// None at all.
    None,
    /// So few that they are likely to be mistakes.
    Mistakes,
    /// A few: the name says that it is a key.
    Named,
}

struct KeyFinder<'t> {
    table: &'t str,
    fields: &'t [Field],
    columns: &'t [ColumnSurvey],
    measured: &'t DataMeasures,
}

impl KeyFinder<'_> {
    fn values(&self, at: usize) -> Option<&DistinctValues> {
        self.measured.fields[at].values.as_ref()
    }

    /// Whether the values of the field at `at` differ and are never missing, save for what is tolerated.
    fn is_unique(&self, at: usize, tolerance: Tolerance) -> bool {
        let Some(values) = self.values(at).filter(|values| values.is_known()) else { return false };
        let (repeated, all) = (values.repeated.count, values.values);
        let fits = match tolerance {
            Tolerance::None => repeated == 0,
            Tolerance::Mistakes => are_mistakes(repeated, all),
            // The same record again changes nothing: a file may have a table twice.
            Tolerance::Named => {
                let only_copies = self.measured.copies == Some(repeated);
                (repeated * NAMED_ONE_IN <= all || only_copies) && all - repeated >= NAMED_LEAST
            }
        };
        may_be_key(&self.fields[at].kind) && self.fields[at].constraints.required && all > 0 && fits
    }

    /// Whether a field without the name of a key looks like one: integers, or text without white space.
    fn is_key_like(&self, at: usize) -> bool {
        let enough = self.values(at).is_some_and(|values| values.values >= LEAST);
        let text = self.fields[at].kind.name() == "string";
        enough && (!text || !self.columns[at].spaced)
    }

    /// Whether a field that looks like a key is one by more than accident.
    fn is_sure(&self, at: usize) -> bool {
        let many = self.values(at).is_some_and(|values| values.values >= LEAST_TEXTS);
        let own = relate_names(&self.fields[at].name, self.table, None) > NameRelation::None;
        let coded = self.columns[at].codes == self.columns[at].filled;
        self.fields[at].kind.name() != "string" || many || own || coded
    }

    /// Whether most values of a field with the name of a key differ.
    fn is_spoiled(&self, at: usize) -> bool {
        let distinct = self.values(at).filter(|values| values.is_known()).map_or(0, |values| values.len());
        let all = self.columns[at].filled + self.columns[at].empty.count;
        names_key_of(&self.fields[at].name, self.table) && distinct >= LEAST && distinct * 10 >= all * 7
    }
}
