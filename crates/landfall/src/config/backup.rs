//! `backup` in `landfall.yaml`: where backups go, when, and which are kept.

use std::path::Path;

use landfall_core::schema::document::{DescriptorProblems, DocumentNode, MapReader, find_nearest};
use landfall_engine::{avro::AvroCodec, backup::RetentionRules};

use super::{schedule::Schedule, storage::FileDestination};

/// Where backups go, when, and which are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackupConfig {
    /// The place.
    pub(crate) to: FileDestination,
    /// How files are compressed.
    pub(crate) codec: AvroCodec,
    /// When the service makes one; without it, it makes none by itself.
    pub(crate) schedule: Option<Schedule>,
    /// Which sets are kept.
    pub(crate) keep: RetentionRules,
}

impl BackupConfig {
    /// What holds where nothing is said: the folder `backups` of the project, at no time of its own.
    pub(super) fn default_for(folder: &Path) -> Self {
        let to = FileDestination::Folder(folder.join("backups"));
        Self { to, codec: AvroCodec::default(), schedule: None, keep: RetentionRules::default() }
    }
}

pub(super) fn read(node: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> BackupConfig {
    let usual = BackupConfig::default_for(folder);
    let Some(mut reader) = node.read_map("\"backup\"", problems) else { return usual };
    let to = reader.take_value("to").and_then(|node| {
        let text = node.read_text("\"to\"", problems)?;
        let to = FileDestination::parse(text)
            .map_err(|message| problems.report_problem(&node.place, format!("\"to\": {message}")));
        to.ok().map(|to| to.relative_to(folder))
    });
    let codec = reader.take_value("codec").and_then(|node| read_codec(node, problems));
    let keep = reader.take_value("keep").map(|node| read_retention(node, problems));
    let schedule = Schedule::take_from(&mut reader);
    reader.refuse_unknown();
    BackupConfig {
        to: to.unwrap_or(usual.to),
        codec: codec.unwrap_or_default(),
        schedule,
        keep: keep.unwrap_or_default(),
    }
}

fn read_codec(node: &DocumentNode, problems: &DescriptorProblems) -> Option<AvroCodec> {
    let text = node.read_text("\"codec\"", problems)?;
    let found = AvroCodec::parse(text);
    if found.is_none() {
        let names = AvroCodec::ALL.map(AvroCodec::name);
        let mend = match find_nearest(text, names.into_iter()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write one of: {}", names.join(", ")),
        };
        problems.report_with_mend(&node.place, format!("\"codec\" cannot be \"{}\"", text.escape_debug()), mend);
    }
    found
}

fn read_retention(node: &DocumentNode, problems: &DescriptorProblems) -> RetentionRules {
    let Some(mut reader) = node.read_map("\"keep\"", problems) else { return RetentionRules::default() };
    let keep = RetentionRules {
        last: read_keep_count(&mut reader, "last"),
        daily: read_keep_count(&mut reader, "daily"),
        weekly: read_keep_count(&mut reader, "weekly"),
        monthly: read_keep_count(&mut reader, "monthly"),
        yearly: read_keep_count(&mut reader, "yearly"),
    };
    reader.refuse_unknown();
    // Without any rule all sets are kept. This one would keep none.
    if keep == (RetentionRules { last: Some(0), ..RetentionRules::default() }) {
        problems.report_with_mend(&node.place, "\"keep\" would keep no backup at all", "write \"last: 1\" at least");
    }
    keep
}

fn read_keep_count(reader: &mut MapReader<'_>, name: &'static str) -> Option<u32> {
    super::load_defaults::read_parsed(reader, name, |text| {
        text.parse().map_err(|_| format!("{text:?} is not a number of backups"))
    })
}
