//! What all requests share.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use axum::http::HeaderMap;
use landfall_engine::{
    Project, Result,
    pipeline::{RowRules, forget_answers},
    target::{Access as Open, Location},
    token::Tokens,
};
use tokio::time::sleep;

use super::{
    access::{Access, Caller},
    body::Memory,
    desk::{Desk, Opener, Staff},
    limits::Limits,
    metrics::Metrics,
    oidc::Provider,
    problem::Outcome,
};
use crate::config::{Api, Report};

/// Memory for the bodies of all requests together.
const BODIES: usize = 48 << 20;

/// Threads that read: more than cores, since some wait for clients that are slow.
const READERS: usize = 8;

/// How often old answers are looked for.
const FORGETTING: Duration = Duration::from_secs(600);

/// How the service runs.
pub(crate) struct Settings {
    pub(crate) api: Api,
    pub(crate) location: Location,
    pub(crate) reports: Vec<Report>,
    /// Whose tokens it takes beside its own.
    pub(crate) oidc: Option<Provider>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// What all requests share.
pub(crate) struct Service {
    pub(super) api: Api,
    pub(super) rules: Arc<RowRules>,
    pub(super) reports: Vec<Report>,
    pub(super) kind: landfall_engine::target::Kind,
    pub(super) desk: Desk,
    pub(super) access: Access,
    pub(super) oidc: Option<Provider>,
    pub(super) memory: Memory,
    pub(super) metrics: Metrics,
    pub(super) limits: Limits,
    /// The Idempotency-Keys of requests that are under way.
    pub(super) in_flight: Mutex<HashSet<String>>,
}

impl Service {
    /// Opens the database, makes the tables that are missing, and starts the threads.
    pub(crate) fn open(settings: Settings, project: Project) -> Result<(Arc<Self>, Staff, bool)> {
        let opener = Opener { location: settings.location, access: Open::Write };
        let mut target = opener.open()?;
        target.prepare(&project.tables())?;
        let rules = Arc::new(RowRules::new(&*target, Arc::new(project))?);
        let tokens = Tokens::read(&*target)?;
        let (has_tokens, kind) = (!tokens.is_empty(), opener.location.kind());
        drop(target);
        let (desk, staff) = Desk::open(opener, &rules, READERS)
            .map_err(|cause| landfall_engine::Error::File { path: "a thread of the service".into(), cause })?;
        let service = Self {
            access: Access::new(tokens, settings.address.ip().is_loopback() && settings.oidc.is_none()),
            oidc: settings.oidc,
            memory: Memory::new(BODIES.max(settings.api.max_body)),
            metrics: Metrics::new(),
            limits: Limits::new(settings.api.requests_per_second, settings.api.concurrent_requests),
            api: settings.api,
            rules,
            reports: settings.reports,
            kind,
            desk,
            in_flight: Mutex::new(HashSet::new()),
        };
        Ok((Arc::new(service), staff, has_tokens))
    }

    /// Who asks, by the token in the header, or in the query where a route allows that.
    pub(super) async fn caller(&self, headers: &HeaderMap, in_query: Option<&str>) -> Outcome<Caller> {
        self.access.caller(&self.desk, self.oidc.as_ref(), headers, in_query).await
    }

    /// Forgets answers that were kept long enough, as long as the service runs.
    pub(super) async fn forget_answers(service: Weak<Self>) {
        loop {
            {
                let Some(service) = service.upgrade() else { return };
                let kept = service.api.idempotency_keep;
                let forgotten = service.desk.write(move |target| forget_answers(target, kept)).await;
                if let Ok(count @ 1..) = forgotten {
                    tracing::info!(count, "answers under Idempotency-Keys were kept long enough, and are forgotten");
                }
            }
            sleep(FORGETTING).await;
        }
    }

    /// How long the next part of a body is waited for.
    pub(super) const fn pause(&self) -> Duration {
        self.api.body_timeout
    }
}
