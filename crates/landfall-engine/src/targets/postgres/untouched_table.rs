//! Tables that exist, and are in every respect as Landfall makes them. Where a load has built the same table aside, such a one may
//! make way for it, since nobody can tell the difference afterwards.
//!
//! Whether one is so is not judged by a list of what could differ. A second table is made by the same statements, and all that
//! the catalogue says of the two is compared.

use super::{
    RelationPlace,
    connection::{PostgresConnection, ValueFormat},
    ddl::{add_foreign_keys, add_key_statements, create_heap_statement},
    failure::PostgresResult,
    parameters::BoundParameters,
    session::PostgresSession,
};
use crate::targets::Table;

/// All that the catalogue says of a table, without names, numbers and measures of its own.
const TRAITS: &str = "WITH t AS (
         SELECT c.* FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2
     ), parts AS (
         SELECT oid, pg_catalog.replace(relname, $2, '') AS own_name FROM t
         UNION ALL SELECT i.indexrelid, pg_catalog.replace(c.relname, $2, '')
         FROM pg_catalog.pg_index AS i JOIN t ON i.indrelid = t.oid JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
         UNION ALL SELECT k.oid, pg_catalog.replace(k.conname, $2, '')
         FROM pg_catalog.pg_constraint AS k JOIN t ON k.conrelid = t.oid
     )
     SELECT 'class', (pg_catalog.to_jsonb(t) - ARRAY['oid', 'relname', 'reltype', 'relfilenode', 'relpages', 'reltuples',
         'relallvisible', 'relallfrozen', 'reltoastrelid', 'relfrozenxid', 'relminmxid', 'relhastriggers', 'relacl'])::text FROM t
     UNION ALL SELECT 'privilege', a.item::text FROM t CROSS JOIN LATERAL pg_catalog.unnest(t.relacl) AS a (item)
     UNION ALL SELECT 'column', (pg_catalog.to_jsonb(a) - ARRAY['attrelid'])::text
     FROM pg_catalog.pg_attribute AS a JOIN t ON a.attrelid = t.oid WHERE a.attnum > 0
     UNION ALL SELECT 'constraint', p.own_name
         || (pg_catalog.to_jsonb(k) - ARRAY['oid', 'conname', 'conrelid', 'conindid', 'conparentid', 'confrelid'])::text
         || coalesce((SELECT r.relnamespace || '.' || r.relname FROM pg_catalog.pg_class AS r WHERE r.oid = k.confrelid), '')
     FROM pg_catalog.pg_constraint AS k JOIN t ON k.conrelid = t.oid JOIN parts AS p ON p.oid = k.oid
     UNION ALL SELECT 'index', p.own_name || coalesce(c.reloptions::text, '') || c.reltablespace
         || (pg_catalog.to_jsonb(i) - ARRAY['indexrelid', 'indrelid', 'indcheckxmin'])::text
     FROM pg_catalog.pg_index AS i JOIN t ON i.indrelid = t.oid JOIN parts AS p ON p.oid = i.indexrelid
     JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
     UNION ALL SELECT 'trigger', g.tgname FROM pg_catalog.pg_trigger AS g JOIN t ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
     UNION ALL SELECT 'rule', r.rulename FROM pg_catalog.pg_rewrite AS r JOIN t ON r.ev_class = t.oid
     UNION ALL SELECT 'policy', y.polname FROM pg_catalog.pg_policy AS y JOIN t ON y.polrelid = t.oid
     UNION ALL SELECT 'publication', b.prpubid::text FROM pg_catalog.pg_publication_rel AS b JOIN t ON b.prrelid = t.oid
     UNION ALL SELECT 'statistics', s.stxname FROM pg_catalog.pg_statistic_ext AS s JOIN t ON s.stxrelid = t.oid
     UNION ALL SELECT 'child of', h.inhparent::text FROM pg_catalog.pg_inherits AS h JOIN t ON h.inhrelid = t.oid
     UNION ALL SELECT 'comment', d.description FROM pg_catalog.pg_description AS d JOIN parts AS p ON d.objoid = p.oid
     UNION ALL SELECT 'label', l.label FROM pg_catalog.pg_seclabel AS l JOIN parts AS p ON l.objoid = p.oid
     UNION ALL SELECT 'needed', d.classid || d.deptype::text || d.refobjsubid || ' ' || pg_catalog.count(*)
     FROM pg_catalog.pg_depend AS d JOIN t ON d.refobjid = t.oid WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE d.classid = 'pg_catalog.pg_constraint'::regclass
             AND k.oid = d.objid AND k.contype = 'f' AND k.conrelid <> t.oid)
     GROUP BY d.classid, d.deptype, d.refobjsubid
     UNION ALL SELECT 'needs', d.refclassid || d.deptype::text || d.refobjid || ' ' || pg_catalog.count(*)
     FROM pg_catalog.pg_depend AS d JOIN t ON d.objid = t.oid WHERE d.classid = 'pg_catalog.pg_class'::regclass
     GROUP BY d.refclassid, d.deptype, d.refobjid
     ORDER BY 1, 2";

