//! Rows from their bytes: each becomes a line of JSON.

mod skip;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    bytes::{AvroCursor, CursorResult, ReadStop, refuse_bytes},
    fits::Conversion,
    json::{
        MOST_DIGITS, duration_parts, push_bytes, push_decimal, push_double, push_duration, push_float, push_string,
        push_timestamp, push_uuid, to_micros,
    },
    resolve::{FieldAction, RowMapping, ValueShape},
    schema::{AvroSchema, AvroType, DEPTH, TimeUnit, TypeId},
};
use crate::{
    decode::json::classify_json,
    validate::{PatternWriter, render},
};

/// Why bytes can be no row, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(super) String);

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

impl RowMapping {
    /// The line ends that JSON values may have within them stand in the rows as [`Self::LINE_FEED`] and [`Self::CARRIAGE_RETURN`], so
    /// that a row is one line. [`restore_line_ends`] brings them back.
    pub const LINE_FEED: u8 = 0x1e;
    /// See [`Self::LINE_FEED`].
    pub const CARRIAGE_RETURN: u8 = 0x1f;

    /// Appends the row at the start of `bytes` to `out`, as a JSON object with a line end behind it, and tells the number of its
    /// bytes. None where they are not all there; `out` is then as it was.
    ///
    /// # Errors
    /// Bytes that can be no row, whatever followed.
    pub fn read_row(&self, bytes: &[u8], out: &mut String) -> std::result::Result<Option<usize>, ValueError> {
        let start = out.len();
        let mut row = RowReader { schema: &self.schema, cursor: AvroCursor::for_row(bytes, self.most_row), out, start };
        let mut name = "";
        let read = self.steps.iter().try_for_each(|step| {
            name = &step.name;
            match &step.what {
                FieldAction::Keep { prefix, null, shape } => row.push_member(prefix, *null, shape),
                FieldAction::Skip(kind) => row.skip_value(*kind, 0),
            }
        });
        match read.and_then(|()| row.finish_row()) {
            Ok(()) => Ok(Some(row.cursor.at)),
            Err(stop) => {
                // The row may be read once more with more bytes, and a row that is refused must leave nothing behind.
                out.truncate(start);
                match stop {
                    ReadStop::More => Ok(None),
                    ReadStop::Bad(error) => Err(ValueError(format!("the field {name:?}: {error}"))),
                }
            }
        }
    }
}

/// A row that is read.
struct RowReader<'r> {
    schema: &'r AvroSchema,
    cursor: AvroCursor<'r>,
    out: &'r mut String,
    /// Where it starts in `out`.
    start: usize,
}

impl<'r> RowReader<'r> {
    #[inline]
    fn push_member(&mut self, prefix: &str, null: Option<u8>, shape: &'r ValueShape) -> CursorResult<()> {
        self.out.push_str(prefix);
        if let Some(null) = null
            && self.cursor.read_position(2, "branches")? == usize::from(null)
        {
            self.out.push_str("null");
            return Ok(());
        }
        match shape {
            ValueShape::Long => render::integer_text(self.cursor.read_long()?, self.out),
            ValueShape::Text => push_string(self.cursor.read_text()?, self.out),
            ValueShape::Micros => {
                let micros = self.cursor.read_long()?;
                self.push_quoted(|out| render::datetime_text(micros, out));
            }
            ValueShape::Other(kind, take) => self.push_converted(*kind, take)?,
        }
        self.check_row_size()
    }

    /// Ends the row.
    fn finish_row(&mut self) -> CursorResult<()> {
        self.out.push_str("}\n");
        Ok(())
    }

    #[inline]
    fn check_row_size(&self) -> CursorResult<()> {
        let most = self.cursor.most;
        if self.out.len() - self.start > most {
            return refuse_bytes(format!("with it the row has more than {most} bytes"));
        }
        Ok(())
    }

    fn push_quoted(&mut self, write: impl FnOnce(&mut String)) {
        self.out.push('"');
        write(self.out);
        self.out.push('"');
    }

