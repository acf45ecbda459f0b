//! Work that must be done within a time.
//!
//! [`within`] makes the work of a node from work that has a limit. The limit is cooperative: when it
//! has passed, the work is asked to stop as by a [`CancelToken`], through [`Run::check_cancelled`]
//! and [`Run::on_cancel`]. **A closure that never looks cannot be ended**; it is
//! [timed out](TimedOut) when it returns.
//!
//! One thread of the process, started by the first node with a limit, watches all of them. Nodes
//! without a limit are not concerned.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::execution::ignore_panic;
use crate::{CancelToken, Cancelled, NodeError, Run, TimedOut};

/// Makes the work of a node that calls `work` and times out when it has not returned within
/// `limit`, whatever it returns then.
///
/// Around [`retry`](crate::retry::retry) the limit holds for all attempts together, inside of it
/// for each. A limit costs a few hundred nanoseconds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use engine::deadline::within;
/// use engine::{NodeState, Scheduler, Sequential};
///
/// let mut graph = engine::Builder::new();
/// graph.node("patient", [], within(Duration::from_millis(1), |run| {
///     loop {
///         run.check_cancelled()?;
///     }
/// }))?;
/// let dag = graph.build()?;
///
/// let outcome = Sequential.run(&dag);
/// assert_eq!(outcome.count(NodeState::TimedOut), 1);
/// assert_eq!(outcome.failures()[0].cause.to_string(), "not done within 1ms");
/// # Ok::<(), engine::BuildError>(())
/// ```
pub fn within<F>(
    limit: Duration,
    work: F,
) -> impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static
where
    F: Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
{
    move |run| run_within(run, limit, &work)
}

/// Calls `work` as [`within`] does: for a part of a node's work, or for work that returns a value.
///
/// `work` must use the run it is given; the one outside knows nothing of the limit.
///
/// # Errors
///
/// Fails with [`TimedOut`] when `work` took longer than `limit`; with [`Cancelled`] when it returned
/// that because the whole run was cancelled; when the watching thread cannot be started; and with
/// what `work` returns.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use engine::Sequential;
/// use engine::deadline::run_within;
/// use engine::flow::FlowBuilder;
///
/// let mut flow = FlowBuilder::new();
/// let sum = flow.node("sum", (), |run, ()| {
///     run_within(run, Duration::from_secs(60), |run| {
///         let mut sum = 0;
///         for number in 1..=100_u32 {
///             run.check_cancelled()?;
///             sum += number;
///         }
///         Ok(sum)
///     })
/// })?;
/// assert_eq!(flow.build()?.run(&Sequential).get(sum), Some(&5050));
/// # Ok::<(), engine::BuildError>(())
/// ```
pub fn run_within<T>(
    run: &Run<'_>,
    limit: Duration,
    work: impl FnOnce(&Run<'_>) -> Result<T, NodeError>,
) -> Result<T, NodeError> {
    run_by(watchdog()?, run, limit, work)
}

/// What tells that a limit has passed.
trait Alarm {
    /// Cancels `token` when `limit` has passed, unless [`clear`](Self::clear) is called before.
    fn set(&self, limit: Duration, token: &CancelToken) -> Ticket;

    /// Takes an alarm back and returns whether its limit has passed.
    fn clear(&self, ticket: Ticket) -> bool;
}

/// An alarm that was set: when it rings, none for never, and its number.
type Ticket = (Option<Instant>, u64);

fn run_by<T>(
    alarm: &impl Alarm,
    run: &Run<'_>,
    limit: Duration,
    work: impl FnOnce(&Run<'_>) -> Result<T, NodeError>,
) -> Result<T, NodeError> {
    /// Takes the alarm back also when the work panics.
    struct Set<'a, A: Alarm>(&'a A, Option<Ticket>);

    impl<A: Alarm> Set<'_, A> {
        fn clear(&mut self) -> bool {
            self.1.take().is_some_and(|ticket| self.0.clear(ticket))
        }
    }

    impl<A: Alarm> Drop for Set<'_, A> {
        fn drop(&mut self) {
            self.clear();
        }
    }

    let token = CancelToken::new();
    let mut alarm = Set(alarm, Some(alarm.set(limit, &token)));
    let result = work(&run.with_cancel(&token));
    let is_late = alarm.clear();
    match result {
        Err(error) if error.is::<Cancelled>() && run.is_cancelled() => Err(error),
        _ if is_late => Err(TimedOut { limit }.into()),
        result => result,
    }
}

/// All alarms of the process, and the thread that rings them.
struct Watchdog {
    alarms: Mutex<Alarms>,
    /// An alarm was set that rings before the watching thread looks again.
    changed: Condvar,
}

