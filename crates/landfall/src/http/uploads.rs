//! Uploads on their way in: the body of a request, or the file of a form, becomes the upload of a job.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use landfall_engine::{
    PublicError,
    jobs::uploads::{UploadStorage, content_too_large},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    problem::{Outcome, Problem, ProblemKind},
    server::body::broken_body_problem,
};

/// Parts of a body that wait to be written.
const WAITING: usize = 16;

/// Where uploads go.
#[derive(Debug, Clone)]
pub(super) struct Uploads {
    pub(super) storage: Arc<dyn UploadStorage>,
    /// The most bytes of one file, also when it is decompressed.
    pub(super) most: u64,
}

/// An upload that was received.
#[derive(Debug)]
pub(super) struct Upload {
    /// The name of its job.
    pub(super) id: String,
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// BLAKE3 of its bytes.
    pub(super) digest: String,
}

/// Whether an upload without bytes is stored too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfEmpty {
    Store,
    Drop,
}

impl Uploads {
    /// Receives `body` as the upload of the job `id`; between two of its parts at most `pause` may pass. If the request ends before
    /// its job is stored, nobody wants the upload: housekeeping removes it.
    pub(super) async fn receive_upload(
        &self,
        id: String,
        body: IncomingFile<'_>,
        pause: Duration,
        if_empty: IfEmpty,
    ) -> Outcome<Upload> {
        let (parts, taken) = mpsc::channel(WAITING);
        let (answer, answered) = oneshot::channel();
        let uploads = self.clone();
        // Written by a thread: the disk or the object storage may keep it waiting.
        tokio::task::spawn_blocking(move || {
            // If the receiver is gone, nobody waits for the answer.
            let _ = answer.send(uploads.write(id, taken, if_empty));
        });
        let sent = forward_parts(body, &parts, pause, self.most).await;
        let whole = sent.is_ok();
        // Only a whole body is told to be at its end. If the sender is just dropped, the draft is thrown away.
        if whole {
            let _ = parts.send(None).await;
        }
        drop(parts);
        let written = answered.await.map_err(|_| lost_upload_problem())?;
        match (sent, written) {
            (Ok(()), Ok(Some(upload))) => Ok(upload),
            // What the writer says comes first: if the disk is full, the sender only sees that nobody takes its
            // parts.
            (_, Err(error)) => Err(error.into()),
            (Err(Some(problem)), _) => Err(problem),
            _ => Err(lost_upload_problem()),
        }
    }

    /// Writes what comes until its end, which is told by `None`. Without that end, nothing is left of it.
    fn write(
        &self,
        id: String,
        mut parts: mpsc::Receiver<Option<Bytes>>,
        if_empty: IfEmpty,
    ) -> Result<Option<Upload>, PublicError> {
        let mut draft = self.storage.begin_upload(&id)?;
        loop {
            match parts.blocking_recv() {
                None => return Ok(None),
                Some(None) => break,
                Some(Some(part)) => draft.write(&part)?,
            }
        }
        draft.finish_draft(self.most)?;
        let (bytes, digest) = (draft.bytes(), draft.content_digest());
        if bytes > 0 || if_empty == IfEmpty::Store {
            self.storage.store_upload(draft)?;
        }
        Ok(Some(Upload { id, bytes, digest }))
    }

    /// Removes the upload of the job `id`, which was not stored.
    pub(super) async fn remove(&self, id: String) {
        let storage = self.storage.clone();
        let removed = tokio::task::spawn_blocking(move || storage.remove(&id)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%error, "an upload cannot be removed now; it is later");
        }
    }
}

/// What a file comes in.
pub(super) enum IncomingFile<'b> {
    /// The body is the file.
    Body(Body),
    /// The file is a part of a form.
    Field(Box<multer::Field<'b>>),
}

impl IncomingFile<'_> {
    async fn next(&mut self) -> Outcome<Option<Bytes>> {
        match self {
            Self::Body(body) => loop {
                let Some(frame) = body.frame().await else { return Ok(None) };
                if let Ok(data) = frame.map_err(|error| broken_body_problem(&error))?.into_data() {
                    return Ok(Some(data));
                }
            },
            Self::Field(field) => field.chunk().await.map_err(|error| form_problem(&error)),
        }
    }
}

/// A form that cannot be read.
pub(super) fn form_problem(error: &multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(cause) => broken_body_problem(&**cause),
        _ => Problem::new(ProblemKind::WRONG_SHAPE, format!("the form cannot be read: {error}")),
    }
}

/// Hands the parts of a body over. If nobody takes them, whoever should have says why.
async fn forward_parts(
    mut body: IncomingFile<'_>,
    parts: &mpsc::Sender<Option<Bytes>>,
    pause: Duration,
    most: u64,
) -> Result<(), Option<Problem>> {
    let mut received = 0;
    loop {
        let next = timeout(pause, body.next()).await;
        let next = next.map_err(|_| Problem::new(ProblemKind::TIMEOUT, "no further part of the body came in time"))?;
        let Some(part) = next? else { return Ok(()) };
        received += part.len() as u64;
        // Counted while it comes, since an upload in chunks announces no length.
        if received > most {
            return Err(Some(content_too_large(most).into()));
        }
        parts.send(Some(part)).await.map_err(|_| None)?;
    }
}

fn lost_upload_problem() -> Problem {
    Problem::new(ProblemKind::INTERNAL, "the upload was lost; send it again")
}
