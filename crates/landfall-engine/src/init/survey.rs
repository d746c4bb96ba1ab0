//! The first pass: of which types the values of each column are. It reads complete files, so that no value beyond a
//! sample can surprise; the sample only spares it the types that are out of the question.

use std::sync::Arc;

use landfall_core::{
    decode::NULL_CELL,
    schema::{Dialect, TableSchema},
    validate::{ColumnMap, Validator, ValueReader},
};

use super::{
    candidate::{TypeCandidate, candidate_field, is_padded, list_candidates},
    records::{FilePart, LocatedRecords, SniffedForm, read},
    sample::RecordSample,
};
use crate::{
    error::{Error, Result},
    source::Source,
};

/// Values of the sample that are looked at in each column.
const SAMPLED: usize = 100;
/// With fewer values than this in the sample, every type stays in question.
const LEAST_SAMPLED: usize = 20;
/// With more types in question in all columns than this, those that no value of the sample is of are given up: each costs some kilobytes.
const MOST_LIVE: usize = 10_000;
/// After so many values that are not of a type, it is given up where they are the greater part.
const PATIENCE: u64 = 1000;

/// What is known of a column.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnSurvey {
    /// Cells that are empty.
    pub(super) empty: u64,
    /// Cells that are not.
    pub(super) filled: u64,
    /// Values with zeros or a plus sign that a number would lose.
    pub(super) padded: u64,
    /// Some value has white space in it.
    pub(super) spaced: bool,
    /// The types still in question, by their position in the list of candidates.
    pub(super) live: Vec<LiveCandidate>,
}

/// A type in question.
#[derive(Debug, Clone)]
pub(super) struct LiveCandidate {
    /// Its position in the list of candidates.
    pub(super) candidate: usize,
    /// Values that are not of this type.
    pub(super) bad: u64,
    evidence: bool,
    taboo: bool,
}

impl LiveCandidate {
    /// Whether anything speaks for the type, and nothing rules it out.
    pub(super) const fn is_sound(&self) -> bool {
        self.evidence && !self.taboo
    }
}

/// What is known of the columns of a table.
#[derive(Debug)]
pub(super) struct TableSurvey {
    pub(super) candidates: Vec<TypeCandidate>,
    pub(super) columns: Vec<ColumnSurvey>,
}

/// Reads all `sources` and finds out of which types their columns are.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn survey_columns(
    sources: &[Source],
    form: &SniffedForm,
    sample: &RecordSample,
    width: usize,
) -> Result<TableSurvey> {
    let mut survey = TableSurvey::new(&form.dialect, sample, width);
    let mut probe = survey.build_probe()?;
    let mut failed = None;
    read(sources, form, probe.owners.len(), &mut |part| {
        let FilePart::Block(block) = part else { return };
        probe.count_misfits(&block, &mut survey.columns);
        survey.look_at_block(&block);
        if survey.drop_candidates() {
            match survey.build_probe() {
                Ok(next) => probe = next,
                Err(error) => failed = Some(error),
            }
        }
    })?;
    failed.map_or(Ok(survey), Err)
}

impl TableSurvey {
    fn new(dialect: &Dialect, sample: &RecordSample, width: usize) -> Self {
        let candidates = list_candidates(dialect);
        let readers: Vec<_> = candidates.iter().map(TypeCandidate::value_reader).collect();
        let column = |at: usize| {
            let values = sample.records.iter().skip(1).filter_map(|record| record.get(at)).map(String::as_str);
            let values: Vec<&str> = values.filter(|value| !value.is_empty()).take(SAMPLED).collect();
            let in_question = |reader: &Option<ValueReader>| {
                let read = |value: &&&str| reader.as_ref().is_some_and(|reader| reader.read(value).is_ok());
                values.len() < LEAST_SAMPLED || values.iter().filter(read).count() * 2 >= values.len()
            };
            let live = |(candidate, _)| LiveCandidate { candidate, bad: 0, evidence: false, taboo: false };
            let live = readers.iter().enumerate().filter(|(_, reader)| in_question(reader)).map(live).collect();
            ColumnSurvey { live, ..ColumnSurvey::default() }
        };
        let mut columns: Vec<ColumnSurvey> = (0..width).map(column).collect();
        if columns.iter().map(|column| column.live.len()).sum::<usize>() > MOST_LIVE {
            columns.iter_mut().enumerate().for_each(|(at, column)| column.give_up_unseen(at, &readers, sample));
        }
        Self { candidates, columns }
    }

