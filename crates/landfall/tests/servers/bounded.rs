//! What a load may put into the quarantine is bounded.

use super::{place::Kind, site::Site};
use crate::support::Project;

/// A table that is made by the load, and stopped in the middle of it.
#[test]
fn the_rejects_of_a_first_load_are_bounded_in_bytes() {
    for kind in Kind::SERVERS {
        let records: String =
            (0..30_000).map(|id| if id % 3 == 0 { format!("{id},Ann,30\n") } else { "x,,\n".to_owned() }).collect();
        let project = Project::people(&records);
        project.write("landfall.yaml", "load: {maxRejectBytes: 200kB, chunkRecords: 1000}\n");
        let site = Site::new(project, kind);
        let run = site.run(&["load"]).exits(10);
        assert!(format!("{}{}", run.stdout, run.stderr).contains("maxRejectBytes"), "{kind:?}: {}", run.stderr);
        let stored = || site.place.number(&format!("SELECT count(*) FROM {}", site.place.own("rejects")));
        let count = stored();
        assert!((100..5000).contains(&count), "{kind:?}: {count}");
        site.run(&["load", "-q"]).exits(10);
        assert_eq!(stored(), count, "{kind:?}");
        let config = site.read("landfall.yaml").replace("200kB", "1GiB");
        site.write("landfall.yaml", config);
        site.run(&["load", "-q"]).exits(0);
        assert_eq!((site.count("people"), stored()), (10_000, 20_000), "{kind:?}");
        site.run(&["verify"]).exits(0);
    }
}
