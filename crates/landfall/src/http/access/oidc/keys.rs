//! The keys of a provider: asked for now and then, and where a token names one that is not known.

use std::{
    str::FromStr as _,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{signatures::is_supported, source};
use crate::config::{KeySource, OidcConfig as Settings};

/// How often keys are asked for because a token names one that is not known: a token may name anything.
const AGAIN: Duration = Duration::from_secs(60);

/// The keys of a provider, as they were last read.
#[derive(Debug)]
pub(super) struct ProviderKeys {
    settings: Settings,
    held: RwLock<HeldKeys>,
    /// When they were last asked for because of a token. Who holds this asks, and the others wait for what comes of it.
    asked: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct HeldKeys {
    set: Arc<KeySet>,
    state: KeysState,
}

/// How far the keys can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeysState {
    /// They are those that the provider told when it was last asked.
    Fresh,
    /// The provider could not be asked the last time; they are those of before.
    Stale,
    /// There are none yet.
    Unavailable,
}

impl KeysState {
    /// The state as `/readyz` tells it.
    pub(in crate::http) const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "ok",
            Self::Stale => "stale",
            Self::Unavailable => "unavailable",
        }
    }

    /// How long until the keys are asked for again.
    pub(super) const fn pause(self) -> Duration {
        Duration::from_secs(match self {
            Self::Fresh => 3600,
            Self::Stale => 60,
            Self::Unavailable => 5,
        })
    }
}

impl ProviderKeys {
    pub(super) fn new(settings: &Settings) -> Self {
        let held = RwLock::new(HeldKeys { set: Arc::default(), state: KeysState::Unavailable });
        Self { settings: settings.clone(), held, asked: Mutex::new(None) }
    }

    /// Reads them for the first time.
    ///
    /// # Errors
    /// A file that cannot be read; an address that does not answer is asked again later.
    pub(super) fn open(&self) -> Result<()> {
        match (self.read(), &self.settings.keys) {
            // A file that cannot be read is a mistake in the settings. A provider may only be late.
            (Err(error), KeySource::File(_)) => Err(error),
            (outcome, _) => {
                self.note_outcome(outcome);
                Ok(())
            }
        }
    }

    /// Those that are known.
    pub(super) fn known_keys(&self) -> Arc<KeySet> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).set.clone()
    }

    pub(super) fn keys_state(&self) -> KeysState {
        self.held.read().unwrap_or_else(PoisonError::into_inner).state
    }

    /// Asks for them because one is missing, if that was not done of late; what is known then. Only who misses one waits.
    pub(super) async fn ask_again(self: &Arc<Self>) -> Arc<KeySet> {
        // One request asks the provider. The others wait for its answer here, and do not ask again.
        let mut asked = self.asked.lock().await;
        // Anyone can send a token with a key that does not exist, and must not drive requests to the provider.
        if asked.is_none_or(|at| at.elapsed() >= AGAIN) {
            *asked = Some(Instant::now());
            self.refresh_keys().await;
        }
        self.known_keys()
    }

    /// Asks for them, on a thread that may wait.
    pub(super) async fn refresh_keys(self: &Arc<Self>) {
        let keys = self.clone();
        if tokio::task::spawn_blocking(move || keys.note_outcome(keys.read())).await.is_err() {
            tracing::error!("the provider's keys could not be read: a mistake of the service");
        }
    }

    fn read(&self) -> Result<KeySet> {
        let text = source::fetch_keys(&self.settings)?;
        KeySet::parse(&text).context("what is there is no JWKS to verify tokens with")
    }

    /// Keeps what was read; what could not be read leaves what there was.
    fn note_outcome(&self, outcome: Result<KeySet>) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(set) => {
                tracing::info!(keys = set.0.len(), "the provider's keys were read");
                *held = HeldKeys { set: Arc::new(set), state: KeysState::Fresh };
            }
            Err(error) => {
                // The keys that are known stay in use: a provider that is down must not lock everybody out.
                if held.state == KeysState::Fresh {
                    held.state = KeysState::Stale;
                }
                let error = format!("{error:#}");
                tracing::warn!(
                    error,
                    state = held.state.as_str(),
                    "the provider's keys could not be read; they are asked for again"
                );
            }
        }
    }
}

