//! The header of an Avro file, and the numbers between its blocks.

use std::io::{self, BufRead, Read};

use landfall_core::avro::schema::AvroSchema;

use super::{AvroCodec, decompress::invalid_file};

/// The most bytes of a header.
const MOST_HEADER: u64 = 16 << 20;

/// Bytes of the mark behind each block.
pub(crate) const SYNC: usize = 16;

/// What an Avro file begins with.
pub(super) const MAGIC: [u8; 4] = *b"Obj\x01";

/// What stands at the head of a file.
#[derive(Debug, Clone)]
pub(super) struct AvroHeader {
    pub(super) schema: AvroSchema,
    pub(super) codec: AvroCodec,
    /// What stands behind each block.
    pub(super) sync: [u8; SYNC],
}

impl AvroHeader {
    /// Reads the header at the start of a file.
    pub(super) fn read(input: &mut impl BufRead) -> io::Result<Self> {
        let mut input = input.take(MOST_HEADER);
        let header = Self::read_from(&mut input);
        match header {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && input.limit() == 0 => {
                Err(invalid_file(format!("its header has more than {MOST_HEADER} bytes")))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(invalid_file("it ends within its header: the file is not whole"))
            }
            header => header,
        }
    }

    fn read_from(input: &mut impl Read) -> io::Result<Self> {
        let mut magic = [0; 4];
        let known = input.read_exact(&mut magic).is_ok() && magic == MAGIC;
        if !known {
            return Err(invalid_file("it is not an Avro file: it does not begin with the bytes Obj 1"));
        }
        let (mut schema, mut codec) = (None, AvroCodec::None);
        loop {
            let count = read_long(input)?;
            if count == 0 {
                break;
            }
            if count < 0 {
                read_long(input)?;
            }
            for _ in 0..count.unsigned_abs() {
                let (name, value) = (read_bytes(input)?, read_bytes(input)?);
                match name.as_slice() {
                    b"avro.schema" => schema = Some(parse_schema(value)?),
                    b"avro.codec" => codec = AvroCodec::from_header(&value)?,
                    _ => {}
                }
            }
        }
        let schema = schema.ok_or_else(|| invalid_file("its header has no schema (avro.schema)"))?;
        let mut sync = [0; SYNC];
        input.read_exact(&mut sync)?;
        Ok(Self { schema, codec, sync })
    }
}

fn parse_schema(text: Vec<u8>) -> io::Result<AvroSchema> {
    let text = String::from_utf8(text).map_err(|_| invalid_file("its schema is not UTF-8"))?;
    AvroSchema::parse(&text).map_err(|error| invalid_file(error.to_string()))
}

/// A number of bytes, and the bytes.
fn read_bytes(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = u64::try_from(read_long(input)?).map_err(|_| invalid_file("its header has a negative length"))?;
    let mut bytes = Vec::new();
    // What a length says is not reserved.
    if input.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// A variable-length number.
pub(super) fn read_long(input: &mut impl Read) -> io::Result<i64> {
    let mut value = 0;
    for at in 0..10 {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        if at == 9 && byte[0] > 1 {
            break;
        }
        value |= u64::from(byte[0] & 0x7f) << (7 * at);
        if byte[0] < 0x80 {
            return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    Err(invalid_file("it has a number of more than 64 bits"))
}
