//! The services that are measured: ours, and the yardstick's. Each is a process of its own.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::client::HttpConnection;
use crate::bench::child::run_for_output;

/// How long a service may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the yardstick is made of. Other versions are another yardstick.
pub(super) const PACKAGES: [&str; 4] =
    ["fastapi==0.165.0", "pydantic==2.14.3", "psycopg[binary,pool]==3.3.9", "uvicorn[standard]==0.54.0"];

/// A service that runs; it ends with this value.
pub(super) struct RunningService {
    child: Child,
    pub(super) address: SocketAddr,
}

impl RunningService {
    /// Ours, on the database at `target` with the data package of `project`.
    pub(super) fn start_landfall(binary: &Path, project: &Path, target: &str) -> Result<Self> {
        let folder = project.join("service");
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join("landfall.yaml"),
            json!({"target": target, "package": "../datapackage.yaml"}).to_string(),
        )?;
        let mut load = Command::new(binary);
        load.args(["load", "--quiet", "departments", "jobs", "--project"]).arg(&folder);
        run_for_output(&mut load)?;
        Self::start_in_folder(binary, &folder)
    }

    /// Ours, of the project in `folder`.
    pub(super) fn start_in_folder(binary: &Path, folder: &Path) -> Result<Self> {
        let mut serve = Command::new(binary);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--project"]).arg(folder);
        let mut child = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut words = BufReader::new(child.stderr.take().context("no standard error")?);
        let mut line = String::new();
        words.read_line(&mut line)?;
        let address = line.split("http://").nth(1).and_then(|text| text.split([' ', '/']).next());
        let address = address.and_then(|text| text.parse().ok());
        // It goes on to speak where nobody listens.
        std::thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
        let Some(address) = address else { bail!("the service did not start: {line}") };
        Ok(Self { child, address })
    }

    /// The yardstick's, with as many processes as there are cores; `rows_by` says how rows go in.
    pub(super) fn start_yardstick(python: &Path, url: &str, rows_by: &str, log: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = File::create(log)?;
        let workers = std::thread::available_parallelism().map_or(2, usize::from).to_string();
        let mut serve = Command::new(python);
        serve
            .args(["-m", "uvicorn", "--app-dir"])
            .arg(crate::workspace_root().join("benches/yardsticks"))
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string(), "--workers", &workers])
            .args(["--log-level", "warning", "--no-access-log", "fastapi_rows:app"])
            .env("DATABASE_URL", url)
            .env("ROWS_BY", rows_by);
        let child = serve.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let service = Self { child, address };
        let begun = Instant::now();
        while HttpConnection::open(address).and_then(|mut connection| connection.get("/docs")).is_err() {
            if begun.elapsed() > PATIENCE {
                bail!("the yardstick did not start");
            }
            sleep(Duration::from_millis(100));
        }
        // The other processes need a little longer.
        sleep(Duration::from_secs(2));
        Ok(service)
    }

    /// The memory that the process holds now and held at most, in MiB.
    pub(super) fn memory_use(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = |name: &str| -> Result<u64> {
            let line = status.lines().find(|line| line.starts_with(name)).context("no such number")?;
            Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
        };
        Ok((kib("VmRSS:")?.div_ceil(1024), kib("VmHWM:")?.div_ceil(1024)))
    }
}

impl Drop for RunningService {
    fn drop(&mut self) {
        // Gracefully, so that the yardstick's other processes end too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
