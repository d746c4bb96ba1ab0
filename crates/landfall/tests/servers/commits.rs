//! The server does what it was asked for, and its answer never comes: what became of it is settled from the ledger.

use testbed::{Proxy, ProxyRule};

use super::{
    place::Kind,
    site::{STAFF, Site, assert_same},
};
use crate::support::{
    soak,
    staff::{self, File},
};

/// Nobody has more statements of a kind than this.
const MOST: u32 = 400;

fn site(kind: Kind, prepared: bool) -> Site {
    let site = Site::new(staff::project(), kind);
    if prepared {
        site.write("staff.csv", File::dirty(201, 1, 300).bytes);
        site.run(&["load", "-q"]).exits(0);
    }
    site.write("staff.csv", File::dirty(202, 200, 600).bytes);
    site
}

/// Swallows the answer to the first statement that holds `pattern`, then, in a fresh database, that to a later one, until there
/// is none any more; how many were swallowed. Each of them has its turn in a soak; otherwise the steps grow.
fn swallow_each(kind: Kind, prepared: bool, pattern: &str, options: &[&str]) -> u32 {
    let arguments = [&["load", "--chunk-records", "150", "--block-bytes", "2000"], options].concat();
    let undisturbed = site(kind, prepared);
    undisturbed.run(&arguments).exits(0);
    let wanted = undisturbed.outcome(&STAFF);
    let (mut skip, mut swallowed) = (0, 0);
    while skip < MOST {
        let site = site(kind, prepared);
        let proxy = Proxy::start(site.place.database().port()).unwrap();
        site.aim(&proxy.proxy_url(site.place.database()));
        proxy.set(ProxyRule::swallow_answer(pattern, skip));
        let run = site.run(&arguments);
        let fired = proxy.times_fired() > 0;
        site.aim(&site.place.url);
        let what = format!("{kind:?} {options:?}: {pattern} number {skip}: {}", run.stderr);
        if run.code != 0 {
            assert!(run.code == 13 && run.stderr.contains("same command again"), "code {}, {what}", run.code);
            site.run(&arguments).exits(0);
        }
        assert_same(&site.outcome(&STAFF), &wanted, &what);
        site.audit(&[]);
        if !fired {
            return swallowed;
        }
        swallowed += 1;
        skip += if soak() { 1 } else { 1 + skip / 3 };
    }
    panic!("{kind:?}: there are more than {MOST} of {pattern}");
}

#[test]
fn every_commit_of_a_first_load_may_stay_without_an_answer() {
    for kind in Kind::DATABASES {
        assert!(swallow_each(kind, false, "COMMIT", &[]) >= 4, "{kind:?}: chunks and more");
    }
}

#[test]
fn every_commit_of_a_load_into_tables_with_rows_may_stay_without_an_answer() {
    for kind in Kind::DATABASES {
        assert!(swallow_each(kind, true, "COMMIT", &[]) >= 4, "{kind:?}: a commit for each chunk");
    }
}

#[test]
fn the_commit_of_a_load_in_one_step_may_stay_without_an_answer() {
    for kind in Kind::DATABASES {
        assert!(swallow_each(kind, true, "COMMIT", &["--mode", "replace"]) >= 1, "{kind:?}");
    }
}

#[test]
fn statements_that_define_something_may_stay_without_an_answer() {
    for kind in Kind::DATABASES {
        let made: u32 = ["CREATE TABLE", "ALTER TABLE"].iter().map(|word| swallow_each(kind, false, word, &[])).sum();
        assert!(made >= 3, "{kind:?}: {made}");
    }
}
