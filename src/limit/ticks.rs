//! The time that limiters count in: it never runs backwards, whatever is done to the wall clock.

use governor::{
    clock::{Clock, DefaultClock, FakeRelativeClock, Reference},
    nanos::Nanos,
};

/// A source of nanoseconds since some fixed point. Cheap to clone; clones tell the same time.
#[derive(Debug, Clone)]
pub struct Ticks(Source);

#[derive(Debug, Clone)]
enum Source {
    Monotonic { clock: DefaultClock, origin: <DefaultClock as Clock>::Instant },
    Fixed(FakeRelativeClock),
}

impl Default for Ticks {
    fn default() -> Self {
        let clock = DefaultClock::default();
        let origin = clock.now();
        Self(Source::Monotonic { clock, origin })
    }
}

impl Ticks {
    /// Ticks that stand still until they are moved, for tests.
    pub fn fixed() -> Self {
        Self(Source::Fixed(FakeRelativeClock::default()))
    }

    /// Moves fixed ticks forward; the others cannot be moved.
    pub fn advance(&self, by: std::time::Duration) {
        if let Source::Fixed(clock) = &self.0 {
            clock.advance(by);
        }
    }
}

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match &self.0 {
            Source::Monotonic { clock, origin } => clock.now().duration_since(*origin),
            Source::Fixed(clock) => clock.now(),
        }
    }
}
