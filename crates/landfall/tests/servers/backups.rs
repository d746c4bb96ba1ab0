//! Backups between databases, and those that are killed.

use std::{fs, time::Duration};

use serde_json::Value;
use testbed::{Proxy, ProxyRule};

use super::{
    place::Kind,
    site::{STAFF, Site, assert_same},
    things::{self, THINGS},
};
use crate::support::{
    Run,
    random::Random,
    rounds,
    staff::{self, File},
};

/// A new set in `folder`.
#[track_caller]
fn backup(site: &Site, folder: &str) -> Value {
    site.run(&["backup", "--json", "--to", folder]).exits(0).json()
}

/// What the tables of a set hold.
fn digests(set: &Value) -> Vec<(String, u64, String)> {
    let of = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        (text("table"), entry["rows"].as_u64().unwrap(), text("digest"))
    };
    set["tables"].as_array().unwrap().iter().map(of).collect()
}

fn content(site: &Site) -> Vec<String> {
    let rows = THINGS.iter().flat_map(|(table, columns)| {
        site.content(table, columns).into_iter().map(move |row| format!("{table}: {row:?}"))
    });
    rows.collect()
}

/// From each database to the next, and back to the first: nothing is another than before.
#[test]
fn a_set_of_one_database_is_restored_into_another() {
    let sets = tempfile::tempdir().unwrap();
    let folder = sets.path().display().to_string();
    let site = |kind| Site::new(things::project(7, 300), kind);
    let first = site(Kind::Sqlite);
    first.run(&["load", "-q"]).exits(0);
    let (set, wanted) = (backup(&first, &folder), content(&first));
    for kind in [Kind::Postgres, Kind::Mariadb, Kind::Pooled, Kind::Sqlite] {
        let other = site(kind);
        let tables: Vec<&str> = THINGS.iter().map(|(table, _)| *table).collect();
        // Rows of tables in a circle wait for each other, and are released when all are there.
        other.run(&[&["restore", "-q", "--in", &folder], &tables[..]].concat()).exits(0);
        assert_eq!(other.run(&["rejects", "list", "--json"]).exits(0).json_list().len(), 0, "{kind:?}");
        assert_eq!(content(&other), wanted, "{kind:?}");
        other.run(&["verify"]).exits(0);
        // The next one is restored from this one's own set.
        assert_eq!(digests(&backup(&other, &folder)), digests(&set), "{kind:?}");
    }
}

/// Tables that are there, with children and other rows, are replaced.
#[test]
fn what_was_changed_since_is_brought_back_on_every_database() {
    for kind in Kind::DATABASES {
        let site = Site::new(things::project(11, 120), kind);
        site.run(&["load", "-q"]).exits(0);
        let (set, wanted) = (backup(&site, "sets"), content(&site));
        things::write_files(&site, 12, 150);
        site.run(&["load", "-q", "--mode", "upsert"]).exits(0);
        assert_ne!(content(&site), wanted, "{kind:?}");
        let tables: Vec<&str> = THINGS.iter().map(|(table, _)| *table).collect();
        let name = set["set"].as_str().unwrap();
        site.run(&[&["restore", "-q", "--in", "sets", "--set", name], &tables[..]].concat()).exits(0);
        assert_eq!(content(&site), wanted, "{kind:?}");
        assert_eq!(digests(&backup(&site, "sets")), digests(&set), "{kind:?}");
        site.run(&["verify"]).exits(0);
    }
}

/// Runs a command and kills it at some moment; whether it was killed.
fn killed(site: &Site, arguments: &[&str], random: &mut Random, usual: Duration) -> bool {
    let mut child = site.command(arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_micros(random.below(u64::try_from(usual.as_micros()).unwrap() * 5 / 4)));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.code().is_none_or(|code| code == 0), "{status}");
    !status.success()
}

fn timed(site: &Site, arguments: &[&str]) -> (Run, Duration) {
    let begun = std::time::Instant::now();
    let run = site.run(arguments).exits(0);
    (run, begun.elapsed())
}