    /// A value as the table's field takes it.
    fn push_converted(&mut self, kind: TypeId, take: &Conversion) -> CursorResult<()> {
        match (self.schema.get(kind), take) {
            (AvroType::Union(branches), _) => {
                let branch = branches[self.cursor.read_position(branches.len(), "branches")?];
                self.push_converted(branch, take)
            }
            (_, Conversion::Plain) => self.push_value(kind, 0),
            (AvroType::Bytes, Conversion::Base64) => {
                let bytes = self.cursor.read_bytes()?;
                self.push_base64(bytes)
            }
            (AvroType::Fixed(size), Conversion::Base64) => {
                let bytes = self.take_fixed(*size)?;
                self.push_base64(bytes)
            }
            (
                AvroType::Date | AvroType::Time(_) | AvroType::Timestamp { .. } | AvroType::Duration,
                Conversion::Text | Conversion::Base64,
            ) => self.push_count(kind),
            (AvroType::String, Conversion::Json(kinds)) => {
                let text = self.cursor.read_text()?;
                let sound = classify_json(text).is_some_and(|kind| kinds.contains(&kind));
                if sound {
                    self.push_json_line(text)
                } else {
                    push_string(text, self.out)
                }
                Ok(())
            }
            (AvroType::String, Conversion::Number) => {
                let text = self.cursor.read_text()?;
                let sound = classify_json(text) == Some(crate::decode::json::JsonKind::Number);
                if sound {
                    self.out.push_str(text.trim())
                } else {
                    push_string(text, self.out)
                }
                Ok(())
            }
            (other, Conversion::Pattern(writer)) => self.push_in_pattern(kind, other, writer),
            _ => self.push_value(kind, 0),
        }
    }

    fn push_base64(&mut self, bytes: &[u8]) -> CursorResult<()> {
        self.push_quoted(|out| BASE64_STANDARD.encode_string(bytes, out));
        Ok(())
    }

    /// A moment or duration as what it is counted in.
    fn push_count(&mut self, kind: TypeId) -> CursorResult<()> {
        match self.schema.get(kind) {
            AvroType::Duration => {
                let parts = duration_parts(self.cursor.take_array()?);
                self.out.push_str(&format!("{parts:?}"));
            }
            _ => {
                let count = self.cursor.read_long()?;
                render::integer_text(count, self.out);
            }
        }
        Ok(())
    }

    /// JSON as it is, on one line.
    fn push_json_line(&mut self, text: &str) {
        // A row is one line, and JSON may have line ends between its parts. Control characters, which it cannot have
        // there, stand for them.
        for part in text.split_inclusive(['\n', '\r']) {
            let inner = part.trim_end_matches(['\n', '\r']);
            self.out.push_str(inner);
            match part.as_bytes().get(inner.len()) {
                Some(b'\n') => self.out.push(char::from(RowMapping::LINE_FEED)),
                Some(_) => self.out.push(char::from(RowMapping::CARRIAGE_RETURN)),
                None => {}
            }
        }
    }

    /// A date, time or datetime in the field's pattern; in its own form where the pattern cannot say it, so that the row is
    /// rejected with that.
    fn push_in_pattern(&mut self, id: TypeId, kind: &AvroType, writer: &PatternWriter) -> CursorResult<()> {
        let start = self.cursor.at;
        let text = match kind {
            AvroType::Date => writer.write_date(self.cursor.read_int()?),
            AvroType::Time(unit) => to_micros(self.cursor.read_long()?, *unit)
                .filter(|time| (0..DAY).contains(time))
                .and_then(|time| writer.write_time(time)),
            AvroType::Timestamp { unit, local } => {
                let write = if *local { PatternWriter::local_datetime } else { PatternWriter::write_datetime };
                to_micros(self.cursor.read_long()?, *unit).and_then(|micros| write(writer, micros))
            }
            _ => None,
        };
        match text {
            Some(text) => push_string(&text, self.out),
            None => {
                // Written as any other value of its type, from its first byte on. The validator rejects it with its
                // reason.
                self.cursor.at = start;
                self.push_value(id, 0)?;
            }
        }
        Ok(())
    }

