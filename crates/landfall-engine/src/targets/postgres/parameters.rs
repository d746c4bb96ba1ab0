//! Values for the parameters of a statement.

use std::io;

use bytes::{BufMut as _, BytesMut};

/// A type's OID, as `pg_type` has it.
pub(super) type Oid = u32;

/// OIDs of the types that values are sent in.
pub(super) mod oid {
    use super::Oid;
    pub(in super::super) const BOOL: Oid = 16;
    pub(in super::super) const BYTEA: Oid = 17;
    pub(in super::super) const INT8: Oid = 20;
    pub(in super::super) const TEXT: Oid = 25;
    pub(in super::super) const FLOAT8: Oid = 701;
    pub(in super::super) const DATE: Oid = 1082;
    pub(in super::super) const TIME: Oid = 1083;
    pub(in super::super) const TIMESTAMPTZ: Oid = 1184;
    pub(in super::super) const NUMERIC: Oid = 1700;

    /// The array type of `kind`.
    pub(in super::super) const fn array_of(kind: Oid) -> Oid {
        match kind {
            BOOL => 1000,
            BYTEA => 1001,
            INT8 => 1016,
            FLOAT8 => 1022,
            DATE => 1182,
            TIME => 1183,
            TIMESTAMPTZ => 1185,
            NUMERIC => 1231,
            _ => 1009,
        }
    }
}

/// Values for `$1`, `$2` and so on.
#[derive(Debug, Default)]
pub(super) struct BoundParameters {
    kinds: Vec<Oid>,
    /// Each value after its length, as the protocol has it.
    values: Vec<u8>,
    are_text: bool,
}

impl BoundParameters {
    /// For values that are written as text, not in binary.
    pub(super) fn as_text() -> Self {
        Self { are_text: true, ..Self::default() }
    }

    /// Adds a value of type `kind` that `write` writes; SQL's NULL where it says `false`.
    pub(super) fn push(&mut self, kind: Oid, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        self.kinds.push(kind);
        push_sized(&mut self.values, write);
    }

    /// Adds an integer.
    pub(super) fn with_integer(mut self, value: i64) -> Self {
        self.push(oid::INT8, |out| push_bytes(out, &value.to_be_bytes()));
        self
    }

    /// Adds a text.
    pub(super) fn with_text(mut self, value: &str) -> Self {
        self.push(oid::TEXT, |out| push_bytes(out, value.as_bytes()));
        self
    }

    /// The types.
    pub(super) fn type_oids(&self) -> &[Oid] {
        &self.kinds
    }

    /// Writes the message that gives the unnamed statement these values; its answer is to be `binary` or text.
    pub(super) fn write_bind(&self, binary: bool, out: &mut BytesMut) -> io::Result<()> {
        let count = u16::try_from(self.kinds.len()).map_err(|_| io::Error::other("too many parameters"))?;
        let length = 2 + 4 + 2 + self.values.len() + 4 + 4;
        out.put_u8(b'B');
        out.put_i32(i32::try_from(length).map_err(|_| io::Error::other("its values are more than 2 GiB"))?);
        // No names: neither of the portal nor of the statement.
        out.put_slice(&[0, 0]);
        out.put_slice(&[0, 1, 0, u8::from(!self.are_text)]);
        out.put_u16(count);
        out.put_slice(&self.values);
        out.put_slice(&[0, 1, 0, u8::from(binary)]);
        Ok(())
    }
}

/// Writes `value`; there is one.
pub(super) fn push_bytes(out: &mut Vec<u8>, value: &[u8]) -> bool {
    out.extend_from_slice(value);
    true
}

/// Writes a value after its length; −1 for SQL's NULL, where `write` says `false`.
pub(super) fn push_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) {
    let start = out.len();
    out.extend_from_slice(&[0xff; 4]);
    if write(out) {
        // A value of more than 2 GiB is refused by the message's own length.
        let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes an array of `count` values of type `kind`, which `write` writes one by one, each with its length.
pub(super) fn push_array(out: &mut Vec<u8>, kind: Oid, count: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let dimensions = [1_u32.to_be_bytes(), 1_u32.to_be_bytes(), kind.to_be_bytes(), number(count), 1_u32.to_be_bytes()];
    out.extend_from_slice(dimensions.as_flattened());
    write(out);
    true
}
