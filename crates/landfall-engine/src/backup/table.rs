//! One table into its file: the snapshot is read by the caller's thread, rows are written and compressed by others, and one more
//! puts the blocks into the file in their order.

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use arrow_array::{Array as _, RecordBatch, cast::AsArray as _};
use landfall_core::{
    avro::write::{NumberForm, NumberSpan, RowWriter, Unwritable},
    decode::CutterLimits,
    schema::{FieldIndex, FieldType},
};
use sha2::{Digest as _, Sha256};

use super::{BackupOptions, ContentDigest, DraftFile, encode_hex};
use crate::{
    avro::{AvroCodec, ContainerWriter, SYNC},
    count_noun,
    error::{Error, Result, TargetError, TargetErrorKind},
    pipeline::{LoadProgress, Observer},
    targets::{Snapshot, Table},
};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// A file that was written.
#[derive(Debug)]
pub(super) struct WrittenFile {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// By which it is known again when it is read back: several times as fast as the other.
    pub(super) blake3: blake3::Hash,
    pub(super) digest: ContentDigest,
}

/// A block on its way into the file.
struct EncodedBlock {
    rows: u64,
    compressed: Vec<u8>,
    digest: ContentDigest,
}

/// A batch on its way to a worker, and where its block goes.
struct EncodeTask {
    rows: RecordBatch,
    answer: SyncSender<Result<EncodedBlock>>,
}

/// Writes all rows of `table` into `file`, and makes it last.
pub(super) fn write(
    snapshot: &mut dyn Snapshot,
    table: &Table,
    file: Box<dyn DraftFile>,
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<WrittenFile> {
    // Avro fixes the digits of a decimal before the first row, so that all numbers are read once beforehand.
    let writer = RowWriter::new(&table.name, &table.schema, &number_forms(snapshot, table)?);
    let mut sync = [0; SYNC];
    getrandom::fill(&mut sync).map_err(|error| write_error(io::Error::other(error.to_string())))?;
    let out =
        BufWriter::with_capacity(BUFFER, HashingFile { file, sha256: Sha256::new(), blake3: blake3::Hasher::new() });
    let container = ContainerWriter::new(out, writer.schema_json(), options.codec, sync).map_err(write_error)?;
    let positions: Vec<FieldIndex> = table.schema.field_positions().collect();
    let threads = options.threads.max(1);
    let (job_sender, jobs) = sync_channel::<EncodeTask>(threads);
    let (answer_sender, answers) = sync_channel(threads + 2);
    let jobs = Mutex::new(jobs);
    let written = thread::scope(|scope| {
        let file = scope.spawn(move || write_blocks(container, answers));
        for _ in 0..threads {
            scope.spawn(|| encode_batches(&jobs, &writer, table, options.codec));
        }
        let mut rows = 0;
        let read = snapshot.visit_rows(table, &positions, &mut |batch| {
            rows += batch.num_rows() as u64;
            let (answer, receiver) = sync_channel(1);
            // Where nobody listens any more, the file has an error to tell.
            if answer_sender.send(receiver).is_err() || job_sender.send(EncodeTask { rows: batch, answer }).is_err() {
                return Err(Error::Cancelled);
            }
            if observer.is_cancelled() {
                return Err(Error::Cancelled);
            }
            observer.report_progress(LoadProgress { bytes: 0, total_bytes: 0, records: rows, rejected: 0 });
            Ok(())
        });
        // Otherwise the threads would wait for more.
        drop((answer_sender, job_sender));
        let written = file.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (read, written) {
            (Ok(()), written) => written,
            // Reading stops because writing failed: the error of the file is the cause.
            (Err(Error::Cancelled), Err(error)) | (Err(error), _) => Err(error),
        }
    })?;
    check_count(snapshot, table, &written)?;
    Ok(written)
}

/// Refuses a file that has not as many rows as the database counts: a setting of the server may cut what it hands over.
fn check_count(snapshot: &mut dyn Snapshot, table: &Table, written: &WrittenFile) -> Result<()> {
    // Counted by the database afresh: what it handed over may be less (promise 1).
    let counted = snapshot.row_count(table)?;
    if counted == written.rows {
        return Ok(());
    }
    let message = format!(
        "the table {:?} has {}, and the database handed over {}; the backup was given up: look for a setting of the \
         server that limits results",
        &*table.name,
        count_noun(counted, "row"),
        written.rows
    );
    Err(TargetError::new(TargetErrorKind::Statement, message).into())
}

/// For each field of numbers the form that holds all of them: they are read once before.
fn number_forms(snapshot: &mut dyn Snapshot, table: &Table) -> Result<Vec<NumberForm>> {
    let is_number = |at: &FieldIndex| matches!(table.schema[*at].kind, FieldType::Number(_));
    let positions: Vec<FieldIndex> = table.schema.field_positions().filter(is_number).collect();
    let mut spans = vec![NumberSpan::default(); positions.len()];
    if !positions.is_empty() {
        snapshot.visit_rows(table, &positions, &mut |batch| {
            for (span, column) in spans.iter_mut().zip(batch.columns()) {
                let column = column.as_string::<i32>();
                (0..column.len()).filter(|&row| column.is_valid(row)).for_each(|row| span.widen(column.value(row)));
            }
            Ok(())
        })?;
    }
    Ok(spans.into_iter().map(NumberSpan::narrowest_form).collect())
}

/// Writes and compresses batches until there are no more.
fn encode_batches(jobs: &Mutex<Receiver<EncodeTask>>, writer: &RowWriter, table: &Table, codec: AvroCodec) {
    let (mut plain, mut ends) = (Vec::new(), Vec::new());
    loop {
        let job = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            Err(_) => return,
        };
        let Ok(EncodeTask { rows, answer }) = job else { return };
        plain.clear();
        ends.clear();
        let block =
            writer.write(&rows, &mut plain, &mut ends).map_err(|at| misplaced_value(table, &at)).and_then(|()| {
                let mut digest = ContentDigest::default();
                let mut start = 0;
                for &end in &ends {
                    refuse_too_long(table, &plain[start..end])?;
                    digest.add_row_bytes(&plain[start..end]);
                    start = end;
                }
                let compressed = codec.compress_block(&plain).map_err(write_error)?;
                Ok(EncodedBlock { rows: ends.len() as u64, compressed, digest })
            });
        let _ = answer.send(block);
    }
}

