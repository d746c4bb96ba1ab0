//! What happens to a load on a server: it is interrupted, told again, or meets another program. In the end the answer is
//! that of a load that nothing happened to.

use std::fmt::Write as _;

use landfall_core::keys::Scalar;
use landfall_engine::{
    Error, TargetErrorKind,
    ledger::{LoadId, LoadState, Mode, OnConflict},
    pipeline::{LoadOptions, LoadOutcome, WorkLimits},
    targets::{Fence, Interference, MemoryOptions, Pace, Target, TargetRead},
};

use super::{
    answer::{Answer, verified},
    project::{Files, Identity, Shape},
    random::Random,
    same_answer::{Command, commands, cut, seeds},
};
use crate::{
    ground::Ground,
    tables::{Row, batch, content},
};

/// Some way of a server.
fn way(random: &mut Random) -> MemoryOptions {
    MemoryOptions {
        remote: !random.once_in(3),
        builds: random.once_in(2),
        ahead: random.pick(&[0, 1, 3]),
        ..MemoryOptions::default()
    }
}

/// Runs a command until it comes to its end; how often it was run.
fn insist(
    command: &Command,
    target: &mut dyn FnMut() -> Box<dyn Target>,
    files: &Files,
    random: &mut Random,
) -> (Result<Vec<LoadOutcome>, Error>, usize) {
    let mut runs = 0;
    loop {
        runs += 1;
        let outcome = command.run(&mut *target(), files, cut(random));
        match outcome {
            Err(Error::Target(error))
                if matches!(error.kind, TargetErrorKind::Lost | TargetErrorKind::Again) && runs < 50 => {}
            outcome => return (outcome, runs),
        }
    }
}

/// Commits that fail at random points, with errors of `kind`.
fn failing(kind: TargetErrorKind, random: &mut Random) -> Vec<(u64, TargetErrorKind)> {
    (0..random.below(6)).map(|_| (1 + random.below(40), kind)).collect()
}

/// The same commands on a database whose commits fail, and on one where nothing happens.
fn disturbed(seed: u64, kind: TargetErrorKind) {
    let mut random = Random::new(seed);
    let shape = Shape::new(&mut random);
    let files = Files::new(&shape, &mut random);
    let mut commands = commands(&files, &shape, &mut random);
    // A retry that is run again leaves another trace.
    commands.retain(|command| matches!(command, Command::Load(..)));
    for command in &mut commands {
        if let Command::Load(_, options) = command {
            // Forced, the same command would not go on, but read everything once more.
            options.force = false;
        }
    }
    let options = MemoryOptions { failing_commits: failing(kind, &mut random), ..way(&mut random) };
    let what = format!("seed {seed}, {options:?}, {shape:?}");
    let (ground, plain) = (Ground::in_memory(options), Ground::memory());
    for (at, command) in commands.iter().enumerate() {
        let what = format!("{what}, command {at} {command:?}");
        let (outcome, runs) = insist(command, &mut || ground.open(), &files, &mut random);
        let expected = command.run(&mut *plain.open(), &files, WorkLimits::default());
        let mut expected = Answer::of(&*plain.open(), &files.project, &expected);
        let mut answer = Answer::of(&*ground.open(), &files.project, &outcome);
        if runs > 1 {
            // What was done by a run that failed is not told again.
            (answer.said, expected.said) = (Vec::new(), Vec::new());
        }
        let replaces = matches!(command, Command::Load(_, options) if options.mode == Mode::Replace);
        if runs > 1 && replaces {
            // A replace after which rejects were released is done once more, and leaves a second trace.
            assert_eq!(answer.rows, expected.rows, "{what}");
            return;
        }
        answer.compare(&expected, &what);
        verified(&*ground.open(), &files.project, &what);
    }
}

#[test]
fn interrupted_loads_end_alike() {
    seeds().for_each(|seed| disturbed(seed, TargetErrorKind::Lost));
}

#[test]
fn loads_that_go_on_in_step_end_alike() {
    seeds().for_each(|seed| disturbed(seed, TargetErrorKind::Again));
}

/// A project of people with a key, where everything but the command's rules is usual.
fn usual(random: &mut Random) -> (Shape, Files, Command) {
    let identity = random.pick(&[Identity::Integer, Identity::Text, Identity::Pair]);
    let shape = Shape {
        identity,
        email: random.once_in(2),
        seat: random.once_in(3),
        team: true,
        boss: false,
        day: false,
        partial: true,
    };
    let files = Files::new(&shape, random);
    let on_conflict = random.pick(&[OnConflict::Reject, OnConflict::Keep, OnConflict::Update]);
    (shape, files, Command::Load(Vec::new(), LoadOptions { on_conflict, ..LoadOptions::default() }))
}

/// The rows of `table` after the command on a plain database.
fn rows_after(command: &Command, files: &Files, table: &str) -> Vec<Row> {
    let plain = Ground::memory();
    command.run(&mut *plain.open(), files, WorkLimits::default()).unwrap();
    let tables = files.project.target_tables();
    content(&*plain.open(), tables.iter().find(|known| &*known.name == table).unwrap())
}

/// `row` as another program might insert it just before: the same, or with another amount.
fn rival(row: &Row, random: &mut Random) -> Row {
    let mut rival = row.clone();
    if random.once_in(2) {
        rival[7] = Scalar::Number("4711".into());
    }
    rival
}

fn insert(target: &mut dyn Target, files: &Files, rows: &[Row]) {
    let tables = files.project.target_tables();
    target.prepare_tables(&tables).unwrap();
    let people = tables.iter().find(|table| &*table.name == "people").unwrap();
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
    let everything = 0..rows.len();
    assert_eq!(transaction.insert_rows(people, &batch(people, rows), &[everything]).unwrap(), []);
    transaction.commit_now().unwrap();
}

