//! README.md and the pages of `docs/`: their commands run as a reader runs them, and must print what the pages say.
//!
//! A fence ```` ```console ```` has lines `$ command`, each with its output below. A fence such as ```` ```yaml datapackage.yaml ````
//! is a file that the reader writes. The steps of a page run in their order, in a folder with a copy of `examples/hr`. A line `…`
//! stands for any lines. What cannot run here (servers, clouds) has the fence ```` ```sh ````: of that, only the options are checked.
//!
//! `LANDFALL_DOCS=update` writes today's output into the pages. Look at the difference before you commit it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use regex::Regex;
use tempfile::TempDir;

use crate::support::{copy, repository};

/// How many commands the pages have at least: fewer would mean that the test has stopped finding them.
const COMMANDS: usize = 120;

/// The front page may have so many lines.
const FRONT_PAGE: usize = 250;

/// A sentence may have so many words.
const WORDS: usize = 25;

/// A page as it stands in the repository.
struct Page {
    path: PathBuf,
    text: String,
}

/// A step that a page asks of its reader.
enum Step {
    Write { file: String, text: String },
    Run(Example),
}

/// A command, the line that it stands on (from 0), and the output below it.
struct Example {
    command: String,
    line: usize,
    output: Vec<String>,
}

/// The lines between two fences.
struct Fence<'a> {
    info: &'a str,
    /// The line of the first one, from 0.
    first: usize,
    lines: Vec<&'a str>,
}

impl Page {
    /// The front page and the pages of `docs/`.
    fn all() -> Vec<Self> {
        let docs = fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
        paths.sort();
        paths.insert(0, repository().join("README.md"));
        paths.into_iter().map(Self::read).collect()
    }

    /// Those, and the pages whose commands are not run.
    fn written_for_people() -> Vec<Self> {
        let others = ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/hr/README.md"]
            .map(|name| Self::read(repository().join(name)));
        Self::all().into_iter().chain(others).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        Self { path, text }
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap().to_string_lossy().into_owned()
    }

    fn fences(&self) -> Vec<Fence<'_>> {
        let mut fences = Vec::new();
        let mut open: Option<Fence<'_>> = None;
        for (at, line) in self.text.lines().enumerate() {
            match (line.strip_prefix("```"), open.as_mut()) {
                (Some(info), None) => open = Some(Fence { info, first: at + 1, lines: Vec::new() }),
                (Some(_), Some(_)) => fences.extend(open.take()),
                (None, Some(fence)) => fence.lines.push(line),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.name());
        fences
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for fence in self.fences() {
            match fence.info.split_once(' ') {
                None if fence.info == "console" => steps.extend(examples(&fence).into_iter().map(Step::Run)),
                Some((_, file)) => {
                    let text = fence.lines.iter().map(|line| format!("{line}\n")).collect();
                    steps.push(Step::Write { file: file.into(), text });
                }
                None => {}
            }
        }
        steps
    }

    /// What a person reads as sentences: paragraphs, items of lists, headings and cells of tables, with code as one word.
    fn passages(&self) -> Vec<String> {
        let mut passages = vec![String::new()];
        let mut inside = false;
        let code = Regex::new("`[^`]*`").unwrap();
        let link = Regex::new(r"\]\([^)]*\)").unwrap();
        for line in self.text.lines() {
            inside ^= line.starts_with("```");
            let starts =
                line.trim_start().starts_with(['|', '-', '#']) || line.trim().is_empty() || line.starts_with("```");
            if starts {
                passages.push(String::new());
            }
            if !inside && !line.starts_with("```") {
                let plain = link.replace_all(&code.replace_all(line, "x"), "]").replace('|', ". ");
                let _ = write!(passages.last_mut().unwrap(), "{plain} ");
            }
        }
        passages
    }
}

fn examples(fence: &Fence<'_>) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for (at, line) in fence.lines.iter().enumerate() {
        match (line.strip_prefix("$ "), examples.last_mut()) {
            (Some(command), _) => {
                examples.push(Example { command: command.into(), line: fence.first + at, output: Vec::new() });
            }
            (None, Some(example)) => example.output.push((*line).into()),
            (None, None) => panic!("a console block begins with a command, not with {line:?}"),
        }
    }
    examples
}

