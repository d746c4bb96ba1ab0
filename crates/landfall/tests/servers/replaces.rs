//! Replaces that would leave little or nothing, dry runs, and loads that fail before their first row, on every database.

use super::{
    place::Kind,
    site::{STAFF, Site},
};
use crate::support::staff::{self, File};

/// Teams and 60 rows of staff, with a backup set of them.
fn loaded(kind: Kind) -> Site {
    let site = Site::new(staff::project(), kind);
    site.write("staff.csv", File::clean(1, 1, 60).bytes);
    site.run(&["load", "-q"]).exits(0);
    site.run(&["backup", "-q", "--to", "sets"]).exits(0);
    site
}

fn staff_of(site: &Site) -> Vec<Vec<Option<String>>> {
    site.content("staff", STAFF[1].1)
}

#[test]
fn a_replace_that_leaves_little_or_nothing_took_effect() {
    for kind in Kind::DATABASES {
        let site = loaded(kind);
        let held = staff_of(&site);
        site.write("none.csv", "id,name,age,team\n");
        site.write("bad.csv", "id,name,age,team\nx,Ann,30,1\ny,Bob,30,1\n");
        // The key that occurs twice is judged at the end, where the table is made anew.
        site.write("few.csv", "id,name,age,team\n1,Ann,30,1\n1,Bob,30,1\nx,Cid,30,1\n");
        for (source, words) in [
            ("staff=none.csv", "would remove 60 rows and leave the table empty"),
            ("staff=bad.csv", "would remove 60 rows and leave the table empty, since 2 records are rejected"),
            ("staff=few.csv", "would remove 60 rows and keep only 1 row, since 2 records are rejected"),
        ] {
            for dry_run in [&["--dry-run"][..], &[]] {
                let run = site.run(&[&["load", source, "--mode", "replace"], dry_run].concat()).exits(14);
                assert!(run.stderr.contains(words), "{kind:?}: {}", run.stderr);
                assert_eq!(staff_of(&site), held, "{kind:?} {source}");
            }
        }
        let rejects = site.run(&["rejects", "list", "--json"]).exits(0).json_list();
        let codes: Vec<&str> = rejects.iter().map(|reject| reject["errors"][0]["code"].as_str().unwrap()).collect();
        assert_eq!(
            codes,
            ["type-error", "type-error", "primary-key", "type-error"],
            "{kind:?}: each with its own reason"
        );
        let run = site.run(&["load", "staff=few.csv", "--mode", "replace", "--max-rejects", "2", "--json"]).exits(0);
        assert_eq!(
            (run.counts("staff"), &run.json()["loads"][0]["removed"]),
            ([3, 1, 0, 0, 2], &60.into()),
            "{kind:?}"
        );
        let run = site.run(&["load", "staff=none.csv", "--mode", "replace", "--allow-empty", "--json"]).exits(0);
        assert_eq!((site.count("staff"), &run.json()["loads"][0]["removed"]), (0, &1.into()), "{kind:?}");
        site.run(&["verify"]).exits(0);
    }
}

#[test]
fn a_restore_takes_all_rows_or_none_and_a_dry_run_tells_it() {
    for kind in Kind::DATABASES {
        let site = loaded(kind);
        site.place.run("UPDATE staff SET name = 'another'");
        let held = staff_of(&site);
        let run = site.run(&["restore", "staff", "--in", "sets", "--dry-run", "--json"]).exits(0);
        assert_eq!(
            (run.counts("staff"), &run.json()["loads"][0]["removed"]),
            ([60, 60, 0, 0, 0], &60.into()),
            "{kind:?}"
        );
        let package = site.read("datapackage.yaml");
        let stricter = package.replace("maximum: 150", "maximum: 40");
        assert_ne!(stricter, package);
        site.write("datapackage.yaml", stricter);
        for dry_run in [&["--dry-run"][..], &[]] {
            let run = site.run(&[&["restore", "staff", "--in", "sets"], dry_run].concat()).exits(11);
            assert!(run.stderr.contains("would remove 60 rows"), "{kind:?}: {}", run.stderr);
            assert_eq!(staff_of(&site), held, "{kind:?}");
        }
        let run = site.run(&["restore", "staff", "--in", "sets", "--max-rejects", "60", "--json"]).exits(0);
        let [read, inserted, _, _, rejected] = run.counts("staff");
        assert!((read, inserted + rejected) == (60, 60) && rejected > 0 && inserted >= 1, "{kind:?}: {}", run.stdout);
        site.run(&["verify"]).exits(0);
    }
}

#[test]
fn a_load_that_failed_on_its_header_left_an_empty_table() {
    for kind in Kind::DATABASES {
        for options in [&[][..], &["--mode", "replace"], &["--atomic"]] {
            let site = Site::new(staff::project(), kind);
            site.write("staff.csv", "id,name,years,team\n1,Ann,30,1\n");
            site.run(&[&["load"], options].concat()).exits(4);
            assert!(!site.place.has_table("teams") && !site.place.has_table("staff"), "{kind:?} {options:?}");
            // What was wrong was the data package.
            let age = "{name: age, type: integer, constraints: {minimum: 0, maximum: 150}}";
            let package = site.read("datapackage.yaml");
            assert!(package.contains(age));
            site.write("datapackage.yaml", package.replace(age, "{name: years, type: string}"));
            site.run(&["load", "-q"]).exits(0);
            assert_eq!(site.count("staff"), 1, "{kind:?} {options:?}");
        }
    }
}

#[test]
fn a_replace_closed_rejects_of_other_sources() {
    for kind in Kind::DATABASES {
        let site = loaded(kind);
        site.write("other.csv", "id,name,age,team\n900,Ann,30,21\n901,Bob,x,1\n");
        site.run(&["load", "-q", "staff=other.csv"]).exits(0);
        let run = site.run(&["restore", "staff", "--in", "sets"]).exits(0);
        assert!(
            run.stdout.contains("replaced: 60 rows were removed") && !run.stdout.contains("closed"),
            "{}",
            run.stdout
        );
        site.run(&["load", "-q", "staff=staff.csv", "--mode", "replace"]).exits(0);
        assert_eq!(site.run(&["rejects", "list", "--json"]).exits(0).json_list().len(), 2, "{kind:?}");
        site.write("teams.csv", format!("{}21,New\n", site.read("teams.csv")));
        site.run(&["load", "-q", "teams"]).exits(0);
        assert_eq!(site.count("staff"), 61, "{kind:?}: one waited for its parent");
        site.run(&["verify"]).exits(0);
    }
}
