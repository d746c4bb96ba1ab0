//! Two commands at once on one database: nothing is lost, nothing is doubled.

use std::{sync::Barrier, thread};

use landfall_core::{keys::Scalar, schema::SourcePath};
use landfall_engine::{
    Error, TargetErrorKind,
    ledger::{LoadState, OnConflict},
    pipeline::{LoadOptions, LoadOutcome, Selection, SilentObserver, load_tables},
};

use super::{
    answer::{Answer, verified},
    project::{Files, Identity, Shape},
    random::Random,
    same_answer::cut,
};
use crate::{ground::Ground, tables::content};

/// Runs a load until other writers let it come to its end.
fn run(ground: &Ground, files: &Files, name: &str, options: &LoadOptions) -> Vec<LoadOutcome> {
    let path = files.path().join(name).to_string_lossy().into_owned();
    let selection = Selection { table: "people".into(), source: Some(SourcePath(path)) };
    for _ in 0..50 {
        match load_tables(
            &mut *ground.open(),
            &files.project,
            std::slice::from_ref(&selection),
            options,
            &SilentObserver,
        ) {
            Ok(outcomes) => return outcomes,
            Err(Error::Target(error))
                if matches!(
                    error.kind,
                    TargetErrorKind::Locked | TargetErrorKind::Again | TargetErrorKind::Overtaken
                ) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never came to its end");
}

/// Two loads of people at once, of these files.
fn both(ground: &Ground, files: &Files, names: [&str; 2], options: &[LoadOptions; 2]) -> Vec<Vec<LoadOutcome>> {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let run = |at: usize| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                run(ground, files, names[at], &options[at])
            })
        };
        let threads = [run(0), run(1)];
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn started(seed: u64, ground: &Ground) -> (Random, Files, [LoadOptions; 2]) {
    let mut random = Random::new(seed);
    let (email, boss) = (seed.is_multiple_of(2), seed.is_multiple_of(3));
    let shape = Shape { identity: Identity::Integer, email, seat: false, team: true, boss, day: false, partial: false };
    let files = Files::new(&shape, &mut random);
    ground.open().prepare_tables(&files.project.target_tables()).unwrap();
    let teams = Selection { table: "teams".into(), source: None };
    load_tables(&mut *ground.open(), &files.project, &[teams], &LoadOptions::default(), &SilentObserver).unwrap();
    let on_conflict = random.pick(&[OnConflict::Reject, OnConflict::Keep]);
    let options = [cut(&mut random), cut(&mut random)];
    (random, files, options.map(|work| LoadOptions { work, on_conflict, ..LoadOptions::default() }))
}

fn two_loads_of_one_file_are_one(ground: &Ground) {
    for seed in 0..6 {
        let (ground, plain) = (ground.fresh(), Ground::memory());
        let (_, files, options) = started(seed, &ground);
        both(&ground, &files, ["people-1.csv"; 2], &options);
        let teams = Selection { table: "teams".into(), source: None };
        load_tables(&mut *plain.open(), &files.project, &[teams], &LoadOptions::default(), &SilentObserver).unwrap();
        run(
            &plain,
            &files,
            "people-1.csv",
            &LoadOptions { on_conflict: options[0].on_conflict, ..LoadOptions::default() },
        );
        let rows = |ground: &Ground| Answer::of(&*ground.open(), &files.project, &Ok(Vec::new())).rows;
        assert_eq!(rows(&ground), rows(&plain), "seed {seed}");
        verified(&*ground.open(), &files.project, &format!("seed {seed}"));
    }
}

fn two_loads_with_clashing_keys_lose_nothing(ground: &Ground) {
    for seed in 0..6 {
        let ground = ground.fresh();
        let (_, files, options) = started(seed, &ground);
        let outcomes = both(&ground, &files, ["people-1.csv", "people-2.csv"], &options);
        assert!(outcomes.iter().flatten().all(|outcome| outcome.state != LoadState::Running), "seed {seed}");
        let ledger = ground.open().all_loads().unwrap();
        assert!(ledger.iter().all(|entry| entry.counts.conserved()), "seed {seed}: {ledger:?}");
        let rows = content(&*ground.open(), &files.project.target_tables()[1]);
        let mut keys: Vec<&Scalar> = rows.iter().map(|row| &row[0]).collect();
        keys.dedup();
        assert_eq!(keys.len(), rows.len(), "seed {seed}: a key twice");
        let inserted: u64 = ledger.iter().filter(|e| e.table == "people").map(|entry| entry.counts.inserted).sum();
        assert_eq!(inserted, rows.len() as u64, "seed {seed}");
        verified(&*ground.open(), &files.project, &format!("seed {seed}"));
    }
}

contract! { two_loads_of_one_file_are_one, two_loads_with_clashing_keys_lose_nothing }
