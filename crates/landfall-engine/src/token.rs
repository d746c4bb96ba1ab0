//! Tokens: who may do what. A token is 256 random bits, told once when it is made; only its hash is kept.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    document::{Document, DocumentFilter, NewDocument},
    error::{Error, Result, TargetError, TargetErrorKind},
    targets::{Fence, Pace, Target, TargetRead, Transaction},
    timestamp,
};

/// The kind of document that a token is.
const KIND: &str = "token";

/// The kind and the name of the document that says that there was a token once. It outlives the tokens: a service whose last
/// token is gone must not open itself to everybody on its machine.
const CLOSED: &str = "access-closed";

/// What stands at the head of a token, so that scanners for secrets know one.
const PREFIX: &str = "landfall_";

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reports and tables.
    Reader,
    /// Rows, files, and what became of them.
    Writer,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Writer, Self::Admin];

    /// The role as it is written on the command line and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
        }
    }

    /// The role written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public name, a part of the token itself.
    pub id: String,
    /// What it is for, in its maker's words.
    pub name: String,
    /// What it may do; a role does not imply another one, but for the admin's.
    pub roles: Vec<Role>,
    /// The only tables that it may touch; all where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// The only reports that it may read; all where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<String>,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
    /// When it ends, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredToken {
    #[serde(flatten)]
    token: Token,
    /// SHA-256 of the secret, in base64.
    hash: String,
}

/// What a new token is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// The only tables that it may touch.
    pub tables: Vec<String>,
    /// The only reports that it may read.
    pub reports: Vec<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl Token {
    /// Whether it has ended.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        // An end that cannot be read is taken for over.
        let end = |text: &String| text.parse::<Timestamp>().map_or(true, |end| end <= Timestamp::now());
        self.expires_at.as_ref().is_some_and(end)
    }

    /// Whether it has `role`, or is an admin's.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role) || self.roles.contains(&Role::Admin)
    }

    /// Whether it may touch the table `name`.
    #[must_use]
    pub fn sees_table(&self, name: &str) -> bool {
        // A token for some reports only is limited too: it sees no table at all.
        (self.tables.is_empty() && self.reports.is_empty()) || self.tables.iter().any(|table| table == name)
    }

    /// Whether it may read the report `name`.
    #[must_use]
    pub fn sees_report(&self, name: &str) -> bool {
        (self.reports.is_empty() && self.tables.is_empty()) || self.reports.iter().any(|report| report == name)
    }

    /// Whether it is limited to some tables or reports.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        !self.tables.is_empty() || !self.reports.is_empty()
    }
}

/// All tokens, as they were when they were read.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    all: Vec<StoredToken>,
    is_closed: bool,
}

impl Tokens {
    /// Reads the tokens of a database.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub fn read(read: &dyn TargetRead) -> Result<Self> {
        // The tokens first: whoever makes one closes the database in the same transaction.
        let all = read
            .find_documents(&DocumentFilter::all_of_kind(KIND))?
            .iter()
            .map(read_stored_token)
            .collect::<Result<Vec<_>>>()?;
        let is_closed = !all.is_empty() || read.find_document(CLOSED, CLOSED)?.is_some();
        Ok(Self { all, is_closed })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a service lets in nobody without a token: there is one, or there was one, and nobody has called
    /// [`open_access`] since.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The tokens, without their secrets.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.all.iter().map(|kept| &kept.token)
    }

    /// The token that `text` is, if there is one and it has not ended. The secret is compared in constant time.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Token> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let kept = self.all.iter().find(|kept| kept.token.id == id)?;
        // In constant time, so that the time of an answer tells nothing of the hash.
        let same: bool = hash(secret).as_bytes().ct_eq(kept.hash.as_bytes()).into();
        Some(&kept.token).filter(|token| same && !token.is_expired())
    }
}

fn read_stored_token(document: &Document) -> Result<StoredToken> {
    serde_json::from_slice(&document.body).map_err(|_| {
        let message = format!("the token {:?} is not as Landfall keeps one; revoke it", document.name);
        TargetError::new(TargetErrorKind::Statement, message).into()
    })
}

fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// Makes a token; it, and its text, which is known to nobody afterwards.
///
/// # Errors
/// A token without a role, or a database that cannot be written.
pub fn create_token(target: &mut dyn Target, new: NewToken) -> Result<(Token, String)> {
    if new.roles.is_empty() {
        return Err(Error::Usage("a token needs a role: reader, writer or admin".into()));
    }
    let (id, secret) = (random_bytes::<8>()?, random_bytes::<32>()?);
    // The underscore parts the two; the public name has none.
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = URL_SAFE_NO_PAD.encode(secret);
    let token = Token {
        id: id.clone(),
        name: new.name,
        roles: new.roles,
        tables: new.tables,
        reports: new.reports,
        created_at: timestamp::now_utc(),
        expires_at: new.expires_at.map(|end| end.to_string()),
    };
    let kept = StoredToken { token: token.clone(), hash: hash(&secret) };
    let body = serde_json::to_vec(&kept).unwrap_or_else(|error| unreachable!("a token is plain data: {error}"));
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    transaction.add_documents(&[NewDocument { kind: KIND, name: id.clone(), body }])?;
    note_closed(&mut *transaction)?;
    transaction.commit_now()?;
    Ok((token, format!("{PREFIX}{id}_{secret}")))
}

/// Notes that there is, or was, a token. What is noted already is written once more, so that [`open_access`] notices a token
/// that is made at the same time.
fn note_closed(transaction: &mut dyn Transaction) -> Result<()> {
    match transaction.find_document(CLOSED, CLOSED)? {
        // Written anew with the same text: if another program opens the database meanwhile, one of the two fails.
        Some(document) if transaction.change_document(&document, Some(&document.body))? => Ok(()),
        Some(_) => Err(at_the_same_time()),
        None => transaction.add_documents(&[NewDocument { kind: CLOSED, name: CLOSED.into(), body: Vec::new() }]),
    }
}

fn at_the_same_time() -> Error {
    let message = "another program changed the tokens at the same time; nothing was changed, run the command again";
    TargetError::new(TargetErrorKind::Overtaken, message).into()
}

/// Notes for a database with tokens of an older version that it has some.
///
/// # Errors
/// A database that cannot be written.
pub fn close_access(target: &mut dyn Target) -> Result<()> {
    if target.find_document(CLOSED, CLOSED)?.is_some() {
        return Ok(());
    }
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    note_closed(&mut *transaction)?;
    transaction.commit_now()
}

/// Lets everybody on the machine of a service in again, after there were tokens; whether it was closed.
///
/// # Errors
/// Tokens that are still there, also expired ones.
pub fn open_access(target: &mut dyn Target) -> Result<bool> {
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    let closed = transaction.find_document(CLOSED, CLOSED)?;
    if !transaction.find_documents(&DocumentFilter { limit: Some(1), ..DocumentFilter::all_of_kind(KIND) })?.is_empty()
    {
        let reason = "there are tokens; revoke them first: `landfall token list` shows them";
        return Err(Error::Usage(reason.into()));
    }
    let Some(closed) = closed else { return Ok(false) };
    if !transaction.change_document(&closed, None)? {
        return Err(at_the_same_time());
    }
    transaction.commit_now()?;
    Ok(true)
}

/// Takes the token `id` away.
///
/// # Errors
/// No such token.
pub fn revoke_token(target: &mut dyn Target, id: &str) -> Result<Token> {
    let unknown = || Error::Usage(format!("there is no token {id:?}; `landfall token list` shows those there are"));
    let document = target.find_document(KIND, id)?.ok_or_else(unknown)?;
    let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep)?;
    if !transaction.change_document(&document, None)? {
        return Err(unknown());
    }
    // Also for a token that an older version made.
    note_closed(&mut *transaction)?;
    transaction.commit_now()?;
    read_stored_token(&document).map(|kept| kept.token)
}

