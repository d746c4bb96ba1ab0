//! What the numbers of a bench depend on.

use std::{fs, process::Command};

use super::child::run_for_output;

/// One line on the machine and the tools. What cannot be found out is left out.
pub(super) fn describe_machine(tools: &[&str]) -> String {
    let cores = std::thread::available_parallelism().map(|cores| format!("{cores} cores")).ok();
    let memory = memory_gib().map(|gib| format!("{gib} GiB memory"));
    let parts = [cores, processor_name(), memory].into_iter().flatten();
    let versions = tools.iter().filter_map(|tool| tool_version(tool));
    parts.chain(versions).collect::<Vec<_>>().join(" · ")
}

fn processor_name() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.to_owned())
}

fn memory_gib() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = text.lines().next()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib.div_ceil(1 << 20))
}

/// The tool's name and the word of its version line that looks like a version.
pub(super) fn tool_version(tool: &str) -> Option<String> {
    let text = run_for_output(Command::new(tool).arg("--version")).ok()?;
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(format!("{tool} {number}"))
}
