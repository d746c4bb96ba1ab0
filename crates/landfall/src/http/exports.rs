//! Reports as files behind links: written once, and fetched without other credentials until the link ends.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::{StreamBody, combinators::UnsyncBoxBody};
use jiff::Timestamp;
use landfall_core::keys::Scalar;
use landfall_engine::{
    Error,
    link::LinkKey,
    report::{Format, ReportDefinition},
    task::new_id,
};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use super::{
    call::Call,
    once::once,
    problem::{Kind, Outcome, Problem},
    reports::asked,
    sent::Sent,
    values::respond,
};

/// Bytes that are sent at once.
const PART: usize = 64 << 10;

/// The folder of exports.
#[derive(Debug, Clone)]
pub(super) struct Exports {
    folder: PathBuf,
    /// The most bytes of all exports.
    space: u64,
    /// How long a link holds.
    pub(super) keep: Duration,
}

impl Exports {
    /// The exports in `folder`, which is made when it is needed.
    pub(super) const fn new(folder: PathBuf, space: u64, keep: Duration) -> Self {
        Self { folder, space, keep }
    }

    fn path(&self, expires: i64, id: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{expires}-{id}.{ending}"))
    }

    /// The files, and when their links end.
    fn files(&self) -> Vec<(PathBuf, i64)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let named = |path: PathBuf| {
            let expires = path.file_name()?.to_str()?.split('-').next()?.parse().ok()?;
            Some((path, expires))
        };
        entries.filter_map(|entry| named(entry.ok()?.path())).collect()
    }

    /// Removes the files whose links have ended.
    pub(super) fn sweep(&self) {
        let now = Timestamp::now().as_second();
        for (path, _) in self.files().into_iter().filter(|(_, expires)| *expires <= now) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, "an export whose link has ended cannot be removed");
            }
        }
    }

    fn used(&self) -> u64 {
        self.files().iter().filter_map(|(path, _)| fs::metadata(path).ok()).map(|data| data.len()).sum()
    }

    /// Opens a file to be written, and what is left of the space.
    fn create(&self, path: &Path) -> io::Result<Bounded> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        self.sweep();
        let left = self.space.saturating_sub(self.used());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Bounded { file: BufWriter::with_capacity(PART, file), left, written: 0 })
    }
}

/// A file that may not take more than is left of the space.
struct Bounded {
    file: BufWriter<File>,
    left: u64,
    written: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len() as u64;
        if self.written > self.left {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "exports take all the space that they may have"));
        }
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Runs a report into a file, and makes the link to it.
pub(super) async fn create(mut call: Call) -> Outcome {
    let (definition, values, guard_formulas) = {
        let (report, mut query) = asked(&call)?;
        let guard = query.parsed("guard_formulas", "true or false", |text| text.parse().ok())?;
        let (definition, values) = report.bound(&call.service, query)?;
        (definition, values, guard.unwrap_or(true))
    };
    if !call.body(0).await?.bytes.is_empty() {
        let detail = "what is asked of the report stands in the query; no body is taken here";
        return Err(Problem::new(Kind::WRONG_SHAPE, detail));
    }
    once(&call, b"", written(&call, definition, values, guard_formulas)).await
}

async fn written(
    call: &Call,
    definition: ReportDefinition,
    values: Vec<(String, Scalar)>,
    guard_formulas: bool,
) -> Outcome {
    let report = definition.name.clone();
    let exports = call.service.exports.clone();
    let id = new_id()?;
    let expires = Timestamp::now().as_second() + i64::try_from(exports.keep.as_secs()).unwrap_or(i64::MAX / 2);
    let name = file_name(&report);
    let path = format!("/v1/exports/{id}/{name}");
    let part = exports.path(expires, &id, "part");
    let whole = exports.path(expires, &id, "csv");
    let written = call.service.desk.read(move |target| {
        let write = || {
            let mut file = exports.create(&part).map_err(unwritable)?;
            let rows = definition.run(target, &values, Format::Csv { guard_formulas }, &mut file)?;
            let mut finish = || {
                file.flush()?;
                file.file.get_ref().sync_all()?;
                fs::rename(&part, &whole)
            };
            finish().map_err(unwritable)?;
            Ok((rows, file.written))
        };
        let written = write();
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        match written {
            Err(Error::File { cause, .. }) if cause.kind() == io::ErrorKind::StorageFull => Ok(None),
            written => written.map(Some),
        }
    });
    let no_space = || Problem::new(Kind::NO_SPACE, "there is no space left for exports; nothing was kept").after(60);
    let (rows, bytes) = written.await?.ok_or_else(no_space)?;
    let key = call.service.desk.write(|target| LinkKey::open(target)).await?;
    let url = format!("{path}?expires={expires}&signature={}", key.sign("GET", &path, expires));
    let expires_at = Timestamp::from_second(expires).map(|end| end.to_string()).unwrap_or_default();
    let mut response = respond(
        StatusCode::CREATED,
        &json!({"export_id": id, "report": report, "url": url, "expires_at": expires_at, "rows": rows, "bytes": bytes}),
    );
    if let Ok(place) = HeaderValue::from_str(&url) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn unwritable(cause: io::Error) -> Error {
    Error::File { path: "an export".into(), cause }
}

/// A name for the file that stays within its folder, wherever it is saved.
fn file_name(report: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' };
    format!("{}.csv", report.chars().map(plain).take(100).collect::<String>())
}

/// The file behind a link.
pub(super) async fn fetch(call: Call) -> Outcome {
    let mut query = call.query()?;
    let expires: Option<i64> =
        query.parsed("expires", "the end of the link, as it was given", |text| text.parse().ok())?;
    let signature = query.take("signature")?;
    query.finish(&["expires", "signature"])?;
    let wrong = || Problem::new(Kind::NOT_FOUND, "the link is not one that was given, or was taken back");
    let (Some(expires), Some(signature)) = (expires, signature) else { return Err(wrong()) };
    let key = call.service.desk.read(|target| LinkKey::read(target)).await?.ok_or_else(wrong)?;
    // What is signed is the path as it was given; nothing else is looked for on the disk.
    let (id, name) = (call.part("export"), call.part("file"));
    if !key.verifies("GET", &format!("/v1/exports/{id}/{name}"), expires, &signature) {
        return Err(wrong());
    }
    let gone = || Problem::new(Kind::GONE, "the link has ended; ask for another export");
    if expires <= Timestamp::now().as_second() {
        return Err(gone());
    }
    let path = call.service.exports.path(expires, id, "csv");
    let opened =
        tokio::task::spawn_blocking(move || File::open(path).and_then(|file| Ok((file.metadata()?.len(), file))));
    let opened = opened.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let (length, file) = opened.map_err(|_| gone())?;
    let (parts, sent) = mpsc::channel(4);
    tokio::spawn(send(file, parts, call.service.pause()));
    let mut response = Response::new(Body::new(UnsyncBoxBody::new(StreamBody::new(Sent(sent)))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// Sends a file part by part; a client that takes none of it for too long is left.
pub(super) async fn send<F: Read + Send + 'static>(
    mut file: F,
    parts: mpsc::Sender<io::Result<Bytes>>,
    patience: Duration,
) {
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; PART];
            let read = file.read(&mut part);
            (file, read.map(|length| part[..length].to_vec()))
        });
        let Ok((again, read)) = read.await else { return };
        file = again;
        if read.as_ref().is_ok_and(Vec::is_empty) {
            return;
        }
        let failed = read.is_err();
        let sent = timeout(patience, parts.send(read.map(Bytes::from))).await;
        if failed || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}
