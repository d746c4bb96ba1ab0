//! Rejects of one table and layout as the lines of an export, and such a line as the record that it mends.

use std::collections::HashSet;

use landfall_core::{
    decode::{NULL_CELL, Records, json::JsonKind},
    schema::{Encoding, Field},
    validate::TargetLimits,
};

use super::{
    adopt::read_raw,
    export::ExportReader,
    layout::{SourceLayout, layout_of_load},
    load::LoadSession,
    mended_file::{MendedRow, UnaskedChanges, is_same_text},
    null_cells::NullCellForm,
    open_source::RecordRules,
};
use crate::{
    csv_text,
    error::{Error, Result},
    quarantine::{Reject, ShownReject},
    targets::TargetRead,
};

/// Writes rejects of one table and layout.
pub(super) struct LayoutExporter<'s> {
    session: &'s LoadSession<'s>,
    pub(super) table: String,
    pub(super) layout: SourceLayout,
    labels: Vec<String>,
    rules: RecordRules,
    nulls: NullCellForm,
    /// Whether the cells that short records lack are missing values.
    pads: bool,
}

impl<'s> LayoutExporter<'s> {
    /// For rejects like `reject`.
    pub(super) fn new(session: &'s LoadSession<'s>, read: &dyn TargetRead, reject: &Reject) -> Result<Self> {
        Self::for_layout(session, reject, layout_of_load(read, reject.load)?)
    }

    pub(super) fn for_layout(session: &'s LoadSession<'s>, reject: &Reject, layout: SourceLayout) -> Result<Self> {
        let resource = &session.project.package[session.project.find_position(&reject.table)?];
        let labels = layout.labels_for(&resource.schema);
        // Cells are only read here, whatever the target holds.
        let written = layout.written_resource(resource)?;
        let rules = RecordRules::new(&written, &layout, &TargetLimits::default())?;
        let nulls = NullCellForm::for_dialect(&written.dialect);
        let pads = written.dialect.ragged.pads();
        Ok(Self { session, table: reject.table.clone(), layout, labels, rules, nulls, pads })
    }

    fn table_fields(&self) -> &[Field] {
        let table = self.session.tables.iter().find(|table| *table.name == *self.table);
        table.map_or(&[], |table| &table.schema.fields)
    }

    /// Whether `labels` are the names of the table's fields.
    pub(super) fn are_fields(&self, labels: &[String]) -> bool {
        labels.iter().map(String::as_str).eq(self.table_fields().iter().map(|field| &*field.name))
    }

    /// A row of fields as one of the source, whose cells are `cells` otherwise.
    pub(super) fn to_source_row(&self, cells: &[String], row: MendedRow) -> Result<MendedRow, String> {
        let mut mended = cells.to_vec();
        for ((field, column), cell) in self.table_fields().iter().zip(self.layout.column_map().columns).zip(row.cells) {
            match column {
                Some(column) => mended[column] = cell,
                // The source has no such column, and nobody has filled it in.
                None if cell.is_empty() => {}
                None => return Err(self.missing_text(&field.name)),
            }
        }
        Ok(MendedRow { cells: mended, ..row })
    }

    fn missing_text(&self, field: &str) -> String {
        format!(
            "the source of this reject has no column for the field {field:?}; its columns are {}",
            self.labels.join(", ")
        )
    }

