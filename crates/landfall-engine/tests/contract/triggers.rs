//! Triggers and rules of the database's owner: a row that one of them skips or alters is told, and not counted as stored.

use landfall_engine::{
    Project,
    ledger::OnConflict,
    pipeline::{LoadOptions, LoadOutcome, Selection, SilentObserver, load_tables},
    quarantine::RejectFilter,
    targets::{RefusedRow, Table},
    verify::verify_tables,
};

use crate::{
    ground::Ground,
    tables::{Row, batch, content, fields_at, insert, package, people, prepared, resource, row, table, within},
};

/// What a trigger does.
#[derive(Clone, Copy)]
enum Deed {
    /// It skips the row whose note is `bad`; where the database cannot, it refuses it.
    Skip,
    /// It alters the row whose note is `bad`.
    Alter,
}

/// Makes triggers for what is inserted into and updated in the table `people`.
fn make(ground: &Ground, deed: Deed) {
    for event in ["INSERT", "UPDATE"] {
        ground.sql(&match (ground.dialect(), deed) {
            ("postgres", deed) => {
                let act = if matches!(deed, Deed::Skip) { "RETURN NULL" } else { "NEW.note := 'altered'" };
                format!(
                    "CREATE FUNCTION act_{event}() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN IF NEW.note = 'bad' THEN {act}; END IF; RETURN NEW; END $$;
                     CREATE TRIGGER act BEFORE {event} ON people FOR EACH ROW EXECUTE FUNCTION act_{event}()"
                )
                .replace("TRIGGER act ", &format!("TRIGGER act_{event} "))
            }
            ("sqlite", Deed::Skip) => format!(
                "CREATE TRIGGER act_{event} BEFORE {event} ON people WHEN NEW.note = 'bad' BEGIN SELECT raise(ignore); END"
            ),
            ("sqlite", Deed::Alter) => format!(
                "CREATE TRIGGER act_{event} AFTER {event} ON people WHEN NEW.note = 'bad'
                 BEGIN UPDATE people SET note = 'altered' WHERE id = NEW.id; END"
            ),
            (_, Deed::Skip) => format!(
                "CREATE TRIGGER act_{event} BEFORE {event} ON people FOR EACH ROW
                 SET NEW.id = IF(NEW.note = 'bad', NULL, NEW.id)"
            ),
            (_, Deed::Alter) => format!(
                "CREATE TRIGGER act_{event} BEFORE {event} ON people FOR EACH ROW
                 SET NEW.note = IF(NEW.note = 'bad', 'altered', NEW.note)"
            ),
        });
    }
}

fn positions(refused: &[RefusedRow]) -> Vec<usize> {
    refused.iter().map(|refused| refused.row).collect()
}

/// Inserts five rows and updates three, of which a trigger acts on some; those are refused, and the others stay.
fn refused_and_the_others_stay(ground: &Ground, people: &Table, deed: Deed) {
    let mut target = prepared(ground, std::slice::from_ref(people));
    make(ground, deed);
    let rows = [row![1, "a", "x"], row![2, "b", "bad"], row![3, "c", ()], row![4, "d", "bad"], row![5, "e", "y"]];
    let refused = within(&mut *target, |transaction| insert(transaction, people, &rows));
    assert_eq!(positions(&refused), [1, 3], "{refused:?}");
    let skips = matches!(deed, Deed::Skip);
    let word = if skips { "skipped it" } else { "gave the field \"note\" another value" };
    // Where a trigger cannot skip, it refuses in words of the server's.
    let is_told = |refused: &RefusedRow| skips && ground.dialect() == "mysql" || refused.message.contains(word);
    assert!(refused.iter().all(is_told), "{refused:?}");
    let new = batch(people, &[row![1, "a", "z"], row![3, "c", "bad"], row![5, "f", "y"]]);
    let refused = within(&mut *target, |transaction| {
        transaction.update_rows(people, &new, &[0, 1, 2], &fields_at([1, 2])).unwrap()
    });
    assert_eq!(positions(&refused), [1], "{refused:?}");
    assert_eq!(content(&*target, people), [row![1, "a", "z"], row![3, "c", ()], row![5, "f", "y"]]);
}

fn rows_that_a_trigger_skipped_were_inserted(ground: &Ground) {
    refused_and_the_others_stay(ground, &people(), Deed::Skip);
}

fn rows_that_a_trigger_altered_were_inserted(ground: &Ground) {
    refused_and_the_others_stay(ground, &people(), Deed::Alter);
}

