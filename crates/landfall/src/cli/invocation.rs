//! What every command works with once the command line is understood.

use anyhow::Result;
use landfall_engine::{
    Project,
    targets::{self, Target, TargetAccess},
};

use crate::{config::ProjectSettings, globals::Globals, progress::ProgressReporter};

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Options of every command.
    pub(crate) globals: Globals,
}

impl Invocation {
    pub(super) const fn new(globals: Globals) -> Self {
        Self { globals }
    }

    /// The project as it is declared.
    pub(crate) fn read_settings(&self) -> Result<ProjectSettings> {
        let settings = ProjectSettings::open(&self.globals.project, &|name| std::env::var(name).ok())?;
        let (tables, reports) = (settings.package.resources.len(), settings.reports.len());
        tracing::info!(project = %self.globals.project.display(), tables, reports, "the project is read");
        Ok(settings)
    }

    /// The project with its database.
    pub(crate) fn open(&self, access: TargetAccess) -> Result<OpenProject> {
        self.open_with(self.read_settings()?, access)
    }

    /// The project of `settings` with its database.
    pub(crate) fn open_with(&self, settings: ProjectSettings, access: TargetAccess) -> Result<OpenProject> {
        let target = targets::open(&settings.target, access)?;
        // Without a password: a location prints none.
        tracing::info!(database = %settings.target, ?access, "the database is open");
        let project = Project { folder: settings.data_folder, package: settings.package };
        Ok(OpenProject { project, target })
    }

    /// The project with its database, to be written to only where `writes` says of it, opened to read, that a dry run does.
    pub(crate) fn open_for_dry_run(&self, writes: impl FnOnce(&OpenProject) -> Result<bool>) -> Result<OpenProject> {
        // First to read: a dry run is to work on a database that it may not write.
        let opened = self.open(TargetAccess::Read)?;
        if !writes(&opened)? {
            return Ok(opened);
        }
        drop(opened);
        self.open(TargetAccess::Write)
    }

    /// Tells of progress in the way that suits where standard error goes.
    pub(crate) fn progress_reporter(&self) -> ProgressReporter {
        ProgressReporter::new(&self.globals)
    }

    /// Tells something beside the results, unless nothing is to be told.
    pub(crate) fn print_note(&self, text: &str) {
        if !self.globals.quiet {
            crate::output::print_note(text);
        }
    }

    /// The beginning of a command that the user may type next, such as `landfall --project hr`.
    pub(crate) fn command_prefix(&self) -> String {
        let project = &self.globals.project;
        if project.as_os_str() == "." {
            return "landfall".into();
        }
        format!("landfall --project {}", quote_for_shell(&project.display().to_string()))
    }
}

/// An option with its value as words of a shell; a value that begins with a dash is no option of its own.
pub(super) fn option_for_shell(option: &str, value: &str) -> String {
    // `--table -x` would be read as two options.
    let mark = if value.starts_with('-') { '=' } else { ' ' };
    format!("{option}{mark}{}", quote_for_shell(value))
}

/// `text` as one word of a shell.
pub(super) fn quote_for_shell(text: &str) -> String {
    // Within single quotes a shell reads nothing but their end.
    let plain = |char: char| char.is_alphanumeric() || "/._-+,@%:=~".contains(char);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A project with its database.
pub(crate) struct OpenProject {
    /// What the data is, and where.
    pub(crate) project: Project,
    /// The database.
    pub(crate) target: Box<dyn Target>,
}
