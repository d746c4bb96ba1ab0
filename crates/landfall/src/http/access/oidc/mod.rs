//! Tokens of an OpenID Connect provider: JWTs (RFC 7519) that it signed, held against its keys and what is configured.

mod claims;
mod keys;
mod signatures;
mod source;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::Result;
use jsonwebtoken::{
    Algorithm, Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};
use landfall_engine::token::Token;
use serde_json::{Map, Value};
use tokio::time::sleep;

pub(in crate::http) use self::keys::KeysState;
use self::keys::ProviderKeys;
use crate::config::OidcConfig as Settings;
use crate::http::{
    problem::{Outcome, Problem, ProblemKind},
    service::Service,
};

/// How far the provider's clock and this one may differ, in seconds.
const LEEWAY: u64 = 60;

/// The keys that one token is tried with: those of the same name, which are rarely more than one.
const TRIED: usize = 8;

/// The provider whose tokens are taken.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    settings: Settings,
    keys: Arc<ProviderKeys>,
}

impl OidcProvider {
    /// Reads the provider's keys for the first time. A provider that does not answer is asked again later.
    ///
    /// # Errors
    /// Keys in a file that cannot be read.
    pub(crate) fn open(settings: &Settings) -> Result<Self> {
        signatures::install_verifiers();
        let keys = Arc::new(ProviderKeys::new(settings));
        keys.open()?;
        Ok(Self { settings: settings.clone(), keys })
    }

    /// Whether `text` has the form of a JWT, which no token of the service's own has.
    pub(in crate::http) fn is_jwt(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// How far the keys can be relied on.
    pub(in crate::http) fn keys_state(&self) -> KeysState {
        self.keys.keys_state()
    }

    /// Who asks with this token: as if it were one of the service's own.
    pub(in crate::http) async fn verify_token(&self, text: &str) -> Outcome<Token> {
        let unreadable = |_| refused_problem("it is no JWT, or its algorithm is not taken here");
        let header = decode_header(text).map_err(unreadable)?;
        // RFC 7515 has a token refused that names an extension there which is not understood.
        if header.crit.is_some() {
            return Err(refused_problem("it asks for something that is not understood here (crit)"));
        }
        // Before the keys: no key can fit such a token, and the provider would be asked for new ones.
        if !signatures::is_supported(header.alg) {
            return Err(refused_problem("its algorithm is not taken here"));
        }
        let kid = header.kid.as_deref();
        let mut keys = self.keys.known_keys();
        if keys.fitting_keys(kid, header.alg).next().is_none() {
            keys = self.keys.ask_again().await;
        }
        let mut wrong = None;
        for key in keys.fitting_keys(kid, header.alg).take(TRIED) {
            match decode::<Map<String, Value>>(text, &key.key, &self.token_validation(header.alg)) {
                Ok(data) => {
                    claims::check_types(&data.claims).map_err(|claim| {
                        refused_problem(&format!("its claim {claim} is not of the type that the standard says"))
                    })?;
                    return self.check_claims(&data.claims);
                }
                Err(error) => wrong = Some(error),
            }
        }
        Err(match wrong {
            Some(error) => refused_problem(refusal_reason(&error)),
            None if self.keys_state() == KeysState::Unavailable => {
                Problem::too_busy("the keys of the provider whose tokens are taken here are not known yet")
            }
            None => refused_problem("the provider has no such key"),
        })
    }

    /// What a token must be: of the provider, for this service, and of now.
    fn token_validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        // The library passes `nbf` over unless it is told to look.
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&self.settings.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }

    fn check_claims(&self, claims: &Map<String, Value>) -> Outcome<Token> {
        let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| refused_problem("its claim sub is empty"))?;
        let roles = claims::claimed_roles(claims, &self.settings);
        if roles.is_empty() {
            let claim = &self.settings.role_claim;
            // Not 401: the token itself is sound, and a client would get another one just like it.
            return Err(Problem::new(
                ProblemKind::FORBIDDEN,
                format!("the claim {claim} of the token names no role that there is here"),
            ));
        }
        Ok(Token {
            id: self.subject_name(subject),
            name: subject.to_owned(),
            roles,
            // None named: all tables, as for a token of the service's own without limits.
            tables: Vec::new(),
            reports: Vec::new(),
            created_at: String::new(),
            expires_at: None,
        })
    }

    /// The name of a subject: each token of it has the same, and none of the service's own can have it (theirs have no colon).
    fn subject_name(&self, subject: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        // With the length, so that no other issuer and subject give the same bytes.
        hasher.update(&(self.settings.issuer.len() as u64).to_le_bytes());
        hasher.update(self.settings.issuer.as_bytes()).update(subject.as_bytes());
        format!("oidc:{}", hasher.finalize().to_hex())
    }

    /// Asks for the keys now and then, as long as the service runs.
    pub(in crate::http) async fn keep_fresh(service: Weak<Service>) {
        loop {
            // Not held while this sleeps: the service, and its database, would not end.
            let Some(pause) = service.upgrade().and_then(|service| Some(service.oidc.as_ref()?.refresh_pause())) else {
                return;
            };
            sleep(pause).await;
            let Some(keys) = service.upgrade().and_then(|service| Some(service.oidc.as_ref()?.keys.clone())) else {
                return;
            };
            keys.refresh_keys().await;
        }
    }

    fn refresh_pause(&self) -> Duration {
        self.keys_state().pause()
    }
}

/// A token that is not taken.
fn refused_problem(reason: &str) -> Problem {
    Problem::new(ProblemKind::UNAUTHORIZED, format!("the token is refused: {reason}"))
}

/// Why a token is not taken, as the end of a sentence.
fn refusal_reason(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidIssuer => "it is of another issuer",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
            "one of its claims exp, nbf, iss, aud and sub is missing or malformed"
        }
        _ => "it is malformed",
    }
}