/// Some keys.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<VerifyingKey>);

/// A key that verifies tokens.
#[derive(Debug)]
pub(super) struct VerifyingKey {
    kid: Option<String>,
    /// The algorithms that it is for.
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// A JWKS (RFC 7517). What is not understood of it is left out, as the standard wants it.
#[derive(Deserialize)]
struct JwksDocument {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a JWKS.
    fn parse(text: &[u8]) -> Result<Self> {
        let document: JwksDocument = serde_json::from_slice(text)?;
        let keys: Vec<VerifyingKey> = document.keys.into_iter().filter_map(VerifyingKey::read).collect();
        if keys.is_empty() {
            bail!("none of its keys is of RSA, P-256, P-384 or Ed25519, for signatures");
        }
        Ok(Self(keys))
    }

    /// The keys that may have signed a token: of this name, where it tells one, and for this algorithm.
    pub(super) fn fitting_keys(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &VerifyingKey> {
        let fits = move |key: &&VerifyingKey| {
            key.algorithms.contains(&algorithm) && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        };
        self.0.iter().filter(fits)
    }
}

impl VerifyingKey {
    /// The key that a JWK is; none where it is not for the signatures that are taken here.
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let common = &jwk.common;
        let for_signatures = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let mut algorithms: Vec<Algorithm> = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms().to_vec(),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![Algorithm::ES384],
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            _ => return None,
        };
        // A key for one algorithm must not verify another one, whatever the token says.
        if let Some(named) = common.key_algorithm {
            let named = Algorithm::from_str(&named.to_string()).ok()?;
            algorithms.retain(|algorithm| *algorithm == named);
        }
        let sound = for_signatures && algorithms.iter().any(|algorithm| is_supported(*algorithm));
        let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| sound)?;
        Some(Self { kid: jwk.common.key_id, algorithms, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_has_the_keys_that_verify() {
        let p256 = |more: Value| {
            let mut key = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "a"});
            key.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
            key
        };
        let count =
            |keys: Value| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).map_or(0, |set| set.0.len());
        assert_eq!(
            count(json!([p256(json!({})), p256(json!({"use": "sig", "alg": "ES256", "key_ops": ["verify"]}))])),
            2
        );
        for other in [
            p256(json!({"use": "enc"})),
            p256(json!({"key_ops": ["sign"]})),
            p256(json!({"alg": "ES384"})),
            p256(json!({"alg": "HS256"})),
            p256(json!({"crv": "P-521"})),
            p256(json!({"crv": "secp256k1"})),
            json!({"kty": "oct", "k": "AA", "kid": "a"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
            json!({"kty": "RSA", "n": "AA"}),
            json!("key"),
        ] {
            assert_eq!(count(json!([other])), 0, "{other}");
            assert_eq!(count(json!([other, p256(json!({}))])), 1, "{other}");
        }
        assert!(KeySet::parse(b"{}").is_err() && KeySet::parse(b"<html>").is_err());
    }

    #[test]
    fn a_key_is_chosen_by_name_and_algorithm() {
        let key = |kid: &str, curve: &str| json!({"kty": "EC", "crv": curve, "x": "AA", "y": "AA", "kid": kid});
        let set = json!({"keys": [key("a", "P-256"), key("b", "P-256"), key("b", "P-384")]});
        let set = KeySet::parse(set.to_string().as_bytes()).expect("a set");
        for (kid, algorithm, count) in [
            (Some("a"), Algorithm::ES256, 1),
            (Some("a"), Algorithm::ES384, 0),
            (Some("b"), Algorithm::ES384, 1),
            (Some("c"), Algorithm::ES256, 0),
            (Some("a"), Algorithm::RS256, 0),
            (Some("a"), Algorithm::HS256, 0),
            (None, Algorithm::ES256, 2),
        ] {
            assert_eq!(set.fitting_keys(kid, algorithm).count(), count, "{kid:?} {algorithm:?}");
        }
    }
}
