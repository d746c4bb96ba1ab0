//! Bodies: bounded in size, in time, and all together in memory.

use std::{
    error::Error as StdError,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    http::HeaderMap,
};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

use crate::http::{
    access::shares::{ShareStock, StockShare},
    problem::{Outcome, Problem, ProblemKind},
    server::stall_timer::StallTimer,
};

/// A piece of memory that bodies are counted in.
const UNIT: usize = 1 << 10;
/// What the memory of a body grows by at least.
const GROWTH: usize = 16 << 10;

/// What pieces of memory may be rounded up by, together.
const SLACK: usize = 64 << 10;

/// How long a body waits for memory that others hold.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one caller leaves to the others at least, however large a body may be.
const LEFT_TO_OTHERS: usize = 16 << 20;

/// The memory for bodies, all together.
#[derive(Debug, Clone)]
pub(in crate::http) struct BodyMemory(Arc<ShareStock>);

/// A body that was read, with the memory that it holds.
#[derive(Debug)]
pub(in crate::http) struct ReadBody {
    pub(in crate::http) bytes: Vec<u8>,
    _memory: Vec<StockShare>,
}

impl BodyMemory {
    /// Memory of `usual` bytes, or as much as bodies of at most `most` bytes need.
    pub(in crate::http) fn new(usual: usize, most: usize) -> Self {
        let total = usual.max(most + LEFT_TO_OTHERS);
        let share = (total / 2).max(most);
        // Pieces are rounded up.
        Self(Arc::new(ShareStock::new((total + SLACK).div_ceil(UNIT), (share + SLACK).div_ceil(UNIT))))
    }

    async fn take_memory(&self, caller: &str, bytes: usize) -> Outcome<StockShare> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        match timeout(PATIENCE, self.0.take_share(caller, units)).await {
            Ok(Some(share)) => Ok(share),
            _ => Err(Problem::too_busy("the service holds too many bodies at once; nothing of this one was taken")),
        }
    }

    /// Reads a body of `caller` of at most `most` bytes. Memory is taken for what has come, and not for what is announced: so a
    /// body that does not come keeps nobody else waiting.
    pub(in crate::http) async fn read(
        &self,
        caller: &str,
        headers: &HeaderMap,
        mut body: Body,
        most: usize,
    ) -> Outcome<ReadBody> {
        let announced = announced_length(headers)?;
        // Refused before any of it is read, so that a client that waits for `100 Continue` sends nothing.
        if announced.is_some_and(|length| length > most as u64) {
            return Err(too_large_problem(most));
        }
        let expected = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        let (mut memory, mut taken, mut bytes) = (Vec::new(), 0, Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| broken_body_problem(&error))?.into_data() else { continue };
            let length = bytes.len() + data.len();
            // Also counted as it comes: a body in chunks announces no length.
            if length > most {
                return Err(too_large_problem(most));
            }
            if length > taken {
                // By half of what is there, so that a body of many small frames does not ask for memory with each.
                let more = (length - taken).max((taken / 2).max(GROWTH).min(expected.min(most).saturating_sub(taken)));
                memory.push(self.take_memory(caller, more).await?);
                taken += more;
                // `reserve` would double what was taken, past what is counted.
                bytes.reserve_exact(taken - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(ReadBody { bytes, _memory: memory })
    }
}

/// A body that must come fast enough, whoever reads it.
pub(in crate::http) struct PacedBody {
    body: Body,
    patience: StallTimer,
}

impl PacedBody {
    /// `body` may keep the service waiting for `limit` until a further step of it has come.
    pub(in crate::http) fn wrap_body(body: Body, limit: Duration) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Self { body, patience: StallTimer::new(limit) })
    }
}

impl HttpBody for PacedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.patience.poll_stall(context));
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        };
        if let Some(Ok(frame)) = &frame {
            self.patience.note_progress(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The problem of a body that did not come to its end.
pub(in crate::http) fn broken_body_problem(error: &(dyn StdError + 'static)) -> Problem {
    // axum and hyper wrap the error of the stream, each in one of its own.
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return Problem::new(
                ProblemKind::TIMEOUT,
                "the body came too slowly; api.bodyTimeout says how long 64 KiB may take",
            );
        }
        cause = error.source();
    }
    Problem::new(ProblemKind::BAD_HEADER, "the body ends before its announced length")
}

/// The length that a request announces.
fn announced_length(headers: &HeaderMap) -> Outcome<Option<u64>> {
    let Some(value) = headers.get(axum::http::header::CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| Problem::new(ProblemKind::BAD_HEADER, "Content-Length is not a number"))
}

fn too_large_problem(most: usize) -> Problem {
    Problem::new(ProblemKind::TOO_LARGE, format!("the body is larger than {most} bytes, the most that is taken here"))
}

/// Refuses a body that is written otherwise than in UTF-8, or compressed.
pub(in crate::http) fn refuse_other_encodings(headers: &HeaderMap) -> Outcome<()> {
    let unsupported = |detail: &str| Err(Problem::new(ProblemKind::UNSUPPORTED_MEDIA, detail));
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
pub(in crate::http) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(axum::http::header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
