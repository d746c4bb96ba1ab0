//! A client over one plain connection: what it sends is just what stands in the test.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The JSON of an answer with this status.
    #[track_caller]
    pub(crate) fn of(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The last word of a problem's type.
    #[track_caller]
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let body = self.json();
        assert_eq!(body["status"], self.status);
        body["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Cut;

/// Sends bytes and reads one answer.
pub(crate) fn exchange(stream: &mut TcpStream, request: &[u8]) -> Result<Answer, Cut> {
    // Who refuses a request may not read it to its end.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let mut part = [0; 1 << 14];
    loop {
        let read = stream.read(&mut part).map_err(|_| Cut)?;
        bytes.extend_from_slice(&part[..read]);
        if let Some(answer) = parsed(&bytes, read == 0) {
            return Ok(answer);
        }
        if read == 0 {
            return Err(Cut);
        }
    }
}

/// The answer that `bytes` are, where they are whole.
fn parsed(bytes: &[u8], ended: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let pair =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let headers: Vec<(String, String)> = lines.filter_map(pair).collect();
    let mut answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some() {
        answer.body = unchunked(&answer.body)?;
        return Some(answer);
    }
    let length = match answer.header("content-length") {
        Some(length) => length.parse().unwrap(),
        None if matches!(status, 204 | 304) => 0,
        None => return ended.then_some(answer),
    };
    (answer.body.len() >= length).then_some(answer)
}

/// A body that was sent in chunks, where it is whole.
fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        bytes = bytes.get(end + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

/// A connection to the service at `address`.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream, Cut> {
    let stream = TcpStream::connect(address).map_err(|_| Cut)?;
    stream.set_nodelay(true).map_err(|_| Cut)?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(|_| Cut)?;
    Ok(stream)
}

/// A request as it goes over the line.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// A text as a part of a path or query.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
