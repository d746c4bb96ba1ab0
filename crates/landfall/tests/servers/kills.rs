//! The program, its connections or the server are killed at random points of a load, and the same command is run again until it
//! is done. What stands in the database then is what an undisturbed run leaves there: nothing is lost, nothing is doubled.

use std::{
    process::{Child, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use testbed::{Mariadb, Postgres, Proxy, ProxyRule};

use super::{
    place::{Kind, OWN_TABLES, Place},
    site::{STAFF, Site, assert_same},
};
use crate::support::{
    Project, Run,
    random::Random,
    rounds,
    staff::{self, File},
};

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The program, by `kill -9`.
    Program,
    /// Its connections, by the server.
    Connections,
    /// The line to the server, after some bytes in one direction.
    Line,
    /// The server, by `kill -9`; it is started again.
    Server,
    /// One process of the server, by `kill -9`: PostgreSQL takes all others down then, and recovers by itself.
    Process,
}

/// What is loaded, and onto what.
struct Scenario {
    /// The project before the command, with data of a seed.
    prepare: fn(Site, u64) -> Site,
    arguments: &'static [&'static str],
    /// The numbers of rows of `staff` that may be seen on the way; any where there are none.
    steps: &'static [u64],
}

/// Options of the run that nobody disturbs.
const UNDISTURBED: [&str; 4] = ["--chunk-records", "50", "--block-bytes", "300"];
/// No command may take longer than this, whatever is done to it.
const PATIENCE: Duration = Duration::from_secs(100);

/// Tables that do not exist yet.
const FIRST: Scenario = Scenario {
    prepare: |site, seed| {
        site.write("staff.csv", File::dirty(seed, 1, 1200).bytes);
        site
    },
    arguments: &["load"],
    steps: &[],
};

/// Tables that hold rows with the same keys.
const SECOND: Scenario = Scenario { prepare: second, arguments: &["load"], steps: &[] };
const UPSERT: Scenario = Scenario { prepare: second, arguments: &["load", "--mode", "upsert"], steps: &[] };

const ATOMIC: Scenario = Scenario {
    prepare: |site, seed| {
        site.write("staff.csv", File::clean(seed, 1, 1500).bytes);
        site
    },
    arguments: &["load", "--atomic"],
    steps: &[0, 1500],
};

const REPLACE: Scenario = Scenario {
    prepare: |site, seed| {
        site.write("staff.csv", File::clean(seed, 1, 700).bytes);
        site.run(&["load", "-q"]).exits(0);
        site.write("staff.csv", File::clean(seed + 1, 500, 1500).bytes);
        site
    },
    arguments: &["load", "--mode", "replace"],
    steps: &[700, 1500],
};

/// Rows that wait for their parents, which come now.
const WAITING: Scenario = Scenario {
    prepare: |site, seed| {
        site.write("staff.csv", File::dirty(seed, 1, 900).bytes);
        site.run(&["load", "-q"]).exits(0);
        site.write("teams.csv", format!("{}21,New\n22,Newer\n", site.read("teams.csv")));
        site
    },
    arguments: &["load"],
    steps: &[],
};

fn second(site: Site, seed: u64) -> Site {
    site.write("staff.csv", File::dirty(seed, 1, 700).bytes);
    site.run(&["load", "-q"]).exits(0);
    site.write("staff.csv", File::dirty(seed + 1, 400, 900).bytes);
    site
}

/// A server of these tests alone, since they kill it.
enum Own {
    Postgres(Postgres),
    Mariadb(Mariadb),
}

impl Own {
    fn of(kind: Kind) -> &'static Self {
        static SERVERS: [OnceLock<Own>; 2] = [OnceLock::new(), OnceLock::new()];
        if kind == Kind::Mariadb {
            SERVERS[1].get_or_init(|| Self::Mariadb(Mariadb::start().unwrap()))
        } else {
            SERVERS[0].get_or_init(|| Self::Postgres(Postgres::start().unwrap()))
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Postgres(server) => Place::on(Kind::Postgres, server.fresh_database().unwrap()),
            Self::Mariadb(server) => Place::on(Kind::Mariadb, server.fresh_database().unwrap()),
        }
    }

    fn kill(&self) {
        match self {
            Self::Postgres(server) => server.kill_server().unwrap(),
            Self::Mariadb(server) => server.kill_server().unwrap(),
        }
    }

    /// Kills one of the processes that work for clients of `place`, if there is one, and waits until the server has recovered.
    fn kill_process(&self, place: &Place) {
        let Self::Postgres(server) = self else { panic!("MariaDB has one process") };
        server.kill9_backend(place.database()).unwrap();
        server.wait_until_recovered().unwrap();
    }

    fn restart(&self) {
        match self {
            Self::Postgres(server) => server.restart_server().unwrap(),
            Self::Mariadb(server) => server.restart_server().unwrap(),
        }
    }
}

