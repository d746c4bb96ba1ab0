//! Tables of PostgreSQL that are replaced: made anew and put in the place of the old ones, or, where somebody has added something to
//! them that would be lost, emptied where they stand.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

use super::{
    place::Kind,
    site::{STAFF, Site},
};
use crate::support::staff::{self, File};

/// `teams` and `staff` with rows, and another program's table that refers to `staff` by a foreign key that is `checked` so.
fn site(checked: &str) -> Site {
    let site = Site::new(staff::project(), Kind::Postgres);
    site.write("staff.csv", File::clean(3, 1, 400).bytes);
    site.run(&["load", "-q"]).exits(0);
    site.run(&["backup", "-q", "--to", "sets"]).exits(0);
    site.place.run(&format!(
        "CREATE TABLE badges (number int, holder bigint,
             CONSTRAINT of_holder FOREIGN KEY (holder) REFERENCES staff (id) {checked});
         INSERT INTO badges VALUES (7, 1)"
    ));
    site
}

fn number_of(site: &Site, table: &str) -> String {
    site.place.rows(&format!("SELECT '{table}'::regclass::oid::text")).remove(0).remove(0)
}

/// All that people see of the tables, but for their rows.
fn seen(site: &Site) -> Vec<Vec<String>> {
    site.place.rows(
        "SELECT c.relname, c.relowner::regrole::text, c.relkind::text, (SELECT string_agg(a::text, ' ' ORDER BY a::text)
             FROM unnest(c.relacl) AS a) FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace
         UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace
         UNION ALL SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull::text
         FROM pg_attribute WHERE attrelid IN ('teams'::regclass, 'staff'::regclass) AND attnum > 0
         ORDER BY 1, 2, 3",
    )
}

fn restore(site: &Site, tables: &[&str]) {
    site.run(&[&["restore", "-q", "--in", "sets"], tables].concat()).exits(0);
    site.run(&["verify"]).exits(0);
}

#[test]
fn a_table_made_anew_differs_in_nothing_that_anyone_sees() {
    let site = site("");
    site.place.run("GRANT SELECT ON staff TO PUBLIC; GRANT INSERT, DELETE ON teams TO PUBLIC");
    let (before, staff) = (seen(&site), site.content("staff", STAFF[1].1));
    for tables in [&["staff"][..], &["teams"], &["teams", "staff"]] {
        site.place.run("UPDATE staff SET name = 'another' WHERE id > 1");
        let numbers = tables.iter().map(|table| number_of(&site, table)).collect::<Vec<_>>();
        restore(&site, tables);
        for (table, number) in tables.iter().zip(numbers) {
            assert_ne!(number_of(&site, table), number, "{table} was emptied where it stood");
        }
        assert_eq!(seen(&site), before, "{tables:?}");
        if tables.contains(&"staff") {
            assert_eq!(site.content("staff", STAFF[1].1), staff);
        }
        // What the old ones kept others from, the new ones do.
        assert!(site.place.database().run_sql("DELETE FROM staff WHERE id = 1").is_err(), "{tables:?}");
        assert!(site.place.database().run_sql("UPDATE staff SET team = 999").is_err(), "{tables:?}");
        assert!(site.place.database().run_sql("INSERT INTO teams VALUES (1, 'twice')").is_err(), "{tables:?}");
    }
}

