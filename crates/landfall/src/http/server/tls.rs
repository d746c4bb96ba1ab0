//! TLS by certificate files.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

/// What speaks TLS with the certificates (PEM, the server's own first) and the key in these files.
pub(crate) fn tls_acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let reading = |path: &Path| format!("api.tls: cannot use {}", path.display());
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).with_context(|| reading(certificate))?;
    let own = PrivateKeyDer::from_pem_file(key).with_context(|| reading(key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, own)
        .with_context(|| reading(certificate))?;
    // The framing of requests is watched byte by byte, for which HTTP/2 would need a parser of its own.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
