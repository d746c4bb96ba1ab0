//! Tables: made, checked, never altered unasked.

use landfall_engine::{Error, TargetErrorKind};

use crate::{
    ground::Ground,
    tables::{content, fields_at, insert, people, prepared, resource, row, table, tables, teams_and_members, within},
};

fn tables_are_made_once(ground: &Ground) {
    let people = people();
    let mut target = ground.open();
    assert!(!target.has_table(&people).unwrap());
    assert_eq!(target.row_count(&people).unwrap(), 0);
    assert_eq!(target.find_row(&people, &fields_at([0]), &row![1]).unwrap(), None);
    assert!(content(&*target, &people).is_empty());
    target.prepare_tables(std::slice::from_ref(&people)).unwrap();
    assert!(target.has_table(&people).unwrap() && target.can_find_rows(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", ()]]));
    target.prepare_tables(std::slice::from_ref(&people)).unwrap();
    let mut other = ground.open();
    other.prepare_tables(std::slice::from_ref(&people)).unwrap();
    assert_eq!(content(&*other, &people), [row![1, "a", ()]]);
}

fn children_may_be_given_before_their_parents(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let target = prepared(ground, &[members.clone(), teams.clone()]);
    assert!(target.has_table(&teams).unwrap() && target.has_table(&members).unwrap());
}

fn parents_may_exist_already(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let mut target = prepared(ground, &[teams]);
    target.prepare_tables(std::slice::from_ref(&members)).unwrap();
    assert!(target.has_table(&members).unwrap());
}

fn a_table_may_refer_to_itself(ground: &Ground) {
    let staff = table(
        "staff",
        "{fields: [{name: id, type: integer}, {name: boss, type: integer}], primaryKey: id, \
         foreignKeys: [{fields: boss, reference: {fields: id}}]}",
    );
    let mut target = prepared(ground, std::slice::from_ref(&staff));
    let refused =
        within(&mut *target, |transaction| insert(transaction, &staff, &[row![1, 2], row![2, 1], row![3, ()]]));
    assert_eq!(refused, []);
    assert_eq!(target.row_count(&staff).unwrap(), 3);
}

fn tables_may_refer_to_each_other_in_a_circle(ground: &Ground) {
    let schema = |other: &str| {
        format!(
            "{{fields: [{{name: id, type: integer}}, {{name: next, type: integer}}], primaryKey: id, \
             foreignKeys: [{{fields: next, reference: {{resource: {other}, fields: id}}}}]}}"
        )
    };
    let (a, b, c) = (resource("a", &schema("b")), resource("b", &schema("c")), resource("c", &schema("a")));
    let circle = tables(&format!("{a}{b}{c}"));
    let mut target = prepared(ground, &circle);
    target.prepare_tables(&circle).unwrap();
    within(&mut *target, |transaction| {
        for table in &circle {
            assert_eq!(insert(transaction, table, &[row![1, 1]]), []);
        }
    });
    assert_eq!(circle.iter().map(|table| target.row_count(table).unwrap()).sum::<u64>(), 3);
}

fn mismatch(outcome: Result<(), Error>, word: &str) {
    match outcome {
        Err(Error::Target(error)) if error.kind == TargetErrorKind::Mismatch => {
            let message = error.message;
            assert!(message.contains("people") && message.contains(word), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

fn a_table_that_differs_is_refused_and_untouched(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", "b"]]));
    let more = "{fields: [{name: id, type: integer}, {name: name, type: string}, {name: note, type: string}, \
                {name: extra, type: string}], primaryKey: id}";
    let other = "{fields: [{name: id, type: integer}, {name: name, type: string}, {name: note, type: boolean}], \
                 primaryKey: id}";
    let key = "{fields: [{name: id, type: integer}, {name: name, type: string}, {name: note, type: string}], \
               primaryKey: name}";
    let fresh = table("fresh", "{fields: [{name: id, type: integer}]}");
    for (schema, word) in [(more, "extra"), (other, "note"), (key, "primary key")] {
        let differing = table("people", schema);
        // Nothing is made beside it either.
        mismatch(target.prepare_tables(&[fresh.clone(), differing.clone()]), word);
        assert!(!target.has_table(&fresh).unwrap(), "{word}");
        let found = target.find_differences(&[differing]).unwrap();
        assert!(found.iter().any(|difference| !difference.harmless && difference.message.contains(word)), "{found:?}");
    }
    assert_eq!(content(&*target, &people), [row![1, "a", "b"]]);
    assert_eq!(target.find_differences(&[people]).unwrap(), []);
}

fn what_does_not_exist_is_a_harmless_difference(ground: &Ground) {
    let target = ground.open();
    let found = target.find_differences(&[people()]).unwrap();
    assert!(matches!(&found[..], [only] if only.harmless && &*only.table == "people"), "{found:?}");
    assert!(!target.has_table(&people()).unwrap(), "nothing is altered by looking");
}

contract! {
    tables_are_made_once,
    children_may_be_given_before_their_parents,
    parents_may_exist_already,
    a_table_may_refer_to_itself,
    tables_may_refer_to_each_other_in_a_circle,
    a_table_that_differs_is_refused_and_untouched,
    what_does_not_exist_is_a_harmless_difference,
}

/// The words of a statement, whatever its spacing.
fn squeezed(statements: &[String]) -> String {
    statements.join(" ").split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase()
}

fn the_statements_make_the_tables(ground: &Ground) {
    let (teams, members) = teams_and_members();
    let both = [teams, members];
    let statements = ground.open().table_statements(&both).unwrap();
    let text = squeezed(&statements);
    assert!(text.contains("CREATE TABLE") && text.contains("FOREIGN KEY"), "{text}");
    statements.iter().for_each(|statement| ground.sql(statement));
    let mut target = ground.open();
    assert_eq!(target.find_differences(&both).unwrap(), []);
    target.prepare_tables(&both).unwrap();
}

fn missing_tables_and_columns_are_added(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", "b"]]));
    let wider = table(
        "people",
        "{fields: [{name: id, type: integer}, {name: name, type: string}, {name: note, type: string}, \
         {name: extra, type: integer}], primaryKey: id, uniqueKeys: [[name]]}",
    );
    let fresh = table("fresh", "{fields: [{name: id, type: integer}], primaryKey: id}");
    let found = target.find_differences(&[wider.clone(), fresh.clone()]).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|difference| difference.addition.is_some()), "{found:?}");
    target.add_missing(&found).unwrap();
    let mut other = ground.open();
    assert_eq!(other.find_differences(&[wider.clone(), fresh.clone()]).unwrap(), []);
    other.prepare_tables(&[wider.clone(), fresh]).unwrap();
    assert_eq!(content(&*other, &wider), [row![1, "a", "b", ()]]);
    within(&mut *other, |transaction| insert(transaction, &wider, &[row![2, "c", (), 7]]));
    assert_eq!(other.find_row(&wider, &fields_at([0]), &row![2]).unwrap(), Some(row![2, "c", (), 7]));
}

contract_in_sql! {
    the_statements_make_the_tables,
    missing_tables_and_columns_are_added,
}
