//! One request, sent until it is answered.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Deserialize;
use ureq::{
    Agent,
    http::{Response, header},
};

use super::PushOptions;
use crate::{
    exit::{CommandError, Exit},
    web,
};

/// The first wait before a request is sent again; each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The longest that a service may ask to wait.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// After so many attempts the user is told, who would otherwise wait and not know for what.
const TOLD_AFTER: u32 = 3;

/// Bodies beyond this are only sent once the service says that it takes them, so that a refusal is not lost under way.
const ASK_BEYOND: usize = 256 << 10;

/// The most bytes of an answer.
const ANSWER_BYTES: u64 = 64 << 20;

/// A service that rows are sent to.
pub(crate) struct PushClient {
    agent: Agent,
    /// The address of the table, with its name encoded.
    pub(super) table: String,
    /// What is asked of the rows.
    pub(super) query: String,
    bearer: Option<String>,
    retries: u32,
    /// Set once nothing more is to be sent.
    pub(super) stopped: AtomicBool,
}

/// What was asked.
pub(super) enum ServiceRequest<'r> {
    /// What the service knows of the table.
    Table,
    /// That it take rows, under a key.
    Rows { body: &'r [u8], key: &'r str },
}

/// A whole answer.
pub(super) struct ServiceAnswer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Whether the request had been answered before, and this is that answer once more.
    pub(super) replayed: bool,
}

/// What became of one attempt.
enum RequestAttempt {
    Answered(ServiceAnswer),
    /// It may succeed later.
    Later(RequestFailure, Option<Duration>),
    Never(RequestFailure),
}

/// Why there is no answer to work with.
#[derive(Debug)]
pub(super) struct RequestFailure {
    pub(super) exit: Exit,
    pub(super) status: Option<u16>,
    /// The last word of the problem's type.
    pub(super) kind: String,
    pub(super) words: String,
}

/// A problem, as the service writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProblemDocument {
    r#type: String,
    title: String,
    detail: String,
}

impl RequestFailure {
    fn connection_lost(words: String) -> Self {
        Self { exit: Exit::Lost, status: None, kind: String::new(), words }
    }

    /// Whether a body of fewer rows may be taken.
    pub(super) fn is_body_too_large(&self) -> bool {
        self.status == Some(413) || self.kind == "too-many-rows"
    }

    /// What a refusal says.
    fn from_answer(answer: &ServiceAnswer) -> Self {
        let status = answer.status;
        // A proxy answers in HTML: without a title, it was not Landfall.
        let problem: ProblemDocument = serde_json::from_slice(&answer.body).unwrap_or_default();
        let kind = problem.r#type.rsplit(':').next().unwrap_or_default().to_owned();
        let words = match (&*problem.title, &*problem.detail) {
            ("", _) => format!("the answer was {status}, without a word of Landfall"),
            (title, "") => format!("{title} ({status})"),
            (title, detail) => format!("{title} ({status}): {detail}"),
        };
        let exit = match status {
            404 => Exit::Usage,
            400 | 413 | 422 => Exit::Source,
            408 | 409 | 429 | 502..=504 => Exit::Lost,
            _ => Exit::Target,
        };
        Self { exit, status: Some(status), kind, words }
    }

    /// The error with which the command ends, after `attempts`.
    pub(super) fn to_command_error(&self, what: &str, attempts: u32) -> CommandError {
        let tries = if attempts > 1 { format!(", {attempts} times") } else { String::new() };
        CommandError::with_exit(self.exit, format!("{what}{tries}: {}", self.words))
    }
}

