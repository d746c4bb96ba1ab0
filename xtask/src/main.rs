//! What a developer of Landfall runs: `cargo xtask gen` makes data, `cargo xtask bench` measures.

mod bench;
mod bench_data;
mod hr;
mod names;
mod random;
#[cfg(test)]
mod rooms;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "What a developer of Landfall runs")]
enum XtaskCommand {
    /// Make data
    #[command(subcommand)]
    Gen(GenCommand),
    /// Measure, against a yardstick
    #[command(subcommand)]
    Bench(bench::BenchKind),
}

#[derive(Debug, Subcommand)]
enum GenCommand {
    /// Write the data of examples/hr afresh
    Hr,
    /// Write a big project of the example's shape
    Bench {
        /// The number of employee records
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// How many of 100 records are bad
        #[arg(long, default_value_t = 0.0)]
        dirty: f64,
        /// The greatest id that another file holds: the first record has the next one
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// The folder of the project
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> Result<()> {
    match XtaskCommand::parse() {
        XtaskCommand::Gen(GenCommand::Hr) => hr::write(&workspace_root().join("examples/hr")),
        XtaskCommand::Bench(what) => what.run(),
        XtaskCommand::Gen(GenCommand::Bench { rows, dirty, after, out }) => {
            bench_data::write(&out, rows, dirty, after).map(drop)
        }
    }
}

/// The root of the repository.
fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).map_or_else(PathBuf::new, Path::to_path_buf)
}
