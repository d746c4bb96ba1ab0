//! Where the bytes stand that mean something: found 64 at a time with vector instructions.

use wide::u8x16;

/// Bytes to look for, up to `N` of them.
#[derive(Debug, Clone)]
pub(super) struct Needles<const N: usize>([u8x16; N]);

impl<const N: usize> Needles<N> {
    /// The first of `bytes` fills the places that are left over.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let filler = bytes.first().copied().unwrap_or_default();
        Self(std::array::from_fn(|at| u8x16::splat(bytes.get(at).copied().unwrap_or(filler))))
    }

    /// One bit for each of the 64 bytes from `base` on: set where the byte is a needle.
    #[inline]
    pub(super) fn match_bits(&self, bytes: &[u8], base: usize) -> u64 {
        let rest = &bytes[base..];
        match rest.first_chunk::<64>() {
            Some(chunk) => self.match_chunk(chunk),
            None => self.mask_of_tail(rest),
        }
    }

    #[inline]
    fn match_chunk(&self, chunk: &[u8; 64]) -> u64 {
        let mut mask = 0;
        for (at, part) in chunk.as_chunks::<16>().0.iter().enumerate() {
            let part = u8x16::new(*part);
            let mut hits = part.simd_eq(self.0[0]);
            for needle in &self.0[1..] {
                hits |= part.simd_eq(*needle);
            }
            mask |= u64::from(hits.to_bitmask()) << (16 * at);
        }
        mask
    }

    #[cold]
    fn mask_of_tail(&self, tail: &[u8]) -> u64 {
        let mut chunk = [0; 64];
        chunk[..tail.len()].copy_from_slice(tail);
        self.match_chunk(&chunk) & ((1 << tail.len()) - 1)
    }
}

/// The positions of the needles in `bytes`, in ascending order.
#[derive(Debug)]
pub(super) struct NeedleEvents<'a> {
    bytes: &'a [u8],
    needles: &'a Needles<5>,
    /// The start of the 64 bytes that `match_bits` is about.
    base: usize,
    /// The events in these 64 bytes that are still to come.
    mask: u64,
}

impl<'a> NeedleEvents<'a> {
    pub(super) fn new(bytes: &'a [u8], needles: &'a Needles<5>) -> Self {
        let mut events = Self { bytes, needles, base: 0, mask: 0 };
        events.seek_to(0);
        events
    }

    /// Makes the first event at or after `position` the next one.
    pub(super) fn seek_to(&mut self, position: usize) {
        self.base = position & !63;
        self.mask = if position < self.bytes.len() {
            self.needles.match_bits(self.bytes, self.base) & (!0 << (position & 63))
        } else {
            0
        };
    }

    /// Steps over the events before `position`, which lies ahead.
    #[inline]
    pub(super) fn skip_before(&mut self, position: usize) {
        if position - self.base < 64 {
            self.mask &= !0 << (position & 63);
        } else {
            self.seek_to(position);
        }
    }

    /// The position of the next event.
    #[inline]
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.mask == 0 && !self.load_next_bits() {
            return None;
        }
        let position = self.base + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(position)
    }

    /// Goes on to the next 64 bytes with an event.
    #[inline(never)]
    fn load_next_bits(&mut self) -> bool {
        while self.mask == 0 && self.base + 64 < self.bytes.len() {
            self.base += 64;
            self.mask = self.needles.match_bits(self.bytes, self.base);
        }
        self.mask != 0
    }

    /// Where it stands, to come back to with [`Self::restore_position`].
    #[inline]
    pub(super) fn save_position(&self) -> (usize, u64) {
        (self.base, self.mask)
    }

    #[inline]
    pub(super) fn restore_position(&mut self, (base, mask): (usize, u64)) {
        (self.base, self.mask) = (base, mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_all_needles_in_order_from_any_position() {
        let bytes: Vec<u8> = (0..300u32).map(|at| if at % 7 == 0 || at % 11 == 3 { b',' } else { b'x' }).collect();
        let needles = Needles::new(b",\n");
        for from in 0..=bytes.len() {
            let mut events = NeedleEvents::new(&bytes, &needles);
            events.seek_to(from);
            let found: Vec<usize> = std::iter::from_fn(|| events.next()).collect();
            let expected: Vec<usize> = (from..bytes.len()).filter(|&at| bytes[at] == b',').collect();
            assert_eq!(found, expected, "from {from}");
        }
    }

    #[test]
    fn padding_of_the_last_bytes_is_no_event() {
        let mut events_of_zero = Vec::new();
        let needles = Needles::new(&[0]);
        let mut events = NeedleEvents::new(b"ab\0c", &needles);
        while let Some(at) = events.next() {
            events_of_zero.push(at);
        }
        assert_eq!(events_of_zero, [2]);
    }
}
