//! Requests that are refused before any handler sees them. What the HTTP library cannot read it refuses by itself, with a status
//! alone: such an answer gets the body of a problem here, on its way to the client. What the library lets through, and should not
//! be, is made into what it refuses (see `framing`). And what a client still sends when it was answered is read for a while: a
//! connection that is closed before may lose the answer.

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
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use hyper::body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::http::{
    problem::{Outcome, Problem, ProblemKind},
    server::framing::Framing,
    server::listener::HEAD_BYTES,
};

/// The most bytes of a request's target. It must be less than the library takes for a head.
const TARGET_BYTES: usize = 32 << 10;

/// How long, and how many bytes of, what a client still sends is read, once it was answered. Many clients send all of a body before
/// they look for an answer.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_BYTES: u64 = 256 << 20;

/// Headers of which two programs may read different ones, where there are several.
const SINGLE: [&str; 4] = ["Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key"];

/// Bodies of more bytes than this are not read to their end for the sake of the connection.
const REST: u64 = 64 << 10;

/// Lets a request through where its head is sound. Where its body was not read to its end, and is a large one, the client learns
/// that the connection ends with the answer.
pub(in crate::http) async fn refuse_unsound(request: Request, next: Next) -> Response {
    let size = request.body().size_hint();
    // hyper reads the rest of a small body by itself, and the connection can go on.
    let has_large_body = !request.body().is_end_stream() && size.exact().is_none_or(|bytes| bytes > REST);
    let has_ended = Arc::new(AtomicBool::new(!has_large_body));
    let mut response = match check_head(&request) {
        Err(problem) => problem.into_response(),
        Ok(()) if !has_large_body => next.run(request).await,
        Ok(()) => {
            let watched = |body| Body::new(WatchedBody { body, has_ended: has_ended.clone() });
            next.run(request.map(watched)).await
        }
    };
    if !has_ended.load(Ordering::Relaxed) {
        // Otherwise a client would send its next request into a connection that is about to end.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body of which it is known afterwards whether it was read to its end.
struct WatchedBody {
    body: Body,
    has_ended: Arc<AtomicBool>,
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.has_ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn check_head(request: &Request) -> Outcome<()> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES {
        let detail =
            format!("the path and query have {target} bytes, and {TARGET_BYTES} are taken; ask for less at once");
        return Err(Problem::new(ProblemKind::URI_TOO_LONG, detail));
    }
    // The library reads so many bytes at once that its own limit holds only roughly.
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let head = target + headers.sum::<usize>();
    if head > HEAD_BYTES {
        let detail = format!("the first line and the headers have {head} bytes, and {HEAD_BYTES} are taken");
        return Err(Problem::new(ProblemKind::HEAD_TOO_LARGE, detail));
    }
    check_host(request)?;
    let is_given_twice = |name: &&&str| request.headers().get_all(**name).iter().nth(1).is_some();
    match SINGLE.iter().find(is_given_twice) {
        None => Ok(()),
        Some(name) => Err(Problem::new(ProblemKind::BAD_HEADER, format!("{name} is given twice"))),
    }
}

/// RFC 9112, 3.2: there is one Host, and it is a name or address with or without a port. A target with a host of its own must
/// name the same, since the two would be read by different programs.
fn check_host(request: &Request) -> Outcome<()> {
    let wrong = |detail: &str| Err(Problem::new(ProblemKind::BAD_HEADER, detail));
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_11 => {
            return wrong("a request in HTTP/1.1 needs the header Host");
        }
        (None, _) => return Ok(()),
        (Some(_), Some(_)) => return wrong("Host is given twice"),
        (Some(host), None) => host.to_str().unwrap_or_default(),
    };
    if !is_host(host) {
        return wrong("Host must be the name or address of the service, with or without a port, and nothing else");
    }
    match request.uri().authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => {
            wrong("the request's target names another host than the header Host does")
        }
        _ => Ok(()),
    }
}

/// Whether `text` is a host, with or without a port: no user, no path, no list.
fn is_host(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=[]:".contains(&byte);
    let is_whole = |authority: Authority| {
        // `user@host` and `host:` parse as well, and are no Host.
        !authority.host().is_empty() && (authority.host() == text || authority.port_u16().is_some())
    };
    text.bytes().all(sound) && text.parse().is_ok_and(is_whole)
}

