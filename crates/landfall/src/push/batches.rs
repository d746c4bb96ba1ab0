//! A source, cut into batches of whole records: their bytes as they stand there, behind its header.

use std::{collections::VecDeque, io::Read as _, sync::Arc};

use anyhow::Result;
use landfall_core::{
    decode::{Cutter, CutterLimits, Decoder, Piece, Records},
    schema::HeaderRows,
};
use landfall_engine::{
    Error,
    source::{Source, SourceInput},
};

use super::FileForm;
use crate::exit::CommandError;

/// The most bytes of a batch that has more than one record: half of what a service takes where nothing else is set.
const BATCH_BYTES: usize = 8 << 20;

/// The most bytes of a record.
const RECORD_BYTES: usize = 16 << 20;

/// Bytes that are cut at once.
const BLOCK_BYTES: usize = 128 << 10;

/// Records of the source that go in one request.
#[derive(Debug, Clone, Default)]
pub(super) struct PushBatch {
    /// The number of its first record, from 1.
    pub(super) first: u64,
    /// Bytes of the source before its first record.
    pub(super) offset: u64,
    /// What stands before the records: the byte order mark and the header.
    header: Arc<[u8]>,
    bytes: Vec<u8>,
    /// Where each record begins in `bytes`.
    starts: Vec<usize>,
    /// The line of each record, from 1.
    lines: Vec<u64>,
    /// Bytes of the file that were read when it was cut.
    pub(super) consumed: u64,
}

impl PushBatch {
    /// The number of records.
    pub(super) fn record_count(&self) -> usize {
        self.starts.len()
    }

    /// The body of its request.
    pub(super) fn request_body(&self) -> Vec<u8> {
        [&*self.header, &self.bytes].concat()
    }

    /// The line of the record at `row`, counted from 0.
    pub(super) fn line_of_row(&self, row: u64) -> Option<u64> {
        self.lines.get(usize::try_from(row).ok()?).copied()
    }

    /// The two halves of a batch with at least two records.
    pub(super) fn split_in_half(&self) -> Option<[Self; 2]> {
        let half = self.record_count() / 2;
        let at = *self.starts.get(half).filter(|_| half > 0)?;
        let left = Self {
            bytes: self.bytes[..at].to_vec(),
            starts: self.starts[..half].to_vec(),
            lines: self.lines[..half].to_vec(),
            ..self.clone()
        };
        let right = Self {
            first: self.first + half as u64,
            offset: self.offset + at as u64,
            bytes: self.bytes[at..].to_vec(),
            starts: self.starts[half..].iter().map(|start| start - at).collect(),
            lines: self.lines[half..].to_vec(),
            ..self.clone()
        };
        Some([left, right])
    }

    fn add_record(&mut self, record: &[u8], line: u64) {
        self.starts.push(self.bytes.len());
        self.lines.push(line);
        self.bytes.extend_from_slice(record);
    }
}

/// The batches of a source, in order.
pub(super) struct BatchReader<'s> {
    source: &'s Source,
    input: SourceInput,
    cutter: Cutter,
    decoder: Decoder,
    has_header: bool,
    most: usize,
    /// The bytes that were read and not cut yet, and the offset of the first.
    held: Vec<u8>,
    held_from: u64,
    header: Option<Arc<[u8]>>,
    /// Records and lines before the next piece.
    records: u64,
    lines: u64,
    building: PushBatch,
    ready: VecDeque<PushBatch>,
    /// A record that cannot be sent: told once what stands before it was handed out.
    fault: Option<CommandError>,
}

impl<'s> BatchReader<'s> {
    /// Opens `source`, which is written as `written` says, for batches of at most `most` records.
    ///
    /// # Errors
    /// A source that cannot be opened, or is written so that its records mean something else in a batch.
    pub(super) fn open(source: &'s Source, written: &FileForm, most: usize) -> Result<Self> {
        let header_end = match &written.dialect.header {
            HeaderRows::None => 0,
            HeaderRows::At(rows) => rows.iter().copied().max().unwrap_or(0),
        };
        // Their numbers count from the beginning of the file, and each batch begins anew.
        if written.dialect.comment_rows.iter().any(|row| *row > header_end) {
            return Err(CommandError::source_error(format!(
                "{}: the table's dialect has commentRows behind the header, which would be other records in each batch; bring \
                 such a file in with `landfall load`",
                source.name
            ))
            .into());
        }
        let limits = CutterLimits { block_bytes: BLOCK_BYTES, record_bytes: RECORD_BYTES, ..CutterLimits::default() };
        Ok(Self {
            source,
            input: source.open()?,
            cutter: Cutter::new(&written.dialect, written.encoding, limits),
            decoder: Decoder::new(&written.dialect, written.encoding),
            has_header: header_end > 0,
            most,
            held: Vec::new(),
            held_from: 0,
            header: None,
            records: 0,
            lines: 0,
            building: PushBatch::default(),
            ready: VecDeque::new(),
            fault: None,
        })
    }

