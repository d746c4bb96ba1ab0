//! The tables that exist, read from `pg_catalog`.

use landfall_core::schema::FieldIndex;

use super::{
    connection::{PostgresConnection, ValueFormat},
    ddl::RelationPlace,
    failure::PostgresResult,
    message::protocol_failure,
    parameters::BoundParameters,
};
use crate::targets::{
    Table,
    sql::{
        existing_table::{ExistingColumn, ExistingForeignKey, ExistingTable},
        followers::Follower,
    },
};

/// What stands at a place.
#[derive(Debug)]
pub(super) enum PlacedObject {
    /// Nothing.
    Nothing,
    /// A table.
    Table(Box<ExistingRelation>),
    /// Something that takes no rows: what it is, such as `a view`.
    Other(&'static str),
}

/// A table as it stands.
#[derive(Debug, Default)]
pub(super) struct ExistingRelation {
    pub(super) existing: ExistingTable,
    /// Whether rows set off triggers of the user's, or a unique key is checked at the end of the transaction: then the
    /// server's triggers must run.
    pub(super) has_triggers: bool,
    /// Whether the role may lock rows.
    pub(super) may_lock: bool,
    /// Whether row-level security keeps rows from the role.
    pub(super) is_filtered: bool,
}

impl ExistingRelation {
    /// Whether it has a primary or unique key of the fields of `table` at `positions`.
    pub(super) fn has_key_over(&self, table: &Table, positions: &[FieldIndex]) -> bool {
        let keys = self.existing.unique_keys.iter().chain([&self.existing.primary_key]);
        let is = |key: &Vec<String>| {
            key.len() == positions.len()
                && positions.iter().all(|&at| key.iter().any(|name| **name == *table.schema[at].name))
        };
        keys.into_iter().any(is)
    }
}

/// What marks a collation by which texts that differ can be equal.
pub(super) const FOLDS: &str = " (nondeterministic)";

const RELATION: &str = "SELECT c.oid::bigint, c.relkind::text, c.relrowsecurity OR EXISTS (
         SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
     ) OR EXISTS (
         SELECT FROM pg_catalog.pg_constraint AS k
         WHERE k.conrelid = c.oid AND k.condeferrable AND k.contype IN ('p', 'u', 'x')
     ), coalesce(pg_catalog.has_any_column_privilege(c.oid, 'UPDATE'), false), pg_catalog.row_security_active(c.oid)
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2";

const FOLLOWERS: &str = "SELECT DISTINCT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
         CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END
     FROM pg_catalog.pg_constraint AS k
     JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid
     JOIN pg_catalog.pg_namespace AS m ON m.oid = p.relnamespace
     WHERE k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd') AND k.conrelid <> k.confrelid
         AND m.nspname = $1 AND p.relname = $2
     ORDER BY 1";

/// Text is ordered by its bytes under `C`; a database may have that as its default.
const COLUMNS: &str = "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
         CASE WHEN a.attcollation = 0 OR l.collname IN ('C', 'POSIX', 'ucs_basic')
                  OR l.collname = 'default' AND d.datcollate IN ('C', 'POSIX') THEN NULL
              ELSE pg_catalog.format('the collation %s%s', pg_catalog.quote_ident(l.collname),
                  CASE WHEN l.collisdeterministic THEN '' ELSE ' (nondeterministic)' END) END,
         a.attnotnull, a.atthasdef AND a.attgenerated = '' OR a.attidentity = 'd',
         a.attgenerated <> '' OR a.attidentity = 'a'
     FROM pg_catalog.pg_attribute AS a
     LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
     JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
     WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const UNIQUES: &str = "SELECT i.indexrelid::bigint, i.indisprimary, a.attname::text
     FROM pg_catalog.pg_index AS i
     CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k (at)
     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.at]
     WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
     ORDER BY i.indexrelid, k.at";

const REFERENCES: &str = "SELECT c.oid::bigint, a.attname::text, n.nspname::text, p.relname::text, b.attname::text
     FROM pg_catalog.pg_constraint AS c
     CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey))
         WITH ORDINALITY AS k (own, parent, at)
     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.own
     JOIN pg_catalog.pg_class AS p ON p.oid = c.confrelid
     JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace
     JOIN pg_catalog.pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = k.parent
     WHERE c.conrelid = $1::oid AND c.contype = 'f' ORDER BY c.oid, k.at";

/// Triggers of the table and its partitions, and rules for what is written.
const WATCHED: &str = "SELECT EXISTS (
         SELECT FROM pg_catalog.pg_trigger AS t WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND (t.tgrelid = $1::regclass
             OR t.tgrelid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($1::regclass) AS p))
     ) OR EXISTS (
         SELECT FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = $1::regclass AND r.ev_type <> '1' AND r.ev_enabled <> 'D'
     )";

/// Whether a trigger or a rule may skip or alter the rows of the table at `place`.
pub(super) fn is_watched(connection: &mut PostgresConnection, place: &RelationPlace) -> PostgresResult<bool> {
    let mut found = false;
    visit_rows(connection, WATCHED, &BoundParameters::default().with_text(&place.to_string()), &mut |row| {
        found = flag_value(row, 0);
        Ok(())
    })?;
    Ok(found)
}

