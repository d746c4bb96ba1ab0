//! Sets in object storage: a prefix each. An object is visible when it is whole, and a set when its manifest is there, which is written
//! last and deleted first.

use std::{
    collections::HashMap,
    io::{self, Write},
    time::{Duration, SystemTime},
};

use super::{BackupStore, DraftFile, SetDraft, SetFile, SetReader, visit_parts};
use crate::{
    backup::{MANIFEST, Manifest, SetId, TableEntry, set_file_name},
    error::{Error, Result, StorageError, StorageErrorKind},
    objects::{ObjectDownload, ObjectMeta, ObjectPrefix, ObjectSettings, ObjectUpload, ObjectUrl},
};

/// How long what has no manifest is left alone, by its name's time and by its objects': a backup may last.
const ABANDONED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Bytes that a manifest may have.
const LARGEST_MANIFEST: u64 = 256 << 20;

/// Sets below a place in object storage.
#[derive(Debug, Clone)]
pub struct BackupObjectStore {
    objects: ObjectPrefix,
}

impl BackupObjectStore {
    /// The sets below `url`.
    ///
    /// # Errors
    /// Settings or credentials that cannot be used. Nothing is asked yet.
    pub fn open(url: &ObjectUrl, settings: &ObjectSettings) -> Result<Self> {
        Ok(Self { objects: ObjectPrefix::open(url, settings)? })
    }

    /// The objects of each set, whole or not.
    fn find_objects(&self) -> Result<HashMap<SetId, Vec<ObjectMeta>>> {
        let mut found: HashMap<SetId, Vec<ObjectMeta>> = HashMap::new();
        self.objects.list_objects(&mut |object| {
            // What is called otherwise is not ours.
            if let Some((set, name)) = object.name.split_once('/')
                && let Some(set) = SetId::parse(set)
                && !name.contains('/')
            {
                found.entry(set).or_default().push(object);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Removes what backups have left that were killed.
    ///
    /// # Errors
    /// A storage that cannot be asked at all.
    fn remove_dead_drafts(&self) -> Result<()> {
        let left = find_abandoned(self.find_objects()?, SystemTime::now());
        if let Err(error) = left.iter().try_for_each(|object| self.objects.delete_object(&object.name)) {
            tracing::warn!(%error, "what interrupted backups left cannot be removed");
        }
        Ok(())
    }

    /// The file of a table.
    fn read_file(&self, set: &SetId, entry: &TableEntry) -> Result<ObjectDownload> {
        // Not the name that the manifest gives: one of ours.
        let file = set_file_name(&entry.table);
        match self.objects.read(&format!("{set}/{file}")) {
            Err(Error::Storage(error)) if error.kind == StorageErrorKind::NotFound => Err(Error::source_error(
                format!("{}/{file}", self.set_prefix(set)),
                "the file of the table is not there",
            )),
            read => read,
        }
    }

    fn set_prefix(&self, set: &SetId) -> String {
        format!("{}/{set}", self.objects.object_url())
    }
}

/// The objects of drafts whose process must have died: long ago the set began, and long ago the last object was written.
fn find_abandoned(found: HashMap<SetId, Vec<ObjectMeta>>, now: SystemTime) -> Vec<ObjectMeta> {
    let is_old = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age > ABANDONED);
    let drafts = found.into_iter().filter(|(set, objects)| {
        !objects.iter().any(|object| is_manifest(set, object))
            && is_old(set.started_at().into())
            && objects.iter().all(|object| is_old(object.modified))
    });
    drafts.flat_map(|(_, objects)| objects).collect()
}

fn is_manifest(set: &SetId, object: &ObjectMeta) -> bool {
    object.name.strip_prefix(set.as_str()) == Some("/manifest.json")
}

impl BackupStore for BackupObjectStore {
    fn location(&self) -> String {
        self.objects.object_url().to_string()
    }

    fn begin_draft(&self, set: &SetId) -> Result<Box<dyn SetDraft + '_>> {
        self.remove_dead_drafts()?;
        Ok(Box::new(ObjectDraft { store: self, set: set.clone(), put: Vec::new(), state: DraftState::Writing }))
    }

    fn list_sets(&self) -> Result<Vec<SetId>> {
        let found = self.find_objects()?.into_iter();
        let is_whole =
            |(set, objects): &(SetId, Vec<ObjectMeta>)| objects.iter().any(|object| is_manifest(set, object));
        let mut sets: Vec<SetId> = found.filter(is_whole).map(|(set, _)| set).collect();
        sets.sort();
        Ok(sets)
    }

    fn read_manifest(&self, set: &SetId) -> Result<Manifest> {
        let name = format!("{set}/{MANIFEST}");
        let bytes = match self.objects.read_whole(&name, LARGEST_MANIFEST) {
            Err(Error::Storage(error)) if error.kind == StorageErrorKind::NotFound => {
                return Err(Error::source_error(
                    set.as_str(),
                    format!("there is no such backup set in {}", self.location()),
                ));
            }
            read => read?,
        };
        Manifest::from_set_bytes(set, &bytes)
            .map_err(|reason| Error::source_error(format!("{}/{MANIFEST}", self.set_prefix(set)), reason))
    }

    fn open(&self, set: &SetId, entry: &TableEntry) -> Result<SetReader> {
        self.read_file(set, entry).map(|content| SetReader { bytes: content.size(), content: Box::new(content) })
    }

    fn fetch_file(&self, set: &SetId, entry: &TableEntry) -> Result<SetFile> {
        let content = self.read_file(set, entry)?;
        if content.size() != entry.bytes {
            // Not fetched: another may be of any size.
            let at = format!("{}/{}", self.set_prefix(set), set_file_name(&entry.table));
            return Err(Error::source_error(at, "it is not what was written: take another set, nothing was touched"));
        }
        content.save_copy("landfall-restore-").map(SetFile::from_download)
    }

    fn remove(&self, set: &SetId) -> Result<()> {
        // From here on it is none.
        self.objects.delete_object(&format!("{set}/{MANIFEST}"))?;
        let rest = self.find_objects()?.remove(set).unwrap_or_default();
        rest.iter().try_for_each(|object| self.objects.delete_object(&object.name))
    }
}

/// A set in the making: objects without a manifest.
struct ObjectDraft<'s> {
    store: &'s BackupObjectStore,
    set: SetId,
    /// Names of the objects that were begun.
    put: Vec<String>,
    state: DraftState,
}

/// How far a draft has come.
enum DraftState {
    Writing,
    /// The manifest was sent, and nobody knows whether it has arrived.
    Unknown,
    Published,
}

impl ObjectDraft<'_> {
    fn name(&self, file: &str) -> String {
        format!("{}/{file}", self.set)
    }
}

