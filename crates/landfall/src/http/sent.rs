//! Bodies that come part by part from somewhere else.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Parts of a body as they come; an error cuts it off.
pub(super) struct Sent(pub(super) mpsc::Receiver<io::Result<Bytes>>);

impl futures_core::Stream for Sent {
    type Item = io::Result<Frame<Bytes>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}
