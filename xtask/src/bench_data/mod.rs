//! Big projects of the example's shape for the benches (`cargo xtask gen bench`): written as a stream, the same at every
//! run, clean or with a share of records that break a rule.

mod records;

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::hr::{DEPARTMENTS, job_names, number_lines};
use records::RecordMaker;

const DICTIONARY: &str = include_str!("../../../examples/hr/datapackage.yaml");
const CONFIGURATION: &str = "target: sqlite:landfall.db\npackage: datapackage.yaml\n";
/// The list of what is in a project. It is written last, so that a project without it is known to be unfinished.
const TALLY: &str = "tally.json";

/// How much of what a file of employees holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DataTally {
    pub(crate) read: u64,
    pub(crate) inserted: u64,
    pub(crate) unchanged: u64,
    pub(crate) rejected: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
}

impl DataTally {
    fn to_json(self) -> Value {
        let Self { read, inserted, unchanged, rejected, bytes } = self;
        json!({"read": read, "inserted": inserted, "unchanged": unchanged, "rejected": rejected, "bytes": bytes})
    }

    fn from_json(value: &Value) -> Option<Self> {
        let number = |key| value.get(key)?.as_u64();
        Some(Self {
            read: number("read")?,
            inserted: number("inserted")?,
            unchanged: number("unchanged")?,
            rejected: number("rejected")?,
            bytes: number("bytes")?,
        })
    }
}

/// The tally of the project in `folder`, where it is finished.
pub(crate) fn read_tally(folder: &Path) -> Option<DataTally> {
    let text = fs::read(folder.join(TALLY)).ok()?;
    DataTally::from_json(&serde_json::from_slice(&text).ok()?)
}

/// Writes a project with `rows` employee records of which `dirty` percent are bad or repeated, with ids from `after` + 1
/// upward.
pub(crate) fn write(folder: &Path, rows: u64, dirty: f64, after: u64) -> Result<DataTally> {
    let data = folder.join("data");
    fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    fs::write(folder.join("landfall.yaml"), CONFIGURATION)?;
    fs::write(folder.join("datapackage.yaml"), DICTIONARY)?;
    fs::write(data.join("departments.csv"), number_lines(DEPARTMENTS.iter().copied(), "\n"))?;
    fs::write(data.join("jobs.csv"), number_lines(job_names().iter().map(String::as_str), "\n"))?;
    let tally = write_employees(&data.join("hired_employees.csv"), RecordMaker::new(rows, dirty, after))?;
    fs::write(folder.join(TALLY), tally.to_json().to_string())?;
    Ok(tally)
}

fn write_employees(path: &Path, mut maker: RecordMaker) -> Result<DataTally> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut bytes = 0;
    while let Some(line) = maker.next_line() {
        bytes += line.len() as u64;
        out.write_all(line)?;
    }
    out.flush()?;
    Ok(DataTally { bytes, ..maker.tally() })
}
