//! Rows from their bytes: each becomes a line of JSON.

mod skip;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    bytes::{Cursor, Result, Stop, bad},
    fits::Take,
    json::{
        MOST_DIGITS, duration_parts, micros, push_bytes, push_decimal, push_double, push_duration, push_float,
        push_string, push_timestamp, push_uuid,
    },
    resolve::{Reading, Shape, What},
    schema::{AvroSchema, AvroType, DEPTH, TypeId, Unit},
};
use crate::{
    decode::json::kind_of,
    validate::{PatternWriter, render},
};

/// Why bytes can be no row, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(super) String);

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

impl Reading {
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
    pub fn row(&self, bytes: &[u8], out: &mut String) -> std::result::Result<Option<usize>, ValueError> {
        let start = out.len();
        let mut row = Row { schema: &self.schema, cursor: Cursor::of_row(bytes, self.most_row), out, start };
        let mut name = "";
        let read = self.steps.iter().try_for_each(|step| {
            name = &step.name;
            match &step.what {
                What::Keep { prefix, null, shape } => row.member(prefix, *null, shape),
                What::Skip(kind) => row.skip(*kind, 0),
            }
        });
        match read.and_then(|()| row.end()) {
            Ok(()) => Ok(Some(row.cursor.at)),
            Err(stop) => {
                out.truncate(start);
                match stop {
                    Stop::More => Ok(None),
                    Stop::Bad(error) => Err(ValueError(format!("the field {name:?}: {error}"))),
                }
            }
        }
    }
}

/// A row that is read.
struct Row<'r> {
    schema: &'r AvroSchema,
    cursor: Cursor<'r>,
    out: &'r mut String,
    /// Where it starts in `out`.
    start: usize,
}

impl<'r> Row<'r> {
    #[inline]
    fn member(&mut self, prefix: &str, null: Option<u8>, shape: &'r Shape) -> Result<()> {
        self.out.push_str(prefix);
        if let Some(null) = null
            && self.cursor.position(2, "branches")? == usize::from(null)
        {
            self.out.push_str("null");
            return Ok(());
        }
        match shape {
            Shape::Long => render::integer_text(self.cursor.long()?, self.out),
            Shape::Text => push_string(self.cursor.text()?, self.out),
            Shape::Micros => {
                let micros = self.cursor.long()?;
                self.quoted(|out| render::datetime_text(micros, out));
            }
            Shape::Other(kind, take) => self.taken(*kind, take)?,
        }
        self.bounded()
    }

    /// Ends the row.
    fn end(&mut self) -> Result<()> {
        self.out.push_str("}\n");
        Ok(())
    }

    #[inline]
    fn bounded(&self) -> Result<()> {
        let most = self.cursor.most;
        if self.out.len() - self.start > most {
            return bad(format!("with it the row has more than {most} bytes"));
        }
        Ok(())
    }

    fn quoted(&mut self, write: impl FnOnce(&mut String)) {
        self.out.push('"');
        write(self.out);
        self.out.push('"');
    }

    /// A value as the table's field takes it.
    fn taken(&mut self, kind: TypeId, take: &Take) -> Result<()> {
        match (self.schema.get(kind), take) {
            (AvroType::Union(branches), _) => {
                let branch = branches[self.cursor.position(branches.len(), "branches")?];
                self.taken(branch, take)
            }
            (_, Take::Plain) => self.value(kind, 0),
            (AvroType::Bytes, Take::Base64) => {
                let bytes = self.cursor.bytes()?;
                self.base64(bytes)
            }
            (AvroType::Fixed(size), Take::Base64) => {
                let bytes = self.fixed(*size)?;
                self.base64(bytes)
            }
            (
                AvroType::Date | AvroType::Time(_) | AvroType::Timestamp { .. } | AvroType::Duration,
                Take::Text | Take::Base64,
            ) => self.as_number(kind),
            (AvroType::String, Take::Json(kinds)) => {
                let text = self.cursor.text()?;
                let sound = kind_of(text).is_some_and(|kind| kinds.contains(&kind));
                if sound {
                    self.raw(text)
                } else {
                    push_string(text, self.out)
                }
                Ok(())
            }
            (AvroType::String, Take::Number) => {
                let text = self.cursor.text()?;
                let sound = kind_of(text) == Some(crate::decode::json::JsonKind::Number);
                if sound {
                    self.out.push_str(text.trim())
                } else {
                    push_string(text, self.out)
                }
                Ok(())
            }
            (other, Take::Pattern(writer)) => self.in_pattern(kind, other, writer),
            _ => self.value(kind, 0),
        }
    }