/// Whoever follows a page: in a folder like that of the repository, with `landfall` on the path.
struct Follower {
    root: TempDir,
    folder: PathBuf,
    code: i32,
    /// Stands for the port 8080 of the pages, which may be taken here.
    port: u16,
    services: Vec<Child>,
}

impl Follower {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        copy(&repository().join("examples/hr"), &root.path().join("examples/hr"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = root.path().canonicalize().unwrap();
        Self { root, folder, code: 0, port, services: Vec::new() }
    }

    /// Runs a command and gives what it prints on both streams, in the words of the pages.
    fn run(&mut self, example: &Example) -> Vec<String> {
        let command = example.command.replace("cargo run --release -- ", "landfall ");
        let command = command.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", self.port));
        if let Some(folder) = command.strip_prefix("cd ") {
            self.folder.push(folder);
            assert!(self.folder.is_dir(), "{command}: there is no such folder");
            return Vec::new();
        }
        if command.starts_with("landfall serve") {
            return self.serve(&command, example.output.len());
        }
        let script = format!("(exit {}); {{ {command}\n}} 2>&1", self.code);
        let output = self.shell(&script).output().unwrap();
        self.code = output.status.code().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| self.in_words_of_pages(line)).collect()
    }

    /// Starts a service that goes on until the page ends, and reads what it prints at first.
    fn serve(&mut self, command: &str, lines: usize) -> Vec<String> {
        let script = format!("exec {command} --listen 127.0.0.1:{} 2>&1", self.port);
        let mut child = self.shell(&script).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let said = output.lines().take(lines).map(|line| self.in_words_of_pages(&line.unwrap())).collect();
        self.services.push(child);
        said
    }

