//! Threads that read: each has a target of its own, and whoever is free takes the next request. A request that nobody waits for
//! any more is stopped, in the database too.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use landfall_engine::{
    Result,
    targets::{Canceller, Target},
};
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{
    access::shares::{ShareStock, StockShare},
    desk::{TargetWork, lost_thread_problem, refused_problem, wrap_work},
    problem::{Outcome, Problem, ProblemKind},
    reused_target::{ReusedTarget, TargetOpener},
};

/// Requests that wait for a thread.
const WAITING: usize = 1024;
/// How often a request that nobody waits for is stopped again: a database takes no notice of it before a statement has begun.
const STOP_AGAIN: Duration = Duration::from_millis(100);

/// A request for a thread.
struct ReadRequest {
    work: TargetWork,
    ticket: Arc<ReadTicket>,
}

/// What is known of a request by whoever asked and by the thread that reads.
#[derive(Default)]
struct ReadTicket {
    canceller: Arc<Canceller>,
    begun: Notify,
}

/// A pool of threads that read.
pub(super) struct ReaderPool {
    queue: mpsc::Sender<ReadRequest>,
    busy: Arc<AtomicUsize>,
    threads: ShareStock,
}

/// How many threads a pool has, and how many of them one caller has at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct PoolSize {
    pub(super) threads: usize,
    pub(super) share: usize,
}

impl ReaderPool {
    /// Starts the threads of a pool of this size.
    pub(super) fn start_pool(
        name: &str,
        opener: &TargetOpener,
        size: PoolSize,
        staff: &mut Vec<JoinHandle<()>>,
    ) -> std::io::Result<Self> {
        let (queue, taken) = mpsc::channel(WAITING);
        let (taken, busy) = (Arc::new(Mutex::new(taken)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..size.threads {
            let (taken, opener, busy) = (taken.clone(), opener.clone(), busy.clone());
            let run = move || read(&taken, opener, &busy);
            staff.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        }
        Ok(Self { queue, busy, threads: ShareStock::new(size.threads, size.share) })
    }

    /// Threads that read just now.
    pub(super) fn busy_threads(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Runs `work`. Where the answer is not waited for, the work is stopped.
    pub(super) async fn read<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
    ) -> Outcome<R> {
        self.queue_read(work, Arc::default()).await
    }

    /// Runs `work` for a caller, as soon as that has less than its share of the threads.
    pub(super) async fn read_for<R: Send + 'static>(
        &self,
        caller: &str,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
    ) -> Outcome<R> {
        // Before the queue: one caller with many requests must not fill the queue that all others wait in.
        let place = self.threads.take_share(caller, 1).await;
        self.queue_read(holding_place(place, work), Arc::default()).await
    }

    /// The same, for work that may last at most `limit`, and waits at most as long for its turn.
    pub(super) async fn read_within<R: Send + 'static>(
        &self,
        caller: &str,
        limit: Duration,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
    ) -> Outcome<R> {
        let waits = || Problem::too_busy("other reports take all the time that there is; nothing of this one was run");
        let place = timeout(limit, self.threads.take_share(caller, 1)).await.map_err(|_| waits())?;
        let ticket = Arc::new(ReadTicket::default());
        let mut asked = pin!(self.queue_read(holding_place(place, work), ticket.clone()));
        // The limit counts anew once the report has begun: time in the queue is not its own.
        tokio::select! {
            outcome = &mut asked => return outcome,
            () = ticket.begun.notified() => {}
            () = sleep(limit) => return Err(waits()),
        }
        timeout(limit, asked).await.unwrap_or_else(|_| Err(timeout_problem(limit)))
    }

    fn queue_read<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
        ticket: Arc<ReadTicket>,
    ) -> impl Future<Output = Outcome<R>> {
        let (work, answered) = wrap_work(work);
        // Sent when this is called and not when it is first polled, so that requests keep their order.
        let sent =
            self.queue.try_send(ReadRequest { work, ticket: ticket.clone() }).map_err(|error| refused_problem(&error));
        async move {
            sent?;
            // Dropped if the client goes away: hyper then drops the whole handler.
            let waiting = StopsWhenDropped(Some(ticket));
            let answer = answered.await;
            waiting.keep_result();
            answer.map_err(|_| lost_thread_problem())?.map_err(Problem::from)
        }
    }
}

/// `work` that gives its caller's place back when it has ended: also where nobody waits for it any more.
fn holding_place<R>(
    place: Option<StockShare>,
    work: impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static,
) -> impl FnOnce(&mut dyn Target) -> Result<R> + Send + 'static {
    move |target: &mut dyn Target| {
        let _place = place;
        work(target)
    }
}

fn timeout_problem(limit: Duration) -> Problem {
    let seconds = limit.as_secs();
    let detail = format!("the report ran for {seconds} seconds, the most that it may take here, and was stopped");
    Problem::new(ProblemKind::REPORT_TIMEOUT, detail)
}

/// Stops the work of a request whose answer nobody waits for any more.
struct StopsWhenDropped(Option<Arc<ReadTicket>>);

impl StopsWhenDropped {
    fn keep_result(mut self) {
        self.0 = None;
    }
}

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        let Some(ticket) = self.0.take() else { return };
        // First without a wait: work that is still in the queue then never begins.
        ticket.canceller.refuse_more();
        // Outside of the runtime, while the service ends, there is nothing to spawn on.
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            handle.spawn(stop_request(ticket));
        }
    }
}

/// Stops a request until its thread has given its ticket up.
async fn stop_request(ticket: Arc<ReadTicket>) {
    // The thread holds the other reference as long as it works.
    while Arc::strong_count(&ticket) > 1 {
        if ticket.canceller.is_statement_running() {
            let canceller = ticket.canceller.clone();
            // A server is asked over a connection of its own, which may take seconds.
            let _ = tokio::task::spawn_blocking(move || canceller.cancel_statement()).await;
        }
        sleep(STOP_AGAIN).await;
    }
}

/// A thread that reads.
fn read(queue: &Mutex<mpsc::Receiver<ReadRequest>>, opener: TargetOpener, busy: &AtomicUsize) {
    let mut held = ReusedTarget::new(opener);
    loop {
        // The lock is held while one thread waits for the next request; the others wait for the lock, in turn.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(ReadRequest { work, ticket }) = next else { return };
        if ticket.canceller.is_cancelled() {
            continue;
        }
        ticket.begun.notify_one();
        busy.fetch_add(1, Ordering::Relaxed);
        held.run_cancellable(work, &ticket.canceller);
        busy.fetch_sub(1, Ordering::Relaxed);
    }
}
