//! What is shared by all callers: threads, memory. None of them can have all of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The callers that are remembered before those that have nothing are forgotten.
const REMEMBERED: usize = 1000;

/// A stock of equal pieces.
#[derive(Debug)]
pub(in crate::http) struct ShareStock {
    all: Arc<Semaphore>,
    total: usize,
    /// The most pieces of one caller.
    share: usize,
    callers: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// Some pieces; they go back when this is dropped.
#[derive(Debug)]
pub(in crate::http) struct StockShare {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl ShareStock {
    /// A stock of `total` pieces, of which one caller has at most `share`. Where nobody has a token, all are one caller.
    pub(in crate::http) fn new(total: usize, share: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(total)), total, share, callers: Mutex::default() }
    }

    /// Takes `count` pieces for `caller`, once there are so many; nothing where that can never be.
    pub(in crate::http) async fn take_share(&self, caller: &str, count: u32) -> Option<StockShare> {
        // The own share first: who waits here holds nothing that others wait for.
        let own = self.caller_semaphore(caller).acquire_many_owned(count).await.ok()?;
        let all = self.all.clone().acquire_many_owned(count).await.ok()?;
        Some(StockShare { _own: own, _all: all })
    }

    fn caller_semaphore(&self, caller: &str) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() > REMEMBERED {
            callers.retain(|_, own| own.strong_count() > 0);
        }
        if let Some(own) = callers.get(caller).and_then(Weak::upgrade) {
            return own;
        }
        // Nobody with a token has an empty name.
        let own = Arc::new(Semaphore::new(if caller.is_empty() { self.total } else { self.share }));
        callers.insert(caller.to_owned(), Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use std::time::Duration;

    use tokio::{runtime::Builder, time::timeout};

    use super::*;

    #[test]
    fn one_caller_leaves_something_to_others() {
        Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
            let shares = ShareStock::new(4, 3);
            let soon = Duration::from_millis(50);
            let first = shares.take_share("a", 3).await.unwrap();
            assert!(timeout(soon, shares.take_share("a", 1)).await.is_err());
            let other = shares.take_share("b", 1).await.unwrap();
            assert!(timeout(soon, shares.take_share("b", 1)).await.is_err());
            drop((first, other));
            assert!(timeout(soon, shares.take_share("", 4)).await.is_ok());
            assert!(timeout(soon, shares.take_share("a", 3)).await.is_ok());
        });
    }
}
