//! An Avro file as the JSON rows that it holds: a stream of lines, the same for the same file and mapping.
//!
//! Of a block no more is held than the bytes of a row, of the stream no more than some rows.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    sync::Arc,
};

use landfall_core::avro::{resolve::RowMapping, schema::AvroSchema};

use super::{
    AvroCodec,
    decompress::{BlockContent, invalid_file},
    header::{AvroHeader, SYNC, read_long},
};

/// Bytes read at once.
const BUFFER: usize = 128 * 1024;

/// The most rows without bytes in a file.
// A block may promise any number of rows that take no bytes: a file of a few bytes would never end.
const MOST_EMPTY: u64 = 1_000_000;

/// The schema of an Avro file.
///
/// # Errors
/// A file that cannot be read, or is no Avro; the error says why.
pub fn read_schema(file: impl Read) -> io::Result<AvroSchema> {
    AvroHeader::read(&mut BufReader::new(file)).map(|header| header.schema)
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedFile {
    /// Its rows.
    pub rows: u64,
    /// The bytes of these as JSON, with their line ends.
    pub bytes: u64,
}

/// Reads all of a file as a load will read it. `most_bytes` bounds what it may be when it is decompressed.
///
/// # Errors
/// The first reason why it cannot be read to its end, with the block and row at which it stands.
pub fn check_file(file: File, reading: Arc<RowMapping>, most_bytes: Option<u64>) -> io::Result<CheckedFile> {
    let mut input = AvroInput::new(file, reading)?.with_limit(most_bytes);
    let bytes = io::copy(&mut input, &mut io::sink())?;
    Ok(CheckedFile { rows: input.rows, bytes })
}

/// The rows of an Avro file as lines of JSON.
pub struct AvroInput<R: BufRead> {
    reading: Arc<RowMapping>,
    codec: AvroCodec,
    sync: [u8; SYNC],
    place: FilePlace<R>,
    /// Bytes of the block at hand: those from `from` to `to` are no rows yet.
    held: Vec<u8>,
    from: usize,
    to: usize,
    /// Rows, of which those before `served` are read.
    lines: String,
    served: usize,
    /// The block at hand, counted from 1, its rows that were read and those that were not.
    block: u64,
    row: u64,
    left: u64,
    /// Rows read.
    rows: u64,
    empty: u64,
    most_bytes: Option<u64>,
    bytes: u64,
    /// Why nothing can be read any more.
    failed: Option<String>,
}

enum FilePlace<R: BufRead> {
    Between(R),
    Within(BlockContent<R>),
    Ended,
}

impl<R: Read> AvroInput<BufReader<R>> {
    /// The rows of `file`, which has the schema of `reading`.
    ///
    /// # Errors
    /// A file that cannot be read, or has another schema.
    pub fn new(file: R, reading: Arc<RowMapping>) -> io::Result<Self> {
        Self::new_over(BufReader::with_capacity(BUFFER, file), reading)
    }
}

impl<R: BufRead> AvroInput<R> {
    pub(super) fn new_over(mut input: R, reading: Arc<RowMapping>) -> io::Result<Self> {
        let AvroHeader { schema, codec, sync } = AvroHeader::read(&mut input)?;
        // The file is opened a second time here, and may be another one by now.
        if schema != *reading.file_schema() {
            return Err(invalid_file("it has another schema than before: it was changed"));
        }
        Ok(Self {
            reading,
            codec,
            sync,
            place: FilePlace::Between(input),
            held: vec![0; BUFFER],
            from: 0,
            to: 0,
            lines: String::new(),
            served: 0,
            block: 0,
            row: 0,
            left: 0,
            rows: 0,
            empty: 0,
            most_bytes: None,
            bytes: 0,
            failed: None,
        })
    }

    /// The same, with a bound for the bytes that the blocks may be decompressed to.
    #[must_use]
    pub fn with_limit(self, most_bytes: Option<u64>) -> Self {
        Self { most_bytes, ..self }
    }

    /// Reads rows until there is a bufferful of lines, or the file ends.
    fn fill_lines(&mut self) -> io::Result<()> {
        self.lines.clear();
        self.served = 0;
        while self.lines.len() < BUFFER {
            if self.left > 0 {
                self.next_row()?;
            } else if !self.next_block()? {
                break;
            }
        }
        Ok(())
    }

    fn next_row(&mut self) -> io::Result<()> {
        match self.reading.read_row(&self.held[self.from..self.to], &mut self.lines) {
            Ok(Some(taken)) => {
                self.from += taken;
                self.left -= 1;
                self.row += 1;
                self.rows += 1;
                if taken == 0 {
                    self.empty += 1;
                    if self.empty > MOST_EMPTY {
                        return Err(self.file_error(format!("more than {MOST_EMPTY} rows have no bytes")));
                    }
                }
                Ok(())
            }
            Ok(None) => self.read_more_bytes(),
            Err(error) => {
                self.row += 1;
                Err(self.file_error(error))
            }
        }
    }

    /// Reads more bytes of a row that is not all there.
    fn read_more_bytes(&mut self) -> io::Result<()> {
        self.held.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        // By the schema: a damaged length would otherwise ask for all the memory.
        let most = self.reading.max_row_bytes();
        if self.to >= most {
            self.row += 1;
            return Err(self.file_error(format!("it has more than {most} bytes")));
        }
        if self.to == self.held.len() {
            self.held.resize((self.to * 2).min(most), 0);
        }
        if self.read_content()? > 0 {
            return Ok(());
        }
        self.row += 1;
        Err(if self.is_cut_short() {
            self.file_error("the file ends within it: it is not whole")
        } else {
            self.file_error("it does not end within its block: the file is damaged")
        })
    }

    /// Reads the block on; how many bytes there were.
    fn read_content(&mut self) -> io::Result<usize> {
        let FilePlace::Within(content) = &mut self.place else { return Ok(0) };
        let read = loop {
            match content.read(&mut self.held[self.to..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.block_error(error)),
                Ok(read) => break read,
            }
        };
        self.to += read;
        self.bytes += read as u64;
        match self.most_bytes {
            Some(most) if self.bytes > most => {
                Err(self.file_error(format!("the file is more than {most} bytes when it is decompressed")))
            }
            _ => Ok(read),
        }
    }

    /// Whether the file ends before the block at hand.
    fn is_cut_short(&mut self) -> bool {
        match std::mem::replace(&mut self.place, FilePlace::Ended) {
            FilePlace::Within(content) => content.into_rest().limit() > 0,
            _ => false,
        }
    }

    /// Ends the block at hand, all rows of which are read, and begins the next; `false` at the end of the file.
    fn next_block(&mut self) -> io::Result<bool> {
        self.finish_block()?;
        let FilePlace::Between(input) = &mut self.place else { return Ok(false) };
        if input.fill_buf()?.is_empty() {
            self.place = FilePlace::Ended;
            return Ok(false);
        }
        (self.block, self.row) = (self.block + 1, 0);
        let head = read_long(input).and_then(|count| Ok((count, read_long(input)?)));
        let (count, length) = head.map_err(|error| self.block_error(error))?;
        let (Ok(count), Ok(length)) = (u64::try_from(count), u64::try_from(length)) else {
            return Err(self.file_error("it has a negative number of rows or bytes: the file is damaged"));
        };
        let FilePlace::Between(input) = std::mem::replace(&mut self.place, FilePlace::Ended) else { return Ok(false) };
        // Never beyond the block, whatever its compressed content says.
        let content = BlockContent::new(self.codec, input.take(length)).map_err(|error| self.file_error(error))?;
        self.place = FilePlace::Within(content);
        (self.left, self.from, self.to) = (count, 0, 0);
        Ok(true)
    }

    fn finish_block(&mut self) -> io::Result<()> {
        if !matches!(self.place, FilePlace::Within(_)) {
            return Ok(());
        }
        // One read more: a checksum at the end of the compressed bytes is only looked at then.
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            self.read_content()?;
        }
        let FilePlace::Within(content) = std::mem::replace(&mut self.place, FilePlace::Ended) else { return Ok(()) };
        let raw = content.into_rest();
        let (over, mut input) = (raw.limit(), raw.into_inner());
        if self.from < self.to || (over > 0 && !input.fill_buf()?.is_empty()) {
            return Err(self.file_error("it has more bytes than its rows: the file is damaged"));
        }
        let mut sync = [0; SYNC];
        input.read_exact(&mut sync).map_err(|error| self.block_error(error))?;
        // The marker of the file's own: a wrong length of a block shows here at the latest.
        if sync != self.sync {
            return Err(self.file_error("behind it does not stand what ends a block: the file is damaged"));
        }
        self.place = FilePlace::Between(input);
        Ok(())
    }

    /// The error for `file_error`, met in the block at hand.
    fn block_error(&mut self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            self.file_error("the file ends within it: it is not whole")
        } else {
            self.file_error(error)
        }
    }

    /// An error with its place. Nothing can be read behind it.
    fn file_error(&mut self, reason: impl fmt::Display) -> io::Error {
        self.place = FilePlace::Ended;
        let place = if self.row == 0 { String::new() } else { format!(", row {}", self.row) };
        invalid_file(format!("block {}{place}: {reason}", self.block))
    }
}

impl<R: BufRead> Read for AvroInput<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.served == self.lines.len() && self.failed.is_none() {
            // The rows before an error are read as well.
            self.failed = self.fill_lines().err().map(|error| error.to_string());
        }
        if self.served == self.lines.len()
            && let Some(reason) = &self.failed
        {
            return Err(invalid_file(reason.clone()));
        }
        let ready = &self.lines.as_bytes()[self.served..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.served += count;
        Ok(count)
    }
}