#[derive(Default)]
struct Alarms {
    /// In the order in which they ring. Taking one back removes it, so that work with a long limit
    /// that ends early leaves nothing behind.
    tokens: BTreeMap<(Instant, u64), CancelToken>,
    next_number: u64,
    /// When the watching thread looks again by itself; none for never. Alarms after that need not
    /// wake it, so that nodes with the same limit, one after the other, wake it once in that time.
    looks_at: Option<Instant>,
}

fn watchdog() -> Result<&'static Arc<Watchdog>, NodeError> {
    static WATCHDOG: OnceLock<Arc<Watchdog>> = OnceLock::new();
    if let Some(watchdog) = WATCHDOG.get() {
        return Ok(watchdog);
    }
    static STARTING: Mutex<()> = Mutex::new(());
    let _guard = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if WATCHDOG.get().is_none() {
        let watchdog = Arc::new(Watchdog {
            alarms: Mutex::default(),
            changed: Condvar::new(),
        });
        let watching = Arc::clone(&watchdog);
        thread::Builder::new()
            .name("engine-deadlines".into())
            .spawn(move || watching.watch())
            .map_err(|error| format!("cannot start the thread that watches limits: {error}"))?;
        let _ = WATCHDOG.set(watchdog);
    }
    Ok(WATCHDOG.get().expect("it was set under the lock"))
}

