//! The files of a proposal, for a newcomer to read.

use std::path::Path;

use landfall_core::schema::{Field, FieldType, HeaderRows, NumberFormat, StringFormat, TemporalFormat};

use super::{
    PACKAGE_FILE, ProposedTable,
    foreign::PossibleLink,
    group::encoding_label,
    names,
    yaml::{YamlPage, one_line_comment, write_scalar},
};

/// The data package of `tables`, whose files are in `folder`.
pub(super) fn write_package(folder: &Path, tables: &[ProposedTable]) -> String {
    let mut page = YamlPage::default();
    let intro = [
        "The data dictionary of this project: a Data Package, version 2 (https://datapackage.org).",
        "Each resource is one table: where its files are, how they are written, which fields and rules they have.",
        "`landfall init` proposed all of it, from the files as they are: read it, and mend what init cannot know.",
    ];
    intro.iter().for_each(|line| page.push_comment(0, line));
    page.push_line(0, "$schema: https://datapackage.org/profiles/2.0/datapackage.json");
    page.push_line(0, &format!("name: {}", write_scalar(&project_name(folder))));
    page.push_line(0, "resources:");
    for table in tables {
        write_resource(&mut page, table, tables);
    }
    page.into_text()
}

/// The name of the folder, as far as it is fit for one.
fn project_name(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map(|name| names::to_snake_case(&name.to_string_lossy())).unwrap_or_default();
    if name.is_empty() { "data".into() } else { name.replace('_', "-") }
}

fn write_resource(page: &mut YamlPage, table: &ProposedTable, tables: &[ProposedTable]) {
    page.push_line(0, "");
    table.describe_table().iter().for_each(|line| page.push_comment(1, line));
    page.push_line(1, &format!("- name: {} # also the name of the SQL table", write_scalar(&table.name)));
    write_paths(page, table);
    let encoding = encoding_label(&table.form);
    page.push_line(2, &format!("encoding: {encoding}{}", trailing_comment(table.encoding_remark().as_deref())));
    write_dialect(page, table);
    page.push_line(2, "schema:");
    page.push_line(3, "fields:");
    (0..table.fields.len()).for_each(|at| write_field(page, table, at));
    write_primary_key(page, table);
    foreign_keys(page, table, tables);
}

fn trailing_comment(remark: Option<&str>) -> String {
    remark.map(|remark| format!(" # {remark}")).unwrap_or_default()
}

fn write_paths(page: &mut YamlPage, table: &ProposedTable) {
    match table.paths.as_slice() {
        [one] if table.sources.len() == 1 => {
            page.push_line(2, &format!("path: {} # relative to this file", write_scalar(one)))
        }
        [one] => {
            let parts = table.sources.len();
            page.push_line(2, &format!("path: {} # {parts} files; the next ones as well", write_scalar(one)));
        }
        several => {
            page.push_line(2, "path: # the parts of the table, relative to this file");
            several.iter().for_each(|path| page.push_line(3, &format!("- {}", write_scalar(path))));
        }
    }
}

fn write_dialect(page: &mut YamlPage, table: &ProposedTable) {
    let dialect = &table.form.dialect;
    page.push_line(2, "dialect:");
    let header = table.header.has_names() && dialect.comment_rows.is_empty();
    page.push_line(3, &format!("header: {header} # {}", table.header_remark()));
    if let HeaderRows::At(rows) = &dialect.header
        && *rows != [1]
    {
        page.push_line(3, &format!("headerRows: {rows:?} # what stands before it is left out"));
    }
    if !dialect.comment_rows.is_empty() {
        page.push_line(3, &format!("commentRows: {:?}", dialect.comment_rows));
    }
    let character = |byte: u8| write_scalar(&char::from(byte).to_string());
    page.push_line(3, &format!("delimiter: {}", write_scalar(dialect.delimiter.as_str())));
    match dialect.quote_char {
        Some(b'"') => {}
        Some(quote) => page.push_line(3, &format!("quoteChar: {}", character(quote))),
        None => page.push_line(3, "quoteChar: \"\" # quotes have no meaning here"),
    }
    if let Some(escape) = dialect.escape_char {
        page.push_line(3, &format!("escapeChar: {}", character(escape)));
    }
    if let Some(null) = &dialect.null_sequence {
        page.push_line(3, &format!("nullSequence: {} # as MySQL writes files", write_scalar(null)));
    }
}

fn write_field(page: &mut YamlPage, table: &ProposedTable, at: usize) {
    let field = &table.fields[at];
    let rename = if table.header.has_names() { "" } else { " # give it a name of yours" };
    page.push_line(4, &format!("- name: {}{rename}", write_scalar(&field.name)));
    table.field_remarks(at).iter().for_each(|remark| page.push_comment(5, remark));
    page.push_line(5, &format!("type: {}", field.kind.name()));
    type_properties(field).iter().for_each(|property| page.push_line(5, property));
    if field.constraints.required {
        page.push_line(5, "constraints: {required: true}");
    }
}

