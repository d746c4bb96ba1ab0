//! Private database servers for tests and benches, from the distribution's packages: each on a free port, in a temporary
//! folder of its own, gone when its owner is gone, however that came about.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use testbed::Postgres;
//! let database = Postgres::shared().fresh_database()?;
//! println!("{}", database.url()); // postgres://…@127.0.0.1:…/…
//! assert_eq!(database.run_sql("SELECT 1 + 1")?, "2\n");
//! # Ok(())
//! # }
//! ```
//!
//! - [`Postgres`] and [`Mariadb`] are servers. `shared()` is one for the whole test process, for tests that do not hurt it;
//!   each takes a [`fresh_database`](Postgres::fresh_database). Tests that kill or pause a server start their own.
//! - [`PgBouncer`] stands before a PostgreSQL, in transaction mode.
//! - [`ObjectStorage`] keeps objects as S3, Google Cloud Storage and Azure Blob Storage do.
//! - [`Proxy`] stands before anything that speaks TCP, and cuts, swallows or hangs when told to.
//!
//! A program that is missing is an error that names its Debian package, or its place; `make needs` installs all of them. Linux only:
//! processes are found through `/proc`.

mod account;
mod certificates;
mod database;
mod door;
mod mariadb;
mod objects;
mod options;
mod pgbouncer;
mod postgres;
mod processes;
mod program;
mod proxy;
mod server;
mod supervisor;

pub use certificates::Certificates;
pub use database::TestDatabase;
pub use mariadb::Mariadb;
pub use objects::{ObjectStorage, ObjectStorageKind};
pub use options::{ServerOptions, Tls};
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use proxy::{Proxy, ProxyRule};
pub use server::RunningServer;