/// A site for a victim of this kind.
fn empty(kind: Kind, victim: Victim) -> Site {
    let project: Project = staff::project();
    match victim {
        Victim::Server | Victim::Process => Site::at(project, Own::of(kind).place()),
        _ => Site::new(project, kind),
    }
}

/// Options that must not matter.
fn some_cut(random: &mut Random) -> Vec<String> {
    let mut pick = |name: &str, values: [u64; 4]| {
        let value = values[usize::try_from(random.below(4)).unwrap()];
        [format!("--{name}"), value.to_string()]
    };
    // Chunks of one record are not worth their time here: SQLite's tests have them.
    [
        pick("chunk-records", [20, 50, 200, 500]),
        pick("block-bytes", [300, 1000, 4096, 1 << 19]),
        pick("threads", [1, 2, 3, 4]),
    ]
    .concat()
}

/// Prepares a site, runs the command undisturbed and disturbed, and compares, until enough kills were made.
fn compare(seed: u64, share: u64, kind: Kind, victim: Victim, scenario: &Scenario) {
    let mut random = Random::new(seed);
    let (mut kills, wanted) = (0, rounds(share));
    while kills < wanted {
        let made = random.below(1 << 20);
        let undisturbed = (scenario.prepare)(empty(kind, victim), made);
        let begun = Instant::now();
        undisturbed.run(&[scenario.arguments, &UNDISTURBED].concat()).exits(0);
        let usual = begun.elapsed();
        let wanted = undisturbed.outcome(&STAFF);
        drop(undisturbed);
        let what = format!("{kind:?}, {victim:?}, {:?}, data of {made}", scenario.arguments);
        eprintln!("{what}: {usual:?}");
        let site = (scenario.prepare)(empty(kind, victim), made);
        kills += run_disturbed(&site, victim, scenario, &mut random, usual).max(1);
        assert_same(&site.outcome(&STAFF), &wanted, &what);
        site.audit(&[]);
        assert_eq!(site.run(&[scenario.arguments, &["--json"]].concat()).exits(0).counts("staff"), [0; 5], "{what}");
        assert_no_traces(&site);
    }
    eprintln!("{kind:?}, {victim:?}, {:?}: {kills} kills", scenario.arguments);
}

/// No table that was built aside is left behind.
#[track_caller]
fn assert_no_traces(site: &Site) {
    let (own, package): (Vec<String>, Vec<String>) =
        site.place.tables().into_iter().partition(|name| name.starts_with("landfall"));
    assert_eq!(package.len(), 2, "{package:?} {own:?}");
    for name in own {
        assert!(OWN_TABLES.iter().any(|known| site.place.own(known) == *name), "{name} is left behind");
    }
}

/// Disturbs the command again and again until it ends well; how often it was hit.
fn run_disturbed(site: &Site, victim: Victim, scenario: &Scenario, random: &mut Random, usual: Duration) -> u64 {
    let mut kills = 0;
    loop {
        let cut = some_cut(random);
        let arguments: Vec<&str> = scenario.arguments.iter().copied().chain(cut.iter().map(String::as_str)).collect();
        let Some(run) = strike(site, victim, &arguments, random, usual) else {
            return kills;
        };
        if let Some(run) = run {
            is_told_well(&run, victim);
        }
        kills += 1;
        if victim == Victim::Program {
            // What has come in so far is whole, although the load is not.
            site.assert_nothing_wrong();
        }
        if !scenario.steps.is_empty() {
            let rows = site.count("staff");
            assert!(scenario.steps.contains(&rows), "{rows} rows, none of {:?}", scenario.steps);
        }
    }
}

/// A run that was disturbed tells it with one error, which says what to do.
#[track_caller]
fn is_told_well(run: &Run, victim: Victim) {
    let errors = run.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    // A server that was gone before the program had come to it was not lost: it was not there.
    let of_server = [Victim::Server, Victim::Process].contains(&victim);
    let was_never_there = of_server && run.code == 5 && run.stderr.contains("cannot ");
    assert!((run.code == 13 || was_never_there) && errors == 1, "code {}: {}{}", run.code, run.stdout, run.stderr);
    assert!(run.stderr.contains("same command again") || run.stderr.contains("connect"), "{}", run.stderr);
}

