//! YAML 1.2 with the core schema. Anchors and aliases are resolved within the limits of the document; merge keys, tags
//! of one's own and several documents in one file are refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::entries::{MapEntries, beyond_limit};
use super::place::DocumentSource;
use super::scalar::resolve_scalar;
use super::{DescriptorProblems, DocumentNode, DocumentPlace, MAX_DEPTH, MAX_NODES, MapEntry, NodeValue};

/// Parses a YAML document. Errors go to `problems`; without a node the text is not YAML.
pub fn parse_yaml(text: &str, file: &str, problems: &DescriptorProblems) -> Option<DocumentNode> {
    // Some editors write a mark before UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = DocumentSource::new(file, text);
    let mut builder = YamlBuilder::new(Arc::clone(&source), problems);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.accept_event(event, span)?,
            Err(error) => {
                // saphyr counts lines from 1 and columns from 0.
                let place = source.place_of(error.marker().line(), error.marker().col() + 1, 1);
                problems.report_problem(&place, format!("this is not YAML: {}", error.info()));
                return None;
            }
        }
    }
    if builder.root.is_none() {
        problems.report_problem(&source.place_of(1, 1, 1), "the file is empty");
    }
    builder.root
}

/// A list or map that is not closed yet.
enum OpenNode {
    List { place: DocumentPlace, anchor: usize, nodes: Vec<DocumentNode> },
    Map { place: DocumentPlace, anchor: usize, entries: MapEntries, key: Option<(String, DocumentPlace)> },
}

/// What an anchor stands for, and how much of the limits an alias of it takes.
struct AnchoredNode {
    node: DocumentNode,
    size: usize,
    height: usize,
}

struct YamlBuilder<'a> {
    source: Arc<DocumentSource>,
    problems: &'a DescriptorProblems,
    open: Vec<OpenNode>,
    anchors: HashMap<usize, AnchoredNode>,
    root: Option<DocumentNode>,
    count: usize,
}

impl<'a> YamlBuilder<'a> {
    fn new(source: Arc<DocumentSource>, problems: &'a DescriptorProblems) -> Self {
        Self { source, problems, open: Vec::new(), anchors: HashMap::new(), root: None, count: 0 }
    }

