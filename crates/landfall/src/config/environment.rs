//! Values from the environment: `${NAME}`, and `${NAME:-default}` where the variable may be unset.

use landfall_core::schema::document::{DescriptorProblems, DocumentNode, DocumentPlace, NodeValue};

/// Tells the value of an environment variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Fills the environment into all texts of a document. What is filled in is not looked at again.
pub(super) fn expand_document(node: &mut DocumentNode, environment: Environment<'_>, problems: &DescriptorProblems) {
    match &mut node.value {
        NodeValue::Text(text) if text.contains("${") => {
            // Once the document is parsed: a value with quotes or colons cannot become structure.
            if let Some(filled) = expand_variables(text, &node.place, environment, problems) {
                *text = filled;
            }
        }
        NodeValue::List(nodes) => nodes.iter_mut().for_each(|node| expand_document(node, environment, problems)),
        NodeValue::Map(entries) => {
            entries.iter_mut().for_each(|entry| expand_document(&mut entry.node, environment, problems))
        }
        _ => {}
    }
}

/// `text` with the environment filled in; nothing and an error where a variable is missing.
fn expand_variables(
    text: &str,
    place: &DocumentPlace,
    environment: Environment<'_>,
    problems: &DescriptorProblems,
) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            problems.report_problem(place, "\"${\" has no \"}\" after it");
            return None;
        };
        out.push_str(&look_up_variable(inside, place, environment, problems)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn look_up_variable(
    inside: &str,
    place: &DocumentPlace,
    environment: Environment<'_>,
    problems: &DescriptorProblems,
) -> Option<String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_variable_name(name) {
        let message = format!("\"${{{}}}\" does not name an environment variable", inside.escape_debug());
        problems.report_with_mend(place, message, "write ${NAME} or ${NAME:-default}");
        return None;
    }
    // As in a shell, `:-` also stands in for a variable that is set to nothing.
    let value = environment(name).filter(|value| default.is_none() || !value.is_empty());
    value.or_else(|| default.map(String::from)).or_else(|| {
        let message = format!("the environment variable {name} is not set");
        problems.report_with_mend(place, message, format!("set it, or write ${{{name}:-default}}"));
        None
    })
}

fn is_variable_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
