//! Bodies that come part by part from somewhere else.

use std::{
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body_util::{StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Bytes that are sent at once.
const PART: usize = 64 << 10;
/// Parts that are read ahead.
const AHEAD: usize = 2;

/// Parts of a body as they come; an error cuts it off.
pub(in crate::http) struct SentBody(pub(in crate::http) mpsc::Receiver<io::Result<Bytes>>);

impl futures_core::Stream for SentBody {
    type Item = io::Result<Frame<Bytes>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// A body of what `content` holds, which is read as the client takes it. How slow that may be is the connection's affair: it drops
/// the body, and with it the content.
pub(in crate::http) fn stream_body(content: impl Read + Send + 'static) -> Body {
    let (parts, sent) = mpsc::channel(AHEAD);
    tokio::spawn(send_parts(content, parts));
    Body::new(UnsyncBoxBody::new(StreamBody::new(SentBody(sent))))
}

/// Sends `content` part by part, until nobody takes it any more.
async fn send_parts(mut content: impl Read + Send + 'static, parts: mpsc::Sender<io::Result<Bytes>>) {
    // A place first: nothing is read from the disk while the client takes nothing.
    while let Ok(place) = parts.reserve().await {
        let read = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; PART];
            let read = content.read(&mut part);
            part.truncate(read.as_ref().copied().unwrap_or(0));
            (content, read.map(|_| part))
        });
        let Ok((again, read)) = read.await else { return };
        content = again;
        if read.as_ref().is_ok_and(Vec::is_empty) {
            return;
        }
        let failed = read.is_err();
        // An error cuts the body off before its length, by which the client knows that it is not whole.
        place.send(read.map(Bytes::from));
        if failed {
            return;
        }
    }
}
