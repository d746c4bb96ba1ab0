//! Rejects kept aside, to be written again should the transaction that holds them be rolled back.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _},
};

use crate::{
    error::{Error, Result},
    ledger::LoadId,
    quarantine::NewReject,
};

/// Rejects in a temporary file, in order.
pub(super) struct RejectSpill {
    file: BufWriter<File>,
    /// Those that are rejects no more, by load and record.
    withdrawn: HashSet<(LoadId, u64)>,
}

impl RejectSpill {
    pub(super) fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(spill_error)?;
        Ok(Self { file: BufWriter::new(file), withdrawn: HashSet::new() })
    }

    /// Adds a reject of `load`.
    pub(super) fn push(&mut self, load: LoadId, reject: &NewReject) -> Result<()> {
        serde_json::to_writer(&mut self.file, &(load, reject)).map_err(|error| spill_error(error.into()))?;
        self.file.write_all(b"\n").map_err(spill_error)
    }

    /// Takes a reject back.
    pub(super) fn withdraw_reject(&mut self, load: LoadId, record: u64) {
        self.withdrawn.insert((load, record));
    }

    /// Hands all rejects to `visit`, in order.
    pub(super) fn drain_rejects(self, visit: &mut dyn FnMut(LoadId, &NewReject) -> Result<()>) -> Result<()> {
        let mut file = self.file.into_inner().map_err(|error| spill_error(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(spill_error)?;
        for line in BufReader::new(file).split(b'\n') {
            let (load, reject): (LoadId, NewReject) =
                serde_json::from_slice(&line.map_err(spill_error)?).map_err(|error| spill_error(error.into()))?;
            if !self.withdrawn.contains(&(load, reject.record)) {
                visit(load, &reject)?;
            }
        }
        Ok(())
    }
}

fn spill_error(cause: std::io::Error) -> Error {
    Error::File { path: std::env::temp_dir(), cause }
}
