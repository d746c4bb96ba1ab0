//! Rejects as a CSV file that a person mends, and such a file read back.
//!
//! The file has the columns of the source, and behind them what Landfall knows of each reject. A row whose own columns
//! are as they were exported is tried again from the raw bytes of the quarantine; any other as it stands in the file.

use std::{collections::HashMap, io::Write, path::Path};

use landfall_core::{
    decode::{Cutter, Decoder, Piece, Records, json::JsonKind},
    schema::{Dialect, Encoding, Field},
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

/// The first of [`EXTRA_COLUMNS`] in a file for people, whose cells are not those of the source: it cannot be sent back.
const GUARDED_REJECT: &str = "landfall_guarded_reject";

/// Writes the rejects that `filter` wants to `out` as CSV (UTF-8, LF, RFC 4180), in the columns of their source and
/// those of [`EXTRA_COLUMNS`]; how many there were. Where their sources have other columns than each other, the columns are the
/// fields of the table. All must be of one table.
///
/// # Errors
/// Rejects of several tables, or a file that cannot be written.
pub fn export_rejects(read: &dyn Read, project: &Project, filter: &RejectFilter, out: &mut dyn Write) -> Result<u64> {
    export(read, project, filter, Reader::Mender, out)
}

/// As [`export_rejects`], for people who only read it: what a spreadsheet would run as a formula has a `'` before it. Such a file is
/// not taken back, since its cells are not those that were sent.
///
/// # Errors
/// Rejects of several tables, or a file that cannot be written.
pub fn export_rejects_guarded(
    read: &dyn Read,
    project: &Project,
    filter: &RejectFilter,
    out: &mut dyn Write,
) -> Result<u64> {
    export(read, project, filter, Reader::Spreadsheet, out)
}

/// Whom a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Who mends it, and sends it back.
    Mender,
    /// People who only read it, in a spreadsheet.
    Spreadsheet,
}

impl Reader {
    /// The cells of a line as CSV.
    fn line(self, cells: &[&str]) -> String {
        if self == Self::Mender {
            return csv_text::line(cells.iter().copied());
        }
        let guarded: Vec<String> = cells.iter().map(|cell| csv_text::guarded(cell)).collect();
        csv_text::line(guarded.iter().map(String::as_str))
    }

    /// The columns behind the source's own.
    fn extra_columns(self) -> [&'static str; EXTRA_COLUMNS.len()] {
        let mut columns = EXTRA_COLUMNS;
        if self == Self::Spreadsheet {
            columns[0] = GUARDED_REJECT;
        }
        columns
    }
}

fn export(
    read: &dyn Read,
    project: &Project,
    filter: &RejectFilter,
    reader: Reader,
    out: &mut dyn Write,
) -> Result<u64> {
    let tables = project.tables();
    let options = LoadOptions::default();
    let session = Session { project, tables: &tables, options: &options, observer: &Silent };
    let mut exporters = Exporters { session: &session, all: Vec::new(), of_load: HashMap::new() };
    pages(read, filter, &mut |reject| exporters.of(read, &reject).map(drop))?;
    let by_fields = exporters.all.len() > 1;
    if let Some(exporter) = exporters.all.first() {
        write(out, &exporter.header(by_fields, reader))?;
    }
    let mut count = 0;
    pages(read, filter, &mut |reject| {
        let at = exporters.of(read, &reject)?;
        count += 1;
        write(out, &exporters.all[at].line(read, &reject, by_fields, reader)?)
    })?;
    Ok(count)
}

/// One exporter for each way in which the columns of sources lie.
struct Exporters<'s> {
    session: &'s Session<'s>,
    all: Vec<Exporter<'s>>,
    of_load: HashMap<LoadId, usize>,
}

impl Exporters<'_> {
    /// The position of the exporter for `reject`.
    fn of(&mut self, read: &dyn Read, reject: &Reject) -> Result<usize> {
        if let Some(first) = self.all.first().filter(|first| first.table != reject.table) {
            return Err(Error::Usage(format!(
                "there are rejects of several tables ({:?}, {:?}); name one with --table",
                first.table, reject.table
            )));
        }
        if let Some(at) = self.of_load.get(&reject.load) {
            return Ok(*at);
        }
        let layout = layout_of(read, reject.load)?;
        let at = match self.all.iter().position(|known| known.layout == layout) {
            Some(at) => at,
            None => {
                self.all.push(Exporter::lying(self.session, reject, layout)?);
                self.all.len() - 1
            }
        };
        self.of_load.insert(reject.load, at);
        Ok(at)
    }
}

fn write(out: &mut dyn Write, line: &str) -> Result<()> {
    out.write_all(line.as_bytes()).map_err(|cause| Error::File { path: "the export".into(), cause })
}

/// Writes rejects of one table and layout.
pub(super) struct Exporter<'s> {
    session: &'s Session<'s>,
    table: String,
    layout: Layout,
    labels: Vec<String>,
    rules: RecordRules,
}

impl<'s> Exporter<'s> {
    /// For rejects like `reject`.
    pub(super) fn new(session: &'s Session<'s>, read: &dyn Read, reject: &Reject) -> Result<Self> {
        Self::lying(session, reject, layout_of(read, reject.load)?)
    }

    fn lying(session: &'s Session<'s>, reject: &Reject, layout: Layout) -> Result<Self> {
        let resource = &session.project.package.resources[session.project.position(&reject.table)?];
        let labels = layout.labels_for(&resource.schema);
        // Cells are only read here, whatever the target holds.
        let rules = RecordRules::new(&layout.written(resource)?, &layout, &TargetLimits::default())?;
        Ok(Self { session, table: reject.table.clone(), layout, labels, rules })
    }

