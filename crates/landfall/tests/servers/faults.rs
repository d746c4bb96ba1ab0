//! What can go wrong with a server: one clear message, its exit code, in bounded time, nothing half done, and the same command
//! succeeds once the cause is gone.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use testbed::{Mariadb, Postgres, Proxy, ProxyRule, TestDatabase};

use super::{
    place::{Kind, Place},
    site::{STAFF, Site},
};
use crate::support::{
    Run,
    staff::{self, File},
};

/// What a server may make a command wait, with its own limits set low.
const BOUND: Duration = Duration::from_secs(40);

/// A project with teams and 50 of staff loaded, whose next load has 300 more.
fn ready(place: Place) -> Site {
    let site = Site::at(staff::project(), place);
    site.write("staff.csv", File::clean(1, 1, 50).bytes);
    site.run(&["load", "-q"]).exits(0);
    site.write("staff.csv", File::dirty(2, 1000, 300).bytes);
    site
}

fn fresh(kind: Kind) -> Site {
    ready(Place::fresh(kind, Path::new("")))
}

/// Runs the command, which must end in time; the password is told nowhere.
#[track_caller]
fn run(site: &Site, arguments: &[&str]) -> Run {
    let begun = Instant::now();
    let run = site.run(arguments);
    assert!(begun.elapsed() < BOUND, "it took {:?}: {}", begun.elapsed(), run.stderr);
    let password = site.place.database().password();
    assert!(!run.stderr.contains(password) && !run.stdout.contains(password), "the password is told");
    run
}

/// `load` through `url` fails with `code` and one message, which is given without what is different each time.
#[track_caller]
fn refused(site: &Site, url: &str, code: i32) -> String {
    site.aim(url);
    let error = run(site, &["load"]).fails(code);
    let logged = run(site, &["load", "-v", "-v"]).exits(code);
    assert_eq!(logged.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{}", logged.stderr);
    site.aim(&site.place.url);
    plain(site, &error)
}

/// A message without ports and names of the day.
fn plain(site: &Site, error: &str) -> String {
    let database = site.place.database();
    let mut text = error.to_owned();
    for (of_the_day, word) in
        [(database.user(), "OWNER"), (database.name(), "DATABASE"), (&database.port().to_string(), "PORT")]
    {
        text = text.replace(of_the_day, word);
    }
    text
}

/// The cause is gone: the same command does its work.
#[track_caller]
fn succeeds(site: &Site) {
    assert_eq!(site.run(&["load", "--json"]).exits(0).counts("staff")[0], 300);
    site.audit(&[]);
}

/// The messages of both servers.
fn each(work: impl Fn(Kind) -> String) -> String {
    let mut text = String::new();
    for kind in Kind::DATABASES {
        writeln!(text, "{kind:?}: {}", work(kind)).unwrap();
    }
    text
}

#[test]
fn a_wrong_password_or_database_or_place_is_told() {
    let told = each(|kind| {
        let site = fresh(kind);
        let before = site.outcome(&STAFF);
        let database = site.place.database();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let urls = [
            (database.as_user(database.user(), "not-the-password").url(), 5),
            (database.as_user("nobody", "not-the-password").url(), 5),
            (database.url().replace(database.name(), "no_such_database"), 5),
            // A server that is being started listens soon.
            (database.through_port(closed).url(), 13),
            (database.through_host("no-such-host.invalid").url(), 5),
        ];
        let mut told = String::new();
        for (url, code) in urls {
            let error = refused(&site, &url, code).replace(&closed.to_string(), "CLOSED");
            assert!(!error.contains("not-the-password"), "{error}");
            write!(told, "\n  {error}").unwrap();
        }
        assert_eq!(site.outcome(&STAFF), before, "nothing is half done");
        succeeds(&site);
        told
    });
    insta::assert_snapshot!(told);
}

/// A user of the database who may read, and write Landfall's own tables, but not `staff`.
fn limited(site: &Site) -> TestDatabase {
    let (name, password) = (format!("limited_{}", site.place.database().name()), "limited-secret");
    let superuser = site.place.superuser();
    let database = site.place.database().name();
    superuser
        .run_sql(&match site.place.kind {
            Kind::Mariadb => format!(
                "CREATE USER {name}@'%' IDENTIFIED BY '{password}';
                 GRANT SELECT ON {database}.* TO {name}@'%';
                 GRANT INSERT, UPDATE, DELETE ON {database}.landfall_loads TO {name}@'%';
                 GRANT INSERT, UPDATE, DELETE ON {database}.landfall_commits TO {name}@'%';
                 GRANT INSERT, UPDATE, DELETE ON {database}.landfall_rejects TO {name}@'%';
                 GRANT INSERT, UPDATE, DELETE ON {database}.landfall_reject_events TO {name}@'%';
                 GRANT INSERT, UPDATE, DELETE ON {database}.landfall_reject_parts TO {name}@'%';
                 GRANT INSERT ON {database}.teams TO {name}@'%'"
            ),
            _ => format!(
                "CREATE ROLE {name} LOGIN PASSWORD '{password}';
                 GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {name};
                 GRANT USAGE ON SCHEMA public, landfall TO {name};
                 GRANT ALL ON ALL TABLES IN SCHEMA landfall TO {name};
                 GRANT ALL ON ALL SEQUENCES IN SCHEMA landfall TO {name};
                 GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name};
                 GRANT INSERT ON teams TO {name}"
            ),
        })
        .unwrap();
    site.place.database().as_user(&name, password)
}

