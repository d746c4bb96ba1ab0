//! Each codec that can be written here; the others are read from the conformance files.

use std::io::Write as _;

use super::*;

pub(super) fn compressed(codec: &str, bytes: &[u8]) -> Vec<u8> {
    match codec {
        "deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "snappy" => {
            let packed = snap::raw::Encoder::new().compress_vec(bytes).unwrap();
            [packed, crc32fast::hash(bytes).to_be_bytes().to_vec()].concat()
        }
        "bzip2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "zstandard" => zstd::stream::encode_all(bytes, 1).unwrap(),
        _ => bytes.to_vec(),
    }
}

const CODECS: [&str; 5] = ["null", "deflate", "snappy", "bzip2", "zstandard"];

fn expected(range: std::ops::Range<i64>) -> String {
    range.map(|id| format!("{{\"id\":{id},\"s\":\"row {id}\"}}\n")).collect()
}

#[test]
fn blocks_of_each_codec_are_read() {
    let reading = reading(PAIR, PAIR_FIELDS);
    for codec in CODECS {
        let file = [
            header(PAIR, codec),
            block(20_000, &compressed(codec, &pairs(0..20_000))),
            block(0, &compressed(codec, &[])),
            block(1, &compressed(codec, &pairs(20_000..20_001))),
        ]
        .concat();
        let (text, error) = lines(&file, &reading);
        assert_eq!(error, None, "{codec}");
        assert_eq!(text, expected(0..20_001), "{codec}");
    }
}

#[test]
fn bytes_behind_the_rows_or_too_few_are_told() {
    let reading = reading(PAIR, PAIR_FIELDS);
    for codec in CODECS {
        let of = |count: i64, bytes: &[u8]| {
            let sound = block(2, &compressed(codec, &pairs(0..2)));
            [header(PAIR, codec), sound, block(count, bytes)].concat()
        };
        let packed = compressed(codec, &pairs(0..3));
        let (text, error) = lines(&of(2, &packed), &reading);
        assert_eq!(error.unwrap(), "block 2, row 2: it has more bytes than its rows: the file is damaged", "{codec}");
        assert_eq!(text, expected(0..2) + &expected(0..2), "the rows before are read: {codec}");
        let (_, error) = lines(&of(4, &packed), &reading);
        assert_eq!(error.unwrap(), "block 2, row 4: it does not end within its block: the file is damaged", "{codec}");
        let (_, error) = lines(&of(3, &[packed.as_slice(), b"x"].concat()), &reading);
        assert!(error.unwrap().starts_with("block 2"), "{codec}");
        let whole = of(3, &packed);
        for cut in 1..packed.len() + 17 {
            let (_, error) = lines(&whole[..whole.len() - cut], &reading);
            assert!(error.is_some_and(|error| error.starts_with("block 2")), "{codec}, {cut} bytes are missing");
        }
    }
}

#[test]
fn a_checksum_of_snappy_is_checked() {
    let mut packed = compressed("snappy", &pairs(0..1));
    *packed.last_mut().unwrap() ^= 1;
    let (_, error) = lines(&[header(PAIR, "snappy"), block(1, &packed)].concat(), &reading(PAIR, PAIR_FIELDS));
    assert_eq!(error.unwrap(), "block 1: its checksum is wrong: the file is damaged");
}

#[test]
fn other_codecs_are_named() {
    let (_, error) = lines(&header(PAIR, "lz4"), &reading(PAIR, PAIR_FIELDS));
    assert!(error.unwrap().starts_with("its codec \"lz4\" is not known"));
}