/// A connection on which the library's own refusals get their bodies.
pub(in crate::http) struct RefusalStream<S> {
    stream: S,
    /// Whether all that was written is flushed: then the next bytes begin an answer, or a part of one.
    flushed: bool,
    /// Whether the next bytes may also be a part of an answer without a mark of its own: so it is in HTTP/1.0.
    is_bare: Arc<AtomicBool>,
    instead: Option<ReplacementAnswer>,
    /// Where requests begin and end.
    framing: Framing,
    /// Whether they do not any more: then nothing more is read.
    is_unsound: bool,
    /// Whether the library's answer was replaced.
    has_refused: bool,
    /// Until when, and how much of, what the client sends is read, once it was answered.
    lingers: Option<(Pin<Box<Sleep>>, u64)>,
}

/// What is written instead of the library's answer.
struct ReplacementAnswer {
    bytes: Vec<u8>,
    written: usize,
    /// The bytes of the answer that it stands for.
    length: usize,
}

impl<S> RefusalStream<S> {
    pub(in crate::http) fn new(stream: S) -> Self {
        Self {
            stream,
            flushed: true,
            is_bare: Arc::default(),
            instead: None,
            framing: Framing::new(),
            is_unsound: false,
            has_refused: false,
            lingers: None,
        }
    }

    /// To be called with each request of the connection.
    pub(in crate::http) fn request_notifier(&self) -> impl Fn(Version) + Clone + use<S> {
        let is_bare = self.is_bare.clone();
        move |version| {
            if version != Version::HTTP_11 {
                is_bare.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl ReplacementAnswer {
    /// The answer to write where `bytes` are a refusal of the library: all answers of the service have further headers.
    fn from_refusal(bytes: &[u8]) -> Option<Self> {
        // A refusal of the library is a bare head and comes in one write, before anything else of an answer.
        let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let first = lines.next()?;
        let (kind, detail) = match first.strip_prefix("HTTP/1.1 ")?.get(..3)? {
            "400" => (
                ProblemKind::BAD_REQUEST,
                "the first line or a header of the request is not sound HTTP/1.1 (a method, a path in ASCII, lines that end in \
                 CRLF, one Content-Length, or Transfer-Encoding: chunked and nothing else); nothing of it was done",
            ),
            "414" => (ProblemKind::URI_TOO_LONG, "the path and query are too long; ask for less at once"),
            "431" => (
                ProblemKind::HEAD_TOO_LARGE,
                "the request has too many headers, or too long ones; nothing of it was done",
            ),
            _ => return None,
        };
        let body = Problem::new(kind, detail).to_json().to_string();
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

impl<S: AsyncRead + Unpin> AsyncRead for RefusalStream<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_unsound {
            // Reads as the end of the stream. What follows an unsound frame could be a smuggled request.
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, into))?;
        if let Err(unsound) = this.framing.follow_bytes(&into.filled()[before..]) {
            this.is_unsound = true;
            let at = before + unsound.at;
            // A head gets a byte that the library refuses wherever it stands; a body ends too early.
            into.filled_mut()[at] = 0;
            into.set_filled(if unsound.in_head { at + 1 } else { at });
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for RefusalStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if mem::replace(&mut this.flushed, false) && !this.is_bare.load(Ordering::Relaxed) {
            this.instead = ReplacementAnswer::from_refusal(bytes);
        }
        let Some(instead) = &mut this.instead else { return Pin::new(&mut this.stream).poll_write(context, bytes) };
        while instead.written < instead.bytes.len() {
            let rest = &instead.bytes[instead.written..];
            match ready!(Pin::new(&mut this.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => instead.written += count,
            }
        }
        // The library must believe that just its own bytes were written.
        let length = instead.length;
        this.instead = None;
        this.has_refused = true;
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
        // First our side is closed, so that the client sees the answer's end while the rest is read.
        ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        if !(this.has_refused || this.framing.is_within_body()) {
            return Poll::Ready(Ok(()));
        }
        let (until, left) = this.lingers.get_or_insert_with(|| (Box::pin(sleep(LINGER)), LINGER_BYTES));
        let mut space = [0; 16 << 10];
        while *left > 0 && until.as_mut().poll(context).is_pending() {
            let mut part = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, &mut part));
            let followed =
                read.is_ok() && !part.filled().is_empty() && this.framing.follow_bytes(part.filled()).is_ok();
            if !followed || !(this.has_refused || this.framing.is_within_body()) {
                break;
            }
            *left = left.saturating_sub(part.filled().len() as u64);
        }
        Poll::Ready(Ok(()))
    }
}