#[test]
fn a_killed_backup_leaves_no_set_that_is_not_whole() {
    for (seed, kind) in (200..).zip(Kind::DATABASES) {
        let mut random = Random::new(seed);
        let site = Site::new(staff::project(), kind);
        site.write("staff.csv", File::clean(1, 1, 3000).bytes);
        site.run(&["load", "-q"]).exits(0);
        let arguments = ["backup", "-q", "--to", "sets"];
        let (_, usual) = timed(&site, &arguments);
        let wanted = digests(&backup(&site, "sets"));
        let (mut kills, most) = (0, rounds(6));
        while kills < most {
            kills += u64::from(killed(&site, &arguments, &mut random, usual));
            let verified = site.run(&["backups", "verify", "--json", "--in", "sets"]).exits(0).json();
            let sets = verified["sets"].as_array().unwrap();
            assert!(sets.iter().all(|set| set["tables"].as_array().unwrap().len() == 2), "{verified}");
            if sets.len() > 20 {
                site.run(&["backups", "prune", "-q", "--keep-last", "3", "--in", "sets"]).exits(0);
            }
        }
        assert_eq!(digests(&backup(&site, "sets")), wanted, "{kind:?}");
        // What was left of those that were killed was cleared away: but for one that was killed before it had its lock, which is left
        // alone for a minute.
        let left = fs::read_dir(site.path().join("sets")).unwrap().map(|entry| entry.unwrap());
        let hidden = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
        assert_eq!(hidden.filter(|entry| entry.path().join("lock").exists()).count(), 0, "{kind:?}");
    }
}

/// The table is as before, or as after; the same command goes on.
#[test]
fn a_killed_restore_leaves_the_table_as_before_or_after() {
    for (seed, kind) in (300..).zip(Kind::DATABASES) {
        let mut random = Random::new(seed);
        for is_gone in [false, true] {
            let (mut kills, most) = (0, rounds(4));
            while kills < most {
                let site = Site::new(staff::project(), kind);
                site.write("staff.csv", File::clean(seed, 1, 1500).bytes);
                site.run(&["load", "-q"]).exits(0);
                let set = backup(&site, "sets");
                let after = site.content("staff", STAFF[1].1);
                let arguments = ["restore", "staff", "-q", "--in", "sets"];
                let (_, usual) = timed(&site, &arguments);
                let before = if is_gone {
                    site.place.run(&format!("DROP TABLE {}", site.place.quoted("staff")));
                    Vec::new()
                } else {
                    site.write("staff.csv", File::clean(seed + 1, 1000, 900).bytes);
                    site.run(&["load", "-q", "--mode", "upsert"]).exits(0);
                    site.content("staff", STAFF[1].1)
                };
                while killed(&site, &arguments, &mut random, usual) {
                    kills += 1;
                    let found = site.content("staff", STAFF[1].1);
                    assert!(found == before || found == after, "{kind:?}, gone: {is_gone}: {} rows", found.len());
                    if kills >= most {
                        break;
                    }
                }
                site.run(&arguments).exits(0);
                let lines =
                    |rows: &[Vec<Option<String>>]| rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
                assert_same(&lines(&site.content("staff", STAFF[1].1)), &lines(&after), &format!("{kind:?}"));
                assert_eq!(digests(&backup(&site, "sets")), digests(&set), "{kind:?}");
                site.run(&["verify"]).exits(0);
            }
        }
    }
}

/// Parents that have children are replaced, as long as no child loses its own.
#[test]
fn parents_are_restored_beneath_their_children() {
    for kind in Kind::DATABASES {
        let site = Site::new(staff::project(), kind);
        site.write("staff.csv", File::clean(5, 1, 300).bytes);
        site.run(&["load", "-q"]).exits(0);
        let set = backup(&site, "sets");
        let (teams, staff) = (site.content("teams", STAFF[0].1), site.content("staff", STAFF[1].1));
        let name = site.place.quoted("name");
        site.place.run(&format!("UPDATE {} SET {name} = 'another'", site.place.quoted("teams")));
        site.run(&["restore", "teams", "-q", "--in", "sets"]).exits(0);
        assert_eq!((site.content("teams", STAFF[0].1), site.content("staff", STAFF[1].1)), (teams, staff), "{kind:?}");
        assert_eq!(digests(&backup(&site, "sets")), digests(&set), "{kind:?}");
        site.run(&["verify"]).exits(0);
    }
}

