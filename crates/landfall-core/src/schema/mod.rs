//! The data dictionary: a Data Package (v2) with its resources, table schemas, fields and dialects.
//!
//! The types here are the *checked* dictionary: what a descriptor means after it was read and found sound.
//! Standard: <https://datapackage.org/standard/data-package/>.

mod code_page;
mod descriptor;
mod dialect;
pub mod document;
mod field;
mod field_index;
mod load_order;
mod overrides;
mod package;
mod table;
mod table_index;
pub mod to_standard;

pub use code_page::CodePage;
pub use descriptor::{FileLoader, fold_case};
pub use dialect::{Delimiter, Dialect, HeaderMatch, HeaderRows, LineTerminator, Ragged, StrayQuotes};
pub use document::{DescriptorError, DescriptorErrors};
pub use field::{
    Ambiguous, BooleanWords, Constraints, Field, FieldType, GeoFormat, GeopointFormat, ListItem, NumberFormat,
    StringFormat, TemporalFormat,
};
pub use field_index::FieldIndex;
pub use overrides::DialectOverrides;
pub use package::{Compression, Encoding, Package, Resource, SourcePath};
pub use table::{FieldsMatch, ForeignKey, LabelMatch, TableSchema};
pub use table_index::TableIndex;
