//! `object`, `array` and `geojson`: JSON, kept as its text.

use std::{cmp::Ordering, collections::BTreeMap};

use arrow_schema::DataType;
use serde_json::value::RawValue;

use super::{
    column::{CellReader, TextColumn},
    json,
    problem::{CellFault, FORM},
};
use crate::{decode::json::JsonKind, schema::GeoFormat};

/// Reads `object` or `array`.
#[derive(Debug)]
pub(super) struct JsonReader {
    bracket: char,
}

impl JsonReader {
    pub(super) const OBJECT: Self = Self { bracket: '{' };
    pub(super) const ARRAY: Self = Self { bracket: '[' };
}

impl CellReader for JsonReader {
    type Stored = TextColumn;

    const OWN_EQUALITY: bool = true;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<&'a str, CellFault> {
        json::check_json(text, self.bracket).map(|()| text)
    }

    fn json_kinds(&self) -> &[JsonKind] {
        if self.bracket == '[' { &[JsonKind::Array] } else { &[JsonKind::Object] }
    }

    fn compare_values(&self, left: &str, right: &str) -> Option<Ordering> {
        json::are_equal_json(left, right).then_some(Ordering::Equal)
    }

    fn value_length(&self, text: &str) -> Option<(u64, &'static str)> {
        if self.bracket == '[' {
            json::array_items(text).map(|items| (items.len() as u64, "item"))
        } else {
            json::object_members(text).map(|members| (members.len() as u64, "member"))
        }
    }

    fn value_noun(&self) -> &'static str {
        if self.bracket == '[' { "a JSON array" } else { "a JSON object" }
    }

    fn mend_hint(&self) -> String {
        let example = if self.bracket == '[' { "[1, 2]" } else { "{\"a\": 1}" };
        format!("write it like {example}")
    }
}

/// Reads `geojson`: the outermost object is checked, coordinates are not.
#[derive(Debug)]
pub(super) struct GeojsonReader {
    format: GeoFormat,
}

impl GeojsonReader {
    pub(super) fn new(format: GeoFormat) -> Self {
        Self { format }
    }

    /// The members that an object of type `name` must have, with the characters that their values may start with; none
    /// where there is no such type.
    fn required_members(&self, name: &str) -> Option<&'static [(&'static str, &'static str)]> {
        // RFC 7946: a Feature has both members even if they are null, hence the `n`.
        Some(match (self.format, name) {
            (
                GeoFormat::Default,
                "Point" | "MultiPoint" | "LineString" | "MultiLineString" | "Polygon" | "MultiPolygon",
            ) => &[("coordinates", "[")],
            (GeoFormat::Default, "GeometryCollection") => &[("geometries", "[")],
            (GeoFormat::Default, "Feature") => &[("geometry", "{n"), ("properties", "{n")],
            (GeoFormat::Default, "FeatureCollection") => &[("features", "[")],
            (GeoFormat::Topojson, "Topology") => &[("objects", "{"), ("arcs", "[")],
            _ => return None,
        })
    }

    fn check_members(&self, found: &BTreeMap<String, &RawValue>) -> Result<(), CellFault> {
        let name = found.get("type").copied().and_then(json::string_value).ok_or(CellFault::Borrowed("no type"))?;
        let required = self
            .required_members(&name)
            .ok_or_else(|| CellFault::from(format!("type {}", super::problem::quote_shortened(&name))))?;
        for (member, starts) in required {
            // The check above has seen valid JSON, so the first character tells the kind of a value.
            let sound = found.get(*member).is_some_and(|value| value.get().starts_with(|c| starts.contains(c)));
            if !sound {
                return Err(format!("no {member} as a {name} has them").into());
            }
        }
        Ok(())
    }
}

impl CellReader for GeojsonReader {
    type Stored = TextColumn;

    const OWN_EQUALITY: bool = true;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<&'a str, CellFault> {
        json::check_json(text, '{')?;
        self.check_members(&json::object_members(text).ok_or(FORM)?)?;
        Ok(text)
    }

    fn json_kinds(&self) -> &[JsonKind] {
        &[JsonKind::Object]
    }

    fn compare_values(&self, left: &str, right: &str) -> Option<Ordering> {
        json::are_equal_json(left, right).then_some(Ordering::Equal)
    }

    fn value_noun(&self) -> &'static str {
        match self.format {
            GeoFormat::Default => "GeoJSON",
            GeoFormat::Topojson => "TopoJSON",
        }
    }

    fn mend_hint(&self) -> String {
        let example = match self.format {
            GeoFormat::Default => r#"{"type": "Point", "coordinates": [90.5, 45.5]}"#,
            GeoFormat::Topojson => r#"{"type": "Topology", "objects": {}, "arcs": []}"#,
        };
        format!("write it like {example}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalar::tests::text_of;
    use crate::schema::{FieldType, GeoFormat};

    fn check(kind: &FieldType, good: &[&str], bad: &[&str]) {
        good.iter().for_each(|text| assert_eq!(text_of(kind, text).as_deref(), Some(*text)));
        bad.iter().for_each(|text| assert_eq!(text_of(kind, text), None, "{text}"));
    }

    #[test]
    fn arrays_and_objects() {
        check(&FieldType::Array, &["[]", " [1, 1e999, \"ä\"] "], &["{}", "[1,", "[1,NaN]", "1", "[1] x", "x"]);
        check(&FieldType::Object, &["{}", r#"{"a":1,"a":2}"#], &["[]", "{", "{'a':1}", "null"]);
    }

    #[test]
    fn geojson() {
        let good = [
            r#"{"type":"Point","coordinates":[1,2]}"#,
            r#"{"type":"Feature","geometry":null,"properties":null}"#,
            r#"{"features":[],"type":"FeatureCollection"}"#,
        ];
        let bad = [
            r#"{"type":"Point"}"#,
            r#"{"type":"X"}"#,
            "{}",
            "[]",
            r#"{"type":1}"#,
            r#"{"type":"Topology","objects":{},"arcs":[]}"#,
        ];
        check(&FieldType::Geojson(GeoFormat::Default), &good, &bad);
        let good = [r#"{"type":"Topology","objects":{},"arcs":[]}"#];
        check(
            &FieldType::Geojson(GeoFormat::Topojson),
            &good,
            &[r#"{"type":"Topology"}"#, r#"{"type":"Point","coordinates":[1,2]}"#],
        );
    }
}
