//! `landfall report`.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use landfall_core::schema::document::find_nearest;
use landfall_engine::{
    Error, TargetErrorKind, escape_controls,
    report::{ReportDefinition, ReportFormat},
    targets::TargetAccess,
};

use serde_json::{Value, json};

use super::{Invocation, complete};
use crate::{
    config::DeclaredReport,
    exit::{CommandError, Exit},
    output::{self, ReplaceFile},
};

/// Run a report, or list the reports with their parameters.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// The report; without it, the reports are listed.
    #[arg(value_name = "NAME", add = complete::offer_reports())]
    name: Option<String>,
    /// The value of a parameter, such as year=2021; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_parameter, requires = "name")]
    parameters: Vec<(String, String)>,
    /// The format of the result.
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = name_formats(), requires = "name")]
    format: ReportFormat,
    /// In csv, put ' before texts that a spreadsheet would run as a formula: those that begin with = + - @ (also in full width), a
    /// space, a tab or a line end.
    #[arg(long, requires = "name")]
    guard_formulas: bool,
    /// Write the result to this file. The file appears once it is complete.
    #[arg(long, value_name = "FILE", requires = "name")]
    out: Option<PathBuf>,
    /// Overwrite an existing file.
    #[arg(long, requires = "out")]
    force: bool,
}

pub(super) fn run(args: ReportArgs, invocation: &Invocation) -> Result<Exit> {
    let json = invocation.globals.json;
    let format = choose_format(&args)?;
    if json && format != ReportFormat::Table {
        return Err(CommandError::usage_error("--json and --format contradict each other; use one of them").into());
    }
    let settings = invocation.read_settings()?;
    let Some(name) = &args.name else {
        if json {
            let reports: Vec<Value> = settings.reports.iter().map(DeclaredReport::describe_report).collect();
            output::print_document(&json!({ "reports": reports }))?;
        } else {
            output::print_result(&render_listing(&settings.reports))?;
        }
        return Ok(Exit::Done);
    };
    let report = find(&settings.reports, name)?.read_definition(settings.target.kind())?;
    let values = report.bind_values(&args.parameters)?;
    let opened = invocation.open_with(settings, TargetAccess::Read)?;
    let replace = if args.force { ReplaceFile::Yes } else { ReplaceFile::No };
    output::to_file_or_stdout(args.out.as_ref(), replace, |out| {
        if !json {
            let written = report.run(&*opened.target, &values, format, out).map(drop);
            return written.map_err(|error| blame_project(error, &report));
        }
        // By hand, since the rows go out as they come: a report may be larger than the memory.
        write!(out, "{{\"report\":{},\"rows\":", json!(report.name))?;
        let rows = report.run(&*opened.target, &values, ReportFormat::Json, out);
        rows.map_err(|error| blame_project(error, &report))?;
        Ok(out.write_all(b"}\n")?)
    })?;
    Ok(Exit::Done)
}

/// The names of all formats.
fn name_formats() -> impl TypedValueParser<Value = ReportFormat> {
    let names = PossibleValuesParser::new(ReportFormat::ALL.map(ReportFormat::as_str));
    names.map(|name| ReportFormat::parse(&name).unwrap_or_default())
}

fn choose_format(args: &ReportArgs) -> Result<ReportFormat, CommandError> {
    match args.format {
        ReportFormat::Csv { .. } => Ok(args.format.with_guard(args.guard_formulas)),
        _ if args.guard_formulas => Err(CommandError::usage_error("--guard-formulas is for --format csv")),
        other => Ok(other),
    }
}

fn find<'a>(reports: &'a [DeclaredReport], name: &str) -> Result<&'a DeclaredReport, CommandError> {
    reports.iter().find(|report| report.name == name).ok_or_else(|| {
        let names: Vec<&str> = reports.iter().map(|report| &*report.name).collect();
        let mend = match find_nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None if names.is_empty() => "landfall.yaml declares none".into(),
            None => format!("the reports are {}", names.join(", ")),
        };
        CommandError::usage_error(format!("there is no report {name:?}; {mend}"))
    })
}

/// SQL that the database refuses is the project's fault.
fn blame_project(error: Error, report: &ReportDefinition) -> anyhow::Error {
    let of_sql = match &error {
        Error::Usage(_) => true,
        Error::Target(error) => error.kind == TargetErrorKind::Statement,
        _ => false,
    };
    if of_sql { CommandError::project_error(format!("report {}: {error}", report.name)).into() } else { error.into() }
}

fn render_listing(reports: &[DeclaredReport]) -> String {
    if reports.is_empty() {
        return "landfall.yaml declares no reports.\n".into();
    }
    reports.iter().fold(String::new(), |mut text, report| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", report.name);
        for line in report.title.iter().chain(&report.description) {
            let _ = writeln!(text, "  {}", escape_controls(line.trim_end()));
        }
        for parameter in &report.parameters {
            let description = parameter.field.description.as_deref().map(|text| format!(": {text}"));
            let _ = writeln!(
                text,
                "  --param {}{}",
                parameter.describe_parameter(),
                escape_controls(&description.unwrap_or_default())
            );
        }
        text
    })
}

fn parse_parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".into()),
    }
}
