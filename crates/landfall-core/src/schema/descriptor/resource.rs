//! A resource: <https://datapackage.org/standard/data-resource/>.

use super::foreign_keys::DraftResource;
use super::table_schema::DraftTable;
use super::{DescriptorContext, dialect, encoding, names, path, reference, table_schema};
use crate::schema::document::{DescriptorProblems, DocumentNode, DocumentPlace, MapReader, NodeValue};
use crate::schema::{Dialect, Encoding, Resource, SourcePath};

/// Properties that describe the files for people and say nothing about loading them.
const DESCRIPTIVE: [&str; 8] = ["$schema", "mediatype", "bytes", "hash", "sources", "licenses", "license", "profile"];

/// What the reference implementation writes beside the standard's properties, and what Landfall finds out by itself.
const OF_REFERENCE: [&str; 4] = ["scheme", "compression", "stats", "extrapaths"];

/// Properties of a schema, and of a dialect: beside them they would do nothing.
const OF_SCHEMA: [&str; 8] =
    ["fields", "primaryKey", "foreignKeys", "uniqueKeys", "missingValues", "fieldsMatch", "matchTitles", "matchCase"];
const OF_DIALECT: [&str; 17] = [
    "delimiter",
    "quoteChar",
    "doubleQuote",
    "escapeChar",
    "header",
    "headerRows",
    "headerJoin",
    "commentChar",
    "commentRows",
    "lineTerminator",
    "nullSequence",
    "skipInitialSpace",
    "trim",
    "ragged",
    "strayQuotes",
    "quotedMissing",
    "headerMatch",
];

/// Formats that are no delimited text.
const OTHER_FORMATS: [&str; 17] = [
    "json", "jsonl", "ndjson", "geojson", "yaml", "yml", "xml", "html", "xls", "xlsx", "ods", "parquet", "arrow",
    "feather", "avro", "sql", "sqlite",
];

pub(super) fn read(node: &DocumentNode, context: DescriptorContext<'_>) -> Option<DraftResource> {
    let mut reader = node.read_map("a resource", context.problems)?;
    let name = reader
        .require_value("name")
        .and_then(|name| Some((name.read_text("\"name\"", context.problems)?, &name.place)));
    if let Some((name, place)) = name {
        names::check_resource(name, place, context.problems);
    }
    let (title, description) = (reader.take_text("title"), reader.take_text("description"));
    let paths = read_paths(&mut reader);
    // Paths first, since the ending of the file decides on the default of the delimiter.
    let default = Dialect { delimiter: default_delimiter(&mut reader, &paths).into(), ..Dialect::default() };
    let dialect = read_dialect(&mut reader, default, context);
    let encoding = read_encoding(&mut reader);
    let table = read_schema(&mut reader, context);
    reader.accept_names(&DESCRIPTIVE);
    check_type(&mut reader);
    check_scheme(&mut reader);
    refuse_inner_path(&mut reader);
    reader.accept_names(&OF_REFERENCE);
    reader.refuse_misplaced(&OF_SCHEMA, "\"schema\"");
    reader.refuse_misplaced(&OF_DIALECT, "\"dialect\"");
    reader.refuse_misspelled();
    // Without a name there is no table, yet all other errors of the resource are known by now.
    let (name, name_place) = name?;
    let resource = Resource {
        name: name.into(),
        title: title.map(String::from),
        description: description.map(String::from),
        paths,
        dialect,
        encoding,
        schema: table.schema,
    };
    Some(DraftResource { resource, name_place: name_place.clone(), broken: table.broken, keys: table.foreign_keys })
}