/// Refuses a row that no restore could read: it is read as a line of JSON, in which some characters take up to six bytes.
fn refuse_too_long(table: &Table, row: &[u8]) -> Result<()> {
    /// More than the name of a field and a value that is no text take.
    const OTHERS: usize = 8 << 10;
    let most = CutterLimits::MOST.saturating_sub(table.schema.fields.len() * OTHERS);
    let weight = |byte: &u8| match byte {
        ..=0x1f => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    if row.len() <= most / 6 || row.iter().map(weight).sum::<usize>() <= most {
        return Ok(());
    }
    let message = format!(
        "the table {:?} has a row of {} MiB, which could not be restored: a row has at most {} MiB, in which control characters count \
         sixfold. The backup was given up; shorten that row, or back up the other tables",
        &*table.name,
        row.len() >> 20,
        CutterLimits::MOST >> 20
    );
    Err(TargetError::new(TargetErrorKind::Mismatch, message).into())
}

/// Puts blocks into the file, in their order.
fn write_blocks(
    mut container: ContainerWriter<BufWriter<HashingFile>>,
    answers: Receiver<Receiver<Result<EncodedBlock>>>,
) -> Result<WrittenFile> {
    let (mut rows, mut digest) = (0, ContentDigest::default());
    while let Ok(answer) = answers.recv() {
        // A worker that panicked tells it when it is joined.
        let Ok(block) = answer.recv() else { return Err(Error::Cancelled) };
        let block = block?;
        container.write_block(block.rows, &block.compressed).map_err(write_error)?;
        rows += block.rows;
        digest.add_digest(&block.digest);
    }
    let hashing = container.into_output().into_inner().map_err(|error| write_error(error.into_error()))?;
    let HashingFile { file, sha256, blake3 } = hashing;
    file.finish_file()?;
    Ok(WrittenFile {
        rows,
        bytes: blake3.count(),
        sha256: encode_hex(&sha256.finalize()),
        blake3: blake3.finalize(),
        digest,
    })
}

/// A file, and the digest of what was written to it.
struct HashingFile {
    file: Box<dyn DraftFile>,
    sha256: Sha256,
    blake3: blake3::Hasher,
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.blake3.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn write_error(error: io::Error) -> Error {
    Error::from_io_error("the backup", error)
}

/// The error for a value that the table's own dictionary has no place for.
fn misplaced_value(table: &Table, at: &Unwritable) -> Error {
    let field = &table.schema[at.field];
    let message = format!(
        "the table {:?} has a row without a value in its field {:?}, which is required: another program has stored it; mend it in the \
         database, or say in the data package that the field may be missing",
        &*table.name, &*field.name
    );
    TargetError::new(TargetErrorKind::Mismatch, message).into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn a_row_that_no_restore_could_read_was_backed_up() {
        let package = landfall_core::schema::Package::from_yaml(
            "resources: [{name: t, path: t.csv, schema: {fields: [{name: a, type: string}]}}]",
            "the test",
        );
        let table = crate::targets::tables_of(&package.unwrap()).remove(0);
        let row = |byte: u8, mebibytes: usize| vec![byte; mebibytes << 20];
        for fits in [row(b'x', 255), row(1, 42), row(b'"', 127)] {
            refuse_too_long(&table, &fits).unwrap();
        }
        for too_long in [row(b'x', 256), row(1, 43), row(b'"', 128)] {
            let error = refuse_too_long(&table, &too_long).unwrap_err().to_string();
            assert!(error.contains("could not be restored"), "{error}");
        }
    }
}
