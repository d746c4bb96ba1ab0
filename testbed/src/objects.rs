//! Private object storage: versitygw, which speaks as S3 does and verifies signatures (and, behind a door that asks for a token, as Google
//! Cloud Storage does), and Azurite, which speaks as Azure Blob Storage does. `make needs` installs both below `target/tools`, from the registries of their languages.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::{
    Certificates, RunningServer, ServerOptions, Tls,
    account::SystemAccount,
    door,
    program::{self, quote_word},
    server::LaunchPlan,
    supervisor::{ServerEnding, Supervisor},
};

/// It leaves nothing behind outside its folder.
const ENDING: ServerEnding = ServerEnding { signal: "KILL", script: None };
/// The bucket, or container, that each server has.
const BUCKET: &str = "landfall-test";
const AZURE_ACCOUNT: &str = "testaccount";

/// A private server of objects, with one empty bucket.
#[derive(Debug)]
pub struct ObjectStorage {
    server: RunningServer,
    kind: ObjectStorageKind,
    folder: PathBuf,
    secret: String,
    scheme: &'static str,
    /// The port of the door before it.
    door: Option<u16>,
}

/// Whose protocol a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectStorageKind {
    /// Amazon S3.
    S3,
    /// Google Cloud Storage: its XML API.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

impl Deref for ObjectStorage {
    type Target = RunningServer;

    fn deref(&self) -> &RunningServer {
        &self.server
    }
}

impl ObjectStorage {
    /// Starts one that speaks http.
    pub fn start(kind: ObjectStorageKind) -> Result<Self> {
        Self::start_with(kind, Tls::Off)
    }

    /// Starts one; with TLS, where that is wanted, it takes nothing else. TLS is for S3 alone.
    pub fn start_with(kind: ObjectStorageKind, tls: Tls) -> Result<Self> {
        Self::launch_server(kind, tls).context("cannot start private object storage")
    }

    fn launch_server(kind: ObjectStorageKind, tls: Tls) -> Result<Self> {
        let mut supervisor = RunningServer::new_supervisor(
            SystemAccount::current_user(),
            "landfall-objects",
            &ServerOptions::default(),
            ENDING,
        )?;
        let (folder, secret) = (supervisor.server_folder().to_path_buf(), supervisor.server_secret());
        let certificates = Certificates::make_in_folder(&mut supervisor, tls)?;
        let (secret, script) = match kind {
            ObjectStorageKind::S3 | ObjectStorageKind::Gcs => {
                s3_script(&mut supervisor, secret, certificates.is_some())?
            }
            ObjectStorageKind::Azure => azure_script(&supervisor, &secret)?,
        };
        let scheme = if certificates.is_some() { "https" } else { "http" };
        let speaks_tls = certificates.is_some();
        let launch = LaunchPlan {
            script: Box::new(script),
            answers: Box::new(move |port| is_answering(port, speaks_tls)),
            stop: Signal::INT,
        };
        let server = RunningServer::start_server(supervisor, certificates, launch)?;
        let mut storage = Self { server, kind, folder, secret, scheme, door: None };
        let server = storage.endpoint_url();
        match kind {
            ObjectStorageKind::S3 => {}
            ObjectStorageKind::Gcs => {
                let arguments = [&server, "tester", &storage.secret, BUCKET];
                run_node(include_str!("policy.js"), &arguments).context("the bucket cannot be opened")?;
                storage.door = Some(door::start_door(storage.server.port(), &storage.secret)?);
            }
            ObjectStorageKind::Azure => {
                let arguments = [&server, AZURE_ACCOUNT, &storage.secret, BUCKET];
                run_node(include_str!("container.js"), &arguments).context("Azurite makes no container")?;
            }
        }
        Ok(storage)
    }

    /// Whose protocol it speaks.
    #[must_use]
    pub fn kind(&self) -> ObjectStorageKind {
        self.kind
    }