impl Watchdog {
    /// Rings alarms for as long as the process lives.
    fn watch(&self) {
        let mut alarms = self.lock();
        loop {
            let now = Instant::now();
            let next = match alarms.tokens.first_entry() {
                None => None,
                Some(first) if first.key().0 <= now => {
                    let token = first.remove();
                    // Not under the lock: a hook may do anything. One that panics was reported by
                    // the panic hook.
                    drop(alarms);
                    ignore_panic(|| token.cancel());
                    alarms = self.lock();
                    continue;
                }
                Some(first) => Some(first.key().0),
            };
            alarms.looks_at = next;
            alarms = match next {
                None => self
                    .changed
                    .wait(alarms)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(next) => {
                    let woken = self.changed.wait_timeout(alarms, next - now);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarm for Arc<Watchdog> {
    fn set(&self, limit: Duration, token: &CancelToken) -> Ticket {
        let Some(deadline) = Instant::now().checked_add(limit) else {
            return (None, 0);
        };
        let mut alarms = self.lock();
        let number = alarms.next_number;
        alarms.next_number += 1;
        let key = (deadline, number);
        alarms.tokens.insert(key, token.clone());
        let is_before = alarms.looks_at.is_none_or(|looks_at| deadline < looks_at);
        if is_before {
            alarms.looks_at = Some(deadline);
        }
        drop(alarms);
        if is_before {
            self.changed.notify_one();
        }
        (Some(deadline), number)
    }

    fn clear(&self, (deadline, number): Ticket) -> bool {
        let Some(deadline) = deadline else {
            return false;
        };
        // The watching thread may be late, so the clock decides.
        self.lock().tokens.remove(&(deadline, number));
        Instant::now() >= deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, NodeState, Options, Outcome, Scheduler, Sequential, Skip, Strategy};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc;

    const HOUR: Duration = Duration::from_secs(3600);

    /// An alarm that is rung by hand.
    #[derive(Clone, Default)]
    struct ByHand(Arc<ByHandInner>);

    #[derive(Default)]
    struct ByHandInner {
        token: Mutex<Option<CancelToken>>,
        has_rung: AtomicBool,
        cleared: AtomicUsize,
    }

    impl ByHand {
        fn ring(&self) {
            self.0.has_rung.store(true, Ordering::Relaxed);
            self.0.token.lock().unwrap().as_ref().unwrap().cancel();
        }
    }

    impl Alarm for ByHand {
        fn set(&self, _: Duration, token: &CancelToken) -> Ticket {
            *self.0.token.lock().unwrap() = Some(token.clone());
            (None, 0)
        }

        fn clear(&self, _: Ticket) -> bool {
            self.0.cleared.fetch_add(1, Ordering::Relaxed);
            self.0.has_rung.load(Ordering::Relaxed)
        }
    }

    /// The state of a node that does `work`, which may ring its own alarm.
    #[track_caller]
    fn check(
        work: impl Fn(&Run<'_>, &ByHand) -> Result<(), NodeError> + Send + Sync + 'static,
        expected: NodeState,
    ) {
        let alarm = ByHand::default();
        let inner = alarm.clone();
        let mut graph = Builder::new();
        graph
            .node("a", [], move |run| {
                run_by(&inner, run, HOUR, |run| work(run, &inner))
            })
            .unwrap();
        let outcome = Sequential.run(&graph.build().unwrap());
        assert_eq!(outcome.count(expected), 1, "{outcome}");
        assert_eq!(
            alarm.0.cleared.load(Ordering::Relaxed),
            1,
            "the alarm was taken back"
        );
    }

    #[test]
    fn work_that_returns_in_time_is_not_concerned() {
        check(|_, _| Ok(()), NodeState::Completed);
        check(|_, _| Err("broken".into()), NodeState::Failed);
        check(|_, _| Err(Skip.into()), NodeState::Skipped);
        check(
            |_, _| std::panic::resume_unwind(Box::new("on purpose")),
            NodeState::Panicked,
        );
    }

    #[test]
    fn work_that_returns_late_is_timed_out_whatever_it_returns() {
        let rings = |result: fn() -> Result<(), NodeError>| {
            move |run: &Run<'_>, alarm: &ByHand| {
                assert!(!run.is_cancelled());
                alarm.ring();
                assert!(run.is_cancelled());
                result()
            }
        };
        check(rings(|| Ok(())), NodeState::TimedOut);
        check(rings(|| Err("broken".into())), NodeState::TimedOut);
        check(rings(|| Err(Cancelled.into())), NodeState::TimedOut);
        check(rings(|| Err(Skip.into())), NodeState::TimedOut);
    }

    #[test]
    fn alarm_calls_the_hooks_of_the_work() {
        let woken = |run: &Run<'_>, alarm: &ByHand| {
            let (sender, receiver) = mpsc::channel();
            let _hook = run.on_cancel(move || sender.send(()).unwrap());
            alarm.ring();
            receiver.try_recv()?;
            Ok(())
        };
        check(woken, NodeState::TimedOut);
    }

    /// Blocks until the run is cancelled.
    fn block(run: &Run<'_>) -> Result<(), NodeError> {
        let (sender, receiver) = mpsc::channel();
        let _hook = run.on_cancel(move || {
            let _ = sender.send(());
        });
        receiver.recv()?;
        run.check_cancelled()?;
        Err("woken without being cancelled".into())
    }

    #[test]
    fn the_watching_thread_wakes_work_whose_limit_has_passed() {
        for strategy in Strategy::ALL {
            let scheduler = strategy.scheduler(2).unwrap();
            let mut graph = Builder::new();
            for index in 0..20 {
                // Limits that end later are set first and last.
                let limit = Duration::from_micros(if index % 2 == 0 { 0 } else { 500 });
                graph
                    .node(&index.to_string(), [], within(limit, block))
                    .unwrap();
            }
            graph
                .node("not concerned", [], within(HOUR, |_| Ok(())))
                .unwrap();
            graph
                .node("never", [], within(Duration::MAX, |_| Ok(())))
                .unwrap();
            let outcome = scheduler.run(&graph.build().unwrap());
            assert_eq!(
                outcome.to_string(),
                "22 nodes: 2 completed, 0 failed, 0 panicked, 0 skipped, 20 timed out",
                "{strategy}"
            );
        }
    }

    #[test]
    fn limits_may_be_nested_and_the_first_that_passes_counts() {
        let mut graph = Builder::new();
        let outer = |run: &Run<'_>| run_within(run, HOUR, block);
        graph
            .node("outer", [], within(Duration::ZERO, outer))
            .unwrap();
        let inner = |run: &Run<'_>| run_within(run, Duration::ZERO, block);
        graph.node("inner", [], within(HOUR, inner)).unwrap();
        let outcome = Sequential.run(&graph.build().unwrap());
        assert_eq!(outcome.count(NodeState::TimedOut), 2);
        for failure in outcome.failures() {
            assert_eq!(failure.cause.to_string(), "not done within 0ns");
        }
    }

    #[test]
    fn a_cancelled_run_cancels_work_with_a_limit() {
        let token = CancelToken::new();
        let cancels = token.clone();
        let mut graph = Builder::new();
        let work = move |run: &Run<'_>| {
            cancels.cancel();
            block(run)
        };
        graph.node("a", [], within(HOUR, work)).unwrap();
        let mut outcome = Outcome::new();
        let options = Options {
            cancel: Some(&token),
            ..Options::default()
        };
        Sequential.run_with(&graph.build().unwrap(), &options, &mut outcome);
        assert_eq!(outcome.count(NodeState::Cancelled), 1, "{outcome}");
    }

    #[test]
    fn alarms_that_were_taken_back_leave_nothing() {
        let watchdog = Arc::new(Watchdog {
            alarms: Mutex::default(),
            changed: Condvar::new(),
        });
        let token = CancelToken::new();
        let tickets = [HOUR, Duration::ZERO, HOUR].map(|limit| watchdog.set(limit, &token));
        assert_eq!(
            tickets.map(|ticket| watchdog.clear(ticket)),
            [false, true, false]
        );
        assert!(watchdog.lock().tokens.is_empty());
        assert!(!token.is_cancelled());
    }
}
