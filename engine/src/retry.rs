//! Work that is tried again when it fails.
//!
//! [`retry`] makes the work of a node from work that may need several attempts; nodes without it
//! are not concerned. Between attempts the worker waits, and a run that is cancelled ends the wait
//! at once.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Cancelled, NodeError, NodeId, Run, Skip, TimedOut};

/// Makes the work of a node that calls `work` until it succeeds, as often and with such waits as
/// `backoff` says.
///
/// A panic, [`Skip`] and [`Cancelled`] are no reasons to try again. A node whose last attempt
/// [timed out](TimedOut) is timed out; otherwise it fails with [`Exhausted`].
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::Duration;
/// use engine::retry::{Backoff, retry};
/// use engine::{Scheduler, Sequential};
///
/// let calls = AtomicU32::new(0);
/// let fetch = move |_: &engine::Run<'_>| match calls.fetch_add(1, Ordering::Relaxed) {
///     0 | 1 => Err("no network".into()),
///     _ => Ok(()),
/// };
/// let backoff = Backoff::new(5).first_wait(Duration::from_micros(10));
/// let mut graph = engine::Builder::new();
/// graph.node("fetch", [], retry(backoff, fetch))?;
/// let dag = graph.build()?;
/// assert!(Sequential.run(&dag).all_completed());
/// # Ok::<(), engine::BuildError>(())
/// ```
pub fn retry(
    backoff: Backoff,
    work: impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
) -> impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static {
    move |run| backoff.run(run, |_| work(run))
}

/// How often work is tried, and how long to wait before it is tried again.
///
/// The default waits double from 100 ms to at most 30 s, with a jitter of half of each.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use engine::retry::Backoff;
///
/// let backoff = Backoff::new(4)
///     .first_wait(Duration::from_millis(10))
///     .factor(3.0)
///     .longest_wait(Duration::from_millis(50))
///     .jitter(0.0);
/// let node = engine::NodeId::from_index(0);
/// let waits = [1, 2, 3].map(|attempt| backoff.wait_after(attempt, node).as_millis());
/// assert_eq!(waits, [10, 30, 50]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    attempts: u32,
    first_wait: Duration,
    factor: f64,
    longest_wait: Duration,
    jitter: f64,
    seed: u64,
}

impl Backoff {
    /// At most `attempts` attempts, the first one included, with the default waits.
    ///
    /// # Panics
    ///
    /// Panics when `attempts` is 0.
    pub fn new(attempts: u32) -> Self {
        assert!(attempts > 0, "work needs at least 1 attempt; got 0");
        Self {
            attempts,
            first_wait: Duration::from_millis(100),
            factor: 2.0,
            longest_wait: Duration::from_secs(30),
            jitter: 0.5,
            seed: 0,
        }
    }

    /// The wait after the first attempt.
    pub fn first_wait(self, first_wait: Duration) -> Self {
        Self { first_wait, ..self }
    }

    /// How many times as long as the wait before every further wait is.
    ///
    /// # Panics
    ///
    /// Panics unless `factor` is at least 1.
    pub fn factor(self, factor: f64) -> Self {
        assert!(
            factor >= 1.0,
            "waits cannot shrink; got the factor {factor}"
        );
        Self { factor, ..self }
    }

    /// What no wait exceeds.
    pub fn longest_wait(self, longest_wait: Duration) -> Self {
        Self {
            longest_wait,
            ..self
        }
    }

