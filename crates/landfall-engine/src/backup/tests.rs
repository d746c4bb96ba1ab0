#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use landfall_core::{
    avro::resolve::FieldMapping,
    schema::{FieldIndex, Package},
};

use super::*;
use crate::{
    ledger::Mode,
    pipeline::{LoadOptions, SilentObserver, WorkLimits, load_tables},
    targets::Memory,
};

const PACKAGE: &str = "resources:
  - {name: a, path: a.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: text, type: string}]}}
  - {name: b, path: b.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: text, type: string}]}}
";

/// A project with two tables, loaded and backed up.
fn backed_up(folder: &Path, codec: AvroCodec) -> (Project, LocalStore, PathBuf) {
    for (table, count) in [("a", 40), ("b", 3)] {
        let lines: String = (0..count).map(|id| format!("{id},{table} {id}\n")).collect();
        fs::write(folder.join(format!("{table}.csv")), format!("id,text\n{lines}")).unwrap();
    }
    let project = Project { folder: folder.to_path_buf(), package: Package::from_yaml(PACKAGE, "the test").unwrap() };
    let mut target = Memory::default();
    load_tables(&mut target, &project, &[], &LoadOptions::default(), &SilentObserver).unwrap();
    let store = LocalStore::new(folder.join("sets"));
    let options = BackupOptions { tables: Vec::new(), codec, threads: 2 };
    let outcome = backup_tables(&mut target, &project, &store, &options, &SilentObserver).unwrap();
    (project, store, outcome.location.into())
}

fn restore_options() -> RestoreOptions {
    RestoreOptions {
        mode: Mode::Replace,
        with_dependents: false,
        atomic: false,
        max_rejects: None,
        allow_empty: false,
        mapping: FieldMapping::default(),
        most_bytes: None,
        work: WorkLimits::default(),
    }
}

fn prepared(project: &Project, store: &LocalStore) -> Result<PreparedRestore> {
    let options = restore_options();
    let set = store.list_sets()?.pop().ok_or_else(|| Error::Usage("no set".into()))?;
    PreparedRestore::prepare_restore(
        project,
        store,
        &["a".into(), "b".into()],
        &RestoreFrom::Set(set),
        &options,
        &SilentObserver,
    )
}

/// Numbers that look like chance, and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound as u64).unwrap()
    }
}

