//! How fast the cutter and the decoder are: a million plain rows and a million fully quoted rows, in memory.
//!
//! `cargo run --release -p landfall-core --example decode_speed`

#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::time::Instant;

use landfall_core::{
    decode::{Cutter, CutterLimits, Decoder, Piece, SourceBlock},
    schema::{Dialect, Encoding, HeaderRows},
};

const ROWS: usize = 1_000_000;

fn main() {
    let plain: String = (0..ROWS).map(|id| row(id, "")).collect();
    let crlf = plain.replace('\n', "\r\n");
    let quoted: String = (0..ROWS).map(|id| row(id, "\"")).collect();
    let doubled = quoted.replace("Harold", "Har\"\"old");
    for (name, text) in [("plain", plain), ("plain, CRLF", crlf), ("quoted", quoted), ("doubled quotes", doubled)] {
        measure(name, text.as_bytes());
    }
}

fn row(id: usize, quote: &str) -> String {
    let cells = [format!("{id}"), "Harold Vogt".into(), "2021-11-07T02:48:42Z".into(), "2".into(), "96".into()];
    cells.map(|cell| format!("{quote}{cell}{quote}")).join(",") + "\n"
}

fn measure(name: &str, text: &[u8]) {
    let dialect = Dialect { header: HeaderRows::None, ..Dialect::default() };
    let best = |times: [f64; 5]| text.len() as f64 / 1e6 / times.into_iter().fold(f64::INFINITY, f64::min);
    let cut = [(); 5].map(|()| timed(|| drop_pieces(&dialect, text)));
    let copied =
        [(); 5].map(|()| timed(|| text.chunks(512 << 10).for_each(|part| drop(std::hint::black_box(part.to_vec())))));
    let decoder = Decoder::new(&dialect, Encoding::Utf8);
    let blocks = blocks(&dialect, text);
    let decode = [(); 5].map(|()| {
        let blocks = blocks.clone();
        timed(|| assert_eq!(blocks.into_iter().map(|block| decoder.decode_block(block).len()).sum::<usize>(), ROWS))
    });
    println!(
        "{name:15} cutter {:6.0} MB/s (copying alone {:6.0}), decoder {:6.0} MB/s",
        best(cut),
        best(copied),
        best(decode)
    );
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn drop_pieces(dialect: &Dialect, text: &[u8]) {
    each_piece(dialect, text, |piece| drop(std::hint::black_box(piece)));
}

fn blocks(dialect: &Dialect, text: &[u8]) -> Vec<SourceBlock> {
    let mut blocks = Vec::new();
    each_piece(dialect, text, |piece| {
        if let Piece::Block(block) = piece {
            blocks.push(block);
        }
    });
    blocks
}

fn each_piece(dialect: &Dialect, mut text: &[u8], mut take: impl FnMut(Piece)) {
    let mut cutter = Cutter::new(dialect, Encoding::Utf8, CutterLimits::default());
    while !cutter.is_finished() {
        let taken = cutter.feed_bytes(text);
        text = &text[taken..];
        if text.is_empty() {
            cutter.finish_input();
        }
        while let Some(piece) = cutter.next_piece() {
            take(piece);
        }
    }
}
