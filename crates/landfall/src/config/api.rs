//! `api` in `landfall.yaml`: how the service runs.

use std::{net::SocketAddr, time::Duration};

use landfall_core::schema::document::{Node, Problems, Reader, Value};

use crate::cli::parse_size;

/// How the service runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Api {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// The most rows of one request.
    pub(crate) max_rows: usize,
    /// The most bytes of a body with rows.
    pub(crate) max_body: usize,
    /// How long the next part of a body is waited for.
    pub(crate) body_timeout: Duration,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            max_rows: 1000,
            max_body: 16 << 20,
            body_timeout: Duration::from_secs(15),
        }
    }
}

pub(super) fn read(node: &Node, problems: &Problems) -> Api {
    let usual = Api::default();
    let Some(mut reader) = node.map("\"api\"", problems) else { return usual };
    let api = Api {
        listen: parsed(&mut reader, "listen", address).unwrap_or(usual.listen),
        max_rows: parsed(&mut reader, "maxRows", rows).unwrap_or(usual.max_rows),
        max_body: parsed(&mut reader, "maxBody", body).unwrap_or(usual.max_body),
        body_timeout: parsed(&mut reader, "bodyTimeout", seconds).unwrap_or(usual.body_timeout),
    };
    reader.finish();
    api
}

fn parsed<T>(reader: &mut Reader<'_>, name: &'static str, parse: fn(&str) -> Result<T, String>) -> Option<T> {
    let node = reader.take(name)?;
    let outcome = match &node.value {
        Value::Text(text) | Value::Number(text) => parse(text),
        _ => Err("a text or a number is wanted here".into()),
    };
    outcome.map_err(|message| reader.problems().report(&node.place, format!("\"{name}\": {message}"))).ok()
}

/// Reads an address such as `127.0.0.1:8080`; a port alone is one of this machine's own.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>();
    if let Ok(port) = port {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let bare = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let wrong =
        || format!("{text:?} is no address; write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080");
    bare.as_deref().unwrap_or(text).parse().map_err(|_| wrong())
}

fn rows(text: &str) -> Result<usize, String> {
    let most = 100_000;
    let wrong = || format!("{text:?} is not a whole number from 1 to {most}");
    text.parse().ok().filter(|rows| (1..=most).contains(rows)).ok_or_else(wrong)
}

fn body(text: &str) -> Result<usize, String> {
    parse_size(text).and_then(|size| if size <= 256 << 20 { Ok(size) } else { Err("256MiB is the most".into()) })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a number of seconds from 1 to 3600");
    let seconds = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}
