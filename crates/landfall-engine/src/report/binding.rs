//! The values of a report's parameters.

use landfall_core::{keys::Scalar, reject::CellError, validate::ValueReader};

use super::{ReportDefinition, ReportParameter};
use crate::error::{Error, Result};

pub(super) fn bind_parameters(report: &ReportDefinition, given: &[(String, String)]) -> Result<Vec<(String, Scalar)>> {
    check_names(report, given)?;
    report
        .parameters
        .iter()
        .map(|parameter| Ok((parameter.field.name.to_string(), bind_value(report, parameter, given)?)))
        .collect()
}

fn check_names(report: &ReportDefinition, given: &[(String, String)]) -> Result<()> {
    for (at, (name, _)) in given.iter().enumerate() {
        if !report.parameters.iter().any(|parameter| *parameter.field.name == **name) {
            let known = known_parameters(report);
            return Err(Error::Usage(format!("report {} has no parameter {name:?}; {known}", report.name)));
        }
        // Which of two values counts would depend on who reads the URL.
        if given[..at].iter().any(|(earlier, _)| earlier == name) {
            return Err(Error::Usage(format!("parameter {name} is given twice")));
        }
    }
    Ok(())
}

fn bind_value(report: &ReportDefinition, parameter: &ReportParameter, given: &[(String, String)]) -> Result<Scalar> {
    let name = &*parameter.field.name;
    let typed = given.iter().find(|(known, _)| known == name).map(|(_, text)| text);
    let Some(text) = typed.or(parameter.default.as_ref()) else {
        let known = known_parameters(report);
        return Err(Error::Usage(format!("report {} needs a value for {name}; {known}", report.name)));
    };
    if is_left_empty(parameter, typed) {
        return Err(Error::Usage(format!(
            "parameter {name} is empty; give it a value, or leave it out where it has a default"
        )));
    }
    let whose = if typed.is_some() { "parameter" } else { "the default of parameter" };
    let reader = ValueReader::new(&parameter.field)
        .map_err(|error| Error::Usage(format!("parameter {name} of report {}: {error}", report.name)))?;
    reader.read(text).map_err(|errors| Error::Usage(format!("{whose} {name}: {}", join_messages(name, &errors))))
}

/// Whether an empty text would only stand for a missing value, with which a report finds nothing. A parameter that may be missing says
/// so: by its own `missingValues`, or by a default that is empty.
fn is_left_empty(parameter: &ReportParameter, typed: Option<&String>) -> bool {
    let usual = *parameter.field.missing_values == [""];
    usual && typed.is_some_and(String::is_empty) && parameter.default.as_deref() != Some("")
}

/// The messages without their field: the parameter is named before them.
fn join_messages(name: &str, errors: &[CellError]) -> String {
    let field = format!("field {name:?}: ");
    let messages = errors.iter().map(|error| error.message.strip_prefix(&field).unwrap_or(&error.message));
    messages.collect::<Vec<_>>().join("; ")
}

/// What can be given, as in `its parameters are: year (integer, default 2021)`.
fn known_parameters(report: &ReportDefinition) -> String {
    let described: Vec<String> = report.parameters.iter().map(ReportParameter::describe_parameter).collect();
    match described.len() {
        0 => "it takes no parameters".into(),
        1 => format!("its parameter is {}", described[0]),
        _ => format!("its parameters are {}", described.join(", ")),
    }
}

impl ReportParameter {
    /// Name, type and default, as in `year (integer, default 2021)`.
    #[must_use]
    pub fn describe_parameter(&self) -> String {
        let default = self.default.as_ref().map(|text| format!(", default {text}")).unwrap_or_default();
        format!("{} ({}{default})", self.field.name, self.field.kind.name())
    }
}
