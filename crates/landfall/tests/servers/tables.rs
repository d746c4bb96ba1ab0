//! Tables that somebody has made before: they are used as they are, or refused with what differs. Nothing is altered.

use super::{
    place::Kind,
    site::{STAFF, Site, assert_same},
};
use crate::support::staff::{self, File, Staff};

/// Tables as somebody else would make them for this data package.
fn hand_made(kind: Kind) -> &'static str {
    match kind {
        Kind::Mariadb => {
            "CREATE TABLE teams (id bigint NOT NULL, name longtext COLLATE utf8mb4_nopad_bin NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB;
             CREATE TABLE staff (
                 id bigint NOT NULL, name longtext COLLATE utf8mb4_nopad_bin NOT NULL, age bigint, team bigint NOT NULL,
                 entered timestamp NOT NULL DEFAULT current_timestamp(),
                 PRIMARY KEY (id),
                 CONSTRAINT of_team FOREIGN KEY (team) REFERENCES teams (id),
                 CONSTRAINT grown_up CHECK (age IS NULL OR age >= 18)
             ) ENGINE=InnoDB;
             CREATE VIEW young AS SELECT id, name FROM staff WHERE age < 30"
        }
        _ => {
            "CREATE TABLE teams (id bigint PRIMARY KEY, name text COLLATE \"C\" NOT NULL);
             CREATE TABLE staff (
                 id bigint PRIMARY KEY, name text COLLATE \"C\" NOT NULL, age bigint, team bigint NOT NULL,
                 entered timestamptz NOT NULL DEFAULT now(),
                 CONSTRAINT of_team FOREIGN KEY (team) REFERENCES teams (id),
                 CONSTRAINT grown_up CHECK (age >= 18)
             );
             CREATE VIEW young AS SELECT id, name FROM staff WHERE age < 30;
             GRANT SELECT ON staff TO PUBLIC"
        }
    }
}

/// How a table is defined, with its keys, constraints, views and permissions.
fn definition(site: &Site) -> Vec<Vec<String>> {
    let sql = match site.place.kind {
        Kind::Mariadb => {
            "SELECT table_name, column_name, column_type, is_nullable, collation_name FROM information_schema.columns
             WHERE table_schema = database() AND table_name IN ('teams', 'staff', 'young') UNION ALL
             SELECT table_name, constraint_name, constraint_type, '', '' FROM information_schema.table_constraints
             WHERE table_schema = database() AND table_name IN ('teams', 'staff') ORDER BY 1, 2, 3"
        }
        _ => {
            "SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation
             FROM pg_attribute WHERE attrelid IN ('teams'::regclass, 'staff'::regclass, 'young'::regclass) AND attnum > 0
             UNION ALL
             SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, NULL
             FROM pg_constraint WHERE conrelid IN ('teams'::regclass, 'staff'::regclass)
             UNION ALL
             SELECT oid::regclass, relowner::regrole::text, relacl::text, NULL, NULL
             FROM pg_class WHERE relname IN ('teams', 'staff', 'young') ORDER BY 1, 2, 3"
        }
    };
    site.place.rows(sql)
}

#[test]
fn a_table_that_fits_is_used_as_it_is_with_its_constraints() {
    for kind in Kind::SERVERS {
        let site = Site::new(staff::project(), kind);
        site.place.run(hand_made(kind));
        let before = definition(&site);
        site.write("staff.csv", File::clean(400, 1, 500).bytes);
        let run = site.run(&["load", "--json", "--chunk-records", "100"]).exits(0);
        let [read, inserted, _, _, rejected] = run.counts("staff");
        // The database alone knows this rule.
        let young = site.run(&["rejects", "list", "--json"]).exits(0).json_list();
        assert!(young.len() as u64 == rejected && rejected > 50, "{kind:?}: {:?}", run.counts("staff"));
        assert!(young.iter().all(|reject| reject["errors"][0]["code"] == "target-error"), "{kind:?}: {}", young[0]);
        assert_eq!((read, inserted), (500, 500 - rejected), "{kind:?}");
        assert_eq!(site.place.number("SELECT count(*) FROM staff WHERE age < 18"), 0);
        assert_eq!(definition(&site), before, "{kind:?}");
        site.run(&["load", "staff", "--mode", "replace", "--force", "-q"]).exits(0);
        assert_eq!(definition(&site), before, "{kind:?}");
        assert_eq!(site.count("staff"), inserted, "{kind:?}");
        site.audit(&[("staff.csv", 500)]);
    }
}

