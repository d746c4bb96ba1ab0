//! The list of certificate authorities that the MySQL driver trusts whatever it is told: one that nobody can be.
//!
//! The driver adds the authority of a project (`sslrootcert`) to the public ones of this list. With them, whoever has a certificate of any
//! public authority could pass for a server whose host's name is not checked (`require` and `verify-ca`). So Landfall puts this crate in
//! the place of the public list, and names all authorities itself, as for PostgreSQL (`targets/authorities.rs`).
//!
//! The list cannot be empty: rustls makes no verifier without an authority, not even one that is told to accept every certificate.

#![no_std]

use pki_types::{Der, TrustAnchor};

/// Says that this crate stands here and not the public list: who depends on that names the constant, and does not compile without it.
pub const TRUSTS_NOBODY: bool = true;

/// An authority without a key. No signature can be checked against it, so it vouches for no certificate.
pub const TLS_SERVER_ROOTS: &[TrustAnchor<'static>] = &[TrustAnchor {
    subject: Der::from_slice(b"nobody"),
    subject_public_key_info: Der::from_slice(b""),
    name_constraints: None,
}];