fn rows_of_a_table_without_a_key_are_looked_for_too(ground: &Ground) {
    let schema = "{fields: [{name: id, type: integer}, {name: note, type: string}]}";
    let people = table("people", schema);
    for deed in [Deed::Skip, Deed::Alter] {
        let ground = ground.fresh();
        let mut target = prepared(&ground, std::slice::from_ref(&people));
        within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "x"]]));
        make(&ground, deed);
        let rows = [row![1, "x"], row![2, "bad"], row![2, "bad"], row![3, ()]];
        let refused = within(&mut *target, |transaction| insert(transaction, &people, &rows));
        assert_eq!(positions(&refused), [1, 2], "{refused:?}");
        assert_eq!(content(&*target, &people), [row![1, "x"], row![1, "x"], row![3, ()]]);
    }
}

/// A load of `people` with `on_conflict`, and how many rows were told to be inserted, updated and rejected.
fn loaded(ground: &Ground, csv: &str, on_conflict: OnConflict) -> [u64; 3] {
    let schema = "{fields: [{name: id, type: integer}, {name: name, type: string}, {name: note, type: string}], \
                  primaryKey: id, uniqueKeys: [[name]]}";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.csv"), csv).unwrap();
    let project = Project { folder: folder.path().to_owned(), package: package(&resource("people", schema)) };
    let mut target = ground.open();
    let selections: [Selection; 0] = [];
    let options = LoadOptions { on_conflict, ..LoadOptions::default() };
    let outcomes: Vec<LoadOutcome> =
        load_tables(&mut *target, &project, &selections, &options, &SilentObserver).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.counts.conserved()));
    let found = verify_tables(&*target, &project, &SilentObserver).unwrap();
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let counts = outcomes[0].counts;
    [counts.inserted, counts.updated, counts.rejected]
}

fn a_load_into_a_table_with_triggers_tells_what_is_there(ground: &Ground) {
    for deed in [Deed::Skip, Deed::Alter] {
        let ground = ground.fresh();
        let target = prepared(&ground, &[people()]);
        make(&ground, deed);
        let csv = "id,name,note\n1,a,x\n2,b,bad\n3,c,\n4,d,bad\n";
        assert_eq!(loaded(&ground, csv, OnConflict::Reject), [2, 0, 2]);
        let csv = "id,name,note\n1,a,bad\n3,e,y\n5,f,bad\n";
        assert_eq!(loaded(&ground, csv, OnConflict::Update), [0, 1, 2]);
        let expected: [Row; 2] = [row![1, "a", "x"], row![3, "e", "y"]];
        assert_eq!(content(&*target, &people()), expected);
        let rejects = target.find_rejects(&RejectFilter::default()).unwrap();
        assert!(rejects.iter().all(|reject| reject.errors[0].code.as_str() == "target-error"), "{rejects:?}");
    }
}

fn a_table_that_a_trigger_keeps_full_is_not_replaced(ground: &Ground) {
    let people = people();
    let mut target = prepared(ground, std::slice::from_ref(&people));
    within(&mut *target, |transaction| insert(transaction, &people, &[row![1, "a", "keep"], row![2, "b", ()]]));
    ground.sql(match ground.dialect() {
        "postgres" => {
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF OLD.note = 'keep' THEN RETURN NULL; END IF; RETURN OLD; END $$;
             CREATE TRIGGER keep BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION keep()"
        }
        "sqlite" => {
            "CREATE TRIGGER keep BEFORE DELETE ON people WHEN OLD.note = 'keep' BEGIN SELECT raise(ignore); END"
        }
        // A trigger can only refuse there.
        _ => return,
    });
    let mut transaction = target
        .begin_transaction(landfall_engine::targets::Fence::Pipeline, landfall_engine::targets::Pace::InStep)
        .unwrap();
    let error = transaction.delete_rows(&people).unwrap_err().to_string();
    assert!(error.contains("keeps rows in it"), "{error}");
    drop(transaction);
    assert_eq!(target.row_count(&people).unwrap(), 2);
}

contract_in_sql! {
    rows_that_a_trigger_skipped_were_inserted,
    rows_that_a_trigger_altered_were_inserted,
    rows_of_a_table_without_a_key_are_looked_for_too,
    a_load_into_a_table_with_triggers_tells_what_is_there,
    a_table_that_a_trigger_keeps_full_is_not_replaced,
}
