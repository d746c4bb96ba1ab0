//! A service of a project on a database of its own.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
};

use super::{
    asked::{Answer, Cut, connect, exchange, request},
    place::{Kind, Place},
    support::{Project, Run},
};

/// A project with a database and a service.
pub(crate) struct Served {
    pub(crate) project: Project,
    pub(crate) place: Place,
    child: Option<Child>,
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
    /// The token that requests are sent with.
    pub(crate) token: Option<String>,
    /// Options that the service is started with.
    pub(crate) options: Vec<&'static str>,
}

impl Served {
    /// The example, served on an empty database.
    pub(crate) fn example(kind: Kind) -> Self {
        Self::prepared(kind, |_| {})
    }

    /// The example, served on an empty database after something was done with it.
    pub(crate) fn prepared(kind: Kind, prepare: impl FnOnce(&mut Project)) -> Self {
        let mut project = Project::example();
        prepare(&mut project);
        let place = Place::fresh(kind, project.path());
        let file = project.read("landfall.yaml");
        let kept: String = file.split_inclusive('\n').filter(|line| !line.starts_with("target:")).collect();
        project.write("landfall.yaml", settings_of(&place, &kept));
        Self::of(project, place)
    }

    /// A project with this data package, served on an empty database; `more` is added to its `landfall.yaml`.
    pub(crate) fn package(kind: Kind, package: &str, more: &str) -> Self {
        let project = Project::empty();
        let place = Place::fresh(kind, project.path());
        project.write("datapackage.yaml", package);
        project.write("landfall.yaml", settings_of(&place, more));
        Self::of(project, place)
    }

    /// A project with this data package, served on this database.
    pub(crate) fn package_at(place: Place, package: &str) -> Self {
        let project = Project::empty();
        project.write("datapackage.yaml", package);
        project.write("landfall.yaml", settings_of(&place, ""));
        Self::of(project, place)
    }

    fn of(project: Project, place: Place) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut served =
            Self { project, place, child: None, address, log: Log::default(), token: None, options: Vec::new() };
        served.start();
        served
    }

    /// Another service of the same project and database.
    pub(crate) fn beside(&self) -> Beside {
        let (child, address, log) = started(&self.project, "127.0.0.1:0", &[]);
        Beside { child, address, log }
    }

    /// Starts the service.
    pub(crate) fn start(&mut self) {
        self.start_at("127.0.0.1:0");
    }

    /// Starts the service again, where it was.
    pub(crate) fn start_again(&mut self) {
        self.start_at(&self.address.to_string());
    }

    fn start_at(&mut self, address: &str) {
        let (child, address, log) = started(&self.project, address, &self.options);
        (self.child, self.address, self.log) = (Some(child), address, log);
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Its address, as a program is told it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The most bytes of memory that the service has had, as the system says.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.as_ref().unwrap().id());
        let text = std::fs::read_to_string(status).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    /// Kills the service where it stands.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Tells the service to end, and waits for that; its exit code.
    pub(crate) fn stop(&mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(killed.success());
        child.wait().unwrap().code().unwrap()
    }

    /// Runs a command of the project.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.project.run(arguments)
    }

    /// Makes a token; its text.
    pub(crate) fn make_token(&self, arguments: &[&str]) -> String {
        let all = [&["token", "create", "--name", "test"], arguments].concat();
        self.run(&all).exits(0).stdout.trim().to_owned()
    }

    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Cut> {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut all = headers.to_vec();
        all.extend(bearer.as_ref().map(|bearer| ("Authorization", bearer.as_str())));
        exchange(&mut connect(self.address)?, &request(method, path, &all, body))
    }

    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, json: &str) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], json.as_bytes())
    }

    /// The number of rows of a table, as the database says.
    pub(crate) fn count(&self, table: &str) -> u64 {
        self.place.number(&format!("SELECT count(*) FROM {}", self.place.quoted(table)))
    }

    /// Every record is accounted for. The files of the project are another matter: rows came over HTTP.
    #[track_caller]
    pub(crate) fn verifies(&self) {
        self.project.assert_nothing_wrong();
    }
}

/// `landfall.yaml` of a service: after a kill, another worker soon takes its jobs.
fn settings_of(place: &Place, more: &str) -> String {
    let jobs = if more.contains("jobs:") { "" } else { "jobs: {lease: 2s}\n" };
    format!("target: \"{}\"\n{jobs}{more}", place.url)
}

/// A second service of a project.
pub(crate) struct Beside {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
}

/// What a service writes after its first words.
pub(crate) type Log = Arc<Mutex<String>>;

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a service at `address`; its process, where it listens, and what it writes.
fn started(project: &Project, address: &str, options: &[&str]) -> (Child, SocketAddr, Log) {
    let mut command = project.command(&[&["serve", "--listen", address], options].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut words = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // It may have something to complain of before.
    while !line.contains("listening on") && words.read_line(&mut line).unwrap() > 0 {}
    let line = line.lines().last().unwrap_or_default();
    let address = line.split("://").nth(1).and_then(|text| text.split(' ').next());
    let address = address.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{line}"));
    let log = Log::default();
    let written = log.clone();
    std::thread::spawn(move || {
        for line in words.lines().map_while(Result::ok) {
            let mut written = written.lock().unwrap();
            written.push_str(&line);
            written.push('\n');
        }
    });
    (child, address, log)
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A test on every database.
macro_rules! on_every_database {
    ($($test:ident),+ $(,)?) => {
        $(
            mod $test {
                #[test]
                fn sqlite() {
                    super::$test(crate::place::Kind::Sqlite);
                }
                #[test]
                fn postgres() {
                    super::$test(crate::place::Kind::Postgres);
                }
                #[test]
                fn mariadb() {
                    super::$test(crate::place::Kind::Mariadb);
                }
            }
        )+
    };
}
pub(crate) use on_every_database;
