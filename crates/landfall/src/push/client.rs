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

use super::Options;
use crate::{
    exit::{Exit, Fault},
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
pub(crate) struct Client {
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
pub(super) enum Asked<'r> {
    /// What the service knows of the table.
    Table,
    /// That it take rows, under a key.
    Rows { body: &'r [u8], key: &'r str },
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Whether the request had been answered before, and this is that answer once more.
    pub(super) replayed: bool,
}

/// What became of one attempt.
enum Attempt {
    Answered(Answer),
    /// It may succeed later.
    Later(Trouble, Option<Duration>),
    Never(Trouble),
}

/// Why there is no answer to work with.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) exit: Exit,
    pub(super) status: Option<u16>,
    /// The last word of the problem's type.
    pub(super) kind: String,
    pub(super) words: String,
}

/// A problem, as the service writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    r#type: String,
    title: String,
    detail: String,
}

impl Trouble {
    fn lost(words: String) -> Self {
        Self { exit: Exit::Lost, status: None, kind: String::new(), words }
    }

    /// Whether a body of fewer rows may be taken.
    pub(super) fn is_too_much(&self) -> bool {
        self.status == Some(413) || self.kind == "too-many-rows"
    }

    /// What a refusal says.
    fn of(answer: &Answer) -> Self {
        let status = answer.status;
        let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
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
    pub(super) fn told(&self, what: &str, attempts: u32) -> Fault {
        let tries = if attempts > 1 { format!(", {attempts} times") } else { String::new() };
        Fault::ends(self.exit, format!("{what}{tries}: {}", self.words))
    }
}

impl Client {
    /// What asks the service of `options`.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let connections = options.parallel + 1;
        let agent = web::agent(&options.service, options.authority.as_deref(), options.patience, connections)
            .map_err(|error| Fault::usage(format!("{error:#}")))?;
        let (rule, atomic) = (options.on_conflict.as_str(), options.atomic);
        let base = options.service.to_string();
        Ok(Self {
            agent,
            table: format!("{}/v1/tables/{}", base.trim_end_matches('/'), encoded(&options.table)),
            query: format!("on_conflict={rule}&atomic={atomic}"),
            bearer: options.token.as_ref().map(|token| format!("Bearer {token}")),
            retries: options.retries,
            stopped: AtomicBool::new(false),
        })
    }

    /// Asks until there is an answer, patience ends, or nothing more is to be sent; how often it was asked.
    pub(super) fn ask(&self, asked: &Asked<'_>) -> (u32, Result<Answer, Trouble>) {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(asked, attempts) {
                Attempt::Answered(answer) => return (attempts, Ok(answer)),
                Attempt::Never(trouble) => return (attempts, Err(trouble)),
                Attempt::Later(trouble, _) if attempts > self.retries => return (attempts, Err(trouble)),
                Attempt::Later(trouble, told) => {
                    let wait = told.map_or_else(|| backoff(attempts), |told| told.min(LONGEST_ASKED));
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
                    if !self.wait(wait) {
                        return (attempts, Err(trouble));
                    }
                }
            }
        }
    }

    /// Waits; false where nothing more is to be sent.
    fn wait(&self, length: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < length {
            if self.stopped.load(Ordering::Relaxed) {
                return false;
            }
            sleep(Duration::from_millis(50).min(length.saturating_sub(begun.elapsed())));
        }
        true
    }

    fn attempt(&self, asked: &Asked<'_>, attempt: u32) -> Attempt {
        match self.send(asked, attempt).and_then(read) {
            Ok((answer, retry_after)) => judged(answer, retry_after),
            Err(error) if is_final(&error) => {
                Attempt::Never(Trouble { exit: Exit::Target, ..Trouble::lost(error.to_string()) })
            }
            Err(error) => Attempt::Later(Trouble::lost(error.to_string()), None),
        }
    }

    fn send(&self, asked: &Asked<'_>, attempt: u32) -> Result<Response<ureq::Body>, ureq::Error> {
        match asked {
            Asked::Table => {
                let mut request = self.agent.get(format!("{}?counts=false", self.table));
                if let Some(bearer) = &self.bearer {
                    request = request.header(header::AUTHORIZATION, bearer);
                }
                request.call()
            }
            Asked::Rows { body, key } => {
                let mut request = self
                    .agent
                    .post(format!("{}/rows?{}", self.table, self.query))
                    .header(header::CONTENT_TYPE, "text/csv")
                    .header("idempotency-key", *key);
                if let Some(bearer) = &self.bearer {
                    request = request.header(header::AUTHORIZATION, bearer);
                }
                if body.len() > ASK_BEYOND || attempt > 1 {
                    request = request.header(header::EXPECT, "100-continue");
                }
                request.send(*body)
            }
        }
    }
}

/// An answer, and how long it asks to wait.
fn read(mut response: Response<ureq::Body>) -> Result<(Answer, Option<Duration>), ureq::Error> {
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let replayed = text("idempotency-replayed") == Some("true");
    let retry_after = text("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec()?;
    Ok((Answer { status, body, replayed }, retry_after))
}

fn judged(answer: Answer, retry_after: Option<Duration>) -> Attempt {
    let is_problem = || serde_json::from_slice::<Problem>(&answer.body).is_ok_and(|problem| !problem.title.is_empty());
    match answer.status {
        200 | 201 => Attempt::Answered(answer),
        // All rows of a batch may have been rejected.
        422 if !is_problem() => Attempt::Answered(answer),
        408 | 409 | 429 | 502..=504 => Attempt::Later(Trouble::of(&answer), retry_after),
        _ => Attempt::Never(Trouble::of(&answer)),
    }
}

/// Whether the same request fails in the same way again: a certificate that is not trusted, for one.
fn is_final(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        ureq::Error::Timeout(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => false,
        ureq::Error::Protocol(_) => false,
        _ => true,
    }
}

/// How long to wait after so many attempts: somewhat by chance, so that many clients do not come at once.
fn backoff(attempts: u32) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << (attempts - 1).min(16)).min(LONGEST_WAIT);
    let chance = getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX));
    whole.mul_f64(0.5 + chance / 2.0)
}

/// `text` as one part of a path.
fn encoded(text: &str) -> String {
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
            let wait = backoff(attempts).as_millis();
            assert!((most / 2..=most).contains(&wait), "{attempts}: {wait}");
        }
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encoded("a/b c-ä"), "a%2Fb%20c-%C3%A4");
    }
}
