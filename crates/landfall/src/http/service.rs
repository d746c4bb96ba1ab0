//! What all requests share.

use std::{
    collections::HashSet,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use axum::http::HeaderMap;
use landfall_engine::{
    Project, Result,
    jobs::BackupSettings,
    objects::ObjectSettings,
    pipeline::{RowRules, forget_answers},
    targets::{Location, TargetAccess as Open},
    token::{Tokens, close_access},
};
use tokio::time::sleep;

use super::{
    access::oidc::OidcProvider,
    access::shares::ShareStock,
    access::{RequestCaller, TokenAccess},
    desk::{Desk, DeskThreads},
    job_hooks::{self, Jobs},
    problem::Outcome,
    resources::exports::ExportFolder,
    resources::results::ResultCache,
    reused_target::TargetOpener,
    server::body::BodyMemory,
    server::limits::CallerLimits,
    server::metrics::ServiceMetrics,
    server::ready::Readiness,
    server::spool::SpoolSpace,
    uploads::Uploads,
};
use crate::{
    config::{ApiConfig, BackupConfig, DeclaredReport, JobConfig, LoadDefaults},
    workers::{open_backups, open_uploads, prepare_rules},
};

/// Memory for the bodies of all requests together.
const BODIES: usize = 48 << 20;

/// Uploads that are received at once, each by a thread of its own.
const RECEIVERS: usize = 128;

/// How often old answers are looked for.
const FORGETTING: Duration = Duration::from_secs(600);

/// Where exports lie, in the project's folder, if it is not said otherwise.
const EXPORTS: &str = ".landfall/exports";

fn no_thread(cause: std::io::Error) -> landfall_engine::Error {
    landfall_engine::Error::System { doing: "start a thread of the service", cause }
}

/// Makes the tables that are missing; the rules of all, and the tokens, of which the database is told that there are some.
fn prepare_target(opener: &TargetOpener, project: Project, load: &LoadDefaults) -> Result<(Arc<RowRules>, Tokens)> {
    let mut target = opener.open()?;
    let rules = prepare_rules(&mut *target, project, load)?;
    let tokens = Tokens::read(&*target)?;
    // Also for other processes: one that started before the first token would let everybody in.
    if !tokens.is_empty() {
        close_access(&mut *target)?;
    }
    Ok((rules, tokens))
}

/// How the service runs.
pub(crate) struct Settings {
    pub(crate) api: ApiConfig,
    pub(crate) location: Location,
    pub(crate) reports: Vec<DeclaredReport>,
    pub(crate) load: LoadDefaults,
    pub(crate) jobs: JobConfig,
    pub(crate) backup: BackupConfig,
    /// How object storage is reached.
    pub(crate) storage: ObjectSettings,
    /// The project's folder.
    pub(crate) folder: PathBuf,
    /// Whose tokens it takes beside its own.
    pub(crate) oidc: Option<OidcProvider>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Whether its own threads do jobs.
    pub(crate) does_jobs: bool,
}

/// What all requests share.
pub(crate) struct Service {
    pub(super) api: ApiConfig,
    pub(super) rules: Arc<RowRules>,
    pub(super) reports: Vec<DeclaredReport>,
    pub(super) kind: landfall_engine::targets::TargetKind,
    pub(super) desk: Desk,
    pub(super) access: TokenAccess,
    pub(super) oidc: Option<OidcProvider>,
    pub(super) memory: BodyMemory,
    /// Uploads that are received at once.
    pub(super) receivers: ShareStock,
    pub(super) metrics: ServiceMetrics,
    pub(super) limits: CallerLimits,
    /// The Idempotency-Keys of requests that are under way.
    pub(super) in_flight: Mutex<HashSet<String>>,
    /// What is asked of loads.
    pub(super) load: LoadDefaults,
    pub(super) jobs: Jobs,
    pub(super) exports: ExportFolder,
    pub(super) spools: SpoolSpace,
    pub(super) backups: BackupSettings,
    pub(super) results: ResultCache,
    pub(super) readiness: Readiness,
}

impl Service {
    /// Opens the database, makes the tables that are missing, and starts the threads; with the tokens that there are.
    pub(crate) fn open(settings: Settings, project: Project) -> Result<(Arc<Self>, DeskThreads, Tokens)> {
        let location = settings.location.clone();
        let opener = TargetOpener { location: settings.location, access: Open::Write };
        let (rules, tokens) = prepare_target(&opener, project, &settings.load)?;
        let kind = opener.location.kind();
        let (desk, mut staff) = Desk::open(opener, &rules).map_err(no_thread)?;
        let jobs = Jobs::new(Uploads {
            storage: open_uploads(&settings.api, &settings.folder, &settings.storage)?,
            most: settings.api.max_upload,
        });
        let ApiConfig { export_folder, export_keep, export_space, .. } = &settings.api;
        let folder = export_folder.clone().unwrap_or_else(|| settings.folder.join(EXPORTS));
        let spools = SpoolSpace::new(folder.clone(), settings.api.answer_space);
        let exports = ExportFolder::new(folder, *export_space, *export_keep);
        let backups = open_backups(&settings.backup, &settings.storage)?;
        let service = Self {
            access: TokenAccess::new(tokens.clone(), settings.address.ip().is_loopback() && settings.oidc.is_none()),
            oidc: settings.oidc,
            memory: BodyMemory::new(BODIES, settings.api.max_body),
            receivers: ShareStock::new(RECEIVERS, RECEIVERS / 2),
            metrics: ServiceMetrics::new(),
            limits: CallerLimits::new(settings.api.requests_per_second, settings.api.concurrent_requests),
            api: settings.api,
            rules,
            reports: settings.reports,
            kind,
            desk,
            in_flight: Mutex::new(HashSet::new()),
            load: settings.load,
            jobs,
            exports,
            spools,
            backups,
            results: ResultCache::default(),
            readiness: Readiness::default(),
        };
        let service = Arc::new(service);
        if settings.does_jobs {
            let workers = job_hooks::start_service_workers(&service, &location, &service.load, &settings.jobs);
            staff.add_threads(workers.map_err(no_thread)?);
        }
        Ok((service, staff, tokens))
    }

    /// Who asks, by the token in the header, or in the query where a route allows that.
    pub(super) async fn identify_caller(&self, headers: &HeaderMap, in_query: Option<&str>) -> Outcome<RequestCaller> {
        self.access.identify_caller(&self.desk, self.oidc.as_ref(), headers, in_query).await
    }

    /// Forgets answers that were kept long enough, as long as the service runs.
    pub(super) async fn forget_answers(service: Weak<Self>) {
        loop {
            {
                // Weak, and only for a moment: this loop must not keep the service alive.
                let Some(service) = service.upgrade() else { return };
                let exports = service.exports.clone();
                // What cannot be removed now is looked at again.
                let _ = tokio::task::spawn_blocking(move || exports.remove_expired()).await;
                let kept = service.api.idempotency_keep;
                let forgotten = service.desk.write(move |target| forget_answers(target, kept)).await;
                if let Ok(count @ 1..) = forgotten {
                    tracing::info!(count, "answers under Idempotency-Keys were kept long enough, and are forgotten");
                }
            }
            sleep(FORGETTING).await;
        }
    }

    /// How long a client may take nothing of its answer. The system takes some hundred kilobytes before it sees that a client takes
    /// nothing, and goes on only when a good part of that has gone: so it is longer than for the next part of a body.
    pub(super) fn stall_limit(&self) -> Duration {
        self.api.body_timeout * 4
    }

    /// How long the next part of a body is waited for.
    pub(super) const fn pause(&self) -> Duration {
        self.api.body_timeout
    }
}
