//! `parse_date`, `parse_time`, `parse_datetime`, `yearmonth` and `duration`.

pub(super) mod calendar;
mod duration;
mod iso;
mod pattern;
mod scan;
#[cfg(test)]
mod tests;
mod write;
mod zone;

use arrow_array::types::{Date32Type, Time64MicrosecondType, TimestampMicrosecondType};
use arrow_schema::{DataType, TimeUnit};

pub(super) use self::duration::{DurationReader, YearMonthReader};
pub use self::write::PatternWriter;
use self::{
    iso::Moment,
    pattern::{PatternKind, TemporalPattern},
    zone::DeclaredZone,
};
use super::{
    column::{CellReader, PrimitiveColumn},
    problem::CellFault,
};
use crate::schema::{Ambiguous, TemporalFormat};

/// The lexical form of a field.
#[derive(Debug)]
enum TemporalForm {
    Default,
    Any,
    Pattern(TemporalPattern),
}

impl TemporalForm {
    fn new(format: &TemporalFormat, kind: PatternKind) -> Result<Self, String> {
        Ok(match format {
            TemporalFormat::Default => Self::Default,
            TemporalFormat::Any => Self::Any,
            TemporalFormat::Pattern(text) => Self::Pattern(TemporalPattern::new(text, kind)?),
        })
    }

    fn form_hint(&self, example: &str) -> String {
        match self {
            Self::Default | Self::Any => format!("write it like {example}"),
            Self::Pattern(pattern) => {
                format!("write it in the form {}", super::problem::quote_shortened(pattern.source_text()))
            }
        }
    }
}

/// Reads `parse_date`.
#[derive(Debug)]
pub(super) struct DateReader {
    form: TemporalForm,
}

impl DateReader {
    pub(super) fn new(format: &TemporalFormat) -> Result<Self, String> {
        Ok(Self { form: TemporalForm::new(format, PatternKind::Date)? })
    }
}

impl CellReader for DateReader {
    type Stored = PrimitiveColumn<Date32Type>;

    fn data_type(&self) -> DataType {
        DataType::Date32
    }

    #[inline]
    fn read_common_form(&self, text: &str) -> Option<i32> {
        // The standard's form is also one of the forms of `any`.
        if matches!(self.form, TemporalForm::Pattern(_)) { None } else { iso::parse_common_date(text) }
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<i32, CellFault> {
        match &self.form {
            TemporalForm::Default => iso::parse_date(text),
            TemporalForm::Any => iso::parse_any_date(text),
            TemporalForm::Pattern(pattern) => pattern.parse_date(text),
        }
    }

    fn value_noun(&self) -> &'static str {
        "a date"
    }

    fn mend_hint(&self) -> String {
        self.form.form_hint("2021-11-07")
    }
}

/// Reads `parse_time`.
#[derive(Debug)]
pub(super) struct TimeReader {
    form: TemporalForm,
}

impl TimeReader {
    pub(super) fn new(format: &TemporalFormat) -> Result<Self, String> {
        Ok(Self { form: TemporalForm::new(format, PatternKind::Time)? })
    }
}

impl CellReader for TimeReader {
    type Stored = PrimitiveColumn<Time64MicrosecondType>;

    fn data_type(&self) -> DataType {
        DataType::Time64(TimeUnit::Microsecond)
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<i64, CellFault> {
        match &self.form {
            TemporalForm::Default => iso::parse_time(text),
            TemporalForm::Any => iso::parse_any_time(text),
            TemporalForm::Pattern(pattern) => pattern.parse_time(text),
        }
    }

    fn value_noun(&self) -> &'static str {
        "a time"
    }

    fn mend_hint(&self) -> String {
        self.form.form_hint("02:48:42")
    }
}

/// Reads `parse_datetime`.
#[derive(Debug)]
pub(super) struct DatetimeReader {
    form: TemporalForm,
    zone: Option<DeclaredZone>,
    ambiguous: Ambiguous,
}

impl DatetimeReader {
    pub(super) fn new(
        format: &TemporalFormat,
        timezone: Option<&str>,
        ambiguous: Ambiguous,
    ) -> Result<Self, (&'static str, String)> {
        let zone = timezone.map(DeclaredZone::new).transpose().map_err(|why| ("timezone", why))?;
        let form = TemporalForm::new(format, PatternKind::Datetime).map_err(|why| ("format", why))?;
        Ok(Self { form, zone, ambiguous })
    }

    fn read_moment(&self, text: &str) -> Result<Moment, CellFault> {
        match &self.form {
            TemporalForm::Default => iso::parse_datetime(text),
            TemporalForm::Any => iso::any_datetime(text),
            TemporalForm::Pattern(pattern) => pattern.parse_datetime(text),
        }
    }
}

impl CellReader for DatetimeReader {
    type Stored = PrimitiveColumn<TimestampMicrosecondType>;

    fn data_type(&self) -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    #[inline]
    fn read_common_form(&self, text: &str) -> Option<i64> {
        if matches!(self.form, TemporalForm::Pattern(_)) { None } else { iso::quick_datetime(text) }
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<i64, CellFault> {
        match (self.read_moment(text), &self.form, &self.zone) {
            (Ok(moment), ..) => zone::to_utc(&moment, self.zone.as_ref(), self.ambiguous),
            // An offset behind the pattern is how a mended row tells which of two equal local times is meant.
            (Err(cause), TemporalForm::Pattern(pattern), Some(zone)) => {
                zone::parse_in_zone(pattern, zone, text).unwrap_or(Err(cause))
            }
            (Err(cause), ..) => Err(cause),
        }
    }

    fn value_noun(&self) -> &'static str {
        "a datetime"
    }

    fn mend_hint(&self) -> String {
        self.form.form_hint("2021-11-07T02:48:42Z")
    }
}
