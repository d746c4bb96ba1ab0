//! Where sets lie: a folder. What object storage will be beside it, behind the same trait.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest as _, Sha256};

use super::{MANIFEST, Manifest, SetId, TableEntry, file_of, hex};
use crate::error::{Error, Result};

/// Where backup sets lie.
pub trait Store: Send + Sync {
    /// Where that is, as the user wrote it, without secrets.
    fn location(&self) -> String;

    /// Begins a new set, which nobody sees yet.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn draft(&self, set: &SetId) -> Result<Box<dyn Draft + '_>>;

    /// The sets that are whole, oldest first.
    ///
    /// # Errors
    /// A store that cannot be read.
    fn sets(&self) -> Result<Vec<SetId>>;

    /// What a set says of itself.
    ///
    /// # Errors
    /// A set that is not there, or whose manifest is damaged.
    fn manifest(&self, set: &SetId) -> Result<Manifest>;

    /// The file of a table, on this machine.
    ///
    /// # Errors
    /// A file that is not there.
    fn file(&self, set: &SetId, entry: &TableEntry) -> Result<SetFile>;

    /// Removes a set.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn remove(&self, set: &SetId) -> Result<()>;
}

/// A set in the making. Dropped before it is published, it leaves nothing that looks like a set.
pub trait Draft {
    /// A new file, to be written.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn create(&mut self, file: &str) -> Result<File>;

    /// Takes a file in that was written and flushed: reads it back, and holds it against what was written.
    ///
    /// # Errors
    /// A file that differs, or cannot be read.
    fn keep(&mut self, file: &str, bytes: u64, blake3: blake3::Hash) -> Result<()>;

    /// Makes the set visible, in one step; where it is.
    ///
    /// # Errors
    /// A store that cannot be written.
    fn publish(self: Box<Self>, manifest: &[u8]) -> Result<String>;
}

/// A file of a set, on this machine.
#[derive(Debug)]
pub struct SetFile {
    /// The file.
    pub path: PathBuf,
}

/// What keeps others from clearing a draft away while it is written.
const LOCK: &str = "lock";
const PARTIAL: &str = ".partial";
/// How long a draft without a lock is left alone: its process may be just about to make it.
const YOUNG: Duration = Duration::from_secs(60);

/// A folder of sets.
#[derive(Debug, Clone)]
pub struct LocalStore {
    folder: PathBuf,
}

impl LocalStore {
    /// The sets in `folder`, which is made when the first is written.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        // Whoever reads of it may be in another folder.
        Self { folder: std::path::absolute(&folder).unwrap_or(folder) }
    }

    fn path(&self, set: &SetId) -> PathBuf {
        self.folder.join(set.as_str())
    }

    /// Removes drafts whose process has died.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(set) = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(PARTIAL)) else {
                continue;
            };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if SetId::parse(set).is_none() || !is_folder || !is_abandoned(&entry.path()) {
                continue;
            }
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(%error, set, "what an interrupted backup left cannot be removed");
            }
        }
    }
}

/// Whether the process that wrote a draft has died.
fn is_abandoned(draft: &Path) -> bool {
    match OpenOptions::new().write(true).open(draft.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => {
            let changed = fs::metadata(draft).and_then(|data| data.modified()).unwrap_or_else(|_| SystemTime::now());
            changed.elapsed().is_ok_and(|age| age > YOUNG)
        }
    }
}

fn failed(path: &Path, cause: io::Error) -> Error {
    Error::File { path: path.to_path_buf(), cause }
}

