//! What carries bytes from one end of a connection to the other, under the rule in force.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::{ProxyRule, ProxyShared, ProxyState};

/// A server that has begun to answer and says no more for so long has answered.
const QUIET: Duration = Duration::from_millis(200);

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// One direction of one connection.
struct ProxyPump {
    shared: Arc<ProxyShared>,
    number: u64,
    way: Direction,
    /// The end of what has passed: a pattern may come in two pieces.
    tail: Vec<u8>,
}

/// What to do with bytes that have come in.
enum PumpVerdict {
    Forward,
    /// Forward so many, then the line is cut.
    ForwardAndCut(usize),
    Swallow,
    /// Keep these bytes back, and the connection open.
    Drop,
}

/// Starts both directions of a connection.
pub(super) fn start_pumps(shared: &Arc<ProxyShared>, number: u64, [client, server]: [TcpStream; 2]) -> io::Result<()> {
    let ends = [(Direction::ToServer, client.try_clone()?, server.try_clone()?), (Direction::ToClient, server, client)];
    for (way, from, to) in ends {
        let mut pump = ProxyPump { shared: Arc::clone(shared), number, way, tail: Vec::new() };
        thread::spawn(move || {
            // However it ends, the connection is over.
            drop(pump.run(from, to));
            pump.shared.lock_state().cut_connection(number);
        });
    }
    Ok(())
}

impl ProxyPump {
    fn run(&mut self, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            match self.judge_bytes(&buffer[..length]) {
                PumpVerdict::Forward => to.write_all(&buffer[..length])?,
                PumpVerdict::ForwardAndCut(count) => {
                    to.write_all(&buffer[..count])?;
                    self.shared.lock_state().cut_all();
                    return Ok(());
                }
                // The read that times out is the end of the answer.
                PumpVerdict::Swallow => from.set_read_timeout(Some(QUIET))?,
                PumpVerdict::Drop => {}
            }
        }
    }

    fn judge_bytes(&mut self, bytes: &[u8]) -> PumpVerdict {
        let shared = Arc::clone(&self.shared);
        let mut state = self.wait_while_hanging(&shared);
        if self.way == Direction::ToClient
            && state.find_connection(self.number).is_some_and(|connection| connection.swallowing)
        {
            return PumpVerdict::Swallow;
        }
        if self.way == Direction::ToServer
            && state.find_connection(self.number).is_some_and(|connection| connection.deaf)
        {
            return PumpVerdict::Drop;
        }
        match (&mut state.rule, self.way) {
            (ProxyRule::CutAfterFromClient(left), Direction::ToServer)
            | (ProxyRule::CutAfterFromServer(left), Direction::ToClient) => {
                let length = bytes.len() as u64;
                if length < *left {
                    *left -= length;
                    return PumpVerdict::Forward;
                }
                let last = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                state.note_fired(self.number);
                PumpVerdict::ForwardAndCut(last)
            }
            (ProxyRule::SwallowAnswer { .. }, Direction::ToServer) => {
                if self.finds_pattern(&mut state, bytes)
                    && let Some(connection) = state.find_connection(self.number)
                {
                    connection.swallowing = true;
                }
                PumpVerdict::Forward
            }
            (ProxyRule::SwallowRequest { .. }, Direction::ToServer) => {
                if !self.finds_pattern(&mut state, bytes) {
                    return PumpVerdict::Forward;
                }
                state.find_connection(self.number).into_iter().for_each(|connection| connection.deaf = true);
                PumpVerdict::Drop
            }
            _ => PumpVerdict::Forward,
        }
    }

    fn wait_while_hanging<'a>(&self, shared: &'a ProxyShared) -> MutexGuard<'a, ProxyState> {
        let hangs =
            |state: &mut ProxyState| state.rule == ProxyRule::Hang && state.find_connection(self.number).is_some();
        shared.changed.wait_while(shared.lock_state(), hangs).unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the pattern of the rule has come, after those that may pass; the rule has fired then.
    fn finds_pattern(&mut self, state: &mut ProxyState, bytes: &[u8]) -> bool {
        let (ProxyRule::SwallowAnswer { pattern, skip } | ProxyRule::SwallowRequest { pattern, skip }) =
            &mut state.rule
        else {
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
        state.note_fired(self.number);
        true
    }
}
