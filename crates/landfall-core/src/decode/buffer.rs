//! The bytes that the cutter holds.

use super::units::{UnitReader, unit_width};
use crate::schema::Encoding;

/// Bytes that came in and did not go out yet. Lengths and positions are in code units, from the first of them.
#[derive(Debug)]
pub(super) struct InputBuffer {
    /// Room for bytes; those in `start..filled` are held.
    bytes: Vec<u8>,
    start: usize,
    filled: usize,
    /// For encodings in which units are no bytes, or bytes have several meanings: the stand-in bytes of the units held.
    stand_ins: Option<StandInBytes>,
}

#[derive(Debug)]
struct StandInBytes {
    units: UnitReader,
    /// Bytes of the source for each of them.
    width: usize,
    big_endian: bool,
    bytes: Vec<u8>,
}

impl StandInBytes {
    /// Reads what is `held` and has no stand-in yet.
    fn read_held(&mut self, held: &[u8], last: bool) {
        let from = (self.bytes.len() * self.width).min(held.len());
        self.units.append_units(&held[from..], self.big_endian, last, &mut self.bytes);
    }
}

impl InputBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, filled: 0, stand_ins: None }
    }

    /// From now on the bytes are in this encoding.
    pub(super) fn set_encoding(&mut self, encoding: Encoding, units: UnitReader) {
        if units.makes_stand_ins() {
            let (width, big_endian) = (unit_width(encoding), encoding == Encoding::Utf16Be);
            self.stand_ins = Some(StandInBytes { units, width, big_endian, bytes: Vec::new() });
            self.read_units();
        }
    }

    fn unit_width(&self) -> usize {
        self.stand_ins.as_ref().map_or(1, |stand_ins| stand_ins.width)
    }

    /// Room for bytes after those held, so that there can be `units` in all: at least one byte.
    pub(super) fn reserve_space(&mut self, units: usize) -> &mut [u8] {
        let wanted = units * self.unit_width();
        if self.start > 0 && self.start + wanted > self.bytes.len() {
            self.bytes.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        let end = (self.start + wanted).max(self.filled + 1);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.filled..end]
    }

    /// The first `bytes` bytes of the space are filled.
    pub(super) fn mark_filled(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.bytes.len());
        self.read_units();
    }

    fn read_units(&mut self) {
        let held = &self.bytes[self.start..self.filled];
        if let Some(stand_ins) = &mut self.stand_ins {
            stand_ins.read_held(held, false);
        }
    }

    /// No byte will follow.
    pub(super) fn finish_input(&mut self) {
        let held = &self.bytes[self.start..self.filled];
        if let Some(stand_ins) = &mut self.stand_ins {
            stand_ins.read_held(held, true);
        }
    }

    /// The bytes held, or the bytes that stand for them: one for each unit.
    pub(super) fn as_units(&self) -> &[u8] {
        match &self.stand_ins {
            Some(stand_ins) => &stand_ins.bytes,
            None => self.as_source(),
        }
    }

    /// The bytes held, as they stand in the source.
    pub(super) fn as_source(&self) -> &[u8] {
        &self.bytes[self.start..self.filled]
    }

    /// The length of the first `units` in bytes of the source.
    pub(super) fn source_length(&self, units: usize) -> usize {
        (units * self.unit_width()).min(self.filled - self.start)
    }

    /// Lets go of the first `units`.
    pub(super) fn drop_front(&mut self, units: usize) {
        self.start += self.source_length(units);
        if let Some(stand_ins) = &mut self.stand_ins {
            stand_ins.bytes.drain(..units);
        }
    }

    /// Hands out the first `units` as they stand in the source, with as little copying as can be.
    pub(super) fn take_units(&mut self, units: usize) -> Vec<u8> {
        let end = self.start + self.source_length(units);
        // Copied where the rest is the greater part, or the room is far more than the block needs.
        if self.start > 0 || self.filled - end > end || self.bytes.len() > end.saturating_mul(4) {
            let front = self.bytes[self.start..end].to_vec();
            self.drop_front(units);
            return front;
        }
        let mut fresh = vec![0; self.bytes.len()];
        let rest = self.filled - end;
        fresh[..rest].copy_from_slice(&self.bytes[end..self.filled]);
        let mut front = std::mem::replace(&mut self.bytes, fresh);
        front.truncate(end);
        if let Some(stand_ins) = &mut self.stand_ins {
            stand_ins.bytes.drain(..units);
        }
        self.filled = rest;
        front
    }
}