    /// The record of `reject` with other values for some of its fields.
    ///
    /// # Errors
    /// A field that is not there, or cannot be missing; or a record that cannot be cut into its cells, where not all are given.
    pub(super) fn correct_record(
        &self,
        read: &dyn TargetRead,
        reject: &Reject,
        values: &[(String, Option<String>)],
    ) -> Result<MendedRow> {
        let (mut cells, extra, raw) = self.reject_cells(read, reject)?;
        let columns = self.layout.column_map().columns;
        // Which cell belongs to which field is not certain here, so that no cell of the old record is relied on.
        if !(extra.is_empty() && raw.is_empty()) {
            let named = |field: &Field| values.iter().any(|(name, _)| *name == *field.name);
            let mut held = self.table_fields().iter().zip(&columns).filter(|(_, column)| column.is_some());
            if let Some((field, _)) = held.find(|(field, _)| !named(field)) {
                return Err(Error::Usage(format!(
                    "the record does not have the cells of its source's columns; give all of its fields, also {:?}",
                    &*field.name
                )));
            }
        }
        for (name, value) in values {
            let at = self.table_fields().iter().position(|field| *field.name == **name);
            let at = at.ok_or_else(|| Error::Usage(format!("the table has no field {name:?}")))?;
            let column = columns[at].ok_or_else(|| Error::Usage(self.missing_text(name)))?;
            cells[column] = match (value, self.missing_cell(&self.table_fields()[at])) {
                (Some(value), _) => self.nulls.export_cell(value),
                (None, Some(missing)) => missing.to_owned(),
                (None, None) => {
                    return Err(Error::Usage(format!("no text stands for a missing value of the field {name:?}")));
                }
            };
        }
        Ok(self.to_written_row(MendedRow {
            reject: reject.id,
            line: 0,
            cells,
            extra: String::new(),
            raw: String::new(),
        }))
    }

