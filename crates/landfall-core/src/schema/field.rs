//! A field of a table schema: its type, format and constraints.
//!
//! Standard: <https://datapackage.org/standard/table-schema/#field>.

use std::sync::Arc;

/// A field: one column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name, unique in its schema; also the name of the SQL column.
    pub name: Arc<str>,
    /// A label for a person.
    pub title: Option<String>,
    /// What the field means.
    pub description: Option<String>,
    /// Type and format.
    pub kind: FieldType,
    /// Rules for the values.
    pub constraints: Constraints,
    /// Texts that stand for a missing value in this field. The schema's list where the field has none of its own.
    pub missing_values: Vec<String>,
}

/// The type of a field with its format: how a cell's text is read, and what is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldType {
    /// Text, kept byte for byte.
    String(StringFormat),
    /// A whole number within 64 bits, signed.
    Integer {
        /// `false`: other characters before and after the digits are allowed, as in `€ 95` or `95%`.
        bare_number: bool,
        /// The text between groups of digits, where there is one.
        group_char: Option<String>,
        /// `8.0` is 8: a point with nothing but zeros may follow, as programs write that keep whole numbers as floating ones.
        zero_decimals: bool,
    },
    /// A decimal number; every digit is kept.
    Number(NumberFormat),
    /// True or false.
    Boolean(BooleanWords),
    /// A calendar day.
    Date(TemporalFormat),
    /// A time of day, to the microsecond.
    Time(TemporalFormat),
    /// A point in time, stored in UTC to the microsecond.
    Datetime {
        /// The lexical form.
        format: TemporalFormat,
        /// The zone (IANA name or offset such as `+02:00`) that a value without a zone is in. Without it, such a value
        /// is a type error.
        timezone: Option<String>,
        /// Which of the two points in time a value without an offset is, where clocks went back in that zone.
        ambiguous: Ambiguous,
    },
    /// A calendar year, as an integer.
    Year,
    /// A month of a year, as text `YYYY-MM`.
    YearMonth,
    /// An ISO 8601 duration, as text.
    Duration,
    /// A JSON object, as its JSON text.
    Object,
    /// A JSON array, as its JSON text.
    Array,
    /// Items in a delimited text, stored as a JSON array.
    List {
        /// What stands between two items; `,` by default.
        delimiter: String,
        /// The type of the items; text by default.
        item: ListItem,
    },
    /// A point, stored as JSON text `[lon,lat]` with its digits.
    Geopoint(GeopointFormat),
    /// A `GeoJSON` or `TopoJSON` object, as its JSON text.
    Geojson(GeoFormat),
    /// Anything, kept as text.
    Any,
}

impl FieldType {
    /// Whether its values are texts, in rows and in databases.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        !matches!(
            self,
            Self::Integer { .. }
                | Self::Year
                | Self::Boolean(_)
                | Self::Number(_)
                | Self::Date(_)
                | Self::Time(_)
                | Self::Datetime { .. }
        )
    }

    /// The type's name in the standard.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Integer { .. } => "integer",
            Self::Number(_) => "number",
            Self::Boolean(_) => "boolean",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::Datetime { .. } => "datetime",
            Self::Year => "year",
            Self::YearMonth => "yearmonth",
            Self::Duration => "duration",
            Self::Object => "object",
            Self::Array => "array",
            Self::List { .. } => "list",
            Self::Geopoint(_) => "geopoint",
            Self::Geojson(_) => "geojson",
            Self::Any => "any",
        }
    }
}

/// The format of a `string` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StringFormat {
    /// Any text.
    #[default]
    Default,
    /// An e-mail address.
    Email,
    /// A URI.
    Uri,
    /// Base64 of binary data.
    Binary,
    /// A UUID.
    Uuid,
}

/// How the digits of a `number` are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberFormat {
    /// The text between whole and fraction; `.` by default.
    pub decimal_char: String,
    /// The text between groups of digits, where there is one.
    pub group_char: Option<String>,
    /// `false`: other characters before and after the digits are allowed.
    pub bare_number: bool,
}

impl Default for NumberFormat {
    fn default() -> Self {
        Self { decimal_char: ".".into(), group_char: None, bare_number: true }
    }
}

/// The words of a `boolean` field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BooleanWords {
    /// Words for true.
    pub true_values: Vec<String>,
    /// Words for false.
    pub false_values: Vec<String>,
}

impl Default for BooleanWords {
    /// The standard's words: `true True TRUE 1`, `false False FALSE 0`.
    fn default() -> Self {
        Self {
            true_values: ["true", "True", "TRUE", "1"].map(String::from).to_vec(),
            false_values: ["false", "False", "FALSE", "0"].map(String::from).to_vec(),
        }
    }
}

/// The lexical form of a date, time or datetime.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TemporalFormat {
    /// The standard's ISO 8601 form.
    #[default]
    Default,
    /// Any form of ISO 8601 that says one thing only.
    Any,
    /// A `strptime` pattern of Python's, such as `%d/%m/%Y`.
    Pattern(String),
}

/// What becomes of a local time that occurs twice, since clocks went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ambiguous {
    /// It is no value: nobody can tell which of the two it is.
    #[default]
    Reject,
    /// It is the first of the two: daylight saving time.
    Earlier,
    /// It is the second of the two: standard time.
    Later,
}

impl Ambiguous {
    /// The word for it in a dictionary.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Earlier => "earlier",
            Self::Later => "later",
        }
    }
}

/// The type of a list's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names are the standard's types")]
pub enum ListItem {
    #[default]
    String,
    Integer,
    Number,
    Boolean,
    Datetime,
    Date,
    Time,
}

/// The lexical form of a `geopoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeopointFormat {
    /// `lon, lat`.
    #[default]
    Default,
    /// A JSON array `[lon, lat]`.
    Array,
    /// A JSON object `{"lon": …, "lat": …}`.
    Object,
}

/// The lexical form of a `geojson` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeoFormat {
    /// `GeoJSON`.
    #[default]
    Default,
    /// `TopoJSON`.
    Topojson,
}

/// The constraints of a field. Bounds and enum values are kept in the field's lexical form, as the standard lets them
/// be written; the validator reads them with the field's own type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraints {
    /// The value must not be missing.
    pub required: bool,
    /// The value occurs once.
    pub unique: bool,
    /// Least number of characters, items or members.
    pub min_length: Option<u64>,
    /// Greatest number of characters, items or members.
    pub max_length: Option<u64>,
    /// Least value.
    pub minimum: Option<String>,
    /// Greatest value.
    pub maximum: Option<String>,
    /// Every value is greater than this.
    pub exclusive_minimum: Option<String>,
    /// Every value is less than this.
    pub exclusive_maximum: Option<String>,
    /// A regular expression that the whole cell matches.
    pub pattern: Option<String>,
    /// The only values allowed.
    pub enumeration: Option<Vec<String>>,
}

impl Constraints {
    /// Takes the constraint called `name` away, where there is one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        match name {
            "minLength" => self.min_length.take().is_some(),
            "maxLength" => self.max_length.take().is_some(),
            "minimum" => self.minimum.take().is_some(),
            "maximum" => self.maximum.take().is_some(),
            "exclusiveMinimum" => self.exclusive_minimum.take().is_some(),
            "exclusiveMaximum" => self.exclusive_maximum.take().is_some(),
            "pattern" => self.pattern.take().is_some(),
            "enum" => self.enumeration.take().is_some(),
            // `required` and `unique` have no form that could be wrong, and are never taken away.
            _ => false,
        }
    }
}
