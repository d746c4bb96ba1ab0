//! What a developer of Landfall runs: `cargo xtask gen` makes data, `cargo xtask bench` measures.

mod hr;
mod names;
mod random;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "What a developer of Landfall runs")]
enum Command {
    /// Make data
    #[command(subcommand)]
    Gen(Gen),
}

#[derive(Debug, Subcommand)]
enum Gen {
    /// Write the data of examples/hr afresh
    Hr,
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Gen(Gen::Hr) => hr::write(&workspace().join("examples/hr")),
    }
}

/// The root of the repository.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).map_or_else(PathBuf::new, Path::to_path_buf)
}
