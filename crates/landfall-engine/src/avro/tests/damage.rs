//! Damaged and hostile files: an error that says where, in bounded memory.

use proptest::prelude::*;

use super::*;

#[test]
fn what_is_no_avro_is_told() {
    let reading = reading(PAIR, PAIR_FIELDS);
    let error = |bytes: &[u8]| lines(bytes, &reading).1.unwrap();
    assert!(error(b"id,name\n").starts_with("it is not an Avro file"));
    assert!(error(b"").starts_with("it is not an Avro file"));
    assert!(error(&header(PAIR, "null")[..30]).starts_with("it ends within its header"));
    assert!(error(b"Obj\x01\x00").starts_with("its header has no schema"));
    assert!(error(&header("{", "null")).contains("the Avro schema is not JSON"));
    assert!(error(&header("\"int\"", "null")).starts_with("it has another schema"));
    let long_header = [b"Obj\x01".to_vec(), long(1), long(i64::MAX), vec![b'x'; 17 << 20]].concat();
    assert!(error(&long_header).starts_with("its header has more than"));
}

#[test]
fn a_file_that_is_cut_or_changed_is_told_with_its_place() {
    let reading = reading(PAIR, PAIR_FIELDS);
    let head = header(PAIR, "null");
    let sound = block(2, &pairs(0..2));
    let file = [head.clone(), sound.clone(), sound].concat();
    let error = |bytes: &[u8]| lines(bytes, &reading).1.unwrap();
    for end in head.len() + 1..file.len() {
        if end != head.len() + (file.len() - head.len()) / 2 {
            let found = error(&file[..end]);
            assert!(found.contains("the file ends within it: it is not whole"), "{end}: {found}");
        }
    }
    let mut changed = file.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(error(&changed), "block 2, row 2: behind it does not stand what ends a block: the file is damaged");
    let negative = [head.clone(), long(-1), long(0), SYNC.to_vec()].concat();
    assert_eq!(error(&negative), "block 1: it has a negative number of rows or bytes: the file is damaged");
    let bad = [head, block(2, &[pair(1, "a"), vec![2, 6]].concat())].concat();
    assert_eq!(error(&bad), "block 1, row 2: the field \"s\": it has number 3 of 2 branches");
}

/// Where a reader met an error once, it must not seem to be at the end.
#[test]
fn an_error_stays() {
    let file = [header(PAIR, "null"), block(2, &pairs(0..1))].concat();
    let mut input = AvroInput::new_over(&file[..], reading(PAIR, PAIR_FIELDS)).unwrap();
    let mut text = String::new();
    assert!(input.read_to_string(&mut text).is_err());
    assert!(input.read(&mut [0; 10]).is_err());
}

#[test]
fn rows_of_nothing_are_counted() {
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"s","type":"null"}]}"#;
    let reading = reading(schema, "[{name: s, type: string}]");
    let file = |count| [header(schema, "null"), block(count, &[])].concat();
    assert_eq!(lines(&file(3), &reading), ("{\"s\":null}\n".repeat(3), None));
    let (_, error) = lines(&file(i64::MAX), &reading);
    assert_eq!(error.unwrap(), "block 1, row 1000001: more than 1000000 rows have no bytes");
}

#[test]
fn a_bomb_is_stopped_at_the_bound() {
    let reading = reading(PAIR, PAIR_FIELDS);
    let rows = 2_000_000;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &pair(1, "aaaaaaa").repeat(rows)).unwrap();
    let file = [header(PAIR, "deflate"), block(rows as i64, &encoder.finish().unwrap())].concat();
    let mut input = AvroInput::new_over(&file[..], reading.clone()).unwrap().with_limit(Some(1 << 20));
    let error = std::io::copy(&mut input, &mut std::io::sink()).unwrap_err().to_string();
    assert!(error.ends_with("the file is more than 1048576 bytes when it is decompressed"), "{error}");
    let claims = [snap_claim(u64::from(u32::MAX)), snap_claim(65 << 20)];
    for claim in claims {
        let file = [header(PAIR, "snappy"), block(1, &claim)].concat();
        assert!(lines(&file, &reading).1.unwrap().starts_with("block 1: "));
    }
    let long_row = [header(PAIR, "null"), block(1, &[long(1), vec![2], long(17 << 20), vec![b'a'; 17 << 20]].concat())];
    assert!(lines(&long_row.concat(), &reading).1.unwrap().contains("a value of 17825792 bytes"));
}

/// A block of snappy that says that it is `length` bytes.
fn snap_claim(mut length: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length > 0x7f {
        bytes.push((length as u8) | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [bytes, vec![0; 8]].concat()
}

/// A row of several bufferfuls.
#[test]
fn a_long_row_is_read() {
    let reading = reading(PAIR, PAIR_FIELDS);
    let text = "é".repeat(1 << 20);
    let file = [header(PAIR, "null"), block(2, &[pair(1, &text), pair(2, "b")].concat())].concat();
    let (found, error) = lines(&file, &reading);
    assert_eq!(error, None);
    assert_eq!(found, format!("{{\"id\":1,\"s\":\"{text}\"}}\n{{\"id\":2,\"s\":\"b\"}}\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn damaged_files_give_whole_lines_and_an_error_at_most(
        codec in prop::sample::select(vec!["null", "deflate", "snappy", "bzip2", "zstandard"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        end: prop::sample::Index,
        cut: bool,
    ) {
        let rows = pairs(0..5);
        let file = [header(PAIR, codec), block(5, &super::codecs::compressed(codec, &rows))].concat();
        let mut bytes = file.clone();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        let (text, error) = lines(&bytes, &reading(PAIR, PAIR_FIELDS));
        prop_assert!(text.is_empty() || text.ends_with('\n'));
        prop_assert!(bytes != file || (error.is_none() && text.lines().count() == 5));
    }
}
