//! Where files go that are not the database's: folders and object storage; `storage` in `landfall.yaml` says how the latter is reached.

use std::path::{Path, PathBuf};

use landfall_core::schema::document::{DescriptorProblems, DocumentNode};
use landfall_engine::{
    Result,
    backup::{BackupObjectStore, BackupStore, LocalStore},
    objects::{ObjectSettings, ObjectUrl, StorageEndpoint},
};

/// A folder, or a place in object storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileDestination {
    Folder(PathBuf),
    Objects(ObjectUrl),
}

impl FileDestination {
    /// Reads a path, `file://…`, `s3://…`, `gs://…` or `az://…`; what is wrong with another text, as a sentence.
    ///
    /// # Errors
    /// Another scheme, and places that could mean another to somebody else.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("file://") {
            Some(path) => Ok(Self::Folder(path.into())),
            None if text.contains("://") => ObjectUrl::parse(text).map(Self::Objects),
            None => Ok(Self::Folder(text.into())),
        }
    }

    /// A relative folder is one of `folder`.
    pub(super) fn relative_to(self, folder: &Path) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(folder.join(path)),
            objects @ Self::Objects(_) => objects,
        }
    }

    /// The backup sets there. Nothing is asked of a storage yet.
    ///
    /// # Errors
    /// Settings or credentials that cannot be used.
    pub(crate) fn open_store(&self, settings: &ObjectSettings) -> Result<Box<dyn BackupStore>> {
        Ok(match self {
            Self::Folder(folder) => Box::new(LocalStore::new(folder)),
            Self::Objects(url) => Box::new(BackupObjectStore::open(url, settings)?),
        })
    }
}

pub(super) fn read(node: &DocumentNode, problems: &DescriptorProblems) -> ObjectSettings {
    let Some(mut reader) = node.read_map("\"storage\"", problems) else { return ObjectSettings::default() };
    let endpoint_node = reader.take_value("endpoint");
    let endpoint = endpoint_node.and_then(|node| {
        let endpoint = StorageEndpoint::parse(node.read_text("\"endpoint\"", problems)?);
        endpoint.map_err(|message| problems.report_problem(&node.place, format!("\"endpoint\": {message}"))).ok()
    });
    let region = reader.take_text("region").map(String::from);
    // The names with underscores are those of version 0.1.0.
    let (http, earlier_http) = (reader.take_flag("allowHttp"), reader.take_flag("allow_http"));
    let allow_http = http.or(earlier_http).unwrap_or_default();
    let (private, earlier_private) =
        (reader.take_flag("allowPrivateAddresses"), reader.take_flag("allow_private_addresses"));
    let allow_private_addresses = private.or(earlier_private).unwrap_or_default();
    reader.refuse_unknown();
    // All data would go over the network in the open.
    if let (Some(endpoint), Some(node)) = (&endpoint, endpoint_node)
        && endpoint.is_plain_http()
        && !allow_http
    {
        let mend = "take https, or say \"allowHttp: true\" as well";
        problems.report_with_mend(&node.place, "\"endpoint\" is http, without TLS", mend);
    }
    ObjectSettings { endpoint, region, allow_http, allow_private_addresses }
}