/// Whoever looks meanwhile sees the rows of before or those of after: also of tables in a circle, whose rows wait for each other.
#[test]
fn nobody_sees_a_restore_that_is_half_done() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Mariadb] {
        let site = Site::new(things::project(13, 400), kind);
        site.run(&["load", "-q"]).exits(0);
        site.run(&["backup", "-q", "--to", "sets"]).exits(0);
        let tables: Vec<&str> = THINGS.iter().map(|(table, _)| *table).collect();
        let counts: Vec<String> =
            tables.iter().map(|table| format!("(SELECT count(*) FROM {})", site.place.quoted(table))).collect();
        let sql = format!("SELECT {}", counts.join(", "));
        let before = site.place.rows(&sql);
        let rejects = site.run(&["rejects", "list", "--json"]).exits(0).stdout;
        let mut restore = site.command(&[&["restore", "-q", "--in", "sets"], &tables[..]].concat()).spawn().unwrap();
        let mut looks = 0;
        while restore.try_wait().unwrap().is_none() {
            assert_eq!(site.place.rows(&sql), before, "{kind:?}, look {looks}");
            looks += 1;
        }
        assert!(restore.wait().unwrap().success() && looks > 0, "{kind:?}");
        assert_eq!(site.place.rows(&sql), before, "{kind:?}");
        let left = site.run(&["rejects", "list", "--json"]).exits(0).stdout;
        assert!(left == rejects, "{kind:?}: those of the files stay open, and there are no others");
        site.run(&["verify"]).exits(0);
    }
}

/// Of two that begin at once each is done, or says that the other was in its way; the table is that of the set.
#[test]
fn two_restores_of_one_table_at_once_leave_it_whole() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Mariadb] {
        for is_gone in [false, true] {
            let site = Site::new(staff::project(), kind);
            site.write("staff.csv", File::clean(17, 1, 3000).bytes);
            site.run(&["load", "-q"]).exits(0);
            let (set, staff) = (backup(&site, "sets"), site.content("staff", STAFF[1].1));
            if is_gone {
                site.place.run(&format!("DROP TABLE {}", site.place.quoted("staff")));
            }
            for _ in 0..3 {
                let begin = || site.command(&["restore", "staff", "-q", "--in", "sets"]).spawn().unwrap();
                let restores = [begin(), begin()];
                let codes = restores.map(|mut restore| restore.wait().unwrap().code().unwrap());
                assert!(
                    codes.contains(&0) && codes.iter().all(|code| [0, 6, 13].contains(code)),
                    "{kind:?}: {codes:?}"
                );
                assert_eq!(site.content("staff", STAFF[1].1), staff, "{kind:?}, gone: {is_gone}");
            }
            assert_eq!(digests(&backup(&site, "sets")), digests(&set), "{kind:?}");
            assert_eq!(site.run(&["rejects", "list", "--json"]).exits(0).json_list().len(), 0, "{kind:?}");
            site.run(&["verify"]).exits(0);
        }
    }
}

#[test]
fn a_database_that_goes_away_fails_the_backup_and_leaves_the_older_ones() {
    for kind in Kind::DATABASES {
        let site = Site::new(staff::project(), kind);
        site.write("staff.csv", File::clean(23, 1, 5000).bytes);
        site.run(&["load", "-q"]).exits(0);
        let set = backup(&site, "sets");
        let proxy = Proxy::start(site.place.database().port()).unwrap();
        site.aim(&proxy.proxy_url(site.place.database()));
        for (round, bytes) in (1..).zip([4_000, 20_000, 60_000, 90_000]) {
            proxy.set(ProxyRule::CutAfterFromServer(bytes));
            site.run(&["backup", "--to", "sets"]).fails(13);
            assert_eq!(proxy.times_fired(), round, "{kind:?}: nothing was cut");
            let sets = site.run(&["backups", "verify", "--json", "--in", "sets"]).exits(0).json();
            assert_eq!(sets["sets"].as_array().unwrap().len(), 1, "{kind:?}: {sets}");
            assert_eq!(sets["sets"][0]["set"], set["set"]);
        }
        assert_eq!(digests(&backup(&site, "sets")), digests(&set), "{kind:?}");
    }
}
