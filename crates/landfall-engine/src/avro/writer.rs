//! Writing a file: the header, then block after block.

use std::io::{self, Write};

use super::Codec;

/// Bytes of the mark between blocks.
pub(crate) const SYNC: usize = 16;

/// Writes a container file.
pub(crate) struct ContainerWriter<W> {
    out: W,
    sync: [u8; SYNC],
}

impl<W: Write> ContainerWriter<W> {
    /// Writes the header of a file with rows of `schema`. `sync` is a random mark.
    pub(crate) fn new(mut out: W, schema: &str, codec: Codec, sync: [u8; SYNC]) -> io::Result<Self> {
        let mut header = b"Obj\x01".to_vec();
        let entries = [("avro.schema", schema), ("avro.codec", codec.in_header())];
        put_long(entries.len() as u64, &mut header);
        for text in entries.iter().flat_map(|(key, value)| [key, value]) {
            put_long(text.len() as u64, &mut header);
            header.extend_from_slice(text.as_bytes());
        }
        header.push(0);
        header.extend_from_slice(&sync);
        out.write_all(&header)?;
        Ok(Self { out, sync })
    }

    /// Writes a block of `rows` rows, whose bytes are compressed already.
    pub(crate) fn block(&mut self, rows: u64, compressed: &[u8]) -> io::Result<()> {
        let mut head = Vec::with_capacity(20);
        put_long(rows, &mut head);
        put_long(compressed.len() as u64, &mut head);
        self.out.write_all(&head)?;
        self.out.write_all(compressed)?;
        self.out.write_all(&self.sync)
    }

    /// What it was written to.
    pub(crate) fn finish(self) -> W {
        self.out
    }
}

/// A count or a length, as Avro writes a long.
fn put_long(count: u64, out: &mut Vec<u8>) {
    let mut rest = count << 1;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}
