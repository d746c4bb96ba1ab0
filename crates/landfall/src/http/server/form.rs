//! Forms (`multipart/form-data`) whose parts beside the files are bounded: what stands before the first part, and the headers of each.
//! The library that reads forms holds these in memory, however long they are.

use std::{
    future::Future as _,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, BodyDataStream, Bytes};
use futures_core::Stream;

use crate::http::{
    problem::{Outcome, Problem, ProblemKind},
    uploads::form_problem,
};

/// The most bytes before a file: a preamble, or what is left of the part before, and the headers of the file's part. The last piece
/// that was read of the body comes on top.
const BYTES: usize = 64 << 10;

/// What may be read of a form now.
#[derive(Debug, Clone)]
pub(in crate::http) struct FormBound(Arc<FormBudget>);

#[derive(Debug)]
struct FormBudget {
    bytes: AtomicUsize,
    /// Whether more was wanted.
    is_exceeded: AtomicBool,
}

impl FormBound {
    /// The next part of `form`. What follows its headers is the file, which has bounds of its own.
    pub(in crate::http) async fn next_field<'f>(
        &self,
        form: &mut multer::Multipart<'f>,
    ) -> Outcome<Option<multer::Field<'f>>> {
        // Anew for each part: what a file has used is none of the next part's bound.
        self.0.bytes.store(BYTES, Ordering::Relaxed);
        let mut next = pin!(form.next_field());
        let field = std::future::poll_fn(|context| match next.as_mut().poll(context) {
            // Nothing would wake it.
            Poll::Pending if self.0.is_exceeded.load(Ordering::Relaxed) => Poll::Ready(Err(too_large_problem())),
            next => next.map_err(|error| form_problem(&error)),
        });
        let field = field.await?;
        self.0.is_exceeded.store(false, Ordering::Relaxed);
        self.0.bytes.store(usize::MAX, Ordering::Relaxed);
        Ok(field)
    }
}

fn too_large_problem() -> Problem {
    let detail = format!("the form has more than {BYTES} bytes before a file, and in the headers of its part");
    Problem::new(ProblemKind::TOO_LARGE, detail)
}

/// The bytes of a form, as far as they may be read now.
pub(in crate::http) struct FormStream {
    body: BodyDataStream,
    pub(in crate::http) bound: FormBound,
}

impl FormStream {
    pub(in crate::http) fn new(body: Body) -> Self {
        let left = FormBudget { bytes: AtomicUsize::new(BYTES), is_exceeded: AtomicBool::new(false) };
        Self { body: body.into_data_stream(), bound: FormBound(Arc::new(left)) }
    }
}

impl Stream for FormStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let left = self.bound.0.bytes.load(Ordering::Relaxed);
        // Pending and not an error: the library would tell an error of the stream in words of its own.
        if left == 0 {
            self.bound.0.is_exceeded.store(true, Ordering::Relaxed);
            return Poll::Pending;
        }
        let part = ready!(Pin::new(&mut self.body).poll_next(context));
        if let Some(Ok(bytes)) = &part {
            self.bound.0.bytes.store(left.saturating_sub(bytes.len()), Ordering::Relaxed);
        }
        Poll::Ready(part.map(|part| part.map_err(io::Error::other)))
    }
}
