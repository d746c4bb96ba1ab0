//! What a set says of itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{SetId, encode_hex};

/// The name of the file, which is written last: a folder without it is no set.
pub const MANIFEST: &str = "manifest.json";

/// The form of a manifest that this version writes and reads.
const FORMAT: u32 = 1;

/// What a set says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this document.
    pub format: u32,
    /// The set.
    pub set: String,
    /// Name and version of the program that wrote it.
    pub tool: String,
    /// The database, without secrets.
    pub target: String,
    /// The moment at which all tables were read, in the database's own terms.
    pub snapshot: String,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// The codec of its files.
    pub codec: String,
    /// The tables.
    pub tables: Vec<TableEntry>,
}

/// A table of a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableEntry {
    /// The table.
    pub table: String,
    /// Its file, in the folder of the set.
    pub file: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// The content digest of its rows (see [`ContentDigest`](super::ContentDigest)).
    pub digest: String,
    /// Seconds that it took.
    pub seconds: f64,
    /// Its Table Schema.
    pub schema: Value,
}

impl Manifest {
    /// The form of new manifests.
    pub(super) const fn format() -> u32 {
        FORMAT
    }

    /// The entry of the table called `name`.
    #[must_use]
    pub fn find_table(&self, name: &str) -> Option<&TableEntry> {
        self.tables.iter().find(|entry| entry.table == name)
    }

    /// The document, with a seal: the SHA-256 of everything before it.
    ///
    /// # Errors
    /// Those of the JSON library; none is known.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut document = serde_json::to_value(self)?;
        document["seal"] = Value::String(seal_document(&document)?);
        let mut bytes = serde_json::to_vec_pretty(&document)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a document; what is wrong with it otherwise, as the end of a sentence.
    ///
    /// # Errors
    /// A document that was changed, or that another version wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut document: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("its manifest is damaged ({error})"))?;
        let said = document.as_object_mut().and_then(|members| members.shift_remove("seal"));
        let seal = seal_document(&document).map_err(|error| error.to_string())?;
        let format = document.get("format").and_then(Value::as_u64);
        if format.is_some_and(|format| format > u64::from(FORMAT)) {
            return Err("a newer version of Landfall has written it; use that one".into());
        }
        if said != Some(Value::String(seal)) {
            return Err("its manifest is damaged: it is not what was written".into());
        }
        serde_json::from_value(document).map_err(|error| format!("its manifest is damaged ({error})"))
    }

    /// Reads the document of `set`; what is wrong with it otherwise, as the end of a sentence.
    ///
    /// # Errors
    /// A document that was changed, that another version wrote, or that is another set's.
    pub(super) fn from_set_bytes(set: &SetId, bytes: &[u8]) -> Result<Self, String> {
        let manifest = Self::from_bytes(bytes)?;
        if manifest.set == set.as_str() {
            return Ok(manifest);
        }
        Err(format!("its manifest is that of the set {}", manifest.set))
    }
}

fn seal_document(document: &Value) -> serde_json::Result<String> {
    Ok(encode_hex(&Sha256::digest(serde_json::to_vec(document)?)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn manifest() -> Manifest {
        let entry = TableEntry {
            table: "jobs".into(),
            file: "jobs.avro".into(),
            rows: 3,
            bytes: 1 << 60,
            sha256: "00".into(),
            digest: "11".into(),
            seconds: 0.012_345_678,
            schema: serde_json::json!({"fields": []}),
        };
        Manifest {
            format: FORMAT,
            set: "20261122T040506Z-01234567".into(),
            tool: "landfall 0".into(),
            target: "sqlite:x".into(),
            snapshot: "now".into(),
            started_at: "2026-11-22T04:05:06Z".into(),
            ended_at: "2026-11-22T04:05:07Z".into(),
            codec: "zstd".into(),
            tables: vec![entry],
        }
    }

    #[test]
    fn a_manifest_comes_back() {
        let bytes = manifest().to_bytes().unwrap();
        assert_eq!(Manifest::from_bytes(&bytes).unwrap(), manifest());
    }

    #[test]
    fn a_manifest_of_which_a_bit_was_flipped_is_none() {
        let bytes = manifest().to_bytes().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // White space between the members says nothing.
            if Manifest::from_bytes(&flipped).is_ok_and(|read| read != manifest()) {
                panic!("bit {bit} of {}", String::from_utf8_lossy(&flipped));
            }
        }
        assert!(Manifest::from_bytes(&bytes[..bytes.len() / 2]).is_err());
    }

    #[test]
    fn a_newer_form_is_told_as_such() {
        let newer = Manifest { format: FORMAT + 1, ..manifest() }.to_bytes().unwrap();
        assert!(Manifest::from_bytes(&newer).unwrap_err().contains("newer version"));
    }
}
