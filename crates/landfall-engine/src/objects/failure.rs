//! What can go wrong with a storage, and how it is told: without URLs, whose queries may hold signatures, and without what the storage
//! wrote of it but for its code, since that may repeat what was signed.

use std::{error::Error as StdError, net::IpAddr};

use object_store::client::{HttpError, HttpErrorKind};

use super::{ObjectUrl, StorageProvider, address};
use crate::error::{Error, StorageError, StorageErrorKind};

/// Why a request came to nothing, as our client found it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ObjectFailure {
    #[error("{0} is to be asked over http, without TLS")]
    PlainHttp(String),
    #[error("{0} has the address {1}, which is not one of the internet")]
    Private(String, IpAddr),
    #[error("the name {0} does not resolve ({1})")]
    NoSuchName(String, String),
    #[error("{0} cannot be reached ({1})")]
    Unreachable(String, String),
    #[error("no connection with TLS to {0} ({1})")]
    Tls(String, String),
    #[error("{0} did not answer in time")]
    Slow(String),
    #[error("the connection to {0} was lost ({1})")]
    Cut(String, String),
    #[error("{host} answered {status}{}", describe_code(code))]
    Answer { host: String, status: u16, code: String },
}

fn describe_code(code: &str) -> String {
    if code.is_empty() { String::new() } else { format!(" ({code})") }
}

impl ObjectFailure {
    /// As the protocol's library is told it: whether it may try again depends on the kind.
    pub(super) fn into_http_error(self) -> HttpError {
        let kind = match &self {
            // There is nothing to wait for.
            Self::PlainHttp(_) | Self::Private(..) | Self::Tls(..) => HttpErrorKind::Unknown,
            Self::Unreachable(host, _) | Self::Slow(host) | Self::NoSuchName(host, _)
                if address::is_metadata_host(host) =>
            {
                HttpErrorKind::Unknown
            }
            Self::NoSuchName(..) | Self::Unreachable(..) => HttpErrorKind::Connect,
            Self::Slow(_) => HttpErrorKind::Timeout,
            Self::Cut(..) => HttpErrorKind::Interrupted,
            Self::Answer { status: 408 | 429 | 500.., .. } => HttpErrorKind::Request,
            Self::Answer { .. } => HttpErrorKind::Unknown,
        };
        HttpError::new(kind, self)
    }

    /// The failure among the causes of an error.
    pub(super) fn find_in_causes<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(failure) = error.downcast_ref() {
                return Some(failure);
            }
            next = error.source();
        }
        None
    }

    fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Answer { status: 404, code, .. } if !is_bucket_code(code) => StorageErrorKind::NotFound,
            Self::Answer { status: 507, .. } => StorageErrorKind::Full,
            Self::Answer { code, .. } if code.contains("StorageFull") || code.contains("QuotaExceeded") => {
                StorageErrorKind::Full
            }
            Self::Answer { status: 408 | 429 | 500.., .. } => StorageErrorKind::Lost,
            Self::NoSuchName(host, _) | Self::Unreachable(host, _) | Self::Slow(host)
                if address::is_metadata_host(host) =>
            {
                StorageErrorKind::Refused
            }
            Self::NoSuchName(..) | Self::Unreachable(..) | Self::Slow(_) | Self::Cut(..) => StorageErrorKind::Lost,
            _ => StorageErrorKind::Refused,
        }
    }

    /// What to do, as the end of a sentence.
    fn suggest_mend(&self, provider: StorageProvider) -> String {
        let credentials = || format!("its credentials come from the environment: {}", provider.variables());
        match self {
            Self::PlainHttp(_) => "take https, or say `allowHttp: true` under `storage` in landfall.yaml".into(),
            Self::Private(..) => {
                "where that is your own storage, say `allowPrivateAddresses: true` under `storage` in landfall.yaml".into()
            }
            Self::NoSuchName(host, _) | Self::Unreachable(host, _) | Self::Slow(host)
                if address::is_metadata_host(host) =>
            {
                format!("no credentials were found; set {}", provider.variables())
            }
            Self::NoSuchName(..) => "see `endpoint` and `region` under `storage` in landfall.yaml".into(),
            Self::Unreachable(..) | Self::Slow(_) | Self::Cut(..) => "try again later".into(),
            Self::Tls(..) => "its certificate must come from an authority that this machine trusts (SSL_CERT_FILE may name another)".into(),
            Self::Answer { code, .. } if is_bucket_code(code) => "there is no such bucket: make it, or name another one".into(),
            Self::Answer { status: 301..=308, .. } => {
                "the bucket is in another region: say which as `region` under `storage` in landfall.yaml (or AWS_REGION)".into()
            }
            Self::Answer { status: 400, code, .. } if code == "AuthorizationHeaderMalformed" => {
                "the bucket is in another region: say which as `region` under `storage` in landfall.yaml (or AWS_REGION)".into()
            }
            Self::Answer { status: 401 | 403, .. } => credentials(),
            Self::Answer { status: 404, .. } => "there is no such object".into(),
            Self::Answer { status: 408 | 429 | 500.., .. } => "try again later".into(),
            Self::Answer { .. } => "see `endpoint` and `region` under `storage` in landfall.yaml".into(),
        }
    }

    /// As a person is told it, of the place `at`.
    pub(super) fn to_storage_error(&self, at: &str, provider: StorageProvider) -> StorageError {
        StorageError::new(self.kind(), format!("{at}: {self}; {}", self.suggest_mend(provider)))
    }
}

