//! What to read into which table, and how the work is cut: arguments of `load` and `check`.

use clap::Args;
use landfall_core::schema::{Package, SourcePath};
use landfall_engine::pipeline::{Selection, WorkLimits};

use super::complete;
use crate::{config::LoadDefaults, exit::CommandError, typed::parse_size};

/// What to read into which table.
#[derive(Debug, Args)]
pub(super) struct SelectedSources {
    /// The tables to read; all of them if none is named. Parents are read first. SOURCE replaces the sources of the data package: a
    /// file, a glob or - for standard input, plain or compressed (.gz, .zst).
    #[arg(value_name = "TABLE[=SOURCE]", value_parser = parse, add = complete::offer_tables())]
    selections: Vec<Selection>,
}

/// How the work is cut.
#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    /// Threads that decode and validate. [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Records in a transaction, at least. It does not change which records are accepted.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    chunk_records: Option<u64>,
    /// Bytes that are decoded at once.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, hide = true)]
    block_bytes: Option<usize>,
    /// Bytes of a record at most, such as 16MiB; a longer one is rejected.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_record_bytes: Option<usize>,
    /// Bytes of a rejected record that are stored at most, beside its length and digest.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_rejected_record_bytes: Option<usize>,
}

impl SelectedSources {
    /// What to read, once its tables are known to exist.
    pub(super) fn resolve_selections(&self, package: &Package) -> Result<Vec<Selection>, CommandError> {
        require_tables(self.selections.iter().map(|selection| &selection.table), package)?;
        Ok(self.selections.clone())
    }
}

impl WorkArgs {
    /// How the work is cut: as typed, else as the project says.
    pub(super) fn resolve_work(&self, defaults: &LoadDefaults) -> WorkLimits {
        let usual = defaults.default_work();
        WorkLimits {
            threads: self.threads.map_or(usual.threads, usize::from),
            chunk_records: self.chunk_records.unwrap_or(usual.chunk_records),
            block_bytes: self.block_bytes.unwrap_or(usual.block_bytes),
            record_bytes: self.max_record_bytes.unwrap_or(usual.record_bytes),
            rejected_record_bytes: self
                .max_rejected_record_bytes
                .map_or(usual.rejected_record_bytes, |bytes| bytes as u64),
            ..usual
        }
    }
}

/// Complains about the first of `names` that is no table of the data package.
pub(super) fn require_tables<'n>(
    names: impl IntoIterator<Item = &'n String>,
    package: &Package,
) -> Result<(), CommandError> {
    let is_known = |name: &str| package.resources.iter().any(|resource| *resource.name == *name);
    match names.into_iter().find(|name| !is_known(name)) {
        Some(name) => Err(unknown_table(name, package)),
        None => Ok(()),
    }
}

/// The complaint about a table that the data package does not have.
fn unknown_table(name: &str, package: &Package) -> CommandError {
    let names: Vec<&str> = package.resources.iter().map(|resource| &*resource.name).collect();
    let near = landfall_core::schema::document::find_nearest(name, names.iter().copied());
    let mend =
        near.map_or_else(|| format!("its tables are {}", names.join(", ")), |near| format!("did you mean {near}?"));
    CommandError::usage_error(format!("the data package has no table {name:?}; {mend}"))
}

fn parse(text: &str) -> Result<Selection, String> {
    // At the first one: what follows is a path, which may have others.
    let (table, source) = match text.split_once('=') {
        Some((_, "")) => return Err("there is no source after \"=\"".into()),
        Some((table, source)) => (table, Some(SourcePath(source.into()))),
        None => (text, None),
    };
    if table.is_empty() {
        return Err("there is no table before \"=\"".into());
    }
    Ok(Selection { table: table.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_may_hold_an_equals_sign() {
        let selection = |table: &str, source: Option<&str>| {
            Ok(Selection { table: table.into(), source: source.map(|path| SourcePath(path.into())) })
        };
        assert_eq!(parse("a"), selection("a", None));
        assert_eq!(parse("a=b=c.csv"), selection("a", Some("b=c.csv")));
        assert!(parse("a=").is_err());
        assert!(parse("=b").is_err());
    }
}
