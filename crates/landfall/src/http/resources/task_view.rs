//! A task as a caller is told it.

use landfall_engine::{
    job::{JobEntry, JobState},
    jobs::ActiveJob,
    pipeline::LoadProgress,
};
use serde_json::{Value, json};

use crate::http::{
    access::RequestCaller, problem::render_stored_problem, resources::tasks::task_location, service::Service,
};

/// A task as `caller` is told it: without tables that it may not see, also where the task has reached into them.
pub(in crate::http) fn describe_task(service: &Service, caller: &RequestCaller, task: JobEntry) -> Value {
    let active = service.jobs.control.find(&task.id);
    let mut told = describe_all(task, active.as_deref());
    if !caller.is_unlimited() {
        hide_tables(&mut told, &|table| caller.sees_table(table));
        hide_words(&mut told["problem"], service, caller);
    }
    told
}

/// Takes what is of a table out that is not seen: from lists by table, lists of names, and maps by name.
fn hide_tables(told: &mut Value, sees: &dyn Fn(&str) -> bool) {
    let is_seen = |one: &Value| one.get("table").and_then(Value::as_str).is_none_or(sees);
    match told {
        Value::Array(all) => {
            all.retain(is_seen);
            all.iter_mut().for_each(|one| hide_tables(one, sees));
        }
        Value::Object(members) => {
            match members.get_mut("tables") {
                Some(Value::Array(names)) => names.retain(|name| name.as_str().is_none_or(sees)),
                Some(Value::Object(tables)) => tables.retain(|name, _| sees(name)),
                _ => {}
            }
            members.values_mut().for_each(|member| hide_tables(member, sees));
        }
        _ => {}
    }
}

/// Replaces the words of a problem that name a table which is not seen: foreign keys reach into others.
fn hide_words(problem: &mut Value, service: &Service, caller: &RequestCaller) {
    let detail = problem.get("detail").and_then(Value::as_str).unwrap_or_default();
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    let names = |table: &str| {
        detail.match_indices(table).any(|(at, _)| {
            // As a whole word: `jobs` does not name the table `job`.
            let behind = &detail[at + table.len()..];
            !detail[..at].ends_with(is_part) && !behind.starts_with(is_part)
        })
    };
    let tables = service.rules.rules_tables();
    if tables.iter().any(|table| !caller.sees_table(&table.name) && names(&table.name)) {
        problem["detail"] =
            "another table is in the way, which this token does not see; a token for all tables shows more".into();
    }
}

/// All of a task.
fn describe_all(task: JobEntry, active: Option<&ActiveJob>) -> Value {
    let of_request = |name: &str| task.request.get(name).cloned().unwrap_or_default();
    let mut told = json!({
        "task_id": task.id, "kind": task.kind, "state": task.state, "tables": task.tables, "file": of_request("file"),
        "bytes": of_request("bytes"), "created_at": task.created_at, "started_at": task.started_at, "ended_at": task.ended_at,
        "attempts": task.attempt, "worker": task.worker, "problem": render_stored_problem(task.problem),
    });
    if task.is_given_up {
        told["given_up"] = true.into();
    }
    if of_request("dry_run") == true {
        told["dry_run"] = true.into();
    }
    let progress = active.filter(|_| task.state == JobState::Running).map(describe_progress);
    told["progress"] = progress.unwrap_or_default();
    let load = task.outcome.get("load_id").and_then(Value::as_i64);
    // It may be large.
    if let Value::Object(outcome) = task.outcome {
        outcome.into_iter().for_each(|(name, value)| told[name] = value);
    }
    let own = task_location(&task.id);
    told["links"] = json!({"self": own, "events": format!("{own}/events")});
    if let Some(load) = load {
        told["links"]["load"] = format!("/v1/loads/{load}").into();
        told["links"]["rejects"] = format!("/v1/rejects?load={load}").into();
    }
    told
}

fn describe_progress(active: &ActiveJob) -> Value {
    let LoadProgress { bytes, total_bytes, records, rejected } = active.load_progress();
    json!({"bytes": bytes, "total_bytes": total_bytes, "records": records, "rejected": rejected})
}
