//! The files of a proposal, for a newcomer to read.

use std::path::Path;

use landfall_core::{
    decode::NULL_CELL,
    schema::{
        BooleanWords, Field, FieldType, HeaderMatch, HeaderRows, NumberFormat, StrayQuotes, StringFormat,
        TemporalFormat, to_standard::encoding_label,
    },
};

use super::{
    PACKAGE_FILE, ProposedTable,
    findings::{Finding, FindingSubject},
    foreign::PossibleLink,
    names,
    yaml::{YamlPage, write_scalar},
};

/// The data package of `tables`, whose files are in `folder`, with what is to be said about each.
pub(super) fn write_package(folder: &Path, tables: &[ProposedTable], findings: &[Vec<Finding>]) -> String {
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
    for (table, findings) in tables.iter().zip(findings) {
        ResourceWriter { table, tables, findings }.write_resource(&mut page);
    }
    page.into_text()
}

/// The name of the folder, as far as it is fit for one.
fn project_name(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map(|name| names::to_snake_case(&name.to_string_lossy())).unwrap_or_default();
    if name.is_empty() { "data".into() } else { name.replace('_', "-") }
}

/// Writes one table.
struct ResourceWriter<'t> {
    table: &'t ProposedTable,
    tables: &'t [ProposedTable],
    findings: &'t [Finding],
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

