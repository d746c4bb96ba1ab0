//! What the server answers: columns, values, and how many rows it touched.

use super::{failure::Outcome, message::Body};

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type's OID.
    pub(super) kind: u32,
    /// Whether it is a table's column, and not a computed one.
    pub(super) is_stored: bool,
}

/// How the values of an answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// As SQL shows them.
    Text,
    /// As the server sends them in binary.
    Binary,
}

/// Takes the rows of an answer, value by value; none is SQL's NULL.
pub(super) type TakeRow<'a> = &'a mut dyn FnMut(&[Column], &[Option<&[u8]>]) -> Outcome<()>;

/// Takes the rows of an answer in the same manner, and says whether it wants more.
pub(super) type TakeWanted<'a> = &'a mut dyn FnMut(&[Option<&[u8]>]) -> Outcome<bool>;

/// The number at the end of a command's tag, such as `INSERT 0 5`.
pub(super) fn rows_of(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The columns that a RowDescription tells.
pub(super) fn columns_of(mut body: Body<'_>) -> Outcome<Vec<Column>> {
    let count = body.u16()?;
    (0..count)
        .map(|_| {
            let name = body.text()?;
            let is_stored = body.u32()? != 0;
            body.u16()?;
            let kind = body.u32()?;
            body.bytes(8)?;
            Ok(Column { name, kind, is_stored })
        })
        .collect()
}

/// The values of a DataRow.
pub(super) fn values_of(mut body: Body<'_>) -> Outcome<Vec<Option<&[u8]>>> {
    let count = body.u16()?;
    (0..count)
        .map(|_| match usize::try_from(body.i32()?) {
            Ok(length) => body.bytes(length).map(Some),
            Err(_) => Ok(None),
        })
        .collect()
}
