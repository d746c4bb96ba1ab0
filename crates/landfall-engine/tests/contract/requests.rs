//! Rows that are sent to the service: the same rules, one transaction, and one effect under one key.

use std::sync::Arc;

use landfall_core::{keys::Scalar, reject::ErrorCode};
use landfall_engine::{
    Project,
    ledger::{LoadFilter, LoadId, LoadState, Mode, OnConflict},
    pipeline::{RequestKey, RowRules, RowsAnswer, RowsOutcome, RowsRequest, SilentObserver, take_rows},
    quarantine::{RejectFilter, RejectState},
    targets::Target,
    verify::verify_tables,
};

use crate::{
    ground::Ground,
    tables::{Row, content, package, resource, row},
};

const TEAMS: &str = "{fields: [{name: id, type: integer}, {name: name, type: string, constraints: {required: true}}], \
                     primaryKey: id, uniqueKeys: [[name]]}";
const PEOPLE: &str = "{fields: [{name: id, type: integer}, {name: team, type: integer}, {name: boss, type: integer}, \
                      {name: pay, type: number}], primaryKey: id, \
                      foreignKeys: [{fields: team, reference: {resource: teams, fields: id}}, \
                      {fields: boss, reference: {fields: id}}]}";

const NOTES: &str = "{fields: [{name: id, type: integer}, {name: text, type: string, constraints: {required: true}}, \
                     {name: tag, type: string}], primaryKey: id}";
const SEATS: &str = "{fields: [{name: id, type: integer}, {name: room, type: integer}, {name: seat, type: integer}], \
                     primaryKey: id, uniqueKeys: [[room, seat]]}";

/// A service on a database.
pub(crate) struct Desk {
    pub(crate) target: Box<dyn Target>,
    pub(crate) rules: RowRules,
}

impl Desk {
    pub(crate) fn open(ground: &Ground) -> Self {
        let resources = [("people", PEOPLE), ("teams", TEAMS), ("notes", NOTES), ("seats", SEATS)];
        let package = package(&resources.map(|(name, schema)| resource(name, schema)).concat());
        let project = Arc::new(Project { folder: ".".into(), package });
        let mut target = ground.open();
        target.prepare_tables(&project.target_tables()).unwrap();
        let rules = RowRules::new(&*target, project).unwrap();
        Self { target, rules }
    }

    /// A request for rows, given as a table's name and its rows as JSON.
    fn request(&self, batches: &[(&str, &str)]) -> RowsRequest {
        let batch = |(table, rows): &(&str, &str)| {
            let position = self.rules.rules_project().find_position(table).unwrap();
            self.rules.read_json(position, (*rows).to_owned(), 1000).unwrap()
        };
        RowsRequest {
            batches: batches.iter().map(batch).collect(),
            on_conflict: OnConflict::Reject,
            atomic: false,
            dry_run: false,
            source: "rows".into(),
            key: None,
        }
    }

    fn take(&mut self, requests: &[RowsRequest]) -> Vec<RowsOutcome> {
        let answers = take_rows(&mut *self.target, &self.rules, requests).unwrap();
        let done = answers.into_iter().map(|answer| match answer {
            RowsAnswer::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        });
        done.collect()
    }

    pub(crate) fn one(&mut self, batches: &[(&str, &str)]) -> RowsOutcome {
        let request = self.request(batches);
        self.take(&[request]).remove(0)
    }

    pub(crate) fn rows(&self, table: &str) -> Vec<Row> {
        let position = self.rules.rules_project().find_position(table).unwrap();
        content(&*self.target, self.rules.table_at(position))
    }

    pub(crate) fn open_rejects(&self) -> u64 {
        self.target.reject_count(&RejectFilter::default()).unwrap()
    }
}