    /// The text in an export for a missing value of `field`.
    fn missing_cell<'f>(&self, field: &'f Field) -> Option<&'f str> {
        self.nulls.missing_text().or(field.missing_values.first().map(String::as_str))
    }

    /// The text in an export for a cell of `column` that a record lacks: that of a missing value, where it counts as one.
    fn padding_cell(&self, column: usize) -> &str {
        let at = self.layout.column_map().columns.iter().position(|of_field| *of_field == Some(column));
        let field = at.filter(|_| self.pads).and_then(|at| self.table_fields().get(at));
        field.and_then(|field| self.missing_cell(field)).unwrap_or_default()
    }

    /// `row`, whose cells are as in an export, as it is tried.
    fn to_written_row(&self, row: MendedRow) -> MendedRow {
        let cells = row.cells.iter().map(|cell| self.nulls.to_record_cell(cell)).collect();
        MendedRow { cells, extra: self.nulls.to_record_cell(&row.extra), ..row }
    }

    /// The labels of the source's columns.
    pub(super) fn source_labels(&self) -> &[String] {
        &self.labels
    }

    pub(super) fn header_line(&self, by_fields: bool, reader: ExportReader) -> String {
        let fields = self.table_fields().iter().map(|field| &*field.name);
        let labels = self.labels.iter().map(String::as_str);
        let own: Vec<&str> = if by_fields { fields.collect() } else { labels.collect() };
        reader.format_line(&[&own[..], &reader.extra_columns()].concat())
    }

    /// The cells of a reject in the source's columns, those beyond, and its bytes where it cannot be cut into cells.
    pub(super) fn reject_cells(&self, read: &dyn TargetRead, reject: &Reject) -> Result<(Vec<String>, String, String)> {
        let blank = || vec![String::new(); self.labels.len()];
        let raw = || ShownReject::raw_text(&reject.raw, reject.length).0;
        let Some(bytes) = read_raw(self.session, read, reject)? else { return Ok((blank(), String::new(), raw())) };
        let records = self.rules.decoder.decode_record(&bytes);
        Ok(match self.split_record(&records) {
            Some((cells, extra)) => (cells, extra, String::new()),
            None => (blank(), String::new(), raw()),
        })
    }

    /// The cells of one record in the source's columns, and those beyond; none if it cannot be split.
    fn split_record(&self, records: &Records) -> Option<(Vec<String>, String)> {
        if records.len() != 1 || !records.record_faults().is_empty() {
            return None;
        }
        // A null of JSON has the text `null`, which a person would take for a value.
        let null = |column| matches!(records.json_kind(0, column), Some(JsonKind::Absent | JsonKind::Null));
        let missing = if self.nulls.missing_text().is_some() { NULL_CELL } else { "" };
        let cell = |column| if null(column) { Some(missing) } else { records.cell_text(0, column) };
        let cells = (0..records.cell_count(0)).filter_map(cell);
        let mut cells: Vec<String> = cells.map(|text| self.nulls.export_cell(text)).collect();
        let extra = cells.split_off(cells.len().min(self.labels.len()));
        cells.extend((cells.len()..self.labels.len()).map(|column| self.padding_cell(column).to_owned()));
        let extra =
            if extra.is_empty() { String::new() } else { csv_text::join_cells(extra.iter().map(String::as_str)) };
        Some((cells, extra))
    }

    /// The row of a mended file as it is to be tried; none if the person has left the record as it was. Changes of cells that had
    /// no error are noted in `others`.
    ///
    /// # Errors
    /// A row that cannot be understood, as the end of a sentence.
    pub(super) fn mend_row(
        &self,
        read: &dyn TargetRead,
        reject: &Reject,
        row: MendedRow,
        others: &mut UnaskedChanges,
    ) -> Result<Result<Option<MendedRow>, String>> {
        let (cells, extra, raw) = self.reject_cells(read, reject)?;
        let changed: Vec<usize> = (0..cells.len()).filter(|&at| !is_same_text(&cells[at], &row.cells[at])).collect();
        let same_cells = changed.is_empty() && is_same_text(&extra, &row.extra);
        if !is_same_text(&raw, &row.raw) {
            // Two corrections of one record may contradict each other.
            return if same_cells { self.split_mended_raw(reject, row) } else { Ok(Err(both_changed(row.line))) };
        }
        if same_cells {
            return Ok(Ok(None));
        }
        if let Some(faulty) = self.faulty_columns(reject) {
            for at in changed.into_iter().filter(|at| !faulty.contains(at)) {
                others.note_change(row.line, &self.labels[at], &cells[at], &row.cells[at]);
            }
        }
        Ok(Ok(Some(self.to_written_row(row))))
    }

    /// The columns that the errors of `reject` name; none if an error is about the whole record.
    fn faulty_columns(&self, reject: &Reject) -> Option<HashSet<usize>> {
        let columns = self.layout.column_map().columns;
        let of_field = |name: &str| {
            let at = self.table_fields().iter().position(|field| *field.name == *name)?;
            columns.get(at).copied().flatten()
        };
        reject.errors.iter().map(|error| of_field(error.field.as_deref()?)).collect()
    }

    /// The row whose record a person has mended as a whole: text in the dialect of its source.
    fn split_mended_raw(&self, reject: &Reject, row: MendedRow) -> Result<Result<Option<MendedRow>, String>> {
        if ShownReject::raw_text(&reject.raw, reject.length).1 {
            return Ok(Err(format!(
                "line {}: landfall_raw shows bytes that are no text, and cannot be mended; fill in the record's own columns",
                row.line
            )));
        }
        let position = self.session.project.find_position(&self.table)?;
        let mut resource = self.layout.written_resource(&self.session.project.package[position])?;
        // The file is UTF-8, whatever the source was.
        resource.encoding = Encoding::Utf8;
        let rules = RecordRules::new(&resource, &self.layout, &TargetLimits::default())?;
        Ok(match self.split_record(&rules.decoder.decode_record(row.raw.as_bytes())) {
            Some((cells, extra)) => Ok(Some(self.to_written_row(MendedRow { cells, extra, ..row }))),
            None => Err(format!("line {}: landfall_raw still cannot be split into cells", row.line)),
        })
    }

    pub(super) fn reject_line(
        &self,
        read: &dyn TargetRead,
        reject: &Reject,
        by_fields: bool,
        reader: ExportReader,
    ) -> Result<String> {
        let (mut cells, extra, raw) = self.reject_cells(read, reject)?;
        if by_fields {
            let cell = |column: Option<usize>| column.map(|column| cells[column].clone()).unwrap_or_default();
            cells = self.layout.column_map().columns.into_iter().map(cell).collect();
        }
        let reasons: Vec<String> = reject
            .errors
            .iter()
            .map(|error| format!("{} {}: {}", error.code, error.field.as_deref().unwrap_or("-"), error.message))
            .collect();
        let (id, line, reasons) = (reject.id.to_string(), reject.line.to_string(), reasons.join("; "));
        let known = [id.as_str(), &reject.source, &line, &extra, &raw, &reasons];
        Ok(reader.format_line(&cells.iter().map(String::as_str).chain(known).collect::<Vec<_>>()))
    }
}

fn both_changed(line: u64) -> String {
    format!(
        "line {line}: landfall_raw was changed, and cells too; change one of them, so that it is clear which is meant"
    )
}