    fn fields(&self) -> &[Field] {
        let table = self.session.tables.iter().find(|table| *table.name == *self.table);
        table.map_or(&[], |table| &table.schema.fields)
    }

    /// Whether `labels` are the names of the table's fields.
    pub(super) fn are_fields(&self, labels: &[String]) -> bool {
        labels.iter().map(String::as_str).eq(self.fields().iter().map(|field| &*field.name))
    }

    /// A row of fields as one of the source, whose cells are `cells` otherwise.
    pub(super) fn of_fields(&self, cells: &[String], row: MendedRow) -> Result<MendedRow, String> {
        let mut mended = cells.to_vec();
        for ((field, column), cell) in self.fields().iter().zip(self.layout.map().columns).zip(row.cells) {
            match column {
                Some(column) => mended[column] = cell,
                None if cell.is_empty() => {}
                None => return Err(self.without(&field.name)),
            }
        }
        Ok(MendedRow { cells: mended, ..row })
    }

    fn without(&self, field: &str) -> String {
        format!(
            "the source of this reject has no column for the field {field:?}; its columns are {}",
            self.labels.join(", ")
        )
    }

    /// The record of `reject` with other values for some of its fields.
    ///
    /// # Errors
    /// A field that is not there, or cannot be missing; or a record that cannot be cut into its cells, where not all are given.
    pub(super) fn corrected(
        &self,
        read: &dyn Read,
        reject: &Reject,
        values: &[(String, Option<String>)],
    ) -> Result<MendedRow> {
        let (mut cells, extra, raw) = self.cells(read, reject)?;
        let columns = self.layout.map().columns;
        if !(extra.is_empty() && raw.is_empty()) {
            let named = |field: &Field| values.iter().any(|(name, _)| *name == *field.name);
            let mut held = self.fields().iter().zip(&columns).filter(|(_, column)| column.is_some());
            if let Some((field, _)) = held.find(|(field, _)| !named(field)) {
                return Err(Error::Usage(format!(
                    "the record does not have the cells of its source's columns; give all of its fields, also {:?}",
                    &*field.name
                )));
            }
        }
        for (name, value) in values {
            let at = self.fields().iter().position(|field| *field.name == **name);
            let at = at.ok_or_else(|| Error::Usage(format!("the table has no field {name:?}")))?;
            let column = columns[at].ok_or_else(|| Error::Usage(self.without(name)))?;
            cells[column] = match (value, self.fields()[at].missing_values.first()) {
                (Some(value), _) => value.clone(),
                (None, Some(missing)) => missing.clone(),
                (None, None) => {
                    return Err(Error::Usage(format!("no text stands for a missing value of the field {name:?}")));
                }
            };
        }
        Ok(MendedRow { reject: reject.id, cells, extra: String::new() })
    }

    /// The labels of the source's columns.
    pub(super) fn labels(&self) -> &[String] {
        &self.labels
    }

    fn header(&self, by_fields: bool, reader: Reader) -> String {
        let fields = self.fields().iter().map(|field| &*field.name);
        let labels = self.labels.iter().map(String::as_str);
        let own: Vec<&str> = if by_fields { fields.collect() } else { labels.collect() };
        reader.line(&[&own[..], &reader.extra_columns()].concat())
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

    fn line(&self, read: &dyn Read, reject: &Reject, by_fields: bool, reader: Reader) -> Result<String> {
        let (mut cells, extra, raw) = self.cells(read, reject)?;
        if by_fields {
            let cell = |column: Option<usize>| column.map(|column| cells[column].clone()).unwrap_or_default();
            cells = self.layout.map().columns.into_iter().map(cell).collect();
        }
        let reasons: Vec<String> = reject
            .errors
            .iter()
            .map(|error| format!("{} {}: {}", error.code, error.field.as_deref().unwrap_or("-"), error.message))
            .collect();
        let (id, line, reasons) = (reject.id.to_string(), reject.line.to_string(), reasons.join("; "));
        let known = [id.as_str(), &reject.source, &line, &extra, &raw, &reasons];
        Ok(reader.line(&cells.iter().map(String::as_str).chain(known).collect::<Vec<_>>()))
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
            // Also where it has no row.
            return own_columns(&name, cutter.header().unwrap_or_default()).map(drop);
        }
        let read = std::io::Read::read(&mut input, cutter.space()).map_err(|error| source.unreadable(&error))?;
        if read == 0 { cutter.finish() } else { cutter.filled(read) }
    }
}

/// How many columns of an export are those of its source.
fn own_columns(name: &str, labels: &[String]) -> Result<usize> {
    let own = labels.len().checked_sub(EXTRA_COLUMNS.len()).filter(|&own| labels[own..] == EXTRA_COLUMNS);
    own.ok_or_else(|| {
        if labels.iter().any(|label| label == GUARDED_REJECT) {
            let reason = "it was exported for people, with ' before some cells (guard_formulas); export it without that to mend it";
            return Error::source(name, reason);
        }
        let reason = format!("it is not an export of rejects: its last columns must be {}", EXTRA_COLUMNS.join(", "));
        Error::source(name, reason)
    })
}

fn mended_row(name: &str, labels: &[String], records: &Records, record: usize, line: u32) -> Result<MendedRow> {
    let line = u64::from(line) + records.line(record) as u64 + 1;
    let own = own_columns(name, labels)?;
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