/// Runs the command and strikes once: none where it ended well, else how it ended where it could tell.
fn strike(
    site: &Site,
    victim: Victim,
    arguments: &[&str],
    random: &mut Random,
    usual: Duration,
) -> Option<Option<Run>> {
    let moment = Duration::from_micros(random.below(u64::try_from(usual.as_micros()).unwrap() * 3 / 2));
    match victim {
        Victim::Program => {
            let mut child = started(site, arguments);
            std::thread::sleep(moment);
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            let Some(code) = output.status.code() else { return Some(None) };
            assert_eq!(code, 0, "{}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Victim::Connections => {
            let child = started(site, arguments);
            std::thread::sleep(moment);
            site.place.kill_connections();
            ended(child)
        }
        Victim::Line => {
            let proxy = Proxy::start(site.place.database().port()).unwrap();
            site.aim(&proxy.proxy_url(site.place.database()));
            proxy.set(if random.once_in(2) {
                ProxyRule::CutAfterFromClient(random.below(90_000))
            } else {
                ProxyRule::CutAfterFromServer(random.below(30_000))
            });
            let run = ended(started(site, arguments));
            site.aim(&site.place.url);
            run
        }
        Victim::Server => {
            let server = Own::of(site.place.kind);
            let child = started(site, arguments);
            std::thread::sleep(moment);
            server.kill();
            let run = ended(child);
            server.restart();
            run
        }
        Victim::Process => {
            let child = started(site, arguments);
            std::thread::sleep(moment);
            Own::of(site.place.kind).kill_process(&site.place);
            ended(child)
        }
    }
}

fn started(site: &Site, arguments: &[&str]) -> Child {
    site.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end of a run, which must come in time: none where it ended well.
fn ended(child: Child) -> Option<Option<Run>> {
    let begun = Instant::now();
    let run = Run::of(&child.wait_with_output().unwrap());
    assert!(begun.elapsed() < PATIENCE, "it took {:?}: {}", begun.elapsed(), run.stderr);
    (run.code != 0).then_some(Some(run))
}

/// One server at a time is killed, since they are shared by these tests.
fn alone(kind: Kind) -> std::sync::MutexGuard<'static, ()> {
    static TURNS: [std::sync::Mutex<()>; 2] = [std::sync::Mutex::new(()), std::sync::Mutex::new(())];
    TURNS[usize::from(kind == Kind::Mariadb)].lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_killed_first_load_goes_on_where_it_was() {
    for (seed, kind) in (10..).zip(Kind::SERVERS) {
        compare(seed, 12, kind, Victim::Program, &FIRST);
    }
}

#[test]
fn a_killed_load_into_tables_with_rows_goes_on_where_it_was() {
    for (seed, kind) in (20..).zip(Kind::SERVERS) {
        compare(seed, 10, kind, Victim::Program, &SECOND);
        compare(seed + 5, 5, kind, Victim::Program, &UPSERT);
    }
}

#[test]
fn a_killed_atomic_load_is_nothing_yet_or_everything() {
    for (seed, kind) in (30..).zip(Kind::DATABASES) {
        compare(seed, 8, kind, Victim::Program, &ATOMIC);
    }
}

#[test]
fn a_killed_replace_leaves_the_table_as_before_or_after() {
    for (seed, kind) in (40..).zip(Kind::DATABASES) {
        compare(seed, 8, kind, Victim::Program, &REPLACE);
    }
}

#[test]
fn rejects_are_released_although_the_load_of_their_parents_was_killed() {
    for (seed, kind) in (50..).zip(Kind::DATABASES) {
        compare(seed, 6, kind, Victim::Program, &WAITING);
    }
}

#[test]
fn a_load_whose_connections_were_killed_goes_on_where_it_was() {
    for (seed, kind) in (60..).zip(Kind::SERVERS) {
        compare(seed, 8, kind, Victim::Connections, &FIRST);
        compare(seed + 5, 8, kind, Victim::Connections, &SECOND);
        compare(seed + 10, 4, kind, Victim::Connections, &REPLACE);
    }
}

#[test]
fn a_load_whose_line_was_cut_goes_on_where_it_was() {
    for (seed, kind) in (80..).zip(Kind::DATABASES) {
        compare(seed, 12, kind, Victim::Line, &FIRST);
        compare(seed + 5, 10, kind, Victim::Line, &SECOND);
        compare(seed + 10, 5, kind, Victim::Line, &UPSERT);
        compare(seed + 15, 5, kind, Victim::Line, &ATOMIC);
    }
}

#[test]
fn a_load_whose_server_was_killed_goes_on_where_it_was() {
    for (seed, kind) in (100..).zip(Kind::DATABASES) {
        let _turn = alone(kind);
        compare(seed, 4, kind, Victim::Server, &FIRST);
        compare(seed + 5, 4, kind, Victim::Server, &SECOND);
        compare(seed + 10, 2, kind, Victim::Server, &WAITING);
    }
}

/// The server recovers from that by itself, and hands out numbers of transactions again that it had not flushed.
#[test]
fn a_load_goes_on_after_a_process_of_the_server_was_killed() {
    let _turn = alone(Kind::Postgres);
    compare(121, 4, Kind::Postgres, Victim::Process, &FIRST);
    compare(122, 4, Kind::Postgres, Victim::Process, &SECOND);
    compare(123, 3, Kind::Postgres, Victim::Process, &REPLACE);
    compare(124, 2, Kind::Postgres, Victim::Process, &WAITING);
}
