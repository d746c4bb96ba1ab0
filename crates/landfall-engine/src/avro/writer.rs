//! Writing a file: the header, then block after block.

use std::io::{self, Write};

use landfall_core::avro::put_long;

use super::{
    AvroCodec,
    header::{MAGIC, SYNC},
};

/// Writes a container file.
pub(crate) struct ContainerWriter<W> {
    out: W,
    sync: [u8; SYNC],
}

impl<W: Write> ContainerWriter<W> {
    /// Writes the header of a file with rows of `schema`. `sync` is a random mark.
    pub(crate) fn new(mut out: W, schema: &str, codec: AvroCodec, sync: [u8; SYNC]) -> io::Result<Self> {
        let mut header = MAGIC.to_vec();
        let entries = [("avro.schema", schema), ("avro.codec", codec.in_header())];
        put_count(entries.len() as u64, &mut header);
        for text in entries.iter().flat_map(|(key, value)| [key, value]) {
            put_count(text.len() as u64, &mut header);
            header.extend_from_slice(text.as_bytes());
        }
        header.push(0);
        header.extend_from_slice(&sync);
        out.write_all(&header)?;
        Ok(Self { out, sync })
    }

    /// Writes a block of `rows` rows, whose bytes are compressed already.
    pub(crate) fn write_block(&mut self, rows: u64, compressed: &[u8]) -> io::Result<()> {
        let mut head = Vec::with_capacity(20);
        put_count(rows, &mut head);
        put_count(compressed.len() as u64, &mut head);
        self.out.write_all(&head)?;
        self.out.write_all(compressed)?;
        self.out.write_all(&self.sync)
    }

    /// What it was written to.
    pub(crate) fn into_output(self) -> W {
        self.out
    }
}

/// A count or a length.
fn put_count(count: u64, out: &mut Vec<u8>) {
    put_long(i64::try_from(count).unwrap_or(i64::MAX), out);
}