    /// The part of every wait that is left to chance, from 0 to 1: nodes that failed together do
    /// not come back together.
    ///
    /// Chance is computed from the [seed](Self::seed), the node and the attempt, so waits are the
    /// same in every run.
    ///
    /// # Panics
    ///
    /// Panics unless `jitter` is from 0 to 1.
    pub fn jitter(self, jitter: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&jitter),
            "jitter is a part from 0 to 1; got {jitter}"
        );
        Self { jitter, ..self }
    }

    /// What the jitter is computed from.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The wait after attempt number `attempt`, from 1, of `node`.
    pub fn wait_after(&self, attempt: u32, node: NodeId) -> Duration {
        if self.first_wait.is_zero() {
            return Duration::ZERO;
        }
        let exponent = f64::from(attempt.saturating_sub(1));
        // A power too large for a number is infinite, and then the longest wait is less.
        let full = self.first_wait.as_secs_f64() * self.factor.powf(exponent);
        let full = full.min(self.longest_wait.as_secs_f64());
        let seed = u128::from(self.seed) << 64 | (node.index() as u128) << 32 | u128::from(attempt);
        let chance = oorandom::Rand64::new(seed).rand_float();
        let wait = Duration::try_from_secs_f64(full * (1.0 - self.jitter * chance));
        // Only rounding can make it exceed the longest, or what a duration can be.
        wait.map_or(self.longest_wait, |wait| wait.min(self.longest_wait))
    }

    /// Calls `work` with the number of the attempt, from 1, until it succeeds: [`retry`] for a part
    /// of a node's work, or for work that returns a value.
    ///
    /// # Errors
    ///
    /// Fails with [`Exhausted`] when the last attempt has failed; with [`Cancelled`] when the run
    /// is cancelled between attempts; and with what `work` returns when that is [`Skip`] or
    /// `Cancelled`, or a [`TimedOut`] of the last attempt.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use engine::Sequential;
    /// use engine::flow::FlowBuilder;
    /// use engine::retry::Backoff;
    ///
    /// let backoff = Backoff::new(3).first_wait(Duration::ZERO);
    /// let mut flow = FlowBuilder::new();
    /// let page = flow.node("fetch", (), move |run, ()| {
    ///     backoff.run(run, |attempt| match attempt {
    ///         1 => Err("no network".into()),
    ///         _ => Ok(String::from("<html>")),
    ///     })
    /// })?;
    /// assert_eq!(flow.build()?.run(&Sequential).get(page).unwrap(), "<html>");
    /// # Ok::<(), engine::BuildError>(())
    /// ```
    pub fn run<T>(
        &self,
        run: &Run<'_>,
        mut work: impl FnMut(u32) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let mut attempt = 1;
        loop {
            let error = match work(attempt) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if error.is::<Skip>() || error.is::<Cancelled>() {
                return Err(error);
            }
            if attempt == self.attempts {
                return Err(match error.is::<TimedOut>() {
                    true => error,
                    false => Box::new(Exhausted {
                        attempts: attempt,
                        source: error,
                    }),
                });
            }
            wait(run, self.wait_after(attempt, run.node()))?;
            attempt += 1;
        }
    }
}

/// All attempts failed.
#[derive(Debug, thiserror::Error)]
#[error("attempt {attempts} of {attempts}: {source}")]
pub struct Exhausted {
    /// How many attempts were made.
    pub attempts: u32,
    /// Why the last one failed.
    pub source: NodeError,
}