impl SetDraft for ObjectDraft<'_> {
    fn create_file(&mut self, file: &str) -> Result<Box<dyn DraftFile>> {
        let name = self.name(file);
        self.put.push(name.clone());
        Ok(Box::new(ObjectFile(self.store.objects.write(&name)?)))
    }

    fn take_file(&mut self, file: &str, bytes: u64, blake3: blake3::Hash) -> Result<()> {
        let name = self.name(file);
        let mut content = self.store.objects.read(&name)?;
        let mut hasher = blake3::Hasher::new();
        visit_parts(&mut content, |part| {
            hasher.update(part);
        })
        .map_err(|error| Error::from_io_error(&name, error))?;
        if (hasher.count(), hasher.finalize()) == (bytes, blake3) {
            return Ok(());
        }
        let words = format!("{}/{name}: what was read back is not what was written", self.store.location());
        Err(StorageError::new(StorageErrorKind::Refused, words).into())
    }

    fn publish_set(mut self: Box<Self>, manifest: &[u8]) -> Result<String> {
        self.state = DraftState::Unknown;
        self.store.objects.put_object(&self.name(MANIFEST), manifest.to_vec())?;
        self.state = DraftState::Published;
        Ok(self.store.set_prefix(&self.set))
    }
}

impl Drop for ObjectDraft<'_> {
    fn drop(&mut self) {
        let gone = match self.state {
            DraftState::Published => return,
            DraftState::Writing => self.put.iter().try_for_each(|name| self.store.objects.delete_object(name)),
            // The rest stays: should the manifest appear yet, its set is whole. Otherwise a later backup clears it away.
            DraftState::Unknown => self.store.objects.delete_object(&self.name(MANIFEST)),
        };
        if let Err(error) = gone {
            tracing::warn!(%error, "what a failed backup left cannot be removed now; a later backup does");
        }
    }
}

/// A file of a draft.
struct ObjectFile(ObjectUpload);

impl Write for ObjectFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl DraftFile for ObjectFile {
    fn finish_file(self: Box<Self>) -> Result<()> {
        self.0.finish_upload()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    const SET: &str = "20261101T000000.000000Z-01234567";
    const DAY: u64 = 24 * 60 * 60;

    fn left(days_since_set: u64, objects: &[(&str, u64)]) -> Vec<String> {
        let set = SetId::parse(SET).unwrap();
        let now = SystemTime::from(set.started_at()) + Duration::from_secs(days_since_set * DAY);
        let object = |(name, days): &(&str, u64)| ObjectMeta {
            name: format!("{SET}/{name}"),
            bytes: 1,
            modified: now - Duration::from_secs(days * DAY),
        };
        let found = HashMap::from([(set, objects.iter().map(object).collect())]);
        find_abandoned(found, now).into_iter().map(|object| object.name).collect()
    }

    #[test]
    fn only_old_drafts_are_cleared_away() {
        assert_eq!(left(8, &[("a.avro", 8)]), [format!("{SET}/a.avro")]);
        // One that is still written to, a young one, a whole one, and one from a clock that is ahead.
        assert!(left(8, &[("a.avro", 8), ("b.avro", 1)]).is_empty());
        assert!(left(6, &[("a.avro", 8)]).is_empty());
        assert!(left(80, &[("a.avro", 80), ("manifest.json", 80)]).is_empty());
        assert!(left(0, &[("a.avro", 80)]).is_empty());
    }
}