/// Whether a storage's code says that there is no bucket, rather than no object.
fn is_bucket_code(code: &str) -> bool {
    matches!(code, "NoSuchBucket" | "ContainerNotFound" | "InvalidBucketName")
}

/// The error of a library, told of the object or place called `name`.
pub(super) fn describe_error(error: &object_store::Error, url: &ObjectUrl, name: &str) -> Error {
    let at = if name.is_empty() { url.to_string() } else { format!("{url}/{name}") };
    if let Some(failure) = ObjectFailure::find_in_causes(error) {
        return failure.to_storage_error(&at, url.provider()).into();
    }
    let kind = match error {
        object_store::Error::NotFound { .. } => StorageErrorKind::NotFound,
        _ => StorageErrorKind::Refused,
    };
    let words = strip_queries(&error.to_string());
    let mend = match error {
        object_store::Error::Generic { .. } => format!("; its credentials come from {}", url.provider().variables()),
        _ => String::new(),
    };
    StorageError::new(kind, format!("{at}: {words}{mend}")).into()
}

/// The code of an answer's body: `<Code>NoSuchKey</Code>`.
pub(super) fn find_code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    let is_code = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_code { code.to_owned() } else { String::new() }
}

/// A library's words, short, on one line, and without the queries of URLs, which may hold signatures.
fn strip_queries(words: &str) -> String {
    let mut out = String::new();
    for word in words.split_whitespace() {
        let whole = word.split_once('?').map_or(word, |(before, _)| before);
        // What stands between a scheme and an @ is a name and a password.
        let bare = match (whole.split_once("://"), whole.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            _ => whole.to_owned(),
        };
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(bare.chars().filter(|char| !char.is_control()));
    }
    if let Some((end, _)) = out.char_indices().nth(300) {
        out.truncate(end);
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn only_the_code_of_an_answer_is_taken() {
        let body = b"<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><StringToSign>secret</StringToSign></Error>";
        assert_eq!(find_code(body), "SignatureDoesNotMatch");
        assert_eq!(find_code(b"<Code>a secret</Code>"), "");
        assert_eq!(find_code(b"<html>secret</html>"), "");
        assert_eq!(find_code(b"<Code>open"), "");
    }

    #[test]
    fn words_of_others_lose_what_may_be_a_secret() {
        let told =
            strip_queries("Error at https://name:secret@host/a?sig=secret&x=1 and\n\x1b[1mhttps://host/b?secret");
        assert_eq!(told, "Error at https://host/a and [1mhttps://host/b");
        assert!(strip_queries(&"a ".repeat(1000)).chars().count() <= 301);
    }

    #[test]
    fn a_failure_is_found_among_causes_and_told() {
        let failure = ObjectFailure::Answer {
            host: "storage.example.com".into(),
            status: 403,
            code: "SignatureDoesNotMatch".into(),
        };
        let source = Box::new(failure.into_http_error());
        let error = object_store::Error::Generic { store: "S3", source };
        let url = ObjectUrl::parse("s3://bucket/a").unwrap();
        let Error::Storage(error) = describe_error(&error, &url, "b") else { panic!("{error}") };
        assert_eq!(error.kind, StorageErrorKind::Refused);
        assert_eq!(
            error.message,
            "s3://bucket/a/b: storage.example.com answered 403 (SignatureDoesNotMatch); its credentials come from the environment: \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, where there is one)"
        );
    }

    #[test]
    fn what_may_succeed_later_is_told_apart() {
        let answer = |status, code: &str| ObjectFailure::Answer { host: "h".into(), status, code: code.into() }.kind();
        assert_eq!(answer(404, "NoSuchKey"), StorageErrorKind::NotFound);
        assert_eq!(answer(404, "NoSuchBucket"), StorageErrorKind::Refused);
        assert_eq!(answer(503, "SlowDown"), StorageErrorKind::Lost);
        assert_eq!(answer(507, ""), StorageErrorKind::Full);
        assert_eq!(answer(403, ""), StorageErrorKind::Refused);
        assert_eq!(ObjectFailure::Slow("h".into()).kind(), StorageErrorKind::Lost);
        assert_eq!(ObjectFailure::Slow("169.254.169.254".into()).kind(), StorageErrorKind::Refused);
    }
}
