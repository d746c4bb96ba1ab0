//! Answers that are stored with the rows of their request, so that the same request asked again has one effect.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{RowsOutcome, RowsRequest};
use crate::{
    document::{Document, DocumentFilter, NewDocument},
    error::Result,
    targets::{Fence, Pace, Target, TargetRead, Transaction},
    timestamp,
};

/// The kind of document that an answer is.
pub(super) const KIND: &str = "answer";

/// Writes the answer to a request.
type RenderAnswer = Box<dyn Fn(&RowsOutcome) -> Vec<u8> + Send + Sync>;

/// The key of a request that is to have one effect, however often it is sent.
pub struct RequestKey {
    /// The name under which the answer is stored; whoever asks under another identity has another name.
    pub name: String,
    /// What was asked, as a digest of 64 characters: another request must not have the same key.
    pub digest: String,
    /// Writes the answer that is stored.
    pub render: RenderAnswer,
}

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestKey").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum RowsAnswer {
    /// It was done.
    Done(RowsOutcome),
    /// It had been done: the answer of that time, byte for byte.
    Repeated(Vec<u8>),
    /// Something else had been asked under its key.
    OtherRequest,
    /// Nothing was done: it has rejects, and the open rejects of the project may have no more bytes.
    QuarantineFull,
}

/// Forgets the answers that were kept for longer than `kept`; how many. A request that is sent again later is a new one.
///
/// # Errors
/// A database that cannot be written.
pub fn forget_answers(target: &mut dyn Target, kept: Duration) -> Result<u64> {
    let kept = SignedDuration::try_from(kept).unwrap_or(SignedDuration::MAX);
    let Ok(before) = Timestamp::now().checked_sub(kept) else { return Ok(0) };
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let count = transaction.forget_documents(KIND, &timestamp::format_utc(before))?;
    transaction.commit_now()?;
    Ok(count)
}

/// For each of `requests` the answer that is stored under its key.
pub(super) fn find_stored_answers(
    transaction: &dyn Transaction,
    requests: &[&RowsRequest],
) -> Result<Vec<Option<RowsAnswer>>> {
    let names: Vec<String> =
        requests.iter().filter_map(|request| request.key.as_ref()).map(|key| key.name.clone()).collect();
    // Without a key, a request costs no question.
    if names.is_empty() {
        return Ok(vec![None; requests.len()]);
    }
    let found =
        transaction.find_documents(&DocumentFilter { names: Some(names), ..DocumentFilter::all_of_kind(KIND) })?;
    let answer = |request: &&RowsRequest| {
        let key = request.key.as_ref()?;
        let document = found.iter().find(|document| document.name == key.name)?;
        Some(read_answer(document, &key.digest))
    };
    Ok(requests.iter().map(answer).collect())
}

/// The document that keeps the answer to `request`.
pub(super) fn new_answer_document(request: &RowsRequest, outcome: &RowsOutcome) -> Option<NewDocument> {
    let key = request.key.as_ref()?;
    Some(answer_document(key.name.clone(), &key.digest, &(key.render)(outcome)))
}

/// The document that keeps `answer` under the key `name`, for what was asked as `digest` says.
#[must_use]
pub fn answer_document(name: String, digest: &str, answer: &[u8]) -> NewDocument {
    NewDocument { kind: KIND, name, body: [digest.as_bytes(), answer].concat() }
}

/// What is stored under the key `name`, where something is, for who asks what `digest` says.
///
/// # Errors
/// A target that cannot be read.
pub fn stored_answer(read: &dyn TargetRead, name: &str, digest: &str) -> Result<Option<RowsAnswer>> {
    Ok(read.find_document(KIND, name)?.map(|document| read_answer(&document, digest)))
}

fn read_answer(document: &Document, digest: &str) -> RowsAnswer {
    // The digest has a fixed length, so that it cannot be the beginning of another one.
    let same = document.body.strip_prefix(digest.as_bytes());
    same.map_or(RowsAnswer::OtherRequest, |answer| RowsAnswer::Repeated(answer.to_vec()))
}
