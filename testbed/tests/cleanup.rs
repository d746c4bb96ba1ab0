//! Nothing is left of a server when its owner is gone.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use testbed::{Mariadb, PgBouncer, Postgres, ServerOptions};

/// Says where the owner is to make its servers. Its presence turns the test `owner` into that owner.
const FOLDER: &str = "TESTBED_OWNER_FOLDER";

#[test]
#[ignore = "not a test: the process that one of the tests below kills"]
fn owner() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let options = ServerOptions::default().within_folder(folder);
    let postgres = Postgres::start_with(&options).unwrap();
    let mariadb = Mariadb::start_with(&options).unwrap();
    let pgbouncer = PgBouncer::start(&postgres).unwrap();
    // One that does not answer to signals, too.
    let paused = Postgres::start_with(&options).unwrap();
    paused.pause_server().unwrap();
    eprintln!("ports {} {} {} {}", postgres.port(), mariadb.port(), pgbouncer.port(), paused.port());
    sleep(Duration::from_secs(600));
}

fn owner_in(folder: &Path) -> (Child, Vec<u16>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "owner", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.inspect(|line| eprintln!("{line}")).find(|line| line.starts_with("ports")).expect("no servers");
    let ports = line.split(' ').skip(1).map(|port| port.parse().unwrap()).collect();
    (child, ports)
}

/// A folder that the servers' users can write to.
fn folder(name: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = env::temp_dir().join(format!("testbed-{name}-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        sleep(Duration::from_millis(50));
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// Processes that name the folder in their command line.
fn processes(folder: &Path) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let name = folder.to_str().unwrap();
    lines.filter(|line| String::from_utf8_lossy(line).contains(name)).count()
}

/// Segments of System V shared memory that belong to nobody any more.
fn orphaned_segments() -> usize {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    table.lines().skip(1).filter(|line| line.split_whitespace().nth(6) == Some("0")).count()
}

#[test]
fn nothing_is_left_when_the_owner_is_killed() {
    let folder = folder("killed");
    let (mut owner, ports) = owner_in(&folder);
    assert_eq!(ports.len(), 4);
    assert!(!is_empty(&folder) && processes(&folder) > 0);
    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("the folder is empty", || is_empty(&folder));
    eventually("no process is left", || processes(&folder) == 0);
    eventually("no port answers", || ports.iter().all(|&port| TcpStream::connect(("127.0.0.1", port)).is_err()));
    fs::remove_dir(&folder).unwrap();
}

#[test]
fn nothing_is_left_when_a_server_is_dropped_dead_or_alive() {
    let folder = folder("dropped");
    let options = ServerOptions::default().within_folder(&folder);
    let before = orphaned_segments();
    let [dead, alive] = [(), ()].map(|()| Postgres::start_with(&options).unwrap());
    dead.kill_server().unwrap();
    drop((dead, alive));
    assert!(is_empty(&folder), "the folder is there after the drop");
    assert!(orphaned_segments() <= before, "shared memory is left");
    fs::remove_dir(&folder).unwrap();
}

#[test]
fn a_server_that_cannot_start_says_why_and_leaves_nothing() {
    let folder = folder("failed");
    let options = ServerOptions::default().within_folder(&folder).with_setting("no_such_setting", "1");
    let [postgres, mariadb] = [Postgres::start_with(&options).unwrap_err(), Mariadb::start_with(&options).unwrap_err()];
    for error in [postgres, mariadb] {
        assert!(format!("{error:#}").contains("no_such_setting"), "{error:#}");
    }
    assert!(is_empty(&folder));
    fs::remove_dir(&folder).unwrap();
}