    /// Looks at the forms of the values.
    fn look_at_block(&mut self, block: &LocatedRecords) {
        for record in whole_records(block, self.columns.len()) {
            let cells = (0..self.columns.len()).filter_map(|column| block.records.cell_text(record, column));
            for (cell, column) in cells.zip(&mut self.columns) {
                column.look_at_value(cell, &self.candidates);
            }
        }
    }

    /// Gives up types that most values are not of; whether there were any.
    fn drop_candidates(&mut self) -> bool {
        let mut any = false;
        for column in &mut self.columns {
            let (filled, before) = (column.filled, column.live.len());
            column.live.retain(|live| live.bad < PATIENCE || live.bad * 2 < filled);
            any |= column.live.len() < before;
        }
        any
    }

    /// A validator that reads each column as all types in question.
    fn build_probe(&self) -> Result<TypeProbe> {
        let mut probe = TypeProbe { validator: None, owners: Vec::new(), width: self.columns.len() };
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            for (position, live) in column.live.iter().enumerate() {
                fields.push(candidate_field(&fields.len().to_string(), &self.candidates[live.candidate].kind, false));
                columns.push(Some(at));
                probe.owners.push((at, position));
            }
        }
        let schema = Arc::new(TableSchema { fields, ..TableSchema::default() });
        let validator = Validator::new(schema, ColumnMap { columns, width: probe.width });
        probe.validator = Some(validator.map_err(|error| Error::Rule(error.to_string()))?);
        Ok(probe)
    }
}

/// The records that have the right number of cells, not all of them empty.
fn whole_records(block: &LocatedRecords, width: usize) -> impl Iterator<Item = usize> {
    let records = &block.records;
    let filled =
        move |record: usize| (0..width).any(|column| !records.cell_text(record, column).is_none_or(is_missing_cell));
    (0..records.len()).filter(move |&record| records.cell_count(record) == width && filled(record))
}

fn is_missing_cell(cell: &str) -> bool {
    cell.is_empty() || cell == NULL_CELL
}

impl ColumnSurvey {
    /// Gives up the types that no value of the sample is of.
    fn give_up_unseen(&mut self, at: usize, readers: &[Option<ValueReader>], sample: &RecordSample) {
        let values = sample.records.iter().skip(1).filter_map(|record| record.get(at)).take(SAMPLED);
        let values: Vec<&String> = values.filter(|value| !value.is_empty()).collect();
        self.live.retain(|live| {
            let reader = readers[live.candidate].as_ref();
            reader.is_some_and(|reader| values.iter().any(|value| reader.read(value).is_ok()))
        });
    }

    fn look_at_value(&mut self, cell: &str, candidates: &[TypeCandidate]) {
        if is_missing_cell(cell) {
            self.empty += 1;
            return;
        }
        self.filled += 1;
        self.padded += u64::from(is_padded(cell));
        self.spaced |= cell.contains(char::is_whitespace);
        for live in &mut self.live {
            let candidate = &candidates[live.candidate];
            live.evidence |= (candidate.evidence)(cell);
            live.taboo |= (candidate.taboo)(cell);
        }
    }
}

/// Counts the values that are not of the types in question.
struct TypeProbe {
    validator: Option<Validator>,
    /// For each field of the validator its column, and the position among the types in question there.
    owners: Vec<(usize, usize)>,
    width: usize,
}

impl TypeProbe {
    fn count_misfits(&self, block: &LocatedRecords, columns: &mut [ColumnSurvey]) {
        let Some(validator) = self.validator.as_ref().filter(|_| !self.owners.is_empty()) else { return };
        for reject in validator.validate_records(&block.records).rejects {
            if block.records.cell_count(reject.record as usize) != self.width {
                continue;
            }
            let fields = reject.errors.iter().filter_map(|error| error.field.as_ref()?.parse::<usize>().ok());
            for &(column, position) in fields.filter_map(|field| self.owners.get(field)) {
                columns[column].live[position].bad += 1;
            }
        }
    }
}