#[test]
fn a_table_that_differs_is_refused_with_what_differs() {
    for kind in Kind::DATABASES {
        let text = if kind == Kind::Mariadb { "longtext COLLATE utf8mb4_nopad_bin" } else { "text COLLATE \"C\"" };
        for (columns, word) in [
            ("id bigint PRIMARY KEY, name TEXT NOT NULL, age integer, team bigint NOT NULL", "age"),
            ("id bigint PRIMARY KEY, name TEXT NOT NULL, age bigint", "team"),
            ("id bigint NOT NULL, name TEXT NOT NULL, age bigint, team bigint NOT NULL", "key"),
            ("id bigint PRIMARY KEY, name varchar(5) NOT NULL, age bigint, team bigint NOT NULL", "name"),
            (
                "id bigint PRIMARY KEY, name TEXT NOT NULL, age bigint, team bigint NOT NULL, extra bigint NOT NULL",
                "extra",
            ),
        ] {
            let site = Site::new(staff::project(), kind);
            site.write("staff.csv", File::clean(401, 1, 5).bytes);
            site.place.run(&format!("CREATE TABLE staff ({})", columns.replace("TEXT", text)));
            let error = site.run(&["load"]).fails(12);
            assert!(error.contains("staff") && error.contains(word), "{kind:?}: {word:?} is not in {error}");
            assert_eq!(site.count("staff"), 0);
            assert!(!site.place.has_table("teams"), "{kind:?}: nothing is made before all is checked");
        }
    }
}

#[test]
fn a_table_whose_rows_were_there_before_is_added_to() {
    for kind in Kind::SERVERS {
        let site = Site::new(staff::project(), kind);
        let reference = Site::new(staff::project(), Kind::Sqlite);
        let rows = "INSERT INTO teams VALUES (1, 'Team 1'), (2, 'Another'), (99, 'Of old')";
        reference.run(&["load", "-q"]).exits(0);
        reference.place.run(&format!("DELETE FROM teams; {rows}; DELETE FROM landfall_loads"));
        site.place.run(hand_made(kind));
        site.place.run(rows);
        let file = File::dirty(402, 1, 300);
        for site in [&reference, &site] {
            site.write("staff.csv", &file.bytes);
        }
        site.place.run("ALTER TABLE staff DROP CONSTRAINT grown_up");
        for site in [&reference, &site] {
            site.run(&["load", "-q"]).exits(0);
        }
        assert_same(&site.outcome(&STAFF), &reference.outcome(&STAFF), &format!("{kind:?}"));
    }
}

/// `teams` and `staff` whose foreign key does what `action` says when a team goes.
fn with_action(kind: Kind, action: &str) -> Site {
    let site = Site::new(staff::project(), kind);
    let tables = match kind {
        Kind::Sqlite => "CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
             CREATE TABLE staff (
                 id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER, team INTEGER NOT NULL, other INTEGER,
                 FOREIGN KEY (team) REFERENCES teams (id) ACTION, FOREIGN KEY (other) REFERENCES teams (id) ACTION
             ) STRICT"
            .to_owned(),
        _ => hand_made(kind).replace("REFERENCES teams (id)", "REFERENCES teams (id) ACTION"),
    };
    site.place.run(&tables.replace("ACTION", action));
    site.write("staff.csv", File::clean(403, 1, 200).bytes);
    site.run(&["load", "-q"]).exits(0);
    site
}

#[test]
fn parents_and_children_are_replaced_together_whatever_their_foreign_key_says() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Pooled, Kind::Mariadb] {
        for action in ["", "ON DELETE RESTRICT", "ON DELETE CASCADE"] {
            let site = with_action(kind, action);
            let before: Staff = site.held();
            site.run(&["load", "--mode", "replace", "--force", "-q"]).exits(0);
            assert_eq!(site.held(), before, "{kind:?} {action}");
            assert_eq!(site.count("teams"), 20, "{kind:?} {action}");
            site.audit(&[]);
        }
    }
}

