//! What a database holds after a command, without what differs from run to run.

use std::collections::BTreeMap;

use landfall_engine::{
    Error, Project,
    ledger::{LoadEntry, LoadId, LoadState},
    pipeline::{LoadOutcome, SilentObserver},
    quarantine::RejectFilter,
    targets::TargetRead,
    verify::{FindingKind, verify_tables},
};

use crate::tables::content;

/// What a command says and leaves behind, as lines that can be compared and read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Answer {
    pub(super) said: Vec<String>,
    pub(super) rows: Vec<String>,
    pub(super) rejects: Vec<String>,
    pub(super) ledger: Vec<String>,
}

/// The numbers of loads, as 1, 2 and so on: a database may leave out some.
struct Ranks(BTreeMap<LoadId, usize>);

impl Ranks {
    fn of(loads: &[LoadEntry]) -> Self {
        Self(loads.iter().enumerate().map(|(at, entry)| (entry.id, at + 1)).collect())
    }

    fn rank(&self, load: LoadId) -> usize {
        self.0.get(&load).copied().unwrap_or(0)
    }
}

impl Answer {
    /// What `read` holds of `project` after a command with this outcome.
    pub(super) fn of(read: &dyn TargetRead, project: &Project, outcome: &Result<Vec<LoadOutcome>, Error>) -> Self {
        let loads = read.all_loads().unwrap();
        let ranks = Ranks::of(&loads);
        let said = match outcome {
            Ok(outcomes) => outcomes.iter().map(|outcome| told(outcome, &ranks)).collect(),
            Err(Error::Target(error)) => vec![format!("{:?}", error.kind)],
            Err(error) => vec![error.to_string()],
        };
        let mut rows = Vec::new();
        for table in project.target_tables() {
            rows.extend(content(read, &table).iter().map(|row| format!("{}: {}", table.name, shown(row))));
        }
        Self { said, rows, rejects: rejects(read, &ranks), ledger: loads.iter().map(|e| entry(e, &ranks)).collect() }
    }

    /// Says where two answers differ first.
    pub(super) fn compare(&self, expected: &Self, what: &str) {
        let parts = [
            ("what is said", &self.said, &expected.said),
            ("rows", &self.rows, &expected.rows),
            ("rejects", &self.rejects, &expected.rejects),
            ("ledger", &self.ledger, &expected.ledger),
        ];
        for (part, is, expected) in parts {
            let first = (0..is.len().max(expected.len())).find(|&at| is.get(at) != expected.get(at));
            if let Some(at) = first {
                panic!(
                    "{what}: {part} differs from line {at} on ({} lines, {} expected)\n     got {:?}\nexpected {:?}",
                    is.len(),
                    expected.len(),
                    is.get(at),
                    expected.get(at)
                );
            }
        }
    }
}

fn shown(row: &[landfall_core::keys::Scalar]) -> String {
    let reduced = |value: &landfall_core::keys::Scalar| match value {
        landfall_core::keys::Scalar::Number(text) => {
            let mut out = String::new();
            if landfall_core::validate::decimal::write_reduced(text, &mut out) { out } else { text.clone() }
        }
        value => format!("{value:?}"),
    };
    row.iter().map(reduced).collect::<Vec<_>>().join(" | ")
}

fn told(outcome: &LoadOutcome, ranks: &Ranks) -> String {
    let LoadOutcome { load_id, table, source, state, counts, reasons, resumed, .. } = outcome;
    let reasons: Vec<String> =
        reasons.iter().map(|r| format!("{}@{}×{}", r.code, r.field.as_deref().unwrap_or("-"), r.count)).collect();
    let load = ranks.rank(*load_id);
    format!("{load} {table} {source} {state:?} {counts:?} resumed {resumed} because {}", reasons.join(" "))
}

fn rejects(read: &dyn TargetRead, ranks: &Ranks) -> Vec<String> {
    let filter = RejectFilter { any_state: true, ..RejectFilter::default() };
    let mut found = read.find_rejects(&filter).unwrap();
    found.sort_by_key(|reject| (reject.load, reject.record, reject.id));
    let line = |reject: &landfall_engine::quarantine::Reject| {
        let mut bytes = Vec::new();
        read.read_reject_bytes(reject.id, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })
        .unwrap();
        let events: Vec<String> = read
            .reject_events(reject.id)
            .unwrap()
            .iter()
            .map(|event| format!("{} by {}", event.action, ranks.rank(event.load)))
            .collect();
        let errors: Vec<String> =
            reject.errors.iter().map(|e| format!("{}@{:?}={:?} {}", e.code, e.field, e.value, e.message)).collect();
        format!(
            "load {} {} {} record {} line {} offset {} length {} {:?} {:?} {:?} {events:?}",
            ranks.rank(reject.load),
            reject.table,
            reject.source,
            reject.record,
            reject.line,
            reject.offset,
            reject.length,
            String::from_utf8_lossy(&bytes),
            reject.state,
            errors,
        )
    };
    found.iter().map(line).collect()
}

fn entry(entry: &LoadEntry, ranks: &Ranks) -> String {
    let LoadEntry { id, table, source, mode, on_conflict, rules, layout, state, counts, position, .. } = entry;
    assert!(counts.conserved(), "{entry:?}");
    // How far ahead a source was read depends on how the work is cut, but where all of it was.
    let digest =
        if *state == LoadState::Complete { format!("{} of {}", entry.digest, entry.digested) } else { "-".into() };
    let load = ranks.rank(*id);
    format!(
        "{load} {table} {source} {mode:?} {on_conflict:?} {rules} {layout} {state:?} {counts:?} {position:?} {digest}"
    )
}

/// Promise 1, counted afresh in sources, tables and quarantine. Not every source is loaded, nor to its end.
pub(super) fn verified(read: &dyn TargetRead, project: &Project, what: &str) {
    let found = verify_tables(read, project, &SilentObserver).unwrap();
    let wrong: Vec<_> = found.findings.iter().filter(|finding| finding.kind != FindingKind::NotLoaded).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:?}");
}
