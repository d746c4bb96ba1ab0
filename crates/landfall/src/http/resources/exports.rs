//! Reports as files behind links: written once, and fetched without other credentials until the link ends.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Seek as _, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use axum::http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use landfall_core::keys::Scalar;
use landfall_engine::{
    Error,
    folder_space::FolderSpace,
    job::new_job_id,
    link::LinkKey,
    report::{ReportDefinition, ReportFormat},
};
use serde_json::json;

use crate::http::{
    call::Call,
    once::once_afterwards,
    openapi::operation::{Operation, number_parameter, query_parameter, schema_reference, text_parameter},
    problem::{Outcome, Problem, ProblemKind},
    resources::reports::named_report,
    route::{READ, Route, RouteAccess, routes},
    server::ranges::{FetchableFile, respond_file},
    values::respond_json,
};

/// The routes of exported reports.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    POST post "/v1/reports/{report}/exports" READ, create_export, Some(create_export_operation);
    GET get "/v1/exports/{export}/{file}" RouteAccess::Everybody, fetch_export, Some(fetch_export_operation);
};

/// Bytes that are written at once.
const PART: usize = 64 << 10;

/// How old a file that is being written must be to be one that nobody writes any more, if it is not locked.
const FRESH: Duration = Duration::from_secs(60);
/// What the names of files that are being written end in.
const UNFINISHED: &str = "part";

/// The folder of exports.
#[derive(Debug, Clone)]
pub(in crate::http) struct ExportFolder {
    /// The folder, and the bytes of all exports.
    space: FolderSpace,
    /// How long a link holds.
    pub(in crate::http) keep: Duration,
}

/// When the link to the file at `path` ends, where it is an export.
fn link_expiry(path: &Path) -> Option<i64> {
    // The name says it all: no list of links can get lost, and any process may clear up.
    path.file_name()?.to_str()?.split('-').next()?.parse().ok()
}

impl ExportFolder {
    /// The exports in `folder`, which is made when it is needed.
    pub(in crate::http) const fn new(folder: PathBuf, space: u64, keep: Duration) -> Self {
        Self { space: FolderSpace::new(folder, space, |path| link_expiry(path).is_some()), keep }
    }

    fn export_path(&self, expires: i64, id: &str, ending: &str) -> PathBuf {
        self.space.folder().join(format!("{expires}-{id}.{ending}"))
    }

    /// Removes the files whose links have ended, and those that were not written to their end.
    pub(in crate::http) fn remove_expired(&self) {
        let now = Timestamp::now().as_second();
        let is_over = |path: &PathBuf| link_expiry(path).is_some_and(|end| end <= now) || is_abandoned(path);
        for path in self.space.files().into_iter().filter(is_over) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, "an export whose link has ended cannot be removed");
            }
        }
    }

    /// Opens a file to be written.
    fn create_file(&self, path: &Path) -> io::Result<BoundedFile> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.space.folder())?;
        // First: what has ended still takes space until it is removed.
        self.remove_expired();
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // By this, `is_abandoned` in another process sees that somebody writes.
        file.try_lock().map_err(io::Error::from)?;
        Ok(BoundedFile {
            file: BufWriter::with_capacity(PART, file),
            space: self.space.clone(),
            reserved: 0,
            written: 0,
        })
    }
}

