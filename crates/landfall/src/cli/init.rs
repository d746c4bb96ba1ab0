//! `landfall init`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use landfall_engine::{
    backup::{SetDictionary, restore_dictionary},
    escape_controls, init,
};
use serde_json::json;

use super::{Invocation, backups::find_set, invocation::quote_for_shell};
use crate::{
    config::{FileDestination, PACKAGE_FILES, PROJECT_FILE, read_storage_settings},
    exit::{CommandError, Exit},
    output::{self, ReplaceFile},
};

/// Propose a project for CSV files, or write one from a backup set.
///
/// Writes datapackage.yaml (dialect, header, types, keys that the data supports) and landfall.yaml, commented and ready to
/// run. They are a proposal: read them. With --from-backup, it writes datapackage.json with the tables of the set, and landfall.yaml if
/// there is none. `landfall restore` then restores the rows.
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// The folder with the CSV files, or one CSV file; the project's folder if none is named. The project of a file outside the project's
    /// folder is in the folder of the file.
    #[arg(value_name = "DIR|FILE")]
    path: Option<PathBuf>,
    /// The folder or storage of the backup sets: a path, s3://BUCKET[/PREFIX], gs://… or az://…
    #[arg(long, value_name = "URL", value_parser = FileDestination::parse)]
    from_backup: Option<FileDestination>,
    /// The set. [default: latest]
    #[arg(long, value_name = "ID", requires = "from_backup")]
    set: Option<String>,
    /// Overwrite existing files.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: InitArgs, invocation: &Invocation) -> Result<Exit> {
    let place = ProposedPlace::find(args.path, &invocation.globals.project);
    let folder = place.folder;
    if let Some(destination) = args.from_backup {
        return init_from_backup(
            &folder,
            &destination,
            args.set.as_deref().unwrap_or("latest"),
            args.force,
            invocation,
        );
    }
    let replace = if args.force { ReplaceFile::Yes } else { refuse_existing(&folder)? };
    let reporter = invocation.progress_reporter();
    let proposal = match &place.file {
        Some(file) => init::propose_for_file(&folder, file, &reporter),
        None => init::propose_project(&folder, &reporter),
    };
    reporter.clear_bar();
    let proposal = proposal?;
    for (name, text) in [(PACKAGE_FILES[0], &proposal.package_yaml), (PROJECT_FILE, &proposal.landfall_yaml)] {
        output::write_file(&folder.join(name), replace, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    if invocation.globals.json {
        let files = [PACKAGE_FILES[0], PROJECT_FILE].map(|name| folder.join(name));
        output::print_document(&json!({ "files": files, "notes": proposal.notes }))?;
    } else if !invocation.globals.quiet {
        let notes: String = proposal.notes.iter().map(|note| format!("  {}\n", escape_controls(note))).collect();
        let (shown, folder) = (folder.display(), quote_for_shell(&folder.display().to_string()));
        output::print_result(&format!(
            "Wrote {shown}/{} and {shown}/{PROJECT_FILE}.\n{notes}Next: read them, then\n  \
             landfall check --project {folder}\n  landfall load --project {folder}\n",
            PACKAGE_FILES[0]
        ))?;
    }
    Ok(Exit::Done)
}

/// Where a project is to be, and the one file that it is for.
struct ProposedPlace {
    folder: PathBuf,
    file: Option<PathBuf>,
}

impl ProposedPlace {
    /// What was typed may be a folder or a file. The paths of a data package lead from its folder downwards, so a file outside of the
    /// `project` has a project of its own.
    fn find(typed: Option<PathBuf>, project: &Path) -> Self {
        let Some(path) = typed else { return Self { folder: project.to_owned(), file: None } };
        if !path.is_file() {
            return Self { folder: path, file: None };
        }
        let is_below =
            // Both as the disk has them, since either may be typed with `..` or lead over a link.
            |folder: &Path| path.canonicalize().ok()?.strip_prefix(folder.canonicalize().ok()?).ok().map(PathBuf::from);
        if let Some(below) = is_below(project) {
            return Self { folder: project.to_owned(), file: Some(project.join(below)) };
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { folder: folder.to_owned(), file: Some(folder.join(path.file_name().unwrap_or_default())) }
    }
}

/// Looks at both files before either is written.
fn refuse_existing(folder: &Path) -> Result<ReplaceFile, CommandError> {
    refuse_files(folder, PACKAGE_FILES.iter().copied().chain([PROJECT_FILE]))
}

fn refuse_files<'n>(folder: &Path, mut names: impl Iterator<Item = &'n str>) -> Result<ReplaceFile, CommandError> {
    match names.find(|name| folder.join(name).exists()) {
        Some(name) => {
            Err(CommandError::usage_error(format!("{} exists; --force replaces it", folder.join(name).display())))
        }
        None => Ok(ReplaceFile::No),
    }
}

/// The data package of a set, and a configuration where there is none: what a restore needs.
fn init_from_backup(
    folder: &Path,
    destination: &FileDestination,
    set: &str,
    force: bool,
    invocation: &Invocation,
) -> Result<Exit> {
    const PACKAGE: &str = PACKAGE_FILES[2];
    let others = &PACKAGE_FILES[..2];
    if let Some(other) = others.iter().map(|name| folder.join(name)).find(|path| force && path.exists()) {
        let words = format!("{} exists, and would be read instead of {PACKAGE}; move it away", other.display());
        return Err(CommandError::usage_error(words).into());
    }
    let replace = if force { ReplaceFile::Yes } else { refuse_files(folder, PACKAGE_FILES.into_iter())? };
    let store = destination.open_store(&read_storage_settings(folder, &|name| std::env::var(name).ok())?)?;
    let set = find_set(&*store, set)?;
    let manifest = store.read_manifest(&set)?;
    let SetDictionary { package, notes } = restore_dictionary(&manifest);
    let text = format!("{}\n", serde_json::to_string_pretty(&package)?);
    std::fs::create_dir_all(folder)?;
    output::write_file(&folder.join(PACKAGE), replace, |out| Ok(out.write_all(text.as_bytes())?))?;
    let project = folder.join(PROJECT_FILE);
    let mut wrote = vec![folder.join(PACKAGE)];
    // One that is there may name a database of today, and stays.
    if !project.exists() {
        // JSON's texts are YAML's too.
        let to = serde_json::to_string(&store.location())?;
        let text = format!(
            "# Brought back from the backup set {set}, of {}\ntarget: sqlite:landfall.db\npackage: {PACKAGE}\nbackup:\n  to: {to}\n",
            escape_controls(&manifest.target)
        );
        output::write_file(&project, ReplaceFile::No, |out| Ok(out.write_all(text.as_bytes())?))?;
        wrote.push(project);
    }
    if invocation.globals.json {
        output::print_document(&json!({ "files": wrote, "set": set.as_str(), "notes": notes }))?;
    } else if !invocation.globals.quiet {
        let wrote: Vec<String> = wrote.iter().map(|path| path.display().to_string()).collect();
        let wrote = wrote.join(" and ");
        let notes: String = notes.iter().map(|note| format!("  {}\n", escape_controls(note))).collect();
        let tables: Vec<&str> = manifest.tables.iter().map(|entry| &*entry.table).collect();
        output::print_result(&format!(
            "Wrote {wrote}, from the backup set {set}.\n{notes}Next: say in {PROJECT_FILE} where the rows go, then\n  landfall restore \
             {} --set {set} --project {}\n",
            tables.iter().map(|table| quote_for_shell(table)).collect::<Vec<_>>().join(" "),
            quote_for_shell(&folder.display().to_string())
        ))?;
    }
    Ok(Exit::Done)
}
