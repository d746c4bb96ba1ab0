//! Sets in a folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{BackupStore, DraftFile, SetDraft, SetFile, SetReader, visit_parts};
use crate::{
    backup::{MANIFEST, Manifest, SetId, TableEntry, set_file_name},
    error::{Error, Result},
};

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

    fn set_path(&self, set: &SetId) -> PathBuf {
        self.folder.join(set.as_str())
    }

    /// Removes drafts whose process has died.
    fn remove_dead_drafts(&self) {
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
        // The lock that is taken here is given back at once, when the file is closed.
        Ok(lock) => lock.try_lock().is_ok(),
        // Its process may be between making the folder and the lock.
        Err(_) => {
            let changed = fs::metadata(draft).and_then(|data| data.modified()).unwrap_or_else(|_| SystemTime::now());
            changed.elapsed().is_ok_and(|age| age > YOUNG)
        }
    }
}

fn storage_error(path: &Path, cause: io::Error) -> Error {
    Error::File { path: path.to_path_buf(), cause }
}

/// Makes the entries of a folder last.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl BackupStore for LocalStore {
    fn location(&self) -> String {
        self.folder.display().to_string()
    }

    fn begin_draft(&self, set: &SetId) -> Result<Box<dyn SetDraft + '_>> {
        fs::create_dir_all(&self.folder).map_err(|cause| storage_error(&self.folder, cause))?;
        self.remove_dead_drafts();
        let folder = self.folder.join(format!(".{set}{PARTIAL}"));
        fs::create_dir(&folder).map_err(|cause| storage_error(&folder, cause))?;
        let locked = || {
            let lock = File::create_new(folder.join(LOCK))?;
            // The lock ends with the process, however that ends. So whoever finds it free knows that the draft is dead.
            lock.lock()?;
            Ok(lock)
        };
        let lock = locked().map_err(|cause| storage_error(&folder, cause))?;
        Ok(Box::new(LocalDraft { store: self, set: set.clone(), folder, _lock: lock, published: false }))
    }

    fn list_sets(&self) -> Result<Vec<SetId>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(storage_error(&self.folder, error)),
        };
        let mut sets = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|cause| storage_error(&self.folder, cause))?;
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

    fn read_manifest(&self, set: &SetId) -> Result<Manifest> {
        let path = self.set_path(set).join(MANIFEST);
        let is_ours = is_no_link(&self.set_path(set), fs::FileType::is_dir) && is_no_link(&path, fs::FileType::is_file);
        if !is_ours {
            return Err(Error::source_error(
                set.as_str(),
                format!("there is no such backup set in {}", self.location()),
            ));
        }
        let bytes = fs::read(&path).map_err(|cause| Error::source_error(path.display().to_string(), cause))?;
        Manifest::from_set_bytes(set, &bytes).map_err(|reason| Error::source_error(path.display().to_string(), reason))
    }

    fn open(&self, set: &SetId, entry: &TableEntry) -> Result<SetReader> {
        let path = self.fetch_file(set, entry)?.path;
        let open = || {
            let file = File::open(&path)?;
            Ok((file.metadata()?.len(), file))
        };
        let (bytes, file) = open().map_err(|cause| storage_error(&path, cause))?;
        Ok(SetReader { bytes, content: Box::new(file) })
    }

    fn fetch_file(&self, set: &SetId, entry: &TableEntry) -> Result<SetFile> {
        // Not the name that the manifest gives: one of ours.
        let path = self.set_path(set).join(set_file_name(&entry.table));
        if !is_no_link(&path, fs::FileType::is_file) {
            return Err(Error::source_error(path.display().to_string(), "the file of the table is not there"));
        }
        Ok(SetFile::of(path))
    }

    fn remove(&self, set: &SetId) -> Result<()> {
        let path = self.set_path(set);
        let aside = self.folder.join(format!(".{set}{PARTIAL}"));
        // In one step it is no set any more. A removal that is interrupted leaves a draft, which the next backup clears
        // away.
        fs::rename(&path, &aside).map_err(|cause| storage_error(&path, cause))?;
        sync_folder(&self.folder).map_err(|cause| storage_error(&self.folder, cause))?;
        fs::remove_dir_all(&aside).map_err(|cause| storage_error(&aside, cause))
    }
}

/// Whether `path` is of a kind itself, and no link to it.
fn is_no_link(path: &Path, is: fn(&fs::FileType) -> bool) -> bool {
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

impl SetDraft for LocalDraft<'_> {
    fn create_file(&mut self, file: &str) -> Result<Box<dyn DraftFile>> {
        let path = self.folder.join(file);
        let file = File::create_new(&path).map_err(|cause| storage_error(&path, cause))?;
        Ok(Box::new(LocalFile { file, path }))
    }

    fn take_file(&mut self, file: &str, bytes: u64, blake3: blake3::Hash) -> Result<()> {
        let path = self.folder.join(file);
        let mut hasher = blake3::Hasher::new();
        let read = File::open(&path).and_then(|mut file| {
            visit_parts(&mut file, |part| {
                hasher.update(part);
            })
        });
        read.map_err(|cause| storage_error(&path, cause))?;
        if (hasher.count(), hasher.finalize()) == (bytes, blake3) {
            return Ok(());
        }
        let words = "what was read back is not what was written; see that the disk is sound";
        Err(storage_error(&path, io::Error::new(io::ErrorKind::InvalidData, words)))
    }

    fn publish_set(mut self: Box<Self>, manifest: &[u8]) -> Result<String> {
        let path = self.folder.join(MANIFEST);
        let whole = self.store.set_path(&self.set);
        let write = || {
            let mut file = File::create_new(&path)?;
            io::Write::write_all(&mut file, manifest)?;
            file.sync_all()?;
            // The files before the name: after a loss of power, a set that has its name is whole.
            sync_folder(&self.folder)?;
            fs::rename(&self.folder, &whole)?;
            sync_folder(&self.store.folder)
        };
        write().map_err(|cause| storage_error(&whole, cause))?;
        self.published = true;
        // Locked to the end, so that nobody took it for abandoned; where it stays, it does no harm.
        let _ = fs::remove_file(whole.join(LOCK));
        Ok(whole.display().to_string())
    }
}

/// A file of a draft.
struct LocalFile {
    file: File,
    path: PathBuf,
}

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DraftFile for LocalFile {
    fn finish_file(self: Box<Self>) -> Result<()> {
        self.file.sync_all().map_err(|cause| storage_error(&self.path, cause))
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
