//! Damaged objects are found before a table is touched.

use std::fs;

use testbed::ObjectStorageKind as Kind;

use super::{
    site::{Site, shared},
    support::random::Random,
};

#[test]
fn damage_is_found_before_a_table_is_touched() {
    let site = Site::example(Kind::S3, "damage");
    let set = site.backup(&["--codec", "none"]);
    let folder = shared(Kind::S3).bucket_folder().join("damage").join(set["set"].as_str().unwrap());
    let file = folder.join("jobs.avro");
    let whole = fs::read(&file).unwrap();
    let held = site.content("jobs");
    let refused = |what: &str, words: &str| {
        let error = site.run(&["restore", "jobs"]).fails(4);
        assert!(error.contains(words), "{what}: {error}");
        assert_eq!(site.content("jobs"), held, "{what}");
        let verified = site.run(&["backups", "verify"]).exits(1).stdout;
        assert!(verified.contains("jobs.avro"), "{what}: {verified}");
    };
    let mut random = Random::new(7);
    let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    for round in 0..6 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(below(bytes.len())),
            1 => bytes.push(0),
            _ => {
                let bit = below(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        fs::write(&file, &bytes).unwrap();
        refused(&format!("round {round}"), "nothing was touched");
    }
    fs::copy(folder.join("departments.avro"), &file).unwrap();
    refused("a swapped file", "nothing was touched");
    fs::remove_file(&file).unwrap();
    refused("a file that is gone", "not there");
    fs::write(&file, &whole).unwrap();
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    fs::write(folder.join("manifest.json"), manifest.replacen("\"rows\": 1", "\"rows\": 2", 1)).unwrap();
    let error = site.run(&["restore", "jobs", "--set", set["set"].as_str().unwrap()]).fails(4);
    assert!(error.contains("damaged"), "{error}");
    site.run(&["backups", "verify"]).exits(1);
    fs::write(folder.join("manifest.json"), manifest).unwrap();
    site.run(&["restore", "jobs", "-q"]).exits(0);
}
