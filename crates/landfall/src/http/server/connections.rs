//! Open connections: how many there may be, and which one makes way for another. Clients keep connections open for their next
//! request; so many idle ones must not keep others out, and must not use up the descriptors that the database and files need.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Open connections, where the system allows so many.
const MOST: usize = 4096;
/// Open connections, where the system allows few descriptors: with fewer there is no service.
const LEAST: usize = 4;
/// Descriptors that the database and files may need beyond those of connections: readers and writers with the files of a database
/// each, uploads, exports, backups.
const RESERVE: usize = 40;
/// How long a connection is given to make way before another is asked to.
const PATIENCE: Duration = Duration::from_millis(20);
/// A connection is idle once it has been so for this long after an answer; before its first request, its client needs longer, since
/// what it sends may still be on its way.
const IDLE: Duration = Duration::from_millis(50);
const SILENT: Duration = Duration::from_secs(1);

/// Raises the limit of open files to what the system allows, and tells how many connections fit into it.
pub(in crate::http) fn connections_that_fit() -> usize {
    let limits = getrlimit(Resource::Nofile);
    if limits.current < limits.maximum {
        // The soft limit of most systems is 1024, and each connection may need two descriptors.
        let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files cannot be raised");
        }
    }
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let most = fitting_connections(limit.unwrap_or(usize::MAX), open);
    if most < MOST {
        tracing::warn!(
            connections = most,
            limit,
            "few files may be open at once (ulimit -n), so that few connections may be"
        );
    }
    most
}

/// How many connections fit into `limit` where `open` descriptors are in use. Each may need a second one, for a file that is
/// sent over it.
fn fitting_connections(limit: usize, open: usize) -> usize {
    (limit.saturating_sub(open + RESERVE) / 2).clamp(LEAST, MOST)
}

/// The open connections.
#[derive(Debug)]
pub(in crate::http) struct OpenConnections {
    places: Arc<Semaphore>,
    most: usize,
    open: Mutex<HashMap<u64, Arc<OpenConnection>>>,
    next: AtomicU64,
}

/// One open connection.
#[derive(Debug)]
struct OpenConnection {
    usage: Mutex<ConnectionUse>,
    /// Whether it was asked to make way.
    leaves: AtomicBool,
    asked: Notify,
}

/// Whether a connection is in use.
#[derive(Debug)]
struct ConnectionUse {
    requests: usize,
    /// When it is idle, unless there is a request under way.
    idle_at: Instant,
}

/// A place that a connection has. It is free again when this is dropped.
#[derive(Debug)]
pub(in crate::http) struct ConnectionPlace {
    connections: Arc<OpenConnections>,
    connection: Arc<OpenConnection>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

/// A request under way, until its answer has been handed over.
#[derive(Debug)]
pub(in crate::http) struct RequestInUse(Arc<OpenConnection>);

fn lock_mutex<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpenConnections {
    /// At most so many.
    pub(in crate::http) fn new(most: usize) -> Arc<Self> {
        let (places, open) = (Arc::new(Semaphore::new(most)), Mutex::default());
        Arc::new(Self { places, most, open, next: AtomicU64::new(0) })
    }

    /// Whether there are none.
    pub(in crate::http) fn are_closed(&self) -> bool {
        self.places.available_permits() == self.most
    }

    /// A place for a connection. Where all are taken, the one that is idle for longest makes way; where none is idle, this waits.
    pub(in crate::http) async fn take_place(self: &Arc<Self>) -> ConnectionPlace {
        let permit = loop {
            if let Ok(permit) = self.places.clone().try_acquire_owned() {
                break permit;
            }
            // A connection that only waits for its next request makes room for one that has a request now.
            self.close_idlest();
            if let Ok(Ok(permit)) = timeout(PATIENCE, self.places.clone().acquire_owned()).await {
                break permit;
            }
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let usage = Mutex::new(ConnectionUse { requests: 0, idle_at: Instant::now() + SILENT });
        let connection = Arc::new(OpenConnection { usage, leaves: AtomicBool::new(false), asked: Notify::new() });
        lock_mutex(&self.open).insert(number, connection.clone());
        ConnectionPlace { connections: self.clone(), connection, number, _permit: permit }
    }

    /// Asks the connection that is idle for longest to make way.
    pub(in crate::http) fn close_idlest(&self) {
        let (open, now) = (lock_mutex(&self.open), Instant::now());
        let idle_at = |connection: &&Arc<OpenConnection>| lock_mutex(&connection.usage).idle_at;
        let idle = |connection: &&Arc<OpenConnection>| {
            !connection.leaves.load(Ordering::Relaxed) && connection.is_idle() && idle_at(connection) <= now
        };
        let idlest = open.values().filter(idle).min_by_key(idle_at);
        if let Some(connection) = idlest {
            // Only a request to leave: its own task ends it, and not in the middle of an answer.
            connection.leaves.store(true, Ordering::Relaxed);
            connection.asked.notify_one();
        }
    }
}

impl OpenConnection {
    fn is_idle(&self) -> bool {
        lock_mutex(&self.usage).requests == 0
    }
}

impl ConnectionPlace {
    /// A request begins.
    pub(in crate::http) fn begin_request(&self) -> RequestInUse {
        lock_mutex(&self.connection.usage).requests += 1;
        RequestInUse(self.connection.clone())
    }

    /// Whether no request is under way.
    pub(in crate::http) fn is_idle(&self) -> bool {
        self.connection.is_idle()
    }

    /// Ends when the connection is to make way.
    pub(in crate::http) async fn asked_to_leave(&self) {
        self.connection.asked.notified().await;
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        lock_mutex(&self.connections.open).remove(&self.number);
    }
}

impl Drop for RequestInUse {
    fn drop(&mut self) {
        let mut usage = lock_mutex(&self.0.usage);
        usage.requests = usage.requests.saturating_sub(1);
        // A client that sends the next request at once must not find its connection closed.
        usage.idle_at = Instant::now() + IDLE;
    }
}

/// The body of an answer, which keeps its connection in use.
pub(in crate::http) struct CountedBody {
    pub(in crate::http) body: Body,
    pub(in crate::http) _in_use: RequestInUse,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_the_database() {
        assert_eq!(fitting_connections(64, 12), 6);
        assert_eq!(fitting_connections(20, 12), LEAST);
        assert_eq!(fitting_connections(1024, 24), 480);
        assert_eq!(fitting_connections(1 << 20, 24), MOST);
        assert_eq!(fitting_connections(usize::MAX, 0), MOST);
    }

    #[tokio::test]
    async fn the_connection_that_is_idle_for_longest_makes_way() {
        let connections = OpenConnections::new(2);
        let (busy, idle) = (connections.take_place().await, connections.take_place().await);
        let in_use = busy.begin_request();
        let waiting = tokio::spawn({
            let connections = connections.clone();
            async move { connections.take_place().await }
        });
        idle.asked_to_leave().await;
        assert!(!waiting.is_finished() && !busy.is_idle() && idle.is_idle());
        drop(idle);
        let _next = waiting.await;
        drop(in_use);
        assert!(busy.is_idle() && !connections.are_closed());
    }
}