    fn take_fixed(&mut self, size: usize) -> CursorResult<&'r [u8]> {
        if size == 0 {
            // A value without a byte costs a file nothing, so that only its count can be bounded.
            self.cursor.count_empty_value()?;
        }
        self.cursor.take_bytes(size)
    }

    /// A value in the JSON form of its type.
    fn push_value(&mut self, id: TypeId, depth: usize) -> CursorResult<()> {
        match self.schema.get(id) {
            AvroType::Null => {
                self.cursor.count_empty_value()?;
                self.out.push_str("null");
            }
            AvroType::Boolean => render::boolean_text(self.cursor.read_boolean()?, self.out),
            AvroType::Int => render::integer_text(self.cursor.read_int()?.into(), self.out),
            AvroType::Long => render::integer_text(self.cursor.read_long()?, self.out),
            AvroType::Float => push_float(f32::from_le_bytes(self.cursor.take_array()?), self.out),
            AvroType::Double => push_double(f64::from_le_bytes(self.cursor.take_array()?), self.out),
            AvroType::Bytes => push_bytes(self.cursor.read_bytes()?, self.out),
            AvroType::Fixed(size) => push_bytes(self.take_fixed(*size)?, self.out),
            AvroType::String => push_string(self.cursor.read_text()?, self.out),
            AvroType::Enum(symbols) => {
                push_string(&symbols[self.cursor.read_position(symbols.len(), "symbols")?], self.out)
            }
            AvroType::Decimal { size, scale } => self.push_decimal(*size, *scale)?,
            AvroType::Uuid => {
                let bytes = self.cursor.take_array()?;
                self.push_quoted(|out| push_uuid(&bytes, out));
            }
            AvroType::Date => {
                let day = self.cursor.read_int()?;
                self.push_quoted(|out| render::push_date(day, out));
            }
            AvroType::Time(unit) => self.push_time(*unit)?,
            AvroType::Timestamp { unit, local } => self.push_timestamp(*unit, *local)?,
            AvroType::Duration => {
                let parts = duration_parts(self.cursor.take_array()?);
                self.push_quoted(|out| push_duration(parts, out));
            }
            AvroType::Union(branches) => {
                let branch = branches[self.cursor.read_position(branches.len(), "branches")?];
                self.push_value(branch, depth)?;
            }
            AvroType::Record(_) | AvroType::Array(_) | AvroType::Map(_) => self.push_nested(id, depth)?,
        }
        self.check_row_size()
    }

    fn push_decimal(&mut self, size: Option<usize>, scale: usize) -> CursorResult<()> {
        let bytes = match size {
            Some(size) => self.cursor.take_bytes(size)?,
            None => self.cursor.read_bytes()?,
        };
        if push_decimal(bytes, scale, self.out) {
            return Ok(());
        }
        refuse_bytes(format!("it has a decimal of {} bytes; there may be 1 to {MOST_DIGITS}", bytes.len()))
    }

    fn push_time(&mut self, unit: TimeUnit) -> CursorResult<()> {
        let count = if unit == TimeUnit::Millis { self.cursor.read_int()?.into() } else { self.cursor.read_long()? };
        match to_micros(count, unit).filter(|micros| (0..DAY).contains(micros)) {
            Some(micros) => self.push_quoted(|out| render::push_time(micros, out)),
            // No time of a day: the validator rejects the number.
            None => render::integer_text(count, self.out),
        }
        Ok(())
    }

    fn push_timestamp(&mut self, unit: TimeUnit, local: bool) -> CursorResult<()> {
        let count = self.cursor.read_long()?;
        let mark = self.out.len();
        self.out.push('"');
        if push_timestamp(count, unit, local, self.out) {
            self.out.push('"');
        } else {
            // It is beyond the years that can be written. The bare number is rejected by the validator.
            self.out.truncate(mark);
            render::integer_text(count, self.out);
        }
        Ok(())
    }

    fn push_nested(&mut self, id: TypeId, depth: usize) -> CursorResult<()> {
        if depth >= DEPTH {
            return refuse_bytes(format!("it is nested deeper than {DEPTH} levels"));
        }
        match self.schema.get(id) {
            AvroType::Record(record) => {
                if record.fields.is_empty() {
                    self.cursor.count_empty_value()?;
                }
                self.out.push('{');
                for (at, field) in record.fields.iter().enumerate() {
                    self.out.push_str(if at == 0 { "" } else { "," });
                    push_string(&field.name, self.out);
                    self.out.push(':');
                    self.push_value(field.kind, depth + 1)?;
                }
                self.out.push('}');
                Ok(())
            }
            AvroType::Array(item) => self.push_items('[', *item, ']', depth),
            AvroType::Map(item) => self.push_items('{', *item, '}', depth),
            _ => self.push_value(id, depth),
        }
    }

    /// The items of an array, or the values of a map with their names.
    fn push_items(&mut self, open: char, item: TypeId, close: char, depth: usize) -> CursorResult<()> {
        let mut first = true;
        self.out.push(open);
        loop {
            let (count, end) = self.cursor.read_block_head()?;
            if count == 0 {
                self.cursor.check_block_end(end)?;
                break;
            }
            for _ in 0..count {
                self.out.push_str(if std::mem::take(&mut first) { "" } else { "," });
                if open == '{' {
                    push_string(self.cursor.read_text()?, self.out);
                    self.out.push(':');
                }
                self.push_value(item, depth + 1)?;
            }
            self.cursor.check_block_end(end)?;
        }
        self.out.push(close);
        Ok(())
    }
}

/// Brings the line ends within rows back that [`RowMapping::read_row`] has put aside; whether there were any.
pub fn restore_line_ends(text: &mut [u8]) -> bool {
    let mut found = false;
    let mut at = 0;
    while let Some(next) = memchr::memchr2(RowMapping::LINE_FEED, RowMapping::CARRIAGE_RETURN, &text[at..]) {
        at += next;
        text[at] = if text[at] == RowMapping::LINE_FEED { b'\n' } else { b'\r' };
        found = true;
    }
    found
}
