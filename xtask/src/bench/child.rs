//! A measured process.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use wait4::Wait4 as _;

/// What a process took, and where its output is.
#[derive(Debug)]
pub(super) struct ProcessRun {
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
pub(super) fn run(command: Command, folder: &Path) -> Result<ProcessRun> {
    run_side_by_side([command], folder)
}

/// Runs all `commands` at once. The time is until the last has ended; the rest is the sum of all.
pub(super) fn run_side_by_side(commands: impl IntoIterator<Item = Command>, folder: &Path) -> Result<ProcessRun> {
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| folder.join(name));
    let [out, err] = [File::create(&stdout)?, File::create(&stderr)?];
    let mut run = ProcessRun { seconds: 0.0, cpu_seconds: 0.0, peak_bytes: 0, success: true, stdout, stderr };
    let start = Instant::now();
    let children: Vec<Child> =
        commands.into_iter().map(|command| spawn_process(command, &out, &err)).collect::<Result<_>>()?;
    for mut child in children {
        let used = child.wait4()?;
        run.seconds = start.elapsed().as_secs_f64();
        run.cpu_seconds += (used.rusage.utime + used.rusage.stime).as_secs_f64();
        run.peak_bytes += used.rusage.maxrss;
        run.success &= used.status.success();
    }
    Ok(run)
}

fn spawn_process(mut command: Command, stdout: &File, stderr: &File) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))
}

impl ProcessRun {
    /// The end of what was written to standard error.
    pub(super) fn error_tail(&self) -> String {
        let text = fs::read_to_string(&self.stderr).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

/// Runs `command` unmeasured and gives its standard output.
pub(super) fn run_for_output(command: &mut Command) -> Result<String> {
    let program = format!("{:?}", command.get_program());
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} failed with {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
