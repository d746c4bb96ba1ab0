//! What carries bytes from one end of a connection to the other, under the rule in force.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::{Rule, Shared, State};

/// A server that has begun to answer and says no more for so long has answered.
const QUIET: Duration = Duration::from_millis(200);

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// One direction of one connection.
struct Pump {
    shared: Arc<Shared>,
    number: u64,
    way: Way,
    /// The end of what has passed: a pattern may come in two pieces.
    tail: Vec<u8>,
}

/// What to do with bytes that have come in.
enum Verdict {
    Forward,
    /// Forward so many, then the line is cut.
    ForwardAndCut(usize),
    Swallow,
    /// Keep these bytes back, and the connection open.
    Drop,
}

/// Starts both directions of a connection.
pub(super) fn start(shared: &Arc<Shared>, number: u64, [client, server]: [TcpStream; 2]) -> io::Result<()> {
    let ends = [(Way::ToServer, client.try_clone()?, server.try_clone()?), (Way::ToClient, server, client)];
    for (way, from, to) in ends {
        let mut pump = Pump { shared: Arc::clone(shared), number, way, tail: Vec::new() };
        thread::spawn(move || {
            // However it ends, the connection is over.
            drop(pump.run(from, to));
            pump.shared.state().cut(number);
        });
    }
    Ok(())
}

impl Pump {
    fn run(&mut self, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            match self.judge(&buffer[..length]) {
                Verdict::Forward => to.write_all(&buffer[..length])?,
                Verdict::ForwardAndCut(count) => {
                    to.write_all(&buffer[..count])?;
                    self.shared.state().cut_all();
                    return Ok(());
                }
                // The read that times out is the end of the answer.
                Verdict::Swallow => from.set_read_timeout(Some(QUIET))?,
                Verdict::Drop => {}
            }
        }
    }

    fn judge(&mut self, bytes: &[u8]) -> Verdict {
        let shared = Arc::clone(&self.shared);
        let mut state = self.wait_while_hanging(&shared);
        if self.way == Way::ToClient && state.connection(self.number).is_some_and(|connection| connection.swallowing) {
            return Verdict::Swallow;
        }
        if self.way == Way::ToServer && state.connection(self.number).is_some_and(|connection| connection.deaf) {
            return Verdict::Drop;
        }
        match (&mut state.rule, self.way) {
            (Rule::CutAfterFromClient(left), Way::ToServer) | (Rule::CutAfterFromServer(left), Way::ToClient) => {
                let length = bytes.len() as u64;
                if length < *left {
                    *left -= length;
                    return Verdict::Forward;
                }
                let last = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                state.fire(self.number);
                Verdict::ForwardAndCut(last)
            }
            (Rule::SwallowAnswer { .. }, Way::ToServer) => {
                if self.finds_pattern(&mut state, bytes)
                    && let Some(connection) = state.connection(self.number)
                {
                    connection.swallowing = true;
                }
                Verdict::Forward
            }
            (Rule::SwallowRequest { .. }, Way::ToServer) => {
                if !self.finds_pattern(&mut state, bytes) {
                    return Verdict::Forward;
                }
                state.connection(self.number).into_iter().for_each(|connection| connection.deaf = true);
                Verdict::Drop
            }
            _ => Verdict::Forward,
        }
    }

    fn wait_while_hanging<'a>(&self, shared: &'a Shared) -> MutexGuard<'a, State> {
        let hangs = |state: &mut State| state.rule == Rule::Hang && state.connection(self.number).is_some();
        shared.changed.wait_while(shared.state(), hangs).unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the pattern of the rule has come, after those that may pass; the rule has fired then.
    fn finds_pattern(&mut self, state: &mut State, bytes: &[u8]) -> bool {
        let (Rule::SwallowAnswer { pattern, skip } | Rule::SwallowRequest { pattern, skip }) = &mut state.rule else {
            return false;
        };
        self.tail.extend_from_slice(bytes);
        let found = self.tail.windows(pattern.len().max(1)).filter(|window| window == pattern).count();
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        let keep = if found > 0 { 0 } else { pattern.len().saturating_sub(1).min(self.tail.len()) };
        self.tail.drain(..self.tail.len() - keep);
        if found <= *skip {
            *skip -= found;
            return false;
        }
        state.fire(self.number);
        true
    }
}
