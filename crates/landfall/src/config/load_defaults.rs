//! `load` in `landfall.yaml`: what is asked of a load where nothing is typed.

use clap::ValueEnum;
use landfall_core::schema::document::{DescriptorProblems, DocumentNode, MapReader, NodeValue, find_nearest};
use landfall_engine::{
    ledger::{Mode, OnConflict},
    pipeline::{MaxRejects, WorkLimits},
};

use crate::typed::{TypedMode, TypedRule, parse_size};

/// What is asked of a load where nothing is typed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LoadDefaults {
    /// How to treat what the tables hold.
    pub(crate) mode: Option<Mode>,
    /// What to do with conflicting rows.
    pub(crate) on_conflict: Option<OnConflict>,
    /// How many rejects are too many.
    pub(crate) max_rejects: Option<MaxRejects>,
    /// Threads that decode and validate.
    pub(crate) threads: Option<usize>,
    /// Records that commit at once.
    pub(crate) chunk_records: Option<u64>,
    /// The most bytes of a record.
    pub(crate) max_record_bytes: Option<usize>,
    /// The most bytes of the rejects of a load.
    pub(crate) max_reject_bytes: Option<usize>,
    /// The most bytes of all open rejects.
    pub(crate) max_project_reject_bytes: Option<usize>,
    /// The most bytes of a reject that are kept.
    pub(crate) max_rejected_record_bytes: Option<usize>,
}

impl LoadDefaults {
    /// The most bytes of all open rejects.
    pub(crate) fn project_reject_bytes(&self) -> u64 {
        self.max_project_reject_bytes.map_or(WorkLimits::PROJECT_REJECT_BYTES, |bytes| bytes as u64)
    }

    /// How the work is cut.
    pub(crate) fn default_work(&self) -> WorkLimits {
        let usual = WorkLimits::default();
        WorkLimits {
            threads: self.threads.unwrap_or(usual.threads),
            chunk_records: self.chunk_records.unwrap_or(usual.chunk_records),
            record_bytes: self.max_record_bytes.unwrap_or(usual.record_bytes),
            reject_bytes: self.max_reject_bytes.map_or(usual.reject_bytes, |bytes| bytes as u64),
            project_reject_bytes: self.project_reject_bytes(),
            rejected_record_bytes: self
                .max_rejected_record_bytes
                .map_or(usual.rejected_record_bytes, |bytes| bytes as u64),
            ..usual
        }
    }
}

pub(super) fn read(node: &DocumentNode, problems: &DescriptorProblems) -> LoadDefaults {
    let Some(mut reader) = node.read_map("\"load\"", problems) else { return LoadDefaults::default() };
    let mode_node = reader.take_value("mode");
    let rule_node = reader.take_value("onConflict");
    let defaults = LoadDefaults {
        mode: mode_node.and_then(|node| read_choice::<TypedMode>(node, "\"mode\"", problems)).map(Mode::from),
        on_conflict: rule_node
            .and_then(|node| read_choice::<TypedRule>(node, "\"onConflict\"", problems))
            .map(OnConflict::from),
        max_rejects: read_parsed(&mut reader, "maxRejects", MaxRejects::parse),
        threads: read_parsed(&mut reader, "threads", parse_positive).and_then(|count| usize::try_from(count).ok()),
        chunk_records: read_parsed(&mut reader, "chunkRecords", parse_positive),
        max_record_bytes: read_parsed(&mut reader, "maxRecordBytes", parse_size),
        max_reject_bytes: read_parsed(&mut reader, "maxRejectBytes", parse_size),
        max_project_reject_bytes: read_parsed(&mut reader, "maxProjectRejectBytes", parse_size),
        max_rejected_record_bytes: read_parsed(&mut reader, "maxRejectedRecordBytes", parse_size),
    };
    let contradicts = |mode: Mode| mode.choose_conflict_rule(defaults.on_conflict, None).is_none();
    if let Some(node) = rule_node.filter(|_| defaults.mode.is_some_and(contradicts)) {
        problems.report_with_mend(
            &node.place,
            "this contradicts the mode upsert, which updates",
            "leave onConflict out",
        );
    }
    reader.refuse_unknown();
    defaults
}

/// The choice that a text names, by the names of the command line.
fn read_choice<T: ValueEnum>(node: &DocumentNode, what: &str, problems: &DescriptorProblems) -> Option<T> {
    let text = node.read_text(what, problems)?;
    if let Ok(choice) = T::from_str(text, false) {
        return Some(choice);
    }
    let values: Vec<_> = T::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
    let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
    let mend = match find_nearest(text, names.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write one of: {}", names.join(", ")),
    };
    problems.report_with_mend(&node.place, format!("{what} cannot be \"{}\"", text.escape_debug()), mend);
    None
}

/// A number or text, read as on the command line.
pub(super) fn read_parsed<T>(
    reader: &mut MapReader<'_>,
    name: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Option<T> {
    let node = reader.take_value(name)?;
    let outcome = match &node.value {
        NodeValue::Text(text) | NodeValue::Number(text) => parse(text),
        _ => Err("a number is wanted here".into()),
    };
    outcome.map_err(|message| reader.problems().report_problem(&node.place, format!("\"{name}\": {message}"))).ok()
}

fn parse_positive(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{text:?} is not a whole number, 1 or more"))
}