/// Flipped bits, files that end early, files that were swapped: each is found before a table is touched.
#[test]
fn ten_thousand_damages_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (project, store, set) = backed_up(folder.path(), AvroCodec::None);
    let mut chance = Chance(1);
    let files = ["a.avro", "b.avro", MANIFEST].map(|name| set.join(name));
    let whole: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let sound = format!("{:?}", prepared(&project, &store).unwrap().found());
    for round in 0..10_000 {
        let at = chance.below(files.len());
        let mut bytes = whole[at].clone();
        match round % 10 {
            0 => bytes.truncate(chance.below(bytes.len())),
            1 => bytes = whole[(at + 1) % files.len()].clone(),
            _ => {
                let bit = chance.below(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        fs::write(&files[at], &bytes).unwrap();
        // White space in the manifest says nothing.
        if let Ok(restore) = prepared(&project, &store) {
            assert!(at == 2 && format!("{:?}", restore.found()) == sound, "round {round}: {}", files[at].display());
        }
        fs::write(&files[at], &whole[at]).unwrap();
    }
    prepared(&project, &store).unwrap();
}

#[test]
fn a_digest_is_that_of_the_content_whatever_the_codec() {
    let digests: Vec<Vec<String>> = AvroCodec::ALL
        .into_iter()
        .map(|codec| {
            let folder = tempfile::tempdir().unwrap();
            let (_, store, _) = backed_up(folder.path(), codec);
            let set = store.list_sets().unwrap().pop().unwrap();
            store.read_manifest(&set).unwrap().tables.into_iter().map(|entry| entry.digest).collect()
        })
        .collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

#[test]
fn a_table_that_the_database_has_not_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let project =
        Project { folder: folder.path().to_path_buf(), package: Package::from_yaml(PACKAGE, "the test").unwrap() };
    let store = LocalStore::new(folder.path().join("sets"));
    let options = BackupOptions { tables: Vec::new(), codec: AvroCodec::default(), threads: 1 };
    let error = backup_tables(&mut Memory::default(), &project, &store, &options, &SilentObserver).unwrap_err();
    assert!(error.to_string().contains("nothing to back up"), "{error}");
    assert!(store.list_sets().unwrap().is_empty());
}

/// Whatever tables and fields are called, what is verified is restored.
#[test]
fn each_set_that_is_verified_can_be_restored_whatever_its_names_are() {
    const ODD: [&str; 40] = [
        "null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "array", "map",
        "fixed", "union", "error", "größe", "日本", "2nd", "a b", "a.b", "a-b", "a_b", "a/b", "..", ".", " ", "_",
        "__", "é", "e\u{301}", "🚢", "NULL", "Int", "type", "name", "fields", "doc", "a\"b", "a\\b", "%41",
    ];
    let mut chance = Chance(11);
    for round in 0..60 {
        let folder = tempfile::tempdir().unwrap();
        let mut names: Vec<&str> = Vec::new();
        while names.len() < 6 {
            let name = ODD[if round < 40 && names.is_empty() { round } else { chance.below(ODD.len()) }];
            if !names.iter().any(|other| other.to_lowercase() == name.to_lowercase()) {
                names.push(name);
            }
        }
        let fields: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name, "type": "string"})).collect();
        let resource = |(at, name): (usize, &&str)| {
            fs::write(folder.path().join(format!("{at}.csv")), format!("1,2,3,4,5,6\n{at},,b,c,d,e\n")).unwrap();
            let dialect = serde_json::json!({"header": false});
            serde_json::json!({"name": name, "path": format!("{at}.csv"), "dialect": dialect, "schema": {"fields": fields}})
        };
        let resources: Vec<_> = names.iter().take(3).enumerate().map(resource).collect();
        let package = serde_json::json!({"resources": resources}).to_string();
        let project =
            Project { folder: folder.path().to_path_buf(), package: Package::from_json(&package, "odd").unwrap() };
        let mut target = Memory::default();
        load_tables(&mut target, &project, &[], &LoadOptions::default(), &SilentObserver).unwrap();
        let store = LocalStore::new(folder.path().join("sets"));
        let options = BackupOptions { tables: Vec::new(), codec: AvroCodec::None, threads: 1 };
        let first = backup_tables(&mut target, &project, &store, &options, &SilentObserver).unwrap();
        let set = store.list_sets().unwrap().pop().unwrap();
        assert_eq!(verify_set(&store, &set).unwrap().findings, Vec::<String>::new(), "{names:?}");
        let tables: Vec<String> = names.iter().take(3).map(ToString::to_string).collect();
        let how = restore_options();
        let restore =
            PreparedRestore::prepare_restore(&project, &store, &tables, &RestoreFrom::Set(set), &how, &SilentObserver)
                .unwrap();
        let mut empty = Memory::default();
        restore.run(&mut empty, &project, &SilentObserver).unwrap();
        let again = backup_tables(&mut empty, &project, &store, &options, &SilentObserver).unwrap();
        let digests =
            |outcome: &BackupOutcome| outcome.tables.iter().map(|table| table.digest.clone()).collect::<Vec<_>>();
        assert_eq!(digests(&first), digests(&again), "{names:?}");
    }
}

/// A snapshot that hands over fewer rows than there are, as under a setting of the server that limits results; or more.
struct Miscounting<'s> {
    whole: Box<dyn Snapshot + 's>,
    counted: u64,
}

impl Snapshot for Miscounting<'_> {
    fn describe_moment(&self) -> String {
        self.whole.describe_moment()
    }

    fn has_table(&mut self, table: &Table) -> Result<bool> {
        self.whole.has_table(table)
    }

    fn row_count(&mut self, table: &Table) -> Result<u64> {
        self.whole.row_count(table)
    }

    fn visit_rows(
        &mut self,
        table: &Table,
        positions: &[FieldIndex],
        visit: &mut dyn FnMut(arrow_array::RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let mut left = usize::try_from(self.counted).unwrap();
        self.whole.visit_rows(table, positions, &mut |batch| {
            let some = batch.num_rows().min(left);
            left -= some;
            visit(batch.slice(0, some))
        })
    }
}

#[test]
fn a_backup_of_which_the_database_handed_over_too_few_rows_was_published() {
    let folder = tempfile::tempdir().unwrap();
    let (project, store, _) = backed_up(folder.path(), AvroCodec::None);
    let before = store.list_sets().unwrap();
    let mut target = Memory::default();
    load_tables(&mut target, &project, &[], &LoadOptions::default(), &SilentObserver).unwrap();
    let options = BackupOptions { tables: Vec::new(), codec: AvroCodec::None, threads: 1 };
    for counted in [0, 1, 39] {
        let mut short = Miscounting { whole: target.take_snapshot().unwrap(), counted };
        let error =
            write_set(&mut short, String::new(), &project, &store, &options, &SilentObserver).unwrap_err().to_string();
        let words =
            format!("the table \"a\" has 40 rows, and the database handed over {counted}; the backup was given up");
        assert!(error.contains(&words), "{error}");
        assert_eq!(store.list_sets().unwrap(), before);
        let folders = fs::read_dir(folder.path().join("sets")).unwrap().count();
        assert_eq!(folders, before.len(), "nothing of it is left");
    }
    let mut whole = Miscounting { whole: target.take_snapshot().unwrap(), counted: 40 };
    write_set(&mut whole, String::new(), &project, &store, &options, &SilentObserver).unwrap();
}
