//! Stand-ins until the engine has them.
#![expect(dead_code, unused_variables, clippy::ptr_arg)]
use std::path::{Path, PathBuf};

use landfall_engine::Project;
fn soon<T>() -> landfall_engine::Result<T> {
    Err(landfall_engine::Error::Usage("not built yet".into()))
}
pub(crate) mod pipeline {
    use landfall_engine::{Result, pipeline::*, quarantine::RejectFilter, target::Target};

    use super::*;
    pub(crate) enum Retry {
        Quarantine(RejectFilter),
        Mended(PathBuf),
    }
    pub(crate) fn retry(
        target: &mut dyn Target,
        project: &Project,
        what: &Retry,
        observer: &dyn Observer,
    ) -> Result<Vec<LoadOutcome>> {
        soon()
    }
}
pub(crate) mod quarantine {
    use landfall_engine::{Result, pipeline::RejectedRecord, quarantine::*, target::Target};

    use super::*;
    pub(crate) fn export(
        target: &dyn Target,
        project: &Project,
        filter: &RejectFilter,
        out: &mut dyn std::io::Write,
    ) -> Result<u64> {
        soon()
    }
    pub(crate) fn as_record(reject: &Reject) -> RejectedRecord {
        let (raw, raw_escaped) = RejectedRecord::raw_text(&reject.raw, reject.length);
        RejectedRecord {
            table: reject.table.clone(),
            source: reject.source.clone(),
            record: reject.record,
            line: reject.line,
            offset: reject.offset,
            raw,
            raw_escaped,
            errors: reject.errors.clone(),
        }
    }
}
pub(crate) mod verify {
    use landfall_engine::{Result, pipeline::Observer, target::Target};

    use super::*;
    #[derive(Debug, serde::Serialize)]
    pub(crate) struct Verification {
        pub findings: Vec<Finding>,
    }
    #[derive(Debug, serde::Serialize)]
    pub(crate) struct Finding {
        pub table: String,
        pub source: String,
        pub message: String,
    }
    pub(crate) fn verify(target: &dyn Target, project: &Project, observer: &dyn Observer) -> Result<Verification> {
        soon()
    }
}
pub(crate) mod init {
    use super::*;
    pub(crate) struct Proposal {
        pub package_yaml: String,
        pub landfall_yaml: String,
        pub notes: Vec<String>,
    }
    pub(crate) fn propose(folder: &Path) -> landfall_engine::Result<Proposal> {
        soon()
    }
}
