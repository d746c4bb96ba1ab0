//! How much one caller may ask for: requests a second, and requests at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::http::problem::{Outcome, Problem, ProblemKind};

/// The callers that are remembered before those that have been quiet are forgotten.
const REMEMBERED: usize = 10_000;

/// What callers may ask for.
#[derive(Debug, Clone)]
pub(in crate::http) struct CallerLimits(Arc<LimitsInner>);

#[derive(Debug)]
struct LimitsInner {
    /// Requests a second, and as many at a stroke.
    rate: Option<u32>,
    /// Requests at once.
    concurrent: usize,
    callers: Mutex<HashMap<String, CallerUse>>,
}

/// What a caller has asked for of late.
#[derive(Debug)]
struct CallerUse {
    /// Requests that it may send now.
    left: f64,
    at: Instant,
    under_way: usize,
}

/// A request under way; it ends with this value.
#[derive(Debug)]
pub(in crate::http) struct RequestUnderWay {
    limits: CallerLimits,
    caller: String,
}

impl CallerLimits {
    pub(in crate::http) fn new(rate: Option<u32>, concurrent: usize) -> Self {
        Self(Arc::new(LimitsInner { rate, concurrent, callers: Mutex::new(HashMap::new()) }))
    }

    fn lock_callers(&self) -> MutexGuard<'_, HashMap<String, CallerUse>> {
        self.0.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request of `caller` through, or says when to come again.
    pub(in crate::http) fn admit_request(&self, caller: &str) -> Outcome<RequestUnderWay> {
        let mut callers = self.lock_callers();
        // A forgotten caller begins with a full burst. That is little, and names cannot be made up without a token.
        if callers.len() > REMEMBERED {
            callers.retain(|_, caller| caller.under_way > 0);
        }
        let burst = f64::from(self.0.rate.unwrap_or(1));
        let fresh = || CallerUse { left: burst, at: Instant::now(), under_way: 0 };
        let held = callers.entry(caller.to_owned()).or_insert_with(fresh);
        // Before the rate, so that a request that is refused here uses up nothing of it.
        if held.under_way >= self.0.concurrent {
            let detail = format!("this token has {} requests under way, the most at once", held.under_way);
            return Err(Problem::new(ProblemKind::TOO_MANY_REQUESTS, detail).retry_after(1));
        }
        if let Some(rate) = self.0.rate {
            // A token bucket: what was not used adds up to one second's worth, and no further.
            held.left = (held.left + held.at.elapsed().as_secs_f64() * f64::from(rate)).min(burst);
            held.at = Instant::now();
            if held.left < 1.0 {
                let detail = format!("this token may send {rate} requests a second");
                return Err(Problem::new(ProblemKind::TOO_MANY_REQUESTS, detail).retry_after(1));
            }
            held.left -= 1.0;
        }
        held.under_way += 1;
        Ok(RequestUnderWay { limits: self.clone(), caller: caller.to_owned() })
    }
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        if let Some(held) = self.limits.lock_callers().get_mut(&self.caller) {
            held.under_way = held.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_limits_of_its_own() {
        let limits = CallerLimits::new(None, 2);
        let held: Vec<_> = (0..2).map(|_| limits.admit_request("a").expect("within the limit")).collect();
        assert!(limits.admit_request("a").is_err());
        assert!(limits.admit_request("b").is_ok());
        drop(held);
        assert!(limits.admit_request("a").is_ok());
    }

    #[test]
    fn a_rate_is_a_stroke_and_then_so_many_a_second() {
        let limits = CallerLimits::new(Some(3), 100);
        assert_eq!((0..10).filter(|_| limits.admit_request("a").is_ok()).count(), 3);
        std::thread::sleep(std::time::Duration::from_millis(400));
        assert!(limits.admit_request("a").is_ok());
    }
}
