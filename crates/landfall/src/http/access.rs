//! Who may do what: every route has the roles that may take it; who has none of them is refused.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, Method, header};
use landfall_engine::token::{Role, Token, Tokens, close_access};
use tokio::sync::Mutex;

use super::{
    desk::Desk,
    oidc::Provider,
    problem::{Kind, Outcome, Problem},
    sites::refuse_other_sites,
};

/// How long what is known of the tokens holds: a token that was revoked elsewhere is refused after that.
const FRESH: Duration = Duration::from_secs(2);

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// There was no token yet, or access was opened again, so that everybody on this machine may do everything.
    Anybody,
    /// The bearer of a token: of the service's own, or of a provider's, which is taken for one.
    Bearer(Arc<Token>),
}

impl Caller {
    /// The name under which what a caller asks for is kept apart from what others ask for.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Anybody => "",
            Self::Bearer(token) => &token.id,
        }
    }

    pub(super) fn has(&self, role: Role) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(token) => token.has_role(role),
        }
    }

    pub(super) fn sees_table(&self, table: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(token) => token.sees_table(table),
        }
    }

    pub(super) fn sees_report(&self, report: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(token) => token.sees_report(report),
        }
    }

    /// Whether it may see what is of all tables at once.
    pub(super) fn is_unlimited(&self) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(token) => !token.is_limited(),
        }
    }
}

/// What is known of the tokens.
#[derive(Debug)]
pub(crate) struct Access {
    known: RwLock<Known>,
    /// One at a time looks for new ones.
    looking: Mutex<()>,
    /// Whether everybody may be let in where the database is open: the service is only reachable from this machine.
    may_be_open: bool,
    /// Whether it is known to be noted in the database that there are tokens: an older version of Landfall makes them without that.
    is_noted: AtomicBool,
}

#[derive(Debug, Clone)]
struct Known {
    tokens: Arc<Tokens>,
    at: Instant,
}

impl Access {
    pub(crate) fn new(tokens: Tokens, open_without_tokens: bool) -> Self {
        let is_noted = AtomicBool::new(!tokens.is_empty());
        let known = Known { tokens: Arc::new(tokens), at: Instant::now() };
        Self { known: RwLock::new(known), looking: Mutex::new(()), may_be_open: open_without_tokens, is_noted }
    }

    /// Whether `tokens` let everybody in. Once there was a token they do not, until `landfall token open`.
    fn is_open(&self, tokens: &Tokens) -> bool {
        self.may_be_open && !tokens.is_closed()
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn tokens(&self, desk: &Desk) -> Outcome<Arc<Tokens>> {
        let known = self.known();
        if known.at.elapsed() < FRESH {
            return Ok(known.tokens);
        }
        let _looking = self.looking.lock().await;
        let known = self.known();
        if known.at.elapsed() < FRESH {
            return Ok(known.tokens);
        }
        let tokens = Arc::new(desk.look(|target| Tokens::read(target)).await?);
        if self.is_open(&known.tokens) && !self.is_open(&tokens) {
            tracing::info!("there is a token now: from here on, each request needs one");
        }
        self.note(desk, &tokens).await;
        let fresh = Known { tokens: tokens.clone(), at: Instant::now() };
        *self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        Ok(tokens)
    }

    /// Sees to it that the database tells of its tokens, also once they are gone.
    async fn note(&self, desk: &Desk, tokens: &Tokens) {
        if tokens.is_empty() || self.is_noted.load(Ordering::Relaxed) {
            return;
        }
        match desk.write(|target| close_access(target)).await {
            Ok(()) => self.is_noted.store(true, Ordering::Relaxed),
            // It is tried again with the next look at the tokens.
            Err(problem) => tracing::warn!(problem = problem.detail(), "it cannot be noted that there are tokens"),
        }
    }

    /// Who asks, by the token in the header, or in the query where a route allows that; one of `provider`, or one of the service's own.
    pub(super) async fn caller(
        &self,
        desk: &Desk,
        provider: Option<&Provider>,
        headers: &HeaderMap,
        in_query: Option<&str>,
    ) -> Outcome<Caller> {
        let tokens = self.tokens(desk).await?;
        if self.is_open(&tokens) {
            refuse_other_sites(headers)?;
            return Ok(Caller::Anybody);
        }
        let wrong = |detail: &str| Problem::new(Kind::UNAUTHORIZED, detail);
        let bearer = headers.get(header::AUTHORIZATION).map(|value| {
            let text = value.to_str().ok().and_then(|text| text.split_once(' '));
            text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim())
        });
        let token = match (bearer, in_query) {
            (Some(None), _) => return Err(wrong("the Authorization header must be: Bearer TOKEN")),
            (Some(Some(token)), _) | (None, Some(token)) => token,
            (None, None) => return Err(wrong("send a token: Authorization: Bearer TOKEN")),
        };
        if let Some(provider) = provider.filter(|_| Provider::is_jwt(token)) {
            return Ok(Caller::Bearer(Arc::new(provider.token(token).await?)));
        }
        let found = tokens.find(token).ok_or_else(|| wrong("the token is unknown, was revoked, or has expired"))?;
        Ok(Caller::Bearer(Arc::new(found.clone())))
    }
}

/// Refuses a caller who has none of `roles`.
pub(super) fn allow(caller: &Caller, roles: &[Role], method: &Method) -> Outcome<()> {
    if roles.iter().any(|role| caller.has(*role)) {
        return Ok(());
    }
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    Err(Problem::new(Kind::FORBIDDEN, format!("{method} here needs the role {}", names.join(" or "))))
}
