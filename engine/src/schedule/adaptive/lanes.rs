//! How workers of the adaptive scheduler share a list that is cut into levels.
//!
//! It knows nothing of graphs: entries of the list are numbers, and a level may begin when all before
//! it have ended. So a model checker can try its interleavings (`tests/pool_model.rs` compiles this
//! file with other atomics).
//!
//! # The protocol
//!
//! A level is cut into one share for each worker. A worker's lane says up to which entry its shares
//! were handed out, and how many entries, of whatever share, that worker has finished.
//!
//! 1. Whoever takes entries of a share, its owner or another, moves the mark in the owner's lane by a
//!    compare-exchange. Marks only grow and shares follow each other, so no entry is taken twice.
//! 2. A level begins for a worker when it reads that as many entries have finished as there are
//!    before it. They are those entries: before any worker took one of the level there were no
//!    others to finish, and who counts an entry of the level that somebody finished sees what that
//!    one saw.
//! 3. The count of a worker is stored with `Release` after the entries it counts, and read with
//!    `Acquire`: an entry sees everything of the levels before its own.

use std::ops::Range;

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU32, Ordering};

/// What the workers that share a list write.
pub(crate) struct Lanes(Box<[Lane]>);

/// What one of them writes, and others read, on cache lines of their own: the mark is touched for
/// every piece, the count is waited for.
struct Lane {
    /// Entries of this worker's shares before this one were handed out.
    handed_out: CachePadded<AtomicU32>,
    /// Written by this worker only.
    finished: CachePadded<AtomicU32>,
}

/// What a worker does that has nothing of its own left in a level that has not ended.
pub(crate) enum Wait {
    /// Looks again.
    Look,
    /// Takes from the shares of others.
    Help,
    /// Stops taking part.
    Leave,
}

impl Lanes {
    pub(crate) fn new(workers: usize) -> Self {
        let lane = |_| Lane {
            handed_out: CachePadded::new(AtomicU32::new(0)),
            finished: CachePadded::new(AtomicU32::new(0)),
        };
        Self((0..workers).map(lane).collect())
    }

    /// Begins a list. Nobody may be working on one.
    pub(crate) fn begin(&self) {
        for lane in &self.0 {
            // Passed on to the workers with the list.
            lane.handed_out.store(0, Ordering::Relaxed);
            lane.finished.store(0, Ordering::Relaxed);
        }
    }

    /// Takes part, as `worker`, in a list whose levels end where `ends` says: calls `run` for pieces
    /// of at most `most` entries until all have finished, or until `wait` says to leave. That is asked
    /// with the number of times it was asked before in the same level.
    pub(crate) fn work(
        &self,
        worker: usize,
        ends: &[u32],
        most: u32,
        mut run: impl FnMut(Range<u32>),
        mut wait: impl FnMut(u32) -> Wait,
    ) {
        let mut work_on = |owner: usize, share: &Range<u32>| {
            let piece = self.take(owner, share, most);
            piece.is_some_and(|piece| {
                let count = piece.len() as u32;
                run(piece);
                self.note_finished(worker, count);
                true
            })
        };
        let mut start = 0;
        for &end in ends {
            let level = start..end;
            start = end;
            // A share that is used up stays so.
            let share = self.share(worker, &level);
            while work_on(worker, &share) {}
            let mut asked = 0;
            while self.finished() < end {
                match wait(asked) {
                    Wait::Look => {}
                    Wait::Help => {
                        let workers = self.0.len();
                        (1..workers).any(|offset| {
                            let owner = (worker + offset) % workers;
                            work_on(owner, &self.share(owner, &level))
                        });
                    }
                    Wait::Leave => return,
                }
                asked += 1;
            }
        }
    }

    /// How many entries have finished, at least.
    fn finished(&self) -> u32 {
        let lanes = self.0.iter();
        lanes
            .map(|lane| lane.finished.load(Ordering::Acquire))
            .sum()
    }

    fn note_finished(&self, worker: usize, count: u32) {
        let finished = &self.0[worker].finished;
        finished.store(finished.load(Ordering::Relaxed) + count, Ordering::Release);
    }

    /// The share of `owner` in `level`.
    fn share(&self, owner: usize, level: &Range<u32>) -> Range<u32> {
        let workers = self.0.len() as u64;
        let width = u64::from(level.end - level.start);
        let bound = |owner: usize| level.start + (width * owner as u64).div_ceil(workers) as u32;
        bound(owner)..bound(owner + 1)
    }

    /// Takes up to `most` entries of this share of `owner`.
    fn take(&self, owner: usize, share: &Range<u32>, most: u32) -> Option<Range<u32>> {
        let mark = &self.0[owner].handed_out;
        let mut handed_out = mark.load(Ordering::Relaxed);
        loop {
            let start = handed_out.max(share.start);
            if start >= share.end {
                return None;
            }
            let end = share.end.min(start.saturating_add(most));
            // What an entry may see is ordered by the counts alone.
            match mark.compare_exchange_weak(handed_out, end, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Some(start..end),
                Err(now) => handed_out = now,
            }
        }
    }
}
