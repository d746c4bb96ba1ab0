//! How the files of a table are written, as its service tells it.

use anyhow::Result;
use landfall_core::schema::{Dialect, Encoding, Package};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    PushOptions,
    client::{PushClient, ServiceRequest},
};
use crate::exit::{CommandError, Exit};

/// How the files of a table are written.
#[derive(Debug)]
pub(crate) struct FileForm {
    pub(super) dialect: Dialect,
    pub(super) encoding: Encoding,
}

/// What the service knows of a table, as far as it matters here.
#[derive(Deserialize)]
struct TableAnswer {
    dialect: Value,
    encoding: String,
}

/// Asks the service how the files of the table are written.
///
/// # Errors
/// A service that does not answer, does not let this token in, does not know the table, or is too old to tell.
pub(crate) fn ask_file_form(client: &PushClient, options: &PushOptions) -> Result<FileForm> {
    let (attempts, answer) = client.send_until_answered(&ServiceRequest::Table);
    let answer = answer.map_err(|trouble| match trouble.status {
        Some(404) => CommandError::usage_error(format!(
            "{} has no table {:?} (or this token may not see it)",
            options.service, options.table
        )),
        _ => trouble.to_command_error(&format!("cannot ask {} for the table", options.service), attempts),
    })?;
    let told: TableAnswer = serde_json::from_slice(&answer.body).map_err(|_| {
        CommandError::with_exit(
            Exit::Target,
            format!(
                "{} does not tell how the files of the table are written: it is no `landfall serve`, or an older one",
                options.service
            ),
        )
    })?;
    read(&told).map_err(|error| CommandError::with_exit(Exit::Target, format!("{}: {error:#}", options.service)).into())
}

/// Reads the dialect by the rules of a data package.
fn read(told: &TableAnswer) -> Result<FileForm> {
    // In the reader of data packages, so that a dialect means here what it means to the service.
    let package = json!({"resources": [{
        "name": "table", "path": "file.csv", "dialect": told.dialect, "encoding": told.encoding,
        "schema": {"fields": [{"name": "any", "type": "string"}]},
    }]});
    let mut package = Package::from_json(&package.to_string(), "the table").map_err(landfall_engine::Error::from)?;
    let resource = package.resources.remove(0);
    Ok(FileForm { dialect: resource.dialect, encoding: resource.encoding })
}
