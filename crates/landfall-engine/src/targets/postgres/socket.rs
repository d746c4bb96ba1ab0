//! The socket below a connection: TCP or a socket of the file system, with a bound on every wait.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
};

use super::settings::PostgresSettings;

/// A socket that blocks, but never for longer than its time-outs.
#[derive(Debug)]
pub(super) enum TimedSocket {
    /// TCP.
    Tcp(TcpStream),
    /// A socket of the file system.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl TimedSocket {
    /// Connects to the server of `settings`, each of its addresses in turn, before `deadline`.
    pub(super) fn connect_by_deadline(settings: &PostgresSettings, deadline: Instant) -> io::Result<Self> {
        #[cfg(unix)]
        if settings.host.starts_with('/') {
            // Such a socket is there at once or not at all.
            let path = format!("{}/.s.PGSQL.{}", settings.host, settings.port);
            return std::os::unix::net::UnixStream::connect(path).map(Self::Unix);
        }
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (settings.host.as_str(), settings.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, time_until(deadline)?) {
                Ok(stream) => {
                    // Many small messages go back and forth, and Nagle's algorithm would hold each of them back.
                    stream.set_nodelay(true)?;
                    return Ok(Self::Tcp(stream));
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Whether it stays within this machine's kernel.
    pub(super) const fn is_local(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }

    /// Whether reads return at once from now on, even if there is nothing to read.
    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(nonblocking),
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_nonblocking(nonblocking),
        }
    }

    /// Bounds each read and each write from now on.
    pub(super) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))
            }
        }
    }
}

/// The time left until `deadline`; an error where it has passed.
pub(super) fn time_until(deadline: Instant) -> io::Result<Duration> {
    match deadline.checked_duration_since(Instant::now()) {
        // A time-out of zero means to wait forever in the calls below.
        Some(left) if !left.is_zero() => Ok(left),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

impl Read for TimedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for TimedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.flush(),
        }
    }
}
