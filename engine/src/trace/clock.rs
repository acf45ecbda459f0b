//! The clock of a trace: ticks now, nanoseconds later.
//!
//! On x86-64 whose time-stamp counter is constant (the processor says so), a tick is one count of
//! it. Reading it takes 9 ns, 17 with a fence, where `Instant::now` takes 23 (2-core x86-64 VM, 2026-11), and
//! a traced node pays it twice. The counter's speed is found by reading both clocks when the trace
//! is made and when it is finished. Elsewhere a tick is a nanosecond of `Instant`.
//!
//! The scheduler's own clock promises less: it needs neither the fence nor a counter that is the
//! same on all cores, and its rate is a guess of the first 0.1 ms.

use std::time::Instant;

/// Where ticks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    Counter,
    Instant,
}

/// A clock that was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    source: Source,
    /// The same moment on both clocks.
    epoch: Instant,
    epoch_ticks: u64,
}

/// How many nanoseconds a tick takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate(f64);

impl Rate {
    /// The time of `ticks`, in nanoseconds.
    pub(super) fn ns(self, ticks: u64) -> u64 {
        (ticks as f64 * self.0).round() as u64
    }
}

impl Clock {
    pub(super) fn start() -> Self {
        Self::with_source(Source::detect())
    }

    fn with_source(source: Source) -> Self {
        let mut clock = Self {
            source,
            epoch: Instant::now(),
            epoch_ticks: 0,
        };
        (clock.epoch, clock.epoch_ticks) = clock.both();
        clock
    }

    /// Ticks since some moment before the clock was started, read after everything that comes
    /// before it in the program. They never go back on one thread.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if self.source == Source::Counter {
            // Without the fence the counter could be read before the load that made a node ready,
            // and the node would seem to begin before what it depends on has ended.
            //
            // SAFETY: the instruction needs SSE2, which is part of x86-64.
            unsafe { std::arch::x86_64::_mm_lfence() };
        }
        self.now_or_earlier()
    }

    /// The same, but the processor may read it before work that comes before it in the program is
    /// done: by some tens of nanoseconds, or the time of a load that missed the caches. It is not
    /// read after what it is stored before.
    #[inline]
    pub(super) fn now_or_earlier(&self) -> u64 {
        match self.source {
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            // SAFETY: the instruction needs a processor that has it, and every x86-64 one does; it
            // touches no memory.
            Source::Counter => unsafe { std::arch::x86_64::_rdtsc() },
            Source::Instant => self.epoch.elapsed().as_nanos() as u64,
        }
    }

    /// What a tick has taken since the clock was started.
    pub(super) fn rate(&self) -> Rate {
        if self.source == Source::Instant {
            return Rate(1.0);
        }
        let (now, ticks) = self.both();
        let elapsed_ns = now.duration_since(self.epoch).as_nanos() as f64;
        match ticks.saturating_sub(self.epoch_ticks) {
            0 => Rate(1.0),
            ticks => Rate(elapsed_ns / ticks as f64),
        }
    }

    /// One moment on both clocks: the closest of some tries, because the thread can lose its core
    /// between two readings.
    fn both(&self) -> (Instant, u64) {
        let read = || {
            let before = self.now();
            let instant = Instant::now();
            let after = self.now();
            (after - before, instant, before + (after - before) / 2)
        };
        let closest = (0..8).map(|_| read()).min_by_key(|(apart, ..)| *apart);
        let (_, instant, ticks) = closest.expect("8 tries");
        (instant, ticks)
    }
}

impl Source {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    fn detect() -> Self {
        use std::arch::x86_64::__cpuid;

        // The leaves that say how far leaves go, and whether the counter is invariant: it ticks at
        // one speed in all power states. Processors start it together.
        const LAST_LEAF: u32 = 0x8000_0000;
        const POWER_LEAF: u32 = 0x8000_0007;
        const INVARIANT: u32 = 1 << 8;
        if __cpuid(LAST_LEAF).eax >= POWER_LEAF && __cpuid(POWER_LEAF).edx & INVARIANT != 0 {
            Self::Counter
        } else {
            Self::Instant
        }
    }

    #[cfg(any(not(target_arch = "x86_64"), miri))]
    fn detect() -> Self {
        Self::Instant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: Source) {
        let clock = Clock::with_source(source);
        let mut before = clock.now();
        for _ in 0..1_000 {
            let now = clock.now();
            assert!(before <= now, "{source:?} went from {before} back to {now}");
            before = now;
        }
        let rate = clock.rate();
        assert!(rate.0.is_finite() && rate.0 > 0.0, "{rate:?} of {source:?}");
    }

    #[test]
    fn ticks_never_go_back_whatever_their_source() {
        check(Source::Instant);
        check(Source::detect());
    }

    #[test]
    fn ticks_become_nanoseconds_by_the_rate() {
        assert_eq!(Rate(0.5).ns(3), 2);
        assert_eq!(Rate(1.0).ns(3), 3);
    }
}