/// Makes the entries of a folder last.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl Store for LocalStore {
    fn location(&self) -> String {
        self.folder.display().to_string()
    }

    fn draft(&self, set: &SetId) -> Result<Box<dyn Draft + '_>> {
        fs::create_dir_all(&self.folder).map_err(|cause| failed(&self.folder, cause))?;
        self.sweep();
        let folder = self.folder.join(format!(".{set}{PARTIAL}"));
        fs::create_dir(&folder).map_err(|cause| failed(&folder, cause))?;
        let locked = || {
            let lock = File::create_new(folder.join(LOCK))?;
            lock.lock()?;
            Ok(lock)
        };
        let lock = locked().map_err(|cause| failed(&folder, cause))?;
        Ok(Box::new(LocalDraft { store: self, set: set.clone(), folder, _lock: lock, published: false }))
    }

    fn sets(&self) -> Result<Vec<SetId>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&self.folder, error)),
        };
        let mut sets = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|cause| failed(&self.folder, cause))?;
            // What is not a folder itself, a link for instance, is not ours.
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let set = entry.file_name().to_str().and_then(SetId::parse);
            sets.extend(set.filter(|_| entry.path().join(MANIFEST).is_file()));
        }
        sets.sort();
        Ok(sets)
    }

    fn manifest(&self, set: &SetId) -> Result<Manifest> {
        let path = self.path(set).join(MANIFEST);
        let is_ours = is_itself(&self.path(set), fs::FileType::is_dir) && is_itself(&path, fs::FileType::is_file);
        if !is_ours {
            return Err(Error::source(set.as_str(), format!("there is no such backup set in {}", self.location())));
        }
        let bytes = fs::read(&path).map_err(|cause| Error::source(path.display().to_string(), cause))?;
        let manifest =
            Manifest::of_bytes(&bytes).map_err(|reason| Error::source(path.display().to_string(), reason))?;
        if manifest.set != set.as_str() {
            let reason = format!("its manifest is that of the set {}", manifest.set);
            return Err(Error::source(path.display().to_string(), reason));
        }
        Ok(manifest)
    }

    fn file(&self, set: &SetId, entry: &TableEntry) -> Result<SetFile> {
        // Not the name that the manifest gives: one of ours.
        let path = self.path(set).join(file_of(&entry.table));
        if !is_itself(&path, fs::FileType::is_file) {
            return Err(Error::source(path.display().to_string(), "the file of the table is not there"));
        }
        Ok(SetFile { path })
    }

    fn remove(&self, set: &SetId) -> Result<()> {
        let path = self.path(set);
        let aside = self.folder.join(format!(".{set}{PARTIAL}"));
        fs::rename(&path, &aside).map_err(|cause| failed(&path, cause))?;
        sync_folder(&self.folder).map_err(|cause| failed(&self.folder, cause))?;
        fs::remove_dir_all(&aside).map_err(|cause| failed(&aside, cause))
    }
}

/// Whether `path` is of a kind itself, and no link to it.
fn is_itself(path: &Path, is: fn(&fs::FileType) -> bool) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| is(&data.file_type()))
}

/// A set in the making, in a folder that begins with a dot.
struct LocalDraft<'s> {
    store: &'s LocalStore,
    set: SetId,
    folder: PathBuf,
    _lock: File,
    published: bool,
}

impl Draft for LocalDraft<'_> {
    fn create(&mut self, file: &str) -> Result<File> {
        let path = self.folder.join(file);
        File::create_new(&path).map_err(|cause| failed(&path, cause))
    }

    fn keep(&mut self, file: &str, bytes: u64, blake3: blake3::Hash) -> Result<()> {
        let path = self.folder.join(file);
        let mut hasher = blake3::Hasher::new();
        let read = each_part(&path, |part| {
            hasher.update(part);
        });
        read.map_err(|cause| failed(&path, cause))?;
        if (hasher.count(), hasher.finalize()) == (bytes, blake3) {
            return Ok(());
        }
        let words = "what was read back is not what was written; see that the disk is sound";
        Err(failed(&path, io::Error::new(io::ErrorKind::InvalidData, words)))
    }

    fn publish(mut self: Box<Self>, manifest: &[u8]) -> Result<String> {
        let path = self.folder.join(MANIFEST);
        let whole = self.store.path(&self.set);
        let write = || {
            let mut file = File::create_new(&path)?;
            io::Write::write_all(&mut file, manifest)?;
            file.sync_all()?;
            sync_folder(&self.folder)?;
            fs::rename(&self.folder, &whole)?;
            sync_folder(&self.store.folder)
        };
        write().map_err(|cause| failed(&whole, cause))?;
        self.published = true;
        // Locked to the end, so that nobody took it for abandoned; where it stays, it does no harm.
        let _ = fs::remove_file(whole.join(LOCK));
        Ok(whole.display().to_string())
    }
}

impl Drop for LocalDraft<'_> {
    fn drop(&mut self) {
        if !self.published {
            // What stays is cleared away by the next backup.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// SHA-256 of a file, and its bytes.
pub(super) fn digest_of_file(path: &Path) -> io::Result<(String, u64)> {
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    each_part(path, |part| {
        sha256.update(part);
        bytes += part.len() as u64;
    })?;
    Ok((hex(&sha256.finalize()), bytes))
}

/// Reads a file part by part.
fn each_part(path: &Path, mut visit: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => visit(&buffer[..read]),
        }
    }
}
