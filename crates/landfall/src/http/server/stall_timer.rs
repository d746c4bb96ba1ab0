//! Slow clients: a connection is ended where its client takes too little for too long, and a body where too little of it comes. What
//! counts is what goes over the line, not how long all of it lasts.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// For each so many bytes, the other side may keep the service waiting for the time limit.
const STEP: usize = 64 << 10;

/// How long the other side of a connection keeps the service waiting. What it did quickly before gives it no credit.
#[derive(Debug)]
pub(in crate::http) struct StallTimer {
    limit: Duration,
    /// How long it has done so since it last did a whole step.
    waited: Duration,
    /// Since when it does so now.
    waits_since: Option<Instant>,
    /// Bytes of the step that is under way.
    bytes: usize,
    /// Most never keep anybody waiting, and need none.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl StallTimer {
    /// The other side may keep the service waiting for `limit` until a further step is done.
    pub(in crate::http) const fn new(limit: Duration) -> Self {
        Self { limit, waited: Duration::ZERO, waits_since: None, bytes: 0, alarm: None }
    }

    /// Notes that `bytes` went over the line.
    pub(in crate::http) fn note_progress(&mut self, bytes: usize) {
        if let Some(since) = self.waits_since.take() {
            self.waited += since.elapsed();
        }
        self.bytes += bytes;
        if self.bytes >= STEP {
            // Only a whole step counts: a client that takes a byte now and then would otherwise hold the answer for
            // ever.
            (self.bytes, self.waited) = (0, Duration::ZERO);
        }
    }

    /// Notes that nothing goes over the line now; ready where that has lasted too long.
    pub(in crate::http) fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let end = *self.waits_since.get_or_insert_with(Instant::now) + self.limit.saturating_sub(self.waited);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        // To set a timer costs more than to compare its time, and most polls change nothing.
        if alarm.deadline() != end {
            alarm.as_mut().reset(end);
        }
        alarm.as_mut().poll(context)
    }
}

/// A stream to a client.
pub(in crate::http) struct SteadyStream<S> {
    stream: S,
    patience: StallTimer,
}

impl<S> SteadyStream<S> {
    /// A client may keep the service waiting for `limit` until it takes a further step.
    pub(in crate::http) const fn new(stream: S, limit: Duration) -> Self {
        Self { stream, patience: StallTimer::new(limit) }
    }

    fn note_write(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.patience.note_progress(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => {
                ready!(self.patience.poll_stall(context));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes the answer too slowly")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SteadyStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SteadyStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_write(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.note_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        runtime::Builder,
        time::sleep,
    };

    use super::*;

    fn within<F: Future>(work: F) -> F::Output {
        Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    /// Waits for the client add up, and begin anew with each step that it takes.
    #[test]
    fn a_slow_client_is_served_and_one_that_takes_nothing_is_not() {
        let limit = Duration::from_millis(300);
        let (slow, all) = within(async {
            let (ours, mut theirs) = duplex(STEP);
            let mut steady = SteadyStream::new(ours, limit);
            let taken = tokio::spawn(async move {
                let mut part = vec![0; STEP / 2];
                for _ in 0..12 {
                    sleep(limit / 3).await;
                    theirs.read_exact(&mut part).await.unwrap();
                }
                theirs
            });
            let slow = steady.write_all(&vec![0; 6 * STEP]).await;
            let _theirs = taken.await.unwrap();
            (slow, steady.write_all(&vec![0; 2 * STEP]).await)
        });
        slow.unwrap();
        assert_eq!(all.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_client_that_takes_a_byte_now_and_then_is_not_served() {
        let limit = Duration::from_millis(300);
        let outcome = within(async {
            let (ours, mut theirs) = duplex(STEP);
            tokio::spawn(async move {
                loop {
                    sleep(limit / 10).await;
                    if theirs.read_u8().await.is_err() {
                        return;
                    }
                }
            });
            SteadyStream::new(ours, limit).write_all(&vec![0; 2 * STEP]).await
        });
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
