//! A server's processes, seen through `/proc`: the one that was started, and its children.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How often a change is looked for.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// How long processes may take to stop or die after a signal that they cannot catch.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process and those that it has started.
#[derive(Debug)]
pub(crate) struct ProcessTree {
    root: i32,
}

impl ProcessTree {
    /// The tree below the process `root`.
    pub(crate) fn from_root(root: i32) -> Self {
        Self { root }
    }

    /// Whether its root runs.
    pub(crate) fn is_alive(&self) -> bool {
        process_state(self.root).is_some_and(|state| !matches!(state, 'Z' | 'X'))
    }

    /// Ends all of it at once, as a crash would.
    pub(crate) fn kill_all(&self) -> Result<()> {
        // A root that stands still starts no more children.
        self.stop_root()?;
        let all = self.list_processes();
        all.iter().try_for_each(|&process| send_signal(process, Signal::KILL))?;
        let dead = |process: &i32| process_state(*process).is_none_or(|state| matches!(state, 'Z' | 'X'));
        wait_until("die", || all.iter().all(dead))
    }

    /// Stops all of it, without ending it.
    pub(crate) fn pause_all(&self) -> Result<()> {
        self.stop_root()?;
        self.list_processes().into_iter().try_for_each(|process| send_signal(process, Signal::STOP))
    }

    /// Lets all of it go on.
    pub(crate) fn resume_all(&self) -> Result<()> {
        self.list_processes().into_iter().try_for_each(|process| send_signal(process, Signal::CONT))
    }

    /// Sends `send_signal` to the root, and waits until that has ended.
    pub(crate) fn end_root(&self, with: Signal, patience: Duration) -> Result<()> {
        send_signal(self.root, with)?;
        wait_at_most(patience, "end", || !self.is_alive())
    }

    fn stop_root(&self) -> Result<()> {
        send_signal(self.root, Signal::STOP)?;
        wait_until("stop", || process_state(self.root).is_none_or(|state| matches!(state, 'T' | 't' | 'Z' | 'X')))
    }

    /// The root and its children. A server's children have none that matter: they do not start programs.
    fn list_processes(&self) -> Vec<i32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let children = processes.filter(|&process| parent_process(process) == Some(self.root));
        [self.root].into_iter().chain(children).collect()
    }
}

/// Sends a signal. That the process is gone already is no error.
fn send_signal(process: i32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(process).context("no process has this number")?;
    match kill_process(pid, signal) {
        Err(error) if error != rustix::io::Errno::SRCH => {
            Err(error).with_context(|| format!("cannot send a signal to process {process}"))
        }
        _ => Ok(()),
    }
}

fn process_state(process: i32) -> Option<char> {
    read_stat(process)?.first()?.chars().next()
}

fn parent_process(process: i32) -> Option<i32> {
    read_stat(process)?.get(1)?.parse().ok()
}

/// The fields of `/proc/PID/stat` from the third on: those behind the name, which may hold anything.
fn read_stat(process: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

fn wait_until(what: &str, condition: impl Fn() -> bool) -> Result<()> {
    wait_at_most(PATIENCE, what, condition)
}

fn wait_at_most(patience: Duration, what: &str, condition: impl Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    while !condition() {
        ensure!(start.elapsed() < patience, "the server's processes did not {what} within {patience:?}");
        sleep(TICK);
    }
    Ok(())
}
