//! Large answers: written to their end before they are sent, so that whoever writes them is free however slowly a client takes
//! them. A small one stays in memory, and a large one goes to a file without a name; both are bounded, for all and for each caller.

use std::{
    collections::HashMap,
    fs::{DirBuilder, File},
    io::{self, Cursor, Read, Seek as _, Write},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::Response,
};
use landfall_engine::Error;

use crate::http::server::streamed_body::stream_body;

/// An answer up to this many bytes stays in memory without being counted.
const SMALL: usize = 16 << 10;
/// An answer with more bytes than this goes to a file.
const MOST_IN_MEMORY: usize = 1 << 20;
/// The memory of all answers together; beyond it, they go to files.
const MEMORY: u64 = 24 << 20;
/// A page that has so many bytes ends, however many entries were asked for; `next` tells where the next one begins.
pub(in crate::http) const PAGE_BYTES: u64 = 8 << 20;
/// What is taken of the space at a time.
const STEP: u64 = 1 << 20;

/// The space for answers that are being sent.
#[derive(Debug, Clone)]
pub(in crate::http) struct SpoolSpace(Arc<SpoolInner>);

#[derive(Debug)]
struct SpoolInner {
    folder: PathBuf,
    /// The most bytes of all files.
    space: u64,
    taken: Mutex<TakenSpace>,
}

/// What is taken now.
#[derive(Debug, Default)]
struct TakenSpace {
    memory: u64,
    disk: u64,
    /// The bytes on the disk of each caller.
    of: HashMap<String, u64>,
}

impl SpoolSpace {
    /// Files lie in `folder`, which is made when it is needed, and have at most `space` bytes together.
    pub(in crate::http) fn new(folder: PathBuf, space: u64) -> Self {
        Self(Arc::new(SpoolInner { folder, space, taken: Mutex::default() }))
    }

    /// Begins an answer to `caller`.
    pub(in crate::http) fn begin_spool(&self, caller: &str) -> AnswerSpool {
        let reserved = ReservedSpace { spools: self.clone(), caller: caller.to_owned(), memory: 0, disk: 0 };
        AnswerSpool { memory: Vec::new(), file: None, length: 0, hasher: blake3::Hasher::new(), reserved }
    }

    fn lock_taken(&self) -> MutexGuard<'_, TakenSpace> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most bytes on the disk of one caller: half, so that nobody takes all. Where nobody has a token, all are one caller.
    fn caller_share(&self, caller: &str) -> u64 {
        if caller.is_empty() { self.0.space } else { self.0.space / 2 }
    }

    fn create_file(&self) -> io::Result<File> {
        // Answers hold rows of the database: nobody else on this machine may look into the folder.
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0.folder)?;
        // Without a name, so that nothing is left behind if the process dies.
        tempfile::tempfile_in(&self.0.folder)
    }
}

/// The space that an answer takes until it is sent or given up.
#[derive(Debug)]
struct ReservedSpace {
    spools: SpoolSpace,
    caller: String,
    memory: u64,
    disk: u64,
}

impl ReservedSpace {
    /// Takes more memory; whether there was some left.
    fn reserve_memory(&mut self, bytes: u64) -> bool {
        let mut taken = self.spools.lock_taken();
        if taken.memory + bytes > MEMORY {
            return false;
        }
        taken.memory += bytes;
        self.memory += bytes;
        true
    }

    fn give_memory_back(&mut self) {
        self.spools.lock_taken().memory -= std::mem::take(&mut self.memory);
    }

    /// Takes so much of the disk that `length` bytes have room.
    fn reserve_disk(&mut self, length: u64) -> io::Result<()> {
        if length <= self.disk {
            return Ok(());
        }
        let (share, space) = (self.spools.caller_share(&self.caller), self.spools.0.space);
        let mut taken = self.spools.lock_taken();
        let own = taken.of.get(&self.caller).copied().unwrap_or(0);
        let left = (space - taken.disk.min(space)).min(share - own.min(share));
        let needed = length - self.disk;
        if needed > left {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "answers take all the space that they may have"));
        }
        // In steps, so that the lock is not taken for each write.
        let more = needed.max(STEP).min(left);
        taken.disk += more;
        *taken.of.entry(self.caller.clone()).or_default() += more;
        self.disk += more;
        Ok(())
    }
}

impl Drop for ReservedSpace {
    fn drop(&mut self) {
        let mut taken = self.spools.lock_taken();
        taken.memory -= self.memory;
        taken.disk -= self.disk;
        if self.disk > 0
            && let Some(own) = taken.of.get_mut(&self.caller)
        {
            *own -= self.disk;
            if *own == 0 {
                taken.of.remove(&self.caller);
            }
        }
    }
}

/// An answer that is being written.
pub(in crate::http) struct AnswerSpool {
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
    hasher: blake3::Hasher,
    reserved: ReservedSpace,
}

impl AnswerSpool {
    /// Bytes so far.
    pub(in crate::http) const fn length(&self) -> u64 {
        self.length
    }

