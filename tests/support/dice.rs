//! Numbers without pattern, the same in every run.

/// An xorshift generator.
pub struct Dice(u64);

impl Dice {
    /// Each seed gives numbers of its own.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(7919).wrapping_add(1).max(1))
    }

    /// One of so many numbers from 0 on.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// The place of one among so many.
    pub fn place(&mut self, of: usize) -> usize {
        usize::try_from(self.roll(of as u64)).expect("below a usize")
    }
}
