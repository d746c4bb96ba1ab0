//! How the program comes into a server: protected connections, and passwords from where they may be.

use std::{os::unix::fs::PermissionsExt as _, path::Path, sync::OnceLock};

use testbed::{Certificates, Mariadb, Postgres, ServerOptions, TestDatabase, Tls};

use super::{
    place::{Kind, Place},
    site::Site,
};
use crate::support::{
    Run,
    staff::{self, File},
};

/// A server of a kind that speaks TLS in a certain way.
enum Guarded {
    Postgres(Postgres),
    Mariadb(Mariadb),
}

impl Guarded {
    fn of(kind: Kind, tls: Tls) -> &'static Self {
        static SERVERS: [OnceLock<Guarded>; 4] = [const { OnceLock::new() }; 4];
        let at = 2 * usize::from(kind == Kind::Mariadb) + usize::from(tls == Tls::WrongHost);
        let options = ServerOptions::default().with_tls(tls);
        SERVERS[at].get_or_init(|| match kind {
            Kind::Mariadb => Self::Mariadb(Mariadb::start_with(&options).unwrap()),
            _ => Self::Postgres(Postgres::start_with(&options).unwrap()),
        })
    }

    fn database(&self) -> TestDatabase {
        match self {
            Self::Postgres(server) => server.fresh_database().unwrap(),
            Self::Mariadb(server) => server.fresh_database().unwrap(),
        }
    }

    fn certificates(&self) -> &Certificates {
        match self {
            Self::Postgres(server) => server.certificates().unwrap(),
            Self::Mariadb(server) => server.certificates().unwrap(),
        }
    }
}

fn site(place: Place) -> Site {
    let site = Site::at(staff::project(), place);
    site.write("staff.csv", File::dirty(500, 1, 200).bytes);
    site
}

/// A copy of a certificate in the project's folder, where a relative path finds it.
fn certificate(site: &Site, from: &Path) -> String {
    site.write("ca.crt", std::fs::read(from).unwrap());
    "sslrootcert=ca.crt".to_owned()
}

/// Loads with these parameters of the URL.
fn load(site: &Site, database: &TestDatabase, parameters: &str) -> Run {
    site.aim(&format!("{}?{parameters}", database.url()));
    let run = site.run(&["load", "-v"]);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains(database.password()), "the password is told");
    run
}

#[test]
fn a_protected_connection_is_checked_as_far_as_is_asked_for() {
    for kind in Kind::DATABASES {
        let server = Guarded::of(kind, Tls::Required);
        let database = server.database();
        let site = site(Place::on(kind, database.clone()));
        let authority = certificate(&site, &server.certificates().authority_file());
        for host in ["localhost", "127.0.0.1"] {
            let database = database.through_host(host);
            load(&site, &database, &format!("sslmode=verify-full&{authority}")).exits(0);
        }
        load(&site, &database, "sslmode=require").exits(0);
        load(&site, &database, "").exits(0);
        site.audit(&[("staff.csv", 200)]);
        // The server itself takes no others.
        let error = load(&site, &database, "sslmode=disable").fails(5);
        assert!(error.to_lowercase().contains("ssl") || error.contains("protected"), "{kind:?}: {error}");
        assert_eq!(site.place.number(encrypted(kind)), 1, "the server sees that the connection is protected");
    }
}

/// Whether the server knows of protected connections only; the one that asks is one.
fn encrypted(kind: Kind) -> &'static str {
    match kind {
        Kind::Mariadb => {
            "SELECT count(*) FROM information_schema.global_variables WHERE variable_name = 'REQUIRE_SECURE_TRANSPORT' AND variable_value = 'ON'"
        }
        _ => "SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",
    }
}

#[test]
fn a_server_with_the_certificate_of_a_stranger_is_refused() {
    for kind in Kind::DATABASES {
        let server = Guarded::of(kind, Tls::Required);
        let database = server.database().through_host("localhost");
        let site = site(Place::on(kind, database.clone()));
        let stranger = certificate(&site, &server.certificates().unrelated_authority());
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = load(&site, &database, &format!("sslmode={mode}&{stranger}")).fails(5);
            assert!(error.to_lowercase().contains("certificate"), "{kind:?} {mode}: {error}");
        }
        // Without a file, only the public authorities are known, and none of them signed this.
        let error = load(&site, &database, "sslmode=verify-full").fails(5);
        assert!(error.to_lowercase().contains("certificate"), "{kind:?}: {error}");
        site.write("ca.crt", "no certificate");
        let error = load(&site, &database, "sslmode=verify-full&sslrootcert=ca.crt").fails(5);
        assert!(error.contains("ca.crt"), "{kind:?}: {error}");
        let error = load(&site, &database, "sslmode=verify-full&sslrootcert=missing.crt").fails(5);
        assert!(error.contains("missing.crt"), "{kind:?}: {error}");
        assert_eq!(site.place.tables(), Vec::<String>::new(), "{kind:?}: nothing was done");
    }
}

