//! The dictionary that a set brings along: what rebuilds its tables where there is no project any more.

use serde_json::{Value, json};

use super::{Manifest, set_file_name};

/// A data package with the tables of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct SetDictionary {
    /// The descriptor.
    pub package: Value,
    /// What it lacks of what the tables were under, as sentences.
    pub notes: Vec<String>,
}

/// The data package of the tables of `manifest`: their fields, constraints and keys, as they were. A set keeps no dialects, and names no
/// files: each table's path is that of a CSV file of its name.
#[must_use]
pub fn restore_dictionary(manifest: &Manifest) -> SetDictionary {
    let mut notes = Vec::new();
    let resource = |entry: &super::TableEntry| {
        let mut schema = entry.schema.clone();
        if let Some(keys) = schema.get_mut("foreignKeys").and_then(Value::as_array_mut) {
            keys.retain(|key| {
                let parent = key["reference"]["resource"].as_str().unwrap_or_default();
                let kept = parent.is_empty() || manifest.find_table(parent).is_some();
                if !kept {
                    notes.push(format!(
                        "{}: its foreign key to {parent} is left out, since the set has no table {parent}",
                        entry.table
                    ));
                }
                kept
            });
            if keys.is_empty() {
                schema.as_object_mut().and_then(|schema| schema.remove("foreignKeys"));
            }
        }
        let path = set_file_name(&entry.table).replace(".avro", ".csv");
        json!({"name": entry.table, "path": path, "schema": schema})
    };
    let resources: Vec<Value> = manifest.tables.iter().map(resource).collect();
    SetDictionary { package: json!({"resources": resources}), notes }
}
