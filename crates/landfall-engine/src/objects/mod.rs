//! Object storage: S3, Google Cloud Storage and Azure Blob Storage, read and written as streams.
//!
//! The engine is synchronous, the library of the protocols is not: what is asynchronous stays within this room, on a small runtime of its
//! own. Everything that is waited for is bounded. Who calls may be on any thread but one that runs asynchronous code itself.

mod address;
mod body;
mod client;
mod failure;
mod settings;
mod upload;
mod url;

use std::{
    io::{self, Read, Write as _},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::{Buf as _, Bytes};
use futures_util::{StreamExt as _, stream::BoxStream};
use object_store::{
    BackoffConfig, ObjectStore, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    path::Path,
};
use tempfile::TempPath;
use tokio::runtime::{Builder, Handle, Runtime};

use self::client::{ClientConnector, ClientTimeouts, NetworkReach};
pub use self::{
    settings::{ObjectSettings, StorageEndpoint},
    upload::ObjectUpload,
    url::{ObjectUrl, StorageProvider},
};
use crate::error::{Error, Result, StorageError, StorageErrorKind};

const PATIENCE: ClientTimeouts =
    ClientTimeouts { connect: Duration::from_secs(10), answer: Duration::from_secs(20), read: Duration::from_secs(20) };
/// How often a request is tried again, and for how long: an answer that never comes is waited for once more.
const RETRIES: usize = 5;
const RETRYING: Duration = Duration::from_secs(40);

/// The objects below one place in object storage.
///
/// Dropping it ends what is under way.
#[derive(Debug, Clone)]
pub struct ObjectPrefix(Arc<ObjectInner>);

#[derive(Debug)]
struct ObjectInner {
    store: Box<dyn ObjectStore>,
    url: ObjectUrl,
    /// Always there, but for the last moment.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Drop for ObjectInner {
    fn drop(&mut self) {
        // Whoever drops it last may be asynchronous code, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its name, below the place.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written, by the storage's clock.
    pub modified: SystemTime,
}

impl ObjectPrefix {
    /// The objects below `url`. Credentials come from the environment, in the provider's usual variables; nothing is asked yet.
    ///
    /// # Errors
    /// Settings that contradict each other, or credentials that cannot be read.
    pub fn open(url: &ObjectUrl, settings: &ObjectSettings) -> Result<Self> {
        Self::open_with(url, settings, PATIENCE)
    }

    fn open_with(url: &ObjectUrl, settings: &ObjectSettings, patience: ClientTimeouts) -> Result<Self> {
        let refused = |words: String| StorageError::new(StorageErrorKind::Refused, format!("{url}: {words}"));
        let reach = if settings.allow_private_addresses { NetworkReach::Private } else { NetworkReach::Public };
        let connector =
            ClientConnector::new(reach, settings.allow_http, patience).map_err(|error| refused(error.to_string()))?;
        // A thread of its own, so that connections are kept alive while nobody waits in `block_on`.
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("objects").enable_all().build();
        let runtime = runtime.map_err(|error| refused(format!("no thread can be started ({error})")))?;
        let handle = runtime.handle().clone();
        let store = build_store(url, settings, connector)?;
        Ok(Self(Arc::new(ObjectInner { store, url: url.clone(), runtime: Some(runtime), handle })))
    }

    /// The place.
    #[must_use]
    pub fn object_url(&self) -> &ObjectUrl {
        &self.0.url
    }

    /// Calls `visit` with each object below the place, in no order.
    ///
    /// # Errors
    /// A storage that does not answer, or refuses; those of `visit`.
    pub fn list_objects(&self, visit: &mut dyn FnMut(ObjectMeta) -> Result<()>) -> Result<()> {
        let prefix =
            Path::parse(self.object_url().name_prefix()).map_err(|error| self.0.describe_error(&error.into(), ""))?;
        let mut found = self.0.store.list(Some(&prefix));
        while let Some(meta) = self.0.handle.block_on(found.next()) {
            let meta = meta.map_err(|error| self.0.describe_error(&error, ""))?;
            // The place itself may be an object too, which is not below it.
            let Some(name) = strip_prefix(meta.location.as_ref(), self.object_url().name_prefix()) else { continue };
            visit(ObjectMeta { name: name.to_owned(), bytes: meta.size, modified: meta.last_modified.into() })?;
        }
        Ok(())
    }

    /// The object called `name`, to be read from its beginning. A connection that is lost meanwhile is made again, as long as the object
    /// is the same.
    ///
    /// # Errors
    /// An object that is not there, a storage that does not answer, or refuses.
    pub fn read(&self, name: &str) -> Result<ObjectDownload> {
        let path = self.0.object_path(name)?;
        let found = self.0.handle.block_on(self.0.store.get(&path));
        let found = found.map_err(|error| self.0.describe_error(&error, name))?;
        let (bytes, stream) = (found.meta.size, found.into_stream());
        Ok(ObjectDownload { of: self.0.clone(), name: name.to_owned(), bytes, stream, part: Bytes::new() })
    }

    /// The whole of an object that has no more than `most` bytes.
    ///
    /// # Errors
    /// As for [`read`](Self::read), and an object that is larger.
    pub fn read_whole(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        // One byte more than allowed tells that it is too large, and no more is fetched.
        let read = self.read(name)?.take(most + 1).read_to_end(&mut content);
        read.map_err(|error| Error::from_io_error(name, error))?;
        if content.len() as u64 > most {
            let words = format!("{}/{name}: it has more than {most} bytes, which is none of ours", self.object_url());
            return Err(StorageError::new(StorageErrorKind::Refused, words).into());
        }
        Ok(content)
    }

    /// A copy of an object in a temporary file, whose name begins with `prefix`; it goes with what is given back.
    ///
    /// # Errors
    /// As for [`read`](Self::read); no space on this machine.
    pub fn download_object(&self, name: &str, prefix: &str) -> Result<TempPath> {
        self.read(name)?.save_copy(prefix)
    }

    /// A new object called `name`, to be written. Nobody sees it before it is finished.
    ///
    /// # Errors
    /// A name that no object can have.
    pub fn write(&self, name: &str) -> Result<ObjectUpload> {
        Ok(ObjectUpload::new(self.0.clone(), self.0.object_path(name)?, name.to_owned()))
    }

    /// Writes an object in one request.
    ///
    /// # Errors
    /// A storage that does not answer, or refuses.
    pub fn put_object(&self, name: &str, content: Vec<u8>) -> Result<()> {
        let path = self.0.object_path(name)?;
        let put = self.0.handle.block_on(self.0.store.put(&path, content.into()));
        put.map(drop).map_err(|error| self.0.describe_error(&error, name))
    }

    /// Deletes an object. That it is not there is no error.
    ///
    /// # Errors
    /// A storage that does not answer, or refuses.
    pub fn delete_object(&self, name: &str) -> Result<()> {
        let path = self.0.object_path(name)?;
        let deleted = self.0.handle.block_on(self.0.store.delete(&path));
        match deleted.map_err(|error| self.0.describe_error(&error, name)) {
            // S3 is silent about an object that is not there, and the others answer 404.
            Err(Error::Storage(error)) if error.kind == StorageErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }
}

impl ObjectInner {
    fn object_path(&self, name: &str) -> Result<Path> {
        let prefix = self.url.name_prefix();
        let whole = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        Path::parse(&whole).map_err(|error| self.describe_error(&error.into(), name))
    }

    fn describe_error(&self, error: &object_store::Error, name: &str) -> Error {
        failure::describe_error(error, &self.url, name)
    }
}

/// What of a name stands below `prefix`.
fn strip_prefix<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    if prefix.is_empty() { Some(name) } else { name.strip_prefix(prefix)?.strip_prefix('/') }
}

/// An object that is read.
pub struct ObjectDownload {
    of: Arc<ObjectInner>,
    name: String,
    bytes: u64,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    part: Bytes,
}

impl ObjectDownload {
    /// Bytes of the object.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.bytes
    }
}

impl ObjectDownload {
    /// Writes what is left of it to a temporary file, whose name begins with `prefix`.
    ///
    /// # Errors
    /// A storage that does not answer; no space on this machine.
    pub fn save_copy(mut self, prefix: &str) -> Result<TempPath> {
        let folder = std::env::temp_dir();
        let (at, bytes) = (format!("{}/{}", self.of.url, self.name), self.bytes);
        let unwritable = |cause: io::Error| {
            let words = format!("{at} ({bytes} bytes) cannot be copied here: {cause}; TMPDIR names another folder");
            Error::File { path: folder.clone(), cause: io::Error::new(cause.kind(), words) }
        };
        let mut file = tempfile::Builder::new().prefix(prefix).tempfile_in(&folder).map_err(unwritable)?;
        let mut buffer = vec![0; 1 << 20];
        let mut left = bytes;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.read(&mut buffer[..most]).map_err(|error| Error::from_io_error(&at, error))?;
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read]).map_err(unwritable)?;
            left -= read as u64;
        }
        Ok(file.into_temp_path())
    }
}

