//! The folder where uploads lie until they are loaded: bounded in size, and safe from a crash.
//!
//! An upload is received into `ID.part` and becomes `ID.upload` once all of it is on the disk. Whoever works on a file holds a
//! lock on it, which the system takes back when the process dies: so a file without a lock is free to be taken up by any
//! process that shares the folder, and a part without one belongs to nobody.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use landfall_engine::source::Source;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    body::broken_off,
    problem::{Kind, Outcome, Problem},
    space::Space,
};

/// Parts of a body that wait to be written.
const WAITING: usize = 16;
/// How old a part must be to be one that nobody receives any more, if it is not locked.
const FRESH: Duration = Duration::from_secs(60);
/// What the names of uploads end in.
const WHOLE: &str = "upload";
const PART: &str = "part";

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Uploads {
    /// The most bytes of one file, also when it is decompressed.
    most: u64,
    /// The folder, and the bytes of all files.
    space: Space,
}

/// An upload that lies in the folder, and is locked.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) path: PathBuf,
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// BLAKE3 of its bytes.
    pub(super) digest: String,
    _lock: File,
}

/// A file that was found in the folder, and is locked now.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) path: PathBuf,
    _lock: File,
}

impl Uploads {
    /// The uploads in `folder`, which is made when it is needed.
    pub(super) const fn new(folder: PathBuf, most: u64, space: u64) -> Self {
        let counts = |path: &Path| path.extension().is_some_and(|ending| ending == WHOLE || ending == PART);
        Self { most, space: Space::new(folder, space, counts) }
    }

    /// Receives `body` as the upload `id`; between two of its parts at most `pause` may pass.
    pub(super) async fn receive(&self, id: String, body: Incoming<'_>, pause: Duration) -> Outcome<Upload> {
        let (parts, taken) = mpsc::channel(WAITING);
        let (told, hears) = oneshot::channel();
        let uploads = self.clone();
        tokio::task::spawn_blocking(move || {
            // Where the receiver is gone, there is nobody to tell, and the file goes with the answer.
            let _ = told.send(uploads.write(id, taken));
        });
        let sent = forward(body, &parts, pause, self.most).await;
        let whole = sent.is_ok();
        if whole {
            let _ = parts.send(None).await;
        }
        drop(parts);
        let written = hears.await.map_err(|_| lost())?;
        match (sent, written) {
            (Ok(()), Ok(Some(upload))) => Ok(upload),
            (_, Err(problem)) | (Err(Some(problem)), _) => Err(problem),
            _ => Err(lost()),
        }
    }

    /// Writes what comes until its end, which is told by `None`. Without that end, nothing is left of it.
    fn write(&self, id: String, mut parts: mpsc::Receiver<Option<Bytes>>) -> Outcome<Option<Upload>> {
        let path = self.path(&id, PART);
        let mut file = self.create(&path).map_err(|error| self.failed(&error))?;
        let mut reserved = Reserved { uploads: self, bytes: 0, reserved: 0, path: Some(path.clone()) };
        let mut hasher = blake3::Hasher::new();
        loop {
            match parts.blocking_recv() {
                None => return Ok(None),
                Some(None) => break,
                Some(Some(part)) => {
                    reserved.more(&file, part.len() as u64)?;
                    hasher.update(&part);
                    file.write_all(&part).map_err(|error| self.failed(&error))?;
                }
            }
        }
        // What was taken ahead is given back.
        file.set_len(reserved.bytes).map_err(|error| self.failed(&error))?;
        self.check_size(&path, &mut file)?;
        let finish = || {
            file.sync_all()?;
            let whole = self.path(&id, WHOLE);
            fs::rename(&path, &whole)?;
            File::open(self.space.folder())?.sync_all()?;
            Ok(whole)
        };
        let whole = finish().map_err(|error| self.failed(&error))?;
        let bytes = reserved.keep();
        Ok(Some(Upload { id, path: whole, bytes, digest: hasher.finalize().to_hex()[..32].to_owned(), _lock: file }))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.space.folder())?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(file)
    }

    /// Refuses a compressed file that is damaged, or is too large when it is decompressed.
    fn check_size(&self, path: &Path, file: &mut File) -> Outcome<()> {
        let mut magic = [0; 4];
        let known = file.rewind().and_then(|()| file.read(&mut magic)).map_err(|error| self.failed(&error))?;
        let source = Source::from_file("the file", path);
        let mut input = source.open().map_err(|_| lost())?;
        if !input.is_compressed() || known == 0 {
            return Ok(());
        }
        let mut limited = (&mut input).take(self.most + 1);
        match io::copy(&mut limited, &mut io::sink()) {
            Ok(size) if size > self.most => Err(too_large(self.most)),
            Ok(_) => Ok(()),
            Err(error) => {
                let detail = format!("the file cannot be decompressed: {error}");
                Err(Problem::new(Kind::WRONG_SHAPE, detail))
            }
        }
    }

    /// The uploads that are whole and that nobody works on, the oldest first; each is locked when its turn comes, so that others
    /// may do those behind it meanwhile. Parts that nobody writes any more are removed.
    pub(super) fn free(&self) -> impl Iterator<Item = Found> {
        let mut paths = self.space.files();
        paths.sort();
        paths.into_iter().filter_map(|path| {
            // Its receiver may be just about to lock it.
            if path.extension()? == PART && age(&path) < FRESH {
                return None;
            }
            let lock = File::open(&path).ok()?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return None,
                Err(TryLockError::Error(error)) => {
                    tracing::warn!(%error, "the file system of the uploads has no locks, so that none is loaded");
                    return None;
                }
            }
            let id = path.file_stem()?.to_str()?.to_owned();
            if path.extension()? == PART {
                self.remove(&path);
                return None;
            }
            // Another process may have removed it just before it was locked.
            path.exists().then_some(Found { id, path, _lock: lock })
        })
    }

    /// Removes the file at `path`.
    pub(super) fn remove(&self, path: &Path) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "an upload cannot be removed");
            }
            _ => {}
        }
    }

    fn path(&self, id: &str, ending: &str) -> PathBuf {
        self.space.folder().join(format!("{id}.{ending}"))
    }

    fn failed(&self, error: &io::Error) -> Problem {
        tracing::error!(%error, folder = %self.space.folder().display(), "an upload cannot be stored");
        if error.kind() == io::ErrorKind::StorageFull {
            return Problem::new(
                Kind::NO_SPACE,
                "the service has no space left for uploads; nothing of this one was kept",
            )
            .after(60);
        }
        Problem::new(Kind::INTERNAL, "the upload cannot be stored; the service's log says more")
    }
}

