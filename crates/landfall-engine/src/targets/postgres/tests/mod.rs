//! Tests against real servers, which they start themselves.

mod commits;
mod connection;
mod encode;
mod pipelined;
mod target;

use std::{path::Path, sync::Arc};

use super::{
    connection::PostgresConnection, failure::PostgresResult, parameters::BoundParameters, settings::PostgresSettings,
};

/// Settings for a URL.
fn settings(url: &str) -> Arc<PostgresSettings> {
    Arc::new(PostgresSettings::parse(url, Path::new("/")).unwrap_or_else(|fault| panic!("{fault}")))
}

/// A connection to a URL.
fn open(url: &str) -> PostgresResult<PostgresConnection> {
    PostgresConnection::open(&settings(url))
}

/// The words of a failure.
fn words<T>(outcome: PostgresResult<T>) -> String {
    outcome.err().expect("a failure").into_error("cannot do it").to_string()
}

/// The answer to `sql`, values by `|`, rows by line ends.
fn ask(connection: &mut PostgresConnection, sql: &str, parameters: &BoundParameters) -> PostgresResult<String> {
    let mut text = String::new();
    connection.run_query(sql, parameters, super::connection::ValueFormat::Text, &mut |_, values| {
        let values: Vec<_> =
            values.iter().map(|value| value.map_or("NULL".into(), |bytes| String::from_utf8_lossy(bytes))).collect();
        text += &format!("{}\n", values.join("|"));
        Ok(())
    })?;
    Ok(text)
}
