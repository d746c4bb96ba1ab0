//! A TCP proxy that fails on demand: what a network does at the worst moment.

mod pump;

use std::{
    io,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::{Context, Result};

use crate::TestDatabase;

/// What a [`Proxy`] does with what passes. A rule that has fired gives way to [`ProxyRule::Pass`], so that the next try gets
/// through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyRule {
    /// Let everything through.
    #[default]
    Pass,
    /// Cut all connections when the clients have sent so many bytes from now on, all connections taken together.
    CutAfterFromClient(u64),
    /// Cut all connections when the server has sent so many bytes from now on, all connections taken together.
    CutAfterFromServer(u64),
    /// Let these bytes through to the server, wait until it has answered, keep the answer, and cut the connection:
    /// `COMMIT`, and nobody knows whether. Without TLS only.
    SwallowAnswer {
        /// What a client sends.
        pattern: Vec<u8>,
        /// How many times it may be answered before.
        skip: u32,
    },
    /// Keep these bytes, and all that a client sends behind them, from the server: it never hears of the `COMMIT`. The connection
    /// stays open until somebody cuts it, as when the server dies now. Without TLS only.
    SwallowRequest {
        /// What a client sends.
        pattern: Vec<u8>,
        /// How many times it may pass before.
        skip: u32,
    },
    /// Take connections, and let nothing through in either direction until there is another rule.
    Hang,
    /// Close new connections as soon as they are made.
    Refuse,
}

impl ProxyRule {
    /// The answer to the statement after `skip` others that hold this text.
    #[must_use]
    pub fn swallow_answer(pattern: &str, skip: u32) -> Self {
        Self::SwallowAnswer { pattern: pattern.as_bytes().to_vec(), skip }
    }
}

impl ProxyRule {
    /// The statement after `skip` others that hold this text.
    #[must_use]
    pub fn swallow_request(pattern: &str, skip: u32) -> Self {
        Self::SwallowRequest { pattern: pattern.as_bytes().to_vec(), skip }
    }
}

/// A TCP proxy before a server on 127.0.0.1. Dropping it cuts all connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<ProxyShared>,
}

#[derive(Debug, Default)]
struct ProxyShared {
    state: Mutex<ProxyState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct ProxyState {
    rule: ProxyRule,
    /// Whether all is refused once the rule has fired.
    refuses_then: bool,
    fired: u32,
    next: u64,
    connections: Vec<ProxyConnection>,
    closed: bool,
}

/// Both ends of a connection through the proxy.
#[derive(Debug)]
struct ProxyConnection {
    number: u64,
    ends: [TcpStream; 2],
    /// Its server's answers are kept back from now on.
    swallowing: bool,
    /// What its client sends is kept back from now on.
    deaf: bool,
}

impl Proxy {
    /// Starts one before the server on this port of 127.0.0.1.
    pub fn start(server: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of 127.0.0.1 is free")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<ProxyShared>::default();
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept_connections(&listener, server, &accepting));
        Ok(Self { port, shared })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A database of the server behind it, reached through it.
    #[must_use]
    pub fn through_proxy(&self, database: &TestDatabase) -> TestDatabase {
        database.through_port(self.port)
    }

    /// The URL of a database of the server behind it, through it.
    #[must_use]
    pub fn proxy_url(&self, database: &TestDatabase) -> String {
        self.through_proxy(database).url()
    }

    /// Puts a rule in force, in place of the one before.
    pub fn set(&self, rule: ProxyRule) {
        let mut state = self.shared.lock_state();
        (state.rule, state.refuses_then) = (rule, false);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// The same; from the moment in which the rule fires, all other connections are cut and new ones refused.
    pub fn set_then_refuse(&self, rule: ProxyRule) {
        self.set(rule);
        self.shared.lock_state().refuses_then = true;
    }

    /// How often a rule has fired.
    #[must_use]
    pub fn times_fired(&self) -> u32 {
        self.shared.lock_state().fired
    }

    /// The connections that are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.lock_state().connections.len()
    }

    /// Cuts all connections now. New ones are taken as before.
    pub fn cut_connections(&self) {
        self.shared.lock_state().cut_all();
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock_state().closed = true;
        self.cut_connections();
        // Wakes up the thread that takes connections. If that has failed, it is gone already.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

impl ProxyShared {
    fn lock_state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProxyState {
    fn cut_all(&mut self) {
        self.connections.drain(..).for_each(|connection| connection.shut_down());
    }

    fn cut_connection(&mut self, number: u64) {
        self.connections
            .extract_if(.., |connection| connection.number == number)
            .for_each(|connection| connection.shut_down());
    }

    fn find_connection(&mut self, number: u64) -> Option<&mut ProxyConnection> {
        self.connections.iter_mut().find(|connection| connection.number == number)
    }

    /// Notes that the rule has fired, on the connection `number`.
    fn note_fired(&mut self, number: u64) {
        self.fired += 1;
        self.rule = ProxyRule::Pass;
        if std::mem::take(&mut self.refuses_then) {
            self.rule = ProxyRule::Refuse;
            self.connections
                .extract_if(.., |connection| connection.number != number)
                .for_each(|connection| connection.shut_down());
        }
    }
}

impl ProxyConnection {
    fn shut_down(&self) {
        // The other side may have been faster.
        self.ends.iter().for_each(|end| drop(end.shutdown(Shutdown::Both)));
    }
}

fn accept_connections(listener: &TcpListener, server: u16, shared: &Arc<ProxyShared>) {
    for client in listener.incoming().flatten() {
        let state = shared.lock_state();
        if state.closed {
            return;
        }
        let refused = state.rule == ProxyRule::Refuse;
        drop(state);
        if !refused {
            // A server that is down looks to the client as it would without a proxy, nearly: the connection ends.
            drop(connect_through(client, server, shared));
        }
    }
}

fn connect_through(client: TcpStream, server: u16, shared: &Arc<ProxyShared>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    for end in [&client, &server] {
        end.set_nodelay(true)?;
    }
    let ends = [client.try_clone()?, server.try_clone()?];
    let mut state = shared.lock_state();
    let number = state.next;
    state.next += 1;
    state.connections.push(ProxyConnection { number, ends, swallowing: false, deaf: false });
    drop(state);
    pump::start_pumps(shared, number, [client, server])
}
