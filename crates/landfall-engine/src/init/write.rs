//! The files of a proposal, for a newcomer to read.

use std::path::Path;

use landfall_core::schema::{Field, FieldType, HeaderRows, NumberFormat, StringFormat, TemporalFormat};

use super::{
    PACKAGE_FILE, Table,
    foreign::Link,
    group::encoding_label,
    names,
    yaml::{Page, scalar, shown},
};

/// The data package of `tables`, whose files are in `folder`.
pub(super) fn package(folder: &Path, tables: &[Table]) -> String {
    let mut page = Page::default();
    let intro = [
        "The data dictionary of this project: a Data Package, version 2 (https://datapackage.org).",
        "Each resource is one table: where its files are, how they are written, which fields and rules they have.",
        "`landfall init` proposed all of it, from the files as they are: read it, and mend what init cannot know.",
    ];
    intro.iter().for_each(|line| page.comment(0, line));
    page.line(0, "$schema: https://datapackage.org/profiles/2.0/datapackage.json");
    page.line(0, &format!("name: {}", scalar(&project_name(folder))));
    page.line(0, "resources:");
    for table in tables {
        resource(&mut page, table, tables);
    }
    page.finish()
}

/// The name of the folder, as far as it is fit for one.
fn project_name(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map(|name| names::snake(&name.to_string_lossy())).unwrap_or_default();
    if name.is_empty() { "data".into() } else { name.replace('_', "-") }
}

fn resource(page: &mut Page, table: &Table, tables: &[Table]) {
    page.line(0, "");
    table.summary().iter().for_each(|line| page.comment(1, line));
    page.line(1, &format!("- name: {} # also the name of the SQL table", scalar(&table.name)));
    paths(page, table);
    let encoding = encoding_label(&table.form);
    page.line(2, &format!("encoding: {encoding}{}", trailing(table.encoding_remark().as_deref())));
    dialect(page, table);
    page.line(2, "schema:");
    page.line(3, "fields:");
    (0..table.fields.len()).for_each(|at| field(page, table, at));
    primary_key(page, table);
    foreign_keys(page, table, tables);
}

fn trailing(remark: Option<&str>) -> String {
    remark.map(|remark| format!(" # {remark}")).unwrap_or_default()
}

fn paths(page: &mut Page, table: &Table) {
    match table.paths.as_slice() {
        [one] if table.sources.len() == 1 => page.line(2, &format!("path: {} # relative to this file", scalar(one))),
        [one] => {
            let parts = table.sources.len();
            page.line(2, &format!("path: {} # {parts} files; the next ones as well", scalar(one)));
        }
        several => {
            page.line(2, "path: # the parts of the table, relative to this file");
            several.iter().for_each(|path| page.line(3, &format!("- {}", scalar(path))));
        }
    }
}

fn dialect(page: &mut Page, table: &Table) {
    let dialect = &table.form.dialect;
    page.line(2, "dialect:");
    let header = table.header.has_names() && dialect.comment_rows.is_empty();
    page.line(3, &format!("header: {header} # {}", table.header_remark()));
    if let HeaderRows::At(rows) = &dialect.header
        && *rows != [1]
    {
        page.line(3, &format!("headerRows: {rows:?} # what stands before it is left out"));
    }
    if !dialect.comment_rows.is_empty() {
        page.line(3, &format!("commentRows: {:?}", dialect.comment_rows));
    }
    let character = |byte: u8| scalar(&char::from(byte).to_string());
    page.line(3, &format!("delimiter: {}", character(dialect.delimiter)));
    match dialect.quote_char {
        Some(b'"') => {}
        Some(quote) => page.line(3, &format!("quoteChar: {}", character(quote))),
        None => page.line(3, "quoteChar: \"\" # quotes have no meaning here"),
    }
    if let Some(escape) = dialect.escape_char {
        page.line(3, &format!("escapeChar: {}", character(escape)));
    }
    if let Some(null) = &dialect.null_sequence {
        page.line(3, &format!("nullSequence: {} # as MySQL writes files", scalar(null)));
    }
}

fn field(page: &mut Page, table: &Table, at: usize) {
    let field = &table.fields[at];
    let rename = if table.header.has_names() { "" } else { " # give it a name of yours" };
    page.line(4, &format!("- name: {}{rename}", scalar(&field.name)));
    table.field_remarks(at).iter().for_each(|remark| page.comment(5, remark));
    page.line(5, &format!("type: {}", field.kind.name()));
    properties(field).iter().for_each(|property| page.line(5, property));
    if field.constraints.required {
        page.line(5, "constraints: {required: true}");
    }
}

