//! What private servers of all kinds have in common: a process on a port, that can be killed, paused and started again.

use std::{
    env, fmt,
    net::TcpListener,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::{
    Certificates, ServerOptions,
    account::SystemAccount,
    processes::{ProcessTree, TICK},
    supervisor::{ServerEnding, Supervisor},
};

/// How long a server may take to start, or to recover from a crash, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often another port is tried when somebody else has taken the first.
const PORTS: u32 = 5;

/// How a server is started.
pub(crate) struct LaunchPlan {
    /// The shell script that becomes the server, given its port.
    pub(crate) script: Box<dyn Fn(u16) -> String + Send + Sync>,
    /// Whether the server on this port is ours, and answers.
    pub(crate) answers: Box<dyn Fn(u16) -> bool + Send + Sync>,
    /// The signal that ends it in an orderly way, without waiting for clients.
    pub(crate) stop: Signal,
}

/// A running server. Dropping it ends the server and removes its folder.
pub struct RunningServer {
    port: u16,
    launch: LaunchPlan,
    certificates: Option<Certificates>,
    state: Mutex<ServerState>,
}

struct ServerState {
    supervisor: Supervisor,
    processes: ProcessTree,
}

impl RunningServer {
    /// A supervisor for a server, with a folder named after it.
    pub(crate) fn new_supervisor(
        account: SystemAccount,
        name: &str,
        options: &ServerOptions,
        ending: ServerEnding,
    ) -> Result<Supervisor> {
        let parent = options.parent.clone().unwrap_or_else(env::temp_dir);
        Supervisor::new(account, &parent, name, ending)
    }

    /// Starts the server on a free port.
    pub(crate) fn start_server(
        mut supervisor: Supervisor,
        certificates: Option<Certificates>,
        launch: LaunchPlan,
    ) -> Result<Self> {
        for _ in 0..PORTS {
            let port = free_port()?;
            if let Some(processes) = try_start(&mut supervisor, &launch, port)? {
                let state = Mutex::new(ServerState { supervisor, processes });
                return Ok(Self { port, launch, certificates, state });
            }
        }
        bail!("every port was taken by somebody else before the server could have it:\n{}", supervisor.read_log_end())
    }

    /// Its port on 127.0.0.1. It stays the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its certificates, where it speaks TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// All that it has written to its log.
    #[must_use]
    pub fn read_log(&self) -> String {
        self.lock_state().supervisor.read_log()
    }

    /// Kills all its processes at once, as a crash would.
    pub fn kill_server(&self) -> Result<()> {
        self.lock_state().processes.kill_all()
    }

    /// Ends it in an orderly way; clients are cut off.
    pub fn stop_server(&self) -> Result<()> {
        self.lock_state().processes.end_root(self.launch.stop, PATIENCE)
    }

    /// Starts it again, on the same port, and waits until it answers. If it still runs, it is stopped first.
    pub fn restart_server(&self) -> Result<()> {
        if self.lock_state().processes.is_alive() {
            self.stop_server()?;
        }
        let mut state = self.lock_state();
        for _ in 0..PORTS {
            if let Some(processes) = try_start(&mut state.supervisor, &self.launch, self.port)? {
                state.processes = processes;
                return Ok(());
            }
            // A connection to elsewhere may have been given the number meanwhile.
            sleep(Duration::from_secs(1));
        }
        bail!("port {} was taken by somebody else while the server was down", self.port)
    }

    /// Stops all its processes where they are: it takes connections, and never answers.
    pub fn pause_server(&self) -> Result<()> {
        self.lock_state().processes.pause_all()
    }

    /// Lets it go on after a pause.
    pub fn resume_server(&self) -> Result<()> {
        self.lock_state().processes.resume_all()
    }

    /// Whether its main process runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.lock_state().processes.is_alive()
    }

    fn lock_state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("port", &self.port).finish_non_exhaustive()
    }
}

/// Starts the server and waits until it answers; `None` where its port is taken.
fn try_start(supervisor: &mut Supervisor, launch: &LaunchPlan, port: u16) -> Result<Option<ProcessTree>> {
    let before = supervisor.read_log().len();
    let processes = ProcessTree::from_root(supervisor.start_server(&(launch.script)(port))?);
    let start = Instant::now();
    while processes.is_alive() {
        if (launch.answers)(port) {
            return Ok(Some(processes));
        }
        ensure!(start.elapsed() < PATIENCE, "the server does not answer:\n{}", supervisor.read_log_end());
        sleep(TICK);
    }
    let taken =
        supervisor.read_log().get(before..).is_some_and(|log| log.to_lowercase().contains("address already in use"));
    ensure!(taken, "the server ended as soon as it was started:\n{}", supervisor.read_log_end());
    Ok(None)
}

/// A port that nobody uses at this moment.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port of 127.0.0.1 is free")?;
    Ok(listener.local_addr()?.port())
}
