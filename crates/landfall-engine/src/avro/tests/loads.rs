//! An Avro file goes through the pipeline as any source does: counted, its rejects kept and tried again, and known when it comes
//! once more.

use std::path::Path;

use landfall_core::schema::{FieldIndex, TableIndex};

use super::*;
use crate::{
    Project,
    ledger::LoadState,
    pipeline::{LoadOptions, LoadOutcome, RetrySelection, SilentObserver, WorkLimits, load_sources, retry_rejects},
    quarantine::RejectFilter,
    source::{Source, copy_range, digest_source},
    targets::{Location, Target, TargetAccess, open},
    verify::verify_tables,
};

const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"id","type":"long"},
    {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
    {"name":"tag","type":["null","string"]},
    {"name":"extra","type":["null","string"],"landfall.type":"object"}]}"#;

const PACKAGE: &str = "resources: [{name: t, path: t.csv, schema: {primaryKey: [id], fields: [{name: id, type: integer}, \
    {name: at, type: datetime, format: '%d/%m/%Y %H:%M', timezone: UTC}, \
    {name: tag, type: string, constraints: {maxLength: 8}}, {name: extra, type: object}]}}]";

/// A row whose tag and JSON are these.
fn row(id: i64, minute: i64, tag: &str, extra: &str) -> Vec<u8> {
    let strings = [tag, extra].map(|text| [vec![2], sized(text.as_bytes())].concat()).concat();
    [long(id), vec![2], long(minute), strings].concat()
}

/// A file of 3,000 rows, of which three cannot be taken, and one is there twice.
fn file(folder: &Path) -> Source {
    let minute = 60_000_000;
    let mut blocks = Vec::new();
    for start in (0..3000).step_by(500) {
        let rows: Vec<u8> = (start..start + 500)
            .flat_map(|id| match id {
                700 => row(id, minute + 1, "seconds", "{}"),
                701 => row(id, minute, "too long a tag", "{\n}"),
                702 => row(id, minute, "no json", "{"),
                703 => row(702 - 1000, minute, "again", "{}"),
                704 => row(702 - 1000, minute, "again!", "{}"),
                _ => row(id, id * minute, "é\"\n", "{ \"a\" :\r\n [1] }"),
            })
            .collect();
        blocks.extend(block(500, &rows));
    }
    let path = folder.join("t.avro");
    std::fs::write(&path, [header(SCHEMA, "null"), blocks].concat()).unwrap();
    let package = Package::from_yaml(PACKAGE, "test").unwrap();
    let schema = super::super::read_schema(std::fs::File::open(&path).unwrap()).unwrap();
    let reading = resolve_fields(&schema, &package.resources[0].schema, &FieldMapping::default()).unwrap();
    Source::from_avro("t.avro", path, Arc::new(reading))
}

struct Ground {
    folder: tempfile::TempDir,
    project: Project,
    target: Box<dyn Target>,
}

fn grounds() -> [Ground; 2] {
    ["memory:", "sqlite:landfall.db"].map(|place| {
        let folder = tempfile::tempdir().unwrap();
        let project =
            Project { folder: folder.path().to_owned(), package: Package::from_yaml(PACKAGE, "test").unwrap() };
        let target = open(&Location::parse(place, folder.path()).unwrap(), TargetAccess::Write).unwrap();
        Ground { folder, project, target }
    })
}

impl Ground {
    fn load(&mut self, source: &Source, options: &LoadOptions) -> LoadOutcome {
        let source = (TableIndex::from(0), source.clone());
        load_sources(&mut *self.target, &self.project, vec![source], options, &SilentObserver).unwrap().remove(0)
    }

    fn rejects(&self) -> Vec<crate::quarantine::Reject> {
        self.target.find_rejects(&RejectFilter::default()).unwrap()
    }
}

/// Small blocks and chunks, so that there are many.
fn small() -> LoadOptions {
    let work = WorkLimits { block_bytes: 1000, chunk_records: 250, ..WorkLimits::default() };
    LoadOptions { work, ..LoadOptions::default() }
}

