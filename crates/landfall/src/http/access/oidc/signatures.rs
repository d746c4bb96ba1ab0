//! The signatures of tokens, verified by the cryptography that TLS has here too. Only a provider can sign: what anybody could
//! who can verify (HMAC) is not taken.

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::ErrorKind,
    signature,
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| {
        let how = SignatureKind::for_algorithm(*algorithm).ok_or(ErrorKind::UnsupportedAlgorithm)?;
        let verifier: Box<dyn JwtVerifier> =
            Box::new(SignatureVerifier { algorithm: *algorithm, how, key: key.clone() });
        Ok(verifier)
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes this the way in which signatures are verified.
pub(super) fn install_verifiers() {
    // It is this one already where it has been installed before.
    let _ = PROVIDER.install_default();
}

/// Whether signatures of this algorithm are taken.
pub(super) fn is_supported(algorithm: Algorithm) -> bool {
    SignatureKind::for_algorithm(algorithm).is_some()
}

/// How an algorithm verifies.
#[derive(Clone, Copy)]
enum SignatureKind {
    Rsa(&'static RsaParameters),
    Other(&'static dyn VerificationAlgorithm),
}

impl SignatureKind {
    fn for_algorithm(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::RS256 => Self::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Self::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Self::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Self::Rsa(&RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Self::Rsa(&RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Self::Rsa(&RSA_PSS_2048_8192_SHA512),
            // FIXED: a JWT has the two numbers of the signature side by side (RFC 7518, 3.4), and not as ASN.1.
            Algorithm::ES256 => Self::Other(&ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Self::Other(&ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Self::Other(&ED25519),
            _ => return None,
        })
    }
}

struct SignatureVerifier {
    algorithm: Algorithm,
    how: SignatureKind,
    key: DecodingKey,
}

impl JwtVerifier for SignatureVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl signature::Verifier<Vec<u8>> for SignatureVerifier {
    fn verify(&self, message: &[u8], given: &Vec<u8>) -> Result<(), signature::Error> {
        let sound = match (self.how, self.key.kind()) {
            (SignatureKind::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n: strip_zeros(n), e: strip_zeros(e) }
                    .verify(parameters, message, given)
                    .is_ok()
            }
            (SignatureKind::Other(algorithm), DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(algorithm, key).verify(message, given).is_ok()
            }
            // A key of another kind than the algorithm's. To read it in some other way is how keys are confused.
            _ => false,
        };
        if sound { Ok(()) } else { Err(signature::Error::new()) }
    }
}

/// A number without zeros before it, which some providers write.
fn strip_zeros(number: &[u8]) -> &[u8] {
    // ring takes no such number.
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