/// The rows of the children went with their parents, and the load said that nothing was lost.
#[test]
fn rows_of_another_table_do_not_go_with_the_parents_that_are_replaced() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Pooled, Kind::Mariadb] {
        let site = with_action(kind, "ON DELETE CASCADE");
        let rows = site.count("staff");
        assert!(rows > 100);
        let run = site.run(&["load", "teams", "--mode", "replace", "--force", "-q"]);
        if kind == Kind::Mariadb {
            // Its own checks are off meanwhile, so that nothing goes; the parents are there again at the end.
            run.exits(0);
        } else {
            let error = run.fails(5);
            assert!(error.contains("staff") && error.contains("ON DELETE CASCADE"), "{kind:?}: {error}");
        }
        assert_eq!((site.count("staff"), site.count("teams")), (rows, 20), "{kind:?}");
    }
}

/// A load of `staff` that was killed before its first chunk: its table was begun aside.
fn begun() -> Site {
    let site = Site::new(staff::project(), Kind::Postgres);
    site.run(&["load", "teams", "-q"]).exits(0);
    site.place.run(
        "DROP TABLE staff;
         INSERT INTO landfall.building (table_name, owner, began_at) VALUES ('staff', 'one that was killed', '2026-01-01');
         DO $$ DECLARE number bigint; BEGIN
             SELECT building_id INTO number FROM landfall.building;
             EXECUTE format('CREATE TABLE landfall.building_%s (
                 id bigint NOT NULL, name text COLLATE \"C\" NOT NULL, age bigint, team bigint NOT NULL)', number);
             EXECUTE format('CREATE TABLE landfall.building_%s_parents_0 (
                 id bigint PRIMARY KEY, FOREIGN KEY (id) REFERENCES teams (id))', number);
         END $$",
    );
    site
}

/// Loads 500 rows into a table that stands aside, after somebody has made one in its place and done what `then` says with that;
/// whether theirs is still there.
fn stays(then: &str) -> bool {
    let site = begun();
    site.place.run(
        "CREATE TABLE staff (
             id bigint PRIMARY KEY, name text COLLATE \"C\" NOT NULL, age bigint, team bigint NOT NULL,
             FOREIGN KEY (team) REFERENCES teams (id) DEFERRABLE
         )",
    );
    site.place.run(then);
    let number = || site.place.number("SELECT 'staff'::regclass::oid::bigint");
    let before = number();
    let definition =
        "SELECT string_agg(conname || pg_get_constraintdef(oid), ';' ORDER BY conname) FROM pg_constraint
         WHERE conrelid = 'staff'::regclass UNION ALL SELECT string_agg(x::text, ',' ORDER BY x::text) FROM pg_class, unnest(relacl) AS x
         WHERE relname = 'staff'";
    let defined = site.place.rows(definition);
    site.write("staff.csv", File::dirty(404, 1, 500).bytes);
    let run = site.run(&["load", "--chunk-records", "100"]);
    assert_eq!(site.place.rows(definition), defined, "{then}");
    if run.code == 0 {
        site.audit(&[("staff.csv", 500)]);
        return false;
    }
    assert!(number() == before && run.fails(12).contains("while a load built it aside"), "{then}");
    true
}

#[test]
fn a_table_makes_way_for_one_that_was_built_where_nobody_can_tell_them_apart() {
    assert!(!stays("SELECT 1"));
    assert!(!stays(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC; DROP TABLE staff;
         CREATE TABLE staff (
             id bigint PRIMARY KEY, name text COLLATE \"C\" NOT NULL, age bigint, team bigint NOT NULL,
             FOREIGN KEY (team) REFERENCES teams (id) DEFERRABLE
         )"
    ));
    for touched in [
        "INSERT INTO staff SELECT 999999, 'Somebody', 3, id FROM teams LIMIT 1",
        "COMMENT ON TABLE staff IS 'people'",
        "COMMENT ON COLUMN staff.age IS 'in years'",
        "COMMENT ON CONSTRAINT staff_pkey ON staff IS 'key'",
        "GRANT SELECT ON staff TO PUBLIC",
        "GRANT SELECT (age) ON staff TO PUBLIC",
        "ALTER TABLE staff ADD CHECK (age < 200)",
        "ALTER TABLE staff ADD extra bigint DEFAULT 7",
        "ALTER TABLE staff ALTER age SET STATISTICS 500",
        "ALTER TABLE staff SET (fillfactor = 70)",
        "CREATE INDEX ON staff (age)",
        "CREATE STATISTICS of_staff ON age, team FROM staff",
        "CREATE VIEW young AS SELECT id FROM staff WHERE age < 30",
        "ALTER TABLE staff RENAME CONSTRAINT staff_pkey TO staff_key",
        "CREATE TABLE pets (owner bigint REFERENCES staff)",
        "CREATE RULE quiet AS ON DELETE TO staff DO ALSO NOTHING",
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER nothing AFTER INSERT ON staff FOR EACH STATEMENT EXECUTE FUNCTION nothing()",
        "ALTER TABLE staff CLUSTER ON staff_pkey",
        "ALTER TABLE staff REPLICA IDENTITY FULL",
        "CREATE TABLE more () INHERITS (staff)",
    ] {
        assert!(stays(touched), "{touched}");
    }
}

