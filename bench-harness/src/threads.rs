//! Threads that start together, for cases that measure contention.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs `work` on `threads` threads that start together; returns the time from the first start to
/// the last end, and what each thread returned, by thread number.
///
/// The threads meet at a barrier that spins: with one that sleeps, the wake-up takes so long that
/// the first thread is done before the second starts, and contention looks like scaling.
///
/// # Panics
///
/// Panics when `threads` is 0, when the system gives no more threads, or when `work` panics.
///
/// # Examples
///
/// ```
/// let (elapsed, squares) = bench_harness::race(2, |thread| thread * thread);
/// assert_eq!(squares, [0, 1]);
/// assert!(!elapsed.is_zero());
/// ```
pub fn race<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> (Duration, Vec<T>) {
    assert!(threads > 0, "a race needs at least 1 thread");
    let arrived = AtomicUsize::new(0);
    let ran: Vec<(Instant, Instant, T)> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                let (arrived, work) = (&arrived, &work);
                scope.spawn(move || {
                    arrived.fetch_add(1, Ordering::AcqRel);
                    while arrived.load(Ordering::Acquire) < threads {
                        // Threads may outnumber the cores: let the others arrive.
                        thread::yield_now();
                    }
                    let start = Instant::now();
                    let result = work(thread);
                    (start, Instant::now(), result)
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let first = ran.iter().map(|&(start, ..)| start).min();
    let last = ran.iter().map(|&(_, end, _)| end).max();
    let elapsed = first
        .zip(last)
        .map_or(Duration::ZERO, |(first, last)| last - first);
    (
        elapsed,
        ran.into_iter().map(|(.., result)| result).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_threads_are_alive_at_once() {
        // Every thread waits for the others inside its work: a race that ran them one after the
        // other would never end.
        let inside = AtomicUsize::new(0);
        let (_, results) = race(4, |thread| {
            inside.fetch_add(1, Ordering::AcqRel);
            while inside.load(Ordering::Acquire) < 4 {
                thread::yield_now();
            }
            thread
        });
        assert_eq!(results, [0, 1, 2, 3]);
    }
}
