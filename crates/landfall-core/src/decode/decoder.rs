//! The decoder: from a block to records with cells. Immutable, to be shared by threads.

use super::{
    block::{RecordMark, SourceBlock},
    draft::{RecordsDraft, replace_invalid_utf8, to_u32, to_usize_range},
    lines::Terminator,
    plain, quoted,
    records::{CellSpan, RecordFault, Records},
    rules::ScanRules,
    transcode::{SourceRuler, UndefinedBytes, decode_text, first_invalid},
};
use crate::schema::{Dialect, Encoding, LineTerminator};

/// Cuts blocks into cells.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// The rules for UTF-8 text.
    rules: ScanRules,
    encoding: Encoding,
    undefined: Option<UndefinedBytes>,
}

impl Decoder {
    /// The decoder for the blocks of a [`Cutter`](super::Cutter) with the same dialect and encoding.
    #[must_use]
    pub fn new(dialect: &Dialect, encoding: Encoding) -> Self {
        let terminator = match &dialect.line_terminator {
            LineTerminator::Any => Terminator::Any,
            LineTerminator::Custom(text) => Terminator::Custom(text.as_bytes().to_vec()),
        };
        let undefined = match encoding {
            Encoding::SingleByte(encoding) => Some(UndefinedBytes::for_encoding(encoding)),
            Encoding::CodePage(page) => Some(UndefinedBytes::for_code_page(page)),
            _ => None,
        };
        let delimiter = dialect.delimiter.as_str().as_bytes();
        Self { rules: ScanRules::new(dialect, delimiter, terminator), encoding, undefined }
    }

    /// The records of a block. Comments are left out.
    #[must_use]
    pub fn decode_block(&self, block: SourceBlock) -> Records {
        let SourceBlock { bytes, encoding, marks, .. } = block;
        match encoding {
            Encoding::Utf8 => self.decode_utf8(bytes, marks.as_deref()),
            Encoding::Latin1 | Encoding::SingleByte(_) | Encoding::MultiByte(_) | Encoding::CodePage(_)
                if bytes.is_ascii() =>
            {
                self.decode_utf8(bytes, marks.as_deref())
            }
            _ => self.decode_other(bytes, encoding, marks.as_deref()),
        }
    }

    /// Decodes the bytes of a single record, with or without its line terminator. Without a fault that is one record;
    /// several (or none) only where the bytes have line ends outside quotes (or are a comment).
    ///
    /// UTF-16 is little-endian here, unless the encoding says otherwise: see [`Cutter::encoding`](super::Cutter::encoding).
    #[must_use]
    pub fn decode_record(&self, raw: &[u8]) -> Records {
        if raw.is_empty() {
            let mut blank =
                RecordsDraft { cells: vec![CellSpan::default()], firsts: vec![0, 1], ..RecordsDraft::default() };
            blank.end_record(0..0, 0);
            return blank.into_records(String::new(), None);
        }
        self.decode_block(SourceBlock {
            offset: 0,
            bytes: raw.to_vec(),
            encoding: self.encoding,
            marks: Some(Vec::new()),
        })
    }

    /// Decodes the bytes of several records, each without its line terminator, as if they stood one after the other in a
    /// source. None where that cannot be said in their encoding; with another number of records than were given, some
    /// of them are not whole records.
    #[must_use]
    pub fn decode_records(&self, raws: &[Vec<u8>]) -> Option<Records> {
        if matches!(self.encoding, Encoding::Utf16 | Encoding::Utf16Le | Encoding::Utf16Be) {
            return None;
        }
        let end = self.rules.terminator.line_end_text();
        let mut bytes = Vec::with_capacity(raws.iter().map(|raw| raw.len() + end.len()).sum());
        for raw in raws {
            bytes.extend_from_slice(raw);
            bytes.extend_from_slice(end);
        }
        Some(self.decode_block(SourceBlock { offset: 0, bytes, encoding: self.encoding, marks: Some(Vec::new()) }))
    }

    fn decode_utf8(&self, bytes: Vec<u8>, marks: Option<&[RecordMark]>) -> Records {
        let mut draft = self.draft_records(&bytes, marks);
        match String::from_utf8(bytes) {
            Ok(text) => draft.into_records(text, None),
            Err(error) => {
                let source = error.into_bytes();
                let faults = self.invalid_records(&draft, &source, Encoding::Utf8);
                let text = blot_faulty_records(source.clone(), &draft, &faults);
                draft.reject_records(faults);
                draft.into_records(text, Some(source))
            }
        }
    }

    fn decode_other(&self, source: Vec<u8>, encoding: Encoding, marks: Option<&[RecordMark]>) -> Records {
        let text = decode_text(&source, encoding);
        let marks = marks.map(|marks| SourceRuler::new(&text, &source, encoding).marks_in_text(marks, encoding));
        let mut draft = self.draft_records(text.as_bytes(), marks.as_deref());
        let raws = SourceRuler::new(&text, &source, encoding).source_ranges(&draft.raws);
        let in_text = std::mem::replace(&mut draft.raws, raws);
        let faults = self.invalid_records(&draft, &source, encoding);
        let raws = std::mem::replace(&mut draft.raws, in_text);
        let text = if faults.is_empty() { text } else { blot_faulty_records(text.into_bytes(), &draft, &faults) };
        draft.reject_records(faults);
        draft.raws = raws;
        draft.into_records(text, Some(source))
    }

    fn draft_records(&self, text: &[u8], marks: Option<&[RecordMark]>) -> RecordsDraft {
        match marks {
            None if self.rules.can_be_plain() => plain::cut_plain_text(text, &self.rules),
            None => quoted::cut_marked_text(text, &self.rules, &[]),
            Some(marks) => quoted::cut_marked_text(text, &self.rules, marks),
        }
    }

    /// The records that are not valid in the encoding, by the ranges of the source.
    fn invalid_records(&self, draft: &RecordsDraft, source: &[u8], encoding: Encoding) -> Vec<(u32, RecordFault)> {
        let invalid = |source: &[u8]| first_invalid(source, encoding, self.undefined.as_ref());
        let fault = |offset| RecordFault::Encoding { offset: to_u32(offset) };
        if encoding == Encoding::Utf8 {
            return invalid_utf8(draft, source).map(|(record, offset)| (to_u32(record), fault(offset))).collect();
        }
        if invalid(source).is_none() {
            return Vec::new();
        }
        let records = draft.raws.iter().enumerate();
        records.filter_map(|(at, raw)| Some((to_u32(at), fault(invalid(&source[to_usize_range(raw)])?)))).collect()
    }
}

/// The records that are not UTF-8, with the offset of the first invalid byte in each: found by reading on from one to the next,
/// since most records are valid. No character reaches from one record into another: what ends a record is one itself.
fn invalid_utf8<'a>(draft: &'a RecordsDraft, source: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + first_invalid(&source[from..], Encoding::Utf8, None)?;
            let record = draft.raws.partition_point(|raw| raw.end as usize <= at);
            match draft.raws.get(record).map(to_usize_range) {
                Some(raw) if raw.contains(&at) => {
                    from = raw.end;
                    return Some((record, at - raw.start));
                }
                // In a comment.
                _ => from = at + 1,
            }
        }
    })
}

/// The text with `?` in the place of every byte of the records with faults, and of what else is not UTF-8 (comments).
fn blot_faulty_records(mut text: Vec<u8>, draft: &RecordsDraft, faults: &[(u32, RecordFault)]) -> String {
    for (record, _) in faults {
        text[to_usize_range(&draft.raws[*record as usize])].fill(b'?');
    }
    replace_invalid_utf8(text)
}
