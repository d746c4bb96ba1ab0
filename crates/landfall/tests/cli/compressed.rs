//! Compressed files with more than one member, and with something behind the last one.

use std::io::Write as _;

use crate::support::{Project, audit::number};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A frame that readers of Zstandard pass by.
fn skippable(content: &[u8]) -> Vec<u8> {
    [&b"\x50\x2A\x4D\x18"[..], &u32::try_from(content.len()).unwrap().to_le_bytes(), content].concat()
}

fn halves() -> (Vec<u8>, Vec<u8>) {
    let lines =
        |ids: std::ops::RangeInclusive<u32>| -> String { ids.map(|id| format!("{id},name {id},1\n")).collect() };
    let second = format!("{}x,no number,1\n{}", lines(2001..=3000), lines(3001..=4000));
    (format!("id,name,age\n{}", lines(1..=2000)).into_bytes(), second.into_bytes())
}

#[test]
fn what_stands_between_and_behind_members_is_no_data() {
    let (first, second) = halves();
    for (name, bytes) in [
        ("people.csv.gz", [gzip(&first), gzip(&second), vec![0; 4096]].concat()),
        ("people.csv.gz", [gzip(&first), vec![0; 512], gzip(&second)].concat()),
        (
            "people.csv.zst",
            [skippable(b"index"), zstandard(&first), skippable(&[0; 3000]), zstandard(&second)].concat(),
        ),
        ("people.csv.zst", [zstandard(&first), zstandard(&second), skippable(b"")].concat()),
    ] {
        let project = Project::people("");
        project.write(name, bytes);
        let source = format!("people={name}");
        let load = ["load", source.as_str(), "-q", "--chunk-records", "100", "--block-bytes", "1000", "--max-rejects"];
        project.run(&[&load[..], &["0"]].concat()).exits(10);
        let count = || number(&project.database(), "SELECT count(*) FROM people");
        assert!((2000..4000).contains(&count()), "{name}");
        // It goes on within the second member.
        project.run(&[&load[..], &["1"]].concat()).exits(0);
        assert_eq!(count(), 4000, "{name}");
        project.assert_nothing_wrong();
    }
}

#[test]
fn bytes_behind_the_last_member_were_an_unexpected_end_of_file() {
    let (first, _) = halves();
    for (name, member, format) in
        [("people.csv.gz", gzip(&first), "gzip"), ("people.csv.zst", zstandard(&first), "Zstandard")]
    {
        let project = Project::people("");
        project.write(name, [&member[..], b"\n<html>\n"].concat());
        let error = project.run(&["load", &format!("people={name}"), "-q"]).exits(4).stderr;
        let place = format!("from byte {} of the file on, stand bytes that are no {format}", member.len() + 1);
        assert!(error.contains(name) && error.contains(&place), "{error}");
        project.write(name, &member[..member.len() / 2]);
        let error = project.run(&["load", &format!("people={name}"), "-q"]).exits(4).stderr;
        assert!(error.contains(&format!("its {format} data end too early: the file was cut off")), "{error}");
    }
}
