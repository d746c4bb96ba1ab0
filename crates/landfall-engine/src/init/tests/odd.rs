//! Folders and files that are not what one hopes for.

use std::{io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};
use landfall_core::schema::{HeaderMatch, Package, SourcePath};

use super::{folder, loaded, proposal, table, types};
use crate::{
    init::{propose_for_file, propose_project},
    pipeline::SilentObserver,
};

fn refusal(folder: &Path) -> String {
    propose_project(folder, &SilentObserver).expect_err("no table").to_string()
}

#[test]
fn a_folder_without_tables_is_an_error_that_says_why() {
    let bare = folder(&[("readme.md", b"x"), (".hidden.csv", b"a,b\n")]);
    assert!(refusal(bare.path()).contains("has no table: init looks for files that end in .csv"));
    let empty = folder(&[("a.csv", b""), ("b.csv", b"\n\n"), ("notes.txt", b"Dear all,\nplease read on.\nYours\n")]);
    let words = refusal(empty.path());
    for part in ["a.csv is left out: it has no records", "b.csv is left out", "notes.txt is left out: its lines"] {
        assert!(words.contains(part), "{words}");
    }
    assert!(refusal(&bare.path().join("none")).contains("none"));
}

#[test]
fn other_formats_are_named_for_what_they_are() {
    let folder = folder(&[
        ("page.csv", b"<!DOCTYPE html><html>"),
        ("paper.csv", b"%PDF-1.7"),
        ("book.csv", b"PK\x03\x04xl/workbook.xml"),
        ("sheet.xlsx", b"PK"),
    ]);
    let words = refusal(folder.path());
    for part in
        ["page.csv is left out: it is an HTML page", "it is a PDF document", "it is an Excel workbook", "sheet.xlsx is"]
    {
        assert!(words.contains(part), "{words}");
    }
    let words =
        propose_for_file(folder.path(), &folder.path().join("page.csv"), &SilentObserver).expect_err("no table");
    assert!(words.to_string().contains("it is an HTML page"), "{words}");
}

#[test]
fn a_single_file_becomes_a_project_whatever_its_name() {
    let folder = folder(&[("in/ships.dat", b"id,name\n1,A\n2,B\n3,C\n"), ("in/other.csv", b"x,y\n1,2\n")]);
    let file = folder.path().join("in/ships.dat");
    let proposal = propose_for_file(folder.path(), &file, &SilentObserver).expect("a proposal");
    let package = Package::from_yaml(&proposal.package_yaml, "datapackage.yaml").expect("a sound package");
    assert_eq!(package.resources.len(), 1);
    assert_eq!(package.resources[0].paths, [SourcePath("in/ships.dat".into())]);
    assert_eq!(loaded(folder.path(), &package)[0].counts.inserted, 3);
}

#[test]
fn what_stands_before_a_table_and_between_its_records_is_not_read() {
    let (yaml, resource) = table("sep=;\nSales\n\nid;sum\n1;2\n2;3\nid;sum\n3;4\n");
    assert_eq!(types(&resource), "id integer, sum integer");
    assert!(resource.dialect.comment_rows.is_empty());
    for words in [
        "headerRows: [4]",
        "the header occurs 1 time again (line 7), as a record",
        "# commentRows: [7]",
        "1 line of titles",
    ] {
        assert!(yaml.contains(words), "{words} in {yaml}");
    }
}

#[test]
fn broken_files_do_not_hide_the_others() {
    let folder = folder(&[("a.csv", b"id,x\n1,2\n"), ("b.csv.gz", b"\x1f\x8bgarbage"), ("c.csv", b"")]);
    let (proposal, package) = proposal(folder.path());
    assert_eq!(package.resources.len(), 1);
    assert!(proposal.notes.iter().any(|note| note.contains("b.csv.gz")), "{:?}", proposal.notes);
    assert!(proposal.notes.iter().any(|note| note == "a: 1 record in a.csv"), "{:?}", proposal.notes);
}

#[test]
fn a_header_without_records_gives_text() {
    let (yaml, resource) = table("id,name\n");
    assert_eq!(types(&resource), "id string, name string");
    assert!(resource.schema.primary_key.is_empty());
    assert!(yaml.contains("There are no records yet"), "{yaml}");
}

#[test]
fn a_header_that_cannot_give_names_is_passed_over() {
    let folder = folder(&[("t.csv", b"id,Name,name,\n1,a,b,c\n2,d,e,f\n3,g,h,i\n")]);
    let (_, package) = proposal(folder.path());
    assert_eq!(types(&package.resources[0]), "id integer, Name string, name_2 string, column4 string");
    assert_eq!(package.resources[0].dialect.header_match, HeaderMatch::Position);
    let outcomes = loaded(folder.path(), &package);
    assert_eq!((outcomes[0].counts.read, outcomes[0].counts.inserted), (3, 3));
}

