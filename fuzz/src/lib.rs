//! What the targets share: how the first bytes of an input choose what is read, and a reader of all its records.

use landfall_core::{
    decode::{Cutter, CutterLimits, Decoder, Piece},
    schema::{CodePage, Delimiter, Dialect, Encoding, HeaderRows, LineTerminator, StrayQuotes},
};

/// What an input asks for: its first three bytes are digits (also in the seeds), the rest is the source.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    pub dialect: Dialect,
    pub encoding: Encoding,
    pub limits: CutterLimits,
    pub source: &'a [u8],
}

impl<'a> Case<'a> {
    /// The case that `data` asks for.
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (&[dialect, encoding, limits], source) = data.split_first_chunk()?;
        Some(Self {
            dialect: self::dialect(dialect),
            encoding: self::encoding(encoding),
            limits: self::limits(limits),
            source,
        })
    }
}

fn dialect(digit: u8) -> Dialect {
    let none = Dialect { header: HeaderRows::None, ..Dialect::default() };
    match digit {
        b'1' => Dialect { header: HeaderRows::At(vec![1, 2]), ..none },
        b'2' => Dialect { delimiter: b';'.into(), header: HeaderRows::At(vec![1]), ..none },
        b'3' => Dialect { delimiter: b'\t'.into(), quote_char: None, ..none },
        b'4' => Dialect { escape_char: Some(b'\\'), double_quote: false, ..none },
        b'5' => Dialect { comment_char: Some(b'#'), comment_rows: vec![2], ..none },
        b'6' => Dialect { line_terminator: LineTerminator::Custom("||".into()), ..none },
        b'7' => Dialect { skip_initial_space: true, ..none },
        b'8' => Dialect { delimiter: long_delimiter("||"), trim: true, ..none },
        b'9' => Dialect { delimiter: long_delimiter("、"), stray_quotes: StrayQuotes::Reject, ..none },
        _ => none,
    }
}

fn long_delimiter(text: &str) -> Delimiter {
    Delimiter::parse(text).expect("is a delimiter")
}

fn encoding(digit: u8) -> Encoding {
    match digit {
        b'1' => Encoding::Utf16,
        b'2' => Encoding::Utf16Le,
        b'3' => Encoding::Utf16Be,
        b'4' => Encoding::Latin1,
        b'5' => Encoding::SingleByte(encoding_rs::WINDOWS_1252),
        b'6' => Encoding::MultiByte(encoding_rs::SHIFT_JIS),
        b'7' => Encoding::MultiByte(encoding_rs::GB18030),
        b'8' => Encoding::MultiByte(encoding_rs::BIG5),
        b'9' => CodePage::from_label("cp850").map_or(Encoding::Utf8, Encoding::CodePage),
        _ => Encoding::Utf8,
    }
}

fn limits(digit: u8) -> CutterLimits {
    match digit {
        b'1' => CutterLimits { block_bytes: 8, record_bytes: 64, ..CutterLimits::default() },
        b'2' => CutterLimits { block_bytes: 16, record_bytes: 32, ..CutterLimits::default() },
        _ => CutterLimits { block_bytes: 4096, record_bytes: 64, ..CutterLimits::default() },
    }
}

/// What a record of the source came to: where it is, its bytes, and its cells (none where it could not be cut).
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub offset: u64,
    pub raw: Vec<u8>,
    pub cells: Vec<String>,
}

/// All records of a source that arrives in parts of `part` bytes. Asserts that no byte of the data is passed over.
pub fn read(case: &Case<'_>, part: usize) -> Vec<Seen> {
    let decoder = Decoder::new(&case.dialect, case.encoding);
    let mut seen = Vec::new();
    let mut end = None;
    for piece in pieces(case, part) {
        assert!(end.is_none_or(|end| end == piece.offset()), "a gap between two pieces");
        end = Some(piece.offset() + piece.len());
        if let Piece::Block(block) = piece {
            let offset = block.offset();
            let records = decoder.decode_block(block);
            seen.extend((0..records.len()).map(|at| {
                Seen {
                    offset: offset + records.byte_offset(at) as u64,
                    raw: records.raw_bytes(at).to_vec(),
                    cells: (0..records.cell_count(at))
                        .filter_map(|column| records.cell_text(at, column))
                        .map(str::to_owned)
                        .collect(),
                }
            }));
        }
    }
    assert!(end.is_none_or(|end| end == case.source.len() as u64), "the end of the source is missing");
    seen
}

/// All pieces of a source that arrives in parts of `part` bytes.
fn pieces(case: &Case<'_>, part: usize) -> Vec<Piece> {
    let mut cutter = Cutter::new(&case.dialect, case.encoding, case.limits);
    let mut pieces = Vec::new();
    let mut rest = case.source;
    loop {
        pieces.extend(std::iter::from_fn(|| cutter.next_piece()));
        if rest.is_empty() && cutter.is_finished() {
            return pieces;
        }
        if rest.is_empty() {
            cutter.finish_input();
        }
        let taken = cutter.feed_bytes(&rest[..rest.len().min(part)]);
        rest = &rest[taken..];
    }
}
