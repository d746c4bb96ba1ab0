//! Asking other servers over HTTP: plain, or with TLS and the certificates that are trusted.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio_rustls::rustls::{
    crypto::ring::default_provider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use ureq::{
    Agent,
    config::Config,
    http::Uri,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(10);

/// How long a connection may rest and be used again: less than servers let it rest, so that none is closed under a request.
const RESTING: Duration = Duration::from_secs(5);

/// What asks the server of `url`: as it answers, without following it elsewhere. `authority` is a file with the certificates
/// that are trusted, in PEM; those of the system where there is none.
///
/// # Errors
/// Certificates that cannot be read.
pub(crate) fn build_agent(
    url: &Uri,
    authority: Option<&Path>,
    patience: Duration,
    connections: usize,
) -> Result<Agent> {
    let mut config = Config::builder()
        // The body of an error says what is wrong, and must be read.
        .http_status_as_error(false)
        // The token in the header is for this server alone, and keys must not come from elsewhere.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECTING))
        .timeout_global(Some(patience))
        .max_idle_age(RESTING)
        .max_idle_connections(connections)
        .max_idle_connections_per_host(connections);
    if url.scheme_str() == Some("https") {
        let roots = match authority {
            Some(file) => read_authorities(file)?,
            None => system_authorities(),
        };
        let roots: Vec<Certificate<'static>> = roots.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(default_provider()));
        config = config.tls_config(tls.build());
    }
    if is_loopback(url) {
        // A proxy has this machine's own services on another machine.
        config = config.proxy(None);
    }
    Ok(config.build().into())
}

/// Whether `url` is on this machine.
pub(crate) fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let reading = || format!("cannot use the certificates in {}", path.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).with_context(reading)?;
    if found.is_empty() {
        bail!("{}: there is none; it must be a file in PEM", reading());
    }
    Ok(found)
}

fn system_authorities() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_several_names() {
        for (url, here) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9/x", true),
            ("http://[::1]:80/", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&url.parse().expect("a URL")), here, "{url}");
        }
    }
}
