//! Yardsticks in Python: each with an environment of its own, made once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::child::run_for_output;

/// The interpreter of an environment called `name` with `packages`.
pub(super) fn prepare_environment(folder: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let environment = folder.join(format!("venv-{name}"));
    let python = environment.join("bin/python");
    let complete = environment.join("complete");
    let wanted = packages.join("\n");
    if fs::read_to_string(&complete).ok().as_deref() != Some(&wanted) {
        eprintln!("installing {} …", packages.join(", "));
        run_for_output(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run_for_output(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
        fs::write(&complete, wanted)?;
    }
    Ok(python)
}
