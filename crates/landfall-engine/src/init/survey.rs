//! The first pass: of which types the values of each column are. It reads complete files, so that no value beyond a
//! sample can surprise; the sample only spares it the types that are out of the question.
//!
//! Where no usual type has all values of a column, a second look at the files holds it against the rarer ones.

use std::{ops::Range, sync::Arc};

use landfall_core::{
    decode::Records,
    schema::{Field, TableSchema},
    validate::{ColumnMap, Validator, ValueReader},
};

use super::{
    candidate::{TypeCandidate, candidate_field, list_candidates},
    column::{ColumnSurvey, LiveCandidate, is_empty_cell},
    records::{FilePart, FileReading, LocatedRecords, PlaceTally, SniffedForm},
    sample::RecordSample,
    second_look, words,
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

/// What is known of the columns of a table.
#[derive(Debug)]
pub(super) struct TableSurvey {
    pub(super) candidates: Vec<TypeCandidate>,
    pub(super) columns: Vec<ColumnSurvey>,
    /// Records that are the header again.
    pub(super) repeated_headers: PlaceTally,
    /// The last record begins with a word such as "total".
    pub(super) sum: PlaceTally,
    /// Where the types of the second look begin among the candidates.
    second: usize,
}

/// What a survey reads.
pub(super) struct SurveyedFiles<'f> {
    pub(super) sources: &'f [Source],
    pub(super) form: &'f SniffedForm,
    pub(super) sample: &'f RecordSample,
    /// The cells of the header; none where there is none.
    pub(super) labels: &'f [String],
    pub(super) width: usize,
    pub(super) reading: FileReading<'f>,
}

/// Reads all of `files` and finds out of which types their columns are.
///
/// # Errors
/// A source that cannot be read.
pub(super) fn survey_columns(files: &SurveyedFiles<'_>) -> Result<TableSurvey> {
    let mut survey = TableSurvey::new(files);
    survey.read_files(files, 0)?;
    if survey.begin_second_look(files.sample) {
        survey.read_files(files, survey.second)?;
    }
    Ok(survey)
}

impl TableSurvey {
    fn new(files: &SurveyedFiles<'_>) -> Self {
        let candidates = list_candidates();
        let second = candidates.len();
        let mut survey = Self {
            candidates,
            columns: Vec::new(),
            repeated_headers: PlaceTally::default(),
            sum: PlaceTally::default(),
            second,
        };
        let readers = survey.value_readers(0);
        survey.columns = (0..files.width)
            .map(|at| ColumnSurvey::new(survey.types_in_question(at, files.sample, &readers)))
            .collect();
        survey
    }

    /// Readers of the types from the position `from` on, with these.
    fn value_readers(&self, from: usize) -> Vec<(usize, Option<ValueReader>)> {
        self.candidates.iter().enumerate().skip(from).map(|(at, candidate)| (at, candidate.value_reader())).collect()
    }

    /// The types that the sample does not rule out for the column at `at`.
    fn types_in_question(
        &self,
        at: usize,
        sample: &RecordSample,
        readers: &[(usize, Option<ValueReader>)],
    ) -> Vec<LiveCandidate> {
        let values = sample.records.iter().skip(1).filter_map(|record| record.get(at)).map(String::as_str);
        let is_value = |value: &&str| !value.is_empty() && !words::is_missing_word(value);
        let values: Vec<&str> = values.filter(is_value).take(SAMPLED).collect();
        let crowded = self.columns.len().max(sample.records.first().map_or(0, Vec::len)) * readers.len() > MOST_LIVE;
        let in_question = |(candidate, reader): &(usize, Option<ValueReader>)| {
            let (candidate, Some(reader)) = (&self.candidates[*candidate], reader) else { return false };
            match (values.len() < LEAST_SAMPLED, crowded) {
                (true, false) => true,
                (true, true) => values.iter().any(|value| candidate.reads_value(reader, value)),
                (false, _) => candidate.reads_most(reader, &values, 50),
            }
        };
        readers.iter().filter(|reader| in_question(reader)).map(|(at, _)| LiveCandidate::new(*at)).collect()
    }