/// Takes the table `table` away, which exists, where it is empty and just as Landfall makes it, and nobody uses it now: within a
/// transaction that makes it anew. Whether it did.
pub(super) fn drop_untouched(
    session: &PostgresSession,
    connection: &mut PostgresConnection,
    table: &Table,
) -> PostgresResult<bool> {
    let place = RelationPlace::new(&session.settings.schema, &table.name);
    // Whatever fails here only means that the table stays; the transaction around it must go on.
    connection.run_batch("SAVEPOINT landfall_untouched")?;
    let outcome = lock_unused_table(connection, &place).and_then(|locked| {
        let is_empty = |connection: &mut PostgresConnection| {
            connection
                .execute_statement(&format!("SELECT FROM {place} LIMIT 1"), &BoundParameters::default())
                .map(|rows| rows == 0)
        };
        // Under the lock, so that nobody can insert a row between the look and the drop.
        Ok(locked && is_empty(connection)? && is_untouched(connection, table, &place, &[])?)
    });
    // Taking away fails where the server knows of more that needs the table.
    let outcome = match outcome {
        Ok(true) => connection.run_batch(&format!("DROP TABLE {place} RESTRICT")).map(|_| true),
        other => other,
    };
    match outcome {
        Ok(true) => connection.run_batch("RELEASE SAVEPOINT landfall_untouched").map(|_| true),
        // Without a code, the connection is what failed, and no savepoint helps.
        Err(failure) if failure.sql_state().is_none() => Err(failure),
        Ok(false) | Err(_) => connection.run_batch("ROLLBACK TO SAVEPOINT landfall_untouched").map(|_| false),
    }
}

/// Locks the table at `place` against all others, where nobody uses it now.
fn lock_unused_table(connection: &mut PostgresConnection, place: &RelationPlace) -> PostgresResult<bool> {
    // NOWAIT: to wait for somebody who uses the table would hold up all who come after us.
    match connection.run_batch(&format!("LOCK TABLE {place} IN ACCESS EXCLUSIVE MODE NOWAIT")) {
        Ok(_) => Ok(true),
        Err(failure) if failure.sql_state().is_some() => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Whether the table at `place` is as Landfall makes it, but for its rows, the foreign keys of other tables to it, and `privileges`.
pub(super) fn is_untouched(
    connection: &mut PostgresConnection,
    table: &Table,
    place: &RelationPlace,
    privileges: &[TablePrivilege],
) -> PostgresResult<bool> {
    // In the same schema, since that may give its tables privileges.
    let twin = RelationPlace::new(&place.schema, &format!("landfall_twin_{}", std::process::id()));
    connection.run_batch("SAVEPOINT landfall_twin")?;
    let mut statements = vec![create_heap_statement(table, &twin)];
    statements.extend(add_key_statements(table, &twin));
    statements.extend(add_foreign_keys(table, &twin, &place.schema, false));
    statements.extend(privileges.iter().map(|privilege| privilege.grant_statement(&twin)));
    statements.iter().try_for_each(|statement| connection.run_batch(statement).map(drop))?;
    let same = table_traits(connection, place)? == table_traits(connection, &twin)?;
    // The twin is never committed, and nobody else ever sees it.
    connection.run_batch("ROLLBACK TO SAVEPOINT landfall_twin")?;
    Ok(same)
}

/// All that the catalogue says of the table at `place`, line by line.
pub(super) fn table_traits(connection: &mut PostgresConnection, place: &RelationPlace) -> PostgresResult<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let parameters = BoundParameters::default().with_text(&place.schema).with_text(&place.name);
    connection.run_query(TRAITS, &parameters, ValueFormat::Text, &mut |_, row| {
        found.push(row.iter().map(|value| value.unwrap_or_default()).collect::<Vec<_>>().join(&b' '));
        Ok(())
    })?;
    Ok(found)
}

/// What somebody may do with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TablePrivilege {
    what: String,
    /// As a statement has it.
    whom: String,
    may_grant: bool,
}

impl TablePrivilege {
    /// The statement that gives it.
    pub(super) fn grant_statement(&self, place: &RelationPlace) -> String {
        let option = if self.may_grant { " WITH GRANT OPTION" } else { "" };
        format!("GRANT {} ON {place} TO {}{option}", self.what, self.whom)
    }
}

/// The privileges that the schema of `place` gives to the tables that are made in it, as this role has set them up: one that was made
/// in another schema needs to be given them.
pub(super) fn usual_privileges(
    connection: &mut PostgresConnection,
    place: &RelationPlace,
) -> PostgresResult<Vec<String>> {
    let from = "pg_catalog.pg_default_acl AS d JOIN pg_catalog.pg_namespace AS n ON n.oid = d.defaclnamespace
         CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS x
         WHERE n.nspname = $1 AND d.defaclobjtype = 'r' AND pg_catalog.pg_get_userbyid(d.defaclrole) = current_user";
    let usual = read_privileges(connection, from, &BoundParameters::default().with_text(&place.schema))?;
    Ok(usual.iter().map(|privilege| privilege.grant_statement(place)).collect())
}

/// The privileges that this role has given for the table at `place`.
pub(super) fn privileges_of(
    connection: &mut PostgresConnection,
    place: &RelationPlace,
) -> PostgresResult<Vec<TablePrivilege>> {
    let from = "pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS x
         WHERE n.nspname = $1 AND c.relname = $2 AND pg_catalog.pg_get_userbyid(x.grantor) = current_user
             AND x.grantee <> x.grantor";
    read_privileges(connection, from, &BoundParameters::default().with_text(&place.schema).with_text(&place.name))
}

fn read_privileges(
    connection: &mut PostgresConnection,
    from: &str,
    parameters: &BoundParameters,
) -> PostgresResult<Vec<TablePrivilege>> {
    let sql = format!(
        "SELECT x.privilege_type, CASE WHEN x.grantee = 0 THEN 'PUBLIC'
             ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, x.is_grantable::text FROM {from}"
    );
    let mut found = Vec::new();
    connection.run_query(&sql, parameters, ValueFormat::Text, &mut |_, row| {
        let text = |at: usize| String::from_utf8_lossy(row.get(at).copied().flatten().unwrap_or_default()).into_owned();
        found.push(TablePrivilege { what: text(0), whom: text(1), may_grant: text(2) == "true" });
        Ok(())
    })?;
    Ok(found)
}
