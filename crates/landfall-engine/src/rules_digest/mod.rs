//! The digest of the rules that a load runs under. It stands in the ledger, so that a load under other rules is known to be another.

mod legacy;
#[cfg(test)]
mod tests;

use landfall_core::schema::{Dialect, Field, Resource, TableSchema, to_standard};
use serde_json::{Map, Value, json};

/// The digest of a resource's rules, as the ledger has it.
///
/// It is the BLAKE3 of canonical JSON: the standard's own properties, without those that have their default and without what only people
/// read, and with the members of each object in order. So neither the names of our types nor an option that is new changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RulesDigest {
    /// As this version writes it.
    pub(crate) text: String,
    /// As version 0.1.0 wrote it.
    legacy: String,
}

/// What a digest of this form begins with. A change of the form needs another one, and the old form below.
const VERSION: &str = "2:";

/// Hexadecimal digits of a digest.
const DIGITS: usize = 32;

impl RulesDigest {
    /// The digest of the rules of `resource`: its fields, keys, dialect and encoding.
    pub(crate) fn from_resource(resource: &Resource) -> Self {
        Self {
            text: format!("{VERSION}{}", hash(&canonical_rules(resource).to_string())),
            legacy: legacy::legacy_digest(resource),
        }
    }

    /// Whether a load whose ledger entry has the digest `stored` ran under these rules.
    pub(crate) fn matches_stored(&self, stored: &str) -> bool {
        stored == self.text || stored == self.legacy
    }
}

fn hash(text: &str) -> String {
    // Half of a BLAKE3 is more than enough to tell rules apart, and keeps the ledger's rows short.
    blake3::hash(text.as_bytes()).to_hex()[..DIGITS].to_owned()
}

/// The rules of `resource` as canonical JSON.
fn canonical_rules(resource: &Resource) -> Value {
    let Resource { schema, dialect, encoding, .. } = resource;
    let fields = schema.fields.iter().map(without_descriptions).collect();
    let schema = TableSchema { fields, ..schema.clone() };
    sort_members(json!({
        "dialect": differing_properties(to_standard::write_dialect(dialect), &to_standard::write_dialect(&Dialect::default())),
        "encoding": to_standard::encoding_label(*encoding),
        "schema": to_standard::write_schema(&schema),
    }))
}

fn without_descriptions(field: &Field) -> Field {
    Field { title: None, description: None, ..field.clone() }
}

/// The members of `object` that `default` does not have with the same value.
fn differing_properties(object: Value, default: &Value) -> Value {
    let Value::Object(members) = object else { return object };
    members.into_iter().filter(|(name, value)| default.get(name) != Some(value)).collect::<Map<_, _>>().into()
}

/// `value` with the members of each object in the order of their names.
fn sort_members(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sort_members(value))).collect();
            // serde_json keeps the order of insertion here (`preserve_order`), on which a digest must not depend.
            members.sort_by(|one, other| one.0.cmp(&other.0));
            members.into_iter().collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(sort_members).collect(),
        other => other,
    }
}
