//! What all connections of a target have in common, and how their transactions begin.

use std::sync::Arc;

use super::{
    connection::{PostgresConnection, ServerFacts, ValueFormat},
    ddl::{check_name, quote_literal},
    failure::{PostgresContext as _, PostgresFailure, PostgresResult, ServerRefusal},
    parameters::BoundParameters,
    settings::PostgresSettings,
};
use crate::{error::Result, ledger::LoadEntry, targets::sql::SqlSpelling};

/// SQLSTATEs of a server that does not offer what was asked for, and of one that is not to be written.
const NO_SUCH_FEATURE: &str = "0A000";
const READ_ONLY: &str = "25006";
/// The tables' schema where the URL names none; Landfall's own tables are in the schema `landfall` then.
const USUAL_SCHEMA: &str = "public";
/// The first version in which the server notices that a client is gone while it works.
const CHECKS_CLIENTS_FROM: u32 = 14;
/// The first version in which the server may end a transaction that takes long.
const LIMITS_TRANSACTIONS_FROM: u32 = 17;
/// The first version in which a setting can be granted.
const GRANTS_SETTINGS_FROM: u32 = 15;

/// What all connections of a target have in common.
#[derive(Debug)]
pub(super) struct PostgresSession {
    pub(super) settings: Arc<PostgresSettings>,
    /// The schema of Landfall's own tables.
    pub(super) own: String,
    pub(super) spelling: SqlSpelling,
    pub(super) server: ServerFacts,
    /// Whether triggers can be switched off for a transaction.
    pub(super) may_replicate: bool,
    /// Whether a pooler such as `PgBouncer` stands between.
    pub(super) is_pooled: bool,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionUse {
    /// It writes.
    Write,
    /// It only reads.
    Read,
    /// It only reads, and sees what was committed when it began.
    Snapshot,
    /// It runs a report: a query of the user's, which sees what the role may see.
    Report,
}

impl TransactionUse {
    const fn mode(self) -> &'static str {
        match self {
            // An owner who freezes a database by default_transaction_read_only means it: no READ WRITE here.
            Self::Write => "READ COMMITTED",
            Self::Read | Self::Report => "READ COMMITTED READ ONLY",
            Self::Snapshot => "REPEATABLE READ READ ONLY",
        }
    }

    /// What this use needs beside the settings that are common to all.
    ///
    /// - Row-level security is an error: where the role may not see all rows, nothing that is counted, looked for or backed up would
    ///   be whole. A report is the user's own.
    /// - A commit that was answered survives a crash of the server. Where more than that is asked for, that stays.
    const fn settings(self) -> &'static str {
        match self {
            Self::Write => {
                "; SET LOCAL row_security = off; \
                 SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
                 WHERE pg_catalog.current_setting('synchronous_commit') = 'off'"
            }
            Self::Read | Self::Snapshot => "; SET LOCAL row_security = off",
            Self::Report => "; SET LOCAL row_security = on",
        }
    }
}

/// Begins a transaction that asks what the server is like, whatever time limits the role has.
const ASKING: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
    SET LOCAL idle_in_transaction_session_timeout = 0";

/// The settings of every transaction by which answers are the same whatever the server, the database, the role and a trigger at login
/// have set. What they put into the path of names stays behind the server's own names, for triggers that rely on it.
const SETTINGS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
    SET LOCAL client_encoding = 'UTF8'; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; \
    SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; \
    SET LOCAL standard_conforming_strings = on; SET LOCAL array_nulls = on; SET LOCAL transform_null_equals = off; \
    SET LOCAL quote_all_identifiers = off; SET LOCAL xmloption = content; SET LOCAL gin_fuzzy_search_limit = 0; \
    SELECT pg_catalog.set_config('search_path', \
        'pg_catalog, ' || coalesce(nullif(pg_catalog.current_setting('search_path'), ''), 'pg_catalog'), true)";

