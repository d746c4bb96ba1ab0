//! Files that may not be written, and the program as a user who cannot override that.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::{Project, Run};

/// The program as a user who may not override permissions, where this user may; none where that cannot be had.
pub(crate) fn unprivileged(project: &Project, arguments: &[&str]) -> Option<Command> {
    let probe = project.path().join("probe");
    std::fs::write(&probe, "x").unwrap();
    read_only(&probe, true);
    let privileged = std::fs::File::options().append(true).open(&probe).is_ok();
    read_only(&probe, false);
    let plain = project.command(arguments);
    if !privileged {
        return Some(plain);
    }
    let ready = Command::new("setpriv").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !ready.is_ok_and(|status| status.success()) {
        eprintln!("not run: this user may write what is read-only, and there is no setpriv");
        return None;
    }
    let drop = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"];
    let mut command = Command::new("setpriv");
    command.args(drop).arg("--").arg(plain.get_program()).args(plain.get_args()).current_dir(project.path());
    command.stdin(Stdio::null());
    Some(command)
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Run {
    Run::of(&command.output().unwrap())
}

/// Whether the file may only be read.
pub(crate) fn read_only(path: &Path, on: bool) {
    let mut permissions = std::fs::metadata(path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, if on { 0o400 } else { 0o644 });
    std::fs::set_permissions(path, permissions).unwrap();
}