impl Read for ObjectDownload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.of.handle.block_on(self.stream.next()) {
                Some(Ok(part)) => self.part = part,
                Some(Err(error)) => return Err(self.of.describe_error(&error, &self.name).into_io_error()),
                None => return Ok(0),
            }
        }
        let length = self.part.len().min(buffer.len());
        self.part.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// The library's store of a place. An endpoint that the environment names is held to the same rules as one of the configuration.
fn build_store(url: &ObjectUrl, settings: &ObjectSettings, connector: ClientConnector) -> Result<Box<dyn ObjectStore>> {
    let told = |error: object_store::Error| failure::describe_error(&error, url, "");
    let retry = RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() },
        max_retries: RETRIES,
        retry_timeout: RETRYING,
    };
    let endpoint = settings.endpoint.as_ref().map(StorageEndpoint::as_str);
    Ok(match url.provider() {
        StorageProvider::S3 => {
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(url.bucket_name());
            if let Some(endpoint) = endpoint {
                // The environment's own for S3 would come before the other.
                builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
            }
            if let Some(region) = &settings.region {
                builder = builder.with_region(region);
            }
            // After all is set: what the environment says is held to the same rules.
            for key in [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint] {
                check_endpoint(url, builder.get_config_value(&key), settings)?;
            }
            Box::new(builder.with_retry(retry).with_http_connector(connector).build().map_err(told)?)
        }
        StorageProvider::Gs => {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(url.bucket_name());
            if let Some(endpoint) = endpoint {
                builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint);
            }
            check_endpoint(url, builder.get_config_value(&GoogleConfigKey::BaseUrl), settings)?;
            Box::new(builder.with_retry(retry).with_http_connector(connector).build().map_err(told)?)
        }
        StorageProvider::Az => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(url.bucket_name());
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint.to_owned());
            }
            check_endpoint(url, builder.get_config_value(&AzureConfigKey::Endpoint), settings)?;
            Box::new(builder.with_retry(retry).with_http_connector(connector).build().map_err(told)?)
        }
    })
}

fn check_endpoint(url: &ObjectUrl, endpoint: Option<String>, settings: &ObjectSettings) -> Result<()> {
    let Some(endpoint) = endpoint else { return Ok(()) };
    let refused = |words: String| {
        let words = format!("{url}: the storage's endpoint cannot be used: {words}");
        Err(StorageError::new(StorageErrorKind::Refused, words).into())
    };
    match StorageEndpoint::parse(&endpoint) {
        Err(words) => refused(words),
        Ok(endpoint) if endpoint.is_plain_http() && !settings.allow_http => refused(
            "it is http, without TLS; take https, or say `allowHttp: true` under `storage` in landfall.yaml".into(),
        ),
        Ok(_) => Ok(()),
    }
}
