//! What the server answers: columns, values, and how many rows it touched.

use super::{failure::PostgresResult, message::BodyReader};

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnswerColumn {
    pub(super) name: String,
    /// The type's OID.
    pub(super) kind: u32,
    /// Whether it is a table's column, and not a computed one.
    pub(super) is_stored: bool,
}

/// How the values of an answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueFormat {
    /// As SQL shows them.
    Text,
    /// As the server sends them in binary.
    Binary,
}

/// Takes the rows of an answer, value by value; none is SQL's NULL.
pub(super) type VisitAnswerRow<'a> = &'a mut dyn FnMut(&[AnswerColumn], &[Option<&[u8]>]) -> PostgresResult<()>;

/// Takes the rows of an answer in the same manner, and says whether it wants more.
pub(super) type VisitWantedRow<'a> = &'a mut dyn FnMut(&[Option<&[u8]>]) -> PostgresResult<bool>;

/// The number at the end of a command's tag, such as `INSERT 0 5`.
pub(super) fn parse_row_count(tag: &str) -> u64 {
    // Tags without a number, such as `BEGIN`, have touched no row.
    tag.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The columns that a RowDescription tells.
pub(super) fn parse_columns(mut body: BodyReader<'_>) -> PostgresResult<Vec<AnswerColumn>> {
    let count = body.read_u16()?;
    (0..count)
        .map(|_| {
            let name = body.read_text()?;
            let is_stored = body.read_u32()? != 0;
            // The number of the column in its table, which nobody needs.
            body.read_u16()?;
            let kind = body.read_u32()?;
            // Size of the type (2), its modifier (4) and the format (2).
            body.read_bytes(8)?;
            Ok(AnswerColumn { name, kind, is_stored })
        })
        .collect()
}

/// The values of a DataRow.
pub(super) fn parse_values(mut body: BodyReader<'_>) -> PostgresResult<Vec<Option<&[u8]>>> {
    let count = body.read_u16()?;
    (0..count)
        // A length of -1 is NULL; an empty text has the length 0.
        .map(|_| match usize::try_from(body.read_i32()?) {
            Ok(length) => body.read_bytes(length).map(Some),
            Err(_) => Ok(None),
        })
        .collect()
}