/// The properties of a field's type.
fn properties(field: &Field) -> Vec<String> {
    let format = |format: &TemporalFormat| match format {
        TemporalFormat::Default => None,
        TemporalFormat::Any => Some("format: any # every form of ISO 8601".to_owned()),
        TemporalFormat::Pattern(pattern) => Some(format!("format: {}", scalar(pattern))),
    };
    match &field.kind {
        FieldType::Date(form) | FieldType::Time(form) => format(form).into_iter().collect(),
        FieldType::Datetime { format: form, timezone, .. } => {
            let timezone = timezone.as_ref().map(|zone| format!("timezone: {}", scalar(zone)));
            format(form).into_iter().chain(timezone).collect()
        }
        FieldType::Number(NumberFormat { decimal_char, .. }) if decimal_char != "." => {
            vec![format!("decimalChar: {}", scalar(decimal_char))]
        }
        FieldType::String(StringFormat::Email) => vec!["format: email".into()],
        FieldType::String(StringFormat::Uri) => vec!["format: uri".into()],
        FieldType::String(StringFormat::Uuid) => vec!["format: uuid".into()],
        _ => Vec::new(),
    }
}

fn primary_key(page: &mut Page, table: &Table) {
    if let Some(remark) = table.key_remark() {
        page.comment(3, &remark);
    }
    match table.keys.primary {
        Some(at) => page.line(3, &format!("primaryKey: [{}]", scalar(&table.fields[at].name))),
        None => {
            let keyless = "Without a primary key, a changed file that is loaded again is added as a whole.";
            page.comment(3, keyless);
        }
    }
}

fn foreign_keys(page: &mut Page, table: &Table, tables: &[Table]) {
    let links = &table.links;
    for link in &links.ambiguous {
        let (name, words) = (shown(&table.fields[link.field].name), table.link_remark(link, tables));
        page.comment(3, &format!("Perhaps a foreign key, one of several possible: {name}: {words}."));
    }
    for link in &links.doubtful {
        let (name, words) = (shown(&table.fields[link.field].name), table.link_remark(link, tables));
        page.comment(3, &format!("Not a foreign key, though the name of {name} suggests it: {words}."));
    }
    if !links.keys.is_empty() {
        page.line(3, "foreignKeys: # parents load first");
        links.keys.iter().for_each(|link| foreign_key(page, table, link, tables));
    }
}

fn foreign_key(page: &mut Page, table: &Table, link: &Link, tables: &[Table]) {
    let parent = &tables[link.parent];
    let key = parent.keys.primary.map_or("", |at| &*parent.fields[at].name);
    page.comment(4, &table.link_remark(link, tables));
    page.line(4, &format!("- fields: [{}]", scalar(&table.fields[link.field].name)));
    page.line(5, &format!("reference: {{resource: {}, fields: [{}]}}", scalar(&parent.name), scalar(key)));
}

/// `landfall.yaml`.
pub(super) fn project(tables: &[Table]) -> String {
    let mut page = Page::default();
    let table = tables.first().map_or("table", |table| table.name.as_str());
    for line in [
        "How this project runs. What the data *are* stands in the data package, see `package` below.",
        "",
        "  landfall check       validates every record and writes nothing",
        "  landfall load        loads the tables, parents first; what breaks a rule goes to the quarantine",
        "  landfall rejects     shows what is there, with every reason",
    ] {
        page.line(0, format!("# {line}").trim_end());
    }
    page.line(0, "");
    page.line(0, "# The database: a SQLite file in this folder, made by the first load.");
    page.line(0, "target: sqlite:landfall.db");
    page.line(0, "");
    page.line(0, "# The data dictionary, an open standard: https://datapackage.org");
    page.line(0, &format!("package: {PACKAGE_FILE}"));
    page.line(0, "");
    let example = [
        "Reports are named queries. Take the signs away, and put the SQL into the file:",
        "reports:",
        &format!("  count_{table}:"),
        "    title: How many rows there are",
        "    sql: reports/count.sql # SELECT count(*) AS n FROM …",
    ];
    example.iter().for_each(|line| page.line(0, &format!("# {line}")));
    page.finish()
}