/// The properties of a field's type.
fn type_properties(field: &Field) -> Vec<String> {
    let format = |format: &TemporalFormat| match format {
        TemporalFormat::Default => None,
        TemporalFormat::Any => Some("format: any # every form of ISO 8601".to_owned()),
        TemporalFormat::Pattern(pattern) => Some(format!("format: {}", write_scalar(pattern))),
    };
    match &field.kind {
        FieldType::Date(form) | FieldType::Time(form) => format(form).into_iter().collect(),
        FieldType::Datetime { format: form, timezone, .. } => {
            let timezone = timezone.as_ref().map(|zone| format!("timezone: {}", write_scalar(zone)));
            format(form).into_iter().chain(timezone).collect()
        }
        FieldType::Number(NumberFormat { decimal_char, .. }) if decimal_char != "." => {
            vec![format!("decimalChar: {}", write_scalar(decimal_char))]
        }
        FieldType::String(StringFormat::Email) => vec!["format: email".into()],
        FieldType::String(StringFormat::Uri) => vec!["format: uri".into()],
        FieldType::String(StringFormat::Uuid) => vec!["format: uuid".into()],
        _ => Vec::new(),
    }
}

fn write_primary_key(page: &mut YamlPage, table: &ProposedTable) {
    if let Some(remark) = table.describe_key() {
        page.push_comment(3, &remark);
    }
    match table.keys.primary {
        Some(at) => page.push_line(3, &format!("primaryKey: [{}]", write_scalar(&table.fields[at].name))),
        None => {
            let keyless = "Without a primary key, a changed file that is loaded again is added as a whole.";
            page.push_comment(3, keyless);
        }
    }
}

fn foreign_keys(page: &mut YamlPage, table: &ProposedTable, tables: &[ProposedTable]) {
    let links = &table.links;
    for link in &links.ambiguous {
        let (name, words) = (one_line_comment(&table.fields[link.field].name), table.describe_link(link, tables));
        page.push_comment(3, &format!("Perhaps a foreign key, one of several possible: {name}: {words}."));
    }
    for link in &links.doubtful {
        let (name, words) = (one_line_comment(&table.fields[link.field].name), table.describe_link(link, tables));
        page.push_comment(3, &format!("Not a foreign key, though the name of {name} suggests it: {words}."));
    }
    if !links.keys.is_empty() {
        page.push_line(3, "foreignKeys: # parents load first");
        links.keys.iter().for_each(|link| write_foreign_key(page, table, link, tables));
    }
}

fn write_foreign_key(page: &mut YamlPage, table: &ProposedTable, link: &PossibleLink, tables: &[ProposedTable]) {
    let parent = &tables[link.parent];
    let key = parent.keys.primary.map_or("", |at| &*parent.fields[at].name);
    page.push_comment(4, &table.describe_link(link, tables));
    page.push_line(4, &format!("- fields: [{}]", write_scalar(&table.fields[link.field].name)));
    page.push_line(
        5,
        &format!("reference: {{resource: {}, fields: [{}]}}", write_scalar(&parent.name), write_scalar(key)),
    );
}

/// `landfall.yaml`.
pub(super) fn write_project(tables: &[ProposedTable]) -> String {
    let mut page = YamlPage::default();
    let table = tables.first().map_or("table", |table| table.name.as_str());
    for line in [
        "How this project runs. What the data *are* stands in the data package, see `package` below.",
        "",
        "  landfall check       validates every record and writes nothing",
        "  landfall load        loads the tables, parents first; what breaks a rule goes to the quarantine",
        "  landfall rejects     shows what is there, with every reason",
    ] {
        page.push_line(0, format!("# {line}").trim_end());
    }
    page.push_line(0, "");
    page.push_line(0, "# The database: a SQLite file in this folder, made by the first load.");
    page.push_line(0, "target: sqlite:landfall.db");
    page.push_line(0, "");
    page.push_line(0, "# The data dictionary, an open standard: https://datapackage.org");
    page.push_line(0, &format!("package: {PACKAGE_FILE}"));
    page.push_line(0, "");
    let example = [
        "Reports are named queries. Take the signs away, and put the SQL into the file:",
        "reports:",
        &format!("  count_{table}:"),
        "    title: How many rows there are",
        "    sql: reports/count.sql # SELECT count(*) AS n FROM …",
    ];
    example.iter().for_each(|line| page.push_line(0, &format!("# {line}")));
    page.into_text()
}