impl PushClient {
    /// What asks the service of `options`.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub(crate) fn new(options: &PushOptions) -> Result<Self> {
        let connections = options.parallel + 1;
        let agent = web::build_agent(&options.service, options.authority.as_deref(), options.patience, connections)
            .map_err(|error| CommandError::usage_error(format!("{error:#}")))?;
        let (rule, atomic) = (options.on_conflict.as_str(), options.atomic);
        let base = options.service.to_string();
        Ok(Self {
            agent,
            table: format!("{}/v1/tables/{}", base.trim_end_matches('/'), encode_path_part(&options.table)),
            // In one fixed form: the service compares it when a key comes again.
            query: format!("on_conflict={rule}&atomic={atomic}"),
            bearer: options.token.as_ref().map(|token| format!("Bearer {token}")),
            retries: options.retries,
            stopped: AtomicBool::new(false),
        })
    }

    /// Asks until there is an answer, patience ends, or nothing more is to be sent; how often it was asked.
    pub(super) fn send_until_answered(
        &self,
        asked: &ServiceRequest<'_>,
    ) -> (u32, Result<ServiceAnswer, RequestFailure>) {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt_request(asked, attempts) {
                RequestAttempt::Answered(answer) => return (attempts, Ok(answer)),
                RequestAttempt::Never(trouble) => return (attempts, Err(trouble)),
                RequestAttempt::Later(trouble, _) if attempts > self.retries => return (attempts, Err(trouble)),
                RequestAttempt::Later(trouble, told) => {
                    // A service that says when to come again knows better. Yet none may say next year.
                    let wait = told.map_or_else(|| backoff_delay(attempts), |told| told.min(LONGEST_ASKED));
                    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    if attempts == TOLD_AFTER {
                        tracing::warn!(
                            attempts,
                            wait_ms,
                            reason = trouble.words,
                            "the service is asked again, and again"
                        );
                    } else {
                        tracing::info!(attempts, wait_ms, reason = trouble.words, "a request is sent again");
                    }
                    if !self.wait_unless_stopped(wait) {
                        return (attempts, Err(trouble));
                    }
                }
            }
        }
    }

    /// Waits; false where nothing more is to be sent.
    fn wait_unless_stopped(&self, length: Duration) -> bool {
        let begun = Instant::now();
        // In small steps: when another batch has failed for good, the command is to end soon.
        while begun.elapsed() < length {
            if self.stopped.load(Ordering::Relaxed) {
                return false;
            }
            sleep(Duration::from_millis(50).min(length.saturating_sub(begun.elapsed())));
        }
        true
    }

    fn attempt_request(&self, asked: &ServiceRequest<'_>, attempt: u32) -> RequestAttempt {
        match self.send_once(asked, attempt).and_then(read) {
            Ok((answer, retry_after)) => judge_answer(answer, retry_after),
            Err(error) if is_permanent(&error) => RequestAttempt::Never(RequestFailure {
                exit: Exit::Target,
                ..RequestFailure::connection_lost(error.to_string())
            }),
            Err(error) => RequestAttempt::Later(RequestFailure::connection_lost(error.to_string()), None),
        }
    }

    fn send_once(&self, asked: &ServiceRequest<'_>, attempt: u32) -> Result<Response<ureq::Body>, ureq::Error> {
        match asked {
            ServiceRequest::Table => {
                let mut request = self.agent.get(format!("{}?counts=false", self.table));
                if let Some(bearer) = &self.bearer {
                    request = request.header(header::AUTHORIZATION, bearer);
                }
                request.call()
            }
            ServiceRequest::Rows { body, key } => {
                let mut request = self
                    .agent
                    .post(format!("{}/rows?{}", self.table, self.query))
                    .header(header::CONTENT_TYPE, "text/csv")
                    .header("idempotency-key", *key);
                if let Some(bearer) = &self.bearer {
                    request = request.header(header::AUTHORIZATION, bearer);
                }
                // Also after a failure, which may have been a refusal that was lost under way.
                if body.len() > ASK_BEYOND || attempt > 1 {
                    request = request.header(header::EXPECT, "100-continue");
                }
                request.send(*body)
            }
        }
    }
}

/// An answer, and how long it asks to wait.
fn read(mut response: Response<ureq::Body>) -> Result<(ServiceAnswer, Option<Duration>), ureq::Error> {
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let replayed = text("idempotency-replayed") == Some("true");
    // Seconds only. The form with a date needs two clocks that agree.
    let retry_after = text("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec()?;
    Ok((ServiceAnswer { status, body, replayed }, retry_after))
}

fn judge_answer(answer: ServiceAnswer, retry_after: Option<Duration>) -> RequestAttempt {
    let is_problem =
        || serde_json::from_slice::<ProblemDocument>(&answer.body).is_ok_and(|problem| !problem.title.is_empty());
    match answer.status {
        200 | 201 => RequestAttempt::Answered(answer),
        // All rows of a batch may have been rejected.
        422 if !is_problem() => RequestAttempt::Answered(answer),
        // 409: the first request under this key may still be at work.
        408 | 409 | 429 | 502..=504 => RequestAttempt::Later(RequestFailure::from_answer(&answer), retry_after),
        _ => RequestAttempt::Never(RequestFailure::from_answer(&answer)),
    }
}

/// Whether the same request fails in the same way again: a certificate that is not trusted, for one.
fn is_permanent(error: &ureq::Error) -> bool {
    match error {
        // rustls tells by this kind that it does not trust the certificate.
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        ureq::Error::Timeout(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => false,
        ureq::Error::Protocol(_) => false,
        _ => true,
    }
}

/// How long to wait after so many attempts: somewhat by chance, so that many clients do not come at once.
fn backoff_delay(attempts: u32) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << (attempts - 1).min(16)).min(LONGEST_WAIT);
    let chance = getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX));
    whole.mul_f64(0.5 + chance / 2.0)
}

/// `text` as one part of a path.
fn encode_path_part(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let part = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest() {
        for (attempts, most) in [(1, 200), (2, 400), (5, 3200), (9, 30_000), (500, 30_000)] {
            let wait = backoff_delay(attempts).as_millis();
            assert!((most / 2..=most).contains(&wait), "{attempts}: {wait}");
        }
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encode_path_part("a/b c-ä"), "a%2Fb%20c-%C3%A4");
    }
}