    fn base64(&mut self, bytes: &[u8]) -> Result<()> {
        self.quoted(|out| BASE64_STANDARD.encode_string(bytes, out));
        Ok(())
    }

    /// A moment or duration as what it is counted in.
    fn as_number(&mut self, kind: TypeId) -> Result<()> {
        match self.schema.get(kind) {
            AvroType::Duration => {
                let parts = duration_parts(self.cursor.array()?);
                self.out.push_str(&format!("{parts:?}"));
            }
            _ => {
                let count = self.cursor.long()?;
                render::integer_text(count, self.out);
            }
        }
        Ok(())
    }

    /// JSON as it is, on one line.
    fn raw(&mut self, text: &str) {
        for part in text.split_inclusive(['\n', '\r']) {
            let inner = part.trim_end_matches(['\n', '\r']);
            self.out.push_str(inner);
            match part.as_bytes().get(inner.len()) {
                Some(b'\n') => self.out.push(char::from(Reading::LINE_FEED)),
                Some(_) => self.out.push(char::from(Reading::CARRIAGE_RETURN)),
                None => {}
            }
        }
    }

    /// A date, time or datetime in the field's pattern; in its own form where the pattern cannot say it, so that the row is
    /// rejected with that.
    fn in_pattern(&mut self, id: TypeId, kind: &AvroType, writer: &PatternWriter) -> Result<()> {
        let start = self.cursor.at;
        let text = match kind {
            AvroType::Date => writer.date(self.cursor.int()?),
            AvroType::Time(unit) => micros(self.cursor.long()?, *unit)
                .filter(|time| (0..DAY).contains(time))
                .and_then(|time| writer.time(time)),
            AvroType::Timestamp { unit, local } => {
                let write = if *local { PatternWriter::local_datetime } else { PatternWriter::datetime };
                micros(self.cursor.long()?, *unit).and_then(|micros| write(writer, micros))
            }
            _ => None,
        };
        match text {
            Some(text) => push_string(&text, self.out),
            None => {
                self.cursor.at = start;
                self.value(id, 0)?;
            }
        }
        Ok(())
    }

