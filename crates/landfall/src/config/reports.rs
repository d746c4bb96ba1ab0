//! `reports` in `landfall.yaml`.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

use landfall_core::schema::{
    Field,
    document::{DescriptorProblems, DocumentNode, MapEntry, NodeValue},
    to_standard::write_field,
};
use landfall_engine::{
    report::{ReportDefinition, ReportParameter},
    targets::TargetKind,
};

use serde_json::{Value, json};

use super::{PROJECT_FILE, read_error, schedule::Schedule};
use crate::exit::CommandError;

/// A report as it is declared; its SQL is read when it is run.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredReport {
    /// The name by which it is asked for.
    pub(crate) name: String,
    /// A label for a person.
    pub(crate) title: Option<String>,
    /// What it tells.
    pub(crate) description: Option<String>,
    /// What may be asked of it.
    pub(crate) parameters: Vec<ReportParameter>,
    /// When the service renews its stored result; without it, none is stored.
    pub(crate) refresh: Option<RefreshRule>,
    sql: SqlFiles,
}

/// When a stored result is renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefreshRule {
    /// After each load, and after rows that were sent.
    OnLoad,
    /// At these times.
    At(Schedule),
}

impl fmt::Display for RefreshRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnLoad => f.write_str("on_load"),
            Self::At(schedule) => schedule.fmt(f),
        }
    }
}

impl DeclaredReport {
    /// The report as JSON: what it tells, and what may be asked of it.
    pub(crate) fn describe_report(&self) -> Value {
        let parameter = |parameter: &ReportParameter| {
            let mut described = write_field(&parameter.field);
            described["default"] = json!(parameter.default);
            described
        };
        json!({
            "name": self.name, "title": self.title, "description": self.description,
            "parameters": self.parameters.iter().map(parameter).collect::<Vec<_>>(),
            "refresh": self.refresh.as_ref().map(ToString::to_string),
        })
    }
}

fn read_refresh(node: &DocumentNode, problems: &DescriptorProblems) -> Option<RefreshRule> {
    match &node.value {
        NodeValue::Text(text) if text == "on_load" => Some(RefreshRule::OnLoad),
        NodeValue::Map(_) => Schedule::read(node, "\"refresh\"", problems).map(RefreshRule::At),
        _ => {
            let mend = "write on_load, or a schedule such as {cron: \"0 6 * * *\", timezone: Europe/Berlin}";
            problems.report_with_mend(&node.place, "\"refresh\" says no time", mend);
            None
        }
    }
}

/// The files of a report's SQL: one text for all databases, or one of its own for some.
#[derive(Debug, Clone, Default)]
struct SqlFiles {
    default: Option<PathBuf>,
    own: Vec<(TargetKind, PathBuf)>,
}

impl SqlFiles {
    /// The file for a database.
    fn file_for(&self, kind: TargetKind) -> Option<&PathBuf> {
        let own = self.own.iter().find(|(own, _)| *own == kind).map(|(_, path)| path);
        own.or(self.default.as_ref())
    }
}

impl DeclaredReport {
    /// The report with its SQL for the database `kind`.
    pub(crate) fn read_definition(&self, kind: TargetKind) -> Result<ReportDefinition, CommandError> {
        let path = self.sql.file_for(kind).ok_or_else(|| self.missing_sql_error(kind))?;
        let sql = std::fs::read_to_string(path).map_err(|error| read_error(path, &error))?;
        Ok(ReportDefinition {
            name: self.name.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            sql,
            parameters: self.parameters.clone(),
        })
    }

    fn missing_sql_error(&self, kind: TargetKind) -> CommandError {
        CommandError::project_error(format!(
            "report {} has no SQL for {kind}; in {PROJECT_FILE}, name a file as `default` or `{kind}` below its `sql`",
            self.name
        ))
    }
}

pub(super) fn read(node: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> Vec<DeclaredReport> {
    let Some(reader) = node.read_map("\"reports\"", problems) else { return Vec::new() };
    reader.entries().iter().filter_map(|entry| read_report(entry, folder, problems)).collect()
}

fn read_report(entry: &MapEntry, folder: &Path, problems: &DescriptorProblems) -> Option<DeclaredReport> {
    let mut reader = entry.node.read_map("a report", problems)?;
    let (title, description) =
        (reader.take_text("title").map(String::from), reader.take_text("description").map(String::from));
    let sql = reader.require_value("sql").and_then(|node| read_sql_files(node, folder, problems));
    let parameters = reader.take_list("parameters").unwrap_or_default();
    let parameters = parameters.iter().filter_map(|node| read_parameter(node, problems)).collect();
    let refresh = reader.take_value("refresh").and_then(|node| read_refresh(node, problems));
    reader.refuse_unknown();
    Some(DeclaredReport { name: entry.key.clone(), title, description, parameters, refresh, sql: sql? })
}

/// One path, or a map of paths: `default`, and one for each database that needs a text of its own.
fn read_sql_files(node: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> Option<SqlFiles> {
    if !matches!(node.value, NodeValue::Map(_)) {
        return Some(SqlFiles { default: Some(read_sql_path(node, folder, problems)?), own: Vec::new() });
    }
    let mut reader = node.read_map("\"sql\"", problems)?;
    if reader.entries().is_empty() {
        let mend = "write a path such as reports/name.sql, or a map with `default`";
        problems.report_with_mend(&node.place, "\"sql\" names no file", mend);
    }
    let mut take = |name| reader.take_value(name).map(|node| read_sql_path(node, folder, problems));
    let default = take("default");
    let own: Vec<_> = TargetKind::ALL.into_iter().filter_map(|kind| Some((kind, take(kind.as_str())?))).collect();
    reader.refuse_unknown();
    // A path that is wrong has been complained about.
    Some(SqlFiles {
        default: default.flatten(),
        own: own.into_iter().filter_map(|(kind, path)| Some((kind, path?))).collect(),
    })
}

/// The file of a report's SQL stays within the project.
fn read_sql_path(node: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> Option<PathBuf> {
    let text = node.read_text("\"sql\"", problems)?;
    let path = Path::new(text);
    // As for the paths of a data package: a project from somebody else must not read files elsewhere.
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if text.is_empty() || !inside {
        let message = format!("the path \"{}\" does not stay within the project", text.escape_debug());
        problems.report_with_mend(&node.place, message, "write a path such as reports/name.sql");
        return None;
    }
    Some(folder.join(path))
}

fn read_parameter(node: &DocumentNode, problems: &DescriptorProblems) -> Option<ReportParameter> {
    let field = Field::from_node(node, problems)?;
    let mut reader = node.read_map("a parameter", problems)?;
    let default = reader.take_value("default").and_then(|node| default_text(node, problems));
    Some(ReportParameter { field, default })
}

/// A default in the field's lexical form; numbers and truth values may stand without quotes.
fn default_text(node: &DocumentNode, problems: &DescriptorProblems) -> Option<String> {
    match &node.value {
        // As it is written: a number that passes through a float may lose digits.
        NodeValue::Text(text) | NodeValue::Number(text) => Some(text.clone()),
        NodeValue::Bool(_) => Some(node.to_json()),
        NodeValue::Null => None,
        _ => node.read_text("\"default\"", problems).map(String::from),
    }
}
