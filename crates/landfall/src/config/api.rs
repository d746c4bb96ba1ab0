//! `api` in `landfall.yaml`: how the service runs.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use landfall_core::schema::document::{DescriptorProblems, DocumentNode, MapReader};

use super::{
    load_defaults::read_parsed,
    oidc::{self, OidcConfig},
    storage::FileDestination,
};
use crate::typed::parse_size;

/// How the service runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiConfig {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// The most rows of one request.
    pub(crate) max_rows: usize,
    /// The most bytes of a body with rows.
    pub(crate) max_body: usize,
    /// The most bytes of an uploaded file, also when it is decompressed.
    pub(crate) max_upload: u64,
    /// The most bytes of all uploads that wait to be loaded.
    pub(crate) upload_space: u64,
    /// Where they lie.
    pub(crate) uploads: Option<FileDestination>,
    /// Where the files of exported reports lie.
    pub(crate) export_folder: Option<PathBuf>,
    /// How long their links hold.
    pub(crate) export_keep: Duration,
    /// The most bytes of all of them.
    pub(crate) export_space: u64,
    /// How long a report may run.
    pub(crate) report_timeout: Duration,
    /// The most bytes on the disk of all answers that are being sent.
    pub(crate) answer_space: u64,
    /// How long the next part of a body is waited for.
    pub(crate) body_timeout: Duration,
    /// How long answers under Idempotency-Keys are kept.
    pub(crate) idempotency_keep: Duration,
    /// Requests of one token each second.
    pub(crate) requests_per_second: Option<u32>,
    /// Requests of one token at once.
    pub(crate) concurrent_requests: usize,
    /// The sites whose pages may use the service.
    pub(crate) cors: Vec<String>,
    /// The files that TLS needs; without them, the service speaks plain HTTP.
    pub(crate) tls: Option<TlsFiles>,
    /// Whose tokens are taken beside the service's own.
    pub(crate) oidc: Option<OidcConfig>,
}

/// The files that TLS needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TlsFiles {
    /// The certificates in PEM, the server's own first.
    pub(crate) certificate: PathBuf,
    /// The private key in PEM.
    pub(crate) key: PathBuf,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            // This machine alone: without a token, everybody who reaches the service may do everything.
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            max_rows: 1000,
            max_body: 16 << 20,
            max_upload: 1 << 30,
            upload_space: 16 << 30,
            uploads: None,
            export_folder: None,
            export_keep: Duration::from_secs(24 * 3600),
            export_space: 4 << 30,
            report_timeout: Duration::from_secs(300),
            answer_space: 4 << 30,
            body_timeout: Duration::from_secs(15),
            idempotency_keep: Duration::from_secs(72 * 3600),
            requests_per_second: None,
            concurrent_requests: 1024,
            cors: Vec::new(),
            tls: None,
            oidc: None,
        }
    }
}