    fn shell(&self, script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_landfall"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(program.parent().unwrap().to_path_buf()).chain(std::env::split_paths(&path));
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&self.folder).stdin(Stdio::null());
        command.env("PATH", std::env::join_paths(folders).unwrap());
        for variable in ["RUST_BACKTRACE", "NO_COLOR", "COLUMNS", "CLICOLOR_FORCE", "LANDFALL_TOKEN"] {
            command.env_remove(variable);
        }
        command
    }

    fn in_words_of_pages(&self, line: &str) -> String {
        let root = self.root.path().canonicalize().unwrap();
        let line = line.replace(&root.display().to_string(), "/home/you/landfall");
        line.replace(&format!("127.0.0.1:{}", self.port), "127.0.0.1:8080").trim_end().to_owned()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        for service in &mut self.services {
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

/// A line without what differs from run to run: times, durations, rates, names of sets, tokens.
fn steady(line: &str) -> String {
    let changing = [
        (r"\b\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}\b", "SET"),
        (r"\b20(2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"\b\d+\.\d+ s\b", "DURATION"),
        (r"\b[\d,.]+ rows/s\b", "RATE"),
        (r"\blandfall_[0-9a-f]{16}_[A-Za-z0-9_-]+", "TOKEN"),
        (r"\b[0-9a-f]{16}\b", "ID"),
    ];
    changing.iter().fold(line.to_owned(), |line, (pattern, word)| {
        Regex::new(pattern).unwrap().replace_all(&line, *word).into_owned()
    })
}

/// Whether output is as the page says.
fn is_as_said(said: &[String], printed: &[String]) -> bool {
    match said.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (0..=printed.len()).any(|skip| is_as_said(rest, &printed[skip..]))
        }
        Some((line, rest)) => {
            printed.first().is_some_and(|first| steady(first) == steady(line)) && is_as_said(rest, &printed[1..])
        }
    }
}

/// Follows a page. Gives how many commands ran, and each example that is not so, with what was printed.
fn follow(page: &Page) -> (usize, Vec<(Example, Vec<String>)>) {
    let mut follower = Follower::new();
    let (mut commands, mut wrong) = (0, Vec::new());
    for step in page.steps() {
        match step {
            Step::Write { file, text } => {
                let path = follower.folder.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Step::Run(example) => {
                commands += 1;
                let printed = follower.run(&example);
                if !is_as_said(&example.output, &printed) {
                    wrong.push((example, printed));
                }
            }
        }
    }
    (commands, wrong)
}

/// Writes what was printed into the page, from its end on, so that lines keep their numbers until it is their turn.
fn update(page: &Page, wrong: &[(Example, Vec<String>)]) {
    let mut lines: Vec<&str> = page.text.lines().collect();
    for (example, printed) in wrong.iter().rev() {
        let first = example.line + 1;
        lines.splice(first..first + example.output.len(), printed.iter().map(String::as_str));
    }
    fs::write(&page.path, lines.join("\n") + "\n").unwrap();
}

#[test]
fn commands_print_what_the_pages_say() {
    let is_update = std::env::var("LANDFALL_DOCS").is_ok_and(|value| value == "update");
    let (mut commands, mut report) = (0, String::new());
    for page in Page::all() {
        let (count, wrong) = follow(&page);
        commands += count;
        if is_update {
            update(&page, &wrong);
        }
        for (example, printed) in wrong {
            let (said, printed) = (example.output.join("\n"), printed.join("\n"));
            let place = format!("{}:{}: $ {}", page.name(), example.line + 1, example.command);
            let _ = writeln!(report, "{place}\n--- the page\n{said}\n--- the program\n{printed}\n");
        }
    }
    assert!(report.is_empty(), "{report}");
    assert!(commands >= COMMANDS, "only {commands} commands were found");
}

#[test]
fn the_front_page_is_short() {
    let page = Page::read(repository().join("README.md"));
    let lines = page.text.lines().count();
    assert!(lines <= FRONT_PAGE, "{lines} lines");
}

#[test]
fn links_lead_to_files_and_headings() {
    let link = Regex::new(r"\]\(([^)]+)\)").unwrap();
    let mut broken = Vec::new();
    for page in Page::written_for_people() {
        for found in link.captures_iter(&page.text).map(|found| found[1].to_owned()) {
            if found.contains("://") {
                continue;
            }
            let (file, heading) = found.split_once('#').unwrap_or((&found, ""));
            let path = if file.is_empty() { page.path.clone() } else { page.path.with_file_name("").join(file) };
            if !path.exists() || (!heading.is_empty() && !anchors(&path).contains(heading)) {
                broken.push(format!("{}: {found}", page.name()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:?}");
}

/// The anchors that a page's headings have.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches(['#', ' ']));
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|char| char.is_alphanumeric() || matches!(char, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn sentences_are_short() {
    let mut long = String::new();
    for page in Page::written_for_people() {
        let passages = page.passages();
        let sentences = passages.iter().flat_map(|passage| {
            passage.split_inclusive([' ', '\n']).fold(vec![String::new()], |mut sentences, word| {
                sentences.last_mut().unwrap().push_str(word);
                if word.trim_end().trim_end_matches([')', '*', '"']).ends_with(['.', '?', '!', ':']) {
                    sentences.push(String::new());
                }
                sentences
            })
        });
        for sentence in sentences.filter(|text| text.split_whitespace().count() > WORDS) {
            let _ = writeln!(long, "{}: {}", page.name(), sentence.trim());
        }
    }
    assert!(long.is_empty(), "sentences of more than {WORDS} words:\n{long}");
}

/// Of commands that need a server or a cloud, the command and its options are checked by its help.
#[test]
fn commands_that_do_not_run_here_have_options_that_exist() {
    let option = Regex::new(r"(^|\s)(--[a-z-]+)").unwrap();
    let mut wrong = Vec::new();
    for page in Page::all() {
        for fence in page.fences().iter().filter(|fence| fence.info == "sh") {
            for line in fence.lines.iter().filter(|line| line.starts_with("landfall ")) {
                let line = line.split(" #").next().unwrap();
                let help = help_of(line);
                for found in option.captures_iter(line).map(|found| found[2].to_owned()) {
                    if !help.contains(&found) {
                        wrong.push(format!("{}: {line}: {found}", page.name()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn help_of(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let has_more = words.first().is_some_and(|word| ["rejects", "backups", "schema", "token"].contains(word));
    let named = words.iter().take(if has_more { 2 } else { 1 }).filter(|word| !word.starts_with('-'));
    let output = Command::new(env!("CARGO_BIN_EXE_landfall")).args(named).arg("--help").output().unwrap();
    assert!(output.status.success(), "{line}: there is no such command");
    String::from_utf8(output.stdout).unwrap()
}
