//! Heads of requests that are refused. What the HTTP library cannot read it refuses by itself, with a status alone: such an answer
//! gets the body of a problem here, on its way to the client. What the library lets through, and should not be, is refused before
//! any handler sees it.

use std::{
    fmt::Write as _,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::Request,
    http::{Version, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{
    listener::HEAD_BYTES,
    problem::{Kind, Outcome, Problem},
};

/// The most bytes of a request's target. It must be less than the library takes for a head.
const TARGET_BYTES: usize = 32 << 10;

/// How long what a client still sends is read, once it was refused: a connection that is closed before may lose the answer.
const LINGER: Duration = Duration::from_secs(2);

/// Lets a request through where its head is sound.
pub(super) async fn sound(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(request: &Request) -> Outcome<()> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES {
        let detail =
            format!("the path and query have {target} bytes, and {TARGET_BYTES} are taken; ask for less at once");
        return Err(Problem::new(Kind::URI_TOO_LONG, detail));
    }
    // The library reads so many bytes at once that its own limit holds only roughly.
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let head = target + headers.sum::<usize>();
    if head > HEAD_BYTES {
        let detail = format!("the first line and the headers have {head} bytes, and {HEAD_BYTES} are taken");
        return Err(Problem::new(Kind::HEAD_TOO_LARGE, detail));
    }
    // RFC 9112, 3.2.
    match request.headers().get_all(header::HOST).iter().count() {
        0 if request.version() == Version::HTTP_11 => {
            Err(Problem::new(Kind::BAD_HEADER, "a request in HTTP/1.1 needs the header Host"))
        }
        0 | 1 => Ok(()),
        _ => Err(Problem::new(Kind::BAD_HEADER, "Host is given twice")),
    }
}

/// A connection on which the library's own refusals get their bodies.
pub(super) struct Refusals<S> {
    stream: S,
    /// Whether all that was written is flushed: then the next bytes begin an answer, or a part of one.
    flushed: bool,
    /// Whether the next bytes may also be a part of an answer without a mark of its own: so it is in HTTP/1.0.
    is_bare: Arc<AtomicBool>,
    instead: Option<Instead>,
    /// Until when what the client sends is read; once something was refused.
    lingers: Option<Pin<Box<Sleep>>>,
}

/// What is written instead of the library's answer.
struct Instead {
    bytes: Vec<u8>,
    written: usize,
    /// The bytes of the answer that it stands for.
    length: usize,
}

impl<S> Refusals<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, flushed: true, is_bare: Arc::default(), instead: None, lingers: None }
    }

    /// To be called with each request of the connection.
    pub(super) fn notice(&self) -> impl Fn(Version) + Clone + use<S> {
        let is_bare = self.is_bare.clone();
        move |version| {
            if version != Version::HTTP_11 {
                is_bare.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl Instead {
    /// The answer to write where `bytes` are a refusal of the library: all answers of the service have further headers.
    fn of(bytes: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let first = lines.next()?;
        let (kind, detail) = match first.strip_prefix("HTTP/1.1 ")?.get(..3)? {
            "400" => (
                Kind::BAD_REQUEST,
                "the first line or a header of the request is not sound HTTP/1.1 (a method, a path in ASCII, at most one \
                 Content-Length, and not beside a Transfer-Encoding); nothing of it was done",
            ),
            "414" => (Kind::URI_TOO_LONG, "the path and query are too long; ask for less at once"),
            "431" => {
                (Kind::HEAD_TOO_LARGE, "the request has too many headers, or too long ones; nothing of it was done")
            }
            _ => return None,
        };
        let body = Problem::new(kind, detail).body().to_string();
        let mut answer = format!("{first}\r\n");
        for line in lines {
            match line.split_once(':')?.0 {
                "content-length" => {}
                "connection" | "date" => answer.extend([line, "\r\n"]),
                _ => return None,
            }
        }
        // Writing to a string cannot fail.
        let _ = write!(
            answer,
            "content-type: application/problem+json\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\n\r\n{body}",
            body.len()
        );
        Some(Self { bytes: answer.into_bytes(), written: 0, length: bytes.len() })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Refusals<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Refusals<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if mem::replace(&mut this.flushed, false) && !this.is_bare.load(Ordering::Relaxed) {
            this.instead = Instead::of(bytes);
        }
        let Some(instead) = &mut this.instead else { return Pin::new(&mut this.stream).poll_write(context, bytes) };
        while instead.written < instead.bytes.len() {
            let rest = &instead.bytes[instead.written..];
            match ready!(Pin::new(&mut this.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => instead.written += count,
            }
        }
        let length = instead.length;
        this.instead = None;
        this.lingers = Some(Box::pin(sleep(LINGER)));
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = parts.iter().filter(|part| !part.is_empty());
        if let (Some(only), None) = (filled.next(), filled.next()) {
            return self.poll_write(context, only);
        }
        let this = self.get_mut();
        this.flushed = false;
        Pin::new(&mut this.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        this.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        let Some(until) = &mut this.lingers else { return Poll::Ready(Ok(())) };
        let mut space = [0; 4096];
        while until.as_mut().poll(context).is_pending() {
            let mut part = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, &mut part));
            if read.is_err() || part.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