impl ResourceWriter<'_> {
    fn write_resource(&self, page: &mut YamlPage) {
        let table = self.table;
        page.push_line(0, "");
        self.push_findings(page, 1, FindingSubject::Table);
        page.push_line(1, &format!("- name: {} # also the name of the SQL table", write_scalar(&table.name)));
        write_paths(page, table);
        self.push_findings(page, 2, FindingSubject::Encoding);
        let encoding = encoding_label(table.form.encoding);
        page.push_line(2, &format!("encoding: {encoding}{}", trailing_comment(table.encoding_remark().as_deref())));
        self.write_dialect(page);
        page.push_line(2, "schema:");
        page.push_line(3, "fields:");
        (0..table.fields.len()).for_each(|at| self.write_field(page, at));
        self.write_primary_key(page);
        self.write_foreign_keys(page);
    }

    /// The comments about `subject`, each with what could be written instead.
    fn push_findings(&self, page: &mut YamlPage, depth: usize, subject: FindingSubject) {
        for finding in self.findings.iter().filter(|finding| finding.comment && finding.subject == subject) {
            page.push_comment(depth, &finding.words);
            if let Some(snippet) = &finding.snippet {
                page.push_line(depth, &format!("# {snippet}"));
            }
        }
    }

    fn write_dialect(&self, page: &mut YamlPage) {
        let (table, dialect) = (self.table, &self.table.form.dialect);
        page.push_line(2, "dialect:");
        self.push_findings(page, 3, FindingSubject::Dialect);
        let header = dialect.header != HeaderRows::None;
        page.push_line(3, &format!("header: {header} # {}", table.header_remark()));
        if let HeaderRows::At(rows) = &dialect.header
            && *rows != [1]
        {
            let remark =
                if rows.len() > 1 { "the names stand in these lines" } else { "what stands before it is left out" };
            page.push_line(3, &format!("headerRows: {rows:?} # {remark}"));
        }
        if dialect.header_match == HeaderMatch::Position {
            page.push_line(3, "headerMatch: position # the fields below are in the order of the columns");
        }
        let comments: Vec<u64> =
            dialect.comment_rows.iter().copied().filter(|row| !table.repeated_rows.contains(row)).collect();
        if !comments.is_empty() {
            page.push_line(3, &format!("commentRows: {comments:?}"));
        }
        let character = |byte: u8| write_scalar(&char::from(byte).to_string());
        page.push_line(3, &format!("delimiter: {}", write_scalar(dialect.delimiter.as_str())));
        if dialect.skip_initial_space {
            page.push_line(3, "skipInitialSpace: true # spaces behind delimiters are no part of the cells");
        }
        if dialect.trim {
            page.push_line(3, "trim: true # blanks around cells are no part of them");
        }
        if let Some(comment) = dialect.comment_char {
            page.push_line(3, &format!("commentChar: {}", character(comment)));
        }
        match dialect.quote_char {
            Some(b'"') => {}
            Some(quote) => page.push_line(3, &format!("quoteChar: {}", character(quote))),
            None => page.push_line(3, "quoteChar: \"\" # quotes have no meaning here"),
        }
        if dialect.stray_quotes == StrayQuotes::Literal {
            page.push_line(3, "strayQuotes: literal # quotes within quoted cells that are not doubled are text");
        }
        if let Some(escape) = dialect.escape_char {
            page.push_line(3, &format!("escapeChar: {}", character(escape)));
        }
        if let Some(null) = &dialect.null_sequence {
            page.push_line(3, &format!("nullSequence: {} # as MySQL writes files", write_scalar(null)));
        }
    }

    fn write_field(&self, page: &mut YamlPage, at: usize) {
        let (table, field) = (self.table, &self.table.fields[at]);
        let rename = if table.head.first.has_names() { "" } else { " # give it a name of yours" };
        page.push_line(4, &format!("- name: {}{rename}", write_scalar(&field.name)));
        self.push_findings(page, 5, FindingSubject::Field(at));
        page.push_line(5, &format!("type: {}", field.kind.name()));
        type_properties(field).iter().for_each(|property| page.push_line(5, property));
        let words: Vec<String> =
            field.missing_values.iter().filter(|word| *word != NULL_CELL).map(|word| write_scalar(word)).collect();
        if words.len() > 1 {
            page.push_line(5, &format!("missingValues: [{}]", words.join(", ")));
        }
        match (field.constraints.required, table.keys.referred.contains(&at)) {
            (true, true) => page.push_line(5, "constraints: {required: true, unique: true}"),
            (true, false) => page.push_line(5, "constraints: {required: true}"),
            (false, true) => page.push_line(5, "constraints: {unique: true}"),
            (false, false) => {}
        }
    }

    fn write_primary_key(&self, page: &mut YamlPage) {
        let table = self.table;
        self.push_findings(page, 3, FindingSubject::PrimaryKey);
        if table.keys.primary.is_empty() {
            page.push_comment(3, "Without a primary key, a changed file that is loaded again is added as a whole.");
            return;
        }
        let names: Vec<String> = table.keys.primary.iter().map(|&at| write_scalar(&table.fields[at].name)).collect();
        page.push_line(3, &format!("primaryKey: [{}]", names.join(", ")));
    }

    fn write_foreign_keys(&self, page: &mut YamlPage) {
        self.push_findings(page, 3, FindingSubject::ForeignKey);
        if !self.table.links.keys.is_empty() {
            page.push_line(3, "foreignKeys: # parents load first");
            self.table.links.keys.iter().for_each(|link| self.write_foreign_key(page, link));
        }
    }

    fn write_foreign_key(&self, page: &mut YamlPage, link: &PossibleLink) {
        let (table, parent) = (self.table, &self.tables[link.parent]);
        page.push_comment(4, &table.describe_link(link, self.tables));
        page.push_line(4, &format!("- fields: [{}]", write_scalar(&table.fields[link.field].name)));
        let (name, key) = (write_scalar(&parent.name), write_scalar(&parent.fields[link.key].name));
        page.push_line(5, &format!("reference: {{resource: {name}, fields: [{key}]}}"));
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
        FieldType::Number(NumberFormat { decimal_char, group_char, bare_number }) => {
            let point = (decimal_char != ".").then(|| format!("decimalChar: {}", write_scalar(decimal_char)));
            point.into_iter().chain(digit_properties(group_char.as_deref(), *bare_number)).collect()
        }
        FieldType::Integer { bare_number, group_char, zero_decimals } => {
            let zeros = zero_decimals.then(|| "decimals: zero".to_owned());
            zeros.into_iter().chain(digit_properties(group_char.as_deref(), *bare_number)).collect()
        }
        FieldType::Boolean(words) if *words != BooleanWords::default() => {
            let list = |words: &[String]| words.iter().map(|word| write_scalar(word)).collect::<Vec<_>>().join(", ");
            vec![
                format!("trueValues: [{}]", list(&words.true_values)),
                format!("falseValues: [{}]", list(&words.false_values)),
            ]
        }
        FieldType::String(StringFormat::Email) => vec!["format: email".into()],
        FieldType::String(StringFormat::Uri) => vec!["format: uri".into()],
        FieldType::String(StringFormat::Uuid) => vec!["format: uuid".into()],
        _ => Vec::new(),
    }
}

/// The properties that integers and other numbers share.
fn digit_properties(group_char: Option<&str>, bare_number: bool) -> impl Iterator<Item = String> {
    let group = group_char.map(|group| format!("groupChar: {}", write_scalar(group)));
    group.into_iter().chain((!bare_number).then(|| "bareNumber: false".to_owned()))
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