    /// Puts the rarer types to the columns of which no usual type has all values; whether there is anything to be read again.
    fn begin_second_look(&mut self, sample: &RecordSample) -> bool {
        second_look::add_candidates(&mut self.candidates);
        let readers = self.value_readers(self.second);
        let mut any = false;
        for at in 0..self.columns.len() {
            if self.columns[at].needs_second_look() {
                let live = self.types_in_question(at, sample, &readers);
                any |= !live.is_empty();
                self.columns[at].live.extend(live);
            }
        }
        any
    }

    /// Reads all files with the types from the position `from` on.
    fn read_files(&mut self, files: &SurveyedFiles<'_>, from: usize) -> Result<()> {
        let mut probe = self.build_probe(from)?;
        let mut failed = None;
        files.reading.read_records(files.sources, files.form, probe.owners.len(), &mut |part| {
            let FilePart::Block(block) = part else { return };
            if let Err(error) = probe.count_misfits(&block, &mut self.columns) {
                failed = Some(error);
            }
            self.look_at_block(&block, files.labels, from);
            if self.drop_candidates(from) {
                match self.build_probe(from) {
                    Ok(next) => probe = next,
                    Err(error) => failed = Some(error),
                }
            }
        })?;
        for column in &mut self.columns {
            column.discount_missing_words(&self.candidates, from);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Looks at the forms of the values.
    fn look_at_block(&mut self, block: &LocatedRecords, labels: &[String], from: usize) {
        let width = self.columns.len();
        for record in filled_records(block, width) {
            let place = block.place_of(record);
            let cells = (0..width).filter_map(|column| block.records.cell_text(record, column));
            if from > 0 {
                let types = cells.zip(&mut self.columns).filter(|(cell, _)| !is_empty_cell(cell));
                types.for_each(|(cell, column)| column.weigh_types(cell, &self.candidates, from));
                continue;
            }
            if !labels.is_empty() && block.has_cells(record, labels) {
                self.repeated_headers.add_place(place);
            }
            self.note_sum(block, record);
            cells.zip(&mut self.columns).for_each(|(cell, column)| column.look_at_cell(cell, place, &self.candidates));
        }
    }

    /// Notes whether the record, which is the last one as far as is known, begins with a word for a sum.
    fn note_sum(&mut self, block: &LocatedRecords, record: usize) {
        let mut cells = (0..self.columns.len()).filter_map(|column| block.records.cell_text(record, column));
        self.sum = PlaceTally::default();
        if self.columns.len() > 1 && cells.find(|cell| !cell.trim().is_empty()).is_some_and(words::is_sum_word) {
            self.sum.add_place(block.place_of(record));
        }
    }

    /// Gives up types that most values are not of; whether there were any.
    fn drop_candidates(&mut self, from: usize) -> bool {
        let mut any = false;
        for column in &mut self.columns {
            let (all, before) = (column.filled + column.missing_count(), column.live.len());
            let patience = PATIENCE + column.missing_count();
            column.live.retain(|live| live.candidate < from || live.bad < patience || live.bad * 2 < all);
            any |= column.live.len() < before;
        }
        any
    }

    /// A validator that reads each column as all types in question from the position `from` on.
    fn build_probe(&self, from: usize) -> Result<TypeProbe> {
        let (mut fields, mut owners) = (Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            for (position, live) in column.live.iter().enumerate().filter(|(_, live)| live.candidate >= from) {
                fields.push(candidate_field(&fields.len().to_string(), &self.candidates[live.candidate].kind, false));
                owners.push((at, position));
            }
        }
        TypeProbe::new(fields, owners, self.columns.len())
    }
}

/// The records that have the right number of cells, not all of them empty.
fn filled_records(block: &LocatedRecords, width: usize) -> impl Iterator<Item = usize> {
    let records = &block.records;
    let filled =
        move |record: usize| (0..width).any(|column| !records.cell_text(record, column).is_none_or(is_empty_cell));
    (0..records.len()).filter(move |&record| records.cell_count(record) == width && filled(record))
}

impl ColumnSurvey {
    /// Whether no type of the first look has all values, or the marks in them can be meant in two ways.
    fn needs_second_look(&self) -> bool {
        let fits = self.live.iter().any(|live| live.bad == 0 && live.is_sound());
        self.filled > 0 && (!fits || self.points.is_ambiguous() || self.commas.is_ambiguous())
    }

    /// Words for missing values are of no type but numbers, which `NaN` is one of. They count as bad until the pass has ended.
    fn discount_missing_words(&mut self, candidates: &[TypeCandidate], from: usize) {
        for live in self.live.iter_mut().filter(|live| live.candidate >= from) {
            let is_number = candidates[live.candidate].kind.name() == "number";
            let counted = self.missing.iter().filter(|(word, _)| !(is_number && words::is_not_a_number(word)));
            live.bad = live.bad.saturating_sub(counted.map(|(_, tally)| tally.count).sum());
        }
    }
}

/// Counts the values that are not of the types in question.
struct TypeProbe {
    /// All types in question; none where there are none.
    validator: Option<Validator>,
    fields: Vec<Field>,
    /// For each field its column, and the position among the types in question there.
    owners: Vec<(usize, usize)>,
    width: usize,
}

/// The bytes of a block that all types in question read at once. Each may keep the text, so that a longer block is read by fewer types at a
/// time.
const READ_AT_ONCE: usize = 2 << 20;
/// The bytes of text that the types may keep together of such a block.
const KEPT_AT_ONCE: usize = 32 << 20;

impl TypeProbe {
    fn new(fields: Vec<Field>, owners: Vec<(usize, usize)>, width: usize) -> Result<Self> {
        let mut probe = Self { validator: None, fields, owners, width };
        if !probe.owners.is_empty() {
            probe.validator = Some(probe.build_validator(0..probe.owners.len())?);
        }
        Ok(probe)
    }

    /// A validator of the fields in `range`, which keep their names.
    fn build_validator(&self, range: Range<usize>) -> Result<Validator> {
        let columns = self.owners[range.clone()].iter().map(|(column, _)| Some(*column)).collect();
        let schema = Arc::new(TableSchema { fields: self.fields[range].to_vec(), ..TableSchema::default() });
        let validator = Validator::new(schema, ColumnMap { columns, width: self.width });
        validator.map_err(|error| Error::Rule(error.to_string()))
    }

    fn count_misfits(&self, block: &LocatedRecords, columns: &mut [ColumnSurvey]) -> Result<()> {
        let Some(validator) = &self.validator else { return Ok(()) };
        let records = &block.records;
        let bytes: usize = (0..records.len()).map(|record| records.raw_bytes(record).len()).sum();
        if bytes <= READ_AT_ONCE {
            self.count_rejects(validator, records, columns);
            return Ok(());
        }
        let step = (KEPT_AT_ONCE / bytes).max(1);
        for first in (0..self.owners.len()).step_by(step) {
            let validator = self.build_validator(first..self.owners.len().min(first + step))?;
            self.count_rejects(&validator, records, columns);
        }
        Ok(())
    }

    fn count_rejects(&self, validator: &Validator, records: &Records, columns: &mut [ColumnSurvey]) {
        for reject in validator.validate_records(records).rejects {
            if records.cell_count(reject.record as usize) != self.width {
                continue;
            }
            let fields = reject.errors.iter().filter_map(|error| error.field.as_ref()?.parse::<usize>().ok());
            for &(column, position) in fields.filter_map(|field| self.owners.get(field)) {
                columns[column].live[position].bad += 1;
            }
        }
    }
}
