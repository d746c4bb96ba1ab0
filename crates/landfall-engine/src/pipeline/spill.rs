//! A temporary file with rejects, to be written again if the transaction that has them is rolled back.
//!
//! An entry is a line of JSON, and behind it the bytes of the record as they are: JSON would take four times their size. What
//! `SpillEntry` says of the length and what `push` writes behind it must agree.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _},
};

use landfall_core::reject::CellError;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    ledger::LoadId,
    quarantine::{NewReject, RawRecord},
};

/// Rejects in a temporary file, in order.
pub(super) struct RejectSpill {
    file: BufWriter<File>,
    /// Those that are rejects no more, by load and record.
    withdrawn: HashSet<(LoadId, u64)>,
}

/// A reject without its bytes.
#[derive(Serialize, Deserialize)]
struct SpillEntry {
    load: LoadId,
    record: u64,
    line: u64,
    offset: u64,
    errors: Vec<CellError>,
    deferred: bool,
    /// The bytes that follow; none if they are to be read again from the source.
    bytes: Option<usize>,
    /// The length of the whole record, if fewer bytes follow.
    length: Option<u64>,
}

impl SpillEntry {
    fn describe(load: LoadId, reject: &NewReject) -> Self {
        let (bytes, length) = match &reject.raw {
            RawRecord::Whole(bytes) => (Some(bytes.len()), None),
            RawRecord::Head(bytes, length) => (Some(bytes.len()), Some(*length)),
            RawRecord::Long(length) => (None, Some(*length)),
        };
        let NewReject { record, line, offset, ref errors, deferred, .. } = *reject;
        Self { load, record, line, offset, errors: errors.clone(), deferred, bytes, length }
    }

    /// The reject, whose bytes `file` has next.
    fn read_reject(self, file: &mut impl io::Read) -> io::Result<(LoadId, NewReject)> {
        let mut bytes = vec![0; self.bytes.unwrap_or_default()];
        file.read_exact(&mut bytes)?;
        let raw = match (self.bytes, self.length) {
            (Some(_), None) => RawRecord::Whole(bytes),
            (Some(_), Some(length)) => RawRecord::Head(bytes, length),
            (None, length) => RawRecord::Long(length.unwrap_or_default()),
        };
        let Self { load, record, line, offset, errors, deferred, .. } = self;
        Ok((load, NewReject { record, line, offset, raw, errors, deferred }))
    }
}

impl RejectSpill {
    pub(super) fn new() -> Result<Self> {
        // It has no name, so that it is gone with the process, however that ends.
        let file = tempfile::tempfile().map_err(spill_error)?;
        Ok(Self { file: BufWriter::new(file), withdrawn: HashSet::new() })
    }

    /// Adds a reject of `load`.
    pub(super) fn push(&mut self, load: LoadId, reject: &NewReject) -> Result<()> {
        serde_json::to_writer(&mut self.file, &SpillEntry::describe(load, reject))
            .map_err(|error| spill_error(error.into()))?;
        self.file.write_all(b"\n").and_then(|()| self.file.write_all(reject.raw.available_bytes())).map_err(spill_error)
    }

    /// Takes a reject back.
    pub(super) fn withdraw_reject(&mut self, load: LoadId, record: u64) {
        self.withdrawn.insert((load, record));
    }

    /// Hands all rejects to `visit`, in order.
    pub(super) fn drain_rejects(self, visit: &mut dyn FnMut(LoadId, &NewReject) -> Result<()>) -> Result<()> {
        let mut file = self.file.into_inner().map_err(|error| spill_error(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(spill_error)?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line).map_err(spill_error)? > 0 {
            let entry: SpillEntry = serde_json::from_slice(&line).map_err(|error| spill_error(error.into()))?;
            line.clear();
            let (load, reject) = entry.read_reject(&mut file).map_err(spill_error)?;
            if !self.withdrawn.contains(&(load, reject.record)) {
                visit(load, &reject)?;
            }
        }
        Ok(())
    }
}

fn spill_error(cause: io::Error) -> Error {
    Error::System { doing: "write rejects to a temporary file and read them (TMPDIR names another folder)", cause }
}

#[cfg(test)]
mod tests {
    use landfall_core::reject::ErrorCode;

    use super::*;

    #[test]
    fn rejects_come_back_as_they_were_without_those_that_were_withdrawn() {
        let raws = [
            RawRecord::Whole(b"1,\"a\nb\",\xff\0\n".to_vec()),
            RawRecord::Long(20 << 20),
            RawRecord::Head(b"\n{\n".to_vec(), 1000),
            RawRecord::Whole(Vec::new()),
        ];
        let reject = |record: u64, raw: &RawRecord| NewReject {
            record,
            line: record + 1,
            offset: record * 10,
            raw: raw.clone(),
            errors: vec![CellError::new(ErrorCode::TypeError, Some("a\nb".into()), None, "is none".to_owned())],
            deferred: record == 2,
        };
        let rejects: Vec<NewReject> = (1..).zip(&raws).map(|(record, raw)| reject(record, raw)).collect();
        let mut spill = RejectSpill::new().expect("a file");
        for reject in &rejects {
            spill.push(7.into(), reject).expect("is written");
        }
        spill.withdraw_reject(7.into(), 3);
        spill.withdraw_reject(8.into(), 1);
        let mut found = Vec::new();
        let visit = &mut |load: LoadId, reject: &NewReject| {
            found.push((load, reject.clone()));
            Ok(())
        };
        spill.drain_rejects(visit).expect("is read");
        let stays = [0, 1, 3].map(|at: usize| (LoadId::from(7), rejects[at].clone()));
        assert_eq!(found, stays);
    }
}
