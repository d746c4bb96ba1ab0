//! `schema` and `dialect` may be given as a path to a file of their own.

use std::borrow::Cow;
use std::path::Path;

use super::{DescriptorContext, path};
use crate::schema::document::{DocumentNode, NodeValue, parse_json, parse_yaml};

/// The node itself, or the document that it names.
pub(super) fn follow_reference<'a>(
    node: &'a DocumentNode,
    what: &str,
    context: DescriptorContext<'_>,
) -> Option<Cow<'a, DocumentNode>> {
    match &node.value {
        NodeValue::Text(path) => load_document(path, node, what, context).map(Cow::Owned),
        _ => Some(Cow::Borrowed(node)),
    }
}

fn load_document(path: &str, node: &DocumentNode, what: &str, context: DescriptorContext<'_>) -> Option<DocumentNode> {
    let problems = context.problems;
    // Before the loader sees it: a descriptor from elsewhere must not read files outside of its folder.
    if !path::check_path(path, &node.place, problems) {
        return None;
    }
    let Some(load) = context.load else {
        problems.report_problem(
            &node.place,
            format!("{what} refers to a file, and files cannot be read here: write it inline"),
        );
        return None;
    };
    match load(path) {
        Ok(text) => parse(&text, path, context),
        Err(error) => {
            problems.report_problem(&node.place, format!("cannot read \"{path}\": {error}"));
            None
        }
    }
}

fn parse(text: &str, path: &str, context: DescriptorContext<'_>) -> Option<DocumentNode> {
    // Errors name the file as the user would open it, from where the descriptor was named.
    let file = Path::new(context.file).with_file_name(path);
    let file = file.to_string_lossy();
    let is_yaml = [".yaml", ".yml"].iter().any(|ending| path.to_ascii_lowercase().ends_with(ending));
    let parse = if is_yaml { parse_yaml } else { parse_json };
    parse(text, &file, context.problems)
}
