//! The schema with which a file was written.
//!
//! All types stand in one list and name each other by their position, so that a type may refer to itself. A logical type that
//! is unknown, or not well-formed, is left out, as the specification says: its values are then those of the type below it.

mod parse;
#[cfg(test)]
mod tests;

/// The deepest nesting of types and of values.
pub const DEPTH: usize = 64;

/// The most bytes of a schema's text.
pub const MOST_TEXT: usize = 4 << 20;

/// The most types and fields of a schema: a table of 2,000 columns, the most that a database holds, has 12,000 of them.
pub const MOST_TYPES: usize = 100_000;

/// Why a schema cannot be read, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(pub(super) String);

/// A schema.
#[derive(Debug, Clone, PartialEq)]
pub struct AvroSchema {
    types: Vec<AvroType>,
    root: TypeId,
}

/// The position of a type in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeId(u32);

/// A type. Logical types are types of their own here.
#[derive(Debug, Clone, PartialEq)]
pub enum AvroType {
    /// Nothing.
    Null,
    /// `boolean`.
    Boolean,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    /// 32 bits.
    Float,
    /// 64 bits.
    Double,
    /// Any number of bytes.
    Bytes,
    /// Text in UTF-8; also the logical type `uuid` of it.
    String,
    /// Fields in their order.
    Record(RecordFields),
    /// One of some names.
    Enum(Vec<Box<str>>),
    /// Items of a type.
    Array(TypeId),
    /// Values of a type under names.
    Map(TypeId),
    /// One of several types.
    Union(Vec<TypeId>),
    /// A number of bytes.
    Fixed(usize),
    /// `decimal`: a whole number in two's complement, `scale` digits of which stand behind the point.
    Decimal {
        /// The number of its bytes, where that is fixed.
        size: Option<usize>,
        /// The digits behind the point.
        scale: usize,
    },
    /// `uuid`, as 16 bytes.
    Uuid,
    /// Days since 1970.
    Date,
    /// The time since midnight.
    Time(TimeUnit),
    /// The time since 1970.
    Timestamp {
        /// In what it is counted.
        unit: TimeUnit,
        /// Whether it is meant in no zone; in UTC otherwise.
        local: bool,
    },
    /// Months, days and milliseconds.
    Duration,
}

/// In what a time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TimeUnit {
    Millis,
    Micros,
    Nanos,
}

/// The fields of a record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordFields {
    /// With its namespace.
    pub name: String,
    /// In the order of their bytes.
    pub fields: Vec<AvroField>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct AvroField {
    /// Its name.
    pub name: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// Its type.
    pub kind: TypeId,
    /// `landfall.field`: the name of the table's field, where Avro cannot take that.
    pub own_name: Option<String>,
    /// `landfall.type`: the type of the table's field.
    pub own_type: Option<String>,
}

impl AvroSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// A text that is no schema, or one beyond the limits.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        parse::parse(text)
    }

    /// The type at `id`.
    #[inline]
    #[must_use]
    pub fn get(&self, id: TypeId) -> &AvroType {
        &self.types[id.0 as usize]
    }

    /// The type of the rows.
    #[must_use]
    pub fn row_type(&self) -> &AvroType {
        self.get(self.root)
    }

    /// The types that a value of the type at `id` may have: the branches of a union, or the type itself.
    #[must_use]
    pub fn union_branches(&self, id: TypeId) -> Vec<TypeId> {
        match self.get(id) {
            AvroType::Union(branches) => branches.clone(),
            _ => vec![id],
        }
    }
}

impl AvroType {
    /// What its values are, with an article.
    #[must_use]
    pub fn describe_values(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Int => "an int",
            Self::Long => "a long",
            Self::Float => "a float",
            Self::Double => "a double",
            Self::Bytes => "bytes",
            Self::String => "a string",
            Self::Record(_) => "a record",
            Self::Enum(_) => "an enum",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Union(_) => "a union",
            Self::Fixed(_) => "a fixed",
            Self::Decimal { .. } => "a decimal",
            Self::Uuid => "a uuid",
            Self::Date => "a date",
            Self::Time(_) => "a time",
            Self::Timestamp { local: false, .. } => "a timestamp",
            Self::Timestamp { local: true, .. } => "a local timestamp",
            Self::Duration => "a duration",
        }
    }
}