#[test]
fn every_row_is_accounted_for() {
    for mut ground in grounds() {
        let source = file(ground.folder.path());
        let outcome = ground.load(&source, &small());
        assert_eq!(outcome.state, LoadState::Complete);
        assert!(outcome.counts.conserved());
        assert_eq!((outcome.counts.read, outcome.counts.inserted, outcome.counts.rejected), (3000, 2996, 4));
        let rejects = ground.rejects();
        let told: Vec<_> =
            rejects.iter().map(|reject| (reject.record, reject.line, reject.errors[0].code.as_str())).collect();
        let expected = [
            (701, 701, "type-error"),
            (702, 702, "constraint-error"),
            (703, 703, "type-error"),
            (705, 705, "primary-key"),
        ];
        assert_eq!(told, expected);
        let raw = |at: usize| std::str::from_utf8(&rejects[at].raw).unwrap();
        assert_eq!(raw(0), "{\"id\":700,\"at\":\"1970-01-01T00:01:00.000001Z\",\"tag\":\"seconds\",\"extra\":{}}");
        assert_eq!(raw(1), "{\"id\":701,\"at\":\"01/01/1970 00:01\",\"tag\":\"too long a tag\",\"extra\":{\n}}");
        assert_eq!(raw(2), "{\"id\":702,\"at\":\"01/01/1970 00:01\",\"tag\":\"no json\",\"extra\":\"{\"}");
        let mut part = Vec::new();
        let copied = copy_range(&source, rejects[0].offset, rejects[0].length, 7, &mut |bytes| {
            part.extend_from_slice(bytes);
            Ok(())
        });
        assert!(copied.is_ok() && part == rejects[0].raw);
        let table = &ground.project.target_tables()[0];
        let key = [vec![landfall_core::validate::Value::Integer(1)]];
        let found = ground.target.find_rows(table, &[0].map(FieldIndex::from), &key).unwrap().remove(0).unwrap();
        let minute = landfall_core::validate::Value::Datetime(60_000_000);
        let [tag, extra] =
            ["é\"\n", "{ \"a\" :\r\n [1] }"].map(|text| landfall_core::validate::Value::Text(text.to_owned()));
        assert_eq!(found[1..], [minute, tag, extra], "what was stored is what comes back");
    }
}

#[test]
fn a_file_that_was_loaded_is_known_and_is_not_verified_as_csv() {
    for mut ground in grounds() {
        let source = file(ground.folder.path());
        ground.load(&source, &LoadOptions::default());
        let again = ground.load(&source, &small());
        assert_eq!(again.state, LoadState::Known);
        let verified = verify_tables(&*ground.target, &ground.project, &SilentObserver).unwrap();
        assert!(verified.is_clean(), "{:?}", verified.findings);
        assert_eq!(verified.loads[0].note.as_deref(), Some("it was restored from Avro, and is not read again"));
    }
}

#[test]
fn the_stream_is_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let source = file(folder.path());
    let checked = super::super::check_file(
        std::fs::File::open(folder.path().join("t.avro")).unwrap(),
        reading_of(folder.path()),
        Some(1 << 20),
    )
    .unwrap();
    let (digest, bytes) = digest_source(&source, None).unwrap();
    assert_eq!((checked.rows, checked.bytes), (3000, bytes));
    assert_eq!(digest_source(&source, Some(bytes)).unwrap().0, digest);
}

fn reading_of(folder: &std::path::Path) -> Arc<RowMapping> {
    let schema = super::super::read_schema(std::fs::File::open(folder.join("t.avro")).unwrap()).unwrap();
    let package = Package::from_yaml(PACKAGE, "test").unwrap();
    Arc::new(resolve_fields(&schema, &package.resources[0].schema, &FieldMapping::default()).unwrap())
}

#[test]
fn rejects_are_tried_again_from_what_was_kept_of_them() {
    for mut ground in grounds() {
        let source = file(ground.folder.path());
        ground.load(&source, &small());
        let loose = PACKAGE.replace("maxLength: 8", "maxLength: 80");
        ground.project.package = Package::from_yaml(&loose, "test").unwrap();
        let what = RetrySelection::Quarantine(RejectFilter::default());
        let outcome = retry_rejects(&mut *ground.target, &ground.project, &what, &SilentObserver).unwrap().remove(0);
        assert_eq!((outcome.counts.read, outcome.counts.inserted, outcome.counts.rejected), (4, 1, 3));
        let corrected =
            RetrySelection::Corrected(ground.rejects()[0].id, vec![("at".into(), Some("01/01/1970 00:01".into()))]);
        let outcome =
            retry_rejects(&mut *ground.target, &ground.project, &corrected, &SilentObserver).unwrap().remove(0);
        assert_eq!(outcome.counts.inserted, 1);
    }
}

/// What committed before an error of the file stays, and the mended file goes on behind it.
#[test]
fn a_load_goes_on_where_the_file_was_damaged() {
    for mut ground in grounds() {
        let source = file(ground.folder.path());
        let path = ground.folder.path().join("t.avro");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 20_000]).unwrap();
        let cut = (TableIndex::from(0), source.clone());
        let error =
            load_sources(&mut *ground.target, &ground.project, vec![cut], &small(), &SilentObserver).unwrap_err();
        assert!(error.to_string().starts_with("cannot read t.avro: block "), "{error}");
        let before = ground.target.row_count(&ground.project.target_tables()[0]);
        std::fs::write(&path, &whole).unwrap();
        let outcome = ground.load(&source, &small());
        assert_eq!((outcome.counts.read, outcome.counts.inserted), (3000, 2996));
        assert!(outcome.resumed > 1000, "{} {before:?}", outcome.resumed);
    }
}
