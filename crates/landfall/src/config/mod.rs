//! The project: `landfall.yaml` (how it runs) and the data package (what the data is).

mod api;
mod backup;
mod environment;
mod jobs;
mod load_defaults;
mod oidc;
mod package;
mod reports;
mod schedule;
mod storage;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::Result;
use landfall_core::schema::{
    Package,
    document::{DescriptorProblems, DocumentNode, parse_yaml},
};
use landfall_engine::{objects::ObjectSettings, targets::Location};

pub(crate) use api::{ApiConfig, parse_address};
pub(crate) use backup::BackupConfig;
pub(crate) use environment::Environment;
pub(crate) use jobs::JobConfig;
pub(crate) use load_defaults::LoadDefaults;
pub(crate) use oidc::{KeySource, OidcConfig, parse_trusted_url};
pub(crate) use package::PACKAGE_FILES;
pub(crate) use reports::{DeclaredReport, RefreshRule};
pub(crate) use schedule::Schedule;
pub(crate) use storage::FileDestination;

use crate::exit::CommandError;

/// The file that says how a project runs.
pub(crate) const PROJECT_FILE: &str = "landfall.yaml";

const DEFAULT_TARGET: &str = "sqlite:landfall.db";

/// A project, read and found sound.
#[derive(Debug)]
pub(crate) struct ProjectSettings {
    /// Where the rows go.
    pub(crate) target: Location,
    /// What the data is.
    pub(crate) package: Package,
    /// The folder of the data package, in which its sources are.
    pub(crate) data_folder: PathBuf,
    /// The reports, in the order of the file.
    pub(crate) reports: Vec<DeclaredReport>,
    /// What is asked of a load where nothing is typed.
    pub(crate) load: LoadDefaults,
    /// How jobs are done.
    pub(crate) jobs: JobConfig,
    /// How the service runs.
    pub(crate) api: ApiConfig,
    /// Where backups go, when, and which are kept.
    pub(crate) backup: BackupConfig,
    /// How object storage is reached.
    pub(crate) storage: ObjectSettings,
}

/// `landfall.yaml` as it is written, its environment filled in.
#[derive(Debug, Default)]
struct ProjectFile {
    target: Option<String>,
    package: Option<String>,
    reports: Vec<DeclaredReport>,
    load: LoadDefaults,
    jobs: JobConfig,
    api: ApiConfig,
    backup: Option<BackupConfig>,
    storage: ObjectSettings,
}

impl ProjectSettings {
    /// Reads the project in `folder`; `environment` tells the values of variables.
    ///
    /// # Errors
    /// A folder that is no project, and everything that is wrong in its files.
    pub(crate) fn open(folder: &Path, environment: Environment<'_>) -> Result<Self> {
        if !folder.is_dir() {
            return Err(CommandError::project_error(format!("there is no folder {}", folder.display())).into());
        }
        let file = read_project_file(folder, environment)?;
        let descriptor = match &file {
            Some(ProjectFile { package: Some(path), .. }) => folder.join(path),
            _ => package::find(folder).ok_or_else(|| missing_package_error(folder, file.is_some()))?,
        };
        let file = file.unwrap_or_default();
        let data_folder = descriptor.parent().unwrap_or(folder).to_path_buf();
        Ok(Self {
            target: parse_target(file.target.as_deref().unwrap_or(DEFAULT_TARGET), folder)?,
            package: package::read(&descriptor)?,
            data_folder,
            reports: file.reports,
            load: file.load,
            jobs: file.jobs,
            api: file.api,
            backup: file.backup.unwrap_or_else(|| BackupConfig::default_for(folder)),
            storage: file.storage,
        })
    }
}

/// How object storage is reached, as `landfall.yaml` of `folder` says, where there is one.
///
/// # Errors
/// Everything that is wrong in that file.
pub(crate) fn read_storage_settings(folder: &Path, environment: Environment<'_>) -> Result<ObjectSettings> {
    Ok(read_project_file(folder, environment)?.unwrap_or_default().storage)
}

/// An unknown target is the project's fault, not the command line's.
fn parse_target(target: &str, folder: &Path) -> Result<Location, CommandError> {
    Location::parse(target, folder).map_err(|error| CommandError::project_error(error.to_string()))
}

fn missing_package_error(folder: &Path, has_file: bool) -> CommandError {
    let folder = folder.display();
    let names = PACKAGE_FILES.join(", ");
    if has_file {
        return CommandError::project_error(format!(
            "{folder} has no data package ({names}); `package` in {PROJECT_FILE} may name another"
        ));
    }
    CommandError::project_error(format!(
        "{folder} is no project: it has neither {PROJECT_FILE} nor a data package ({names}); name the project's folder \
         with --project, or make one from CSV files with `landfall init {folder}`"
    ))
}

/// `landfall.yaml` of `folder`, where there is one.
fn read_project_file(folder: &Path, environment: Environment<'_>) -> Result<Option<ProjectFile>> {
    let path = folder.join(PROJECT_FILE);
    let Some(text) = read_if_there(&path)? else { return Ok(None) };
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Some(ProjectFile::default()));
    }
    let problems = DescriptorProblems::new();
    let mut root = parse_yaml(&text, &file_label(&path), &problems);
    if let Some(root) = &mut root {
        environment::expand_document(root, environment, &problems);
    }
    let file = root.as_ref().and_then(|root| project_file(root, folder, &problems));
    Ok(Some(problems.into_result(file).map_err(landfall_engine::Error::from)?))
}

fn project_file(root: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> Option<ProjectFile> {
    let mut reader = root.read_map("the project", problems)?;
    let target = reader.take_text("target").map(String::from);
    let package = reader.take_text("package").map(String::from);
    let reports = reader.take_value("reports").map(|node| reports::read(node, folder, problems)).unwrap_or_default();
    let load = reader.take_value("load").map(|node| load_defaults::read(node, problems)).unwrap_or_default();
    let jobs = reader.take_value("jobs").map(|node| jobs::read(node, problems)).unwrap_or_default();
    let api = reader.take_value("api").map(|node| api::read(node, folder, problems)).unwrap_or_default();
    let backup = reader.take_value("backup").map(|node| backup::read(node, folder, problems));
    let storage = reader.take_value("storage").map(|node| storage::read(node, problems)).unwrap_or_default();
    reader.refuse_unknown();
    Some(ProjectFile { target, package, reports, load, jobs, api, backup, storage })
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(read_error(path, &error).into()),
    }
}

/// The name of a file in messages: without the `./` of the current folder.
fn file_label(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// A file of the project that cannot be read.
fn read_error(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::project_error(format!("cannot read {}: {error}", file_label(path)))
}