#[test]
fn what_somebody_has_added_to_a_table_outlives_its_rows() {
    let additions = [
        "CREATE VIEW young AS SELECT id FROM staff WHERE age < 30",
        "CREATE INDEX by_name ON staff (name)",
        "COMMENT ON TABLE staff IS 'who works here'",
        "COMMENT ON COLUMN staff.age IS 'in years'",
        "ALTER TABLE staff ADD COLUMN entered timestamptz DEFAULT now()",
        "ALTER TABLE staff ADD CHECK (age >= 0)",
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER told AFTER INSERT ON staff FOR EACH ROW EXECUTE FUNCTION nothing()",
        "CREATE STATISTICS together ON age, team FROM staff",
        "ALTER TABLE staff SET (fillfactor = 70)",
        "ALTER TABLE staff REPLICA IDENTITY FULL",
        "GRANT UPDATE (age) ON staff TO PUBLIC",
        "REVOKE DELETE ON staff FROM CURRENT_USER",
        "COMMENT ON CONSTRAINT of_holder ON badges IS 'whose it is'",
        "ALTER TABLE badges DROP CONSTRAINT of_holder;
         ALTER TABLE badges ADD CONSTRAINT of_holder FOREIGN KEY (holder) REFERENCES staff (id) ON UPDATE CASCADE DEFERRABLE",
        "ALTER TABLE staff RENAME CONSTRAINT staff_pkey TO number_of_staff",
    ];
    for addition in additions {
        // A table is emptied where it stands under keys that can wait for its new rows.
        let site = site("DEFERRABLE");
        site.place.run(addition);
        let (number, before, staff) = (number_of(&site, "staff"), seen(&site), site.content("staff", STAFF[1].1));
        let is_granted = !addition.starts_with("REVOKE");
        if is_granted {
            site.place.run("UPDATE staff SET name = 'another' WHERE id > 1");
            restore(&site, &["staff"]);
            assert_eq!(site.content("staff", STAFF[1].1), staff, "{addition}");
        } else {
            // Who may not delete may not replace.
            site.run(&["restore", "staff", "-q", "--in", "sets"]).exits(5);
        }
        assert_eq!(number_of(&site, "staff"), number, "{addition}");
        assert_eq!(seen(&site), before, "{addition}");
    }
}

#[test]
fn rows_of_others_that_would_lose_their_parents_stop_a_table_made_anew() {
    let site = site("");
    let (before, number) = (seen(&site), number_of(&site, "staff"));
    site.place.run("INSERT INTO staff VALUES (9000, 'new', 30, 1); INSERT INTO badges VALUES (8, 9000)");
    let run = site.run(&["restore", "staff", "--in", "sets"]);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("badges"), "{}", run.stderr);
    assert_eq!((seen(&site), number_of(&site, "staff")), (before, number));
    assert_eq!(site.place.number("SELECT count(*) FROM staff WHERE id = 9000"), 1);
}

/// Somebody's report may last: it does not make the load fail, and sees what it saw.
#[test]
fn a_reader_who_does_not_end_makes_the_rows_replaced_where_they_stand() {
    let site = site("DEFERRABLE");
    let (before, staff, teams) = (seen(&site), site.content("staff", STAFF[1].1), site.content("teams", STAFF[0].1));
    site.place.run("UPDATE staff SET name = 'another' WHERE id > 1");
    let number = number_of(&site, "staff");
    let mut reader = site.place.database().client_command().unwrap();
    let mut reader = reader.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = reader.stdin.take().unwrap();
    let mut output = BufReader::new(reader.stdout.take().unwrap()).lines();
    let ask = "SELECT count(*) FROM staff WHERE name = 'another';\n";
    writeln!(input, "BEGIN ISOLATION LEVEL REPEATABLE READ; {ask}").unwrap();
    let mut answer = || output.by_ref().map(Result::unwrap).find(|line| line.parse::<u32>().is_ok()).unwrap();
    let seen_first = answer();
    assert_ne!(seen_first, "0");
    let separator = if site.place.url.contains('?') { '&' } else { '?' };
    site.aim(&format!("{}{separator}lock_timeout=1", site.place.url));
    restore(&site, &["teams", "staff"]);
    input.write_all(ask.as_bytes()).unwrap();
    assert_eq!(answer(), seen_first);
    drop(input);
    reader.wait().unwrap();
    assert_eq!((site.content("staff", STAFF[1].1), site.content("teams", STAFF[0].1)), (staff, teams));
    assert_eq!((number_of(&site, "staff"), seen(&site)), (number, before));
    assert_eq!(site.place.number("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'anew%'"), 0);
}

#[test]
fn a_published_table_is_emptied_where_it_stands() {
    let site = site("DEFERRABLE");
    site.place.superuser().run_sql("CREATE PUBLICATION everything FOR ALL TABLES").unwrap();
    let number = number_of(&site, "staff");
    restore(&site, &["staff", "teams"]);
    assert_eq!(number_of(&site, "staff"), number);
}
