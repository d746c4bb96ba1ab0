//! Primary keys that the data support.

use landfall_core::schema::Field;

use super::{
    choice::are_mistakes, distinct::may_be_key, measure::DataMeasures, names::names_key_of, survey::ColumnSurvey,
};

/// With fewer values than this, only a name tells a key.
const LEAST: u64 = 3;

/// The keys of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KeyCandidates {
    /// The field of the primary key.
    pub(super) primary: Option<usize>,
    /// Other fields whose values all differ.
    pub(super) unique: Vec<usize>,
    /// A field that is likely to be the key, with too many values to tell.
    pub(super) unknown: Option<usize>,
}

/// Which fields are likely to be keys by their name or place.
pub(super) fn find_likely_keys(table: &str, fields: &[Field]) -> Vec<bool> {
    let likely = |(at, field): (usize, &Field)| at == 0 || names_key_of(&field.name, table);
    fields.iter().enumerate().map(likely).collect()
}

/// The keys of the table called `table`.
pub(super) fn find(table: &str, fields: &[Field], columns: &[ColumnSurvey], measured: &DataMeasures) -> KeyCandidates {
    let named = |at: &usize| names_key_of(&fields[*at].name, table);
    let unique = |at: &usize| has_unique_values(*at, fields, measured, true);
    let all = || 0..fields.len();
    let first = || Some(0).filter(|at| unique(at) && is_key_like(*at, fields, columns, measured));
    let primary = all().filter(named).find(unique).or_else(first);
    let strict = |at: &usize| Some(*at) != primary && has_unique_values(*at, fields, measured, false);
    let many = |at: &usize| measured.fields[*at].values.as_ref().is_some_and(|values| values.values > LEAST);
    let unknown =
        |at: &usize| measured.fields[*at].values.as_ref().is_some_and(super::distinct::DistinctValues::is_unknown);
    KeyCandidates {
        primary,
        unique: all().filter(|at| strict(at) && many(at)).collect(),
        unknown: all().filter(|at| *at == 0 || named(at)).find(unknown).filter(|_| primary.is_none()),
    }
}

/// Whether the values of the field at `at` differ and are never missing; save for mistakes, where those are `tolerated`.
fn has_unique_values(at: usize, fields: &[Field], measured: &DataMeasures, tolerated: bool) -> bool {
    let Some(values) = measured.fields[at].values.as_ref().filter(|values| values.is_known()) else { return false };
    let repeated = values.repeated.count;
    let fits = if tolerated { are_mistakes(repeated, values.values) } else { repeated == 0 };
    may_be_key(&fields[at].kind) && fields[at].constraints.required && values.values > 0 && fits
}

/// Whether a field without the name of a key looks like one: integers, or text without white space.
fn is_key_like(at: usize, fields: &[Field], columns: &[ColumnSurvey], measured: &DataMeasures) -> bool {
    let enough = measured.fields[at].values.as_ref().is_some_and(|values| values.values >= LEAST);
    let text = fields[at].kind.name() == "string";
    enough && (!text || !columns[at].spaced)
}