impl PostgresSession {
    /// What is known of the server behind `connection`.
    pub(super) fn new(settings: &Arc<PostgresSettings>, connection: &mut PostgresConnection) -> Result<Self> {
        check_name("the schema", &settings.schema)?;
        let own = match settings.schema.as_str() {
            USUAL_SCHEMA => "landfall".to_owned(),
            schema => format!("landfall_{schema}"),
        };
        check_name("Landfall's own schema", &own)?;
        let server = connection.server.clone();
        let asking = || "cannot ask the server".to_owned();
        connection.run_batch(ASKING).context(asking)?;
        let may_replicate = may_replicate(connection, server.version).context(asking)?;
        if !may_replicate {
            refuse_replica(connection)?;
        }
        let is_pooled = is_pooled_connection(connection, server.process).context(asking)?;
        connection.commit_transaction().context(asking)?;
        Ok(Self {
            settings: settings.clone(),
            spelling: postgres_spelling(&own),
            own,
            server,
            may_replicate,
            is_pooled,
        })
    }

    /// One more connection. The server was there before: where it cannot be reached now, it was lost.
    pub(super) fn open_connection(&self) -> Result<PostgresConnection> {
        let opened = PostgresConnection::open(&self.settings).map_err(|failure| match failure {
            PostgresFailure::Unable(sentence) => PostgresFailure::Mute(sentence),
            other => other,
        });
        let mut connection = opened.context(|| format!("cannot open {}", self.settings))?;
        if !self.may_replicate {
            let asking = || "cannot ask the server".to_owned();
            connection.run_batch(ASKING).context(asking)?;
            refuse_replica(&mut connection)?;
            connection.commit_transaction().context(asking)?;
        }
        Ok(connection)
    }

    /// Begins a transaction. All settings are its own, since its connection may be another's the next moment; they make
    /// answers the same whatever the server, the database and the role are set to.
    pub(super) fn begin_transaction(
        &self,
        connection: &mut PostgresConnection,
        using: TransactionUse,
    ) -> PostgresResult<()> {
        connection.run_batch(&self.beginning(using)).map(drop).map_err(explain_read_only)
    }

    fn beginning(&self, using: TransactionUse) -> String {
        let lock_timeout = self.settings.lock_timeout.as_millis();
        let since = |version, setting| if self.server.version >= version { setting } else { "" };
        format!(
            "BEGIN ISOLATION LEVEL {}; SET LOCAL lock_timeout = {lock_timeout}; {SETTINGS}{}{}{}{}",
            using.mode(),
            using.settings(),
            since(CHECKS_CLIENTS_FROM, "; SET LOCAL client_connection_check_interval = '5s'"),
            since(LIMITS_TRANSACTIONS_FROM, "; SET LOCAL transaction_timeout = 0"),
            if self.may_replicate { "; SET LOCAL session_replication_role = origin" } else { "" },
        )
    }

    /// The same, together with the first statement if the connection was used just now. If the server refuses to begin, that statement
    /// runs by itself: so it must be one that does no harm then, and the caller must stop at its error.
    pub(super) fn begin_with_next(
        &self,
        connection: &mut PostgresConnection,
        using: TransactionUse,
    ) -> PostgresResult<()> {
        if !connection.is_fresh() {
            return self.begin_transaction(connection, using);
        }
        connection.begin_with_next(self.beginning(using));
        Ok(())
    }

    /// Waits until no other process makes or alters tables, until the transaction ends.
    pub(super) fn lock_schema(&self, connection: &mut PostgresConnection) -> PostgresResult<()> {
        // The number says whose lock it is; the second, of which schema.
        let sql = format!(
            "SELECT pg_catalog.pg_advisory_xact_lock(1279348294, pg_catalog.hashtext({}))",
            quote_literal(&self.own)
        );
        connection.run_batch(&sql).map(drop)
    }

