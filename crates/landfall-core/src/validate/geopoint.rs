//! `geopoint`: longitude and latitude, stored as JSON text `[lon,lat]` with their digits.

use std::cmp::Ordering;

use arrow_schema::DataType;
use serde_json::value::RawValue;

use super::{
    column::{CellReader, TextColumn},
    decimal, json,
    problem::{CellFault, FORM},
};
use crate::{decode::json::JsonKind, schema::GeopointFormat};

/// Reads `geopoint`.
#[derive(Debug)]
pub(super) struct GeopointReader {
    format: GeopointFormat,
}

impl GeopointReader {
    pub(super) fn new(format: GeopointFormat) -> Self {
        Self { format }
    }

    /// The texts of longitude and latitude.
    fn split_coordinates(&self, text: &str) -> Result<(String, String), CellFault> {
        let parts = match self.format {
            GeopointFormat::Default => {
                text.split_once(',').map(|(lon, lat)| (lon.trim().to_owned(), lat.trim().to_owned()))
            }
            GeopointFormat::Array => {
                json::check_json(text, '[')?;
                json::array_items(text).and_then(|items| match items[..] {
                    [lon, lat] => Some((number_text(lon)?, number_text(lat)?)),
                    _ => None,
                })
            }
            GeopointFormat::Object => {
                json::check_json(text, '{')?;
                json::object_members(text)
                    // A third member would be lost in the stored pair.
                    .filter(|members| members.len() == 2)
                    .and_then(|members| Some((number_text(members.get("lon")?)?, number_text(members.get("lat")?)?)))
            }
        };
        parts.ok_or(FORM)
    }
}

/// The text of a JSON number, which may also stand in quotes.
fn number_text(raw: &RawValue) -> Option<String> {
    // The reference validator takes coordinates in quotes as well.
    if raw.get().starts_with('"') { json::string_value(raw) } else { Some(raw.get().to_owned()) }
}

/// Writes a coordinate that is within `limit` degrees of zero.
fn push(out: &mut String, text: &str, limit: &str, name: &str) -> Result<(), CellFault> {
    let start = out.len();
    if !decimal::write_canonical(text, out) {
        return Err(FORM);
    }
    // As text, since a float would round 180.0000000000000000001 to 180 and let it pass.
    let magnitude = out[start..].trim_start_matches('-');
    match decimal::compare_numbers(magnitude, limit) {
        Some(Ordering::Less | Ordering::Equal) => Ok(()),
        Some(Ordering::Greater) => Err(format!("{name} beyond -{limit} to {limit}").into()),
        // NaN and INF are numbers, but no places.
        None => Err(FORM),
    }
}

impl CellReader for GeopointReader {
    type Stored = TextColumn;

    // The stored texts keep their digits: `[1.0,2]` and `[1,2]` are one point.
    const OWN_EQUALITY: bool = true;

    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn read<'a>(&self, text: &'a str, scratch: &'a mut String) -> Result<&'a str, CellFault> {
        let (lon, lat) = self.split_coordinates(text)?;
        scratch.push('[');
        push(scratch, &lon, "180", "longitude")?;
        scratch.push(',');
        push(scratch, &lat, "90", "latitude")?;
        scratch.push(']');
        Ok(scratch)
    }

    fn json_kinds(&self) -> &[JsonKind] {
        match self.format {
            GeopointFormat::Default => &[JsonKind::String, JsonKind::Array],
            GeopointFormat::Array => &[JsonKind::Array],
            GeopointFormat::Object => &[JsonKind::Object, JsonKind::Array],
        }
    }

    /// Beside the declared form, a point is also taken as an array: so it is stored, and given out.
    fn read_json<'a>(&self, kind: JsonKind, text: &'a str, scratch: &'a mut String) -> Result<&'a str, CellFault> {
        let format = if kind == JsonKind::Array { GeopointFormat::Array } else { self.format };
        Self { format }.read(text, scratch)
    }

    fn compare_values(&self, left: &str, right: &str) -> Option<Ordering> {
        json::are_equal_json(left, right).then_some(Ordering::Equal)
    }

    fn value_noun(&self) -> &'static str {
        "a geopoint"
    }

    fn mend_hint(&self) -> String {
        let example = match self.format {
            GeopointFormat::Default => "90.50, 45.50 (longitude, latitude)",
            GeopointFormat::Array => "[90.50, 45.50] (longitude, latitude)",
            GeopointFormat::Object => r#"{"lon": 90.50, "lat": 45.50}"#,
        };
        format!("write it like {example}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalar::tests::text_of;
    use crate::schema::{FieldType, GeopointFormat};

    fn check(format: GeopointFormat, cases: &[(&str, Option<&str>)]) {
        for (text, expected) in cases {
            assert_eq!(text_of(&FieldType::Geopoint(format), text).as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn points() {
        let cases = [
            ("90.50, 45.50", Some("[90.50,45.50]")),
            (" 1 ,2", Some("[1,2]")),
            ("-180,90", Some("[-180,90]")),
            ("180.0000000000000000001,0", None),
            ("0,91", None),
            ("NaN,2", None),
            ("INF,2", None),
            ("1,2,3", None),
            ("1", None),
        ];
        check(GeopointFormat::Default, &cases);
        check(
            GeopointFormat::Array,
            &[("[ 1.50 , 2 ]", Some("[1.50,2]")), (r#"["1","2"]"#, Some("[1,2]")), ("[1,2,3]", None)],
        );
        check(GeopointFormat::Object, &[(r#"{"lat":2,"lon":1}"#, Some("[1,2]")), (r#"{"lon":1,"lat":2,"x":1}"#, None)]);
    }
}
