//! Tables from backup sets, or from any Avro file: a load like others, after the whole of each file was looked at.

use std::{fs::File, path::PathBuf, sync::Arc};

use landfall_core::{
    avro::resolve::{FieldMapping, RowMapping, resolve_fields},
    decode::CutterLimits,
    schema::{Package, TableIndex},
};
use serde::Serialize;

use super::{BackupStore, SetFile, SetId, TableEntry, store::digest_content};
use crate::{
    OptionStyle,
    avro::{check_file, read_schema},
    error::{Error, Result, TargetError, TargetErrorKind},
    ledger::Mode,
    origin::Origin,
    pipeline::{LoadOptions, LoadOutcome, MaxRejects, Observer, WorkLimits, can_dry_run, load_sources},
    project::Project,
    source::Source,
    targets::Target,
};

/// What is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreFrom {
    /// The tables of a set.
    Set(SetId),
    /// One table from a file.
    File {
        /// The name by which the user and the ledger know it.
        name: String,
        /// Where it comes from.
        origin: Origin,
        /// Where it is.
        path: PathBuf,
    },
}

/// A file that is to be restored.
#[derive(Debug)]
struct RestoredFile<'f> {
    name: &'f str,
    origin: Origin,
    path: &'f PathBuf,
    /// What the manifest says of it, if it is of a set.
    entry: Option<&'f TableEntry>,
}

/// What is asked of a restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// How to treat what the tables hold.
    pub mode: Mode,
    /// Whether the tables of the set that refer to those restored are restored with them, as far as they go.
    pub with_dependents: bool,
    /// All of it or nothing: one reject, and no row is inserted. So it is, too, where a replace is not told how many rejects it may have.
    pub atomic: bool,
    /// Stop beyond this many rejects.
    pub max_rejects: Option<MaxRejects>,
    /// A replace may leave a table empty.
    pub allow_empty: bool,
    /// How the fields of files become those of tables.
    pub mapping: FieldMapping,
    /// The most bytes that a file may be when it is decompressed.
    pub most_bytes: Option<u64>,
    /// How the work is cut.
    pub work: WorkLimits,
}

/// A restore that was done, or tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RestoreOutcome {
    /// The set; none where it was a file.
    pub set: Option<String>,
    /// Where it is.
    pub location: String,
    /// The files.
    pub tables: Vec<RestoredTable>,
    /// What became of their rows.
    pub loads: Vec<LoadOutcome>,
}

/// A file that was restored from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoredTable {
    /// The table.
    pub table: String,
    /// Rows of the file.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The content digest of its rows, where it is a set's.
    pub digest: Option<String>,
    /// Fields of the file that were left out.
    pub ignored: Vec<String>,
    /// Fields of the table that the file has not.
    pub missing: Vec<String>,
}

/// The files of a restore, found sound.
#[derive(Debug)]
pub struct PreparedRestore {
    outcome: RestoreOutcome,
    sources: Vec<(TableIndex, Source)>,
    /// Files that were fetched for it, and go with it.
    fetched: Vec<SetFile>,
    options: LoadOptions,
}

impl PreparedRestore {
    /// Looks at everything that is to be restored into the tables called `names`: each file is read to its end, and held against
    /// its manifest. Nothing is touched.
    ///
    /// # Errors
    /// A table, set or file that is not there, a file that is damaged, or whose fields are not those of its table.
    pub fn prepare_restore(
        project: &Project,
        store: &dyn BackupStore,
        names: &[String],
        from: &RestoreFrom,
        options: &RestoreOptions,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let mut positions: Vec<TableIndex> =
            names.iter().map(|name| project.find_position(name)).collect::<Result<_>>()?;
        positions.sort_unstable();
        positions.dedup();
        let mut restore = Self {
            outcome: RestoreOutcome { set: None, location: String::new(), tables: Vec::new(), loads: Vec::new() },
            sources: Vec::new(),
            fetched: Vec::new(),
            options: load_options(options),
        };
        match from {
            RestoreFrom::Set(set) => restore.prepare_set(project, store, positions, set, options, observer)?,
            RestoreFrom::File { name, origin, path } => {
                let [position] = positions[..] else {
                    return Err(Error::Usage("one file is restored into one table: name just one".into()));
                };
                restore.outcome.location.clone_from(name);
                let file = RestoredFile { name, origin: *origin, path, entry: None };
                restore.prepare_file(project, position, &file, options, observer)?;
            }
        }
        Ok(restore)
    }

    fn prepare_set(
        &mut self,
        project: &Project,
        store: &dyn BackupStore,
        mut positions: Vec<TableIndex>,
        set: &SetId,
        options: &RestoreOptions,
        observer: &dyn Observer,
    ) -> Result<()> {
        let manifest = store.read_manifest(set)?;
        let package = &project.package;
        if options.with_dependents {
            // Those that were named must be there; their dependents come as far as the set has them.
            let named = positions.len();
            positions = with_dependents(package, positions);
            let dependents = positions.split_off(named).into_iter();
            positions.extend(dependents.filter(|&at| manifest.find_table(&package[at].name).is_some()));
        }
        self.outcome.set = Some(set.to_string());
        self.outcome.location = format!("{}/{set}", store.location());
        for position in positions {
            let name = &package[position].name;
            let Some(entry) = manifest.find_table(name) else {
                let has: Vec<&str> = manifest.tables.iter().map(|entry| &*entry.table).collect();
                let reason = format!("it has no table {:?}; it has {}", &**name, has.join(", "));
                return Err(Error::source_error(format!("the backup set {set}"), reason));
            };
            let file = store.fetch_file(set, entry)?;
            let source = Origin::backup_name(&set.to_string(), &super::set_file_name(name));
            let found = RestoredFile { name: &source, origin: Origin::Backup, path: &file.path, entry: Some(entry) };
            self.prepare_file(project, position, &found, options, observer)?;
            self.fetched.push(file);
        }
        Ok(())
    }

