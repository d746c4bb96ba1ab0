//! Documents: what is kept by kind and name.

use landfall_engine::{
    Error, TargetErrorKind,
    document::{DocumentFilter, NewDocument},
};

use crate::{ground::Ground, tables::within};

fn new(name: &str, body: &[u8]) -> NewDocument {
    NewDocument { kind: "task", name: name.to_owned(), body: body.to_vec() }
}

fn names(documents: &[landfall_engine::document::Document]) -> Vec<&str> {
    documents.iter().map(|document| document.name.as_str()).collect()
}

fn a_document_is_kept_as_it_is(ground: &Ground) {
    let mut target = ground.open();
    let bodies: [&[u8]; 3] = [b"", b"\x00\xff'\\", "ä€😀".as_bytes()];
    within(&mut *target, |transaction| {
        let documents: Vec<_> = bodies.iter().enumerate().map(|(at, body)| new(&format!("Ä' \\{at}"), body)).collect();
        transaction.add_documents(&documents).unwrap();
        assert_eq!(transaction.find_document("task", "Ä' \\1").unwrap().unwrap().body, bodies[1]);
    });
    let reader = ground.read();
    let found = reader.find_documents(&DocumentFilter::all_of_kind("task")).unwrap();
    assert_eq!(found.iter().map(|document| &document.body[..]).collect::<Vec<_>>(), bodies);
    assert!(found.iter().all(|document| document.version == 1 && document.kind == "task"));
    assert_eq!(reader.find_document("task", "ä' \\1").unwrap(), None, "names differ by their case");
    assert_eq!(reader.find_document("other", "Ä' \\1").unwrap(), None);
}

fn many_are_added_found_and_paged(ground: &Ground) {
    let mut target = ground.open();
    let documents: Vec<_> = (0..300).map(|at| new(&format!("{at:03}"), b"x")).collect();
    within(&mut *target, |transaction| transaction.add_documents(&documents).unwrap());
    let filter = DocumentFilter { after: Some("005".into()), limit: Some(3), ..DocumentFilter::all_of_kind("task") };
    assert_eq!(names(&target.find_documents(&filter).unwrap()), ["006", "007", "008"]);
    let filter = DocumentFilter { last_first: true, after: Some("005".into()), limit: Some(2), ..filter };
    assert_eq!(names(&target.find_documents(&filter).unwrap()), ["004", "003"]);
    let wanted: Vec<String> = (0..150).rev().map(|at| format!("{:03}", at * 3)).collect();
    let filter = DocumentFilter { names: Some(wanted), ..DocumentFilter::all_of_kind("task") };
    assert_eq!(target.find_documents(&filter).unwrap().len(), 100);
    assert_eq!(target.find_documents(&DocumentFilter { names: Some(Vec::new()), ..filter }).unwrap(), []);
}

fn a_name_is_taken_once(ground: &Ground) {
    let mut target = ground.open();
    within(&mut *target, |transaction| transaction.add_documents(&[new("a", b"1")]).unwrap());
    {
        use landfall_engine::targets::{Fence, Pace};
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
        let error = transaction.add_documents(&[new("b", b"2"), new("a", b"2")]).unwrap_err();
        assert!(matches!(error, Error::Target(error) if error.kind == TargetErrorKind::Overtaken));
    }
    assert_eq!(names(&target.find_documents(&DocumentFilter::all_of_kind("task")).unwrap()), ["a"]);
}

fn only_who_knows_the_version_changes_it(ground: &Ground) {
    let mut target = ground.open();
    within(&mut *target, |transaction| transaction.add_documents(&[new("a", b"1"), new("b", b"1")]).unwrap());
    let first = target.find_document("task", "a").unwrap().unwrap();
    within(&mut *target, |transaction| {
        assert!(transaction.change_document(&first, Some(b"2")).unwrap());
        assert!(!transaction.change_document(&first, Some(b"3")).unwrap());
        assert!(!transaction.change_document(&first, None).unwrap());
    });
    let second = target.find_document("task", "a").unwrap().unwrap();
    assert_eq!((second.version, second.body.as_slice()), (2, &b"2"[..]));
    within(&mut *target, |transaction| assert!(transaction.change_document(&second, None).unwrap()));
    assert_eq!(names(&target.find_documents(&DocumentFilter::all_of_kind("task")).unwrap()), ["b"]);
}

fn old_ones_are_forgotten_by_kind(ground: &Ground) {
    let mut target = ground.open();
    within(&mut *target, |transaction| {
        transaction.add_documents(&[new("a", b""), NewDocument { kind: "answer", ..new("a", b"") }]).unwrap();
        assert_eq!(transaction.forget_documents("task", "2001-01-01T00:00:00Z").unwrap(), 0);
        assert_eq!(transaction.forget_documents("task", "2999-01-01T00:00:00Z").unwrap(), 1);
    });
    assert_eq!(target.find_documents(&DocumentFilter::all_of_kind("answer")).unwrap().len(), 1);
}

contract! {
    a_document_is_kept_as_it_is,
    many_are_added_found_and_paged,
    a_name_is_taken_once,
    only_who_knows_the_version_changes_it,
    old_ones_are_forgotten_by_kind,
}
