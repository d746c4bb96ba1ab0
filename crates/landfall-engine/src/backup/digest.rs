//! The content of a table as one number that does not depend on the order of its rows.

/// The sum, modulo 2^256, of the BLAKE3 of each row's Avro bytes under the schema of its file.
///
/// Two tables have the same digest where they hold the same rows, each as often, in whatever order and database. It tells
/// accidents, not forgeries: a file as such is held against its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentDigest([u64; 4]);

impl ContentDigest {
    /// Takes a row in.
    #[inline]
    pub fn add_row_bytes(&mut self, bytes: &[u8]) {
        let hash = blake3::hash(bytes);
        let mut words = [0; 4];
        for (word, part) in words.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
            *word = u64::from_le_bytes(part.try_into().unwrap_or_default());
        }
        self.add_digest(&Self(words));
    }

    /// Takes all rows of another digest in.
    #[inline]
    pub fn add_digest(&mut self, other: &Self) {
        let mut carry = false;
        for (word, more) in self.0.iter_mut().zip(other.0) {
            let (sum, over) = word.overflowing_add(more);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, over || again);
        }
    }

    /// 64 hexadecimal digits, the highest first.
    #[must_use]
    pub fn to_hex(self) -> String {
        self.0.iter().rev().map(|word| format!("{word:016x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[u8]]) -> ContentDigest {
        let mut digest = ContentDigest::default();
        rows.iter().for_each(|row| digest.add_row_bytes(row));
        digest
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_their_number_does() {
        assert_eq!(of(&[b"a", b"b", b"c"]), of(&[b"c", b"a", b"b"]));
        assert_ne!(of(&[b"a", b"a"]), of(&[b"a"]));
        assert_ne!(of(&[b"ab"]), of(&[b"a", b"b"]));
        let mut parts = of(&[b"a"]);
        parts.add_digest(&of(&[b"b", b"c"]));
        assert_eq!(parts, of(&[b"a", b"b", b"c"]));
        assert_eq!(of(&[]).to_hex(), "0".repeat(64));
    }

    #[test]
    fn sums_carry() {
        let mut digest = ContentDigest([u64::MAX, u64::MAX, 0, u64::MAX]);
        digest.add_digest(&ContentDigest([1, 0, 0, 1]));
        assert_eq!(digest, ContentDigest([0, 0, 1, 0]));
    }
}
