//! The settings of a session that the promises rest on. Server, user and `init_connect` may have set any of them otherwise, so each
//! is given a value here: `DEFAULT` would be the server's.

use super::{
    connection::MysqlConnection,
    server::{MysqlServer, ServerFamily},
};

/// Seconds that the server waits in the middle of a statement for a client that waits for its source.
const PATIENCE_SECONDS: u32 = 3600;
/// Bytes to which a report's `group_concat` may grow; beyond its limit the server cuts.
const CONCAT_BYTES: u32 = 64 << 20;
/// More rows than there are.
const ALL_ROWS: u64 = u64::MAX;

/// The modes of SQL: standard quotes (`"name"`, `'text'`, no backslash escapes) and `||`, so that one text of a report means the
/// same in every database; every mode in which the server refuses what it would else change; and 0 as a number like any other
/// in a column that counts by itself.
const MODES: &str = "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,\
                     NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,ONLY_FULL_GROUP_BY,NO_ENGINE_SUBSTITUTION,\
                     NO_AUTO_VALUE_ON_ZERO";

/// The statements that set up a session.
///
/// - READ COMMITTED: a transaction sees what other programs committed before each of its statements, so that a row that
///   came in between is found and told as such; and inserts do not lock the gaps between rows, so that two connections fill
///   one table without waiting for each other.
/// - Text is compared byte for byte, in literals too.
pub(super) fn session_statements(server: &MysqlServer) -> [String; 4] {
    [
        format!("SET NAMES utf8mb4 COLLATE {}", server.collation()),
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".into(),
        format!("SET SESSION sql_mode = '{MODES}', {}", of_all_servers()),
        format!("SET SESSION {}", of_flavour(server.flavour)),
    ]
}

fn of_all_servers() -> String {
    let locks = MysqlConnection::LOCK_SECONDS;
    format!(
        "time_zone = '+00:00', autocommit = 1, completion_type = 0, foreign_key_checks = 1, unique_checks = 1, \
         sql_safe_updates = 0, sql_select_limit = {ALL_ROWS}, sql_big_selects = 1, max_join_size = {ALL_ROWS}, \
         sql_auto_is_null = 0, sql_quote_show_create = 1, max_error_count = 64, low_priority_updates = 0, \
         lc_time_names = 'en_US', div_precision_increment = 4, default_week_format = 0, \
         group_concat_max_len = {CONCAT_BYTES}, max_sort_length = 1024, default_storage_engine = InnoDB, \
         innodb_lock_wait_timeout = {locks}, lock_wait_timeout = {locks}, \
         net_read_timeout = {PATIENCE_SECONDS}, net_write_timeout = {PATIENCE_SECONDS}, wait_timeout = 28800"
    )
}

const fn of_flavour(flavour: ServerFamily) -> &'static str {
    match flavour {
        ServerFamily::Mysql => "max_execution_time = 0",
        ServerFamily::Mariadb => {
            "max_statement_time = 0, old_mode = '', check_constraint_checks = 1, sql_if_exists = 0, \
             idle_transaction_timeout = 0, idle_write_transaction_timeout = 0, idle_readonly_transaction_timeout = 0"
        }
    }
}
