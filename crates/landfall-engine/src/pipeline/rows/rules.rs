//! What turns the body of a request into rows: shared by all threads that read requests.

use std::sync::{Arc, Mutex, PoisonError};

use landfall_core::{
    decode::{
        CutterLimits, Records, decode_all,
        json::{JsonDecoder, JsonError},
    },
    schema::{Dialect, Encoding, TableIndex},
    validate::{TargetLimits, ValidatedBlock},
};

use super::{
    super::{WorkLimits, layout::SourceLayout, open_source::RecordRules},
    room::RejectRoom,
    trust::RowTrust,
};
use crate::{
    error::{Error, Result},
    project::Project,
    rules_digest::RulesDigest,
    targets::{Table, TargetRead},
};

/// Rows for one table, cut into cells and validated.
#[derive(Debug)]
pub struct RowBatch {
    /// The table's position in the data package.
    pub(super) position: TableIndex,
    /// How the cells lie, as the ledger keeps it.
    pub(super) layout: Arc<str>,
    pub(super) parts: Vec<RowPart>,
    /// Bytes of the rows.
    pub(super) bytes: u64,
}

/// Some of the rows.
#[derive(Debug)]
pub(super) struct RowPart {
    pub(super) records: Records,
    pub(super) validated: ValidatedBlock,
    /// The rows, the bytes and the line ends before it.
    pub(super) rows_before: u64,
    pub(super) offset: u64,
    pub(super) lines_before: u64,
}

impl RowBatch {
    /// The number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.parts.iter().map(|part| part.records.len()).sum()
    }

    /// The position of the table in the data package.
    #[must_use]
    pub const fn position(&self) -> TableIndex {
        self.position
    }
}

/// The rules of all tables, as requests need them.
#[derive(Debug)]
pub struct RowRules {
    pub(super) project: Arc<Project>,
    pub(super) tables: Vec<Table>,
    each: Vec<TableRules>,
    pub(super) trust: RowTrust,
    pub(super) room: RejectRoom,
    /// The most bytes that a reject keeps of its record.
    pub(super) rejected_record_bytes: u64,
}

/// The rules of one table.
#[derive(Debug)]
struct TableRules {
    limits: TargetLimits,
    json: Arc<RecordRules>,
    decoder: JsonDecoder,
    json_layout: Arc<str>,
    /// The rules as a digest.
    digest: String,
    /// The rules for the columns of the last CSV body, which are nearly always those of the next one.
    csv: Mutex<Option<(SourceLayout, Arc<RecordRules>)>>,
}

impl RowRules {
    /// The rules of `project` for rows that go to the target of `read`.
    ///
    /// # Errors
    /// A rule that cannot be applied.
    pub fn new(read: &dyn TargetRead, project: Arc<Project>) -> Result<Self> {
        let tables = project.target_tables();
        let each = project.package.resources.iter().zip(&tables).map(|(resource, table)| {
            let limits = read.table_limits(table);
            let layout = SourceLayout::for_json_rows(&resource.schema);
            Ok(TableRules {
                json: Arc::new(RecordRules::new(resource, &layout, &limits)?),
                decoder: JsonDecoder::new(&resource.schema),
                json_layout: layout_json(&layout),
                digest: RulesDigest::from_resource(resource).text,
                limits,
                csv: Mutex::new(None),
            })
        });
        let each = each.collect::<Result<_>>()?;
        let trust = RowTrust::new(&tables);
        Ok(Self {
            project,
            tables,
            each,
            trust,
            room: RejectRoom::default(),
            rejected_record_bytes: WorkLimits::default().rejected_record_bytes,
        })
    }

    /// The same, where all open rejects of the project may have at most `most` bytes.
    #[must_use]
    pub fn with_reject_bytes(self, most: u64) -> Self {
        Self { room: RejectRoom::of(most), ..self }
    }

    /// The same, where a reject keeps at most `most` bytes of its record.
    #[must_use]
    pub fn with_rejected_record_bytes(self, most: u64) -> Self {
        Self { rejected_record_bytes: most, ..self }
    }

    /// The project.
    #[must_use]
    pub fn rules_project(&self) -> &Project {
        &self.project
    }

    /// The tables, in the order of the data package.
    #[must_use]
    pub fn rules_tables(&self) -> &[Table] {
        &self.tables
    }

