//! `schema` and `dialect` may be given as a path to a file of their own.

use std::borrow::Cow;
use std::path::Path;

use super::{Context, path};
use crate::schema::document::{Node, Value, parse_json, parse_yaml};

/// The node itself, or the document that it names.
pub(super) fn follow<'a>(node: &'a Node, what: &str, context: Context<'_>) -> Option<Cow<'a, Node>> {
    match &node.value {
        Value::Text(path) => load(path, node, what, context).map(Cow::Owned),
        _ => Some(Cow::Borrowed(node)),
    }
}

fn load(path: &str, node: &Node, what: &str, context: Context<'_>) -> Option<Node> {
    let problems = context.problems;
    if !path::check(path, &node.place, problems) {
        return None;
    }
    let Some(load) = context.load else {
        problems
            .report(&node.place, format!("{what} refers to a file, and files cannot be read here: write it inline"));
        return None;
    };
    match load(path) {
        Ok(text) => parse(&text, path, context),
        Err(error) => {
            problems.report(&node.place, format!("cannot read \"{path}\": {error}"));
            None
        }
    }
}

fn parse(text: &str, path: &str, context: Context<'_>) -> Option<Node> {
    let file = Path::new(context.file).with_file_name(path);
    let file = file.to_string_lossy();
    let is_yaml = [".yaml", ".yml"].iter().any(|ending| path.to_ascii_lowercase().ends_with(ending));
    let parse = if is_yaml { parse_yaml } else { parse_json };
    parse(text, &file, context.problems)
}