#[test]
fn a_table_that_may_not_be_written_is_told() {
    let told = each(|kind| {
        let site = fresh(kind);
        let before = site.outcome(&STAFF);
        let limited = limited(&site);
        let error = refused(&site, &limited.url(), 5);
        assert!(error.contains("staff"), "{error}");
        assert_eq!(site.outcome(&STAFF), before, "nothing is half done");
        // Reading needs no more.
        site.aim(&limited.url());
        site.assert_nothing_wrong();
        site.run(&["rejects", "list"]).exits(0);
        site.aim(&site.place.url);
        succeeds(&site);
        error
    });
    insta::assert_snapshot!(told);
}

#[test]
fn a_database_in_which_no_table_may_be_made_is_told() {
    let told = each(|kind| {
        let site = Site::new(staff::project(), kind);
        let superuser = site.place.superuser();
        let (database, user) = (site.place.database().name(), site.place.database().user());
        superuser
            .run_sql(&match kind {
                Kind::Mariadb => format!("REVOKE CREATE ON {database}.* FROM {user}@'%'"),
                _ => {
                    format!("ALTER DATABASE {database} OWNER TO admin; GRANT CONNECT ON DATABASE {database} TO {user}")
                }
            })
            .unwrap();
        let error = refused(&site, &site.place.url, 5);
        assert_eq!(site.place.tables(), Vec::<String>::new(), "nothing is half done");
        error
    });
    insta::assert_snapshot!(told);
}

/// A client of the server that holds a lock until it is dropped.
struct Holder(Child);

