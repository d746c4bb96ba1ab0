//! Bytes become records: where a record ends, and what its cells are.

mod records;

pub use records::{Fault, Records, Span};
