//! How much the cutter holds at once.

/// How much the cutter holds at once: together they bound its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutterLimits {
    /// About the length of a block in bytes of the source; at most `record_bytes`.
    pub block_bytes: usize,
    /// The most that one record may have in bytes of the source, its line terminator included.
    pub record_bytes: usize,
    /// The most records of a block, comments included; a few more where lines end in different ways. What a record costs beside its
    /// bytes, and what its errors cost, is so bounded as well: half a MiB of line ends are half a million records.
    pub block_records: usize,
}

impl Default for CutterLimits {
    fn default() -> Self {
        Self { block_bytes: 512 << 10, record_bytes: 16 << 20, block_records: Self::BLOCK_RECORDS }
    }
}

impl CutterLimits {
    /// The most that `record_bytes` may be. Positions in a block have 31 bits, and a block of up to twice this length
    /// may grow threefold when it is transcoded.
    pub const MOST: usize = 256 << 20;

    /// The most records of a block where nothing else is asked for: as many as there are in half a MiB of records of 32 bytes.
    pub const BLOCK_RECORDS: usize = 16 << 10;

    /// The most cells of a record: more than any database has columns. What has more cannot be a row, and would cost eight bytes for
    /// each of its delimiters.
    pub const MOST_CELLS: usize = 128 << 10;

    /// The limits brought into the range that positions of 31 bits allow, in code units of `unit` bytes.
    pub(super) fn clamp_to_units(self, unit: usize) -> Self {
        let record_bytes = (self.record_bytes.min(Self::MOST) / unit).max(4);
        let block_records = self.block_records.max(1);
        Self { block_bytes: (self.block_bytes / unit).clamp(1, record_bytes), record_bytes, block_records }
    }
}
