//! How a process that runs for long is told to end.

use std::future::Future;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

/// Ends when the process is told to end: by TERM, by INT, or by HUP, which the end of a terminal or session sends. Who had HUP ignored
/// (`nohup`) goes on to ignore it.
///
/// # Errors
/// A system that takes no handler of a signal.
pub(crate) fn await_stop_signal() -> Result<impl Future<Output = ()> + Send> {
    // Installed now, and not when the future is first polled: a signal in between would kill the process.
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // tokio would replace a signal that is ignored by a handler.
    let mut hung_up = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        let hang_up = async {
            match &mut hung_up {
                Some(hung_up) => drop(hung_up.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            () = hang_up => {}
        }
    })
}

/// Whether the process was started with HUP ignored, as the system says.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Signal 1 is the lowest bit.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
