//! Certificates for one server, made by the `openssl` program: a certificate authority, the server's own, and another
//! authority that did not sign it.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{Tls, program, program::quote_word, supervisor::Supervisor};

/// The certificates of a server that speaks TLS.
#[derive(Debug, Clone)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// The certificate of the authority that signed the server's.
    #[must_use]
    pub fn authority_file(&self) -> PathBuf {
        self.folder.join("authority.crt")
    }

    /// The certificate of an authority that has nothing to do with the server: whoever trusts only this one must refuse it.
    #[must_use]
    pub fn unrelated_authority(&self) -> PathBuf {
        self.folder.join("unrelated.crt")
    }

    /// The server's certificate, for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn server_file(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    /// The server's private key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("server.key")
    }

    /// Makes them in the server's folder; none without TLS.
    pub(crate) fn make_in_folder(supervisor: &mut Supervisor, tls: Tls) -> Result<Option<Self>> {
        if tls == Tls::Off {
            return Ok(None);
        }
        let openssl = program::find("openssl", "openssl")?;
        supervisor.write("openssl.conf", CONFIGURATION)?;
        supervisor.write("names", certified_names(tls))?;
        supervisor.run_setup(&openssl_script(&openssl))?;
        Ok(Some(Self { folder: supervisor.server_folder().to_owned() }))
    }
}

/// An authority signs nothing but what its certificate allows, so this says that it is one.
const CONFIGURATION: &str = "\
[req]
distinguished_name = name
x509_extensions = authority
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
";

fn certified_names(tls: Tls) -> &'static str {
    match tls {
        Tls::WrongHost => "subjectAltName = DNS:another-host.test\nextendedKeyUsage = serverAuth\n",
        _ => "subjectAltName = DNS:localhost, IP:127.0.0.1\nextendedKeyUsage = serverAuth\n",
    }
}

fn openssl_script(openssl: &Path) -> String {
    let openssl = quote_word(&openssl.display().to_string());
    format!(
        "set -e
request() {{ {openssl} req -config openssl.conf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \"$@\"; }}
for who in authority unrelated; do
    request -x509 -days 30 -subj \"/CN=testbed $who\" -keyout $who.key -out $who.crt
done
request -subj /CN=testbed-server -keyout server.key -out server.csr
{openssl} x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 30 -extfile names -out server.crt
"
    )
}
