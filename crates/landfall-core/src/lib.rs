//! The pure heart of Landfall: what the data is (`schema`), how bytes become records (`decode`), how records become
//! rows or rejects (`validate`), which rows share a key (`keys`), and how rows are written as Avro (`avro`).
//!
//! Nothing here does I/O, starts a thread or knows a database.

pub mod avro;
pub mod batches;
pub mod decode;
mod escape;
pub mod keys;
mod option_style;
mod plural;
pub mod reject;
pub mod schema;
pub mod validate;

pub use escape::escape_controls;
pub use option_style::OptionStyle;
pub use plural::{count_noun, plural_noun};