/// What stands at `place`.
pub(super) fn read(connection: &mut PostgresConnection, place: &RelationPlace) -> PostgresResult<PlacedObject> {
    let named = BoundParameters::default().with_text(&place.schema).with_text(&place.name);
    let mut found = None;
    visit_rows(connection, RELATION, &named, &mut |row| {
        found = Some((
            text_value(row, 0)?.parse().unwrap_or(0),
            text_value(row, 1)?,
            [2, 3, 4].map(|at| flag_value(row, at)),
        ));
        Ok(())
    })?;
    let Some((number, kind, [has_triggers, may_lock, is_filtered])) = found else { return Ok(PlacedObject::Nothing) };
    Ok(match kind.as_str() {
        "r" | "p" => {
            // Of rows that the role may not see the server tells nothing.
            let existing =
                if is_filtered { ExistingTable::default() } else { read_existing(connection, number, place)? };
            PlacedObject::Table(Box::new(ExistingRelation { existing, has_triggers, may_lock, is_filtered }))
        }
        "v" | "m" => PlacedObject::Other("a view"),
        "f" => PlacedObject::Other("a foreign table"),
        "i" | "I" => PlacedObject::Other("an index"),
        "S" => PlacedObject::Other("a sequence"),
        _ => PlacedObject::Other("a type"),
    })
}

fn read_existing(
    connection: &mut PostgresConnection,
    number: i64,
    place: &RelationPlace,
) -> PostgresResult<ExistingTable> {
    let mut table = ExistingTable { name: place.name.clone(), ..ExistingTable::default() };
    let this = BoundParameters::default().with_integer(number);
    read_columns(connection, &this, &mut table)?;
    read_uniques(connection, &this, &mut table)?;
    read_references(connection, &this, place, &mut table)?;
    // EXISTS stops at the first row, where a count would read the whole table.
    visit_rows(connection, &format!("SELECT EXISTS (SELECT FROM {place})"), &BoundParameters::default(), &mut |row| {
        table.has_rows = flag_value(row, 0);
        Ok(())
    })?;
    Ok(table)
}

fn read_columns(
    connection: &mut PostgresConnection,
    this: &BoundParameters,
    table: &mut ExistingTable,
) -> PostgresResult<()> {
    visit_rows(connection, COLUMNS, this, &mut |row| {
        table.columns.push(ExistingColumn {
            name: text_value(row, 0)?,
            sql_type: text_value(row, 1)?,
            // NULL here says that text is compared byte by byte.
            collation: text_value(row, 2).ok(),
            required: flag_value(row, 3),
            filled: flag_value(row, 4),
            computed: flag_value(row, 5),
        });
        Ok(())
    })
}

fn read_uniques(
    connection: &mut PostgresConnection,
    this: &BoundParameters,
    table: &mut ExistingTable,
) -> PostgresResult<()> {
    let mut last = String::new();
    visit_rows(connection, UNIQUES, this, &mut |row| {
        // The rows come ordered by index, so that another number begins another key.
        let is_new = std::mem::replace(&mut last, text_value(row, 0)?) != last;
        let column = text_value(row, 2)?;
        if flag_value(row, 1) {
            table.primary_key.push(column);
            return Ok(());
        }
        if is_new {
            table.unique_keys.push(Vec::new());
        }
        table.unique_keys.last_mut().ok_or_else(protocol_failure)?.push(column);
        Ok(())
    })
}

fn read_references(
    connection: &mut PostgresConnection,
    this: &BoundParameters,
    place: &RelationPlace,
    table: &mut ExistingTable,
) -> PostgresResult<()> {
    let mut last = String::new();
    visit_rows(connection, REFERENCES, this, &mut |row| {
        if std::mem::replace(&mut last, text_value(row, 0)?) != last {
            let (schema, name) = (text_value(row, 2)?, text_value(row, 3)?);
            // A parent in another schema is none of the dictionary's.
            let parent = if schema == place.schema { name } else { format!("{schema}.{name}") };
            table.foreign_keys.push(ExistingForeignKey { parent, ..ExistingForeignKey::default() });
        }
        let key = table.foreign_keys.last_mut().ok_or_else(protocol_failure)?;
        key.fields.push(text_value(row, 1)?);
        key.parent_fields.push(text_value(row, 4)?);
        Ok(())
    })
}

/// Takes the values of a row.
type VisitValues<'t> = &'t mut dyn FnMut(&[Option<&[u8]>]) -> PostgresResult<()>;

fn visit_rows(
    connection: &mut PostgresConnection,
    sql: &str,
    parameters: &BoundParameters,
    take: VisitValues<'_>,
) -> PostgresResult<()> {
    connection.run_query(sql, parameters, ValueFormat::Text, &mut |_, row| take(row)).map(drop)
}

/// The other tables whose rows the server deletes or alters with those of the table at `place`.
pub(super) fn find_followers(
    connection: &mut PostgresConnection,
    place: &RelationPlace,
) -> PostgresResult<Vec<Follower>> {
    let mut found = Vec::new();
    let parameters = BoundParameters::default().with_text(&place.schema).with_text(&place.name);
    visit_rows(connection, FOLLOWERS, &parameters, &mut |row| {
        found.push(Follower { name: text_value(row, 0)?, action: text_value(row, 1)? });
        Ok(())
    })?;
    Ok(found)
}

fn text_value(row: &[Option<&[u8]>], at: usize) -> PostgresResult<String> {
    let bytes = row.get(at).copied().flatten().ok_or_else(protocol_failure)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| protocol_failure())
}

fn flag_value(row: &[Option<&[u8]>], at: usize) -> bool {
    // Booleans in text form are `t` and `f`.
    row.get(at).copied().flatten() == Some(b"t")
}
