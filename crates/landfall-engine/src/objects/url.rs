//! Names of places in object storage: `s3://bucket/prefix`.

use std::fmt;

/// Whose protocol a storage speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageProvider {
    /// Amazon S3, and everything that speaks like it.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
}

impl StorageProvider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::S3, Self::Gs, Self::Az];

    /// The scheme of its URLs.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
        }
    }

    /// The variables of the environment that its credentials come from.
    pub(super) const fn variables(self) -> &'static str {
        match self {
            Self::S3 => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, where there is one)",
            Self::Gs => "GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT",
            Self::Az => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_TOKEN)",
        }
    }
}

/// A place in object storage: a bucket (or container), and what the names of its objects begin with. It prints as it is parsed, and holds
/// no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectUrl {
    provider: StorageProvider,
    bucket: String,
    prefix: String,
}

/// Bytes that a prefix may have: names of objects end at 1024.
const LONGEST_PREFIX: usize = 512;

impl ObjectUrl {
    /// Reads `s3://bucket[/prefix]`, `gs://bucket[/prefix]` or `az://container[/prefix]`; what is wrong with another text, as a
    /// sentence that does not repeat it, since it may hold a secret.
    ///
    /// # Errors
    /// Another scheme, a name or password, a query, a fragment, and names that could mean another place to somebody else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it has no scheme, such as s3://")?;
        let provider = StorageProvider::ALL.into_iter().find(|provider| provider.scheme() == scheme);
        let provider = provider.ok_or("its scheme is not one of file://, s3://, gs:// and az://")?;
        // Some programs write credentials as a query. Kept as a name, they would be printed.
        if rest.contains(['?', '#']) {
            return Err("a place in object storage has no query and no fragment".into());
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') {
            let words = "credentials do not stand in a URL: they come from the environment";
            return Err(format!("{words}, {}", provider.variables()));
        }
        if !is_bucket_name(bucket) {
            return Err(
                "a bucket is letters, digits, dots, hyphens and underscores; write the storage's own address as \
                        `endpoint` under `storage` in landfall.yaml"
                    .into(),
            );
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if prefix.len() > LONGEST_PREFIX {
            return Err(format!("what stands behind the bucket has more than {LONGEST_PREFIX} bytes"));
        }
        if !prefix.is_empty() {
            prefix.split('/').try_for_each(check_segment)?;
        }
        Ok(Self { provider, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Whose protocol is spoken.
    #[must_use]
    pub const fn provider(&self) -> StorageProvider {
        self.provider
    }

    /// The bucket, or container.
    #[must_use]
    pub fn bucket_name(&self) -> &str {
        &self.bucket
    }

    /// What the names of all objects of the place begin with, without a slash at either end.
    #[must_use]
    pub fn name_prefix(&self) -> &str {
        &self.prefix
    }
}

fn is_bucket_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    // Google has the longest names: 222 characters, with dots in them.
    (1..=222).contains(&name.len()) && name.bytes().all(plain) && !name.contains("..") && !name.starts_with('.')
}

/// A part of a prefix must mean the same to everybody on the way.
fn check_segment(segment: &str) -> Result<(), String> {
    if segment.is_empty() {
        return Err("what stands behind the bucket has an empty part".into());
    }
    if matches!(segment, "." | "..") {
        return Err("what stands behind the bucket may not have . or .. as a part".into());
    }
    // The library of the protocols encodes these, and then other programs know the object by another name.
    let is_odd = |char: char| char.is_control() || "%\\*\"<>|{}^`[]~".contains(char);
    match segment.chars().find(|char| is_odd(*char)) {
        Some(char) => Err(format!("what stands behind the bucket may not have the character {char:?}")),
        None => Ok(()),
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.provider.scheme(), self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn a_place_prints_as_it_is_parsed() {
        for text in ["s3://bucket", "gs://my-bucket/a", "az://container/a/b c/größe", "s3://b.u_c-k.et/a=1/b"] {
            assert_eq!(ObjectUrl::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(ObjectUrl::parse("s3://bucket/").unwrap().to_string(), "s3://bucket");
        let place = ObjectUrl::parse("az://container/a/b/").unwrap();
        assert_eq!(
            (place.provider(), place.bucket_name(), place.name_prefix()),
            (StorageProvider::Az, "container", "a/b")
        );
    }

    #[test]
    fn what_could_mean_another_place_is_refused_and_not_repeated() {
        for text in [
            "bucket/secret",
            "http://secret",
            "S3://secret",
            "s3://",
            "s3:///secret",
            "s3://name:secret@bucket",
            "s3://secret@bucket/a",
            "s3://secret:9000/bucket",
            "s3://bu%63ket-secret",
            "s3://..",
            "s3://a..b",
            "s3://bucket/..",
            "s3://bucket/secret/../b",
            "s3://bucket/./secret",
            "s3://bucket//secret",
            "s3://bucket/secret//",
            "s3://bucket/%2e%2e/secret",
            "s3://bucket/secret\0",
            "s3://bucket/secret\nx",
            "s3://bucket/secret\\b",
            "s3://bucket/a?sig=secret",
            "az://container?sv=secret",
            "gs://bucket/a#secret",
        ] {
            let error = ObjectUrl::parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{text}: {error}");
        }
        assert!(ObjectUrl::parse(&format!("s3://bucket/{}", "a".repeat(513))).is_err());
    }
}
