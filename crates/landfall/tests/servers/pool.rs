//! `PgBouncer` in transaction mode with a pool so small that the programs have to take turns.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use testbed::{PgBouncer, Postgres};

use super::{
    place::{Kind, Place},
    site::{HR, Site, assert_same},
    things::{self, THINGS},
};
use crate::support::{Project, Run};

/// Far more than it takes, and less than the pooler's own patience.
const PATIENCE: Duration = Duration::from_secs(60);

/// A site behind a pool of so many connections; the pool goes with it.
fn pooled(project: Project, pool: u32) -> (PgBouncer, Site) {
    let pgbouncer = PgBouncer::start_with_pool(Postgres::shared(), pool).unwrap();
    let site = Site::at(project, Place::on(Kind::Pooled, Postgres::shared().fresh_database().unwrap()));
    site.aim(&pgbouncer.pool_url(site.place.database()));
    (pgbouncer, site)
}

#[test]
fn the_whole_example_passes_through_a_small_pool() {
    let reference = Site::new(Project::example(), Kind::Sqlite);
    reference.run(&["load", "-q"]).exits(0);
    let report = |site: &Site| site.run(&["report", "hires_by_quarter", "--format", "csv"]).exits(0).stdout;
    for pool in [2, 4] {
        let (_pgbouncer, site) = pooled(Project::example(), pool);
        let begun = Instant::now();
        site.run(&["load", "-q", "--chunk-records", "100"]).exits(0);
        assert_same(&site.outcome(&HR), &reference.outcome(&HR), &format!("a pool of {pool}"));
        assert_eq!(report(&site), report(&reference));
        site.run(&["rejects", "retry", "--code", "foreign-key"]).exits(0);
        site.run(&["load", "--mode", "replace", "--force", "-q"]).exits(0);
        site.audit(&[("data/hired_employees.csv", 2000)]);
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    }
}

#[test]
fn two_loads_side_by_side_share_a_pool_of_two() {
    let reference = Site::new(things::project(6, 150), Kind::Sqlite);
    reference.run(&["load", "-q"]).exits(0);
    let (_pgbouncer, site) = pooled(things::project(6, 150), 2);
    let start = |tables: &[&str]| -> Child {
        let arguments = [&["load", "-q", "--chunk-records", "30", "--block-bytes", "2000"], tables].concat();
        site.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let begun = Instant::now();
    let children = [start(&["places", "things"]), start(&["hens", "eggs"])];
    for child in children {
        let run = Run::of(&child.wait_with_output().unwrap());
        assert!([0, 6].contains(&run.code), "{}", run.stderr);
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    site.run(&["load", "-q"]).exits(0);
    let kept = |site: &Site| {
        let mut lines = site.outcome(&THINGS);
        // Which of the two came first is open.
        lines.sort();
        lines
    };
    assert_same(&kept(&site), &kept(&reference), "side by side");
    site.audit(&[]);
}
