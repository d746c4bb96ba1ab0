//! Storage that refuses, does not answer, or is cut off: a failed backup, said so, and the older ones are as they were.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use testbed::{ObjectStorageKind as Kind, Proxy, ProxyRule};

use super::{
    site::{Site, shared},
    support::Project,
};

/// Lets a rule fire, and nobody through afterwards, while `work` runs.
fn cut_off<T>(proxy: &Proxy, rule: ProxyRule, work: impl FnOnce() -> T) -> T {
    let fired = proxy.times_fired();
    proxy.set_then_refuse(rule);
    let outcome = work();
    assert_eq!(proxy.times_fired(), fired + 1, "the rule fires");
    outcome
}

#[test]
fn connections_that_are_cut_are_made_again_and_those_that_stay_cut_fail() {
    let storage = shared(Kind::S3);
    let proxy = Proxy::start(storage.port()).unwrap();
    let site = Site::large(storage, &storage.endpoint_at(proxy.port()), "cut");
    let before = site.content("people");
    let arguments = ["backup", "-q", "--codec", "none"];
    let middle = 9 << 20;
    // Once: nothing of it is seen.
    for rule in [ProxyRule::CutAfterFromClient(middle), ProxyRule::CutAfterFromServer(middle)] {
        let fired = proxy.times_fired();
        proxy.set(rule);
        site.run(&arguments).exits(0);
        assert_eq!(proxy.times_fired(), fired + 1);
    }
    proxy.set(ProxyRule::CutAfterFromServer(middle));
    site.run(&["backups", "verify", "latest"]).exits(0);
    let sets = site.sets();
    assert_eq!(sets.len(), 2);
    // For good: in mid-upload, while it is read back, and in mid-download.
    for rule in [ProxyRule::CutAfterFromClient(middle), ProxyRule::CutAfterFromServer(middle)] {
        let run = cut_off(&proxy, rule, || site.run(&arguments)).exits(13);
        assert!(run.stderr.contains("error: ") && run.stderr.contains("people.avro"), "{}", run.stderr);
        proxy.set(ProxyRule::Pass);
        assert_eq!(site.sets(), sets);
    }
    site.project.database().execute_batch("UPDATE people SET age = age + 1").unwrap();
    let changed = site.content("people");
    let restored = cut_off(&proxy, ProxyRule::CutAfterFromServer(middle), || site.run(&["restore", "people"]));
    assert!(restored.fails(13).contains("127.0.0.1"));
    assert!(site.content("people") == changed);
    proxy.set(ProxyRule::Pass);
    let verified = cut_off(&proxy, ProxyRule::CutAfterFromServer(middle), || site.run(&["backups", "verify"]));
    verified.fails(13);
    proxy.set(ProxyRule::Refuse);
    site.run(&["backups", "list"]).fails(13);
    proxy.set(ProxyRule::Pass);
    site.run(&["backups", "verify"]).exits(0);
    site.run(&["restore", "people", "-q"]).exits(0);
    assert!(site.content("people") == before);
}

#[test]
fn a_wrong_key_and_a_missing_bucket_are_told() {
    for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
        let mut site = Site::example(kind, "denied");
        site.backup(&["jobs"]);
        let sets = site.sets();
        let url = site.url.replace("landfall-test", "no-such-bucket");
        let error = site.run(&["backup", "--to", &url]).fails(5);
        assert!(error.contains("there is no such bucket") && error.contains("no-such-bucket"), "{error}");
        let (variable, value) = shared(kind).credential_variables()[1].clone();
        // A key that is one, and not this one.
        site.project.set(variable, &value.chars().rev().collect::<String>().replace('=', "A"));
        let error = site.run(&["backup"]).fails(5);
        let (status, told) = if kind == Kind::Gcs { ("401", "GOOGLE_") } else { ("403", variable) };
        assert!(error.contains(status) && error.contains(told), "{error}");
        site.run(&["backups", "list"]).fails(5);
        site.project.set(variable, &value);
        assert_eq!(site.sets(), sets);
    }
}

/// Nobody knows whether the manifest has arrived: the set is there and whole, or it is not there.
#[test]
fn an_answer_that_is_lost_leaves_no_set_that_is_not_whole() {
    let storage = shared(Kind::S3);
    let proxy = Proxy::start(storage.port()).unwrap();
    let site = Site::at(Project::example(), storage, &storage.endpoint_at(proxy.port()), "unknown");
    // Asked again, the storage says that it has it.
    let fired = proxy.times_fired();
    proxy.set(ProxyRule::swallow_answer("/manifest.json HTTP", 0));
    site.run(&["backup", "-q"]).exits(0);
    assert_eq!((proxy.times_fired(), site.sets().len()), (fired + 1, 1));
    // It cannot be asked again: the manifest is there, and cannot be taken back.
    let rule = ProxyRule::swallow_answer("/manifest.json HTTP", 0);
    cut_off(&proxy, rule, || site.run(&["backup", "-q"])).exits(13);
    proxy.set(ProxyRule::Pass);
    assert_eq!(site.sets().len(), 2);
    let verified = site.run(&["backups", "verify", "--json"]).exits(0).json();
    for set in verified["sets"].as_array().unwrap() {
        assert_eq!(set["tables"].as_array().unwrap().len(), 3, "{verified}");
    }
}

/// A server of HTTP that has the same answer to everything.
fn refusing(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = client.read(&mut [0; 4096]);
                let _ = client.write_all(answer.as_bytes());
            });
        }
    });
    port
}

#[test]
fn what_a_storage_answers_decides_how_a_backup_ends() {
    let storage = shared(Kind::S3);
    for (answer, code, words) in [
        (
            "HTTP/1.1 503 Slow Down\r\nContent-Length: 63\r\nConnection: close\r\n\r\n<Error><Code>SlowDown</Code><Message>a secret</Message></Error>",
            13,
            "answered 503 (SlowDown); try again later",
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            5,
            "the bucket is in another region",
        ),
        ("HTTP/1.1 507 Full\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 8, "answered 507"),
        ("nonsense\r\n\r\n", 13, "the connection to 127.0.0.1 was lost"),
    ] {
        let endpoint = format!("http://127.0.0.1:{}", refusing(answer));
        let site = Site::at(Project::example(), storage, &endpoint, "refused");
        let error = site.run(&["backup"]).fails(code);
        assert!(error.contains(words) && !error.contains("secret"), "{answer}: {error}");
    }
}

#[test]
fn without_a_place_for_files_a_restore_is_told() {
    let mut site = Site::example(Kind::S3, "no-place");
    site.backup(&["jobs"]);
    let held = site.content("jobs");
    site.project.set("TMPDIR", "/proc/no-such-folder");
    let error = site.run(&["restore", "jobs"]).fails(3);
    assert!(error.contains("TMPDIR names another folder"), "{error}");
    assert_eq!(site.content("jobs"), held);
    site.run(&["backups", "verify"]).exits(0);
}