pub(super) fn read(node: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> ApiConfig {
    let usual = ApiConfig::default();
    let Some(mut reader) = node.read_map("\"api\"", problems) else { return usual };
    let api = ApiConfig {
        listen: read_parsed(&mut reader, "listen", parse_address).unwrap_or(usual.listen),
        max_rows: read_parsed(&mut reader, "maxRows", parse_row_limit).unwrap_or(usual.max_rows),
        max_body: read_parsed(&mut reader, "maxBody", parse_body_limit).unwrap_or(usual.max_body),
        max_upload: read_parsed(&mut reader, "maxUpload", parse_size).map_or(usual.max_upload, |size| size as u64),
        upload_space: read_parsed(&mut reader, "uploadSpace", parse_size)
            .map_or(usual.upload_space, |size| size as u64),
        uploads: read_uploads(&mut reader, folder),
        export_folder: reader.take_text("exportFolder").map(|path| folder.join(path)),
        export_keep: read_parsed(&mut reader, "exportHours", parse_hours).unwrap_or(usual.export_keep),
        export_space: read_parsed(&mut reader, "exportSpace", parse_size)
            .map_or(usual.export_space, |size| size as u64),
        report_timeout: read_parsed(&mut reader, "reportTimeout", parse_seconds).unwrap_or(usual.report_timeout),
        answer_space: read_parsed(&mut reader, "answerSpace", parse_size)
            .map_or(usual.answer_space, |size| size as u64),
        body_timeout: read_parsed(&mut reader, "bodyTimeout", parse_seconds).unwrap_or(usual.body_timeout),
        idempotency_keep: read_parsed(&mut reader, "idempotencyHours", parse_hours).unwrap_or(usual.idempotency_keep),
        requests_per_second: read_parsed(&mut reader, "requestsPerSecond", parse_count),
        concurrent_requests: read_parsed(&mut reader, "concurrentRequests", parse_count)
            .map_or(usual.concurrent_requests, |count| count as usize),
        cors: read_origins(&mut reader),
        tls: reader.take_value("tls").and_then(|node| read_tls(node, folder, problems)),
        oidc: reader.take_value("oidc").and_then(|node| oidc::read(node, folder, problems)),
    };
    reader.refuse_unknown();
    api
}

/// Where uploads lie: a folder or a place in object storage, or a folder under the name of earlier versions.
fn read_uploads(reader: &mut MapReader<'_>, folder: &Path) -> Option<FileDestination> {
    let problems = reader.problems();
    let earlier = reader.take_text("uploadFolder").map(|path| FileDestination::Folder(folder.join(path)));
    let Some(node) = reader.take_value("uploads") else { return earlier };
    if earlier.is_some() {
        let mend = "leave uploadFolder out";
        problems.report_with_mend(&node.place, "\"uploads\" and \"uploadFolder\" say the same", mend);
    }
    let text = node.read_text("\"uploads\"", problems)?;
    let destination = FileDestination::parse(text);
    let report = |message| problems.report_problem(&node.place, format!("\"uploads\": {message}"));
    destination.map_err(report).ok().map(|destination| destination.relative_to(folder))
}

fn read_tls(node: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> Option<TlsFiles> {
    let mut reader = node.read_map("\"tls\"", problems)?;
    let mut file =
        |name| reader.require_value(name)?.read_text(&format!("\"{name}\""), problems).map(|path| folder.join(path));
    let (certificate, key) = (file("certificate"), file("key"));
    reader.refuse_unknown();
    Some(TlsFiles { certificate: certificate?, key: key? })
}

/// Sites such as `https://example.com`, without a path.
fn read_origins(reader: &mut MapReader<'_>) -> Vec<String> {
    let problems = reader.problems();
    let nodes = reader.take_list("cors").unwrap_or_default();
    let origin = |node: &DocumentNode| {
        let text = node.read_text("an origin", problems)?;
        let sound = text.split_once("://").is_some_and(|(scheme, host)| {
            matches!(scheme, "http" | "https")
                && !host.is_empty()
                // A browser sends an origin without a path, and the two are compared as texts.
                && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
        });
        if !sound {
            let mend = "write it like https://example.com, without a path";
            problems.report_with_mend(&node.place, format!("\"{}\" is no origin", text.escape_debug()), mend);
        }
        sound.then(|| text.to_owned())
    };
    nodes.iter().filter_map(origin).collect()
}

/// Reads an address such as `127.0.0.1:8080`; a port alone is one of this machine's own.
pub(crate) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>();
    if let Ok(port) = port {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    // Not looked up: a name may stand for several addresses, and the service listens on one.
    let bare = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let wrong =
        || format!("{text:?} is no address; write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080");
    bare.as_deref().unwrap_or(text).parse().map_err(|_| wrong())
}

fn parse_row_limit(text: &str) -> Result<usize, String> {
    let most = 100_000;
    let wrong = || format!("{text:?} is not a whole number from 1 to {most}");
    text.parse().ok().filter(|rows| (1..=most).contains(rows)).ok_or_else(wrong)
}

fn parse_body_limit(text: &str) -> Result<usize, String> {
    parse_size(text).and_then(|size| if size <= 256 << 20 { Ok(size) } else { Err("256MiB is the most".into()) })
}

fn parse_hours(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a number of hours from 1 to 8760");
    let hours: Option<u64> = text.parse().ok().filter(|hours| (1..=8760).contains(hours));
    hours.map(|hours| Duration::from_secs(hours * 3600)).ok_or_else(wrong)
}

fn parse_count(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is not a whole number from 1 to 1000000");
    text.parse().ok().filter(|count| (1..=1_000_000).contains(count)).ok_or_else(wrong)
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a number of seconds from 1 to 3600");
    let seconds = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}
