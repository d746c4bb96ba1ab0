//! Bodies of requests and answers, with an eye on whether they get on.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use object_store::client::{HttpError, HttpRequestBody};
use tokio::time::{Instant, Sleep, sleep};

use super::failure::ObjectFailure;

/// Bytes that are handed to the connection at once: so that it is seen how far it has come.
const PIECE: usize = 64 << 10;

/// The body of a request, handed over in pieces.
#[derive(Debug)]
pub(super) struct RequestBody {
    body: HttpRequestBody,
    part: Bytes,
    /// Bytes that were taken.
    progress: Arc<AtomicU64>,
}

impl RequestBody {
    pub(super) fn new(body: HttpRequestBody, progress: Arc<AtomicU64>) -> Self {
        Self { body, part: Bytes::new(), progress }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while self.part.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                // Nothing but data is in it.
                Some(Ok(frame)) => self.part = frame.into_data().unwrap_or_default(),
                end => return Poll::Ready(end),
            }
        }
        let length = self.part.len().min(PIECE);
        self.progress.fetch_add(length as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(self.part.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.part.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(rest + self.part.len() as u64),
            None => SizeHint::default(),
        }
    }
}

/// The body of an answer: each part of it must come in time.
#[derive(Debug)]
pub(super) struct ObjectBody {
    body: Incoming,
    host: String,
    patience: Duration,
    limit: Pin<Box<Sleep>>,
    /// Whether the clock runs: only while somebody waits.
    waits: bool,
}

impl ObjectBody {
    pub(super) fn new(body: Incoming, host: &str, patience: Duration) -> Self {
        Self { body, host: host.to_owned(), patience, limit: Box::pin(sleep(patience)), waits: false }
    }
}

impl Body for ObjectBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waits = false;
            let lost = |error: hyper::Error| ObjectFailure::Cut(self.host.clone(), error.to_string()).into_http_error();
            return Poll::Ready(frame.map(|frame| frame.map_err(lost)));
        }
        if !self.waits {
            self.waits = true;
            let end = Instant::now() + self.patience;
            self.limit.as_mut().reset(end);
        }
        ready!(self.limit.as_mut().poll(context));
        Poll::Ready(Some(Err(ObjectFailure::Slow(self.host.clone()).into_http_error())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
