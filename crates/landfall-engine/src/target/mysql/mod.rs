//! MySQL and MariaDB: streamed `LOAD DATA LOCAL INFILE`, failing on any warning; utf8mb4, strict mode, UTC.

mod connection;
mod encode;
mod failure;
mod server;
mod settings;
mod stored;
