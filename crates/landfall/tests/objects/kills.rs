//! Backups that are killed.

use std::time::{Duration, Instant};

use testbed::ObjectStorageKind as Kind;

use super::{
    site::{Site, digests, shared},
    support::{random::Random, rounds},
};

/// No set is seen that is not whole.
#[test]
fn a_killed_backup_leaves_no_set_that_is_not_whole() {
    for (kind, is_large) in [(Kind::S3, false), (Kind::S3, true), (Kind::Azure, false)] {
        let (storage, prefix) = (shared(kind), if is_large { "killed/large" } else { "killed/small" });
        let site =
            if is_large { Site::large(storage, &storage.endpoint_url(), prefix) } else { Site::example(kind, prefix) };
        let tables = if is_large { 1 } else { 3 };
        let arguments = ["backup", "-q", "--codec", "none"];
        let wanted = digests(&site.backup(&arguments[2..]));
        let begun = Instant::now();
        site.run(&arguments).exits(0);
        let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();
        let mut random = Random::new(17);
        let (mut kills, most) = (0, rounds(4));
        while kills < most {
            let mut child = site.project.command(&arguments).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(random.below(usual * 5 / 4)));
            child.kill().unwrap();
            kills += u64::from(!child.wait().unwrap().success());
            let verified = site.run(&["backups", "verify", "--json"]).exits(0).json();
            let sets = verified["sets"].as_array().unwrap();
            assert!(sets.iter().all(|set| set["tables"].as_array().unwrap().len() == tables), "{verified}");
            if sets.len() > 4 {
                site.run(&["backups", "prune", "-q", "--keep-last", "2"]).exits(0);
            }
        }
        assert_eq!(digests(&site.backup(&arguments[2..])), wanted, "{kind:?}");
        site.run(&["backups", "verify", "latest"]).exits(0);
    }
}
