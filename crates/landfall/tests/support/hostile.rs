//! Settings of servers that rewrite values or cut answers.

use testbed::{Mariadb, ServerOptions, TestDatabase};

/// What a database of PostgreSQL may set for whoever connects.
pub(crate) const POSTGRES: [(&str, &str); 18] = [
    ("datestyle", "'SQL, DMY'"),
    ("intervalstyle", "sql_standard"),
    ("timezone", "'Asia/Kathmandu'"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-15"),
    ("client_encoding", "latin1"),
    ("standard_conforming_strings", "off"),
    ("escape_string_warning", "off"),
    ("xmloption", "document"),
    ("search_path", "nowhere"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("synchronous_commit", "off"),
    ("statement_timeout", "100"),
    ("lock_timeout", "100"),
    ("quote_all_identifiers", "on"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
];

/// What a MariaDB server sets in each session that begins.
pub(crate) const MARIADB: &str = "SET SESSION sql_select_limit = 5, sql_mode = 'EMPTY_STRING_IS_NULL,PAD_CHAR_TO_FULL_LENGTH', \
    sql_safe_updates = 1, sql_big_selects = 0, max_join_size = 3, sql_auto_is_null = 1, time_zone = '+05:45', \
    completion_type = 1, foreign_key_checks = 0, unique_checks = 0, group_concat_max_len = 4, \
    innodb_lock_wait_timeout = 1, div_precision_increment = 0, auto_increment_increment = 7, \
    default_storage_engine = 'MyISAM', max_error_count = 0, max_sort_length = 64";

/// The statements that give the PostgreSQL database called `name` these settings.
pub(crate) fn postgres_statements(name: &str) -> Vec<String> {
    POSTGRES.iter().map(|(setting, value)| format!("ALTER DATABASE {name} SET {setting} = {value}")).collect()
}

/// A MariaDB server with these settings, and a database on it.
pub(crate) fn mariadb() -> (Mariadb, TestDatabase) {
    let server = Mariadb::start_with(&ServerOptions::default().with_setting("init_connect", MARIADB)).unwrap();
    let database = server.fresh_database().unwrap();
    (server, database)
}
