//! `landfall backup`.

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use landfall_engine::{
    avro::AvroCodec,
    backup::{BackupOptions, BackupStore, backup_tables},
    pipeline::WorkLimits,
    targets::TargetAccess,
};

use super::{Invocation, complete, selection::require_tables};
use crate::{
    cli::summary,
    config::{FileDestination, ProjectSettings},
    exit::Exit,
    output,
    progress::ProgressReporter,
};

/// Back up tables to Avro: a new set of files, all from one moment.
///
/// A set appears only after all of it was written, flushed and read back. Its manifest lists rows, bytes and digests of each table. Other
/// programs may write to the database meanwhile.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// The tables; all of them if none is named.
    #[arg(value_name = "TABLE", add = complete::offer_tables())]
    tables: Vec<String>,
    #[command(flatten)]
    place: BackupPlace,
    /// The compression of the files: zstd, deflate, snappy, bzip2, xz or none. [default: as in landfall.yaml, else zstd]
    #[arg(long, value_name = "CODEC", value_parser = codec_values(), hide_possible_values = true)]
    codec: Option<String>,
}

/// Where backup sets lie.
#[derive(Debug, clap::Args)]
pub(super) struct BackupPlace {
    /// The folder or storage of the backup sets: a path, s3://BUCKET[/PREFIX], gs://… or az://…. [default: as in landfall.yaml, else
    /// the folder backups]
    #[arg(long = "to", visible_alias = "in", value_name = "URL", value_parser = FileDestination::parse)]
    to: Option<FileDestination>,
}

impl BackupPlace {
    /// The store, as typed, else as the project says.
    pub(super) fn open_store(&self, settings: &ProjectSettings) -> Result<Box<dyn BackupStore>> {
        Ok(self.to.as_ref().unwrap_or(&settings.backup.to).open_store(&settings.storage)?)
    }
}

fn codec_values() -> PossibleValuesParser {
    PossibleValuesParser::new(AvroCodec::ALL.map(AvroCodec::name))
}

pub(super) fn run(args: BackupArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    require_tables(&args.tables, &settings.package)?;
    let store = args.place.open_store(&settings)?;
    let codec = args.codec.as_deref().and_then(AvroCodec::parse).unwrap_or(settings.backup.codec);
    let options = BackupOptions { tables: args.tables, codec, threads: WorkLimits::default().threads };
    let mut opened = invocation.open_with(settings, TargetAccess::Read)?;
    let reporter = ProgressReporter::of_backup(&invocation.globals);
    let outcome = backup_tables(&mut *opened.target, &opened.project, &*store, &options, &reporter);
    // Before an error is told, which would stand behind the bar in the same line.
    reporter.clear_bar();
    let outcome = outcome?;
    if invocation.globals.json {
        output::print_document(&outcome)?;
    } else if !invocation.globals.quiet {
        output::print_result(&summary::summarize_backup(&outcome))?;
    }
    Ok(Exit::Done)
}
