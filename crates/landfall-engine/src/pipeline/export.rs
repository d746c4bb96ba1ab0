//! Rejects as a CSV file that a person mends.
//!
//! The file has the columns of the source, and behind them what Landfall knows of each reject. A row whose own columns
//! are as they were exported is tried again from the raw bytes of the quarantine; any other as it stands in the file.

use std::{
    collections::{HashMap, HashSet},
    io::Write,
};

use landfall_core::{
    decode::{Records, json::JsonKind},
    schema::{Encoding, Field},
    validate::TargetLimits,
};

use super::{
    LoadOptions, Silent,
    adopt::{bytes_of, pages},
    layout::Layout,
    load::Session,
    mended::{MendedRow, OtherChanges, is_same_text},
    null_cells::NullCells,
    opened::RecordRules,
};
use crate::{
    csv_text,
    error::{Error, Result},
    ledger::{LoadFilter, LoadId},
    project::Project,
    quarantine::{Reject, RejectFilter, RejectedRecord},
    source::{EXPORT_COLUMNS, GUARDED_REJECT},
    targets::Read,
};

/// Writes the rejects that `filter` wants to `out` as CSV (UTF-8, LF, RFC 4180), in the columns of their source and
/// those behind them that Landfall knows of each reject; how many there were. Where their sources have other columns than each other, the columns are the
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
    fn extra_columns(self) -> [&'static str; EXPORT_COLUMNS.len()] {
        let mut columns = EXPORT_COLUMNS;
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
    nulls: NullCells,
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
        let written = layout.written(resource)?;
        let rules = RecordRules::new(&written, &layout, &TargetLimits::default())?;
        let nulls = NullCells::of(&written.dialect);
        Ok(Self { session, table: reject.table.clone(), layout, labels, rules, nulls })
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
            let missing = self.fields()[at].missing_values.first().map(String::as_str);
            cells[column] = match (value, missing.or(self.nulls.missing())) {
                (Some(value), _) => self.nulls.exported(value),
                (None, Some(missing)) => missing.to_owned(),
                (None, None) => {
                    return Err(Error::Usage(format!("no text stands for a missing value of the field {name:?}")));
                }
            };
        }
        Ok(self.written(MendedRow { reject: reject.id, line: 0, cells, extra: String::new(), raw: String::new() }))
    }

    /// `row`, whose cells are as in an export, as it is tried.
    fn written(&self, row: MendedRow) -> MendedRow {
        let cells = row.cells.iter().map(|cell| self.nulls.written(cell)).collect();
        MendedRow { cells, extra: self.nulls.written(&row.extra), ..row }
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
        Ok(match self.split(&records) {
            Some((cells, extra)) => (cells, extra, String::new()),
            None => (blank(), String::new(), raw()),
        })
    }

    /// The cells of one record in the source's columns, and those beyond; none if it cannot be split.
    fn split(&self, records: &Records) -> Option<(Vec<String>, String)> {
        if records.len() != 1 || !records.record_faults().is_empty() {
            return None;
        }
        let null = |column| matches!(records.json_kind(0, column), Some(JsonKind::Absent | JsonKind::Null));
        let cell = |column| if null(column) { Some("") } else { records.cell_text(0, column) };
        let cells = (0..records.cell_count(0)).filter_map(cell);
        let mut cells: Vec<String> = cells.map(|text| self.nulls.exported(text)).collect();
        let extra = cells.split_off(cells.len().min(self.labels.len()));
        cells.resize(self.labels.len(), String::new());
        let extra = if extra.is_empty() { String::new() } else { csv_text::cells(extra.iter().map(String::as_str)) };
        Some((cells, extra))
    }

    /// The row of a mended file as it is to be tried; none if the person has left the record as it was. Changes of cells that had
    /// no error are noted in `others`.
    ///
    /// # Errors
    /// A row that cannot be understood, as the end of a sentence.
    pub(super) fn mended(
        &self,
        read: &dyn Read,
        reject: &Reject,
        row: MendedRow,
        others: &mut OtherChanges,
    ) -> Result<Result<Option<MendedRow>, String>> {
        let (cells, extra, raw) = self.cells(read, reject)?;
        let changed: Vec<usize> = (0..cells.len()).filter(|&at| !is_same_text(&cells[at], &row.cells[at])).collect();
        let same_cells = changed.is_empty() && is_same_text(&extra, &row.extra);
        if !is_same_text(&raw, &row.raw) {
            return if same_cells { self.split_raw(reject, row) } else { Ok(Err(both_changed(row.line))) };
        }
        if same_cells {
            return Ok(Ok(None));
        }
        if let Some(faulty) = self.faulty_columns(reject) {
            for at in changed.into_iter().filter(|at| !faulty.contains(at)) {
                others.note(row.line, &self.labels[at], &cells[at], &row.cells[at]);
            }
        }
        Ok(Ok(Some(self.written(row))))
    }

    /// The columns that the errors of `reject` name; none if an error is about the whole record.
    fn faulty_columns(&self, reject: &Reject) -> Option<HashSet<usize>> {
        let columns = self.layout.map().columns;
        let of_field = |name: &str| {
            let at = self.fields().iter().position(|field| *field.name == *name)?;
            columns.get(at).copied().flatten()
        };
        reject.errors.iter().map(|error| of_field(error.field.as_deref()?)).collect()
    }

    /// The row whose record a person has mended as a whole: text in the dialect of its source.
    fn split_raw(&self, reject: &Reject, row: MendedRow) -> Result<Result<Option<MendedRow>, String>> {
        if RejectedRecord::raw_text(&reject.raw, reject.length).1 {
            return Ok(Err(format!(
                "line {}: landfall_raw shows bytes that are no text, and cannot be mended; fill in the record's own columns",
                row.line
            )));
        }
        let position = self.session.project.position(&self.table)?;
        let mut resource = self.layout.written(&self.session.project.package.resources[position])?;
        resource.encoding = Encoding::Utf8;
        let rules = RecordRules::new(&resource, &self.layout, &TargetLimits::default())?;
        Ok(match self.split(&rules.decoder.decode_record(row.raw.as_bytes())) {
            Some((cells, extra)) => Ok(Some(self.written(MendedRow { cells, extra, ..row }))),
            None => Err(format!("line {}: landfall_raw still cannot be split into cells", row.line)),
        })
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

fn both_changed(line: u64) -> String {
    format!(
        "line {line}: landfall_raw was changed, and cells too; change one of them, so that it is clear which is meant"
    )
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
