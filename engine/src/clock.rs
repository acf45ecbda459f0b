//! A clock for decisions: cheap to read, with no promise beyond that.
//!
//! Where the processor has a counter of constant rate that user code can read, that is 8.5 ns
//! instead of the 20 ns of [`Instant::now`] (2-core x86-64 VM, 2026-11). Nothing but the choice
//! between running alone and sharing depends on it: a counter that jumps makes a run slower, never
//! wrong.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A point in time, in units of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks(u64);

/// The rate of the counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    nanoseconds_per_tick: f32,
}

impl Clock {
    /// The clock of this machine. The first call takes 0.1 ms to find the rate.
    pub(crate) fn new() -> Self {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        *CLOCK.get_or_init(|| {
            let (start, ticks) = (Instant::now(), Self::now());
            while start.elapsed() < Duration::from_micros(100) {
                std::hint::spin_loop();
            }
            let elapsed_ns = start.elapsed().as_nanos() as f32;
            let ticks = Self::now().0.saturating_sub(ticks.0).max(1);
            Self {
                nanoseconds_per_tick: elapsed_ns / ticks as f32,
            }
        })
    }

    /// Nanoseconds from `start` to `end`; 0 when the counter went back.
    #[inline]
    pub(crate) fn elapsed_ns(self, start: Ticks, end: Ticks) -> f32 {
        end.0.saturating_sub(start.0) as f32 * self.nanoseconds_per_tick
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn now() -> Ticks {
        // SAFETY: the instruction reads a counter and touches nothing else; every 64-bit processor
        // of this architecture has it, and systems let programs use it.
        Ticks(unsafe { std::arch::x86_64::_rdtsc() })
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    pub(crate) fn now() -> Ticks {
        static START: OnceLock<Instant> = OnceLock::new();
        Ticks(START.get_or_init(Instant::now).elapsed().as_nanos() as u64)
    }
}
