//! The programs of the distribution: where they are, and running them.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};

/// Where Debian keeps what is not in everyone's PATH.
const ELSEWHERE: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// The path of `program`, or an error that names the Debian package it is in.
pub(crate) fn find(program: &str, package: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(ELSEWHERE.map(PathBuf::from));
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    found.with_context(|| missing_program(program, package))
}

/// The path of a PostgreSQL server program: of the newest version below /usr/lib/postgresql, else in PATH.
pub(crate) fn find_postgres(program: &str) -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let files =
        versions.map(|version| (version, PathBuf::from(format!("/usr/lib/postgresql/{version}/bin/{program}"))));
    match files.filter(|(_, file)| file.is_file()).max() {
        Some((_, file)) => Ok(file),
        None => find(program, "postgresql"),
    }
}

fn missing_program(program: &str, package: &str) -> String {
    format!("there is no program '{program}': install the Debian package {package} (`make needs` does)")
}

/// Runs `command` with `input` on its standard input, and gives its standard output. A failure is an error with what it
/// wrote to standard error.
pub(crate) fn run_program(command: &mut Command, input: &str) -> Result<String> {
    let name = Path::new(command.get_program()).display().to_string();
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let output = feed_input(child, input).with_context(|| format!("cannot talk to {name}"))?;
    if !output.status.success() {
        bail!("{name} failed with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} wrote something that is not UTF-8"))
}

/// Writes while it reads, so that neither side waits for the other. A program may end before it has read everything.
fn feed_input(mut child: Child, input: &str) -> io::Result<Output> {
    let mut stdin = child.stdin.take();
    thread::scope(|scope| {
        scope.spawn(move || stdin.as_mut().map(|stdin| stdin.write_all(input.as_bytes())));
        child.wait_with_output()
    })
}

/// A word that the shell takes as it is.
pub(crate) fn quote_word(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_missing_program_is_an_error_that_names_its_package() {
        let error = super::find("no-such-program", "its-package").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("there is no program 'no-such-program': install the Debian package its-package (`make needs` does)"
                .to_owned())
        );
    }
}