#[test]
fn parts_of_a_table_become_one() {
    let files: [(&str, &[u8]); 6] = [
        ("sales_2020.csv", b"id,sum\n1,2\n2,3\n"),
        ("sales_2021.csv", b"id,sum\n3,2.5\n4,3\n"),
        ("sales_2022.csv", b"id,total\n5,2\n"),
        ("data/part-1.csv", b"id,x\n1,a\n2,b\n"),
        ("data/part-2.csv", b"id,x\n3,c\n4,d\n"),
        ("data/part.csv", b"id,y\n1,e\n2,f\n"),
    ];
    let folder = folder(&files);
    let (_, package) = proposal(folder.path());
    let found: Vec<_> = package.resources.iter().map(|one| (&*one.name, one.paths.clone(), types(one))).collect();
    let path = |text: &str| SourcePath(text.into());
    let expected = [
        ("sales", vec![path("sales_2020.csv"), path("sales_2021.csv")], "id integer, sum number".to_owned()),
        ("sales_2022", vec![path("sales_2022.csv")], "id string, total string".into()),
        ("part", vec![path("data/part-*.csv")], "id integer, x string".into()),
        ("part_2", vec![path("data/part.csv")], "id integer, y string".into()),
    ];
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.0, &found.1), (expected.0, &expected.1));
    }
    assert_eq!((&found[0].2, &found[2].2), (&expected[0].2, &expected[2].2));
    assert_eq!(loaded(folder.path(), &package).iter().map(|outcome| outcome.counts.inserted).sum::<u64>(), 11);
}

#[test]
fn compressed_and_tab_separated_files_are_read() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"id\tname\n1\tA, b\n2\tC\n3\tD\n").expect("compressed");
    let folder = folder(&[("Größe & Co.TSV.gz", &gzip.finish().expect("compressed"))]);
    let (_, package) = proposal(folder.path());
    assert_eq!(&*package.resources[0].name, "größe_co");
    assert_eq!(package.resources[0].dialect.delimiter, b'\t');
    assert_eq!(loaded(folder.path(), &package)[0].counts.inserted, 3);
}

#[test]
fn broken_records_are_counted_with_their_lines() {
    let mut text = String::from("id,name\n");
    (1..=100).for_each(|id| text.push_str(&format!("{id},n\n")));
    text.push_str("101\n102,a,b\n,\n\"103,x\n");
    let (yaml, resource) = table(&text);
    assert_eq!(types(&resource), "id integer, name string");
    for words in ["missing-cell: 1 record with too few cells (line 102)", "extra-cell: 1 record", "blank-row: 1 record"]
    {
        assert!(yaml.contains(words), "{words} in {yaml}");
    }
    assert!(yaml.contains("source-error: 1 record"), "{yaml}");
}

#[test]
fn names_are_quoted_where_yaml_asks_for_it() {
    let folder = folder(&[("no.csv", "id,\"a: b\",#c,true,\u{2028}x\n1,2,3,4,5\n2,3,4,5,6\n".as_bytes())]);
    let (_, package) = proposal(folder.path());
    let names: Vec<&str> = package.resources[0].schema.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names[..4], ["id", "a: b", "#c", "true"]);
    assert_eq!(loaded(folder.path(), &package)[0].counts.inserted, 2);
}

/// The promise is 2 seconds for a release build; this one is slower by about five times, and other tests run beside it.
#[test]
fn many_columns_and_records_take_seconds() {
    let mut text: String = (0..250).map(|at| format!("c{at},")).collect();
    for record in 0..400 {
        text.push('\n');
        for at in 0..250 {
            text.push_str(&match at % 5 {
                0 => format!("{},", record * at),
                1 => format!("{}.{},", record, at % 90),
                2 => format!("2024-01-{:02},", record % 28 + 1),
                3 => format!("word {record},"),
                _ => String::from(","),
            });
        }
    }
    let begun = std::time::Instant::now();
    let (_, resource) = table(&text);
    assert_eq!(resource.schema.fields.len(), 251);
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn many_columns_are_no_trouble() {
    let header: Vec<String> = (0..3000).map(|at| format!("c{at}")).collect();
    let record: Vec<String> = (0..3000).map(|at| at.to_string()).collect();
    let (yaml, resource) = table(&format!("{}\n{}\n", header.join(","), record.join(",")));
    assert_eq!(resource.schema.fields.len(), 3000);
    assert!(yaml.contains("3000 columns are more than SQLite holds"));
}
