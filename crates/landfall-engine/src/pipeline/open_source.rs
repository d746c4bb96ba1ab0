//! A source that is open, with its header read and held against the schema.

use std::{io::Read as _, sync::Arc};

use landfall_core::{
    decode::{
        Cutter, CutterLimits, Decoder, HeaderFault, NULL_CELL, Piece, RecordFault, Records, SourceBlock,
        json::JsonDecoder,
    },
    schema::{Dialect, Encoding, HeaderRows, Resource, TableSchema},
    validate::{TargetLimits, Validator},
};

use super::{WorkLimits, layout::SourceLayout};
use crate::{
    error::{Error, Result},
    ledger::Position,
    source::{Source, SourceInput},
};

/// A source that is open: its bytes are cut from the first data record on.
pub(super) struct OpenSource {
    input: SourceInput,
    cutter: Cutter,
    hasher: blake3::Hasher,
    source: Source,
    /// The first piece, where reading the header brought it along.
    first: Option<Piece>,
    /// How its columns lie.
    pub(super) layout: SourceLayout,
    /// Cuts and reads its records.
    pub(super) rules: Arc<RecordRules>,
    /// Where the data begin.
    pub(super) start: Position,
    /// Bytes of a block, about.
    pub(super) block_bytes: usize,
}

/// What turns the bytes of a record into a row or a reject.
#[derive(Debug)]
pub(super) struct RecordRules {
    pub(super) decoder: RecordDecoder,
    pub(super) validator: Validator,
}

/// What cuts records into cells.
#[derive(Debug)]
pub(super) enum RecordDecoder {
    /// Of CSV.
    Csv {
        decoder: Decoder,
        /// For each column the texts that are missing values only without quotes, where the dialect says so.
        unquoted_missing: Option<Vec<Vec<String>>>,
    },
    /// Of JSON rows.
    Json(JsonDecoder),
}

impl RecordDecoder {
    /// The records of a block of a source; of JSON rows, those of an Avro file.
    pub(super) fn decode_block(&self, block: SourceBlock) -> Records {
        match self {
            Self::Csv { decoder, .. } => self.mark_missing(decoder.decode_block(block)),
            Self::Json(decoder) => decoder.decode_block(block),
        }
    }

    /// The record that these bytes are; several where they are more than one.
    pub(super) fn decode_record(&self, raw: &[u8]) -> Records {
        match self {
            Self::Csv { decoder, .. } => self.mark_missing(decoder.decode_record(raw)),
            Self::Json(decoder) => decoder.decode_row(raw),
        }
    }

    /// Several records at once, where that can be done.
    pub(super) fn decode_records(&self, raws: &[Vec<u8>]) -> Option<Records> {
        match self {
            Self::Csv { decoder, .. } => decoder.decode_records(raws).map(|records| self.mark_missing(records)),
            Self::Json(_) => None,
        }
    }

    /// The decoded `records` with the cells that are missing values only without quotes marked as such.
    pub(super) fn mark_missing(&self, mut records: Records) -> Records {
        if let Self::Csv { unquoted_missing: Some(texts), .. } = self {
            records.mark_missing_cells(texts);
        }
        records
    }
}

impl RecordRules {
    /// The rules of `resource` for records that lie as `layout` says, and go to a target with `limits`.
    pub(super) fn new(resource: &Resource, layout: &SourceLayout, limits: &TargetLimits) -> Result<Self> {
        let encoding = layout.encoding(resource.encoding);
        let mut schema = schema_for_layout(resource, layout);
        let unquoted_missing = take_unquoted_missing(resource, layout, &mut schema);
        let validator = Validator::with_limits(Arc::new(schema), layout.column_map(), limits)
            .map_err(|error| Error::Rule(format!("the table {:?} of the data package: {error}", &*resource.name)))?
            .with_ragged(resource.dialect.ragged);
        let decoder = if layout.is_json() {
            RecordDecoder::Json(JsonDecoder::new(&resource.schema))
        } else {
            RecordDecoder::Csv { decoder: Decoder::new(&resource.dialect, encoding), unquoted_missing }
        };
        Ok(Self { decoder, validator })
    }
}

/// The schema of `resource`, with the dialect's null sequence as a text for a missing value; without any such text where records that lie
/// as `layout` says have none.
fn schema_for_layout(resource: &Resource, layout: &SourceLayout) -> TableSchema {
    let mut schema = resource.schema.clone();
    if layout.is_verbatim() {
        // A backup writes a missing value as null, so that each text in it is a value, the empty one too.
        schema.fields.iter_mut().for_each(|field| field.missing_values.clear());
    }
    if resource.dialect.is_mysql() {
        // Also in a mended record whose texts stand for themselves: its missing values are written in this form.
        if !layout.is_json() {
            schema.fields.iter_mut().for_each(|field| field.missing_values.push(NULL_CELL.to_owned()));
        }
    } else if let Some(null) = resource.dialect.null_sequence.as_ref().filter(|_| !layout.is_verbatim()) {
        schema.fields.iter_mut().for_each(|field| field.missing_values.push(null.clone()));
    }
    schema
}

/// For each column the texts that are missing values without quotes, where those with quotes are none. They are taken out of `schema`,
/// since the decoder tells such cells apart and gives them a text of their own.
fn take_unquoted_missing(
    resource: &Resource,
    layout: &SourceLayout,
    schema: &mut TableSchema,
) -> Option<Vec<Vec<String>>> {
    if resource.dialect.quoted_missing || layout.is_json() || layout.is_verbatim() {
        return None;
    }
    let map = layout.column_map();
    let mut texts = vec![Vec::new(); map.width];
    for (field, column) in schema.fields.iter_mut().zip(map.columns) {
        let own = std::mem::replace(&mut field.missing_values, vec![NULL_CELL.to_owned()]);
        if let Some(of_column) = column.and_then(|column| texts.get_mut(column)) {
            *of_column = own;
        }
    }
    Some(texts)
}

