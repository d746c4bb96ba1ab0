//! Rejects as a CSV file that a person mends, and such a file read back.
//!
//! The file has the columns of the source, and behind them what Landfall knows of each reject. A row whose own columns
//! are as they were exported is tried again from the raw bytes of the quarantine; any other as it stands in the file.

use std::{io::Write, path::Path};

use landfall_core::{
    decode::{Cutter, Decoder, Piece, Records, json::JsonKind},
    schema::{Dialect, Encoding},
    validate::TargetLimits,
};

use super::{
    LoadOptions, RejectedRecord, Silent,
    adopt::{bytes_of, pages},
    layout::Layout,
    load::Session,
    opened::RecordRules,
};
use crate::{
    csv_text,
    error::{Error, Result},
    ledger::{LoadFilter, LoadId},
    project::Project,
    quarantine::{Reject, RejectFilter, RejectId},
    source::Source,
    target::Read,
};

/// The columns behind the source's own.
pub(super) const EXTRA_COLUMNS: [&str; 6] =
    ["landfall_reject", "landfall_source", "landfall_line", "landfall_extra", "landfall_raw", "landfall_reasons"];

/// Writes the rejects that `filter` wants to `out` as CSV (UTF-8, LF, RFC 4180), in the columns of their source and
/// those of [`EXTRA_COLUMNS`]; how many there were. All must be of one table and one layout of columns.
///
/// # Errors
/// Rejects of several tables or layouts, or a file that cannot be written.
pub fn export_rejects(read: &dyn Read, project: &Project, filter: &RejectFilter, out: &mut dyn Write) -> Result<u64> {
    let tables = project.tables();
    let options = LoadOptions::default();
    let session = Session { project, tables: &tables, options: &options, observer: &Silent };
    let mut exporter: Option<Exporter<'_>> = None;
    let mut count = 0;
    pages(read, filter, &mut |reject| {
        let exporter = match &mut exporter {
            Some(exporter) => exporter,
            None => {
                let new = exporter.insert(Exporter::new(&session, read, &reject)?);
                write(out, &new.header())?;
                new
            }
        };
        exporter.expect(read, &reject)?;
        write(out, &exporter.line(read, &reject)?)?;
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

fn write(out: &mut dyn Write, line: &str) -> Result<()> {
    out.write_all(line.as_bytes()).map_err(|cause| Error::File { path: "the export".into(), cause })
}

/// Writes rejects of one table and layout.
pub(super) struct Exporter<'s> {
    session: &'s Session<'s>,
    table: String,
    /// A load whose columns lie so.
    load: LoadId,
    layout: Layout,
    labels: Vec<String>,
    rules: RecordRules,
}

impl<'s> Exporter<'s> {
    /// For rejects like `reject`.
    pub(super) fn new(session: &'s Session<'s>, read: &dyn Read, reject: &Reject) -> Result<Self> {
        let layout = layout_of(read, reject.load)?;
        let resource = &session.project.package.resources[session.project.position(&reject.table)?];
        let labels = layout.labels_for(&resource.schema);
        // Cells are only read here, whatever the target holds.
        let rules = RecordRules::new(&layout.written(resource)?, &layout, &TargetLimits::default())?;
        Ok(Self { session, table: reject.table.clone(), load: reject.load, layout, labels, rules })
    }

    /// The labels of the source's columns.
    pub(super) fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Refuses a reject of another table or layout.
    fn expect(&mut self, read: &dyn Read, reject: &Reject) -> Result<()> {
        if reject.table != self.table {
            return Err(Error::Usage(format!(
                "there are rejects of several tables ({:?}, {:?}); name one with --table",
                self.table, reject.table
            )));
        }
        if reject.load == self.load {
            return Ok(());
        }
        if layout_of(read, reject.load)? != self.layout {
            return Err(Error::Usage(format!(
                "the columns of load {} lie otherwise than those of the loads before; name one load with --load",
                reject.load
            )));
        }
        self.load = reject.load;
        Ok(())
    }

    fn header(&self) -> String {
        csv_text::line(self.labels.iter().map(String::as_str).chain(EXTRA_COLUMNS))
    }

    /// The cells of a reject in the source's columns, those beyond, and its bytes where it cannot be cut into cells.
    pub(super) fn cells(&self, read: &dyn Read, reject: &Reject) -> Result<(Vec<String>, String, String)> {
        let blank = || vec![String::new(); self.labels.len()];
        let raw = || RejectedRecord::raw_text(&reject.raw, reject.length).0;
        let Some(bytes) = bytes_of(self.session, read, reject)? else { return Ok((blank(), String::new(), raw())) };
        let records = self.rules.decoder.decode_record(&bytes);
        if records.len() != 1 || !records.faults().is_empty() {
            return Ok((blank(), String::new(), raw()));
        }
        let null = |column| matches!(records.json_kind(0, column), Some(JsonKind::Absent | JsonKind::Null));
        let cell = |column| if null(column) { Some("") } else { records.cell(0, column) };
        let mut cells: Vec<String> = (0..records.width(0)).filter_map(cell).map(str::to_owned).collect();
        let extra = cells.split_off(cells.len().min(self.labels.len()));
        cells.resize(self.labels.len(), String::new());
        let extra = if extra.is_empty() { String::new() } else { csv_text::cells(extra.iter().map(String::as_str)) };
        Ok((cells, extra, String::new()))
    }

    fn line(&self, read: &dyn Read, reject: &Reject) -> Result<String> {
        let (cells, extra, raw) = self.cells(read, reject)?;
        let reasons: Vec<String> = reject
            .errors
            .iter()
            .map(|error| format!("{} {}: {}", error.code, error.field.as_deref().unwrap_or("-"), error.message))
            .collect();
        let (id, line, reasons) = (reject.id.to_string(), reject.line.to_string(), reasons.join("; "));
        let known = [id.as_str(), &reject.source, &line, &extra, &raw, &reasons];
        Ok(csv_text::line(cells.iter().map(String::as_str).chain(known)))
    }
}

/// How the columns of the sources of `load` lie.
pub(super) fn layout_of(read: &dyn Read, load: LoadId) -> Result<Layout> {
    let entry = read.loads_of(&LoadFilter { id: Some(load), ..LoadFilter::default() })?.pop();
    entry.and_then(|entry| serde_json::from_str(&entry.layout).ok()).ok_or_else(|| {
        Error::Usage(format!(
            "the ledger does not say how the columns of load {load} lie; its rejects cannot be read again"
        ))
    })
}

/// A row of a mended file.
pub(super) struct MendedRow {
    /// The reject that it mends.
    pub(super) reject: RejectId,
    /// The cells of the source's columns.
    pub(super) cells: Vec<String>,
    /// The cells beyond them.
    pub(super) extra: String,
}

impl MendedRow {
    /// The record as CSV in the default dialect.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut text = csv_text::cells(self.cells.iter().map(String::as_str));
        if !self.extra.is_empty() {
            text.push(',');
            text.push_str(&self.extra);
        }
        text.into_bytes()
    }
}

/// Reads a mended file and hands each row to `visit`, with the labels of the source's columns.
///
/// # Errors
/// A file that is not an export of rejects.
pub(super) fn read_mended(path: &Path, visit: &mut dyn FnMut(&[String], MendedRow) -> Result<()>) -> Result<()> {
    let name = path.display().to_string();
    let source = Source::file(name.clone(), path);
    let mut input = source.open()?;
    let dialect = Dialect::default();
    let mut cutter = Cutter::new(&dialect, Encoding::Utf8, Default::default());
    let decoder = Decoder::new(&dialect, Encoding::Utf8);
    let mut line = 1;
    loop {
        while let Some(piece) = cutter.next_piece() {
            let labels = cutter.header().unwrap_or_default().to_vec();
            let Piece::Block(block) = piece else {
                return Err(Error::source(&name, "it has a record that is too long"));
            };
            let records = decoder.decode(block);
            for record in 0..records.len() {
                let row = mended_row(&name, &labels, &records, record, line)?;
                visit(&labels[..labels.len() - EXTRA_COLUMNS.len()], row)?;
            }
            line += records.line_ends();
        }
        if cutter.is_finished() {
            return Ok(());
        }
        let read = std::io::Read::read(&mut input, cutter.space()).map_err(|error| source.unreadable(&error))?;
        if read == 0 { cutter.finish() } else { cutter.filled(read) }
    }
}

fn mended_row(name: &str, labels: &[String], records: &Records, record: usize, line: u32) -> Result<MendedRow> {
    let line = u64::from(line) + records.line(record) as u64 + 1;
    let own = labels.len().checked_sub(EXTRA_COLUMNS.len()).filter(|&own| labels[own..] == EXTRA_COLUMNS);
    let Some(own) = own else {
        let reason = format!("it is not an export of rejects: its last columns must be {}", EXTRA_COLUMNS.join(", "));
        return Err(Error::source(name, reason));
    };
    let cell = |column: usize| records.cell(record, column).unwrap_or_default().to_owned();
    let reject = cell(own).parse().map_err(|_| {
        Error::source(name, format!("line {line}: landfall_reject is not the number of a reject: {:?}", cell(own)))
    })?;
    if records.width(record) != labels.len() {
        let reason = format!("line {line} has {} cells and not {}", records.width(record), labels.len());
        return Err(Error::source(name, reason));
    }
    Ok(MendedRow { reject, cells: (0..own).map(cell).collect(), extra: cell(own + 3) })
}
