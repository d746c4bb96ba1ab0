//! Where the keys of a provider are: in a file, at an address, or at the address that the provider tells.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use ureq::http::Uri;

use crate::{
    config::{KeySource, OidcConfig as Settings, parse_trusted_url},
    web,
};

/// How long a provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an answer.
const ANSWER_BYTES: u64 = 1 << 20;

/// What a provider says of itself (OpenID Connect Discovery 1.0), as far as it matters here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The JWKS, as bytes.
///
/// # Errors
/// A file that cannot be read, an address that does not answer, and a provider that says it is another one.
pub(super) fn fetch_keys(settings: &Settings) -> Result<Vec<u8>> {
    match &settings.keys {
        KeySource::File(path) => std::fs::read(path).with_context(|| format!("cannot read {}", path.display())),
        KeySource::Url(url) => get(url, settings),
        KeySource::Discovered(url) => {
            let text = get(url, settings)?;
            let told: Discovery = serde_json::from_slice(&text).with_context(|| format!("{url} has no jwks_uri"))?;
            // Discovery (4.3) wants this: otherwise the keys of one provider could sign in the name of another one.
            if told.issuer != settings.issuer {
                bail!("{url} is of the issuer {:?}, and not of {:?}", told.issuer, settings.issuer);
            }
            // The rule for configured addresses holds here too: over plain HTTP anybody in between could give keys.
            let keys = parse_trusted_url(&told.jwks_uri).with_context(|| {
                format!("{url} names keys at {:?}, which is no address with https://", told.jwks_uri)
            })?;
            get(&keys, settings)
        }
    }
}

fn get(url: &Uri, settings: &Settings) -> Result<Vec<u8>> {
    let agent = web::build_agent(url, settings.authority.as_deref(), PATIENCE, 1)?;
    let mut response = agent.get(url).call().with_context(|| format!("{url} does not answer"))?;
    if response.status() != 200 {
        bail!("{url} answered {}", response.status());
    }
    response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES)
        .read_to_vec()
        .with_context(|| format!("{url} does not answer"))
}
