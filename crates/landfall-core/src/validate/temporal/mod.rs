//! `date`, `time`, `datetime`, `yearmonth` and `duration`.

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
    pattern::{Kind, Pattern},
    zone::Zone,
};
use super::{
    column::{Primitive, Reader},
    problem::Cause,
};
use crate::schema::{Ambiguous, TemporalFormat};

/// The lexical form of a field.
#[derive(Debug)]
enum Form {
    Default,
    Any,
    Pattern(Pattern),
}

impl Form {
    fn new(format: &TemporalFormat, kind: Kind) -> Result<Self, String> {
        Ok(match format {
            TemporalFormat::Default => Self::Default,
            TemporalFormat::Any => Self::Any,
            TemporalFormat::Pattern(text) => Self::Pattern(Pattern::new(text, kind)?),
        })
    }

    fn hint(&self, example: &str) -> String {
        match self {
            Self::Default | Self::Any => format!("write it like {example}"),
            Self::Pattern(pattern) => format!("write it in the form {}", super::problem::shown(pattern.text())),
        }
    }
}

/// Reads `date`.
#[derive(Debug)]
pub(super) struct DateReader {
    form: Form,
}

impl DateReader {
    pub(super) fn new(format: &TemporalFormat) -> Result<Self, String> {
        Ok(Self { form: Form::new(format, Kind::Date)? })
    }
}

impl Reader for DateReader {
    type Stored = Primitive<Date32Type>;

    fn data_type(&self) -> DataType {
        DataType::Date32
    }

    #[inline]
    fn quick(&self, text: &str) -> Option<i32> {
        // The standard's form is also one of the forms of `any`.
        if matches!(self.form, Form::Pattern(_)) { None } else { iso::quick_date(text) }
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<i32, Cause> {
        match &self.form {
            Form::Default => iso::date(text),
            Form::Any => iso::any_date(text),
            Form::Pattern(pattern) => pattern.date(text),
        }
    }

    fn noun(&self) -> &'static str {
        "a date"
    }

    fn hint(&self) -> String {
        self.form.hint("2021-11-07")
    }
}

/// Reads `time`.
#[derive(Debug)]
pub(super) struct TimeReader {
    form: Form,
}

impl TimeReader {
    pub(super) fn new(format: &TemporalFormat) -> Result<Self, String> {
        Ok(Self { form: Form::new(format, Kind::Time)? })
    }
}

impl Reader for TimeReader {
    type Stored = Primitive<Time64MicrosecondType>;

    fn data_type(&self) -> DataType {
        DataType::Time64(TimeUnit::Microsecond)
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<i64, Cause> {
        match &self.form {
            Form::Default => iso::time(text),
            Form::Any => iso::any_time(text),
            Form::Pattern(pattern) => pattern.time(text),
        }
    }

    fn noun(&self) -> &'static str {
        "a time"
    }

    fn hint(&self) -> String {
        self.form.hint("02:48:42")
    }
}

/// Reads `datetime`.
#[derive(Debug)]
pub(super) struct DatetimeReader {
    form: Form,
    zone: Option<Zone>,
    ambiguous: Ambiguous,
}

impl DatetimeReader {
    pub(super) fn new(
        format: &TemporalFormat,
        timezone: Option<&str>,
        ambiguous: Ambiguous,
    ) -> Result<Self, (&'static str, String)> {
        let zone = timezone.map(Zone::new).transpose().map_err(|why| ("timezone", why))?;
        let form = Form::new(format, Kind::Datetime).map_err(|why| ("format", why))?;
        Ok(Self { form, zone, ambiguous })
    }

    fn moment(&self, text: &str) -> Result<Moment, Cause> {
        match &self.form {
            Form::Default => iso::datetime(text),
            Form::Any => iso::any_datetime(text),
            Form::Pattern(pattern) => pattern.datetime(text),
        }
    }
}

impl Reader for DatetimeReader {
    type Stored = Primitive<TimestampMicrosecondType>;

    fn data_type(&self) -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    #[inline]
    fn quick(&self, text: &str) -> Option<i64> {
        if matches!(self.form, Form::Pattern(_)) { None } else { iso::quick_datetime(text) }
    }

    fn read<'a>(&self, text: &'a str, _scratch: &'a mut String) -> Result<i64, Cause> {
        match (self.moment(text), &self.form, &self.zone) {
            (Ok(moment), ..) => zone::in_utc(&moment, self.zone.as_ref(), self.ambiguous),
            (Err(cause), Form::Pattern(pattern), Some(zone)) => {
                zone::with_offset(pattern, zone, text).unwrap_or(Err(cause))
            }
            (Err(cause), ..) => Err(cause),
        }
    }

    fn noun(&self) -> &'static str {
        "a datetime"
    }

    fn hint(&self) -> String {
        self.form.hint("2021-11-07T02:48:42Z")
    }
}
