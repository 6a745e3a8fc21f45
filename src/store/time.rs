//! The store's time: what it stamps never goes backwards, and a clock that jumps is not followed.
//!
//! The wall clock is believed as long as it stays within a leeway of where the monotonic clock says that it should be;
//! beyond that the monotonic clock goes on alone, so that neither a jump ahead stamps what later looks new for years, nor
//! a jump back stops the time. Over a server, its clock takes the place of the wall clock.
//!
//! What expires, and what is purged by age, is decided by the wall clock where that is earlier: a single start with a
//! clock that is ahead stores a stamp that later stamps continue from, and must not age what is stored after it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::Timestamp;

pub(super) struct Time {
    clock: Clock,
    /// In microseconds.
    leeway: i64,
    /// How far the time that is believed is ahead of the monotonic clock.
    offset: AtomicI64,
    /// The same of the server's clock, where there is one.
    server: AtomicI64,
    /// The last time given.
    last: AtomicI64,
}

/// No server's clock was read.
const NONE: i64 = i64::MIN;

/// The times that one batch is applied with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchTime {
    /// The time of all its stamps.
    pub now: Timestamp,
    /// The time by which it decides what has expired.
    pub expiry: Timestamp,
}

impl Time {
    /// Begins with the time of the server's clock, or else of this machine's, but not before the newest stamp in the
    /// store.
    pub fn new(clock: Clock, leeway: Duration, newest: Timestamp, server: Option<Timestamp>) -> Self {
        let server = server.filter(|_| !clock.is_fixed());
        let (wall, steady) = (server.unwrap_or_else(|| clock.now()).0, clock.monotonic());
        let leeway = i64::try_from(leeway.as_micros()).unwrap_or(i64::MAX);
        if newest.0.saturating_sub(wall) > leeway {
            tracing::error!(
                clock = %Timestamp(wall),
                newest = %newest,
                "the clock is behind the newest time in the store: what is stored goes on from there; check the clock"
            );
        }
        Self {
            clock,
            leeway,
            offset: AtomicI64::new(wall.max(newest.0) - steady),
            server: AtomicI64::new(server.map_or(NONE, |server| server.0 - steady)),
            last: AtomicI64::new(newest.0),
        }
    }

    /// The time now, for stamps; never less than before.
    pub fn now(&self) -> Timestamp {
        self.for_batch().now
    }

    /// How far the wall clock is ahead, where it is not believed: then nothing is deleted by age.
    pub fn ahead(&self) -> Option<Duration> {
        let (wall, believed) = self.look();
        let ahead = wall - believed;
        (ahead > self.leeway).then(|| Duration::from_micros(ahead.unsigned_abs()))
    }

    /// Returns by how much the wall clock is behind the stamps, where that is more than the leeway: then nothing is
    /// deleted by age, as either may be wrong.
    pub fn behind(&self) -> Option<Duration> {
        let BatchTime { now, expiry } = self.for_batch();
        let behind = now.0 - expiry.0;
        (behind > self.leeway).then(|| Duration::from_micros(behind.unsigned_abs()))
    }

    /// Returns the time by which it is decided what has expired and what is too old to be kept: the earlier one where
    /// clocks differ.
    pub fn for_expiry(&self) -> Timestamp {
        self.for_batch().expiry
    }

    /// Returns both times of one moment.
    pub fn for_batch(&self) -> BatchTime {
        let (wall, believed) = self.look();
        let now = if (wall - believed).abs() <= self.leeway {
            self.offset.store(wall - self.clock.monotonic(), Relaxed);
            wall
        } else {
            believed
        };
        let now = self.last.fetch_max(now, Relaxed).max(now);
        BatchTime { now: Timestamp(now), expiry: Timestamp(wall.min(now)) }
    }

    /// Takes a new reading of the server's clock.
    pub fn follow(&self, server: Timestamp) {
        if !self.clock.is_fixed() {
            self.server.store(server.0 - self.clock.monotonic(), Relaxed);
        }
    }

    /// What the wall clock says, or the server's, and what is believed.
    fn look(&self) -> (i64, i64) {
        let steady = self.clock.monotonic();
        let wall = match self.server.load(Relaxed) {
            NONE => self.clock.now().0,
            offset => steady + offset,
        };
        (wall, steady + self.offset.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_768_141_800_000_000;
    const YEAR: i64 = 365 * 86_400;

    fn time(newest: i64) -> (Clock, Time) {
        let clock = Clock::fixed(Timestamp(START));
        let time = Time::new(clock.clone(), Duration::from_secs(3_600), Timestamp(newest), None);
        (clock, time)
    }

    /// Seconds since the start.
    fn passed(time: &Time) -> i64 {
        (time.now().0 - START) / 1_000_000
    }

    #[test]
    fn time_goes_on_whatever_the_wall_clock_does() {
        let (clock, time) = time(0);
        for (jump, shown, ahead) in
            [(0, 10, false), (-5, 10, false), (10 * YEAR, 20, true), (-12 * YEAR, 30, false)]
        {
            clock.jump_seconds(jump);
            clock.advance_seconds(if jump == -5 { 0 } else { 10 });
            assert_eq!(
                (passed(&time), time.ahead().is_some()),
                (shown - i64::from(shown > 10) * 5, ahead),
                "{jump}"
            );
            assert!(time.for_expiry() <= time.now());
            assert_eq!(time.behind().is_some(), jump == -12 * YEAR, "{jump}");
        }
        // What is set right is believed again.
        clock.jump_seconds(2 * YEAR);
        assert!(time.ahead().is_none() && time.behind().is_none());
        assert_eq!(time.now(), clock.now());
    }

    #[test]
    fn a_small_step_back_is_waited_for() {
        let (clock, time) = time(0);
        time.now();
        clock.jump_seconds(-600);
        assert_eq!(passed(&time), 0);
        clock.advance_seconds(700);
        assert_eq!(passed(&time), 100);
    }

    #[test]
    fn a_start_with_a_clock_behind_goes_on_from_the_newest_stamp() {
        let (clock, time) = time(START + YEAR * 1_000_000);
        assert_eq!(passed(&time), YEAR);
        clock.advance_seconds(10);
        assert_eq!(passed(&time), YEAR + 10);
        assert_eq!(time.for_expiry(), clock.now());
        assert_eq!(time.behind(), Some(Duration::from_secs(YEAR as u64)));
        clock.jump_seconds(YEAR - 3_600);
        assert_eq!(time.behind(), None, "set right");
    }

    #[test]
    fn a_server_whose_clock_was_set_back_goes_on_from_the_newest_stamp() {
        let leeway = Duration::from_secs(3_600);
        let server = Timestamp(START);
        let time = Time::new(Clock::default(), leeway, Timestamp(START + 7_200_000_000), Some(server));
        assert!((7_200..7_260).contains(&passed(&time)));
        assert!((START..START + 60_000_000).contains(&time.for_expiry().0));
        assert!(time.behind().is_some());
        time.follow(Timestamp(START + 7_200_000_000));
        assert!(time.behind().is_none());
    }
}
