//! The authorities that a server's certificate may come from, as `sslmode` and `sslrootcert` name them, for all databases alike.

use std::{fs, path::Path, sync::OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::url::SslMode;

// The MySQL driver trusts the list of this crate besides the authorities that it is told. With the public list, anybody who has a public
// certificate would pass for a server whose name is not checked. See `third-party/webpki-roots`.
const _: () = assert!(webpki_roots::TRUSTS_NOBODY);

/// Certificates that are trusted.
#[derive(Debug)]
pub(super) struct TrustedAuthorities {
    pub(super) roots: RootCertStore,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

impl TrustedAuthorities {
    /// Those that a connection of `mode` checks the server's certificate against: of `file`, or of the system. None if it does not check
    /// the certificate.
    ///
    /// # Errors
    /// A file that cannot be read or has no certificate; a system that knows no authority.
    pub(super) fn find(mode: SslMode, file: Option<&Path>) -> Result<Option<Self>, String> {
        if !mode.checks_authority(file.is_some()) {
            return Ok(None);
        }
        let found = match file {
            Some(path) => Self::new(read_certificates(path)?).ok_or_else(|| {
                format!("the file {} of sslrootcert holds no certificate of an authority", path.display())
            }),
            None => Self::new(system_certificates())
                .ok_or_else(|| "no certificate authority is known; name a file with sslrootcert=FILE".to_owned()),
        };
        found.map(Some)
    }

    /// Those of `certificates` that can be used, or nothing if none can.
    fn new(certificates: Vec<CertificateDer<'static>>) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        let usable = |certificate: &CertificateDer<'static>| roots.add(certificate.clone()).is_ok();
        let certificates: Vec<_> = certificates.into_iter().filter(usable).collect();
        (!certificates.is_empty()).then_some(Self { roots, certificates })
    }

    /// All of them in the form PEM.
    pub(super) fn to_pem(&self) -> String {
        let pem = |certificate: &CertificateDer<'_>| {
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate))
        };
        self.certificates.iter().map(pem).collect()
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = fs::read(path)
        .map_err(|error| format!("the file {} of sslrootcert cannot be read: {error}", path.display()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or_else(|| {
        format!(
            "the file {} of sslrootcert holds no certificate in the form PEM (-----BEGIN CERTIFICATE-----)",
            path.display()
        )
    })
}

/// The system's authorities, read once.
fn system_certificates() -> Vec<CertificateDer<'static>> {
    static CERTIFICATES: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    CERTIFICATES.get_or_init(|| rustls_native_certs::load_native_certs().certs).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(mode: SslMode, text: Option<&str>) -> Result<Option<TrustedAuthorities>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        if let Some(text) = text {
            fs::write(&path, text).expect("writes");
        }
        TrustedAuthorities::find(mode, Some(&path))
    }

    #[test]
    fn a_file_must_be_there_and_hold_certificates_wherever_it_is_checked() {
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            assert!(find(mode, None).expect_err("no file").contains("cannot be read"));
            assert!(find(mode, Some("no certificate")).expect_err("no PEM").contains("in the form PEM"));
            let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
            assert!(
                find(mode, Some(other)).expect_err("no certificate").contains("holds no certificate of an authority")
            );
        }
        for mode in [SslMode::Disable, SslMode::Prefer] {
            assert!(find(mode, None).expect("is not read").is_none(), "{mode:?}");
        }
        assert!(TrustedAuthorities::find(SslMode::Require, None).expect("does not look").is_none());
    }
}
