//! The generators' own source of numbers, so that their output never changes with a crate's version.

/// `SplitMix64`, by Sebastiano Vigna, in the public domain: <https://prng.di.unimi.it/splitmix64.c>. Fast, with a state of
/// one word, and good enough for test data.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence of `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `limit` - 1. `limit` is far below 2^64, so that the bias does not matter.
    pub(crate) const fn below(&mut self, limit: usize) -> usize {
        ((self.next() as u128 * limit as u128) >> 64) as usize
    }

    /// The position of one of `weights`, the heavier the likelier. At least one weight is not 0.
    pub(crate) fn pick_weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        weights
            .iter()
            .position(|&weight| {
                let hit = left < weight;
                left = left.saturating_sub(weight);
                hit
            })
            .unwrap_or_default()
    }

    /// Brings `items` into a random order.
    pub(crate) fn shuffle_items<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn gives_the_numbers_of_the_published_algorithm() {
        let mut random = Random::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn weighted_respects_zero() {
        let mut random = Random::new(7);
        assert!((0..1000).all(|_| random.pick_weighted(&[0, 3, 0, 1]) % 2 == 1));
    }
}
