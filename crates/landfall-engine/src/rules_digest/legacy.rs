//! The digest that version 0.1.0 wrote: of the `Debug` output of its types. It is read for one release, so that files which that version
//! has loaded are not loaded again. Remove this file with the release after next.

use landfall_core::schema::{Field, Resource};

use super::{hash, without_descriptions};

/// Members that came later, as `Debug` writes them when they have their default. A load under another value cannot have been one of 0.1.0.
const LATER: [&str; 7] = [
    ", zero_decimals: false",
    ", ambiguous: Reject",
    ", ragged: Reject",
    ", stray_quotes: Keep",
    ", quoted_missing: true",
    ", trim: false",
    ", header_match: Labels",
];

/// The digest of the rules of `resource` as version 0.1.0 wrote it.
pub(super) fn legacy_digest(resource: &Resource) -> String {
    let Resource { schema, dialect, encoding, .. } = resource;
    let fields: Vec<Field> = schema.fields.iter().map(without_descriptions).collect();
    let keys = (&schema.primary_key, &schema.unique_keys, &schema.foreign_keys, schema.fields_match);
    let text = format!("{fields:?}{keys:?}{dialect:?}{encoding:?}");
    hash(&LATER.iter().fold(text, |text, member| text.replace(member, "")))
}
