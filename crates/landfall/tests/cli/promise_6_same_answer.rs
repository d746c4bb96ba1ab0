//! Promise 6: rows and rejects do not depend on threads, on how the work is cut, or on how the bytes arrive.

use std::io::Write as _;

use crate::support::{
    Project,
    audit::{content, rows},
    staff::{self, File},
};
use rusqlite::types::Value;
use serde_json::Value as Json;

/// Rows, and rejects with place, bytes and errors.
type Answer = (Vec<Vec<Value>>, Vec<Vec<Value>>);

fn answer(project: &Project) -> Answer {
    told(project, "line, byte_offset, length, raw, errors")
}

fn told(project: &Project, columns: &str) -> Answer {
    let sql = format!("SELECT record, {columns} FROM landfall_rejects WHERE table_name = 'staff' ORDER BY record");
    (content(project, "staff"), rows(&project.database(), &sql))
}

/// A dirty file with every kind of wrong quote, between good records.
fn messy() -> File {
    let mut file = File::dirty(61, 1, 500);
    for (at, line) in [
        "9001,\"never closed,1,1",
        "9002,in\"side,1,1",
        "9003,\"a\"\"b\",1,1",
        "9004,\"a\"b\"c\",1,1",
        "9005,\"\",1,1",
        "9006,\"\"\"\",1,1",
        "\"9007\",\"x\" ,1,1",
        "9008, \"x\",1,1",
        "9009,\"two\nlines\",1,\"1\"",
        "9010,\"odd \"\"\" quotes\",1,1",
        "\"",
        "\"\"",
        ",,,",
        "9011,'x',1,1",
        "9012,\"x\"\"",
        "9013,\"last\nof\n\nall\",1,21",
    ]
    .iter()
    .enumerate()
    {
        file.bytes.extend_from_slice(line.as_bytes());
        file.bytes.push(b'\n');
        file.add_dirty(62 + at as u64, 10_000 + 100 * at as i64, 20);
    }
    file
}

fn loaded(bytes: &[u8], name: &str, options: &[String]) -> Project {
    let project = staff::project();
    project.run(&["load", "teams", "-q"]).exits(0);
    let source = format!("staff={name}");
    let arguments: Vec<&str> = ["load", &source, "-q"].into_iter().chain(options.iter().map(String::as_str)).collect();
    if name == "-" {
        project.run_with_input(&arguments, bytes).exits(0);
    } else {
        project.write(name, bytes);
        project.run(&arguments).exits(0);
    }
    project
}

fn cuts() -> Vec<Vec<String>> {
    let mut cuts = Vec::new();
    for (at, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        for (other, block) in [Some(64), Some(1000), Some(4096), None].into_iter().enumerate() {
            let chunk = [1, 7, 1000, 100_000][(at + other) % 4];
            let mut cut = vec![format!("--threads={threads}"), format!("--chunk-records={chunk}")];
            cut.extend(block.map(|bytes| format!("--block-bytes={bytes}")));
            cuts.push(cut);
        }
    }
    cuts
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn threads_blocks_and_chunks_do_not_matter() {
    let file = messy();
    let expected = answer(&loaded(&file.bytes, "staff.csv", &[]));
    assert!(expected.0.len() > 600 && expected.1.len() > 80, "{} {}", expected.0.len(), expected.1.len());
    for cut in cuts() {
        assert!(answer(&loaded(&file.bytes, "staff.csv", &cut)) == expected, "{cut:?}");
    }
}

#[test]
fn every_chunk_size_with_every_block_size_gives_the_same() {
    let file = messy();
    let expected = answer(&loaded(&file.bytes, "staff.csv", &[]));
    for chunk in [1, 7, 1000] {
        for block in [64, 1000, 4096] {
            let cut = [format!("--chunk-records={chunk}"), format!("--block-bytes={block}")];
            assert!(answer(&loaded(&file.bytes, "staff.csv", &cut)) == expected, "{cut:?}");
        }
    }
}

#[test]
fn compression_and_standard_input_do_not_matter() {
    let file = messy();
    let expected = answer(&loaded(&file.bytes, "staff.csv", &[]));
    let zstd = zstd::encode_all(&*file.bytes, 1).unwrap();
    let halves = file.bytes.split_at(file.bytes.len() / 2);
    let two_members = [gzip(halves.0), gzip(halves.1)].concat();
    for (bytes, name) in [
        (&gzip(&file.bytes), "staff.csv.gz"),
        (&two_members, "two.csv.gz"),
        (&zstd, "staff.csv.zst"),
        (&file.bytes, "-"),
        (&gzip(&file.bytes), "-"),
        (&zstd, "-"),
    ] {
        for cut in [vec![], vec!["--block-bytes=64".to_owned(), "--chunk-records=7".to_owned()]] {
            assert!(answer(&loaded(bytes, name, &cut)) == expected, "{name} {cut:?}");
        }
    }
}

#[test]
fn line_ends_do_not_matter_but_for_offsets() {
    // No line ends within quotes here: those are content, and stay what they are.
    let made = messy();
    let text: Vec<u8> = made.bytes;
    let plain: Vec<&[u8]> = text.split(|&byte| byte == b'\n').filter(|line| !line.contains(&b'\r')).collect();
    // The messages show the beginning of a value, which holds less of it where line ends are longer.
    let columns = "line, raw, (SELECT group_concat(value ->> 'code' || ' ' || ifnull(value ->> 'field', '-')) \
                   FROM json_each(errors))";
    let expected = told(&loaded(&plain.join(&b'\n'), "staff.csv", &[]), columns);
    let crlf = plain.join(&b"\r\n"[..]);
    let texts = |rows: &[Vec<Value>]| -> Vec<String> {
        rows.iter().map(|row| format!("{row:?}").replace("\\r\\n", "\\n").replace("13, 10", "10")).collect()
    };
    for cut in cuts().into_iter().step_by(3) {
        let found = told(&loaded(&crlf, "staff.csv", &cut), columns);
        assert_eq!(texts(&found.0), texts(&expected.0), "{cut:?}");
        assert_eq!(texts(&found.1), texts(&expected.1), "{cut:?}");
    }
}

#[test]
fn check_reports_just_the_rejects_that_a_load_stores() {
    let project = staff::project();
    project.write("staff.csv", messy().bytes);
    let mut answers: Vec<Vec<Json>> = Vec::new();
    for cut in cuts().into_iter().step_by(5) {
        let arguments = ["check".to_owned(), "--json".to_owned()].into_iter().chain(cut).collect::<Vec<_>>();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        answers.push(project.run(&arguments).exits(1).json_list());
    }
    project.run(&["load", "-q"]).exits(0);
    let mut stored = project.run(&["rejects", "list", "--json"]).exits(0).json_list();
    for reject in &mut stored {
        for key in ["id", "load_id", "state"] {
            reject.as_object_mut().unwrap().shift_remove(key).unwrap();
        }
    }
    for checked in answers {
        assert_eq!(checked.len(), stored.len());
        for (checked, stored) in checked.iter().zip(&stored) {
            assert_eq!(checked, stored);
        }
    }
}

#[test]
fn a_source_split_over_several_commands_gives_the_same() {
    let file = messy();
    let whole = loaded(&file.bytes, "staff.csv", &[]);
    let project = staff::project();
    project.write("staff.csv", &file.bytes);
    for most in [3, 10, 25, 60] {
        let most = most.to_string();
        project.run(&["load", "-q", "--max-rejects", &most, "--chunk-records", "5", "--block-bytes", "300"]).exits(10);
    }
    project.run(&["load", "-q"]).exits(0);
    assert!(answer(&project) == answer(&whole));
}