fn read_paths(reader: &mut MapReader<'_>) -> Vec<SourcePath> {
    let problems = reader.problems();
    // Taken past the reader's list of known names: `data` must not be suggested for a property such as `date`.
    if let Some(entry) = reader.entries().iter().find(|entry| entry.key == "data") {
        let mend = "put the records into a file, and write its name as \"path\"";
        problems.report_with_mend(&entry.key_place, "records within the descriptor are not supported", mend);
        reader.accept_names(&["path"]);
        return Vec::new();
    }
    let Some(node) = reader.require_value("path") else { return Vec::new() };
    let nodes = match &node.value {
        NodeValue::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if nodes.is_empty() {
        problems.report_problem(&node.place, "\"path\" names no file");
    }
    nodes.iter().filter_map(|node| read_path(node, problems)).collect()
}

fn read_path(node: &DocumentNode, problems: &DescriptorProblems) -> Option<SourcePath> {
    let text = node.read_text("\"path\"", problems)?;
    path::check_path(text, &node.place, problems).then(|| SourcePath(text.into()))
}

/// A tab for TSV, as the reference implementation has it.
fn default_delimiter(reader: &mut MapReader<'_>, paths: &[SourcePath]) -> u8 {
    let problems = reader.problems();
    let format =
        reader.take_value("format").and_then(|node| Some((node.read_text("\"format\"", problems)?, &node.place)));
    match format {
        Some((format, place)) => {
            if OTHER_FORMATS.contains(&format.to_ascii_lowercase().as_str()) {
                let message = format!("the format \"{format}\" is not supported: Landfall reads delimited text");
                problems.report_with_mend(place, message, "write \"csv\" or \"tsv\", or remove this resource");
            }
            if format.eq_ignore_ascii_case("tsv") { b'\t' } else { b',' }
        }
        None => {
            let is_tsv = paths.first().is_some_and(|path| {
                let name = path.0.to_ascii_lowercase();
                // Landfall reads compressed files as they are; their ending says nothing about the text within.
                name.trim_end_matches(".gz").trim_end_matches(".zst").ends_with(".tsv")
            });
            if is_tsv { b'\t' } else { b',' }
        }
    }
}

fn read_dialect(reader: &mut MapReader<'_>, default: Dialect, context: DescriptorContext<'_>) -> Dialect {
    let Some(node) = reader.take_value("dialect") else { return default };
    match reference::follow_reference(node, "\"dialect\"", context) {
        Some(node) => dialect::read(&node, default, context.problems),
        None => default,
    }
}

fn read_encoding(reader: &mut MapReader<'_>) -> Encoding {
    let problems = reader.problems();
    let label =
        reader.take_value("encoding").and_then(|node| Some((node.read_text("\"encoding\"", problems)?, &node.place)));
    label.and_then(|(label, place)| encoding::read(label, place, problems)).unwrap_or_default()
}

fn read_schema(reader: &mut MapReader<'_>, context: DescriptorContext<'_>) -> DraftTable {
    let Some(node) = reader.take_value("schema") else {
        let mend = "write \"schema\" with \"fields\"";
        context.problems.report_with_mend(reader.place(), "the resource does not declare its fields", mend);
        return DraftTable::default();
    };
    let node = reference::follow_reference(node, "\"schema\"", context);
    node.and_then(|node| table_schema::read(&node, context.problems)).unwrap_or_default()
}

fn check_type(reader: &mut MapReader<'_>) {
    let problems = reader.problems();
    let Some(node) = reader.take_value("type") else { return };
    let unsupported: Option<(&str, &DocumentPlace)> =
        node.read_text("\"type\"", problems).filter(|name| *name != "table").map(|name| (name, &node.place));
    if let Some((name, place)) = unsupported {
        let message = format!("a resource of type \"{name}\" is not supported");
        problems.report_with_mend(place, message, "write \"table\", or remove this resource");
    }
}

/// Where the files are, as the reference implementation says it. Landfall reads files.
fn check_scheme(reader: &mut MapReader<'_>) {
    let problems = reader.problems();
    let Some(node) = reader.take_value("scheme") else { return };
    if let Some(scheme) = node.read_text("\"scheme\"", problems).filter(|scheme| *scheme != "file") {
        let message = format!("the scheme \"{scheme}\" is not supported: Landfall reads files");
        problems.report_with_mend(&node.place, message, "write \"file\", and the name of a file as \"path\"");
    }
}

/// The file within an archive, as the reference implementation says it.
fn refuse_inner_path(reader: &mut MapReader<'_>) {
    if let Some(entry) = reader.take_entry("innerpath") {
        let message = "files within archives are not supported";
        reader.problems().report_with_mend(&entry.key_place, message, "unpack the archive, and remove \"innerpath\"");
    }
}