/// The counts of each load as `read inserted updated unchanged rejected`.
fn counts(outcome: &RowsOutcome) -> Vec<[u64; 5]> {
    let of_load = |load: &landfall_engine::pipeline::RowsLoad| {
        let counts = load.counts;
        assert!(counts.conserved(), "{counts:?}");
        [counts.read, counts.inserted, counts.updated, counts.unchanged, counts.rejected]
    };
    outcome.loads.iter().map(of_load).collect()
}

/// The errors of the first load as `row code field`.
fn errors(outcome: &RowsOutcome) -> Vec<String> {
    let told = |(row, error): &(u64, landfall_core::reject::CellError)| {
        format!("{row} {} {}", error.code, error.field.as_deref().unwrap_or("-"))
    };
    outcome.loads[0].errors.iter().map(told).collect()
}

fn rows_are_taken_and_the_rest_is_quarantined(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let rows = r#"[{"id":1,"name":"a"},{"id":2},{"id":1,"name":"b"},{"id":1,"name":"a"},{"id":3,"name":"a"},{"id":"4","name":"d","x":0}]"#;
    let outcome = desk.one(&[("teams", rows)]);
    assert_eq!(counts(&outcome), [[6, 1, 0, 1, 4]]);
    let expected =
        ["1 constraint-error name", "2 primary-key id", "4 unique-error name", "5 type-error id", "5 extra-cell -"];
    assert_eq!(errors(&outcome), expected);
    assert_eq!(desk.rows("teams"), [row![1, "a"]]);
    let entry = desk.target.all_loads().unwrap().pop().unwrap();
    assert_eq!((entry.mode, entry.state, Some(entry.id)), (Mode::Rows, LoadState::Complete, outcome.loads[0].load));
    let rejects = desk.target.find_rejects(&RejectFilter::default()).unwrap();
    assert_eq!(rejects.len(), 4);
    assert_eq!((rejects[0].raw.as_slice(), rejects[0].record), (&br#"{"id":2}"#[..], 2));
    assert!(verify_tables(&*desk.target, desk.rules.rules_project(), &SilentObserver).unwrap().is_clean());
}

fn requests_that_share_a_transaction_have_answers_of_their_own(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let requests = [
        desk.request(&[("teams", r#"[{"id":1,"name":"a"},{"id":2,"name":"b"}]"#)]),
        desk.request(&[("teams", r#"[{"id":2,"name":"c"}]"#)]),
        desk.request(&[("people", r#"[{"id":7,"team":3},{"id":8,"team":1}]"#)]),
        desk.request(&[("teams", r#"[{"id":2,"name":"b"},{"id":3,"name":"c"}]"#)]),
    ];
    let outcomes = desk.take(&requests);
    let expected = [[2, 2, 0, 0, 0], [1, 0, 0, 0, 1], [2, 2, 0, 0, 0], [2, 1, 0, 1, 0]];
    assert_eq!(outcomes.iter().flat_map(counts).collect::<Vec<_>>(), expected);
    assert_eq!(errors(&outcomes[1]), ["0 primary-key id"]);
    let mut loads: Vec<_> = outcomes.iter().map(|outcome| outcome.loads[0].load.unwrap()).collect();
    loads.dedup();
    assert_eq!(loads.len(), 4);
    let reject = desk.target.find_rejects(&RejectFilter::default()).unwrap().pop().unwrap();
    assert_eq!(Some(reject.load), outcomes[1].loads[0].load);
}

fn several_tables_in_one_request(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let outcome =
        desk.one(&[("people", r#"[{"id":1,"team":1}, {"id":2,"team":9}]"#), ("teams", r#"[{"id":1,"name":"a"}]"#)]);
    assert_eq!(counts(&outcome), [[2, 1, 0, 0, 1], [1, 1, 0, 0, 0]]);
    assert_eq!(outcome.loads[0].table, "people");
}

fn rows_may_name_each_other_within_a_request(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let rows = r#"[{"id":1,"boss":2},{"id":2,"boss":1},{"id":3,"boss":3},{"id":4,"boss":5},{"id":5,"boss":6},{"id":7,"boss":1},{"id":2,"boss":3}]"#;
    let outcome = desk.one(&[("people", rows)]);
    assert_eq!(counts(&outcome), [[7, 4, 0, 0, 3]]);
    // As with sources, a row that waits for a parent further down has its turn after those that need not.
    assert_eq!(errors(&outcome), ["1 primary-key id", "3 foreign-key boss", "4 foreign-key boss"]);
    assert_eq!(desk.rows("people").len(), 4);
}

fn a_reject_is_released_when_its_parent_is_sent(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let outcome = desk.one(&[("people", r#"[{"id":1,"team":5}]"#)]);
    assert_eq!(counts(&outcome), [[1, 0, 0, 0, 1]]);
    desk.one(&[("teams", r#"[{"id":5,"name":"e"}]"#)]);
    assert_eq!((desk.rows("people").len(), desk.open_rejects()), (1, 0));
    let released = RejectFilter { state: Some(RejectState::Released), ..RejectFilter::default() };
    assert_eq!(desk.target.reject_count(&released).unwrap(), 1);
    assert!(verify_tables(&*desk.target, desk.rules.rules_project(), &SilentObserver).unwrap().is_clean());
}

fn all_or_nothing_keeps_only_the_rejects(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let rows = [("teams", r#"[{"id":1,"name":"a"},{"id":2}]"#), ("people", r#"[{"id":1,"team":1}]"#)];
    let request = RowsRequest { atomic: true, ..desk.request(&rows) };
    let outcome = desk.take(&[request]).remove(0);
    assert!(outcome.rolled_back);
    assert_eq!(counts(&outcome), [[2, 0, 0, 0, 2], [1, 0, 0, 0, 1]]);
    assert_eq!(errors(&outcome), ["1 constraint-error name"]);
    assert_eq!((desk.rows("teams").len(), desk.rows("people").len(), desk.open_rejects()), (0, 0, 1));
    assert!(desk.target.all_loads().unwrap().iter().all(|entry| entry.state == LoadState::RolledBack));
    let request = RowsRequest { atomic: true, ..desk.request(&[("teams", r#"[{"id":1,"name":"a"}]"#)]) };
    assert_eq!(counts(&desk.take(&[request]).remove(0)), [[1, 1, 0, 0, 0]]);
}

fn a_trial_leaves_no_trace(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let request =
        RowsRequest { dry_run: true, ..desk.request(&[("teams", r#"[{"id":1,"name":"a"},{"id":1,"name":"b"}]"#)]) };
    let outcome = desk.take(&[request]).remove(0);
    assert_eq!((counts(&outcome), outcome.loads[0].load), (vec![[2, 1, 0, 0, 1]], None));
    assert_eq!(errors(&outcome), ["1 primary-key id"]);
    assert_eq!((desk.rows("teams").len(), desk.open_rejects(), desk.target.all_loads().unwrap().len()), (0, 0, 0));
}

fn conflicts_go_by_the_rule_that_is_asked_for(ground: &Ground) {
    let mut desk = Desk::open(ground);
    desk.one(&[("teams", r#"[{"id":1,"name":"a"},{"id":2,"name":"b"}]"#)]);
    let rows = r#"[{"id":1,"name":"x"},{"id":1,"name":"y"},{"id":2,"name":"b"},{"id":3,"name":"y"}]"#;
    let with = |desk: &Desk, on_conflict| RowsRequest { on_conflict, ..desk.request(&[("teams", rows)]) };
    let request = with(&desk, OnConflict::Keep);
    assert_eq!(counts(&desk.take(&[request])[0]), [[4, 1, 0, 3, 0]]);
    let rows = r#"[{"id":1,"name":"x"},{"id":1,"name":"z"},{"id":2,"name":"b"}]"#;
    let request = RowsRequest { on_conflict: OnConflict::Update, ..desk.request(&[("teams", rows)]) };
    assert_eq!(counts(&desk.take(&[request])[0]), [[3, 0, 2, 1, 0]]);
    assert_eq!(desk.rows("teams"), [row![1, "z"], row![2, "b"], row![3, "y"]]);
}

fn with_updates(desk: &Desk, table: &str, rows: &str) -> RowsRequest {
    RowsRequest { on_conflict: OnConflict::Update, ..desk.request(&[(table, rows)]) }
}

fn members_that_an_update_leaves_out_were_wiped(ground: &Ground) {
    let mut desk = Desk::open(ground);
    desk.one(&[("teams", r#"[{"id":1,"name":"a"}]"#), ("people", r#"[{"id":7,"team":1,"boss":7,"pay":5}]"#)]);
    // Several rows of one request, each with members of its own; null is null.
    let rows = r#"[{"id":7,"pay":6},{"id":7,"boss":null},{"id":8,"team":1},{"id":8,"pay":2},{"id":7},{"id":7,"team":1,"pay":6.0}]"#;
    let request = with_updates(&desk, "people", rows);
    let outcome = desk.take(&[request]).remove(0);
    assert_eq!(counts(&outcome), [[6, 1, 3, 2, 0]]);
    let number = |text: &str| Scalar::Number(text.into());
    assert_eq!(desk.rows("people"), [row![7, 1, (), number("6")], row![8, 1, (), number("2")]]);
    assert!(verify_tables(&*desk.target, desk.rules.rules_project(), &SilentObserver).unwrap().is_clean());
}

fn required_members_may_be_left_out_where_the_row_is_there(ground: &Ground) {
    let mut desk = Desk::open(ground);
    desk.one(&[("notes", r#"[{"id":1,"text":"a","tag":"x"}]"#)]);
    let rows = r#"[{"id":1,"tag":"y"},{"id":2,"tag":"z"},{"id":3,"text":"c"},{"id":3,"tag":"w"},{"id":1,"text":null}]"#;
    let request = with_updates(&desk, "notes", rows);
    let outcome = desk.take(&[request]).remove(0);
    assert_eq!(counts(&outcome), [[5, 1, 2, 0, 2]]);
    assert_eq!(errors(&outcome), ["1 constraint-error text", "4 constraint-error text"]);
    assert_eq!(desk.rows("notes"), [row![1, "a", "y"], row![3, "c", "w"]]);
    // Without the rule to update, a required member is required.
    assert_eq!(errors(&desk.one(&[("notes", r#"[{"id":1,"tag":"y"}]"#)])), ["0 constraint-error text"]);
}

fn keys_of_which_an_update_gives_a_part_are_looked_for_whole(ground: &Ground) {
    let mut desk = Desk::open(ground);
    desk.one(&[("seats", r#"[{"id":1,"room":1,"seat":1},{"id":2,"room":2,"seat":1}]"#)]);
    let request = with_updates(&desk, "seats", r#"[{"id":2,"room":1},{"id":2,"room":3},{"id":4,"room":3,"seat":1}]"#);
    let outcome = desk.take(&[request]).remove(0);
    assert_eq!(counts(&outcome), [[3, 0, 1, 0, 2]]);
    assert_eq!(errors(&outcome), ["0 unique-error room,seat", "2 unique-error room,seat"]);
    assert_eq!(desk.rows("seats"), [row![1, 1, 1], row![2, 3, 1]]);
}

fn keyed(desk: &Desk, name: &str, digest: char, rows: &str) -> RowsRequest {
    let key = RequestKey {
        name: name.to_owned(),
        digest: digest.to_string().repeat(64),
        render: Box::new(|outcome| {
            format!("load {:?} {:?}", outcome.loads[0].load, outcome.loads[0].counts).into_bytes()
        }),
    };
    RowsRequest { key: Some(key), ..desk.request(&[("teams", rows)]) }
}

fn one_key_has_one_effect(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let rows = r#"[{"id":1,"name":"a"},{"id":2}]"#;
    let request = keyed(&desk, "k", 'a', rows);
    let first = take_rows(&mut *desk.target, &desk.rules, &[request]).unwrap();
    let RowsAnswer::Done(outcome) = &first[0] else { panic!("{first:?}") };
    let text = format!("load {:?} {:?}", outcome.loads[0].load, outcome.loads[0].counts);
    drop(desk);
    let mut desk = Desk::open(ground);
    let requests = [
        keyed(&desk, "k", 'a', rows),
        keyed(&desk, "k", 'b', "[]"),
        keyed(&desk, "l", 'a', r#"[{"id":3,"name":"c"}]"#),
    ];
    let answers = take_rows(&mut *desk.target, &desk.rules, &requests).unwrap();
    assert_eq!(answers[0], RowsAnswer::Repeated(text.into_bytes()));
    assert_eq!(answers[1], RowsAnswer::OtherRequest);
    assert!(matches!(answers[2], RowsAnswer::Done(_)));
    assert_eq!((desk.rows("teams").len(), desk.open_rejects(), desk.target.all_loads().unwrap().len()), (2, 1, 2));
}

fn a_key_of_a_request_that_is_all_or_nothing(ground: &Ground) {
    let mut desk = Desk::open(ground);
    for _ in 0..2 {
        let request = RowsRequest { atomic: true, ..keyed(&desk, "k", 'a', r#"[{"id":1,"name":"a"},{"id":2}]"#) };
        take_rows(&mut *desk.target, &desk.rules, &[request]).unwrap();
    }
    assert_eq!((desk.rows("teams").len(), desk.open_rejects(), desk.target.all_loads().unwrap().len()), (0, 1, 1));
}

fn the_ledger_pages_and_tells_requests_from_sources(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let requests: Vec<_> =
        (0..100).map(|id| desk.request(&[("teams", &format!(r#"[{{"id":{id},"name":"n{id}"}}]"#))])).collect();
    let outcomes = desk.take(&requests);
    let numbers: Vec<_> = outcomes.iter().map(|outcome| outcome.loads[0].load.unwrap()).collect();
    assert!(numbers.is_sorted());
    let of = |filter: LoadFilter| -> Vec<LoadId> {
        desk.target.find_loads(&filter).unwrap().iter().map(|entry| entry.id).collect()
    };
    let rows = LoadFilter { rows: Some(true), ..LoadFilter::default() };
    assert_eq!(of(rows.clone()), numbers);
    assert_eq!(of(LoadFilter { rows: Some(false), ..LoadFilter::default() }), [LoadId::NONE; 0]);
    assert_eq!(of(LoadFilter { after: numbers[3], limit: Some(2), ..rows.clone() }), numbers[4..6]);
    assert_eq!(of(LoadFilter { since: numbers[3], limit: Some(2), ..rows.clone() }), numbers[3..5]);
    let last = LoadFilter { newest_first: true, before: Some(numbers[9]), limit: Some(2), ..rows };
    assert_eq!(of(last), [numbers[8], numbers[7]]);
    assert_eq!(of(LoadFilter { table: Some("people".into()), ..LoadFilter::default() }), [LoadId::NONE; 0]);
    assert_eq!(of(LoadFilter { id: Some(numbers[5]), ..LoadFilter::default() }), [numbers[5]]);
}

fn csv_bodies_are_read_in_the_dialect_of_the_table(ground: &Ground) {
    let mut desk = Desk::open(ground);
    let position = desk.rules.rules_project().find_position("teams").unwrap();
    let body = b"id,name\n1,a\n2,\"b\"\"\n3,c\nx,y,z\n";
    let batch = desk.rules.read_csv(position, body, None).unwrap();
    assert_eq!(batch.row_count(), 4);
    let request = RowsRequest { batches: vec![batch], ..desk.request(&[]) };
    let outcome = desk.take(&[request]).remove(0);
    assert_eq!(counts(&outcome), [[4, 2, 0, 0, 2]]);
    assert_eq!(errors(&outcome)[0], "1 source-error -");
    let rejects = desk.target.find_rejects(&RejectFilter::default()).unwrap();
    assert_eq!((rejects[0].line, rejects[1].raw.as_slice()), (3, &b"x,y,z"[..]));
    assert!(desk.rules.read_csv(position, b"id,nome\n", None).is_err());
}

fn a_json_reject_is_tried_again_as_it_was(ground: &Ground) {
    use landfall_engine::pipeline::{RetrySelection, retry_rejects};
    let mut desk = Desk::open(ground);
    desk.one(&[("people", r#"[{"id":1,"team":5,"pay":1.50}, {"id":2,"pay":"x"}]"#)]);
    // Another program brings the parent, so that nothing is released by itself.
    let project = desk.rules.rules_project().clone();
    let position = project.find_position("teams").unwrap();
    let table = desk.rules.table_at(position).clone();
    crate::tables::within(&mut *desk.target, |transaction| {
        assert_eq!(crate::tables::insert(transaction, &table, &[row![5, "e"]]), []);
    });
    retry_rejects(&mut *desk.target, &project, &RetrySelection::Quarantine(RejectFilter::default()), &SilentObserver)
        .unwrap();
    assert_eq!((desk.rows("people").len(), desk.open_rejects()), (1, 1));
    let left = desk.target.find_rejects(&RejectFilter::default()).unwrap().pop().unwrap();
    assert_eq!((left.errors[0].code, left.raw.as_slice()), (ErrorCode::TypeError, &br#"{"id":2,"pay":"x"}"#[..]));
    let mut csv = Vec::new();
    landfall_engine::pipeline::export_rejects(&*desk.target, &project, &RejectFilter::default(), &mut csv).unwrap();
    assert!(String::from_utf8(csv).unwrap().contains("\n2,,,x,"));
}

fn what_another_program_did_meanwhile_is_seen(ground: &Ground) {
    let mut desk = Desk::open(ground);
    // From here on rows are taken for new, and the team is known to be there.
    desk.one(&[("teams", r#"[{"id":1,"name":"a"},{"id":2,"name":"b"}]"#)]);
    desk.one(&[("people", r#"[{"id":1,"team":1}]"#)]);
    desk.one(&[("people", r#"[{"id":2,"team":2}]"#)]);
    let mut other = Desk::open(ground);
    other.one(&[("teams", r#"[{"id":3,"name":"c"}]"#)]);
    other.one(&[("people", r#"[{"id":3,"team":3}]"#)]);
    let rows = r#"[{"id":3,"team":1},{"id":3,"team":3},{"id":4,"team":3},{"id":5,"team":9}]"#;
    let outcome = desk.one(&[("people", rows)]);
    assert_eq!(
        (counts(&outcome), errors(&outcome)),
        (vec![[4, 1, 0, 1, 2]], vec!["0 primary-key id".into(), "3 foreign-key team".into()])
    );
    let outcome = desk.one(&[("teams", r#"[{"id":4,"name":"c"},{"id":3,"name":"c"}]"#)]);
    assert_eq!((counts(&outcome), errors(&outcome)), (vec![[2, 0, 0, 1, 1]], vec!["0 unique-error name".into()]));
    // For a while everything is looked at; then it is trusted again.
    for id in 100..140 {
        assert_eq!(counts(&desk.one(&[("people", &format!(r#"[{{"id":{id},"team":3}}]"#))])), [[1, 1, 0, 0, 0]]);
    }
    assert_eq!(counts(&desk.one(&[("people", r#"[{"id":139,"team":3},{"id":140,"team":3}]"#)])), [[2, 1, 0, 1, 0]]);
    assert!(verify_tables(&*desk.target, desk.rules.rules_project(), &SilentObserver).unwrap().is_clean());
}

fn a_parent_that_vanished_is_missed(ground: &Ground) {
    let mut desk = Desk::open(ground);
    desk.one(&[("teams", r#"[{"id":1,"name":"a"},{"id":2,"name":"b"}]"#)]);
    desk.one(&[("people", r#"[{"id":1,"team":1}]"#)]);
    let position = desk.rules.rules_project().find_position("teams").unwrap();
    let table = desk.rules.table_at(position).clone();
    desk.one(&[("people", r#"[{"id":2,"team":2}]"#)]);
    let people = desk.rules.table_at(desk.rules.rules_project().find_position("people").unwrap()).clone();
    let mut other = ground.open();
    crate::tables::within(&mut *other, |transaction| {
        transaction.delete_rows(&people).unwrap();
        transaction.delete_rows(&table).unwrap();
    });
    let outcome = desk.one(&[("people", r#"[{"id":7,"team":2},{"id":8}]"#)]);
    assert_eq!((counts(&outcome), errors(&outcome)), (vec![[2, 1, 0, 0, 1]], vec!["0 foreign-key team".into()]));
}

/// Requests of a few rows whose keys and parents often meet, made from a seed.
fn random_requests(seed: u64) -> Vec<(&'static str, String)> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |most: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) % most
    };
    let mut requests = Vec::new();
    for _ in 0..12 {
        let rows = 1 + below(4);
        let teams = below(3) == 0;
        let row = |below: &mut dyn FnMut(u64) -> u64| match teams {
            true => format!(r#"{{"id":{},"name":"n{}"}}"#, below(4), below(5)),
            false => {
                let boss = if below(2) == 0 { "null".to_owned() } else { below(9).to_string() };
                format!(r#"{{"id":{},"team":{},"boss":{boss},"pay":{}}}"#, below(9), below(5), below(2))
            }
        };
        let rows: Vec<String> = (0..rows).map(|_| row(&mut below)).collect();
        requests.push((if teams { "teams" } else { "people" }, format!("[{}]", rows.join(","))));
    }
    requests
}

fn sharing_a_transaction_does_not_change_what_is_there(ground: &Ground) {
    for seed in 1..6 {
        let requests = random_requests(seed);
        let grounds = [ground.fresh(), ground.fresh()];
        let [mut together, mut apart] = [0, 1].map(|at| Desk::open(&grounds[at]));
        let all: Vec<_> = requests.iter().map(|(table, rows)| together.request(&[(table, rows)])).collect();
        together.take(&all).iter().for_each(|outcome| drop(counts(outcome)));
        requests.iter().for_each(|(table, rows)| drop(counts(&apart.one(&[(table, rows)]))));
        for table in ["teams", "people"] {
            let keys = |desk: &Desk| desk.rows(table).iter().map(|row| row[0].clone()).collect::<Vec<_>>();
            assert_eq!(keys(&together), keys(&apart), "{table}, seed {seed}: {requests:?}");
        }
        for desk in [&together, &apart] {
            let found = verify_tables(&*desk.target, desk.rules.rules_project(), &SilentObserver).unwrap();
            assert!(found.is_clean(), "seed {seed}: {:?}", found.findings);
        }
    }
}

contract! {
    what_another_program_did_meanwhile_is_seen,
    a_parent_that_vanished_is_missed,
    sharing_a_transaction_does_not_change_what_is_there,
    rows_are_taken_and_the_rest_is_quarantined,
    requests_that_share_a_transaction_have_answers_of_their_own,
    several_tables_in_one_request,
    rows_may_name_each_other_within_a_request,
    a_reject_is_released_when_its_parent_is_sent,
    all_or_nothing_keeps_only_the_rejects,
    a_trial_leaves_no_trace,
    conflicts_go_by_the_rule_that_is_asked_for,
    members_that_an_update_leaves_out_were_wiped,
    required_members_may_be_left_out_where_the_row_is_there,
    keys_of_which_an_update_gives_a_part_are_looked_for_whole,
    one_key_has_one_effect,
    a_key_of_a_request_that_is_all_or_nothing,
    the_ledger_pages_and_tells_requests_from_sources,
    csv_bodies_are_read_in_the_dialect_of_the_table,
    a_json_reject_is_tried_again_as_it_was,
}
