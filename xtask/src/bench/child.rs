//! A measured process.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use wait4::Wait4 as _;

/// What a process took, and where its output is.
#[derive(Debug)]
pub(super) struct Run {
    /// Wall time.
    pub(super) seconds: f64,
    /// Processor time of all threads, user and system.
    pub(super) cpu_seconds: f64,
    /// The most bytes of memory it held at once.
    pub(super) peak_bytes: u64,
    /// Whether it ended with exit code 0.
    pub(super) success: bool,
    /// The file with its standard output.
    pub(super) stdout: PathBuf,
    /// The file with its standard error.
    pub(super) stderr: PathBuf,
}

/// Runs `command` to its end. Its output goes to files in `folder`: a pipe would make this process part of the measure.
pub(super) fn run(command: &mut Command, folder: &Path) -> Result<Run> {
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| folder.join(name));
    command.stdin(Stdio::null()).stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let used = child.wait4()?;
    Ok(Run {
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        peak_bytes: used.rusage.maxrss,
        success: used.status.success(),
        stdout,
        stderr,
    })
}

/// Runs `command` unmeasured and gives its standard output.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let program = format!("{:?}", command.get_program());
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} failed with {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