    fn fixed(&mut self, size: usize) -> Result<&'r [u8]> {
        if size == 0 {
            self.cursor.nothing()?;
        }
        self.cursor.take(size)
    }

    /// A value in the JSON form of its type.
    fn value(&mut self, id: TypeId, depth: usize) -> Result<()> {
        match self.schema.get(id) {
            AvroType::Null => {
                self.cursor.nothing()?;
                self.out.push_str("null");
            }
            AvroType::Boolean => render::boolean_text(self.cursor.boolean()?, self.out),
            AvroType::Int => render::integer_text(self.cursor.int()?.into(), self.out),
            AvroType::Long => render::integer_text(self.cursor.long()?, self.out),
            AvroType::Float => push_float(f32::from_le_bytes(self.cursor.array()?), self.out),
            AvroType::Double => push_double(f64::from_le_bytes(self.cursor.array()?), self.out),
            AvroType::Bytes => push_bytes(self.cursor.bytes()?, self.out),
            AvroType::Fixed(size) => push_bytes(self.fixed(*size)?, self.out),
            AvroType::String => push_string(self.cursor.text()?, self.out),
            AvroType::Enum(symbols) => push_string(&symbols[self.cursor.position(symbols.len(), "symbols")?], self.out),
            AvroType::Decimal { size, scale } => self.decimal(*size, *scale)?,
            AvroType::Uuid => {
                let bytes = self.cursor.array()?;
                self.quoted(|out| push_uuid(&bytes, out));
            }
            AvroType::Date => {
                let day = self.cursor.int()?;
                self.quoted(|out| render::date_text(day, out));
            }
            AvroType::Time(unit) => self.time(*unit)?,
            AvroType::Timestamp { unit, local } => self.timestamp(*unit, *local)?,
            AvroType::Duration => {
                let parts = duration_parts(self.cursor.array()?);
                self.quoted(|out| push_duration(parts, out));
            }
            AvroType::Union(branches) => {
                let branch = branches[self.cursor.position(branches.len(), "branches")?];
                self.value(branch, depth)?;
            }
            AvroType::Record(_) | AvroType::Array(_) | AvroType::Map(_) => self.nested(id, depth)?,
        }
        self.bounded()
    }

    fn decimal(&mut self, size: Option<usize>, scale: usize) -> Result<()> {
        let bytes = match size {
            Some(size) => self.cursor.take(size)?,
            None => self.cursor.bytes()?,
        };
        if push_decimal(bytes, scale, self.out) {
            return Ok(());
        }
        bad(format!("it has a decimal of {} bytes; there may be 1 to {MOST_DIGITS}", bytes.len()))
    }

    fn time(&mut self, unit: Unit) -> Result<()> {
        let count = if unit == Unit::Millis { self.cursor.int()?.into() } else { self.cursor.long()? };
        match micros(count, unit).filter(|micros| (0..DAY).contains(micros)) {
            Some(micros) => self.quoted(|out| render::time_text(micros, out)),
            // No time of a day: the validator rejects the number.
            None => render::integer_text(count, self.out),
        }
        Ok(())
    }

    fn timestamp(&mut self, unit: Unit, local: bool) -> Result<()> {
        let count = self.cursor.long()?;
        let mark = self.out.len();
        self.out.push('"');
        if push_timestamp(count, unit, local, self.out) {
            self.out.push('"');
        } else {
            self.out.truncate(mark);
            render::integer_text(count, self.out);
        }
        Ok(())
    }

    fn nested(&mut self, id: TypeId, depth: usize) -> Result<()> {
        if depth >= DEPTH {
            return bad(format!("it is nested deeper than {DEPTH} levels"));
        }
        match self.schema.get(id) {
            AvroType::Record(record) => {
                if record.fields.is_empty() {
                    self.cursor.nothing()?;
                }
                self.out.push('{');
                for (at, field) in record.fields.iter().enumerate() {
                    self.out.push_str(if at == 0 { "" } else { "," });
                    push_string(&field.name, self.out);
                    self.out.push(':');
                    self.value(field.kind, depth + 1)?;
                }
                self.out.push('}');
                Ok(())
            }
            AvroType::Array(item) => self.items('[', *item, ']', depth),
            AvroType::Map(item) => self.items('{', *item, '}', depth),
            _ => self.value(id, depth),
        }
    }

    /// The items of an array, or the values of a map with their names.
    fn items(&mut self, open: char, item: TypeId, close: char, depth: usize) -> Result<()> {
        let mut first = true;
        self.out.push(open);
        loop {
            let (count, end) = self.cursor.block()?;
            if count == 0 {
                self.cursor.ends(end)?;
                break;
            }
            for _ in 0..count {
                self.out.push_str(if std::mem::take(&mut first) { "" } else { "," });
                if open == '{' {
                    push_string(self.cursor.text()?, self.out);
                    self.out.push(':');
                }
                self.value(item, depth + 1)?;
            }
            self.cursor.ends(end)?;
        }
        self.out.push(close);
        Ok(())
    }
}

/// Brings the line ends within rows back that [`Reading::row`] has put aside; whether there were any.
pub fn restore_line_ends(text: &mut [u8]) -> bool {
    let mut found = false;
    let mut at = 0;
    while let Some(next) = memchr::memchr2(Reading::LINE_FEED, Reading::CARRIAGE_RETURN, &text[at..]) {
        at += next;
        text[at] = if text[at] == Reading::LINE_FEED { b'\n' } else { b'\r' };
        found = true;
    }
    found
}
