//! Space in a folder that several processes may share. It is taken before anything is written: the length of a file that is being
//! written is what it has taken, so every process sees it. A process that dies leaves only a file that is removed later.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// What a file takes ahead of what is written to it, at least and at most.
const LEAST_AHEAD: u64 = 64 << 10;
const MOST_AHEAD: u64 = 8 << 20;

/// The space of a folder.
#[derive(Debug, Clone)]
pub struct FolderSpace {
    folder: PathBuf,
    /// The most bytes of all its files.
    most: u64,
    /// Whether a file counts; another one in the folder is none of ours.
    counts: fn(&Path) -> bool,
}

impl FolderSpace {
    /// The space of `folder`, whose files that `counts` counts may have `most` bytes together.
    #[must_use]
    pub const fn new(folder: PathBuf, most: u64, counts: fn(&Path) -> bool) -> Self {
        Self { folder, most, counts }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that count, of whichever process.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| (self.counts)(path)).collect()
    }

    /// Takes space for `file`, which counts, until it has `length` bytes and some more if there is room; how many it has then.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] where there is not so much space.
    pub fn reserve(&self, file: &File, length: u64) -> io::Result<u64> {
        // One at a time looks and takes, among all processes. The lock ends with the handle.
        let folder = File::open(&self.folder)?;
        folder.lock()?;
        // A file may go between the listing and the look at it. Then it takes no space.
        let used: u64 = self.files().iter().filter_map(|path| fs::metadata(path).ok()).map(|data| data.len()).sum();
        let others = used.saturating_sub(file.metadata()?.len());
        let left = self.most.saturating_sub(others);
        if length > left {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the files take all the space that they may have"));
        }
        // Ahead by about as much again, so that a growing file takes the lock ever more rarely.
        let reserved = length.saturating_add(length.clamp(LEAST_AHEAD, MOST_AHEAD)).min(left);
        file.set_len(reserved)?;
        Ok(reserved)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use std::io::Write as _;

    use super::*;

    /// Each looked at what the others had written, and all of them went on.
    #[test]
    fn writers_at_once_never_take_more_than_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let most = 10 << 20;
        let space =
            FolderSpace::new(folder.path().to_owned(), most, |path| path.extension().is_some_and(|end| end == "part"));
        let write = |at: usize| {
            let mut file = File::create(folder.path().join(format!("{at}.part"))).unwrap();
            let (mut reserved, mut written) = (0, 0);
            while written < 4 << 20 {
                written += 32 << 10;
                if written > reserved {
                    match space.reserve(&file, written) {
                        Ok(bytes) => reserved = bytes,
                        Err(error) => {
                            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                            file.set_len(written - (32 << 10)).unwrap();
                            return false;
                        }
                    }
                }
                file.write_all(&[1; 32 << 10]).unwrap();
                let all: u64 = space.files().iter().map(|path| fs::metadata(path).unwrap().len()).sum();
                assert!(all <= most, "{all}");
            }
            file.set_len(written).unwrap();
            true
        };
        let write = &write;
        let whole = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8).map(|at| scope.spawn(move || write(at))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).filter(|whole| *whole).count()
        });
        assert!(whole <= 2, "{whole}");
    }
}