    /// Looks at one file.
    fn prepare_file(
        &mut self,
        project: &Project,
        position: TableIndex,
        file: &RestoredFile<'_>,
        options: &RestoreOptions,
        observer: &dyn Observer,
    ) -> Result<()> {
        let &RestoredFile { name, origin, path, entry } = file;
        let resource = &project.package[position];
        observer.source_begins(&resource.name, name);
        let failed = |error: std::io::Error| Error::source_error(name, error);
        let (sha256, bytes) = File::open(path).and_then(|mut file| digest_content(&mut file)).map_err(failed)?;
        if entry.is_some_and(|entry| (&entry.sha256, entry.bytes) != (&sha256, bytes)) {
            return Err(Error::source_error(name, "it is not what was written: take another set, nothing was touched"));
        }
        let open = || File::open(path);
        let schema = open().and_then(read_schema).map_err(failed)?;
        let mapping = FieldMapping { updates: options.mode == Mode::Upsert, ..options.mapping.clone() };
        let reading: Arc<RowMapping> = resolve_fields(&schema, &resource.schema, &mapping)
            .map_err(|faults| Error::source_error(name, faults.join("; ")))?
            // What a backup has written can be restored.
            .with_rows_of(if entry.is_some() { CutterLimits::MOST } else { options.work.record_bytes })
            .into();
        let rows = match entry {
            // Byte for byte it is the file that was written: nothing more is learned from its rows.
            Some(entry) => entry.rows,
            None => open().and_then(|file| check_file(file, reading.clone(), options.most_bytes)).map_err(failed)?.rows,
        };
        self.outcome.tables.push(RestoredTable {
            table: resource.name.to_string(),
            rows,
            bytes,
            sha256,
            digest: entry.map(|entry| entry.digest.clone()),
            ignored: reading.ignored_fields().to_vec(),
            missing: reading.missing_fields().to_vec(),
        });
        let source = Source::from_avro(name, path, reading);
        let source = source.with_origin(origin);
        self.sources.push((position, if entry.is_some() { source.as_verbatim() } else { source }));
        Ok(())
    }

    /// What was found of the files.
    #[must_use]
    pub const fn found(&self) -> &RestoreOutcome {
        &self.outcome
    }

    /// Whether [`run_and_roll_back`](Self::run_and_roll_back) needs a target that may be written.
    ///
    /// # Errors
    /// A target that cannot be read.
    pub fn tries_by_writing(&self, target: &dyn Target, project: &Project) -> Result<bool> {
        let positions: Vec<TableIndex> = self.sources.iter().map(|(position, _)| *position).collect();
        can_dry_run(target, project, &positions)
    }

    /// Does what [`run`](Self::run) would do, and rolls it back.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn run_and_roll_back(
        mut self,
        target: &mut dyn Target,
        project: &Project,
        observer: &dyn Observer,
    ) -> Result<RestoreOutcome> {
        self.options.dry_run = true;
        self.run(target, project, observer)
    }

    /// Restores the tables. Rows that break a rule go to the quarantine.
    ///
    /// # Errors
    /// Those of a load. In the mode replace the tables are as before, or as after.
    pub fn run(
        mut self,
        target: &mut dyn Target,
        project: &Project,
        observer: &dyn Observer,
    ) -> Result<RestoreOutcome> {
        let sources = std::mem::take(&mut self.sources);
        let loads = load_sources(target, project, sources, &self.options, observer)
            .map_err(|error| suggest_parents(error, self.options.option_style))?;
        self.outcome.loads = loads;
        Ok(self.outcome)
    }
}

/// How the files of a restore are loaded.
fn load_options(options: &RestoreOptions) -> LoadOptions {
    let replaces = options.mode == Mode::Replace;
    LoadOptions {
        mode: options.mode,
        on_conflict: options.mode.choose_conflict_rule(None, None).unwrap_or_default(),
        atomic: options.atomic || replaces && options.max_rejects.is_none(),
        max_rejects: options.max_rejects,
        allow_rejects: options.max_rejects.is_some(),
        allow_empty: options.allow_empty,
        force: replaces,
        // Where a key tells rows apart, what is there already is unchanged, whatever the ledger says of the file.
        force_keyed: true,
        option_style: options.mapping.option_style,
        work: options.work,
        ..LoadOptions::default()
    }
}

/// Tables that would lose their parents can be restored with them.
fn suggest_parents(error: Error, style: OptionStyle) -> Error {
    match error {
        Error::Target(error) if error.kind == TargetErrorKind::Constraint && error.remedy.is_some() => {
            let remedy = match style {
                OptionStyle::CommandLine => "restore them too, or take --with-dependents",
                OptionStyle::RequestParameter => "restore them too, or take with_dependents",
            };
            Error::Target(TargetError { remedy: Some(remedy), ..error })
        }
        other => other,
    }
}

/// `positions` and those of all tables that refer to one of them, directly or not.
fn with_dependents(package: &Package, mut positions: Vec<TableIndex>) -> Vec<TableIndex> {
    loop {
        let refers = |at: &TableIndex| {
            let keys = &package[*at].schema.foreign_keys;
            keys.iter().any(|key| positions.iter().any(|&parent| package[parent].name == key.parent))
        };
        let more: Vec<TableIndex> =
            package.table_positions().filter(|at| !positions.contains(at)).filter(refers).collect();
        if more.is_empty() {
            return positions;
        }
        positions.extend(more);
    }
}
