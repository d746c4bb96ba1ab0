//! Many connections, few descriptors, and the ends of the service.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    asked::{connect, exchange, request},
    place::Kind,
    served::Served,
};

const ROWS: &str = "/v1/tables/departments/rows";

/// A shell that runs the service after `before`.
fn started(served: &Served, before: &str) -> (Child, std::net::SocketAddr) {
    let program = served.project.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut command = Command::new("sh");
    let words = format!("{before} {} serve --listen 127.0.0.1:0", program.get_program().to_string_lossy());
    command.args(["-c", &words]).current_dir(served.project.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut words = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") && words.read_line(&mut line).unwrap() > 0 {}
    let address = line.split("://").nth(1).and_then(|text| text.split(' ').next()).and_then(|text| text.parse().ok());
    std::thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
    (child, address.unwrap_or_else(|| panic!("{line}")))
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Each asks for something, and keeps its connection open.
fn idle(address: std::net::SocketAddr, count: usize) -> Vec<TcpStream> {
    let asks = request("GET", "/healthz", &[], b"");
    let one = |at: usize| {
        let mut stream = connect(address).unwrap();
        // Some never say a word.
        if !at.is_multiple_of(4) {
            assert_eq!(exchange(&mut stream, &asks).unwrap().status, 200, "connection {at}");
        }
        stream
    };
    (0..count).map(one).collect()
}

/// As many of `wanted` connections as this process may hold, which needs a descriptor for each.
fn affordable(wanted: usize) -> usize {
    // For what the tests that run beside it hold.
    const OTHERS: u64 = 600;
    let limits = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).unwrap();
    let most = limits.maximum.unwrap_or(u64::MAX);
    let least = 300;
    assert!(
        most >= OTHERS + least,
        "this process may open only {most} files, too few to test idle connections: raise the limit (ulimit -Hn)"
    );
    usize::try_from(most - OTHERS).unwrap_or(usize::MAX).min(wanted)
}

/// Idle connections that took all places kept everybody else out.
#[test]
fn requests_get_through_beside_thousands_of_idle_connections() {
    let count = affordable(4200);
    let served = Served::example(Kind::Sqlite);
    // Whatever this process may open, the service raises its own limit; where there are few connections, it has few places.
    let limits =
        if count < 4200 { format!("ulimit -n {}; exec", count * 3 / 4) } else { "ulimit -Sn 256; exec".into() };
    let (mut child, address) = started(&served, &limits);
    let held = idle(address, count);
    assert_eq!(held.len(), count);
    let begun = Instant::now();
    for id in 1..=5 {
        let body = format!(r#"[{{"id":{id},"department":"d"}}]"#);
        let asks = request("POST", ROWS, &[("Content-Type", "application/json")], body.as_bytes());
        assert_eq!(exchange(&mut connect(address).unwrap(), &asks).unwrap().status, 201);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(held);
    kill(&mut child);
}

/// Descriptors that ran out stopped the database and everybody else.
#[test]
fn requests_get_through_where_few_files_may_be_open() {
    let served = Served::example(Kind::Sqlite);
    let (mut child, address) = started(&served, "ulimit -n 64; exec");
    let held = idle(address, 150);
    for id in 1..=10 {
        let begun = Instant::now();
        let body = format!(r#"[{{"id":{id},"department":"d"}}]"#);
        let headers = [("Content-Type", "application/json")];
        let rows = exchange(&mut connect(address).unwrap(), &request("POST", ROWS, &headers, body.as_bytes())).unwrap();
        assert_eq!(rows.status, 201, "{}", rows.text());
        let file = format!("id,department\n{},e\n", id + 100);
        let upload = request("POST", "/v1/tables/departments/files?wait=30", &[], file.as_bytes());
        let upload = exchange(&mut connect(address).unwrap(), &upload).unwrap();
        assert_eq!(upload.status, 200, "{}", upload.text());
        let report = request("GET", "/v1/reports/hires_by_quarter?year=2021", &[], b"");
        assert_eq!(exchange(&mut connect(address).unwrap(), &report).unwrap().status, 200);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    // Many at once: each is answered.
    let all: Vec<u16> = std::thread::scope(|scope| {
        let ask = || {
            exchange(&mut connect(address).unwrap(), &request("GET", "/v1/tables?counts=true", &[], b""))
                .unwrap()
                .status
        };
        let threads: Vec<_> = (0..60).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|status| *status == 200), "{all:?}");
    drop(held);
    kill(&mut child);
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

/// The end of its terminal killed the service where it stood.
#[test]
fn a_hangup_ends_the_service_as_any_other_end_does() {
    let served = Served::example(Kind::Sqlite);
    // Whoever runs the tests may ignore the signal, and that is inherited.
    let (mut child, address) = started(&served, "exec env --default-signal=HUP");
    let mut slow = connect(address).unwrap();
    let body = br#"[{"id":1,"department":"a"}]"#;
    let whole = request("POST", ROWS, &[("Content-Type", "application/json")], body);
    std::io::Write::write_all(&mut slow, &whole[..whole.len() - 5]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_millis(300));
    // What is under way is answered, and nothing else begins.
    assert_eq!(exchange(&mut slow, &whole[whole.len() - 5..]).unwrap().status, 201);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(served.count("departments"), 1);
    // Under nohup it goes on.
    let (mut child, address) = started(&served, "trap '' HUP; exec");
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(exchange(&mut connect(address).unwrap(), &request("GET", "/healthz", &[], b"")).unwrap().status, 200);
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
