//! What holds of backups wherever they are.

use std::fs;

use testbed::{ObjectStorageKind as Kind, Tls};

use super::site::{Site, digests, shared};

/// Made, listed, verified, restored, pruned.
#[test]
fn a_set_comes_back_from_everywhere() {
    for site in [
        Site::local(),
        Site::example(Kind::S3, "contract/größe a"),
        Site::example(Kind::Gcs, "contract"),
        Site::example(Kind::Azure, "contract"),
    ] {
        let at = &site.url;
        assert!(site.sets().is_empty(), "{at}");
        let set = site.backup(&[]);
        let name = set["set"].as_str().unwrap();
        assert!(set["location"].as_str().unwrap().ends_with(&format!("/{name}")), "{set}");
        assert_eq!(site.sets(), [name], "{at}");
        let before = site.content("hired_employees");
        for codec in ["snappy", "none"] {
            let changes =
                "DELETE FROM hired_employees WHERE id % 3 = 0; UPDATE hired_employees SET name = 'x' WHERE id % 5 = 0";
            site.project.database().execute_batch(changes).unwrap();
            assert_ne!(site.content("hired_employees"), before);
            let run = site.run(&["restore", "hired_employees", "--json", "--set", name]).exits(0).json();
            assert_eq!(run["set"], name, "{at}");
            assert_eq!(site.content("hired_employees"), before, "{at}");
            let again = site.backup(&["--codec", codec]);
            assert_eq!(digests(&again), digests(&set), "{at}");
        }
        site.run(&["backups", "verify"]).exits(0);
        // The latest one that has the table.
        let last = site.sets().pop().unwrap();
        site.backup(&["jobs"]);
        let run = site.run(&["restore", "departments", "--mode", "upsert", "--json"]).exits(0).json();
        assert_eq!(run["set"], last.as_str(), "{at}");
        let sets = site.sets();
        let pruned = site.run(&["backups", "prune", "--keep-last", "1", "--json"]).exits(0).json();
        assert_eq!(pruned["removed"], serde_json::json!(sets[..3]), "{at}");
        assert_eq!(site.sets(), sets[3..], "{at}");
        let error = site.run(&["restore", "jobs", "--set", &sets[0]]).fails(4);
        assert!(error.contains("no such backup set"), "{error}");
    }
}

/// A place sees its own sets alone, also where another's name begins like its own.
#[test]
fn places_are_apart() {
    let one = Site::example(Kind::S3, "apart/one");
    let other = Site::example(Kind::S3, "apart/one-more");
    let within = Site::example(Kind::S3, "apart/one/more");
    one.backup(&["jobs"]);
    assert!(other.sets().is_empty() && within.sets().is_empty());
    within.backup(&["jobs"]);
    assert_eq!((one.sets().len(), other.sets().len(), within.sets().len()), (1, 0, 1));
    // What is called otherwise is none of ours, and stays.
    let folder = shared(Kind::S3).bucket_folder().join("apart/one");
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let set = one.sets().pop().unwrap();
    fs::write(folder.join("manifest.json"), "{}").unwrap();
    one.run(&["backups", "verify"]).exits(0);
    one.backup(&["jobs"]);
    one.run(&["backups", "prune", "--keep-last", "1"]).exits(0);
    assert!(!folder.join(set).exists());
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "mine");
}

/// A file of more than one part, and nothing of it stays on this machine.
#[test]
fn large_tables_go_in_parts() {
    // The server for Google's API lets nobody without a key of S3 send parts: those requests are the same as of S3.
    for kind in [Kind::S3, Kind::Azure] {
        let storage = shared(kind);
        let mut site = Site::large(storage, &storage.endpoint_url(), "large");
        let folder = tempfile::tempdir().unwrap();
        site.project.set("TMPDIR", &folder.path().display().to_string());
        let before = site.content("people");
        let set = site.backup(&["--codec", "none"]);
        assert!(set["tables"][0]["bytes"].as_u64().unwrap() > 17 << 20, "{set}");
        let asked_for_parts = if kind == Kind::Azure { "comp=blocklist" } else { "uploadId=" };
        assert!(storage.read_log().contains(asked_for_parts), "{}", storage.read_log());
        site.run(&["backups", "verify"]).exits(0);
        site.project.database().execute_batch("UPDATE people SET age = age + 1").unwrap();
        site.run(&["restore", "people", "-q"]).exits(0);
        assert!(site.content("people") == before, "{kind:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{kind:?}");
    }
}

#[test]
fn a_certificate_must_be_trusted() {
    let storage = testbed::ObjectStorage::start_with(Kind::S3, Tls::Required).unwrap();
    let mut site = Site::at(super::support::Project::example(), &storage, &storage.endpoint_url(), "tls");
    site.write_settings(&format!("endpoint: '{}', allow_private_addresses: true", storage.endpoint_url()));
    let certificates = storage.certificates().unwrap().clone();
    let mut trust = |authority: &std::path::Path| site.project.set("SSL_CERT_FILE", &authority.display().to_string());
    trust(&certificates.unrelated_authority());
    let error = site.run(&["backup"]).fails(5);
    assert!(error.contains("no connection with TLS") && error.contains("SSL_CERT_FILE"), "{error}");
    let mut trust = |authority: &std::path::Path| site.project.set("SSL_CERT_FILE", &authority.display().to_string());
    trust(&certificates.authority_file());
    site.backup(&[]);
    site.run(&["backups", "verify"]).exits(0);
}

/// What a killed backup left is cleared away when it is old, and not before.
#[test]
fn abandoned_drafts_are_cleared_away() {
    let site = Site::example(Kind::S3, "abandoned");
    let folder = shared(Kind::S3).bucket_folder().join("abandoned");
    let now = std::time::SystemTime::now();
    let days = |count: u64| now - std::time::Duration::from_secs(count * 24 * 60 * 60);
    let draft = |set: &str, file: &str, age: u64| {
        let path = folder.join(set).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        fs::File::open(&path).unwrap().set_modified(days(age)).unwrap();
    };
    let (old, written_to) = ("20250101T000000.000000Z-00000000", "20250101T000000.000000Z-00000001");
    draft(old, "jobs.avro", 8);
    draft(written_to, "jobs.avro", 8);
    draft(written_to, "departments.avro", 6);
    assert!(site.sets().is_empty());
    site.backup(&["jobs"]);
    assert!(!folder.join(old).join("jobs.avro").exists());
    assert!(folder.join(written_to).join("jobs.avro").exists());
    assert_eq!(site.sets().len(), 1);
}