    /// Takes the next event. `None` means that the document cannot be read further.
    fn accept_event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let place = self.place_of_span(span);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => self.stop_with(&place, "a second document begins here"),
            Event::Scalar(text, style, anchor, tag) => self.add_scalar(&text, style, anchor, tag, place),
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &place)?;
                self.open(OpenNode::List { place, anchor, nodes: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &place)?;
                self.open(OpenNode::Map { place, anchor, entries: MapEntries::default(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.add_alias(anchor, place),
            _ => Some(()),
        }
    }

    fn add_scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        place: DocumentPlace,
    ) -> Option<()> {
        self.check_tag(tag.as_deref(), &place)?;
        if let Some(OpenNode::Map { key: key @ None, .. }) = self.open.last_mut() {
            // Taken for a key of this name, its properties would be ignored without a word.
            if text == "<<" && style == ScalarStyle::Plain {
                return self.stop_with(&place, "merge keys (<<) are not supported: write the properties out");
            }
            *key = Some((text.to_owned(), place));
            return Some(());
        }
        // What is quoted is text: "1.0" and "no" stay as they are written.
        let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
        let value = if is_text { NodeValue::Text(text.to_owned()) } else { resolve_scalar(text) };
        // Nothing was written, so that only the key has a place to point at.
        let place = if text.is_empty() && !is_text { self.key_place().unwrap_or(place) } else { place };
        self.add_node(DocumentNode { value, place }, anchor, 1)
    }

    fn add_alias(&mut self, anchor: usize, place: DocumentPlace) -> Option<()> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return self.stop_with(&place, "this alias stands within the value that it names");
        };
        // An alias may stand for many others. So what it stands for is counted, and not the alias ("billion laughs").
        let depth = self.open.len() + anchored.height;
        if depth > MAX_DEPTH || self.count + anchored.size > MAX_NODES {
            return self.stop_with(&place, beyond_limit(depth));
        }
        let (node, size) = (anchored.node.clone(), anchored.size);
        // Anchor 0 is none: the copy is not anchored again.
        self.add_node(node, 0, size)
    }

    fn open(&mut self, open: OpenNode) -> Option<()> {
        let Some(place) = self.missing_key() else {
            self.open.push(open);
            return match self.open.last() {
                // The parser does not recurse: what deep nesting would grow is this stack, and the tree.
                Some(OpenNode::List { place, .. } | OpenNode::Map { place, .. }) if self.open.len() > MAX_DEPTH => {
                    self.stop_with(&place.clone(), beyond_limit(self.open.len()))
                }
                _ => Some(()),
            };
        };
        self.stop_with(&place, "a key must be text")
    }

    fn close(&mut self) -> Option<()> {
        match self.open.pop()? {
            OpenNode::List { place, anchor, nodes } => {
                self.add_node(DocumentNode { value: NodeValue::List(nodes), place }, anchor, 1)
            }
            OpenNode::Map { place, anchor, entries, .. } => {
                self.add_node(DocumentNode { value: NodeValue::Map(entries.into_entries()), place }, anchor, 1)
            }
        }
    }

    /// Puts a finished node where it belongs.
    fn add_node(&mut self, node: DocumentNode, anchor: usize, size: usize) -> Option<()> {
        self.count += size;
        if anchor > 0 {
            let (size, height) = measure_node(&node);
            // An anchored node is kept twice, here and in its place, and so it counts twice.
            self.count += size;
            self.anchors.insert(anchor, AnchoredNode { node: node.clone(), size, height });
        }
        if self.count > MAX_NODES {
            return self.stop_with(&node.place, beyond_limit(0));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(OpenNode::List { nodes, .. }) => nodes.push(node),
            Some(OpenNode::Map { entries, key, .. }) => match key.take() {
                Some((key, key_place)) => entries.push(MapEntry { key, key_place, node }, self.problems),
                None => return self.stop_with(&node.place, "a key must be text"),
            },
        }
        Some(())
    }

    fn check_tag(&self, tag: Option<&Tag>, place: &DocumentPlace) -> Option<()> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                self.stop_with(place, "tags (!...) are not supported: remove it")
            }
            _ => Some(()),
        }
    }

    /// The place of the innermost map, where that map waits for a key.
    fn missing_key(&self) -> Option<DocumentPlace> {
        match self.open.last() {
            Some(OpenNode::Map { place, key: None, .. }) => Some(place.clone()),
            _ => None,
        }
    }

    /// The place of the key that waits for its value: an absent value has no place of its own.
    fn key_place(&self) -> Option<DocumentPlace> {
        match self.open.last() {
            Some(OpenNode::Map { key: Some((_, place)), .. }) => Some(place.clone()),
            _ => None,
        }
    }

    fn place_of_span(&self, span: Span) -> DocumentPlace {
        let same_line = span.start.line() == span.end.line();
        let width = if same_line { span.end.index().saturating_sub(span.start.index()) } else { 1 };
        self.source.place_of(span.start.line(), span.start.col() + 1, width)
    }

    fn stop_with(&self, place: &DocumentPlace, message: &str) -> Option<()> {
        self.problems.report_problem(place, message);
        None
    }
}

/// How many values a node holds, itself included, and how deep they stand.
fn measure_node(node: &DocumentNode) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.value {
        NodeValue::List(nodes) => nodes.iter().map(measure_node).collect(),
        NodeValue::Map(entries) => entries.iter().map(|entry| measure_node(&entry.node)).collect(),
        _ => return (1, 0),
    };
    let size = 1 + children.iter().map(|(size, _)| size).sum::<usize>();
    (size, 1 + children.iter().map(|(_, height)| *height).max().unwrap_or(0))
}