pub(crate) fn random_bytes<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::Internal(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;
    use crate::targets::{Memory, ReadBooks as _};

    fn new(roles: &[Role]) -> NewToken {
        let (tables, reports) = (Vec::new(), Vec::new());
        NewToken { name: "test".into(), roles: roles.to_vec(), tables, reports, expires_at: None }
    }

    #[test]
    fn a_token_is_found_by_its_text_and_nothing_near_it() {
        let mut target = Memory::default();
        let (token, text) = create_token(&mut target, new(&[Role::Writer])).unwrap();
        let tokens = Tokens::read(&target).unwrap();
        assert_eq!(tokens.find(&text), Some(&token));
        assert!(token.has_role(Role::Writer) && !token.has_role(Role::Reader) && !token.has_role(Role::Admin));
        assert_eq!(text.len(), PREFIX.len() + 16 + 1 + 43);
        for wrong in [&text[1..], &text[..text.len() - 1], &text.replace(&token.id, "0000000000000000"), "", PREFIX] {
            assert_eq!(tokens.find(wrong), None, "{wrong}");
        }
        let document = target.find_document(KIND, &token.id).unwrap().unwrap();
        let secret = text.rsplit_once('_').unwrap().1;
        assert!(!String::from_utf8(document.body).unwrap().contains(secret));
    }

    #[test]
    fn a_token_ends_when_it_expires_or_is_revoked() {
        let mut target = Memory::default();
        let expires_at = Some(Timestamp::now() - jiff::SignedDuration::from_secs(1));
        let (_, text) = create_token(&mut target, NewToken { expires_at, ..new(&[Role::Reader]) }).unwrap();
        assert_eq!(Tokens::read(&target).unwrap().find(&text), None);
        let (token, text) = create_token(&mut target, new(&[Role::Admin])).unwrap();
        assert!(Tokens::read(&target).unwrap().find(&text).unwrap().has_role(Role::Reader));
        assert_eq!(revoke_token(&mut target, &token.id).unwrap(), token);
        assert_eq!(Tokens::read(&target).unwrap().find(&text), None);
        assert!(revoke_token(&mut target, &token.id).is_err());
        assert!(create_token(&mut target, new(&[])).is_err());
    }

    /// A service let everybody in once its last token was revoked, and it was started again.
    #[test]
    fn what_had_tokens_once_stays_closed_until_it_is_opened() {
        let mut target = Memory::default();
        assert!(!Tokens::read(&target).unwrap().is_closed());
        assert!(!open_access(&mut target).unwrap());
        let (token, _) = create_token(&mut target, new(&[Role::Admin])).unwrap();
        let (other, _) = create_token(&mut target, new(&[Role::Reader])).unwrap();
        assert!(open_access(&mut target).is_err());
        revoke_token(&mut target, &token.id).unwrap();
        revoke_token(&mut target, &other.id).unwrap();
        assert!(Tokens::read(&target).unwrap().is_closed());
        assert!(open_access(&mut target).unwrap());
        assert!(!Tokens::read(&target).unwrap().is_closed());
    }

    #[test]
    fn a_token_of_an_older_version_closes_too() {
        let mut target = Memory::default();
        let (token, _) = create_token(&mut target, new(&[Role::Admin])).unwrap();
        let closed = target.find_document(CLOSED, CLOSED).unwrap().unwrap();
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
        transaction.change_document(&closed, None).unwrap();
        transaction.commit_now().unwrap();
        assert!(Tokens::read(&target).unwrap().is_closed());
        close_access(&mut target).unwrap();
        close_access(&mut target).unwrap();
        let document = target.find_document(KIND, &token.id).unwrap().unwrap();
        let mut transaction = target.begin_transaction(Fence::Pipeline, Pace::InStep).unwrap();
        transaction.change_document(&document, None).unwrap();
        transaction.commit_now().unwrap();
        assert!(Tokens::read(&target).unwrap().is_closed());
    }

    #[test]
    fn what_a_token_is_limited_to_is_all_that_it_sees() {
        let mut target = Memory::default();
        let limited = NewToken { tables: vec!["jobs".into()], ..new(&[Role::Reader]) };
        let (token, _) = create_token(&mut target, limited).unwrap();
        assert!(token.sees_table("jobs") && !token.sees_table("people") && !token.sees_report("hires"));
    }
}