    /// The next batch, or none at the end of the source.
    ///
    /// # Errors
    /// A source that cannot be read on, a header that cannot be read, and a record that is too long to send.
    pub(super) fn next_batch(&mut self) -> Result<Option<PushBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault.into());
            }
            match self.cutter.next_piece() {
                Some(piece) => self.take_piece(piece)?,
                None if self.cutter.is_finished() => {
                    // A file of a header alone has no piece that would do it.
                    self.start_data()?;
                    self.end_batch();
                    return Ok(self.ready.pop_front());
                }
                None => self.read_more().map_err(|error| self.source.read_error(&error))?,
            }
        }
    }

    fn read_more(&mut self) -> std::io::Result<()> {
        self.cutter.fill_with(|space| {
            let read = self.input.read(space)?;
            self.held.extend_from_slice(&space[..read]);
            Ok(read)
        })
    }

    /// Keeps what stands before the data, once.
    fn start_data(&mut self) -> Result<()> {
        if self.header.is_some() {
            return Ok(());
        }
        let wrong = |reason: &str| Error::source_error(&self.source.name, reason);
        if self.cutter.header_fault().is_some() {
            return Err(wrong("its header cannot be read in the dialect and the encoding of the table").into());
        }
        if self.has_header && self.cutter.header_labels().is_none() {
            return Err(wrong("it has no header, and the table's dialect asks for one").into());
        }
        let start = self.cutter.data_start().unwrap_or_default();
        // With everything before the data: the service reads each batch as a file in the same dialect.
        let length = usize::try_from(start.offset).unwrap_or(usize::MAX).min(self.held.len());
        self.header = Some(self.held.drain(..length).collect());
        (self.held_from, self.lines) = (start.offset, start.line_ends);
        Ok(())
    }

    fn take_piece(&mut self, piece: Piece) -> Result<()> {
        self.start_data()?;
        let (offset, length) = (piece.offset(), usize::try_from(piece.len()).unwrap_or(usize::MAX));
        let before = usize::try_from(offset - self.held_from).unwrap_or(usize::MAX).min(self.held.len());
        let end = before.saturating_add(length).min(self.held.len());
        // From the bytes as they were read: what is decoded has lost quotes and encoding.
        let bytes: Vec<u8> = self.held.drain(..end).skip(before).collect();
        self.held_from = offset + length as u64;
        match piece {
            Piece::Block(block) => {
                let records = self.decoder.decode_block(block);
                self.add_records(&records, &bytes, offset);
                self.lines += u64::from(records.line_end_count());
            }
            Piece::TooLong(record) if record.comment => self.lines += record.line_ends,
            Piece::TooLong(_) => {
                self.end_batch();
                self.fault = Some(CommandError::source_error(format!(
                    "{}:{}: record {} is longer than {} MiB, the most that is sent; what stands before it was sent. Bring the file \
                     in with `landfall load`, which keeps such a record in the quarantine",
                    self.source.name,
                    self.lines + 1,
                    self.records + 1,
                    RECORD_BYTES >> 20
                )));
            }
        }
        Ok(())
    }

    fn add_records(&mut self, records: &Records, bytes: &[u8], offset: u64) {
        for at in 0..records.len() {
            let start = records.byte_offset(at);
            // With its line end, and the comments behind it.
            let end = if at + 1 < records.len() { records.byte_offset(at + 1) } else { bytes.len() };
            let record = &bytes[start..end];
            // A record that is too long for this bound goes alone. The service decides about it.
            let full = self.building.bytes.len() + record.len() > BATCH_BYTES && self.building.record_count() > 0;
            if full || self.building.record_count() == self.most {
                self.end_batch();
            }
            if self.building.record_count() == 0 {
                self.building.first = self.records + 1;
                self.building.offset = offset + start as u64;
            }
            self.building.add_record(record, self.lines + records.lines_before(at) as u64 + 1);
            self.records += 1;
        }
    }

    fn end_batch(&mut self) {
        let mut batch = std::mem::take(&mut self.building);
        if batch.record_count() > 0 {
            batch.header = self.header.clone().unwrap_or_default();
            // Of the compressed file, whose size is known. Progress is measured by it.
            batch.consumed = self.input.consumed_bytes();
            self.ready.push_back(batch);
        }
    }
}
