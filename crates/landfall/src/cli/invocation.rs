//! What every command works with once the command line is understood.

use anyhow::Result;
use landfall_engine::{
    Project,
    targets::{self, Access, Target},
};

use crate::{config::Settings, globals::Globals, progress::Reporter};

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
    pub(crate) fn settings(&self) -> Result<Settings> {
        Settings::open(&self.globals.project, &|name| std::env::var(name).ok())
    }

    /// The project with its database.
    pub(crate) fn open(&self, access: Access) -> Result<Opened> {
        self.open_with(self.settings()?, access)
    }

    /// The project of `settings` with its database.
    pub(crate) fn open_with(&self, settings: Settings, access: Access) -> Result<Opened> {
        let target = targets::open(&settings.target, access)?;
        let project = Project { folder: settings.data_folder, package: settings.package };
        Ok(Opened { project, target })
    }

    /// The project with its database, to be written to only where `writes` says of it, opened to read, that a dry run does.
    pub(crate) fn open_for_dry_run(&self, writes: impl FnOnce(&Opened) -> Result<bool>) -> Result<Opened> {
        let opened = self.open(Access::Read)?;
        if !writes(&opened)? {
            return Ok(opened);
        }
        drop(opened);
        self.open(Access::Write)
    }

    /// Tells of progress in the way that suits where standard error goes.
    pub(crate) fn reporter(&self) -> Reporter {
        Reporter::new(&self.globals)
    }

    /// Tells something beside the results, unless nothing is to be told.
    pub(crate) fn tell(&self, text: &str) {
        if !self.globals.quiet {
            crate::output::note(text);
        }
    }

    /// The beginning of a command that the user may type next, such as `landfall --project hr`.
    pub(crate) fn program(&self) -> String {
        let project = &self.globals.project;
        if project.as_os_str() == "." {
            return "landfall".into();
        }
        format!("landfall --project {}", quoted(&project.display().to_string()))
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || "/._-+,@%:=~".contains(char);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A project with its database.
pub(crate) struct Opened {
    /// What the data is, and where.
    pub(crate) project: Project,
    /// The database.
    pub(crate) target: Box<dyn Target>,
}
