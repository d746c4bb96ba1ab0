//! `jobs` in `landfall.yaml`: how the work is done that goes on after its request was answered.

use std::time::Duration;

use landfall_core::schema::document::{DescriptorProblems, DocumentNode};

use super::load_defaults::read_parsed;
use crate::typed::parse_duration;

/// How jobs are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JobConfig {
    /// Jobs at once in a process, if that is said.
    pub(crate) concurrency: Option<usize>,
    /// Attempts that may be lost before a job is given up.
    pub(crate) attempts: u32,
    /// How long a job belongs to a worker that says nothing.
    pub(crate) lease: Duration,
    /// How long ended jobs are kept.
    pub(crate) keep: Duration,
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            concurrency: None,
            attempts: 5,
            lease: Duration::from_secs(15),
            keep: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

pub(super) fn read(node: &DocumentNode, problems: &DescriptorProblems) -> JobConfig {
    let usual = JobConfig::default();
    let Some(mut reader) = node.read_map("\"jobs\"", problems) else { return usual };
    let settings = JobConfig {
        concurrency: read_parsed(&mut reader, "concurrency", parse_concurrency),
        attempts: read_parsed(&mut reader, "attempts", parse_attempts).unwrap_or(usual.attempts),
        lease: read_parsed(&mut reader, "lease", parse_lease).unwrap_or(usual.lease),
        keep: read_parsed(&mut reader, "keep", parse_duration).unwrap_or(usual.keep),
    };
    reader.refuse_unknown();
    settings
}

fn parse_attempts(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=100).contains(count))
        .ok_or_else(|| format!("{text:?} is not a number from 1 to 100"))
}

fn parse_concurrency(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=64).contains(count))
        .ok_or_else(|| format!("{text:?} is not a number from 1 to 64"))
}

/// A shorter lease would run out while a worker waits for a lock, and a longer one keeps others waiting after a crash.
fn parse_lease(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_secs(1)..=Duration::from_secs(3600);
    let wrong = || format!("{text:?} is not a time from 1s to 1h");
    parse_duration(text).and_then(|lease| allowed.contains(&lease).then_some(lease).ok_or_else(wrong))
}
