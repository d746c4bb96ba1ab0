//! Tests against real servers, which they start themselves.

mod commits;
mod connection;
mod encode;
mod pipelined;
mod target;

use std::{path::Path, sync::Arc};

use super::{connection::Connection, failure::Outcome, parameters::Parameters, settings::Settings};

/// Settings for a URL.
fn settings(url: &str) -> Arc<Settings> {
    Arc::new(Settings::parse(url, Path::new("/")).unwrap_or_else(|fault| panic!("{fault}")))
}

/// A connection to a URL.
fn open(url: &str) -> Outcome<Connection> {
    Connection::open(&settings(url))
}

/// The words of a failure.
fn words<T>(outcome: Outcome<T>) -> String {
    outcome.err().expect("a failure").told("cannot do it").to_string()
}

/// The answer to `sql`, values by `|`, rows by line ends.
fn ask(connection: &mut Connection, sql: &str, parameters: &Parameters) -> Outcome<String> {
    let mut text = String::new();
    connection.query(sql, parameters, super::connection::Format::Text, &mut |_, values| {
        let values: Vec<_> =
            values.iter().map(|value| value.map_or("NULL".into(), |bytes| String::from_utf8_lossy(bytes))).collect();
        text += &format!("{}\n", values.join("|"));
        Ok(())
    })?;
    Ok(text)
}
