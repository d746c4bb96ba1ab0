//! How a storage is reached: what the operator's configuration says of it.

use http::Uri;

use super::address;

/// How a storage is reached. Credentials are no part of it: they come from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectSettings {
    /// The storage's own address, where it is not the provider's.
    pub endpoint: Option<StorageEndpoint>,
    /// The region of the bucket (S3).
    pub region: Option<String>,
    /// Whether http without TLS may be spoken.
    pub allow_http: bool,
    /// Whether the storage may be in a network of one's own.
    pub allow_private_addresses: bool,
}

/// The address of a storage: `https://host[:port][/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageEndpoint(String);

impl StorageEndpoint {
    /// Reads an address; what is wrong with another text, as a sentence that does not repeat it.
    ///
    /// # Errors
    /// Another scheme, a name or password, a query or fragment, and the addresses where clouds tell credentials.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "write an address such as https://storage.example.com".to_owned();
        if text.contains('#') {
            return Err("an endpoint has no query and no fragment".into());
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.host().is_empty() {
            return Err(wrong());
        }
        if authority.as_str().contains('@') {
            return Err("credentials do not stand in a URL: they come from the environment".into());
        }
        if uri.query().is_some() {
            return Err("an endpoint has no query and no fragment".into());
        }
        if address::is_metadata_host(authority.host()) {
            return Err("this is where a cloud tells its machines credentials, and no storage".into());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is spoken to without TLS.
    #[must_use]
    pub fn is_plain_http(&self) -> bool {
        !self.0.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn endpoints_are_addresses_and_nothing_else() {
        let endpoint = StorageEndpoint::parse("https://storage.example.com:9000/").unwrap();
        assert_eq!((endpoint.as_str(), endpoint.is_plain_http()), ("https://storage.example.com:9000", false));
        assert!(StorageEndpoint::parse("http://127.0.0.1:10000/account").unwrap().is_plain_http());
        assert!(StorageEndpoint::parse("http://[::1]:9000").unwrap().is_plain_http());
        for text in [
            "",
            "secret",
            "ftp://secret",
            "https://",
            "https:///secret",
            "https://name:secret@host",
            "https://secret@host",
            "https://host?sig=secret",
            "https://host/#secret",
            "http://169.254.169.254/secret",
            "http://[fd00:ec2::23]/secret",
            "http://metadata.google.internal/secret",
        ] {
            let error = StorageEndpoint::parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{text}: {error}");
        }
    }
}
