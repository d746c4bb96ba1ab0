//! Loads whose records were all rejected for one cause: then the dictionary is wrong, and not the data.

use std::path::Path;

use landfall_core::reject::ErrorCode;
use landfall_engine::{
    escape_controls, init,
    pipeline::{LoadOutcome, RejectReason},
    source::Source,
};

use super::reasons::merge_reasons;
use crate::counts::group_thousands;

/// One line, where all records of the loads of a table were rejected for one cause; `project` is the folder of their files.
pub(super) fn explain_total_rejection(loads: &[&LoadOutcome], project: &Path) -> Option<String> {
    let sum = |count: fn(&LoadOutcome) -> u64| loads.iter().map(|load| count(load)).sum::<u64>();
    let (read, rejected) = (sum(|load| load.counts.read), sum(|load| load.counts.rejected));
    // One record alone says nothing of the dictionary.
    if read < 2 || rejected != read {
        return None;
    }
    // A record that is cut in the wrong places has errors of values, too: the cause comes first among the codes.
    let reasons = merge_reasons(loads);
    let reason = reasons.iter().filter(|reason| reason.count >= rejected).min_by_key(|reason| reason.code)?;
    let advice = suggest_correction(reason, loads.first()?, project);
    Some(format!("  all {} records are rejected for one cause: {advice}\n", group_thousands(read)))
}

fn suggest_correction(reason: &RejectReason, load: &LoadOutcome, project: &Path) -> String {
    let field = escape_controls(reason.field.as_deref().unwrap_or("the field")).into_owned();
    match reason.code {
        ErrorCode::MissingCell | ErrorCode::ExtraCell => suggest_delimiter(load, project),
        ErrorCode::TypeError => format!(
            "no value of {field} fits its type: correct the type of the field, or its format, decimalChar, groupChar or missingValues"
        ),
        ErrorCode::ConstraintError => {
            format!("no value of {field} keeps its constraints: correct them in the data package")
        }
        ErrorCode::ForeignKey => {
            format!("no parent of {field} is there: load the parent table first, or correct foreignKeys")
        }
        ErrorCode::EncodingError => "the files are in another encoding: correct encoding of the resource".into(),
        ErrorCode::SourceError => "quotes mean something else in the files: correct quoteChar in the dialect".into(),
        code => format!("{code}"),
    }
}

/// Cells that are missing or too many come from a delimiter that the file does not have, if it has another one.
fn suggest_delimiter(load: &LoadOutcome, project: &Path) -> String {
    let source = Source::from_file(&*load.source, project.join(&load.source));
    match init::guess_delimiter(&source) {
        Ok(Some(delimiter)) => format!(
            "they have another number of cells than the table has fields. The file has the delimiter {delimiter:?}: compare it with \
             delimiter in the dialect, and the fields with the columns"
        ),
        _ => "they have another number of cells than the table has fields: correct delimiter in the dialect, or the fields".into(),
    }
}