#[test]
fn a_server_with_the_certificate_of_another_host_is_refused() {
    for kind in Kind::DATABASES {
        let server = Guarded::of(kind, Tls::WrongHost);
        let database = server.database().through_host("localhost");
        let site = site(Place::on(kind, database.clone()));
        let authority = certificate(&site, &server.certificates().authority_file());
        let error = load(&site, &database, &format!("sslmode=verify-full&{authority}")).fails(5);
        let words = error.to_lowercase();
        assert!(
            words.contains("certificate") && (words.contains("host") || words.contains("name")),
            "{kind:?}: {error}"
        );
        assert_eq!(site.place.tables(), Vec::<String>::new(), "{kind:?}: nothing was done");
        load(&site, &database, "sslmode=require").exits(0);
    }
}

#[test]
fn protection_that_the_server_does_not_offer_is_not_done_without() {
    for kind in Kind::DATABASES {
        let site = site(Place::fresh(kind, Path::new("")));
        let database = site.place.database().clone();
        for mode in ["require", "verify-full"] {
            let error = load(&site, &database, &format!("sslmode={mode}")).fails(5);
            assert!(error.to_lowercase().contains("tls") || error.contains("protected"), "{kind:?}: {error}");
        }
        load(&site, &database, "sslmode=prefer").exits(0);
    }
}

/// A database whose password holds what URLs and files have to escape.
fn with_odd_password(kind: Kind) -> (Site, String) {
    let password = "p:@/?#%' \\\"é&=";
    let database = match kind {
        Kind::Mariadb => Mariadb::shared().fresh_database_named("odd name", "odd user", password).unwrap(),
        _ => Postgres::shared().fresh_database_named("odd name", "odd user", password).unwrap(),
    };
    let site = site(Place::on(kind, database));
    let (_, rest) = site.place.url.split_once('@').unwrap();
    let scheme = if kind == Kind::Mariadb { "mysql" } else { "postgres" };
    let without = format!("{scheme}://odd%20user@{rest}");
    (site, without)
}

/// Loads with the environment given.
fn load_with(site: &Site, environment: &[(&str, &str)]) -> Run {
    let mut command = site.command(&["load", "-v", "-v"]);
    for name in ["PGPASSWORD", "MYSQL_PWD", "PGPASSFILE"] {
        command.env_remove(name);
    }
    command.env("HOME", site.path()).envs(environment.iter().copied());
    let run = Run::of(&command.output().unwrap());
    assert!(
        !format!("{}{}", run.stdout, run.stderr).contains(site.place.database().password()),
        "the password is told"
    );
    run
}

#[test]
fn the_password_may_stand_in_a_file_or_in_the_environment() {
    for kind in Kind::DATABASES {
        let (site, url) = with_odd_password(kind);
        let password = site.place.database().password().to_owned();
        load_with(&site, &[]).exits(0);
        let variable = if kind == Kind::Mariadb { "MYSQL_PWD" } else { "PGPASSWORD" };
        site.aim(&url);
        load_with(&site, &[]).fails(5);
        load_with(&site, &[(variable, "wrong")]).fails(5);
        load_with(&site, &[(variable, &password)]).exits(0);
        site.aim(&format!("{url}?password_file=secret"));
        site.write("secret", format!("{password}\n"));
        load_with(&site, &[]).exits(0);
        site.write("secret", "wrong\n");
        load_with(&site, &[]).fails(5);
        std::fs::remove_file(site.path().join("secret")).unwrap();
        let error = load_with(&site, &[]).fails(5);
        assert!(error.contains("secret"), "{error}");
        site.audit_with_url();
    }
}

impl Site {
    /// The audit, with the way that the place itself names.
    fn audit_with_url(&self) {
        self.aim(&self.place.url);
        self.audit(&[("staff.csv", 200)]);
    }
}

#[test]
fn postgresql_passwords_may_stand_in_the_password_file_of_the_user() {
    let (site, url) = {
        let database = Postgres::shared().fresh_database_named("pass:file", "pass\\user", "se:cr\\et").unwrap();
        let site = site(Place::on(Kind::Postgres, database));
        let (_, rest) = site.place.url.split_once('@').unwrap();
        let url = format!("postgres://pass%5Cuser@{rest}");
        (site, url)
    };
    site.aim(&url);
    let port = site.place.database().port();
    site.write(
        ".pgpass",
        format!("# ours\nother:*:*:*:wrong\n127.0.0.1:{port}:pass\\:file:pass\\\\user:se\\:cr\\\\et\n*:*:*:*:wrong\n"),
    );
    let mode = |mode| {
        std::fs::set_permissions(site.path().join(".pgpass"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o600);
    load_with(&site, &[]).exits(0);
    // One that others may read is not used.
    mode(0o644);
    let run = load_with(&site, &[]).exits(5);
    assert!(run.stderr.contains("chmod 0600"), "{}", run.stderr);
    mode(0o600);
    std::fs::rename(site.path().join(".pgpass"), site.path().join("elsewhere")).unwrap();
    load_with(&site, &[]).fails(5);
    let file = site.path().join("elsewhere");
    load_with(&site, &[("PGPASSFILE", file.to_str().unwrap())]).exits(0);
    site.aim(&format!("{url}?passfile=elsewhere"));
    load_with(&site, &[]).exits(0);
    site.audit_with_url();
}
