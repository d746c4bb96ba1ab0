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

use super::sent::body_of;

/// An answer up to this many bytes stays in memory without being counted.
const SMALL: usize = 16 << 10;
/// An answer with more bytes than this goes to a file.
const MOST_IN_MEMORY: usize = 1 << 20;
/// The memory of all answers together; beyond it, they go to files.
const MEMORY: u64 = 24 << 20;
/// A page that has so many bytes ends, however many entries were asked for; `next` tells where the next one begins.
pub(super) const PAGE_BYTES: u64 = 8 << 20;
/// What is taken of the space at a time.
const STEP: u64 = 1 << 20;

/// The space for answers that are being sent.
#[derive(Debug, Clone)]
pub(super) struct Spools(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// The most bytes of all files.
    space: u64,
    taken: Mutex<Taken>,
}

/// What is taken now.
#[derive(Debug, Default)]
struct Taken {
    memory: u64,
    disk: u64,
    /// The bytes on the disk of each caller.
    of: HashMap<String, u64>,
}

impl Spools {
    /// Files lie in `folder`, which is made when it is needed, and have at most `space` bytes together.
    pub(super) fn new(folder: PathBuf, space: u64) -> Self {
        Self(Arc::new(Inner { folder, space, taken: Mutex::default() }))
    }

    /// Begins an answer to `caller`.
    pub(super) fn begin(&self, caller: &str) -> Spool {
        let reserved = Reserved { spools: self.clone(), caller: caller.to_owned(), memory: 0, disk: 0 };
        Spool { memory: Vec::new(), file: None, length: 0, hasher: blake3::Hasher::new(), reserved }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most bytes on the disk of one caller: half, so that nobody takes all. Where nobody has a token, all are one caller.
    fn share(&self, caller: &str) -> u64 {
        if caller.is_empty() { self.0.space } else { self.0.space / 2 }
    }

    fn create(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0.folder)?;
        tempfile::tempfile_in(&self.0.folder)
    }
}

/// The space that an answer takes until it is sent or given up.
#[derive(Debug)]
struct Reserved {
    spools: Spools,
    caller: String,
    memory: u64,
    disk: u64,
}

impl Reserved {
    /// Takes more memory; whether there was some left.
    fn more_memory(&mut self, bytes: u64) -> bool {
        let mut taken = self.spools.taken();
        if taken.memory + bytes > MEMORY {
            return false;
        }
        taken.memory += bytes;
        self.memory += bytes;
        true
    }

    fn give_memory_back(&mut self) {
        self.spools.taken().memory -= std::mem::take(&mut self.memory);
    }

    /// Takes so much of the disk that `length` bytes have room.
    fn reach(&mut self, length: u64) -> io::Result<()> {
        if length <= self.disk {
            return Ok(());
        }
        let (share, space) = (self.spools.share(&self.caller), self.spools.0.space);
        let mut taken = self.spools.taken();
        let own = taken.of.get(&self.caller).copied().unwrap_or(0);
        let left = (space - taken.disk.min(space)).min(share - own.min(share));
        let needed = length - self.disk;
        if needed > left {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "answers take all the space that they may have"));
        }
        let more = needed.max(STEP).min(left);
        taken.disk += more;
        *taken.of.entry(self.caller.clone()).or_default() += more;
        self.disk += more;
        Ok(())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut taken = self.spools.taken();
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
pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
    hasher: blake3::Hasher,
    reserved: Reserved,
}

impl Spool {
    /// Bytes so far.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Ends the answer.
    pub(super) fn finish(mut self) -> landfall_engine::Result<Spooled> {
        self.end().map_err(unwritable)?;
        let tag = format!("\"{}\"", &self.hasher.finalize().to_hex()[..32]);
        let content = self.file.map_or(Content::Memory(self.memory.into()), Content::File);
        Ok(Spooled { content, length: self.length, tag, reserved: self.reserved })
    }

    fn end(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            self.write_out()?;
        }
        self.file.as_mut().map_or(Ok(()), |file| file.rewind())
    }

    /// Writes what is in memory to the file.
    fn write_out(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.reserved.spools.create()?);
        }
        self.reserved.reach(self.length)?;
        if let Some(file) = &mut self.file {
            file.write_all(&self.memory)?;
        }
        // From here on a small buffer does.
        self.memory = Vec::with_capacity(4 * SMALL);
        self.reserved.give_memory_back();
        Ok(())
    }

    /// Whether so many bytes may stay in memory for now.
    fn fits(&mut self) -> bool {
        let bytes = self.memory.len();
        if self.file.is_some() {
            return bytes < 4 * SMALL;
        }
        let counted = usize::try_from(self.reserved.memory).unwrap_or(usize::MAX).saturating_add(SMALL);
        bytes <= counted || bytes <= MOST_IN_MEMORY && self.reserved.more_memory(bytes as u64)
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.extend_from_slice(bytes);
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        if !self.fits() {
            self.write_out()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An answer that is whole.
pub(super) struct Spooled {
    content: Content,
    length: u64,
    /// A digest of its bytes, as an `ETag`.
    pub(super) tag: String,
    reserved: Reserved,
}

enum Content {
    Memory(Bytes),
    File(File),
}

impl Spooled {
    /// The answer with its length; the space is free again once it is sent.
    pub(super) fn respond(self) -> Response {
        let body = match self.content {
            Content::Memory(bytes) if self.reserved.memory == 0 => Body::from(bytes),
            Content::Memory(bytes) => guarded(Cursor::new(bytes), self.reserved),
            Content::File(file) => guarded(file, self.reserved),
        };
        let mut response = Response::new(body);
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(self.length));
        response
    }
}

fn guarded(content: impl Read + Send + 'static, reserved: Reserved) -> Body {
    body_of(Guarded { content, _reserved: reserved })
}

/// What is read, with the space that it takes.
struct Guarded<R> {
    content: R,
    _reserved: Reserved,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer)
    }
}

/// The error for an answer that cannot be written.
pub(super) fn unwritable(cause: io::Error) -> Error {
    Error::System { doing: "write the answer to a temporary file", cause }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn spools(space: u64) -> (tempfile::TempDir, Spools) {
        let folder = tempfile::tempdir().unwrap();
        let spools = Spools::new(folder.path().join("answers"), space);
        (folder, spools)
    }

    fn content(spooled: &mut Spooled) -> Vec<u8> {
        match &mut spooled.content {
            Content::Memory(bytes) => bytes.to_vec(),
            Content::File(file) => {
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
            let mut spool = spools.begin("a");
            bytes.chunks(1000).for_each(|part| spool.write_all(part).unwrap());
            let mut spooled = spool.finish().unwrap();
            assert_eq!(spooled.length, length as u64);
            assert!(content(&mut spooled) == bytes, "{length}");
        }
        let taken = spools.taken();
        assert_eq!((taken.memory, taken.disk, taken.of.len()), (0, 0, 0));
    }

    #[test]
    fn no_caller_takes_all_the_space() {
        let (_folder, spools) = spools(8 << 20);
        let fill = |caller: &str| {
            let mut spool = spools.begin(caller);
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
