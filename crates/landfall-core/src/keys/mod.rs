//! Which keys were seen: the sets behind primary, unique and foreign keys.
//!
//! A key is read from the typed columns of a batch ([`KeyColumns`]). A single integer is kept as itself, in a bitmap
//! that is exact and small for dense ids ([`IntegerSet`]); every other key as a 64-bit hash, in a filter that may say
//! "perhaps" ([`HashFilter`]) where a wrong "perhaps" only costs a look at the database, or as a 128-bit fingerprint
//! in a [`ParentSet`] where the answer must be right. Where rows cannot be looked for yet, a byte for each ([`RowSketches`]) tells most
//! rows with the same key apart.

mod columns;
mod filter;
mod integers;
mod parents;
mod seen;
mod sketches;

pub use columns::{KeyColumns, RowKey};
pub use filter::HashFilter;
pub use integers::IntegerSet;
pub use parents::ParentSet;
pub use seen::{Membership, SeenKeys};
pub use sketches::{RowSketches, sketch_rows};

/// A value of a key, or of any field of a row.
pub type Scalar = crate::validate::Value;
pub use crate::validate::{ValueRef as ScalarRef, scalar_at, scalars_of_row};