/// Waits, but no longer than until the run is cancelled.
fn wait(run: &Run<'_>, duration: Duration) -> Result<(), Cancelled> {
    run.check_cancelled()?;
    if duration.is_zero() {
        return Ok(());
    }
    // Under the lock: whether the run was cancelled.
    let cancelled = Arc::new((Mutex::new(false), Condvar::new()));
    let hook = Arc::clone(&cancelled);
    let _hook = run.on_cancel(move || {
        *hook.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        hook.1.notify_all();
    });
    let begin = Instant::now();
    let (lock, woken) = &*cancelled;
    let mut is_cancelled = lock.lock().unwrap_or_else(PoisonError::into_inner);
    while !*is_cancelled {
        let left = duration.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        (is_cancelled, _) = woken
            .wait_timeout(is_cancelled, left)
            .unwrap_or_else(PoisonError::into_inner);
    }
    Err(Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Builder, CancelToken, Dag, NodeState, Options, Outcome, Scheduler, Sequential, Strategy,
    };
    use std::sync::atomic::{AtomicU32, Ordering};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at_once(attempts: u32) -> Backoff {
        Backoff::new(attempts).first_wait(Duration::ZERO)
    }

    /// A graph of one node that gives `results` in turn, and the number of its attempts.
    fn one_node(
        backoff: Backoff,
        results: impl Fn(u32) -> Result<(), NodeError> + Send + Sync + 'static,
    ) -> (Dag, Arc<AtomicU32>) {
        let attempts = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&attempts);
        let mut graph = Builder::new();
        let work = move |_: &Run<'_>| results(counter.fetch_add(1, Ordering::Relaxed) + 1);
        graph.node("a", [], retry(backoff, work)).unwrap();
        (graph.build().unwrap(), attempts)
    }

    #[track_caller]
    fn check(
        limit: u32,
        results: impl Fn(u32) -> Result<(), NodeError> + Send + Sync + 'static,
        expected: (u32, NodeState),
    ) {
        let (dag, attempts) = one_node(at_once(limit), results);
        let outcome = Sequential.run(&dag);
        let state = outcome.state(NodeId::from_index(0));
        assert_eq!((attempts.load(Ordering::Relaxed), state), expected);
    }

    #[test]
    fn work_is_tried_until_it_succeeds_or_the_attempts_are_used_up() {
        let succeeds_at = |number| {
            move |attempt| match attempt == number {
                true => Ok(()),
                false => Err("not yet".into()),
            }
        };
        check(3, succeeds_at(1), (1, NodeState::Completed));
        check(3, succeeds_at(3), (3, NodeState::Completed));
        check(3, succeeds_at(4), (3, NodeState::Failed));
        check(1, succeeds_at(2), (1, NodeState::Failed));
    }

    #[test]
    fn only_errors_are_tried_again() {
        check(3, |_| Err(Skip.into()), (1, NodeState::Skipped));
        check(3, |_| Err(Cancelled.into()), (1, NodeState::Cancelled));
        let limit = Duration::ZERO;
        check(
            3,
            move |_| Err(TimedOut { limit }.into()),
            (3, NodeState::TimedOut),
        );
        let panics = |_| std::panic::resume_unwind(Box::new("on purpose"));
        check(3, panics, (1, NodeState::Panicked));
    }

    #[test]
    fn error_says_how_many_attempts_failed_and_keeps_the_last_reason() {
        let (dag, _) = one_node(
            at_once(4),
            |attempt| Err(format!("reason {attempt}").into()),
        );
        let outcome = Sequential.run(&dag);
        let cause = &outcome.failures()[0].cause;
        assert_eq!(cause.to_string(), "attempt 4 of 4: reason 4");
        let source = cause.error().unwrap().source().unwrap();
        assert_eq!(source.to_string(), "reason 4");
    }

    #[test]
    fn cancelling_ends_the_longest_wait_on_every_scheduler() {
        for strategy in Strategy::ALL {
            let scheduler = strategy.scheduler(2).unwrap();
            let token = CancelToken::new();
            let (dag, attempts) = one_node(Backoff::new(2).first_wait(HOUR).longest_wait(HOUR), {
                let token = token.clone();
                move |_| {
                    // Cancels while the node waits, or just before.
                    let token = token.clone();
                    std::thread::spawn(move || token.cancel());
                    Err("broken".into())
                }
            });
            let mut outcome = Outcome::new();
            let options = Options {
                cancel: Some(&token),
                ..Options::default()
            };
            scheduler.run_with(&dag, &options, &mut outcome);
            assert_eq!(outcome.count(NodeState::Cancelled), 1, "{strategy}");
            assert_eq!(attempts.load(Ordering::Relaxed), 1, "{strategy}");
        }
    }

    #[test]
    fn waits_grow_up_to_the_longest_and_are_shortened_by_jitter_only() {
        let plain = Backoff::new(9).jitter(0.0);
        let jittered = Backoff::new(9).seed(7);
        let node = NodeId::from_index(3);
        for attempt in 1..=9 {
            let full = Duration::from_millis(100 << (attempt - 1));
            let full = full.min(Duration::from_secs(30));
            assert_eq!(plain.wait_after(attempt, node), full);
            let wait = jittered.wait_after(attempt, node);
            assert!(wait <= full && wait * 2 >= full, "{wait:?} of {full:?}");
            assert_eq!(wait, jittered.wait_after(attempt, node));
            let other = NodeId::from_index(4);
            assert_ne!(wait, jittered.wait_after(attempt, other));
        }
    }

    #[test]
    fn waits_do_not_overflow() {
        let node = NodeId::from_index(0);
        let longest = Backoff::new(u32::MAX).factor(1e300).jitter(0.0);
        assert_eq!(longest.wait_after(u32::MAX, node), Duration::from_secs(30));
        let none = longest.first_wait(Duration::ZERO);
        assert_eq!(none.wait_after(u32::MAX, node), Duration::ZERO);
        let endless = longest
            .longest_wait(Duration::MAX)
            .first_wait(Duration::MAX);
        assert_eq!(endless.wait_after(2, node), Duration::MAX);
    }
}
