//! Which places may be asked, and what is never said.

use testbed::ObjectStorageKind as Kind;

use super::site::{Site, shared};

#[test]
fn private_addresses_and_plain_http_are_for_those_who_allow_them() {
    let storage = shared(Kind::S3);
    let mut site = Site::example(Kind::S3, "guarded");
    let port = storage.port();
    for (settings, code, words) in [
        (format!("endpoint: 'http://127.0.0.1:{port}', allowHttp: true"), 5, "has the address 127.0.0.1"),
        (format!("endpoint: 'http://localhost:{port}', allowHttp: true"), 5, "localhost has the address"),
        (format!("endpoint: 'http://[::ffff:127.0.0.1]:{port}', allowHttp: true"), 5, "allowPrivateAddresses: true"),
        // An old way to write 127.0.0.1, which a resolver knows.
        (format!("endpoint: 'http://2130706433:{port}', allowHttp: true"), 5, "has the address 127.0.0.1"),
        (format!("endpoint: 'http://127.0.0.1:{port}', allowPrivateAddresses: true"), 3, "is http, without TLS"),
        ("endpoint: 'http://169.254.169.254', allowHttp: true, allowPrivateAddresses: true".into(), 3, "credentials"),
        (
            "endpoint: 'http://[::ffff:169.254.169.254]', allowHttp: true, allowPrivateAddresses: true".into(),
            3,
            "credentials",
        ),
        (
            "endpoint: 'http://0.0.0.0', allowHttp: true, allowPrivateAddresses: true".into(),
            5,
            "has the address 0.0.0.0",
        ),
        ("endpoint: 'https://name:password@host'".into(), 3, "credentials do not stand in a URL"),
        ("endpoint: 'no address'".into(), 3, "https://storage.example.com"),
        ("endpont: 'https://host'".into(), 3, "endpoint"),
        ("allowHttp: perhaps".into(), 3, "allowHttp"),
        ("endpoint: 'https://no-such-host.invalid'".into(), 13, "no-such-host.invalid does not resolve"),
    ] {
        site.write_settings(&settings);
        let error = site.run(&["backup"]).fails(code);
        assert!(error.contains(words) && !error.contains("password"), "{settings}: {error}");
    }
    // What the environment says is held to the same.
    site.write_settings("allowPrivateAddresses: true");
    site.project.set("AWS_ENDPOINT_URL", &storage.endpoint_url());
    site.project.set("AWS_ALLOW_HTTP", "true");
    let error = site.run(&["backup"]).fails(5);
    assert!(error.contains("without TLS"), "{error}");
    site.project.set("AWS_ENDPOINT_URL", "http://169.254.169.254");
    site.write_settings("allowHttp: true, allowPrivateAddresses: true");
    let error = site.run(&["backup"]).fails(5);
    assert!(error.contains("credentials"), "{error}");
    site.project.set("AWS_ENDPOINT_URL", &storage.endpoint_url());
    site.backup(&["jobs"]);
}

#[test]
fn secrets_are_never_said() {
    let mut site = Site::example(Kind::S3, "secrets");
    let secret = shared(Kind::S3).credential_variables()[1].1.clone();
    site.project.set("AWS_SESSION_TOKEN", "topsecret-session");
    for arguments in [
        &["backup", "-vvv", "--log", "json"][..],
        &["backups", "list", "-vvv"],
        &["backup", "--to", "s3://no-such-bucket", "-vvv"],
        &["backup", "--to", "s3://tester:topsecret@bucket"],
        &["backup", "--to", "s3://bucket/a?X-Amz-Signature=topsecret"],
    ] {
        let run = site.run(arguments);
        for word in [secret.as_str(), "topsecret"] {
            assert!(!run.stdout.contains(word), "{arguments:?}: {}", run.stdout);
            // What clap repeats is what was typed, and no more.
            let typed = arguments.iter().any(|argument| argument.contains(word));
            assert!(typed || !run.stderr.contains(word), "{arguments:?}: {}", run.stderr);
        }
    }
    let mut site = Site::example(Kind::Azure, "secrets");
    site.project.set("AZURE_STORAGE_SAS_TOKEN", "sv=2021-12-02&sp=rwdl&sr=c&sig=topsecret%3D");
    site.project.set("AZURE_STORAGE_ACCOUNT_KEY", "");
    for arguments in [&["backup", "-vvv"][..], &["backups", "list", "-vvv", "--log", "json"]] {
        let run = site.run(arguments);
        assert_ne!(run.code, 0, "{}", run.stderr);
        assert!(!run.stderr.contains("topsecret"), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn strange_places_are_refused() {
    let site = Site::example(Kind::S3, "strange");
    for place in [
        "s3://",
        "s3:///a",
        "s3://bucket/..",
        "s3://bucket/a/../b",
        "s3://bucket//a",
        "s3://bucket/%2e%2e",
        "s3://bucket/a%00",
        "s3://bucket:9000/a",
        "s3://bucket/a#b",
        "https://bucket/a",
        "S3://bucket",
    ] {
        site.run(&["backup", "--to", place]).fails(2);
        site.run(&["backups", "list", "--in", place]).fails(2);
    }
    for set in ["..", "%2e%2e", "a/b", "../strange"] {
        let error = site.run(&["restore", "jobs", "--set", set]).fails(2);
        assert!(error.contains("not the name of a backup set"), "{set}: {error}");
    }
}
