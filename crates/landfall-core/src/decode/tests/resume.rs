//! Going on from an offset that was handed out before.

use super::*;

fn pieces(dialect: &Dialect, source: &[u8], block_bytes: usize, skip_to: u64) -> Vec<Piece> {
    let mut cutter = Cutter::new(dialect, Encoding::Utf8, CutterLimits { block_bytes, ..CutterLimits::default() });
    cutter.skip_to(skip_to);
    let mut pieces = Vec::new();
    let mut rest = source;
    while !cutter.is_finished() {
        let taken = cutter.feed_bytes(rest);
        rest = &rest[taken..];
        if rest.is_empty() {
            cutter.finish_input();
        }
        pieces.extend(std::iter::from_fn(|| cutter.next_piece()));
    }
    assert!(cutter.header_labels().is_some());
    pieces
}

fn cells_from(dialect: &Dialect, source: &[u8], block_bytes: usize, skip_to: u64) -> Vec<Vec<String>> {
    let decoder = Decoder::new(dialect, Encoding::Utf8);
    let mut cells = Vec::new();
    for piece in pieces(dialect, source, block_bytes, skip_to) {
        let Piece::Block(block) = piece else { continue };
        let part = DecodedPart { offset: 0, len: 0, lines_before: 0, records: Ok(decoder.decode_block(block)) };
        cells.extend(rows_of_part(&part).into_iter().map(|row| row.cells));
    }
    cells
}

#[test]
fn what_stands_before_the_offset_is_left_out() {
    for comment_rows in [vec![], vec![3, 7, 9, 11]] {
        let dialect = Dialect { comment_rows, ..Dialect::default() };
        let source = b"id,name\n1,\"a\nb\"\n2,c\n3,d\n4,\"e\"\n5,f\n6,g\n7,h\n8,i\n9,j\n10,k\n";
        let whole = rows(&dialect, source);
        for (at, row) in whole.iter().enumerate() {
            for block_bytes in [1, 7, 30, 1000] {
                let found = cells_from(&dialect, source, block_bytes, row.offset);
                let expected: Vec<_> = whole[at..].iter().map(|row| row.cells.clone()).collect();
                assert_eq!(found, expected, "from {} in blocks of {block_bytes}", row.offset);
            }
        }
    }
}

#[test]
fn nothing_is_left_after_the_end() {
    let source = b"id\n1\n2\n";
    assert!(pieces(&Dialect::default(), source, 4, source.len() as u64).is_empty());
}
