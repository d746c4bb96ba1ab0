//! YAML 1.2 with the core schema. Anchors and aliases are resolved within the limits of the document; merge keys, tags
//! of one's own and several documents in one file are refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::entries::{Entries, beyond_limit};
use super::place::Source;
use super::scalar::resolve;
use super::{Entry, MAX_DEPTH, MAX_NODES, Node, Place, Problems, Value};

/// Parses a YAML document. Errors go to `problems`; without a node the text is not YAML.
pub fn parse_yaml(text: &str, file: &str, problems: &Problems) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(file, text);
    let mut builder = Builder::new(Arc::clone(&source), problems);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.accept(event, span)?,
            Err(error) => {
                let place = source.place(error.marker().line(), error.marker().col() + 1, 1);
                problems.report(&place, format!("this is not YAML: {}", error.info()));
                return None;
            }
        }
    }
    if builder.root.is_none() {
        problems.report(&source.place(1, 1, 1), "the file is empty");
    }
    builder.root
}

/// A list or map that is not closed yet.
enum Open {
    List { place: Place, anchor: usize, nodes: Vec<Node> },
    Map { place: Place, anchor: usize, entries: Entries, key: Option<(String, Place)> },
}

/// What an anchor stands for, and how much of the limits an alias of it takes.
struct Anchored {
    node: Node,
    size: usize,
    height: usize,
}

struct Builder<'a> {
    source: Arc<Source>,
    problems: &'a Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
    count: usize,
}

impl<'a> Builder<'a> {
    fn new(source: Arc<Source>, problems: &'a Problems) -> Self {
        Self { source, problems, open: Vec::new(), anchors: HashMap::new(), root: None, count: 0 }
    }

    /// Takes the next event. `None` means that the document cannot be read further.
    fn accept(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let place = self.place(span);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => self.stop(&place, "a second document begins here"),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag, place),
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &place)?;
                self.open(Open::List { place, anchor, nodes: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &place)?;
                self.open(Open::Map { place, anchor, entries: Entries::default(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, place),
            _ => Some(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        place: Place,
    ) -> Option<()> {
        self.check_tag(tag.as_deref(), &place)?;
        if let Some(Open::Map { key: key @ None, .. }) = self.open.last_mut() {
            if text == "<<" && style == ScalarStyle::Plain {
                return self.stop(&place, "merge keys (<<) are not supported: write the properties out");
            }
            *key = Some((text.to_owned(), place));
            return Some(());
        }
        let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
        let value = if is_text { Value::Text(text.to_owned()) } else { resolve(text) };
        let place = if text.is_empty() && !is_text { self.key_place().unwrap_or(place) } else { place };
        self.add(Node { value, place }, anchor, 1)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Option<()> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return self.stop(&place, "this alias stands within the value that it names");
        };
        let depth = self.open.len() + anchored.height;
        if depth > MAX_DEPTH || self.count + anchored.size > MAX_NODES {
            return self.stop(&place, beyond_limit(depth));
        }
        let (node, size) = (anchored.node.clone(), anchored.size);
        self.add(node, 0, size)
    }

    fn open(&mut self, open: Open) -> Option<()> {
        let Some(place) = self.missing_key() else {
            self.open.push(open);
            return match self.open.last() {
                Some(Open::List { place, .. } | Open::Map { place, .. }) if self.open.len() > MAX_DEPTH => {
                    self.stop(&place.clone(), beyond_limit(self.open.len()))
                }
                _ => Some(()),
            };
        };
        self.stop(&place, "a key must be text")
    }

    fn close(&mut self) -> Option<()> {
        match self.open.pop()? {
            Open::List { place, anchor, nodes } => self.add(Node { value: Value::List(nodes), place }, anchor, 1),
            Open::Map { place, anchor, entries, .. } => {
                self.add(Node { value: Value::Map(entries.into_vec()), place }, anchor, 1)
            }
        }
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Option<()> {
        self.count += size;
        if anchor > 0 {
            let (size, height) = extent(&node);
            self.count += size;
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, height });
        }
        if self.count > MAX_NODES {
            return self.stop(&node.place, beyond_limit(0));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { nodes, .. }) => nodes.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some((key, key_place)) => entries.push(Entry { key, key_place, node }, self.problems),
                None => return self.stop(&node.place, "a key must be text"),
            },
        }
        Some(())
    }

    fn check_tag(&self, tag: Option<&Tag>, place: &Place) -> Option<()> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() => self.stop(place, "tags (!...) are not supported: remove it"),
            _ => Some(()),
        }
    }

    /// The place of the innermost map, where that map waits for a key.
    fn missing_key(&self) -> Option<Place> {
        match self.open.last() {
            Some(Open::Map { place, key: None, .. }) => Some(place.clone()),
            _ => None,
        }
    }

    /// The place of the key that waits for its value: an absent value has no place of its own.
    fn key_place(&self) -> Option<Place> {
        match self.open.last() {
            Some(Open::Map { key: Some((_, place)), .. }) => Some(place.clone()),
            _ => None,
        }
    }

    fn place(&self, span: Span) -> Place {
        let same_line = span.start.line() == span.end.line();
        let width = if same_line { span.end.index().saturating_sub(span.start.index()) } else { 1 };
        self.source.place(span.start.line(), span.start.col() + 1, width)
    }

    fn stop(&self, place: &Place, message: &str) -> Option<()> {
        self.problems.report(place, message);
        None
    }
}

/// How many values a node holds, itself included, and how deep they stand.
fn extent(node: &Node) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.value {
        Value::List(nodes) => nodes.iter().map(extent).collect(),
        Value::Map(entries) => entries.iter().map(|entry| extent(&entry.node)).collect(),
        _ => return (1, 0),
    };
    let size = 1 + children.iter().map(|(size, _)| size).sum::<usize>();
    (size, 1 + children.iter().map(|(_, height)| *height).max().unwrap_or(0))
}
