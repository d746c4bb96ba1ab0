//! `landfall worker`.

use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use landfall_engine::{
    Project,
    jobs::{JobControl, JobHooks, kind_names, start_workers},
    targets::{self, Location, TargetAccess},
};
use serde_json::json;

use super::Invocation;
use crate::{
    exit::{CommandError, Exit},
    output,
    stop_signal::await_stop_signal,
    workers::{JobPlaces, job_resources, open_backups, open_uploads, prepare_rules, worker_settings},
};

/// Do the jobs of a service: load files that were sent, take rows, back up and restore.
///
/// Any number of workers may run, on all machines that reach the database and the storage of uploads (`api.uploads`).
/// `landfall serve --no-jobs` leaves all jobs to them. If a worker dies, another one goes on with its jobs once their lease is over
/// (`jobs.lease`), and nothing is doubled.
///
/// A worker ends on the signal TERM, INT or HUP. Before that, it gives its jobs back, and another worker takes them at once.
#[derive(Debug, clap::Args)]
pub(super) struct WorkerArgs {
    /// Only jobs of these kinds, with commas between them. [default: all]
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = PossibleValuesParser::new(kind_names()))]
    kinds: Vec<String>,
    /// Jobs at once. [default: as in landfall.yaml, else 2; 1 on SQLite]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: Option<u16>,
}

/// How long jobs may take to come to a point where they can be given back.
const GRACE: Duration = Duration::from_secs(25);

/// A worker tells nobody how its jobs go: the database has that.
struct NoHooks;

impl JobHooks for NoHooks {}

pub(super) fn run(args: WorkerArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    if settings.target == Location::Memory {
        let words = "a worker needs a database that it shares with the service, and memory: is of one process alone; set `target`";
        return Err(CommandError::project_error(words).into());
    }
    let project = Project { folder: settings.data_folder, package: settings.package };
    // In a block, so that this connection is closed: each worker thread opens its own.
    let rules = {
        let mut target = targets::open(&settings.target, TargetAccess::Write)?;
        prepare_rules(&mut *target, project, &settings.load)?
    };
    let mut workers = worker_settings(&settings.target, &settings.jobs);
    workers.threads = args.concurrency.map_or(workers.threads, usize::from);
    workers.kinds = args.kinds;
    let places = JobPlaces {
        uploads: open_uploads(&settings.api, &invocation.globals.project, &settings.storage)?,
        max_upload: settings.api.max_upload,
        backups: open_backups(&settings.backup, &settings.storage)?,
    };
    let resources = job_resources(rules, &settings.load, &settings.jobs, places, Arc::new(NoHooks));
    let control = Arc::<JobControl>::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The handlers are there before the first job is taken, so that no signal ends the process in the midst of one.
    let stop = runtime.block_on(async { await_stop_signal() })?;
    let threads = start_workers(&workers, &resources, &control)?;
    print_greeting(&workers.worker, workers.threads, invocation)?;
    runtime.block_on(stop);
    tracing::info!(jobs = control.count_active(), "the worker is being stopped; its jobs are given back");
    // A load stops between two chunks, and the next worker goes on from there.
    control.stop_workers();
    join_within(threads, GRACE);
    Ok(Exit::Done)
}

fn print_greeting(worker: &str, threads: usize, invocation: &Invocation) -> Result<()> {
    if invocation.globals.json {
        output::print_document(&json!({ "worker": worker, "concurrency": threads }))?;
    }
    let jobs = crate::counts::count_noun(threads as u64, "job");
    invocation.print_note(&format!("worker {worker} is ready, for {jobs} at once"));
    Ok(())
}

/// Waits until all `threads` have ended, for at most `limit`: the lease of a job that goes on longer runs out by itself.
fn join_within(threads: Vec<JoinHandle<()>>, limit: Duration) {
    let (ended, has_ended) = mpsc::channel();
    thread::spawn(move || {
        // What a thread was doing when it panicked has been told.
        threads.into_iter().for_each(|thread| drop(thread.join()));
        // Nobody may be waiting any more.
        let _ = ended.send(());
    });
    if has_ended.recv_timeout(limit).is_err() {
        tracing::warn!("a job could not be given back in time; another worker takes it once its lease is over");
    }
}