    /// Waits until no other process begins to load the same source into the same table, until the transaction ends.
    pub(super) fn lock_source(&self, connection: &mut PostgresConnection, entry: &LoadEntry) -> PostgresResult<()> {
        let source = format!("{} {:?} {:?}", self.own, entry.table, entry.source);
        let sql = format!(
            "SELECT pg_catalog.pg_advisory_xact_lock(1279348295, pg_catalog.hashtext({}))",
            quote_literal(&source)
        );
        connection.run_batch(&sql).map(drop)
    }

    /// The name of one of Landfall's own tables.
    pub(super) fn own_table(&self, table: &str) -> String {
        self.spelling.own_table(table)
    }
}

/// A server in recovery has no transactions that write: it says so in other words than where one writes.
pub(super) fn explain_read_only(failure: PostgresFailure) -> PostgresFailure {
    match failure {
        PostgresFailure::Refused(refusal) if refusal.code == NO_SUCH_FEATURE => {
            PostgresFailure::Refused(Box::new(ServerRefusal { code: READ_ONLY.into(), ..*refusal }))
        }
        other => other,
    }
}

fn postgres_spelling(own: &str) -> SqlSpelling {
    SqlSpelling {
        own: format!("{}.", super::ddl::quote_name(own)),
        or_nothing: " ON CONFLICT DO NOTHING",
        integer: "bigint",
        // An entry of an index has its bounds, and a name has none.
        source_is: "left(source, 256) = left(?, 256) AND source = ?",
        now: "CAST(extract(epoch FROM pg_catalog.statement_timestamp()) * 1000 AS bigint)",
        for_update_if_free: " FOR UPDATE SKIP LOCKED",
        for_share: " FOR SHARE",
        // JSON may have a NUL in it, text may not.
        errors: r"pg_catalog.json_array_elements(pg_catalog.replace(r.errors, '\u0000', '\ufffd')::json) AS e (value)",
        code: "((e.value ->> 'code') COLLATE \"C\")",
        field: "((e.value ->> 'field') COLLATE \"C\")",
        value: "((e.value ->> 'value') COLLATE \"C\")",
    }
}

/// Refuses a connection on which the server checks no foreign keys, and the role may not switch that back.
fn refuse_replica(connection: &mut PostgresConnection) -> Result<()> {
    // Whoever may not set it cannot set it back either, so that the server would check nothing.
    let sql = "SELECT WHERE pg_catalog.current_setting('session_replication_role') = 'replica'";
    let found =
        connection.execute_statement(sql, &BoundParameters::default()).context(|| "cannot ask the server".into())?;
    if found == 0 {
        return Ok(());
    }
    Err(super::mismatch_error(
        "the server's session_replication_role is replica, so that foreign keys are not checked and triggers do not run; set it \
         to origin for the target's user: ALTER ROLE … SET session_replication_role = origin",
    ))
}

/// Whether the role may say that a transaction applies what is known to be sound, so that triggers need not run.
fn may_replicate(connection: &mut PostgresConnection, version: u32) -> PostgresResult<bool> {
    let granted = if version >= GRANTS_SETTINGS_FROM {
        " OR pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
    } else {
        ""
    };
    let sql = format!("SELECT rolsuper{granted} FROM pg_catalog.pg_roles WHERE rolname = current_user");
    let mut may = false;
    connection.run_query(&sql, &BoundParameters::default(), ValueFormat::Text, &mut |_, row| {
        may = row.first().copied().flatten() == Some(b"t");
        Ok(())
    })?;
    Ok(may)
}

/// Whether the server's process is another than the one that was told when the connection began: a pooler tells a number of
/// its own.
fn is_pooled_connection(connection: &mut PostgresConnection, told: i32) -> PostgresResult<bool> {
    // A pooler tells a number of its own when a client connects.
    let sql = format!("SELECT WHERE pg_catalog.pg_backend_pid() <> {told}");
    connection.execute_statement(&sql, &BoundParameters::default()).map(|rows| rows > 0)
}
