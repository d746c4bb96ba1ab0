//! Rejects as a CSV file that a person mends.
//!
//! The file has the columns of the source, and behind them what Landfall knows of each reject. A row whose own columns
//! are as they were exported is tried again from the raw bytes of the quarantine; any other as it stands in the file.

use std::{collections::HashMap, io::Write};

use super::{
    LoadOptions, SilentObserver, adopt::visit_rejects, layout::layout_of_load, layout_exporter::LayoutExporter,
    load::LoadSession,
};
use crate::{
    csv_text,
    error::{Error, Result},
    ledger::LoadId,
    project::Project,
    quarantine::{Reject, RejectFilter},
    source::{EXPORT_COLUMNS, GUARDED_REJECT},
    targets::TargetRead,
};

/// Writes the rejects that `filter` wants to `out` as CSV (UTF-8, LF, RFC 4180), in the columns of their source and
/// those behind them that Landfall knows of each reject; how many there were. Where their sources have other columns than each other, the columns are the
/// fields of the table. All must be of one table.
///
/// # Errors
/// Rejects of several tables, or a file that cannot be written.
pub fn export_rejects(
    read: &dyn TargetRead,
    project: &Project,
    filter: &RejectFilter,
    out: &mut dyn Write,
) -> Result<u64> {
    write_exports(read, project, filter, ExportReader::Mender, out)
}

/// As [`export_rejects`], for people who only read it: what a spreadsheet would run as a formula has a `'` before it. Such a file is
/// not taken back, since its cells are not those that were sent.
///
/// # Errors
/// Rejects of several tables, or a file that cannot be written.
pub fn export_rejects_guarded(
    read: &dyn TargetRead,
    project: &Project,
    filter: &RejectFilter,
    out: &mut dyn Write,
) -> Result<u64> {
    write_exports(read, project, filter, ExportReader::Spreadsheet, out)
}

/// Whom a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExportReader {
    /// Who mends it, and sends it back.
    Mender,
    /// People who only read it, in a spreadsheet.
    Spreadsheet,
}

impl ExportReader {
    /// The cells of a line as CSV.
    pub(super) fn format_line(self, cells: &[&str]) -> String {
        if self == Self::Mender {
            return csv_text::join_line(cells.iter().copied());
        }
        let guarded: Vec<String> = cells.iter().map(|cell| csv_text::guard_formula(cell)).collect();
        csv_text::join_line(guarded.iter().map(String::as_str))
    }

    /// The columns behind the source's own.
    pub(super) fn extra_columns(self) -> [&'static str; EXPORT_COLUMNS.len()] {
        let mut columns = EXPORT_COLUMNS;
        if self == Self::Spreadsheet {
            columns[0] = GUARDED_REJECT;
        }
        columns
    }
}

fn write_exports(
    read: &dyn TargetRead,
    project: &Project,
    filter: &RejectFilter,
    reader: ExportReader,
    out: &mut dyn Write,
) -> Result<u64> {
    let tables = project.target_tables();
    let options = LoadOptions::default();
    let session = LoadSession { project, tables: &tables, options: &options, observer: &SilentObserver };
    let mut exporters = ExporterSet { session: &session, all: Vec::new(), of_load: HashMap::new() };
    // The header depends on all of them, so that they are looked at once before the first line is written.
    visit_rejects(read, filter, &mut |reject| exporters.exporter_for(read, &reject).map(drop))?;
    let by_fields = exporters.all.len() > 1;
    if let Some(exporter) = exporters.all.first() {
        write(out, &exporter.header_line(by_fields, reader))?;
    }
    let mut count = 0;
    visit_rejects(read, filter, &mut |reject| {
        let at = exporters.exporter_for(read, &reject)?;
        count += 1;
        write(out, &exporters.all[at].reject_line(read, &reject, by_fields, reader)?)
    })?;
    Ok(count)
}

/// One exporter for each way in which the columns of sources lie.
struct ExporterSet<'s> {
    session: &'s LoadSession<'s>,
    all: Vec<LayoutExporter<'s>>,
    of_load: HashMap<LoadId, usize>,
}

impl ExporterSet<'_> {
    /// The position of the exporter for `reject`.
    fn exporter_for(&mut self, read: &dyn TargetRead, reject: &Reject) -> Result<usize> {
        if let Some(first) = self.all.first().filter(|first| first.table != reject.table) {
            return Err(Error::Usage(format!(
                "there are rejects of several tables ({:?}, {:?}); choose one table",
                first.table, reject.table
            )));
        }
        if let Some(at) = self.of_load.get(&reject.load) {
            return Ok(*at);
        }
        let layout = layout_of_load(read, reject.load)?;
        let at = match self.all.iter().position(|known| known.layout == layout) {
            Some(at) => at,
            None => {
                self.all.push(LayoutExporter::for_layout(self.session, reject, layout)?);
                self.all.len() - 1
            }
        };
        self.of_load.insert(reject.load, at);
        Ok(at)
    }
}

fn write(out: &mut dyn Write, line: &str) -> Result<()> {
    out.write_all(line.as_bytes()).map_err(|cause| Error::System { doing: "write the export", cause })
}
