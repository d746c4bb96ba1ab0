//! Who may do what: every route has the roles that may take it; who has none of them is refused.

pub(in crate::http) mod oidc;
pub(in crate::http) mod shares;

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

use crate::http::{
    access::oidc::OidcProvider,
    desk::Desk,
    problem::{Outcome, Problem, ProblemKind},
    server::sites::refuse_other_sites,
};

/// How long what is known of the tokens holds: a token that was revoked elsewhere is refused after that.
const FRESH: Duration = Duration::from_secs(2);

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum RequestCaller {
    /// There was no token yet, or access was opened again, so that everybody on this machine may do everything.
    Anybody,
    /// The bearer of a token: of the service's own, or of a provider's, which is taken for one.
    Bearer(Arc<Token>),
}

impl RequestCaller {
    /// The name under which what a caller asks for is kept apart from what others ask for.
    pub(in crate::http) fn name(&self) -> &str {
        match self {
            Self::Anybody => "",
            Self::Bearer(token) => &token.id,
        }
    }

    pub(in crate::http) fn has_role(&self, role: Role) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(token) => token.has_role(role),
        }
    }

    pub(in crate::http) fn sees_table(&self, table: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(token) => token.sees_table(table),
        }
    }

    pub(in crate::http) fn sees_report(&self, report: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(token) => token.sees_report(report),
        }
    }

    /// Whether it may see what is of all tables at once.
    pub(in crate::http) fn is_unlimited(&self) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(token) => !token.is_limited(),
        }
    }
}

/// What is known of the tokens.
#[derive(Debug)]
pub(crate) struct TokenAccess {
    known: RwLock<KnownTokens>,
    /// One at a time looks for new ones.
    looking: Mutex<()>,
    /// Whether everybody may be let in where the database is open: the service is only reachable from this machine.
    may_be_open: bool,
    /// Whether it is known to be noted in the database that there are tokens: an older version of Landfall makes them without that.
    is_noted: AtomicBool,
}

#[derive(Debug, Clone)]
struct KnownTokens {
    tokens: Arc<Tokens>,
    at: Instant,
}

impl TokenAccess {
    pub(crate) fn new(tokens: Tokens, open_without_tokens: bool) -> Self {
        let is_noted = AtomicBool::new(!tokens.is_empty());
        let known = KnownTokens { tokens: Arc::new(tokens), at: Instant::now() };
        Self { known: RwLock::new(known), looking: Mutex::new(()), may_be_open: open_without_tokens, is_noted }
    }

    /// Whether `tokens` let everybody in. Once there was a token they do not, until `landfall token open`.
    fn is_open_to_all(&self, tokens: &Tokens) -> bool {
        self.may_be_open && !tokens.is_closed()
    }

    fn known_tokens(&self) -> KnownTokens {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn current_tokens(&self, desk: &Desk) -> Outcome<Arc<Tokens>> {
        let known = self.known_tokens();
        if known.at.elapsed() < FRESH {
            return Ok(known.tokens);
        }
        let _looking = self.looking.lock().await;
        // Another request may have looked while this one waited for its turn.
        let known = self.known_tokens();
        if known.at.elapsed() < FRESH {
            return Ok(known.tokens);
        }
        let tokens = Arc::new(desk.read_briefly(|target| Tokens::read(target)).await?);
        if self.is_open_to_all(&known.tokens) && !self.is_open_to_all(&tokens) {
            tracing::info!("there is a token now: from here on, each request needs one");
        }
        // Before they count: if the last token is deleted later, the database must not be open again.
        self.note_tokens(desk, &tokens).await;
        let fresh = KnownTokens { tokens: tokens.clone(), at: Instant::now() };
        *self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        Ok(tokens)
    }

    /// Sees to it that the database tells of its tokens, also once they are gone.
    async fn note_tokens(&self, desk: &Desk, tokens: &Tokens) {
        if tokens.is_empty() || self.is_noted.load(Ordering::Relaxed) {
            return;
        }
        match desk.write(|target| close_access(target)).await {
            Ok(()) => self.is_noted.store(true, Ordering::Relaxed),
            // It is tried again with the next look at the tokens.
            Err(problem) => tracing::warn!(problem = problem.detail_text(), "it cannot be noted that there are tokens"),
        }
    }

    /// Who asks, by the token in the header, or in the query where a route allows that; one of `provider`, or one of the service's own.
    pub(in crate::http) async fn identify_caller(
        &self,
        desk: &Desk,
        provider: Option<&OidcProvider>,
        headers: &HeaderMap,
        in_query: Option<&str>,
    ) -> Outcome<RequestCaller> {
        let tokens = self.current_tokens(desk).await?;
        if self.is_open_to_all(&tokens) {
            // Without tokens, any web page that is open on this machine could send requests.
            refuse_other_sites(headers)?;
            return Ok(RequestCaller::Anybody);
        }
        let wrong = |detail: &str| Problem::new(ProblemKind::UNAUTHORIZED, detail);
        let bearer = headers.get(header::AUTHORIZATION).map(|value| {
            let text = value.to_str().ok().and_then(|text| text.split_once(' '));
            text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim())
        });
        let token = match (bearer, in_query) {
            (Some(None), _) => return Err(wrong("the Authorization header must be: Bearer TOKEN")),
            (Some(Some(token)), _) | (None, Some(token)) => token,
            (None, None) => return Err(wrong("send a token: Authorization: Bearer TOKEN")),
        };
        if let Some(provider) = provider.filter(|_| OidcProvider::is_jwt(token)) {
            return Ok(RequestCaller::Bearer(Arc::new(provider.verify_token(token).await?)));
        }
        // One answer for all three, so that nobody learns which tokens there were.
        let found = tokens.find(token).ok_or_else(|| wrong("the token is unknown, was revoked, or has expired"))?;
        Ok(RequestCaller::Bearer(Arc::new(found.clone())))
    }
}

/// Refuses a caller who has none of `roles`.
pub(in crate::http) fn require_role(caller: &RequestCaller, roles: &[Role], method: &Method) -> Outcome<()> {
    if roles.iter().any(|role| caller.has_role(*role)) {
        return Ok(());
    }
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    Err(Problem::new(ProblemKind::FORBIDDEN, format!("{method} here needs the role {}", names.join(" or "))))
}
