//! Clients over plain connections that are kept open: few, and for a bounded time.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

/// What is asked of the clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct HttpLoad {
    pub(super) clients: usize,
    pub(super) rows: u64,
    pub(super) time: Duration,
}

/// What they measured.
#[derive(Debug, Clone)]
pub(super) struct HttpMeasures {
    pub(super) rows_per_second: f64,
    pub(super) requests_per_second: f64,
    /// Milliseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// The number of the next employee: each is sent once.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Sends rows to the service at `address` for a while.
pub(super) fn run(address: SocketAddr, load: HttpLoad) -> Result<HttpMeasures> {
    let begun = Instant::now();
    let end = begun + load.time;
    let client = || -> Result<Vec<f64>> {
        let mut connection = HttpConnection::open(address)?;
        let mut times = Vec::new();
        let mut body = String::new();
        while Instant::now() < end {
            write_rows(&mut body, NEXT.fetch_add(load.rows, Ordering::Relaxed), load.rows);
            let sent = Instant::now();
            let status = connection.post_body("/v1/tables/hired_employees/rows", &body)?;
            times.push(sent.elapsed().as_secs_f64() * 1000.0);
            ensure!(status == 201, "the service answered {status}: {}", connection.answer_text());
        }
        Ok(times)
    };
    let times: Vec<Vec<f64>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..load.clients).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| bail!("a client panicked")))
            .collect::<Result<_>>()
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut times: Vec<f64> = times.into_iter().flatten().collect();
    times.sort_by(f64::total_cmp);
    ensure!(!times.is_empty(), "no request was answered");
    let requests = times.len();
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench")]
    let (requests_per_second, rows) = (requests as f64 / seconds, load.rows as f64);
    Ok(HttpMeasures {
        rows_per_second: requests_per_second * rows,
        requests_per_second,
        p50: times[requests / 2],
        p99: times[(requests * 99 / 100).min(requests - 1)],
    })
}

/// Rows of employees from the number `first` on, as a JSON array.
fn write_rows(body: &mut String, first: u64, rows: u64) {
    body.clear();
    for id in first..first + rows {
        let comma = if id == first { '[' } else { ',' };
        let (month, day, second) = (id % 12 + 1, id % 28 + 1, id % 60);
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "{comma}{{\"id\":{id},\"name\":\"Velkuvo Duskitchet {}\",\"datetime\":\"2021-{month:02}-{day:02}T04:01:{second:02}Z\",\
             \"department_id\":{},\"job_id\":{}}}",
            id % 1000,
            id % 12 + 1,
            id % 183 + 1
        );
    }
    body.push(']');
}

/// A connection that is kept open.
pub(super) struct HttpConnection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl HttpConnection {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, answer: Vec::new() })
    }

    /// Sends one request; the status of its answer, which has been read to its end.
    pub(super) fn post_body(&mut self, path: &str, body: &str) -> Result<u16> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body.as_bytes());
        self.stream.write_all(&request)?;
        self.read_answer()
    }

    /// Asks for `path`.
    pub(super) fn get(&mut self, path: &str) -> Result<u16> {
        self.stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        self.read_answer()
    }

    fn read_answer(&mut self) -> Result<u16> {
        self.answer.clear();
        let mut part = [0; 1 << 14];
        loop {
            let read = self.stream.read(&mut part)?;
            ensure!(read > 0, "the service closed the connection");
            self.answer.extend_from_slice(&part[..read]);
            let Some(end) = self.answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.answer[..end])?.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.context("an answer without a length")?.trim().parse()?;
            if self.answer.len() >= end + 4 + length {
                return head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status");
            }
        }
    }

    /// The last answer, shortened.
    pub(super) fn answer_text(&self) -> String {
        String::from_utf8_lossy(&self.answer).chars().take(1000).collect()
    }
}
