//! Reports: named queries with typed parameters, run against a target and written in one of several formats.
//!
//! Rows go from the database to the output one by one; only a table, which needs to know its widths, is collected first.

mod binding;
mod csv;
mod format;
mod json;
mod lines;
mod markup;
mod stored_result;
mod table;

#[cfg(test)]
mod tests;

use std::io::Write;

use landfall_core::{keys::Scalar, schema::Field};

pub use self::{format::ReportFormat, stored_result::StoredResult};
use self::{markup::MarkupLanguage, stored_result::ResultCollector};
use crate::{
    error::{Error, Result},
    targets::{QueryRows, Target},
};

/// A named query.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportDefinition {
    /// The name by which it is asked for.
    pub name: String,
    /// A label for a person.
    pub title: Option<String>,
    /// What it tells.
    pub description: Option<String>,
    /// One SELECT; parameters are written `:name`.
    pub sql: String,
    /// What may be asked of it.
    pub parameters: Vec<ReportParameter>,
}

/// A parameter of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportParameter {
    /// Name, type and constraints, as in the data dictionary.
    pub field: Field,
    /// The value where none is given, in the field's lexical form.
    pub default: Option<String>,
}

impl ReportDefinition {
    /// The values of all parameters, in their order; `given` are names and texts.
    ///
    /// # Errors
    /// A name that is no parameter or is given twice, a parameter without a value, or a value that breaks a rule.
    pub fn bind_values(&self, given: &[(String, String)]) -> Result<Vec<(String, Scalar)>> {
        binding::bind_parameters(self, given)
    }

    /// Runs the report with `values` and writes its result to `out`; the number of rows.
    ///
    /// # Errors
    /// SQL that the target refuses, or an output that cannot be written.
    pub fn run(
        &self,
        target: &dyn Target,
        values: &[(String, Scalar)],
        format: ReportFormat,
        out: &mut dyn Write,
    ) -> Result<u64> {
        self.write(&|rows| target.run_query(&self.sql, values, rows), format, out)
    }

    /// Runs the report with `values`, to keep its result; at most about `most` bytes.
    ///
    /// # Errors
    /// SQL that the target refuses, or a larger result.
    pub fn collect_result(
        &self,
        target: &dyn Target,
        values: &[(String, Scalar)],
        most: usize,
    ) -> Result<StoredResult> {
        let mut collector = ResultCollector::new(most);
        target.run_query(&self.sql, values, &mut collector)?;
        Ok(collector.into_result())
    }

    /// Writes the rows that `rows` hands over to `out`; how many there were.
    ///
    /// # Errors
    /// Those of `rows`, or an output that cannot be written.
    pub fn write(
        &self,
        rows: &dyn Fn(&mut dyn QueryRows) -> Result<()>,
        format: ReportFormat,
        out: &mut dyn Write,
    ) -> Result<u64> {
        match format {
            ReportFormat::Table => write_with(rows, table::TableWriter::new(out)),
            ReportFormat::Csv { guard_formulas } => write_with(rows, csv::CsvWriter::new(out, guard_formulas)),
            ReportFormat::Json => write_with(rows, json::JsonWriter::new(out)),
            ReportFormat::JsonLines => write_with(rows, lines::JsonLinesWriter::new(out)),
            ReportFormat::Markdown => {
                write_with(rows, markup::MarkupWriter::new(out, MarkupLanguage::Markdown, self.report_label()))
            }
            ReportFormat::Html => {
                write_with(rows, markup::MarkupWriter::new(out, MarkupLanguage::Html, self.report_label()))
            }
        }
    }

    fn report_label(&self) -> &str {
        self.title.as_ref().unwrap_or(&self.name)
    }
}

fn write_with(rows: &dyn Fn(&mut dyn QueryRows) -> Result<()>, mut writer: impl ResultWriter) -> Result<u64> {
    rows(&mut writer)?;
    writer.finish_output()
}

/// Writes a result in one format.
trait ResultWriter: QueryRows {
    /// Ends the output; the number of rows.
    fn finish_output(self) -> Result<u64>;
}

/// The error for an output that cannot be written. The cause stays in the chain, so that a closed pipe can be told.
fn output_error(cause: std::io::Error) -> Error {
    Error::System { doing: "write the report", cause }
}
