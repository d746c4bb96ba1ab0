//! Bodies: bounded in size, in time, and all together in memory.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::HeaderMap};
use http_body_util::BodyExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::problem::{Kind, Outcome, Problem};

/// A piece of memory that bodies are counted in.
const UNIT: usize = 1 << 10;

/// How long a body waits for memory that others hold.
const PATIENCE: Duration = Duration::from_secs(10);

/// The memory for bodies, all together.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Semaphore>);

/// A body that was read, with the memory that it holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    _memory: Vec<OwnedSemaphorePermit>,
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(UNIT))))
    }

    async fn take(&self, bytes: usize) -> Outcome<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        match timeout(PATIENCE, self.0.clone().acquire_many_owned(units)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Problem::busy("the service holds too many bodies at once; nothing of this one was read")),
        }
    }

    /// Reads a body of at most `most` bytes; between two of its parts at most `pause` may pass.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        most: usize,
        pause: Duration,
    ) -> Outcome<Held> {
        let announced = announced(headers)?;
        if announced.is_some_and(|length| length > most as u64) {
            return Err(too_large(most));
        }
        let expected = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut memory = vec![self.take(expected.max(UNIT)).await?];
        let mut held = expected.max(UNIT);
        let mut bytes = Vec::with_capacity(expected);
        loop {
            let frame = timeout(pause, body.frame()).await;
            let frame = frame.map_err(|_| Problem::new(Kind::TIMEOUT, "no further part of the body came in time"))?;
            let Some(frame) = frame else { return Ok(Held { bytes, _memory: memory }) };
            let cut = |_| Problem::new(Kind::BAD_HEADER, "the body ends before its announced length");
            let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(too_large(most));
            }
            if bytes.len() + data.len() > held {
                let more = (bytes.len() + data.len() - held).max(held);
                memory.push(self.take(more).await?);
                held += more;
            }
            bytes.extend_from_slice(&data);
        }
    }
}

/// The length that a request announces.
fn announced(headers: &HeaderMap) -> Outcome<Option<u64>> {
    let Some(value) = headers.get(axum::http::header::CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| Problem::new(Kind::BAD_HEADER, "Content-Length is not a number"))
}

fn too_large(most: usize) -> Problem {
    Problem::new(Kind::TOO_LARGE, format!("the body is larger than {most} bytes, the most that is taken here"))
}

/// Refuses a body that is written otherwise than in UTF-8, or compressed.
pub(super) fn refuse_other_encodings(headers: &HeaderMap) -> Outcome<()> {
    let unsupported = |detail: &str| Err(Problem::new(Kind::UNSUPPORTED_MEDIA, detail));
    let encoding = headers.get(axum::http::header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return unsupported("a body is taken as it is; no Content-Encoding is understood here");
    }
    let value = headers.get(axum::http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for parameter in value.split(';').skip(1) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset")
            && !["utf-8", "utf8", "us-ascii"].contains(&value.to_ascii_lowercase().as_str())
        {
            return unsupported("text is taken in UTF-8");
        }
    }
    Ok(())
}

/// The media type of a body, without its parameters, in lower case; none where it is not told.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(axum::http::header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