/// A table was built aside, and could not be put in its place: the ledger called its load complete, its rows were out of sight,
/// and no command would load them again.
#[test]
fn what_is_loaded_into_a_schema_without_rights_is_not_called_complete() {
    let site = Site::new(staff::project(), Kind::Postgres);
    site.place.run("CREATE SCHEMA theirs");
    let superuser = site.place.superuser();
    superuser.run_sql("ALTER SCHEMA theirs OWNER TO admin").unwrap();
    let owner = site.place.database().user();
    superuser.run_sql(&format!("GRANT USAGE ON SCHEMA theirs TO {owner}")).unwrap();
    site.aim(&format!("{}?schema=theirs", site.place.url));
    let error = site.run(&["load"]).fails(5);
    assert!(error.contains("permission denied for schema theirs"), "{error}");
    assert!(site.run(&["loads"]).exits(0).stdout.contains("Nothing was loaded yet"));
    superuser.run_sql(&format!("GRANT CREATE ON SCHEMA theirs TO {owner}")).unwrap();
    assert_eq!(site.run(&["load", "--json"]).exits(0).counts("teams")[1], 20);
    site.run(&["verify", "-q"]).exits(0);
}

/// The table was made by somebody else while its rows stood aside: they are not lost from sight.
#[test]
fn a_table_that_is_made_while_a_load_builds_it_does_not_hide_the_rows_of_the_load() {
    let site = Site::new(staff::project(), Kind::Postgres);
    site.run(&["load", "teams", "-q"]).exits(0);
    site.place.run("DROP TABLE staff");
    let file = File::clean(405, 1, 20_000);
    site.write("staff.csv", &file.bytes);
    let mut child = site.command(&["load", "-q", "--chunk-records=100", "--block-bytes=4096"]).spawn().unwrap();
    let building = "SELECT count(*) FROM landfall.building";
    let loaded = "SELECT count(*) FROM landfall.loads WHERE table_name = 'staff' AND records_read > 300";
    while site.place.number(loaded) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(site.place.number(building), 1);
    let made = "CREATE TABLE staff (
        id bigint PRIMARY KEY, name text COLLATE \"C\" NOT NULL, age bigint, team bigint NOT NULL, note text,
        FOREIGN KEY (team) REFERENCES teams (id)
    )";
    site.place.run(made);
    let error = site.run(&["load"]).fails(12);
    assert!(error.contains("while a load built it aside") && error.contains("building_"), "{error}");
    site.place.run("DROP TABLE staff");
    site.run(&["load", "-q"]).exits(0);
    assert_eq!((site.place.number(building), site.count("staff")), (0, 20_000));
    site.audit(&[("staff.csv", 20_000)]);
}

/// A load that was killed before its first chunk left an empty heap, which the next one put in place: its rows then came into
/// sight chunk by chunk, and slowly.
#[test]
fn a_load_goes_on_building_what_was_begun_before_any_row() {
    let site = begun();
    site.write("staff.csv", File::clean(406, 1, 20_000).bytes);
    let mut child = site.command(&["load", "-q", "--chunk-records=100", "--block-bytes=4096"]).spawn().unwrap();
    let in_sight = "SELECT count(*) FROM pg_tables WHERE tablename = 'staff'";
    let loaded = "SELECT count(*) FROM landfall.loads WHERE table_name = 'staff' AND records_read > 300";
    while site.place.number(loaded) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
    }
    assert_eq!(site.place.number(in_sight), 0);
    assert!(child.wait().unwrap().success());
    assert_eq!(site.count("staff"), 20_000);
}