    /// The address that programs are told.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        self.endpoint_at(self.door.unwrap_or(self.server.port()))
    }

    /// The address of the same through a proxy on another port.
    #[must_use]
    pub fn endpoint_at(&self, port: u16) -> String {
        match self.kind {
            ObjectStorageKind::S3 | ObjectStorageKind::Gcs => format!("{}://127.0.0.1:{port}", self.scheme),
            ObjectStorageKind::Azure => format!("{}://127.0.0.1:{port}/{AZURE_ACCOUNT}", self.scheme),
        }
    }

    /// The URL of a place in its bucket.
    #[must_use]
    pub fn object_url(&self, prefix: &str) -> String {
        let scheme = match self.kind {
            ObjectStorageKind::S3 => "s3",
            ObjectStorageKind::Gcs => "gs",
            ObjectStorageKind::Azure => "az",
        };
        format!("{scheme}://{BUCKET}/{prefix}")
    }

    /// The variables of the environment that its credentials are in, the secret last.
    #[must_use]
    pub fn credential_variables(&self) -> [(&'static str, String); 2] {
        match self.kind {
            ObjectStorageKind::S3 => {
                [("AWS_ACCESS_KEY_ID", "tester".to_owned()), ("AWS_SECRET_ACCESS_KEY", self.secret.clone())]
            }
            ObjectStorageKind::Gcs => {
                [("GOOGLE_SKIP_SIGNATURE", "false".to_owned()), ("GOOGLE_BEARER_TOKEN", self.secret.clone())]
            }
            ObjectStorageKind::Azure => [
                ("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT.to_owned()),
                ("AZURE_STORAGE_ACCOUNT_KEY", self.secret.clone()),
            ],
        }
    }

    /// The folder whose files are the objects of the bucket, for tests that damage some. Not of Azure.
    #[must_use]
    pub fn bucket_folder(&self) -> PathBuf {
        self.folder.join("data").join(BUCKET)
    }
}

/// Runs a script that prints `done`.
fn run_node(script: &str, arguments: &[&str]) -> Result<()> {
    let mut node = std::process::Command::new(program::find("node", "nodejs")?);
    let said = program::run_program(node.args(["-e", script, "--"]).args(arguments), "")?;
    ensure!(said.trim() == "done", "{said}");
    Ok(())
}

/// The secret, and how an S3 server is started: buckets are folders.
type StartScript = Box<dyn Fn(u16) -> String + Send + Sync>;

fn s3_script(supervisor: &mut Supervisor, secret: String, speaks_tls: bool) -> Result<(String, StartScript)> {
    let program = find_tool("versitygw/versitygw")?;
    supervisor.run_setup(&format!("mkdir -p data/{BUCKET} attributes"))?;
    let folder = quote_word(&supervisor.server_folder().display().to_string());
    let tls = if speaks_tls { format!("--cert {folder}/server.crt --key {folder}/server.key") } else { String::new() };
    let (key, program) = (quote_word(&secret), quote_word(&program.display().to_string()));
    let script = move |port| {
        format!(
            "export ROOT_ACCESS_KEY_ID=tester ROOT_SECRET_ACCESS_KEY={key}\n\
             exec {program} --port 127.0.0.1:{port} --keep-alive {tls} posix --sidecar {folder}/attributes {folder}/data\n"
        )
    };
    Ok((secret, Box::new(script)))
}

fn azure_script(supervisor: &Supervisor, secret: &str) -> Result<(String, StartScript)> {
    let program = quote_word(&find_tool("azurite/node_modules/.bin/azurite-blob")?.display().to_string());
    let key = encode_base64(secret.as_bytes());
    let (folder, account) =
        (quote_word(&supervisor.server_folder().display().to_string()), quote_word(&format!("{AZURE_ACCOUNT}:{key}")));
    let script = move |port| {
        format!(
            "export AZURITE_ACCOUNTS={account}\n\
             exec {program} --blobHost 127.0.0.1 --blobPort {port} --location {folder}/data --disableTelemetry --skipApiVersionCheck\n"
        )
    };
    Ok((key, Box::new(script)))
}

/// A program below `target/tools`.
fn find_tool(name: &str) -> Result<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(name);
    ensure!(file.is_file(), "there is no {}: `make needs` installs it", file.display());
    Ok(file)
}

/// Whether a server of HTTP is on this port.
fn is_answering(port: u16, speaks_tls: bool) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    if speaks_tls {
        return true;
    }
    let asked = stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").is_ok();
    let mut start = [0; 5];
    asked && stream.read_exact(&mut start).is_ok() && &start == b"HTTP/"
}

/// RFC 4648.
fn encode_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let is_there = at <= chunk.len();
            text.push(if is_there { DIGITS[bits >> (18 - 6 * at) & 63].into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_has_its_padding() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(super::encode_base64(text.as_bytes()), encoded);
        }
    }
}