/// How long ago the file at `path` was written to.
fn age(path: &Path) -> Duration {
    let written = fs::metadata(path).and_then(|data| data.modified());
    written.ok().and_then(|written| written.elapsed().ok()).unwrap_or_default()
}

/// The space that an upload takes while it is received.
struct Reserved<'u> {
    uploads: &'u Uploads,
    /// Bytes that have come.
    bytes: u64,
    /// Bytes for which there is space.
    reserved: u64,
    /// What is removed if it does not come to its end.
    path: Option<PathBuf>,
}

impl Reserved<'_> {
    /// Takes space for more bytes of `file`.
    fn more(&mut self, file: &File, bytes: u64) -> Outcome<()> {
        self.bytes += bytes;
        if self.bytes <= self.reserved {
            return Ok(());
        }
        self.reserved = self.uploads.space.reserve(file, self.bytes).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull => {
                let detail = "uploads that wait to be loaded take all the space that they may have; nothing of this one was kept";
                Problem::new(Kind::NO_SPACE, detail).after(60)
            }
            _ => self.uploads.failed(&error),
        })?;
        Ok(())
    }

    fn keep(mut self) -> u64 {
        self.path = None;
        self.bytes
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            self.uploads.remove(path);
        }
    }
}

/// What a file comes in.
pub(super) enum Incoming<'b> {
    /// The body is the file.
    Body(Body),
    /// The file is a part of a form.
    Field(Box<multer::Field<'b>>),
}

impl Incoming<'_> {
    async fn next(&mut self) -> Outcome<Option<Bytes>> {
        match self {
            Self::Body(body) => loop {
                let Some(frame) = body.frame().await else { return Ok(None) };
                if let Ok(data) = frame.map_err(|error| broken_off(&error))?.into_data() {
                    return Ok(Some(data));
                }
            },
            Self::Field(field) => field.chunk().await.map_err(|error| of_form(&error)),
        }
    }
}

/// A form that cannot be read.
pub(super) fn of_form(error: &multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(cause) => broken_off(&**cause),
        _ => Problem::new(Kind::WRONG_SHAPE, format!("the form cannot be read: {error}")),
    }
}

/// Hands the parts of a body over. Where nobody takes them, it is for whoever should have to say why.
async fn forward(
    mut body: Incoming<'_>,
    parts: &mpsc::Sender<Option<Bytes>>,
    pause: Duration,
    most: u64,
) -> Result<(), Option<Problem>> {
    let mut received = 0;
    loop {
        let next = timeout(pause, body.next()).await;
        let next = next.map_err(|_| Problem::new(Kind::TIMEOUT, "no further part of the body came in time"))?;
        let Some(part) = next? else { return Ok(()) };
        received += part.len() as u64;
        if received > most {
            return Err(Some(too_large(most)));
        }
        parts.send(Some(part)).await.map_err(|_| None)?;
    }
}

fn too_large(most: u64) -> Problem {
    let detail = format!("the file is larger than {most} bytes, the most that is taken here (also when decompressed)");
    Problem::new(Kind::TOO_LARGE, detail)
}

fn lost() -> Problem {
    Problem::new(Kind::INTERNAL, "the upload was lost; send it again")
}
