//! The user that a server runs as: database servers refuse to run as root.

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context, Result};

use crate::program;

/// A user of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemAccount {
    /// User and group where they are not those of this process.
    other: Option<(u32, u32)>,
}

impl SystemAccount {
    /// The user of this process, for servers that do not mind root.
    pub(crate) fn current_user() -> Self {
        Self { other: None }
    }

    /// The user of this process; where that is root, the user `name`, which the Debian `package` makes.
    pub(crate) fn for_server(name: &str, package: &str) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { other: None });
        }
        let id =
            |what| {
                read_number(what, name).with_context(|| {
            format!("servers do not run as root, and there is no user '{name}': install the Debian package {package}")
        })
            };
        Ok(Self { other: Some((id("-u")?, id("-g")?)) })
    }

    /// `program`, to be run as this user.
    pub(crate) fn command_as(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.other {
            command.uid(user).gid(group);
        }
        command
    }
}

fn read_number(what: &str, name: &str) -> Result<u32> {
    Ok(program::run_program(Command::new("id").args([what, name]), "")?.trim().parse()?)
}
