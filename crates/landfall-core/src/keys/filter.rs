//! A set of hashes that may answer "perhaps" for a hash it does not hold, in bounded memory.

/// Bits of a block: one cache line.
const BLOCK_WORDS: usize = 8;
/// Bits kept for each hash when a layer is full; with eight probes about one wrong "perhaps" in a thousand.
const BITS_PER_HASH: usize = 16;
/// Hashes that the first layer holds.
const FIRST_LAYER: usize = 1 << 14;

/// A blocked Bloom filter (Putze, Sanders, Singler, 2007) that grows by layers, each four times the last: two bytes
/// for each hash, one cache line for each question and layer.
#[derive(Debug, Clone, Default)]
pub struct HashFilter {
    layers: Vec<FilterLayer>,
}

#[derive(Debug, Clone)]
struct FilterLayer {
    blocks: Vec<[u64; BLOCK_WORDS]>,
    room: usize,
}

impl HashFilter {
    /// Whether `hash` may have been inserted. `false` is certain.
    #[must_use]
    pub fn may_contain(&self, hash: u64) -> bool {
        self.layers.iter().any(|layer| layer.may_contain(hash))
    }

    /// Adds `hash`.
    pub fn insert(&mut self, hash: u64) {
        if self.layers.last().is_none_or(|layer| layer.room == 0) {
            // Each layer is four times as large: few layers to ask, and little room unused in small sets.
            let next = FIRST_LAYER << (2 * self.layers.len().min(12));
            self.layers.push(FilterLayer::with_capacity(next));
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(hash);
        }
    }
}

impl FilterLayer {
    fn with_capacity(room: usize) -> Self {
        Self { blocks: vec![[0; BLOCK_WORDS]; room * BITS_PER_HASH / (BLOCK_WORDS * 64)], room }
    }

    fn may_contain(&self, hash: u64) -> bool {
        let block = &self.blocks[self.block_index(hash)];
        probe_bits(hash).all(|(word, bit)| block[word] & bit != 0)
    }

    fn insert(&mut self, hash: u64) {
        let at = self.block_index(hash);
        let block = &mut self.blocks[at];
        probe_bits(hash).for_each(|(word, bit)| block[word] |= bit);
        self.room -= 1;
    }

    /// The block of a hash, from its high half (the probes use the low half).
    fn block_index(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.blocks.len() as u128) >> 64) as usize
    }
}

/// One bit in each word of the block, from the low half of the hash.
fn probe_bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    const SALTS: [u32; BLOCK_WORDS] =
        [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    let low = hash as u32;
    SALTS.into_iter().enumerate().map(move |(word, salt)| (word, 1 << (low.wrapping_mul(salt) >> 26)))
}

#[cfg(test)]
mod tests {
    use super::HashFilter;

    /// Steele, Lea, Flood: `SplitMix64`.
    fn mix(n: u64) -> u64 {
        let z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    #[test]
    fn never_forgets_and_seldom_errs() {
        let mut filter = HashFilter::default();
        (0..300_000).for_each(|n| filter.insert(mix(n)));
        assert!((0..300_000).all(|n| filter.may_contain(mix(n))));
        let wrong = (1_000_000..1_100_000).filter(|&n| filter.may_contain(mix(n))).count();
        assert!(wrong < 1_000, "{wrong} of 100,000 absent hashes were taken for present");
    }
}
