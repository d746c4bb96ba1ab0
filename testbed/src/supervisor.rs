//! What ends a server when its owner ends: a shell whose standard input is a pipe that the owner holds. It needs no
//! destructor to run, so statics, panics and `kill -9` of the owner are all the same to it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::account::SystemAccount;

const SCRIPT: &str = include_str!("supervisor.sh");

/// How a supervisor ends its server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerEnding {
    /// The signal that ends the server at once.
    pub(crate) signal: &'static str,
    /// The shell script for what the server leaves behind outside its folder when it is killed.
    pub(crate) script: Option<&'static str>,
}

/// The shell that a server is a child of. Dropping it ends the server and removes its folder.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Supervisor {
    /// Makes a folder below `parent`, for a server that runs as `account`.
    pub(crate) fn new(account: SystemAccount, parent: &Path, name: &str, ending: ServerEnding) -> Result<Self> {
        let mut command = account.command_as("sh");
        command.args(["-c", SCRIPT, "testbed-supervisor"]).arg(parent).arg(name).arg(ending.signal);
        // In a process group of its own, so that Ctrl-C ends the owner, and only then the server.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/").process_group(0);
        let mut shell = command.spawn().context("cannot run sh")?;
        let orders = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().context("no standard output")?);
        let mut supervisor = Self { shell, orders, answers, folder: PathBuf::new() };
        supervisor.folder = PathBuf::from(supervisor.read_answer().with_context(|| {
            format!("cannot make a folder for the server in {} (TMPDIR names another place)", parent.display())
        })?);
        if let Some(script) = ending.script {
            supervisor.write("end", script)?;
        }
        Ok(supervisor)
    }

    /// The server's folder.
    pub(crate) fn server_folder(&self) -> &Path {
        &self.folder
    }

    /// A password that no other server has: what is random in the folder's name.
    pub(crate) fn server_secret(&self) -> String {
        let name = self.folder.extension().unwrap_or_default();
        format!("secret-{}", name.to_string_lossy())
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<()> {
        let file = self.folder.join(name);
        fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
        // The server must be able to read it, as a user of its own. The folder itself is closed to others.
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        Ok(())
    }

    /// Runs a shell script to its end, as the server's user.
    pub(crate) fn run_setup(&mut self, script: &str) -> Result<()> {
        self.write("setup", script)?;
        let code = self.send_order("setup")?;
        ensure!(code == "0", "the server's data folder cannot be made (exit code {code}):\n{}", self.read_log_end());
        Ok(())
    }

    /// Starts the server with a shell script that ends in an `exec`, and gives the number of its process. An earlier one
    /// must have ended.
    pub(crate) fn start_server(&mut self, script: &str) -> Result<i32> {
        self.write("start", script)?;
        Ok(self.send_order("start")?.parse()?)
    }

    /// All that the server has said.
    pub(crate) fn read_log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// The last lines that the server has said.
    pub(crate) fn read_log_end(&self) -> String {
        let log = self.read_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn send_order(&mut self, order: &str) -> Result<String> {
        writeln!(self.orders.as_ref().context("no standard input")?, "{order}").context("the supervisor is gone")?;
        self.read_answer()
    }

    fn read_answer(&mut self) -> Result<String> {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line)?;
        ensure!(length > 0, "the server's supervisor ended");
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        // There is nobody to tell that it failed.
        drop(self.shell.wait());
    }
}
