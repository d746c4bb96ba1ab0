//! What all connections of a target have in common, and how their transactions begin.

use std::sync::Arc;

use super::{
    connection::{Connection, Format, Server},
    ddl::{check_name, literal},
    failure::{Context as _, Failure, Outcome},
    parameters::Parameters,
    settings::Settings,
};
use crate::{error::Result, ledger::LoadEntry, target::sql::Spelling};

/// The tables' schema where the URL names none; Landfall's own tables are in the schema `landfall` then.
const USUAL_SCHEMA: &str = "public";
/// The first version in which the server notices that a client is gone while it works.
const CHECKS_CLIENTS_FROM: u32 = 14;
/// The first version in which a setting can be granted.
const GRANTS_SETTINGS_FROM: u32 = 15;

/// What all connections of a target have in common.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) settings: Arc<Settings>,
    /// The schema of Landfall's own tables.
    pub(super) own: String,
    pub(super) spelling: Spelling,
    pub(super) server: Server,
    /// Whether triggers can be switched off for a transaction.
    pub(super) may_replicate: bool,
    /// Whether a pooler such as `PgBouncer` stands between.
    pub(super) is_pooled: bool,
}

/// Whether a transaction writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It writes.
    Write,
    /// It only reads.
    Read,
    /// It only reads, and sees what was committed when it began.
    Snapshot,
}

impl Session {
    /// What is known of the server behind `connection`.
    pub(super) fn new(settings: &Arc<Settings>, connection: &mut Connection) -> Result<Self> {
        check_name("the schema", &settings.schema)?;
        let own = match settings.schema.as_str() {
            USUAL_SCHEMA => "landfall".to_owned(),
            schema => format!("landfall_{schema}"),
        };
        check_name("Landfall's own schema", &own)?;
        let server = connection.server.clone();
        let asking = || "cannot ask the server".to_owned();
        let may_replicate = may_replicate(connection, server.version).context(asking)?;
        let is_pooled = is_pooled(connection, server.process).context(asking)?;
        Ok(Self { settings: settings.clone(), spelling: spelling(&own), own, server, may_replicate, is_pooled })
    }

    /// One more connection. The server was there before: where it cannot be reached now, it was lost.
    pub(super) fn connect(&self) -> Result<Connection> {
        let opened = Connection::open(&self.settings).map_err(|failure| match failure {
            Failure::Unable(sentence) => Failure::Mute(sentence),
            other => other,
        });
        opened.context(|| format!("cannot open {}", self.settings))
    }

    /// Begins a transaction. All settings are its own, since its connection may be another's the next moment; they make
    /// answers the same whatever the server, the database and the role are set to.
    pub(super) fn begin(&self, connection: &mut Connection, using: Use) -> Outcome<()> {
        let mode = match using {
            Use::Write => "READ COMMITTED",
            Use::Read => "READ COMMITTED READ ONLY",
            Use::Snapshot => "REPEATABLE READ READ ONLY",
        };
        let lock_timeout = self.settings.lock_timeout.as_millis();
        let checks = if self.server.version >= CHECKS_CLIENTS_FROM {
            "; SET LOCAL client_connection_check_interval = '5s'"
        } else {
            ""
        };
        let sql = format!(
            "BEGIN ISOLATION LEVEL {mode}; SET LOCAL lock_timeout = {lock_timeout}; \
             SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
             SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL bytea_output = 'hex'; \
             SET LOCAL extra_float_digits = 1; SET LOCAL standard_conforming_strings = on{checks}"
        );
        connection.batch(&sql).map(drop)
    }

    /// Waits until no other process makes or alters tables, until the transaction ends.
    pub(super) fn lock(&self, connection: &mut Connection) -> Outcome<()> {
        // The number says whose lock it is; the second, of which schema.
        let sql =
            format!("SELECT pg_catalog.pg_advisory_xact_lock(1279348294, pg_catalog.hashtext({}))", literal(&self.own));
        connection.batch(&sql).map(drop)
    }

    /// Waits until no other process begins to load the same source into the same table, until the transaction ends.
    pub(super) fn lock_source(&self, connection: &mut Connection, entry: &LoadEntry) -> Outcome<()> {
        let source = format!("{} {:?} {:?}", self.own, entry.table, entry.source);
        let sql =
            format!("SELECT pg_catalog.pg_advisory_xact_lock(1279348295, pg_catalog.hashtext({}))", literal(&source));
        connection.batch(&sql).map(drop)
    }

    /// The name of one of Landfall's own tables.
    pub(super) fn own(&self, table: &str) -> String {
        self.spelling.own(table)
    }
}

fn spelling(own: &str) -> Spelling {
    Spelling {
        own: format!("{}.", super::ddl::quoted(own)),
        or_nothing: " ON CONFLICT DO NOTHING",
        // JSON may have a NUL in it, text may not.
        errors: r"pg_catalog.json_array_elements(pg_catalog.replace(r.errors, '\u0000', '\ufffd')::json) AS e (value)",
        code: "((e.value ->> 'code') COLLATE \"C\")",
        field: "((e.value ->> 'field') COLLATE \"C\")",
        value: "((e.value ->> 'value') COLLATE \"C\")",
    }
}

/// Whether the role may say that a transaction applies what is known to be sound, so that triggers need not run.
fn may_replicate(connection: &mut Connection, version: u32) -> Outcome<bool> {
    let granted = if version >= GRANTS_SETTINGS_FROM {
        " OR pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
    } else {
        ""
    };
    let sql = format!("SELECT rolsuper{granted} FROM pg_catalog.pg_roles WHERE rolname = current_user");
    let mut may = false;
    connection.query(&sql, &Parameters::default(), Format::Text, &mut |_, row| {
        may = row.first().copied().flatten() == Some(b"t");
        Ok(())
    })?;
    Ok(may)
}

/// Whether the server's process is another than the one that was told when the connection began: a pooler tells a number of
/// its own.
fn is_pooled(connection: &mut Connection, told: i32) -> Outcome<bool> {
    let sql = format!("SELECT WHERE pg_catalog.pg_backend_pid() <> {told}");
    connection.execute(&sql, &Parameters::default()).map(|rows| rows > 0)
}