/// Whether the process that wrote the file at `path` died before its end.
fn is_abandoned(path: &Path) -> bool {
    let is_old = || {
        let written = fs::metadata(path).and_then(|data| data.modified());
        written.ok().and_then(|written| written.elapsed().ok()).is_some_and(|age| age > FRESH)
    };
    path.extension().is_some_and(|ending| ending == UNFINISHED)
        // Age first: between `open` and `try_lock`, a new file is not locked yet.
        && is_old()
        && File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// A file that takes its space before it is written to.
struct BoundedFile {
    file: BufWriter<File>,
    space: FolderSpace,
    reserved: u64,
    written: u64,
}

impl BoundedFile {
    /// Makes what was written last, and gives back what was taken ahead.
    fn finish_file(&mut self) -> io::Result<()> {
        self.file.flush()?;
        // `reserve` has made the file longer than what is in it.
        self.file.get_ref().set_len(self.written)?;
        self.file.get_ref().sync_all()
    }
}

impl Write for BoundedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len() as u64;
        if self.written > self.reserved {
            self.reserved = self.space.reserve(self.file.get_ref(), self.written)?;
        }
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Runs a report into a file, and makes the link to it.
pub(in crate::http) async fn create_export(mut call: Call) -> Outcome {
    let (definition, values, guard_formulas) = {
        let (report, mut query) = named_report(&call)?;
        let guard = query.take_parsed("guard_formulas", "true or false", |text| text.parse().ok())?;
        let (definition, values) = report.bind_query(&call.service, query).await?;
        (definition, values, guard.unwrap_or(true))
    };
    if !call.read_body(0).await?.bytes.is_empty() {
        let detail = "what is asked of the report stands in the query; no body is taken here";
        return Err(Problem::new(ProblemKind::WRONG_SHAPE, detail));
    }
    once_afterwards(&call, b"", write_export(&call, definition, values, guard_formulas)).await
}

async fn write_export(
    call: &Call,
    definition: ReportDefinition,
    values: Vec<(String, Scalar)>,
    guard_formulas: bool,
) -> Outcome {
    let report = definition.name.clone();
    let exports = call.service.exports.clone();
    let id = new_job_id()?;
    let expires = Timestamp::now().as_second() + i64::try_from(exports.keep.as_secs()).unwrap_or(i64::MAX / 2);
    let name = file_name(&report);
    let path = format!("/v1/exports/{id}/{name}");
    let part = exports.export_path(expires, &id, UNFINISHED);
    let whole = exports.export_path(expires, &id, "csv");
    let (caller, limit) = (call.caller.name(), call.service.api.report_timeout);
    let written = call.service.desk.run_report(caller, limit, move |target| {
        let write = || {
            let mut file = exports.create_file(&part).map_err(write_error)?;
            let rows = definition.run(target, &values, ReportFormat::Csv { guard_formulas }, &mut file)?;
            // Under its last name there is only ever a whole file, also if the process dies here.
            file.finish_file().and_then(|()| fs::rename(&part, &whole)).map_err(write_error)?;
            Ok((rows, file.written))
        };
        let written: Result<(u64, u64), Error> = write();
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        match written {
            Err(error) if error.is_disk_full() => Ok(None),
            written => written.map(Some),
        }
    });
    let no_space =
        || Problem::new(ProblemKind::NO_SPACE, "there is no space left for exports; nothing was kept").retry_after(60);
    let (rows, bytes) = written.await?.ok_or_else(no_space)?;
    // Made now if there is none yet. `fetch_export` only reads it: a guess must not write to the database.
    let key = call.service.desk.write(|target| LinkKey::open(target)).await?;
    let url = format!("{path}?expires={expires}&signature={}", key.sign_link("GET", &path, expires));
    let expires_at = Timestamp::from_second(expires).map(|end| end.to_string()).unwrap_or_default();
    let mut response = respond_json(
        StatusCode::CREATED,
        &json!({"export_id": id, "report": report, "url": url, "expires_at": expires_at, "rows": rows, "bytes": bytes}),
    );
    if let Ok(place) = HeaderValue::from_str(&url) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn write_error(cause: io::Error) -> Error {
    Error::System { doing: "write the export", cause }
}

/// A name for the file that stays within its folder, wherever it is saved.
fn file_name(report: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' };
    format!("{}.csv", report.chars().map(plain).take(100).collect::<String>())
}

/// The file behind a link.
pub(in crate::http) async fn fetch_export(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let expires: Option<i64> =
        query.take_parsed("expires", "the end of the link, as it was given", |text| text.parse().ok())?;
    let signature = query.take_value("signature")?;
    query.refuse_remaining(&["expires", "signature"])?;
    let wrong = || Problem::new(ProblemKind::NOT_FOUND, "the link is not one that was given, or was taken back");
    let (Some(expires), Some(signature)) = (expires, signature) else { return Err(wrong()) };
    let key = call.service.desk.read_briefly(|target| LinkKey::read(target)).await?.ok_or_else(wrong)?;
    // What is signed is the path as it was given; nothing else is looked for on the disk.
    let (id, name) = (call.path_part("export"), call.path_part("file"));
    if !key.verify_signature("GET", &format!("/v1/exports/{id}/{name}"), expires, &signature) {
        return Err(wrong());
    }
    let gone = || Problem::new(ProblemKind::GONE, "the link has ended; ask for another export");
    // After the signature: only who holds a real link learns that there was something.
    if expires <= Timestamp::now().as_second() {
        return Err(gone());
    }
    let path = call.service.exports.export_path(expires, id, "csv");
    let opened =
        tokio::task::spawn_blocking(move || File::open(path).and_then(|file| Ok((file.metadata()?.len(), file))));
    let opened = opened.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let (length, file) = opened.map_err(|_| gone())?;
    // An export is written once.
    let tag = blake3::hash(id.as_bytes()).to_hex()[..32].to_owned();
    let skip = |file: &mut File, bytes| file.seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX));
    let fetched = FetchableFile { content: file, length, tag, skip };
    let mut response = respond_file(&call.method, &call.headers, fetched, "text/csv; charset=utf-8");
    // The name was signed, and so `file_name` made it: there is no quote in it.
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

fn create_export_operation() -> Operation {
    let guard = "Put ' before texts that a spreadsheet would run as a formula";
    let summary = "Run a report into a CSV file, and get a link to it that needs no token and expires";
    Operation {
        answers: vec![(201, "application/json", schema_reference("Export"))],
        problems: vec![422, 504, 507],
        ..Operation::new("reports", summary, json!({}))
    }
    .with_query([query_parameter("guard_formulas", guard, json!({"type": "boolean", "default": true}))])
    .with_description("A report also takes its own parameters, as `/v1/reports` lists them.")
}

fn fetch_export_operation() -> Operation {
    Operation {
        answers: [200, 206].map(|status| (status, "text/csv", json!({"type": "string"}))).into(),
        problems: vec![410, 416],
        ..Operation::new("reports", "The file of a link", json!({}))
    }
    .with_query([number_parameter("expires", "As in the link"), text_parameter("signature", "As in the link")])
}
