//! A COMMIT that the server never hears of, and a server that dies then: whoever waits for the answer must not take anything else
//! for it. What was not committed is told as lost, and the same command brings it in once.

use std::{
    sync::OnceLock,
    thread::{scope, sleep},
    time::Duration,
};

use testbed::{Mariadb, Postgres, Proxy, ProxyRule};

use super::{
    place::{Kind, Place},
    site::{STAFF, Site, assert_same},
};
use crate::support::{
    Run, soak,
    staff::{self, File},
};

/// Nobody commits more often than this.
const MOST: u32 = 400;

/// Servers of these tests alone, since they kill them; one of each kind, one test at a time.
enum Mortal {
    Postgres(Postgres),
    Mariadb(Mariadb),
}

impl Mortal {
    fn of(kind: Kind) -> &'static Self {
        static SERVERS: [OnceLock<Mortal>; 2] = [OnceLock::new(), OnceLock::new()];
        match kind {
            Kind::Mariadb => SERVERS[1].get_or_init(|| Self::Mariadb(Mariadb::start().unwrap())),
            _ => SERVERS[0].get_or_init(|| Self::Postgres(Postgres::start().unwrap())),
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Postgres(server) => Place::on(Kind::Postgres, server.fresh_database().unwrap()),
            Self::Mariadb(server) => Place::on(Kind::Mariadb, server.fresh_database().unwrap()),
        }
    }

    /// Dies as the system would have it where memory is short, and comes back.
    fn crash(&self, place: &Place) {
        match self {
            Self::Postgres(server) => {
                server.kill9_backend(place.database()).unwrap();
                server.wait_until_recovered().unwrap();
                // Numbers of transactions that were lost are used again at once.
                let uses = "DO $$ BEGIN FOR i IN 1..30 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
                while place.database().run_sql(uses).is_err() {
                    sleep(Duration::from_millis(5));
                }
            }
            Self::Mariadb(server) => {
                server.kill_server().unwrap();
                server.restart_server().unwrap();
            }
        }
    }
}

/// What is done to the project.
struct Deed {
    /// What stands before.
    prepare: fn(&Site),
    arguments: &'static [&'static str],
}

const LOAD: Deed = Deed {
    prepare: |site| site.write("staff.csv", File::dirty(302, 200, 600).bytes),
    arguments: &["load", "--chunk-records", "150", "--block-bytes", "2000"],
};

const LOAD_INTO_ROWS: Deed = Deed { prepare: loaded, arguments: LOAD.arguments };

const REPLACE: Deed = Deed { prepare: loaded, arguments: &["load", "--mode", "replace", "--max-rejects", "100%"] };

/// Rejects whose parents another program has brought.
const RETRY: Deed = Deed {
    prepare: |site| {
        loaded(site);
        let teams = site.place.quoted("teams");
        site.place.run(&format!("INSERT INTO {teams} (id, name) VALUES (21, 'New'), (22, 'Newer')"));
    },
    arguments: &["rejects", "retry"],
};

const RESTORE: Deed = Deed {
    prepare: |site| {
        loaded(site);
        site.run(&["load", "-q"]).exits(0);
        site.run(&["backup", "--to", "sets", "--json"]).exits(0);
        let staff = site.place.quoted("staff");
        site.place.run(&format!("DELETE FROM {staff} WHERE id < 150"));
    },
    arguments: &["restore", "staff", "--in", "sets"],
};

/// Rows are there, and the file has others.
fn loaded(site: &Site) {
    site.write("staff.csv", File::dirty(301, 1, 300).bytes);
    site.run(&["load", "-q"]).exits(0);
    (LOAD.prepare)(site);
}

fn site(kind: Kind, deed: &Deed) -> Site {
    let site = Site::at(staff::project(), Mortal::of(kind).place());
    (deed.prepare)(&site);
    site
}

/// What came of it, without the names of backup sets, which no two have alike, and without attempts that released nothing: a second
/// one is noted too.
fn outcome(site: &Site) -> Vec<String> {
    let without_set = |line: String| match (line.find("backup:"), line.find("/staff.avro")) {
        (Some(from), Some(to)) => line[..from].to_owned() + &line[to..],
        _ => line,
    };
    let in_vain = |line: &String| line.contains(r#""mode":"retry""#) && line.contains(r#""inserted":0"#);
    site.outcome(&STAFF).into_iter().filter(|line| !in_vain(line)).map(without_set).collect()
}

/// Keeps each COMMIT of `deed` from the server in turn, and lets the server crash while its answer is waited for; how many there
/// were.
fn swallow_each(kind: Kind, deed: &Deed) -> u32 {
    let undisturbed = site(kind, deed);
    undisturbed.run(deed.arguments).exits(0);
    let wanted = outcome(&undisturbed);
    let (mut skip, mut swallowed) = (0, 0);
    while skip < MOST {
        let site = site(kind, deed);
        let what = format!("{kind:?} {:?}: COMMIT number {skip}", deed.arguments);
        let (run, fired) = run_beside_crash(&site, deed, skip);
        if run.code != 0 {
            assert!(fired && run.code == 13, "{what}: {} {}{}", run.code, run.stdout, run.stderr);
            assert!(run.stderr.contains("same command again"), "{what}: {}", run.stderr);
            site.run(deed.arguments).exits(0);
        }
        // What was acknowledged is there without another try.
        assert_same(&outcome(&site), &wanted, &what);
        site.assert_nothing_wrong();
        if !fired {
            return swallowed;
        }
        swallowed += 1;
        skip += if soak() { 1 } else { 1 + skip };
    }
    panic!("{kind:?}: there are more than {MOST} of them");
}

/// Runs the command through a line that swallows a COMMIT; whether that was so.
fn run_beside_crash(site: &Site, deed: &Deed, skip: u32) -> (Run, bool) {
    let proxy = Proxy::start(site.place.database().port()).unwrap();
    site.aim(&proxy.proxy_url(site.place.database()));
    proxy.set(ProxyRule::swallow_request("COMMIT", skip));
    let mut child = site.command(deed.arguments);
    let child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let ended = std::sync::atomic::AtomicBool::new(false);
    let run = scope(|scope| {
        scope.spawn(|| {
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                if proxy.times_fired() > 0 {
                    return Mortal::of(site.place.kind).crash(&site.place);
                }
                sleep(Duration::from_millis(2));
            }
        });
        let run = Run::of(&child.wait_with_output().unwrap());
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        run
    });
    site.aim(&site.place.url);
    (run, proxy.times_fired() > 0)
}

/// Server by server, since they are shared by these tests.
fn on_each_server(deed: &Deed, at_least: u32) {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for kind in Kind::DATABASES {
        let swallowed = swallow_each(kind, deed);
        assert!(swallowed >= at_least, "{kind:?} {:?}: {swallowed}", deed.arguments);
    }
}

#[test]
fn a_load_whose_commit_was_swallowed_is_not_acknowledged() {
    on_each_server(&LOAD, 2);
    on_each_server(&LOAD_INTO_ROWS, 2);
}

#[test]
fn a_replace_whose_commit_was_swallowed_is_not_acknowledged() {
    on_each_server(&REPLACE, 1);
}

#[test]
fn a_retry_whose_commit_was_swallowed_is_not_acknowledged() {
    on_each_server(&RETRY, 1);
}

#[test]
fn a_restore_whose_commit_was_swallowed_is_not_acknowledged() {
    on_each_server(&RESTORE, 1);
}