/// A piece of the source, and what is known of the source up to the point that was read when it was cut.
pub(super) struct CutPiece {
    pub(super) piece: Piece,
    /// BLAKE3 of the first `digested` bytes.
    pub(super) digest: blake3::Hash,
    pub(super) digested: u64,
    /// Bytes of the file read.
    pub(super) consumed: u64,
}

impl OpenSource {
    /// Opens `source` and reads its header; what stands before the offset `from`, the end of a record, is left out.
    ///
    /// # Errors
    /// A source that cannot be read, or whose header contradicts the schema.
    pub(super) fn new(
        source: &Source,
        resource: &Resource,
        limits: &TargetLimits,
        work: WorkLimits,
        from: u64,
    ) -> Result<Self> {
        let sizes = CutterLimits {
            block_bytes: work.block_bytes,
            record_bytes: source.record_bytes(work.record_bytes),
            block_records: records_of_a_block(resource.schema.fields.len()),
        };
        let mut cutter = new_cutter(source, resource, sizes);
        // The header is read in any case: how the columns lie depends on it.
        cutter.skip_to(from);
        let mut input = source.open()?;
        let mut hasher = blake3::Hasher::new();
        let mut first = cutter.next_piece();
        // A header may be longer than one read.
        while first.is_none() && !cutter.is_finished() && cutter.data_start().is_none() {
            cutter
                .fill_with(|space| read_hashed(&mut input, &mut hasher, space))
                .map_err(|error| source.read_error(&error))?;
            first = cutter.next_piece();
        }
        if let Some(fault) = cutter.header_fault() {
            return Err(Error::source_error(&source.name, header_words(fault)));
        }
        let layout = find_layout(source, resource, &cutter)?;
        let start = cutter
            .data_start()
            .map_or(Position::default(), |start| Position { offset: start.offset, lines: start.line_ends });
        let rules = Arc::new(RecordRules::new(resource, &layout, limits)?);
        let block_bytes = work.block_bytes;
        Ok(Self { input, cutter, hasher, source: source.clone(), first, layout, rules, start, block_bytes })
    }

    /// The next piece, or none at the end of the source.
    ///
    /// # Errors
    /// A source that cannot be read on.
    pub(super) fn next_piece(&mut self) -> Result<Option<CutPiece>> {
        let mut read = |space: &mut [u8]| read_hashed(&mut self.input, &mut self.hasher, space);
        let piece = match self.first.take() {
            Some(first) => Some(first),
            None => self.cutter.read_piece(&mut read).map_err(|error| self.source.read_error(&error))?,
        };
        let (digest, digested) = self.digest_so_far();
        Ok(piece.map(|piece| CutPiece { piece, digest, digested, consumed: self.input.consumed_bytes() }))
    }

    /// BLAKE3 of what was read so far, and how many bytes that is.
    pub(super) fn digest_so_far(&self) -> (blake3::Hash, u64) {
        (self.hasher.finalize(), self.hasher.count())
    }
}

/// The most records of a block of a table with so many fields: each value may be a reject's reason, of some hundred bytes.
fn records_of_a_block(fields: usize) -> usize {
    const VALUES: usize = 32 << 10;
    (VALUES / fields.max(1)).clamp(32, CutterLimits::BLOCK_RECORDS)
}

/// Reads into `space`, and makes what was read a part of the source's digest.
fn read_hashed(input: &mut SourceInput, hasher: &mut blake3::Hasher, space: &mut [u8]) -> std::io::Result<usize> {
    let read = input.read(space)?;
    // After decompression: a file that was only compressed in another way has the same digest.
    hasher.update(&space[..read]);
    Ok(read)
}

/// Cuts the bytes of `source` into records.
fn new_cutter(source: &Source, resource: &Resource, limits: CutterLimits) -> Cutter {
    if !source.is_json() {
        return Cutter::new(&resource.dialect, resource.encoding, limits);
    }
    // JSON escapes the line ends within its strings, so that a line end always ends a row.
    let lines = Dialect { quote_char: None, header: HeaderRows::None, ..Dialect::default() };
    Cutter::new(&lines, Encoding::Utf8, limits)
}

/// How the columns of `source` lie, whose header was read.
fn find_layout(source: &Source, resource: &Resource, cutter: &Cutter) -> Result<SourceLayout> {
    if source.is_json() {
        return Ok(SourceLayout::for_json_rows(&resource.schema).with_verbatim(source.is_verbatim()));
    }
    let encoding = match cutter.encoding() {
        Encoding::Utf16 => Encoding::Utf16Le,
        other => other,
    };
    SourceLayout::for_source(resource, cutter.header_labels(), encoding).map_err(|faults| {
        Error::source_error(
            &source.name,
            format!("its header is not that of the table {:?}: {faults}", &*resource.name),
        )
    })
}

/// Why a header cannot be read, as a sentence.
pub(super) fn header_words(fault: &HeaderFault) -> &'static str {
    match fault {
        HeaderFault::Malformed(RecordFault::Encoding { .. }) => {
            "its header is not text in the declared encoding; set the resource's encoding"
        }
        HeaderFault::Malformed(RecordFault::TooManyCells) => "its header has more columns than any table",
        HeaderFault::Malformed(RecordFault::StrayQuote { .. }) => {
            "its header has a quote within a cell that does not begin with one, which the dialect refuses (strayQuotes)"
        }
        HeaderFault::Malformed(_) => "its header has a quote that is not closed, or text after a closing quote",
        HeaderFault::TooLong => "its header is longer than the limit for a record",
    }
}
