//! TLS as `sslmode` asks for it, through rustls.

use std::{io, net::IpAddr, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    StreamOwned,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{
    super::{authorities::TrustedAuthorities, url::SslMode},
    settings::PostgresSettings,
    socket::TimedSocket,
};

/// A socket with TLS.
pub(super) type TlsStream = StreamOwned<ClientConnection, TimedSocket>;

/// Speaks TLS over `socket`.
///
/// # Errors
/// A certificate that is not what `settings` ask for, as an error of `InvalidData`; a handshake that fails.
pub(super) fn start_tls(mut socket: TimedSocket, settings: &PostgresSettings) -> io::Result<TlsStream> {
    let mut connection =
        ClientConnection::new(Arc::new(tls_config(settings)?), server_name(settings)?).map_err(io::Error::other)?;
    // Done here and not with the first read, so that its errors are told as those of TLS.
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// Only IP addresses and DNS names can be in a certificate; any other host is only good without its name.
fn server_name(settings: &PostgresSettings) -> io::Result<ServerName<'static>> {
    match ServerName::try_from(settings.host.clone()) {
        Ok(name) => Ok(name),
        // rustls wants a name in any case. Below `verify-full` nobody compares it.
        Err(_) if settings.ssl_mode != SslMode::VerifyFull => Ok(IpAddr::from([0, 0, 0, 0]).into()),
        Err(_) => Err(tls_refusal("the host is not a name that a certificate can have")),
    }
}

fn tls_refusal(words: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words.into())
}

fn tls_config(settings: &PostgresSettings) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let trusted =
        TrustedAuthorities::find(settings.ssl_mode, settings.ssl_root_cert.as_deref()).map_err(tls_refusal)?;
    let verifier = ModeVerifier { trusted, provider: provider.clone(), mode: settings.ssl_mode };
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config
        .map_err(io::Error::other)?
        // The modes of libpq below `verify-full` are weaker than what rustls does by itself.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Looks at a certificate as far as the mode asks for it. That the server holds the certificate's key is always checked.
#[derive(Debug)]
struct ModeVerifier {
    trusted: Option<TrustedAuthorities>,
    provider: Arc<CryptoProvider>,
    mode: SslMode,
}

impl ServerCertVerifier for ModeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(&certificate, &trusted.roots, intermediates, now, algorithms) {
            Ok(()) => {}
            // A certificate that signs itself and is named as trusted is its own authority. Its dates were in order, or
            // the error would be another.
            Err(TlsError::InvalidCertificate(CertificateError::Other(_)))
                if trusted.certificates.iter().any(|known| known == end_entity) => {}
            Err(error) => return Err(error),
        }
        if self.mode == SslMode::VerifyFull {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The channel binding `tls-server-end-point` (RFC 5929): the digest of the server's certificate by the hash function of
/// its signature; none where that is not one of the SHA-2 family or older.
pub(super) fn channel_binding(stream: &TlsStream) -> Option<Vec<u8>> {
    let certificate = stream.conn.peer_certificates()?.first()?;
    certificate_digest(certificate)
}

/// Object identifiers of signature algorithms, by the hash that they use. Those with MD5 and SHA-1 stand for SHA-256.
const SHA256: [&[u8]; 4] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
];
const SHA384: [&[u8]; 2] =
    [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]];
const SHA512: [&[u8]; 2] =
    [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04]];

fn certificate_digest(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = signature_algorithm(certificate)?;
    match algorithm {
        _ if SHA256.contains(&algorithm) => Some(Sha256::digest(certificate).to_vec()),
        _ if SHA384.contains(&algorithm) => Some(Sha384::digest(certificate).to_vec()),
        _ if SHA512.contains(&algorithm) => Some(Sha512::digest(certificate).to_vec()),
        // Ed25519 has no hash of its own, so that RFC 5929 defines no binding for it.
        _ => None,
    }
}

/// The object identifier of the algorithm that signs a certificate: `Certificate ::= SEQUENCE { tbsCertificate,
/// signatureAlgorithm SEQUENCE { algorithm OBJECT IDENTIFIER, … }, … }` (RFC 5280).
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (content, _) = read_der_element(certificate, 0x30)?;
    let (_, after) = read_der_element(content, 0x30)?;
    let (algorithm, _) = read_der_element(after, 0x30)?;
    read_der_element(algorithm, 0x06).map(|(identifier, _)| identifier)
}

/// The content of the DER element at the head of `bytes`, which has `tag`, and what follows it.
fn read_der_element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    // Short form of DER: the length is this one byte. Otherwise it says how many bytes the length has.
    if length < 0x80 {
        return rest.split_at_checked(length.into());
    }
    let (digits, rest) = rest.split_at_checked((length & 0x7f).into())?;
    let length = digits.iter().try_fold(0_usize, |sum, &digit| Some(sum.checked_mul(256)? + usize::from(digit)))?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate's outer form: what is signed, and the algorithm.
    fn certificate(algorithm: &[u8], signed: usize) -> Vec<u8> {
        let mut identifier = vec![0x06, u8::try_from(algorithm.len()).expect("short")];
        identifier.extend(algorithm);
        let mut content = vec![0x30, 0x82];
        content.extend(u16::try_from(signed).expect("short").to_be_bytes());
        content.resize(4 + signed, 7);
        content.extend([0x30, u8::try_from(identifier.len()).expect("short")]);
        content.extend(identifier);
        let mut all = vec![0x30, 0x82];
        all.extend(u16::try_from(content.len()).expect("short").to_be_bytes());
        all.extend(content);
        all
    }

    #[test]
    fn the_digest_is_that_of_the_signature() {
        for (algorithm, length) in [(SHA256[0], 32), (SHA256[3], 32), (SHA384[1], 48), (SHA512[0], 64)] {
            assert_eq!(certificate_digest(&certificate(algorithm, 900)).map(|digest| digest.len()), Some(length));
        }
        assert_eq!(certificate_digest(&certificate(&[0x2b, 0x65, 0x70], 900)), None, "Ed25519 has none");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = signature_algorithm(&bytes);
        }
    }
}
