//! Rules of PostgreSQL and triggers of partitions: a row that one of them keeps away or alters is told, and not counted as stored.

use landfall_engine::targets::RefusedRow;

use crate::{
    ground::Ground,
    tables::{Row, batch, content, fields_at, insert, people, prepared, row, table, within},
};

fn positions(refused: &[RefusedRow]) -> Vec<usize> {
    refused.iter().map(|refused| refused.row).collect()
}

/// Three people, one of whom may not change: that is what `rule` sees to.
fn updated_under(rule: &str) -> (Vec<usize>, Vec<Row>) {
    let ground = Ground::postgres();
    let people = people();
    let mut target = prepared(&ground, std::slice::from_ref(&people));
    let rows = [row![1, "a", "x"], row![2, "b", "y"], row![3, "c", ()]];
    within(&mut *target, |transaction| assert_eq!(insert(transaction, &people, &rows), []));
    ground.sql("CREATE TABLE asked (id bigint)");
    ground.sql(rule);
    let new = batch(&people, &[row![1, "a", "z"], row![2, "b", "bad"], row![3, "d", "z"]]);
    let refused = within(&mut *target, |transaction| {
        transaction.update_rows(&people, &new, &[0, 1, 2], &fields_at([1, 2])).unwrap()
    });
    (positions(&refused), content(&*target, &people))
}

#[test]
fn a_rule_that_does_nothing_instead_let_updates_count() {
    let (refused, rows) =
        updated_under("CREATE RULE act AS ON UPDATE TO people WHERE NEW.note = 'bad' DO INSTEAD NOTHING");
    assert_eq!(refused, [1]);
    assert_eq!(rows, [row![1, "a", "z"], row![2, "b", "y"], row![3, "d", "z"]]);
}

#[test]
fn a_rule_that_does_another_thing_instead_let_updates_count() {
    let (refused, rows) =
        updated_under("CREATE RULE act AS ON UPDATE TO people DO INSTEAD INSERT INTO asked VALUES (NEW.id)");
    assert_eq!(refused, [0, 1, 2]);
    assert_eq!(rows, [row![1, "a", "x"], row![2, "b", "y"], row![3, "c", ()]]);
}

#[test]
fn a_rule_that_does_something_besides_is_no_obstacle() {
    let (refused, rows) =
        updated_under("CREATE RULE act AS ON UPDATE TO people DO ALSO INSERT INTO asked VALUES (NEW.id)");
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(rows, [row![1, "a", "z"], row![2, "b", "bad"], row![3, "d", "z"]]);
}

/// Rows come by COPY, which rules do not see.
#[test]
fn a_rule_for_inserts_does_not_keep_rows_away_that_are_told_to_be_there() {
    let ground = Ground::postgres();
    let people = people();
    let mut target = prepared(&ground, std::slice::from_ref(&people));
    ground.sql("CREATE RULE act AS ON INSERT TO people DO INSTEAD NOTHING");
    let rows = [row![1, "a", "x"], row![2, "b", "y"]];
    let refused = within(&mut *target, |transaction| insert(transaction, &people, &rows));
    let there = content(&*target, &people);
    assert_eq!(refused.len() + there.len(), 2, "{refused:?} {there:?}");
}

/// People in two partitions, of which the second skips or alters what is bad.
fn partitioned(act: &str, event: &str) -> (Ground, landfall_engine::targets::Table) {
    let ground = Ground::postgres();
    ground.sql(&format!(
        "CREATE TABLE people (id bigint NOT NULL, note text COLLATE \"C\", PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE low PARTITION OF people FOR VALUES FROM (0) TO (10);
         CREATE TABLE high PARTITION OF people FOR VALUES FROM (10) TO (100);
         CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.note = 'bad' THEN {act}; END IF; RETURN NEW; END $$;
         CREATE TRIGGER act BEFORE {event} ON high FOR EACH ROW EXECUTE FUNCTION act()"
    ));
    (ground, table("people", "{fields: [{name: id, type: integer}, {name: note, type: string}], primaryKey: id}"))
}

#[test]
fn triggers_of_partitions_went_unseen() {
    for act in ["RETURN NULL", "NEW.note := 'altered'"] {
        let (ground, people) = partitioned(act, "INSERT OR UPDATE");
        let mut target = prepared(&ground, std::slice::from_ref(&people));
        let rows = [row![1, "bad"], row![11, "bad"], row![12, "x"]];
        let refused = within(&mut *target, |transaction| insert(transaction, &people, &rows));
        assert_eq!(positions(&refused), [1], "{act}: {refused:?}");
        let new = batch(&people, &[row![1, "worse"], row![12, "bad"]]);
        let refused = within(&mut *target, |transaction| {
            transaction.update_rows(&people, &new, &[0, 1], &fields_at([1])).unwrap()
        });
        assert_eq!(positions(&refused), [1], "{act}: {refused:?}");
        assert_eq!(content(&*target, &people), [row![1, "worse"], row![12, "x"]], "{act}");
    }
}

/// A trigger below a partition of a partition, made after the handle has written to the table.
#[test]
fn a_trigger_that_was_made_meanwhile_is_seen_by_the_next_command() {
    let (ground, people) = partitioned("RETURN NULL", "INSERT");
    ground.sql(
        "CREATE TABLE far PARTITION OF people FOR VALUES FROM (100) TO (1000) PARTITION BY RANGE (id);
                CREATE TABLE farthest PARTITION OF far FOR VALUES FROM (500) TO (1000)",
    );
    within(&mut *prepared(&ground, std::slice::from_ref(&people)), |transaction| {
        assert_eq!(insert(transaction, &people, &[row![501, "bad"]]), []);
    });
    ground.sql("CREATE TRIGGER act BEFORE INSERT ON farthest FOR EACH ROW EXECUTE FUNCTION act()");
    let mut target = prepared(&ground, std::slice::from_ref(&people));
    let refused = within(&mut *target, |transaction| insert(transaction, &people, &[row![502, "bad"], row![503, "x"]]));
    assert_eq!(positions(&refused), [0], "{refused:?}");
}
