//! `landfall worker`: processes of their own that do the jobs of a service.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    files::ended_at,
    place::Kind,
    served::{Served, on_every_database},
};

const PACKAGE: &str = "resources:\n\
    - {name: notes, path: notes.csv, schema: {fields: [{name: text, type: string}]}}\n\
    - {name: people, path: people.csv, schema: {primaryKey: id, fields: [{name: id, type: integer}, {name: name, type: string}]}}\n";

const CSV: [(&str, &str); 1] = [("Content-Type", "text/csv")];

/// A worker process. It is killed when it is dropped.
struct Worker(Child);

impl Worker {
    /// Starts `landfall worker`, and waits until it is ready.
    fn start(served: &Served, options: &[&str]) -> Self {
        let mut command = served.project.command(&[&["worker"], options].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut words = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        words.read_line(&mut first).unwrap();
        assert!(first.contains("is ready"), "{first}");
        // What it writes later must not fill the pipe.
        thread::spawn(move || words.lines().count());
        Self(child)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Has it end, and waits for that; its exit code.
    fn stop(mut self) -> i32 {
        self.signal("TERM");
        self.0.wait().unwrap().code().unwrap()
    }

    /// Whether a task says that this process does it, or did.
    fn does(&self, task: &Value) -> bool {
        task["worker"].as_str().is_some_and(|worker| worker.ends_with(&format!(":{}", self.0.id())))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn served(kind: Kind, more: &str) -> Served {
    let mut served = Served::package(kind, PACKAGE, more);
    served.options = vec!["--no-jobs"];
    served.stop();
    served.start();
    served
}

fn people(count: usize) -> Vec<u8> {
    let rows: String = (0..count).map(|id| format!("{id},n{id}\n")).collect();
    format!("id,name\n{rows}").into_bytes()
}

#[track_caller]
fn shown(served: &Served, task: &Value) -> Value {
    served.get(&format!("/v1/tasks/{}", task["task_id"].as_str().unwrap())).of(200)
}

/// Waits until `holds` of the task; the task.
#[track_caller]
fn wait_until(served: &Served, task: &Value, holds: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let task = shown(served, task);
        if holds(&task) {
            return task;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{task}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn a_service_without_jobs_leaves_them_to_workers(kind: Kind) {
    let served = served(kind, "");
    let load = served.send("POST", "/v1/tables/people/files", &CSV, &people(1000)).of(202);
    let backup = served.post("/v1/backups", "").of(202);
    thread::sleep(Duration::from_secs(3));
    for task in [&load, &backup] {
        assert_eq!(shown(&served, task)["state"], "pending", "{kind:?}: nobody is there to do it");
    }
    let worker = Worker::start(&served, &[]);
    assert_eq!(ended_at(served.address, &load)["inserted"], 1000, "{kind:?}");
    assert_eq!(ended_at(served.address, &backup)["state"], "done", "{kind:?}");
    assert_eq!(worker.stop(), 0, "{kind:?}");
    served.verifies();
}

fn a_worker_takes_only_its_kinds(kind: Kind) {
    let served = served(kind, "");
    let _backups = Worker::start(&served, &["--kinds", "backup"]);
    let load = served.send("POST", "/v1/tables/people/files", &CSV, &people(10)).of(202);
    let backup = served.post("/v1/backups", "").of(202);
    assert_eq!(ended_at(served.address, &backup)["state"], "done", "{kind:?}");
    thread::sleep(Duration::from_secs(1));
    assert_eq!(shown(&served, &load)["state"], "pending", "{kind:?}");
    let _others = Worker::start(&served, &["--kinds", "file,restore", "--concurrency", "1"]);
    assert_eq!(ended_at(served.address, &load)["state"], "done", "{kind:?}");
}

/// With a lease of a minute, the next worker could not have the job so soon if it had not been given back.
fn a_worker_that_is_told_to_end_gives_its_job_back(kind: Kind) {
    let served = served(kind, "load: {chunkRecords: 200}\njobs: {lease: 60s}\n");
    let first = Worker::start(&served, &[]);
    let task = served.send("POST", "/v1/tables/people/files", &CSV, &people(200_000)).of(202);
    wait_until(&served, &task, |task| first.does(task));
    let told = Instant::now();
    assert_eq!(first.stop(), 0, "{kind:?}");
    let given_back = shown(&served, &task);
    assert_eq!(given_back["state"], "pending", "{kind:?}: {given_back}");
    let second = Worker::start(&served, &[]);
    wait_until(&served, &task, |task| second.does(task) || task["state"] == "done");
    assert!(told.elapsed() < Duration::from_secs(50), "{kind:?}: {:?}", told.elapsed());
    assert_eq!(ended_at(served.address, &task)["read"], 200_000, "{kind:?}");
    assert_eq!(served.count("people"), 200_000, "{kind:?}");
    served.verifies();
}

/// Three workers, one of which is killed again and again: each task takes effect once.
fn workers_that_are_killed_lose_and_double_nothing(kind: Kind) {
    let served = served(kind, "load: {chunkRecords: 300}\njobs: {lease: 1s}\n");
    let mut workers: Vec<Worker> = (0..3).map(|_| Worker::start(&served, &[])).collect();
    let file = |name: usize| format!("text\n{}", (0..4000).map(|at| format!("{name} {at}\n")).collect::<String>());
    let tasks: Vec<Value> =
        (0..6).map(|name| served.send("POST", "/v1/tables/notes/files", &CSV, file(name).as_bytes()).of(202)).collect();
    for round in 0..4 {
        thread::sleep(Duration::from_millis(250));
        workers[round % 3].signal("KILL");
        workers[round % 3] = Worker::start(&served, &[]);
    }
    for task in &tasks {
        let task = ended_at(served.address, task);
        assert_eq!((&task["state"], &task["inserted"]), (&"done".into(), &4000.into()), "{kind:?}: {task}");
    }
    assert_eq!(served.count("notes"), 24_000, "{kind:?}");
    served.verifies();
}

/// What kills its worker each time is given up, keeps its upload, and is done once a person has mended the cause.
fn a_task_that_kills_its_workers_is_given_up(kind: Kind) {
    let served = served(kind, "load: {chunkRecords: 100}\njobs: {lease: 1s, attempts: 2}\n");
    let task = served.send("POST", "/v1/tables/people/files", &CSV, &people(100_000)).of(202);
    let path = format!("/v1/tasks/{}/retry", task["task_id"].as_str().unwrap());
    for _ in 0..2 {
        let worker = Worker::start(&served, &[]);
        wait_until(&served, &task, |task| worker.does(task));
        worker.signal("KILL");
    }
    let worker = Worker::start(&served, &[]);
    let failed = ended_at(served.address, &task);
    assert_eq!((&failed["state"], &failed["given_up"]), (&"failed".into(), &true.into()), "{kind:?}: {failed}");
    let detail = failed["problem"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("2 workers died") && detail.contains(&path), "{kind:?}: {detail}");
    assert_eq!(served.uploads().len(), 1, "{kind:?}");
    assert_eq!(served.post(&path, "").of(202)["state"], "pending", "{kind:?}");
    let done = ended_at(served.address, &task);
    assert_eq!((&done["state"], &done["read"]), (&"done".into(), &100_000.into()), "{kind:?}: {done}");
    assert_eq!(served.count("people"), 100_000, "{kind:?}");
    assert_eq!(served.post(&path, "").problem(), "conflict", "{kind:?}: it is done");
    assert_eq!(worker.stop(), 0);
    served.verifies();
}

on_every_database! {
    a_task_that_kills_its_workers_is_given_up,
    a_service_without_jobs_leaves_them_to_workers,
    a_worker_takes_only_its_kinds,
    a_worker_that_is_told_to_end_gives_its_job_back,
    workers_that_are_killed_lose_and_double_nothing,
}

#[test]
fn a_worker_needs_a_database_that_others_share() {
    let project = super::support::Project::people("1,Ann,30\n");
    project.write("landfall.yaml", "target: \"memory:\"\n");
    assert!(project.run(&["worker"]).fails(3).contains("a database that it shares with the service"));
    project.write("landfall.yaml", "target: sqlite:landfall.db\n");
    assert!(project.run(&["worker", "--kinds", "nothing"]).exits(2).stderr.contains("invalid value 'nothing'"));
}
