//! Dirty files, every rule of conflict, every mode: on all targets the same rows, rejects, counts and ledger.

use landfall_core::schema::SourcePath;
use landfall_engine::{
    Error,
    ledger::{Mode, OnConflict},
    pipeline::{
        LoadOptions, LoadOutcome, MaxRejects, RetrySelection, Selection, SilentObserver, WorkLimits, load_tables,
        retry_rejects,
    },
    quarantine::RejectFilter,
    targets::Target,
};

use super::{
    answer::{Answer, verified},
    project::{Files, Shape},
    random::Random,
};
use crate::ground::Ground;

/// One command.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Load(Vec<Selection>, LoadOptions),
    Retry,
}

impl Command {
    /// Runs it, with the work cut in its own way.
    pub(super) fn run(
        &self,
        target: &mut dyn Target,
        files: &Files,
        work: WorkLimits,
    ) -> Result<Vec<LoadOutcome>, Error> {
        match self {
            Self::Load(selections, options) => {
                let work = WorkLimits { record_bytes: options.work.record_bytes, ..work };
                load_tables(
                    target,
                    &files.project,
                    selections,
                    &LoadOptions { work, ..options.clone() },
                    &SilentObserver,
                )
            }
            Self::Retry => retry_rejects(
                target,
                &files.project,
                &RetrySelection::Quarantine(RejectFilter::default()),
                &SilentObserver,
            ),
        }
    }
}

/// Options for a load, most often the usual ones.
fn options(random: &mut Random) -> LoadOptions {
    let most = [None, None, None, Some(MaxRejects::Count(random.below(30))), Some(MaxRejects::Percent(20.0))];
    let on_conflict = random.pick(&[OnConflict::Reject, OnConflict::Reject, OnConflict::Keep, OnConflict::Update]);
    let mut mode = random.pick(&[Mode::Append, Mode::Append, Mode::Append, Mode::Upsert, Mode::Replace]);
    if mode == Mode::Upsert && on_conflict == OnConflict::Keep {
        mode = Mode::Append;
    }
    let record_bytes = random.pick(&[16 << 20, 16 << 20, 300]);
    LoadOptions {
        mode,
        on_conflict,
        atomic: random.once_in(8),
        max_rejects: random.pick(&most),
        force: random.once_in(8),
        work: WorkLimits { record_bytes, ..WorkLimits::default() },
        allow_empty: random.once_in(2),
        ..LoadOptions::default()
    }
}

/// How the work is cut.
pub(super) fn cut(random: &mut Random) -> WorkLimits {
    let chunk_records = random.pick(&[1, 2, 7, 20, 100, 100_000]);
    let block_bytes = random.pick(&[64, 200, 1_000, 8_192]);
    WorkLimits {
        threads: 1 + usize::try_from(random.below(3)).unwrap(),
        chunk_records,
        block_bytes,
        ..WorkLimits::default()
    }
}

/// The commands of a seed, with the files that they need.
pub(super) fn commands(files: &Files, shape: &Shape, random: &mut Random) -> Vec<Command> {
    let selected = |table: &str, file: &str| {
        let path = files.path().join(file).to_string_lossy().into_owned();
        Selection { table: table.into(), source: Some(SourcePath(path)) }
    };
    let mut commands = vec![Command::Load(Vec::new(), options(random))];
    for number in 0..1 + random.below(3) {
        let command = match random.below(8) {
            0 => Command::Retry,
            1 => commands[0].clone(),
            2 => Command::Load(vec![Selection { table: "teams".into(), source: None }], options(random)),
            _ => {
                let name = format!("more-{number}.csv");
                let records = random.pick(&[3, 40, 150]);
                files.write(&name, &shape.people(records, random));
                Command::Load(vec![selected("people", &name)], options(random))
            }
        };
        commands.push(command);
    }
    commands
}

/// The seeds to try: more of them by `LANDFALL_SEEDS=FROM..TO`.
pub(super) fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("LANDFALL_SEEDS").unwrap_or_else(|_| "0..40".into());
    let (from, to) = wanted.split_once("..").expect("LANDFALL_SEEDS=FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

fn all_give_the_same_answer(ground: &Ground) {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let shape = Shape::new(&mut random);
        let files = Files::new(&shape, &mut random);
        let commands = commands(&files, &shape, &mut random);
        let ground = ground.fresh();
        let plain = Ground::memory();
        for (at, command) in commands.iter().enumerate() {
            let what = format!("seed {seed}, command {at} of {commands:?}, {:?}", shape);
            let mut target = ground.open();
            let outcome = command.run(&mut *target, &files, cut(&mut random));
            let mut oracle = plain.open();
            let expected = command.run(&mut *oracle, &files, WorkLimits { threads: 1, ..WorkLimits::default() });
            let expected = Answer::of(&*oracle, &files.project, &expected);
            Answer::of(&*target, &files.project, &outcome).compare(&expected, &what);
            verified(&*target, &files.project, &what);
        }
    }
}

contract! { all_give_the_same_answer }