impl Holder {
    fn of(site: &Site, sql: &str) -> Self {
        let mut client = site.place.database().client_command().unwrap();
        let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{sql}; SELECT 'locked';").unwrap();
        if site.place.kind == Kind::Mariadb {
            // It prints only when its input ends or its buffer is full.
            let begun = Instant::now();
            let waits =
                "SELECT count(*) FROM information_schema.processlist WHERE user = substring_index(user(), '@', 1)";
            while site.place.number(waits) < 2 && begun.elapsed() < BOUND {}
            std::thread::sleep(Duration::from_millis(300));
        } else {
            let mut line = String::new();
            BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
            assert!(line.contains("locked"), "{line}");
        }
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_table_that_another_program_has_locked_is_told_in_time() {
    let told = each(|kind| {
        let site = fresh(kind);
        let before = site.outcome(&STAFF);
        let lock = match kind {
            Kind::Mariadb => "LOCK TABLES staff WRITE",
            _ => "BEGIN; LOCK TABLE staff IN ACCESS EXCLUSIVE MODE",
        };
        let holder = Holder::of(&site, lock);
        let url = match kind {
            Kind::Mariadb => site.place.url.clone(),
            _ => format!("{}?lock_timeout=2", site.place.url),
        };
        site.aim(&url);
        let error = plain(&site, &run(&site, &["load"]).fails(6));
        site.aim(&site.place.url);
        drop(holder);
        assert!(error.contains("lock"), "{error}");
        assert_eq!(site.outcome(&STAFF), before, "nothing is half done");
        succeeds(&site);
        error
    });
    insta::assert_snapshot!(told);
}

/// What makes a silent server noticed soon.
fn impatient(url: &str) -> String {
    format!("{url}?connect_timeout=2&answer_timeout=3")
}

#[test]
fn a_server_that_takes_connections_and_never_answers_is_told_in_time() {
    let told = each(|kind| {
        let site = fresh(kind);
        let proxy = Proxy::start(site.place.database().port()).unwrap();
        proxy.set(ProxyRule::Hang);
        let error = refused(&site, &impatient(&proxy.proxy_url(site.place.database())), 13);
        drop(proxy);
        succeeds(&site);
        error.replace(&site.place.database().port().to_string(), "PORT")
    });
    assert_eq!(told.lines().filter(|line| line.contains("did not") || line.contains("second")).count(), 2, "{told}");
}

#[test]
fn a_server_that_stops_in_the_middle_of_a_load_is_told_in_time() {
    for kind in Kind::DATABASES {
        let (postgres, mariadb) = match kind {
            Kind::Mariadb => (None, Some(Mariadb::start().unwrap())),
            _ => (Some(Postgres::start().unwrap()), None),
        };
        let database = match (&postgres, &mariadb) {
            (Some(server), _) => server.fresh_database().unwrap(),
            (_, Some(server)) => server.fresh_database().unwrap(),
            _ => unreachable!(),
        };
        let site = ready(Place::on(kind, database));
        site.write("staff.csv", File::dirty(3, 1000, 20_000).bytes);
        site.aim(&impatient(&site.place.url));
        let arguments = ["load", "--chunk-records=50", "--block-bytes=1000"];
        let mut command = site.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while site.count("staff") < 500 {
            assert!(child.try_wait().unwrap().is_none(), "{kind:?}: it ended before the server was stopped");
        }
        if let Some(server) = &postgres {
            server.pause_server().unwrap();
        }
        if let Some(server) = &mariadb {
            server.pause_server().unwrap();
        }
        let begun = Instant::now();
        let run = Run::of(&child.wait_with_output().unwrap());
        assert!(begun.elapsed() < BOUND, "{kind:?}: {:?}", begun.elapsed());
        if let Some(server) = &postgres {
            server.resume_server().unwrap();
        }
        if let Some(server) = &mariadb {
            server.resume_server().unwrap();
        }
        let run = run.exits(13);
        assert!(run.stderr.contains("same command again"), "{kind:?}: {}", run.stderr);
        site.aim(&site.place.url);
        assert_eq!(site.run(&["load", "--json"]).exits(0).counts("staff")[0], 20_000);
        site.audit(&[]);
    }
}

#[test]
fn a_database_of_a_newer_version_ends_with_9() {
    for kind in Kind::SERVERS {
        let site = fresh(kind);
        let migrations = site.place.own("migrations");
        let before = site.outcome(&STAFF);
        site.place.run(&format!("INSERT INTO {migrations} VALUES (999, 'later')"));
        for command in ["load", "loads", "verify"] {
            let error = run(&site, &[command]).fails(9);
            assert!(error.contains("newer version"), "{error}");
        }
        site.place.run(&format!("DELETE FROM {migrations} WHERE version = 999"));
        assert_eq!(site.outcome(&STAFF), before);
        succeeds(&site);
    }
}

#[test]
fn a_server_with_no_connection_left_is_told() {
    let told = each(|kind| {
        let site = fresh(kind);
        let (limit, unlimited) = match kind {
            Kind::Mariadb => {
                ("ALTER USER USER@'%' WITH MAX_USER_CONNECTIONS 1", "ALTER USER USER@'%' WITH MAX_USER_CONNECTIONS 0")
            }
            _ => ("ALTER ROLE USER CONNECTION LIMIT 1", "ALTER ROLE USER CONNECTION LIMIT -1"),
        };
        let user = site.place.database().user().to_owned();
        site.place
            .superuser()
            .run_sql(&limit.replace("USER@", &format!("{user}@")).replace("ROLE USER", &format!("ROLE {user}")))
            .unwrap();
        let holder = Holder::of_one(&site);
        let error = refused(&site, &site.place.url, 5);
        drop(holder);
        site.place
            .superuser()
            .run_sql(&unlimited.replace("USER@", &format!("{user}@")).replace("ROLE USER", &format!("ROLE {user}")))
            .unwrap();
        succeeds(&site);
        error
    });
    insta::assert_snapshot!(told);
}

impl Holder {
    /// A client that has the only connection.
    fn of_one(site: &Site) -> Self {
        let mut client = site.place.database().client_command().unwrap();
        let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"SELECT 1;\n").unwrap();
        if site.place.kind == Kind::Mariadb {
            std::thread::sleep(Duration::from_millis(500));
        } else {
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        }
        Self(child)
    }
}
