//! A descriptor as a tree that knows where each part stands, read from YAML or JSON.
//!
//! Numbers keep their source text, maps keep their order, and every node can be pointed at in an error. The data package
//! and the project file are both read through this tree, so that both complain alike.

mod entries;
mod json;
mod node;
mod place;
mod problems;
mod reader;
mod scalar;
mod yaml;

#[cfg(test)]
mod tests;

pub use json::parse_json;
pub use node::{DocumentNode, MapEntry, NodeValue};
pub use place::DocumentPlace;
pub use problems::{DescriptorError, DescriptorErrors, DescriptorProblems};
pub use reader::{MapReader, find_nearest};
pub use yaml::parse_yaml;

/// How deep lists and maps may stand within each other.
// Trees are read, measured and dropped by recursion, so that the depth bounds the stack.
const MAX_DEPTH: usize = 64;

/// How many values a document may have, repeated aliases counted each time.
const MAX_NODES: usize = 200_000;
