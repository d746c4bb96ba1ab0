//! Descriptors become a checked [`Package`], or all their errors at once.

mod bounds;
mod characters;
mod constraints;
mod dialect;
mod encoding;
mod field;
mod field_type;
mod foreign_keys;
mod keys;
mod missing_values;
mod names;
mod package;
mod path;
mod reference;
mod resource;
mod rules;
mod table_schema;

#[cfg(test)]
mod tests;

pub(super) use encoding::{find_encoding as encoding_of_label, refusal_of_label};
pub use names::fold_case;

use std::io;

use super::document::{DescriptorErrors, DescriptorProblems, DocumentNode, parse_json, parse_yaml};
use super::{Field, Package};

/// Reads a file that a descriptor refers to (`schema` or `dialect` given as a path). The path is relative to the folder
/// of the descriptor and stays within it.
pub type FileLoader<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// What every part of a descriptor is read with.
#[derive(Clone, Copy)]
struct DescriptorContext<'a> {
    file: &'a str,
    problems: &'a DescriptorProblems,
    load: Option<FileLoader<'a>>,
}

impl Package {
    /// Reads a data package from YAML. `file` is the name that errors give.
    ///
    /// # Errors
    ///
    /// All errors of the descriptor, each with its place and, where it can be told, its mend.
    pub fn from_yaml(text: &str, file: &str) -> Result<Self, DescriptorErrors> {
        Self::read(text, file, DescriptorSyntax::Yaml, None)
    }

    /// Reads a data package from JSON. `file` is the name that errors give.
    ///
    /// # Errors
    ///
    /// As [`Package::from_yaml`].
    pub fn from_json(text: &str, file: &str) -> Result<Self, DescriptorErrors> {
        Self::read(text, file, DescriptorSyntax::Json, None)
    }

    /// As [`Package::from_yaml`], with files that the descriptor refers to.
    ///
    /// # Errors
    ///
    /// As [`Package::from_yaml`]; a file that cannot be loaded is such an error too.
    pub fn from_yaml_with(text: &str, file: &str, load: FileLoader<'_>) -> Result<Self, DescriptorErrors> {
        Self::read(text, file, DescriptorSyntax::Yaml, Some(load))
    }

    /// As [`Package::from_json`], with files that the descriptor refers to.
    ///
    /// # Errors
    ///
    /// As [`Package::from_yaml_with`].
    pub fn from_json_with(text: &str, file: &str, load: FileLoader<'_>) -> Result<Self, DescriptorErrors> {
        Self::read(text, file, DescriptorSyntax::Json, Some(load))
    }

    fn read(
        text: &str,
        file: &str,
        syntax: DescriptorSyntax,
        load: Option<FileLoader<'_>>,
    ) -> Result<Self, DescriptorErrors> {
        let problems = DescriptorProblems::new();
        let root = match syntax {
            DescriptorSyntax::Yaml => parse_yaml(text, file, &problems),
            DescriptorSyntax::Json => parse_json(text, file, &problems),
        };
        let context = DescriptorContext { file, problems: &problems, load };
        let package = root.and_then(|root| package::read(&root, context));
        problems.into_result(package)
    }
}

impl Field {
    /// Reads a field that stands outside a data package, such as the parameter of a report. Errors go to `problems`.
    pub fn from_node(node: &DocumentNode, problems: &DescriptorProblems) -> Option<Self> {
        let draft = field::read(node, &[String::new()], problems)?;
        (!draft.broken).then_some(draft.field)
    }
}

#[derive(Clone, Copy)]
enum DescriptorSyntax {
    Yaml,
    Json,
}