    /// Ends the answer.
    pub(in crate::http) fn finish_answer(mut self) -> landfall_engine::Result<SpooledAnswer> {
        self.flush_file().map_err(write_error)?;
        let tag = format!("\"{}\"", &self.hasher.finalize().to_hex()[..32]);
        let content = self.file.map_or(SpoolContent::Memory(self.memory.into()), SpoolContent::File);
        Ok(SpooledAnswer { content, length: self.length, tag, reserved: self.reserved })
    }

    fn flush_file(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            self.write_out()?;
        }
        self.file.as_mut().map_or(Ok(()), |file| file.rewind())
    }

    /// Writes what is in memory to the file.
    fn write_out(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.reserved.spools.create_file()?);
        }
        self.reserved.reserve_disk(self.length)?;
        if let Some(file) = &mut self.file {
            file.write_all(&self.memory)?;
        }
        // From here on a small buffer does.
        self.memory = Vec::with_capacity(4 * SMALL);
        self.reserved.give_memory_back();
        Ok(())
    }

    /// Whether so many bytes may stay in memory for now.
    fn fits_in_memory(&mut self) -> bool {
        let bytes = self.memory.len();
        if self.file.is_some() {
            return bytes < 4 * SMALL;
        }
        let counted = usize::try_from(self.reserved.memory).unwrap_or(usize::MAX).saturating_add(SMALL);
        bytes <= counted || bytes <= MOST_IN_MEMORY && self.reserved.reserve_memory(bytes as u64)
    }
}

impl Write for AnswerSpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.extend_from_slice(bytes);
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        if !self.fits_in_memory() {
            self.write_out()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An answer that is whole.
pub(in crate::http) struct SpooledAnswer {
    content: SpoolContent,
    length: u64,
    /// A digest of its bytes, as an `ETag`.
    pub(in crate::http) tag: String,
    reserved: ReservedSpace,
}

enum SpoolContent {
    Memory(Bytes),
    File(File),
}

impl SpooledAnswer {
    /// The answer with its length; the space is free again once it is sent.
    pub(in crate::http) fn into_response(self) -> Response {
        let body = match self.content {
            // So small an answer is not counted, and holds nothing that must be given back.
            SpoolContent::Memory(bytes) if self.reserved.memory == 0 => Body::from(bytes),
            SpoolContent::Memory(bytes) => guard_body(Cursor::new(bytes), self.reserved),
            SpoolContent::File(file) => guard_body(file, self.reserved),
        };
        let mut response = Response::new(body);
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(self.length));
        response
    }
}

fn guard_body(content: impl Read + Send + 'static, reserved: ReservedSpace) -> Body {
    stream_body(GuardedContent { content, _reserved: reserved })
}

/// What is read, with the space that it takes.
struct GuardedContent<R> {
    content: R,
    _reserved: ReservedSpace,
}

impl<R: Read> Read for GuardedContent<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer)
    }
}

/// The error for an answer that cannot be written.
pub(in crate::http) fn write_error(cause: io::Error) -> Error {
    Error::System { doing: "write the answer to a temporary file", cause }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn spools(space: u64) -> (tempfile::TempDir, SpoolSpace) {
        let folder = tempfile::tempdir().unwrap();
        let spools = SpoolSpace::new(folder.path().join("answers"), space);
        (folder, spools)
    }

    fn content(spooled: &mut SpooledAnswer) -> Vec<u8> {
        match &mut spooled.content {
            SpoolContent::Memory(bytes) => bytes.to_vec(),
            SpoolContent::File(file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                bytes
            }
        }
    }

    #[test]
    fn an_answer_is_what_was_written_however_large() {
        let (_folder, spools) = spools(64 << 20);
        for length in [0, 5, SMALL, SMALL + 1, MOST_IN_MEMORY, MOST_IN_MEMORY + 1, 5 << 20] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut spool = spools.begin_spool("a");
            bytes.chunks(1000).for_each(|part| spool.write_all(part).unwrap());
            let mut spooled = spool.finish_answer().unwrap();
            assert_eq!(spooled.length, length as u64);
            assert!(content(&mut spooled) == bytes, "{length}");
        }
        let taken = spools.lock_taken();
        assert_eq!((taken.memory, taken.disk, taken.of.len()), (0, 0, 0));
    }

    #[test]
    fn no_caller_takes_all_the_space() {
        let (_folder, spools) = spools(8 << 20);
        let fill = |caller: &str| {
            let mut spool = spools.begin_spool(caller);
            let mut written = 0;
            while spool.write_all(&[7; 64 << 10]).is_ok() {
                written += 64 << 10;
            }
            (spool, written)
        };
        let (first, bytes) = fill("a");
        assert!((3 << 20..=4 << 20).contains(&bytes), "{bytes}");
        let (_second, bytes) = fill("b");
        assert!((3 << 20..=4 << 20).contains(&bytes), "{bytes}");
        drop(first);
        assert!(fill("a").1 >= 3 << 20);
    }
}