    /// The table at `position`.
    #[must_use]
    pub fn table_at(&self, position: TableIndex) -> &Table {
        &self.tables[position.get()]
    }

    pub(super) fn rules_digest(&self, position: TableIndex) -> &str {
        &self.each[position.get()].digest
    }

    /// The rows of a JSON array, at most `most`, for the table at `position`.
    ///
    /// # Errors
    /// A text that is not JSON, is no array, or has more rows.
    pub fn read_json(&self, position: TableIndex, text: String, most: usize) -> Result<RowBatch, JsonError> {
        let records = self.each[position.get()].decoder.decode_array(text, most)?;
        Ok(self.batch_of_json(position, records))
    }

    /// The rows of a text with a JSON object on each line, at most `most`, for the table at `position`.
    ///
    /// # Errors
    /// More rows.
    pub fn read_json_lines(&self, position: TableIndex, text: String, most: usize) -> Result<RowBatch, JsonError> {
        let records = self.each[position.get()].decoder.decode_lines(text, most)?;
        Ok(self.batch_of_json(position, records))
    }

    fn batch_of_json(&self, position: TableIndex, records: Records) -> RowBatch {
        let rules = &self.each[position.get()];
        let validated = rules.json.validator.validate_records(&records);
        let bytes = (0..records.len())
            .last()
            .map_or(0, |last| records.byte_offset(last) + records.raw_bytes(last).len()) as u64;
        let part = RowPart { records, validated, rows_before: 0, offset: 0, lines_before: 0 };
        RowBatch { position, layout: rules.json_layout.clone(), parts: vec![part], bytes }
    }

    /// The records of a CSV body in the table's own dialect, or in `dialect`. The body is at most as long as a record may be.
    ///
    /// # Errors
    /// A header that cannot be read or contradicts the dictionary.
    pub fn read_csv(&self, position: TableIndex, body: &[u8], dialect: Option<&Dialect>) -> Result<RowBatch> {
        let resource = &self.project.package[position];
        let dialect = dialect.unwrap_or(&resource.dialect);
        // The body is in memory already, and is cut as one block; no record in it can be too long.
        let limits = CutterLimits {
            block_bytes: body.len().max(1),
            record_bytes: body.len().max(1) + 1,
            ..CutterLimits::default()
        };
        let decoded = decode_all(dialect, resource.encoding, limits, body);
        if let Some(fault) = decoded.header_fault {
            return Err(Error::source_error("the body", super::super::open_source::header_words(&fault)));
        }
        let encoding = match resource.encoding {
            // A byte order mark says big-endian. Without one it is little-endian.
            Encoding::Utf16 if body.starts_with(&[0xfe, 0xff]) => Encoding::Utf16Be,
            Encoding::Utf16 => Encoding::Utf16Le,
            other => other,
        };
        let layout = SourceLayout::for_source(resource, decoded.header.as_deref(), encoding).map_err(|faults| {
            Error::source_error("the body", format!("its header is not that of the table: {faults}"))
        })?;
        let rules = self.rules_for_layout(position, &layout)?;
        let (mut parts, mut rows_before) = (Vec::new(), 0);
        for part in decoded.parts {
            let Ok(records) = part.records else {
                return Err(Error::source_error("the body", "it has a record that is too long"));
            };
            let records = rules.decoder.mark_missing(records);
            let validated = rules.validator.validate_records(&records);
            let count = records.len() as u64;
            let (offset, lines_before) = (part.offset, part.lines_before);
            parts.push(RowPart { records, validated, rows_before, offset, lines_before });
            rows_before += count;
        }
        Ok(RowBatch { position, layout: layout_json(&layout), parts, bytes: body.len() as u64 })
    }

    fn rules_for_layout(&self, position: TableIndex, layout: &SourceLayout) -> Result<Arc<RecordRules>> {
        let known = &self.each[position.get()].csv;
        if let Some((held, rules)) = &*known.lock().unwrap_or_else(PoisonError::into_inner)
            && held == layout
        {
            return Ok(rules.clone());
        }
        let resource = &self.project.package[position];
        let rules = Arc::new(RecordRules::new(resource, layout, &self.each[position.get()].limits)?);
        *known.lock().unwrap_or_else(PoisonError::into_inner) = Some((layout.clone(), rules.clone()));
        Ok(rules)
    }
}

fn layout_json(layout: &SourceLayout) -> Arc<str> {
    serde_json::to_string(layout).unwrap_or_default().into()
}
