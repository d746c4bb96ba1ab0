//! A page of a table's rows: which are wanted, in the order of the primary key.

use landfall_core::{
    keys::Scalar,
    schema::{FieldIndex, FieldType},
};

use super::Table;
use crate::error::Result;

/// Which rows of a table are wanted, at most so many, in the order of its primary key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowFilter {
    /// All of these hold.
    pub conditions: Vec<RowCondition>,
    /// Only rows whose primary key comes after this one.
    pub after: Option<Vec<Scalar>>,
    /// At most this many.
    pub limit: u64,
}

/// Takes the rows of a page one by one, and says whether it wants more: few rows may be many bytes.
pub type VisitPageRow<'v> = &'v mut dyn FnMut(Vec<Scalar>) -> Result<bool>;

/// What a field of a row must be.
#[derive(Debug, Clone, PartialEq)]
pub struct RowCondition {
    /// The field's position.
    pub position: FieldIndex,
    /// How it compares.
    pub comparison: ComparisonOperator,
    /// With what; NULL is only equal or not equal to.
    pub value: Scalar,
}

/// How a field compares with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonOperator {
    /// It is the same.
    Equal,
    /// It is another one, or missing.
    NotEqual,
    /// It is less.
    Less,
    /// It is less, or the same.
    AtMost,
    /// It is greater.
    Greater,
    /// It is greater, or the same.
    AtLeast,
}

impl ComparisonOperator {
    const fn operator(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// Whether fields of a type can be compared in every database: not all of them know decimal numbers or JSON.
#[must_use]
pub const fn is_comparable(kind: &FieldType) -> bool {
    !matches!(
        kind,
        FieldType::Number(_)
            | FieldType::Object
            | FieldType::Array
            | FieldType::List { .. }
            | FieldType::Geopoint(_)
            | FieldType::Geojson(_)
    )
}

/// How a database writes what a page is made of.
pub(super) struct PageSyntax<'w> {
    /// A column, by the field's position, as it is compared and ordered.
    pub(super) column: &'w dyn Fn(FieldIndex) -> String,
    /// The mark of a parameter, counted from 1, for a field.
    pub(super) mark: &'w dyn Fn(usize, FieldIndex) -> String,
}

/// What follows the table's name, and the values of its parameters with the positions of their fields.
pub(super) fn page_sql(
    table: &Table,
    filter: &RowFilter,
    words: &PageSyntax<'_>,
) -> (String, Vec<(FieldIndex, Scalar)>) {
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    let bind = |position: FieldIndex, value: &Scalar, values: &mut Vec<(FieldIndex, Scalar)>| {
        values.push((position, value.clone()));
        (words.mark)(values.len(), position)
    };
    for RowCondition { position, comparison, value } in &filter.conditions {
        let column = (words.column)(*position);
        parts.push(match (comparison, value) {
            // In SQL `= NULL` is never true, so that NULL needs words of its own.
            (ComparisonOperator::NotEqual, Scalar::Null) => format!("{column} IS NOT NULL"),
            (_, Scalar::Null) => format!("{column} IS NULL"),
            // `<>` leaves out rows with NULL, and a missing value is another one.
            (ComparisonOperator::NotEqual, value) => {
                format!("({column} IS NULL OR {column} <> {})", bind(*position, value, &mut values))
            }
            (comparison, value) => {
                format!("{column} {} {}", comparison.operator(), bind(*position, value, &mut values))
            }
        });
    }
    let key = &table.schema.primary_key;
    let columns: Vec<String> = key.iter().map(|&at| (words.column)(at)).collect();
    if let Some(after) = &filter.after {
        let marks: Vec<String> = key.iter().zip(after).map(|(&at, value)| bind(at, value, &mut values)).collect();
        // Compared as a row of values, which an index on the key can be used for.
        parts.push(format!("({}) > ({})", columns.join(", "), marks.join(", ")));
    }
    let condition = if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) };
    let order = if columns.is_empty() { String::new() } else { format!(" ORDER BY {}", columns.join(", ")) };
    (format!("{condition}{order} LIMIT {}", filter.limit), values)
}