/// Which record of which load was rejected, without the reasons.
fn rejected(read: &dyn TargetRead) -> Vec<(LoadId, u64)> {
    let filter = landfall_engine::quarantine::RejectFilter { any_state: true, ..Default::default() };
    let rejects = read.find_rejects(&filter).unwrap();
    let mut found: Vec<_> = rejects.iter().map(|reject| (reject.load, reject.record)).collect();
    found.sort_unstable();
    found
}

/// Another program inserts rows at the last moment: it is as if they had been there before.
#[test]
fn rows_of_another_program_count_as_if_they_had_been_there() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let (shape, files, command) = usual(&mut random);
        let mut rows = rows_after(&command, &files, "people");
        rows.retain(|_| random.once_in(8));
        // Teams are there before, so that the other program's rows have their parents.
        let rivals: Vec<Row> = rows.iter().map(|row| rival(row, &mut random)).collect();
        let meets = |row: &Row| Interference::Insert { table: "people".into(), row: row.clone() };
        let options =
            MemoryOptions { builds: false, interferences: rivals.iter().map(meets).collect(), ..way(&mut random) };
        let what = format!("seed {seed}, {command:?}, {options:?}");
        let (ground, plain) = (Ground::in_memory(options), Ground::memory());
        insert(&mut *plain.open(), &files, &rivals);
        let expected = command.run(&mut *plain.open(), &files, WorkLimits::default()).unwrap();
        let outcomes = command.run(&mut *ground.open(), &files, cut(&mut random)).unwrap();
        let counts = |outcomes: &[LoadOutcome]| outcomes.iter().map(|outcome| outcome.counts).collect::<Vec<_>>();
        verified(&*ground.open(), &files.project, &what);
        if shape.email || shape.seat {
            // An earlier record may have had one of the other program's keys, and was judged before that was there.
            continue;
        }
        assert_eq!(counts(&outcomes), counts(&expected), "{what}");
        let answer = Answer::of(&*ground.open(), &files.project, &Ok(Vec::new()));
        assert_eq!(answer.rows, Answer::of(&*plain.open(), &files.project, &Ok(Vec::new())).rows, "{what}");
        assert_eq!(rejected(&*ground.open()), rejected(&*plain.open()), "{what}");
    }
}

/// Another program deletes a parent at the last moment: the rows that name it are rejects, and none of the others are lost.
#[test]
fn parents_that_vanish_make_rejects_of_the_rows_that_name_them() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let (_, files, everything) = usual(&mut random);
        let teams = Command::Load(vec![selection("teams")], LoadOptions::default());
        let Command::Load(_, mut options) = everything else { unreachable!("it is a load") };
        if options.on_conflict == OnConflict::Keep {
            // The parents of a row that is not written are not held.
            options.on_conflict = OnConflict::Reject;
        }
        let people = Command::Load(vec![selection("people")], options);
        let Scalar::Integer(gone) = rows_after(&teams, &files, "teams")[0][0] else { panic!("a number") };
        let deletion = Interference::Delete {
            table: "teams".into(),
            positions: vec![0.into()],
            values: vec![Scalar::Integer(gone)],
        };
        let ways = MemoryOptions { interferences: vec![deletion], ..way(&mut random) };
        let what = format!("seed {seed}, {people:?}, {ways:?}, without the team {gone}");
        let (ground, plain) = (Ground::in_memory(ways), Ground::memory());
        teams.run(&mut *ground.open(), &files, WorkLimits::default()).unwrap();
        let outcomes =
            people.run(&mut *ground.open(), &files, cut(&mut random)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let met = Answer::of(&*ground.open(), &files.project, &Ok(Vec::new())).rows;
        let mut left = "id,name\n".to_owned();
        for team in content(&*ground.open(), &files.project.target_tables()[2]) {
            let _ = writeln!(left, "{},{}", team[0], team[1]);
        }
        files.write("teams.csv", &left);
        teams.run(&mut *plain.open(), &files, WorkLimits::default()).unwrap();
        let expected = people.run(&mut *plain.open(), &files, WorkLimits::default()).unwrap();
        let counts = |outcomes: &[LoadOutcome]| outcomes.iter().map(|outcome| outcome.counts).collect::<Vec<_>>();
        assert_eq!(counts(&outcomes), counts(&expected), "{what}");
        let own = |rows: Vec<String>| rows.into_iter().filter(|row| row.starts_with("people")).collect::<Vec<_>>();
        let expected = Answer::of(&*plain.open(), &files.project, &Ok(Vec::new()));
        assert_eq!(own(met), own(expected.rows), "{what}");
    }
}

fn selection(table: &str) -> landfall_engine::pipeline::Selection {
    landfall_engine::pipeline::Selection { table: table.into(), source: None }
}

/// A load is not stopped by an error of its own making: what was sent ahead is settled first.
#[test]
fn a_replace_meets_nothing_that_was_sent_ahead() {
    let mut random = Random::new(7);
    let (_, files, _) = usual(&mut random);
    let ground = Ground::in_memory(MemoryOptions { ahead: 3, remote: true, ..MemoryOptions::default() });
    for mode in [Mode::Append, Mode::Replace, Mode::Replace] {
        let command = Command::Load(Vec::new(), LoadOptions { mode, force: true, ..LoadOptions::default() });
        let outcomes = command.run(&mut *ground.open(), &files, cut(&mut random)).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.state == LoadState::Complete), "{outcomes:?}");
    }
}
