//! Links that need no other credentials: signed, for a time, with a key that the database keeps. Another key takes all of them
//! away.

use crate::{
    document::NewDocument,
    error::Result,
    targets::{Fence, Pace, Target, TargetRead},
    token,
};

const KIND: &str = "key";
const NAME: &str = "links";

/// The key that links are signed with.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

impl LinkKey {
    /// The key, where there is one.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub fn read(read: &dyn TargetRead) -> Result<Option<Self>> {
        // A key of another length is as good as none; `open` then makes a new one.
        Ok(read.find_document(KIND, NAME)?.and_then(|document| document.body.try_into().ok()).map(Self))
    }

    /// The key, which is made where there is none.
    ///
    /// # Errors
    /// A database that cannot be written, or a system that gives no random numbers.
    pub fn open(target: &mut dyn Target) -> Result<Self> {
        match Self::read(target)? {
            Some(key) => Ok(key),
            None => Self::replace_key(target),
        }
    }

    /// Makes another key: links that were signed before are of no more use.
    ///
    /// # Errors
    /// Those of [`LinkKey::open`].
    pub fn replace_key(target: &mut dyn Target) -> Result<Self> {
        let key: [u8; 32] = token::random_bytes()?;
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
        let is_stored = match transaction.find_document(KIND, NAME)? {
            Some(document) => transaction.change_document(&document, Some(&key))?,
            None => {
                transaction.add_documents(&[NewDocument { kind: KIND, name: NAME.into(), body: key.to_vec() }])?;
                true
            }
        };
        if !is_stored {
            // Another process has replaced it just now. Its key ends the earlier links too, and ours would sign links that nobody takes.
            drop(transaction);
            return Self::open(target);
        }
        // Before the key is used: a link that was signed with an uncommitted key would never be valid.
        transaction.commit_now()?;
        Ok(Self(key))
    }

    /// The signature over a method, a path and the second at which the link ends: keyed BLAKE3, in hexadecimal.
    #[must_use]
    pub fn sign_link(&self, method: &str, path: &str, expires: i64) -> String {
        self.keyed_hash(method, path, expires).to_hex().to_string()
    }

    /// Whether `signature` is that of these. It is compared in constant time.
    #[must_use]
    pub fn verify_signature(&self, method: &str, path: &str, expires: i64, signature: &str) -> bool {
        // The comparison of two `Hash` is in constant time; one of their texts would tell how many digits are right.
        blake3::Hash::from_hex(signature).is_ok_and(|given| given == self.keyed_hash(method, path, expires))
    }

    fn keyed_hash(&self, method: &str, path: &str, expires: i64) -> blake3::Hash {
        // No part can hold a line end, so that two different links never give the same text.
        blake3::keyed_hash(&self.0, format!("{method}\n{path}\n{expires}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;
    use crate::targets::Memory;

    #[test]
    fn a_signature_is_of_one_method_path_and_end() {
        let mut target = Memory::default();
        let key = LinkKey::open(&mut target).unwrap();
        let signature = key.sign_link("GET", "/a", 5);
        assert!(LinkKey::open(&mut target).unwrap().verify_signature("GET", "/a", 5, &signature));
        for (method, path, expires) in [("POST", "/a", 5), ("GET", "/b", 5), ("GET", "/a", 6)] {
            assert!(!key.verify_signature(method, path, expires, &signature));
        }
        assert!(!key.verify_signature("GET", "/a", 5, "") && !key.verify_signature("GET", "/a", 5, &signature[1..]));
        assert!(!LinkKey::replace_key(&mut target).unwrap().verify_signature("GET", "/a", 5, &signature));
    }
}
