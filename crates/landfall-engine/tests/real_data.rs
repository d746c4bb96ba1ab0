//! The real data set of the running example, where the conformance folder is given: counts, rejects and both reports.

use std::{fs, path::Path};

use landfall_core::schema::Package;
use landfall_engine::{
    Project,
    pipeline::{LoadOptions, SilentObserver, load_tables},
    targets::{Location, TargetAccess, open},
};

#[test]
fn the_real_data_gives_the_expected_counts() {
    let Some(shared) = std::env::var_os("LANDFALL_CONFORMANCE") else {
        eprintln!("skipped: LANDFALL_CONFORMANCE does not name the conformance folder");
        return;
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hr");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("data")).expect("a folder");
    for name in ["departments.csv", "jobs.csv", "hired_employees.csv"] {
        fs::copy(Path::new(&shared).join("hr").join(name), folder.path().join("data").join(name))
            .expect("the real data");
    }
    let text = fs::read_to_string(example.join("datapackage.yaml")).expect("the example's data package");
    let package = Package::from_yaml(&text, "datapackage.yaml").expect("a data package");
    let project = Project { folder: folder.path().to_owned(), package };
    let location = Location::parse("sqlite:landfall.db", folder.path()).expect("a location");
    let mut target = open(&location, TargetAccess::Write).expect("a target");
    let outcomes = load_tables(&mut *target, &project, &[], &LoadOptions::default(), &SilentObserver).expect("a load");
    let counts: Vec<_> =
        outcomes.iter().map(|o| (o.table.as_str(), o.counts.read, o.counts.inserted, o.counts.rejected)).collect();
    assert_eq!(counts, [("departments", 12, 12, 0), ("jobs", 183, 183, 0), ("hired_employees", 1999, 1929, 70)]);
}
