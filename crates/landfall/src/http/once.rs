//! Requests that have one effect, however often they are sent: under an `Idempotency-Key`, the first answer is kept and repeated.
//!
//! The answer is in the transaction of its effect ([`once_within`]): of rows, tasks, cancellations, discards, mends and retries. Rejects
//! that waited for what a retry brought are released in transactions of their own, after which the answer is brought up to date. Only an
//! export has no transaction, since its effect is a file: it is answered for once it is written ([`once_afterwards`]). If the process dies in
//! between, nobody has a link to the file, which is removed when its time ends; the same request writes another.

use std::{future::Future, sync::Arc};

use axum::{body::to_bytes, http::StatusCode, response::Response};
use landfall_engine::{
    Error, TargetErrorKind,
    document::NewDocument,
    pipeline::{answer_document, stored_answer},
    targets::{Fence, Pace, Target},
};

use super::{
    call::Call,
    problem::{Outcome, Problem, ProblemKind},
    resources::rows::{RequestName, repeat_answer},
    service::Service,
};

/// A key while its request is under way.
pub(super) struct InFlight {
    service: Arc<Service>,
    name: String,
}

impl InFlight {
    /// Enters the key `name`, as [`RequestName::from_call`] gives it; refuses it where another request has it.
    pub(super) fn enter_key(service: &Arc<Service>, name: &str) -> Outcome<Self> {
        let mut keys = service.in_flight.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Not made to wait: the copy would hold a connection for as long as the first request takes.
        if !keys.insert(name.to_owned()) {
            let detail = "a request with this Idempotency-Key is under way; ask again for its answer";
            return Err(Problem::new(ProblemKind::IN_FLIGHT, detail).retry_after(1));
        }
        Ok(Self { service: service.clone(), name: name.to_owned() })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut keys = self.service.in_flight.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.remove(&self.name);
    }
}

/// The key of a request whose body may be long in coming: it is entered before, so that copies need not send theirs.
pub(super) struct UploadKey(InFlight);

impl UploadKey {
    /// Enters the key of `call`, where it has one.
    pub(super) fn enter_key(call: &Call) -> Outcome<Option<Self>> {
        let name = RequestName::from_call(call)?;
        name.map(|name| InFlight::enter_key(&call.service, &name).map(Self)).transpose()
    }

    /// The key, now that it is known what was sent.
    pub(super) fn with_digest(self, call: &Call, digest: &str) -> (RequestName, InFlight) {
        (RequestName::new(self.0.name.clone(), call, digest.as_bytes()), self.0)
    }
}

/// What is kept of an answer.
pub(super) fn document_of_answer(key: RequestName, status: StatusCode, body: &str) -> NewDocument {
    let RequestName { name, digest } = key;
    // The status goes before the body, as three digits; `repeat_answer` cuts them off again.
    answer_document(name, &digest, [status.as_str(), body].concat().as_bytes())
}

/// The answer that is kept under `key`, where there is one.
pub(super) async fn find_answer(service: &Service, key: &RequestName) -> Outcome<Option<Response>> {
    let RequestName { name, digest } = key.clone();
    let stored = service.desk.read_briefly(move |target| stored_answer(target, &name, &digest)).await?;
    stored.map(repeat_answer).transpose()
}

/// Answers with what `work` gives, or with what is kept under the request's key: `body` is what was sent. `work` is told the key, and keeps
/// its answer under it in the transaction of its effect; it gives none where an answer was there before. What it refuses has no effect,
/// and is not kept.
pub(super) async fn once_within<W: Future<Output = Outcome<Option<Response>>>>(
    call: &Call,
    body: &[u8],
    work: impl FnOnce(Option<RequestName>) -> W,
) -> Outcome {
    let key = RequestName::from_call(call)?.map(|name| RequestName::new(name, call, body));
    // Before the look for an answer: two equal requests at once would both find none.
    let _in_flight = key.as_ref().map(|key| InFlight::enter_key(&call.service, &key.name)).transpose()?;
    if let Some(key) = &key
        && let Some(known) = find_answer(&call.service, key).await?
    {
        return Ok(known);
    }
    let overtaken = || {
        let detail = "another request was there first; nothing of this one was done";
        Problem::new(ProblemKind::CONFLICT, detail).retry_after(1)
    };
    match (work(key.clone()).await?, key) {
        (Some(response), _) => Ok(response),
        // Another process has answered the same request just before: then that answer is the one.
        (None, Some(key)) => find_answer(&call.service, &key).await?.ok_or_else(overtaken),
        (None, None) => Err(overtaken()),
    }
}

/// As [`once_within`], for `work` that has no transaction of its own: its answer is kept once it is done.
pub(super) async fn once_afterwards(call: &Call, body: &[u8], work: impl Future<Output = Outcome>) -> Outcome {
    once_within(call, body, async |key| {
        let (head, body) = work.await?.into_parts();
        let lost = |_| Problem::new(ProblemKind::INTERNAL, "the answer was lost; send the same request again");
        // Without a bound, since such an answer is a few lines that the service has written itself.
        let body = to_bytes(body, usize::MAX).await.map_err(lost)?;
        if let Some(key) = key {
            let document = document_of_answer(key, head.status, &String::from_utf8_lossy(&body));
            match call.service.desk.write(move |target| store_answer(target, document)).await {
                Ok(true) => {}
                // Another process has stored an answer under the key, and that one is told.
                Ok(false) => return Ok(None),
                // What was asked for is done: an error would say that it is not.
                Err(problem) => {
                    tracing::warn!(problem = problem.detail_text(), "an answer under an Idempotency-Key is not kept")
                }
            }
        }
        Ok(Some(Response::from_parts(head, body.into())))
    })
    .await
}

/// Keeps an answer; whether none was kept under its key before.
fn store_answer(target: &mut dyn Target, document: NewDocument) -> landfall_engine::Result<bool> {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let added = transaction.add_documents(&[document]).and_then(|()| transaction.commit_now());
    is_first_answer(added)
}

/// Whether what was kept with an answer is the first under its key.
pub(super) fn is_first_answer(added: landfall_engine::Result<()>) -> landfall_engine::Result<bool> {
    unless_overtaken(added).map(|first| first.is_some())
}

/// What was done; none where another process had done it before.
pub(super) fn unless_overtaken<T>(done: landfall_engine::Result<T>) -> landfall_engine::Result<Option<T>> {
    match done {
        Err(Error::Target(error)) if error.kind == TargetErrorKind::Overtaken => Ok(None),
        done => done.map(Some),
    }
}
