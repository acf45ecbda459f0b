//! One run of one graph: what all schedulers share.
//!
//! A run begins as a walk over all nodes in the order of their ids, on one thread, which needs no
//! counters: [`Shared::walk_fresh`]. A scheduler that wants more than that makes an [`Execution`],
//! decides when and where [`Execution::run`] is called for a node, always after all its
//! dependencies, and asks [`Execution::release`] which nodes became ready. Everything else is here:
//! panics are caught, states recorded, dependents of a failed node marked, stopped runs settled.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crossbeam::utils::CachePadded;

use crate::cancel::Hooks;
use crate::worker::{self, WorkerIndex, on_worker};
use crate::{
    CancelToken, Cancelled, Cause, Dag, Failure, NodeError, NodeId, NodeState, NodeStates, Options,
    Outcome, Policy, Run, Skip, TimedOut,
};

/// What everything that works on a run knows about it, nodes included.
// Aligned, as all that is read for every node: on the caller's stack it would share cache lines
// with what the caller writes for every node (fan of 1000 nodes of 0.1 us, 2 workers: 158 instead of
// 83 ns a node; 2-core x86-64 VM, 2026-11).
#[repr(align(128))]
pub(crate) struct Shared<'r> {
    dag: &'r Dag,
    options: Options<'r>,
    /// That of the token, or one that is never raised.
    cancelled: &'r AtomicBool,
    /// What has happened that makes a node look twice; see the constants.
    flags: AtomicU8,
    /// Whether some node did not complete; read after the end.
    is_incomplete: AtomicBool,
    /// Called when the run fails fast.
    hooks: Hooks,
}

/// No more nodes begin. Once set it stays, so a node that follows one that was passed over is
/// passed over too.
const STOPPED: u8 = 1;
/// Some nodes are marked as skipped before their turn.
const SKIPS: u8 = 2;
/// There is an observer.
const OBSERVED: u8 = 4;

static NEVER: AtomicBool = AtomicBool::new(false);

/// How the work of a node ended.
type Ended = Result<Result<(), NodeError>, Box<dyn Any + Send>>;

impl<'r> Shared<'r> {
    pub(crate) fn new(dag: &'r Dag, options: &Options<'r>) -> Self {
        let flags = match options.observer {
            None => 0,
            Some(_) => OBSERVED,
        };
        Self {
            dag,
            options: *options,
            cancelled: options.cancel.map_or(&NEVER, CancelToken::flag),
            flags: AtomicU8::new(flags),
            is_incomplete: AtomicBool::new(false),
            hooks: Hooks::default(),
        }
    }

    #[inline]
    pub(crate) fn dag(&self) -> &'r Dag {
        self.dag
    }

    #[inline]
    pub(crate) fn options(&self) -> &Options<'r> {
        &self.options
    }

    #[inline]
    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        // `Acquire` pairs with the `Release` of `CancelToken::cancel`. The flag needs no ordering:
        // what follows from it is passed on by the counters of the run.
        self.flags.load(Ordering::Relaxed) & STOPPED != 0 || {
            let cancelled = self.cancelled.load(Ordering::Acquire);
            if cancelled {
                self.flags.fetch_or(STOPPED, Ordering::Relaxed);
            }
            cancelled
        }
    }

    /// Whether some node did not complete; after the end of the run.
    #[inline]
    pub(crate) fn is_incomplete(&self) -> bool {
        self.is_incomplete.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        self.options.observer.is_some()
    }

    /// Whether a node must look at more than its dependencies before it begins.
    #[inline]
    fn is_special(&self) -> bool {
        self.flags.load(Ordering::Relaxed) != 0 || self.cancelled.load(Ordering::Relaxed)
    }

    /// Runs up to `most` nodes from `first` on, in the order of their ids, on the current thread;
    /// returns the first that it did not run, and whether it ended early. All before `first` must
    /// have completed, nobody may observe, and no other thread may work on the run.
    ///
    /// It ends early after a node that did not complete and when the run is stopped: then the states
    /// of the rest are set, and an [`Execution`] must see to it.
    ///
    /// Panics are caught once for the whole stretch, and states are set by one fill: a catch
    /// around every node made the walk 1.25 to 1.55 times as long (2-core x86-64 VM, 2026-11).
    #[inline]
    pub(crate) fn walk_fresh(
        &self,
        first: usize,
        most: usize,
        states: &mut NodeStates,
        failures: &mut Vec<Failure>,
    ) -> (usize, bool) {
        debug_assert!(!self.is_observed(), "an observer sees every node");
        let end = self.dag.len().min(first.saturating_add(most));
        let mut run = Run::new(self, NodeId::from_index(first as u32));
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.dag.call_in_order(&mut run, end, self.cancelled)
        }));
        let reached = run.node().index();
        states.fill(first..reached, NodeState::Completed);
        if let Ok(Ok(())) = ended
            && reached == end
        {
            return (end, false);
        }
        (self.leave_walk(run.node(), ended, states, failures), true)
    }

    #[cold]
    #[inline(never)]
    fn leave_walk(
        &self,
        node: NodeId,
        ended: Ended,
        states: &mut NodeStates,
        failures: &mut Vec<Failure>,
    ) -> usize {
        states.fill(node.index()..self.dag.len(), NodeState::Pending);
        if let Ok(Ok(())) = ended {
            self.is_stopped();
            return node.index();
        }
        let (_, failure) = self.conclude(node, ended, states);
        failures.extend(failure);
        node.index() + 1
    }

    /// Records how `node` ended and marks what depends on it.
    #[cold]
    #[inline(never)]
    fn conclude(
        &self,
        node: NodeId,
        ended: Ended,
        states: &NodeStates,
    ) -> (NodeState, Option<Failure>) {
        let (state, cause) = match ended {
            Ok(Ok(())) => (NodeState::Completed, None),
            Err(payload) => {
                let cause = Cause::Panic(panic_message(payload));
                (NodeState::Panicked, Some(cause))
            }
            Ok(Err(error)) if error.is::<Skip>() => (NodeState::Skipped, None),
            Ok(Err(error)) if error.is::<Cancelled>() => (NodeState::Cancelled, None),
            Ok(Err(error)) => {
                let state = match error.is::<TimedOut>() {
                    true => NodeState::TimedOut,
                    false => NodeState::Failed,
                };
                (state, Some(Cause::Error(error)))
            }
        };
        states.set(node, state);
        if state != NodeState::Completed {
            self.is_incomplete.store(true, Ordering::Relaxed);
        }
        match (state, self.options.policy) {
            (NodeState::Completed | NodeState::Skipped, _) => {}
            // What follows is cancelled with the run.
            (NodeState::Cancelled, _) if self.is_stopped() => {}
            (NodeState::Cancelled, _) => self.skip_successors(node, states),
            (_, Policy::Collect) => {}
            (_, Policy::Continue) => self.skip_successors(node, states),
            (_, Policy::FailFast) => {
                self.skip_successors(node, states);
                self.flags.fetch_or(STOPPED, Ordering::Relaxed);
                // A hook that panics was reported by the panic hook; the run goes on.
                ignore_panic(|| self.hooks.call());
            }
        }
        (state, cause.map(|cause| Failure { node, cause }))
    }

    /// Marks the successors of `node` before they are released, so that they find the mark when
    /// their turn comes. Several dependencies may write the same mark.
    fn skip_successors(&self, node: NodeId, states: &NodeStates) {
        self.flags.fetch_or(SKIPS, Ordering::Relaxed);
        for successor in self.dag.successors(node) {
            states.mark_to_be_skipped(successor);
        }
    }
}

/// One run of one graph, shared by the threads that work on it.
pub(crate) struct Execution<'r> {
    shared: &'r Shared<'r>,
    states: &'r NodeStates,
    /// By counter, the dependencies that have not finished.
    waiting: &'r [AtomicU32],
    /// Nodes that have not finished, as far as whoever counts them was told.
    remaining: CachePadded<AtomicUsize>,
    /// Unordered. Locked once for every failed node.
    failures: Mutex<Vec<Failure>>,
}

/// Runs `dag` into `outcome` by calling `parallel` with its execution, or by a sequential walk when
/// the current thread is a worker already.
pub(crate) fn run_one(
    dag: &Dag,
    options: &Options<'_>,
    outcome: &mut Outcome,
    parallel: impl FnOnce(&[Execution<'_>]),
) {
    if on_worker() {
        return walk(dag, options, outcome);
    }
    let shared = Shared::new(dag, options);
    outcome.begin(dag.len());
    let Outcome {
        states,
        failures,
        waiting,
        is_incomplete,
    } = outcome;
    states.fill(0..dag.len(), NodeState::Pending);
    reset_counters(dag, waiting);
    let execution = Execution::new(&shared, states, waiting, failures);
    parallel(std::slice::from_ref(&execution));
    (*failures, *is_incomplete) = execution.finish();
}

/// As [`run_one`], for several graphs at once.
pub(crate) fn run_all(dags: &[Dag], parallel: impl FnOnce(&[Execution<'_>])) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = dags.iter().map(|_| Outcome::new()).collect();
    let options = Options::default();
    if on_worker() {
        for (dag, outcome) in dags.iter().zip(&mut outcomes) {
            walk(dag, &options, outcome);
        }
        return outcomes;
    }
    let shared: Vec<_> = dags.iter().map(|dag| Shared::new(dag, &options)).collect();
    let executions: Vec<_> = shared
        .iter()
        .zip(&mut outcomes)
        .map(|(shared, outcome)| {
            outcome.begin(shared.dag.len());
            let Outcome {
                states,
                failures,
                waiting,
                ..
            } = outcome;
            states.fill(0..shared.dag.len(), NodeState::Pending);
            reset_counters(shared.dag, waiting);
            Execution::new(shared, states, waiting, failures)
        })
        .collect();
    parallel(&executions);
    let ended: Vec<_> = executions.into_iter().map(Execution::finish).collect();
    for (outcome, ended) in outcomes.iter_mut().zip(ended) {
        (outcome.failures, outcome.is_incomplete) = ended;
    }
    outcomes
}

/// Runs `dag` into `outcome` on the current thread, in the order of node ids.
pub(crate) fn walk(dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
    let shared = Shared::new(dag, options);
    outcome.begin(dag.len());
    let Outcome {
        states,
        failures,
        is_incomplete,
        ..
    } = outcome;
    let mut next = 0;
    let mut _first = None;
    if shared.is_observed() {
        states.fill(0..dag.len(), NodeState::Pending);
        _first = Some(WorkerIndex::first());
    } else {
        (next, _) = shared.walk_fresh(0, usize::MAX, states, failures);
    }
    if next < dag.len() {
        let execution = Execution::new(&shared, states, &[], failures);
        execution.walk(next, usize::MAX);
        (*failures, *is_incomplete) = execution.finish();
    } else {
        *is_incomplete = shared.is_incomplete();
    }
}

/// Makes the counters those of a run that has not begun.
pub(crate) fn reset_counters(dag: &Dag, waiting: &mut Vec<AtomicU32>) {
    waiting.clear();
    waiting.extend(dag.counts().iter().copied().map(AtomicU32::new));
}

impl<'r> Execution<'r> {
    /// `waiting` must be [`reset_counters`] for a run that shares nodes, and the states be set.
    pub(crate) fn new(
        shared: &'r Shared<'r>,
        states: &'r NodeStates,
        waiting: &'r [AtomicU32],
        failures: &mut Vec<Failure>,
    ) -> Self {
        Self {
            shared,
            states,
            waiting,
            remaining: CachePadded::new(AtomicUsize::new(shared.dag.len())),
            failures: Mutex::new(std::mem::take(failures)),
        }
    }

    /// Names what a stopped run left over and returns the failures in the order of their nodes, and
    /// whether some node did not complete.
    pub(crate) fn finish(self) -> (Vec<Failure>, bool) {
        if self.shared.flags.load(Ordering::Relaxed) & STOPPED != 0 {
            self.settle();
        }
        debug_assert_eq!(
            self.states.count(NodeState::Pending),
            0,
            "every node ran or was passed over"
        );
        let mut failures = self
            .failures
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        failures.sort_unstable_by_key(|failure| failure.node);
        (failures, self.shared.is_incomplete())
    }

    /// What is still pending was cancelled, unless something it depends on did not complete.
    #[cold]
    #[inline(never)]
    fn settle(&self) {
        for node in self.dag().nodes() {
            if self.states.is_to_be_skipped(node) {
                self.skip(node);
            } else if self.states.is_open(node) {
                self.states.set(node, NodeState::Cancelled);
                self.shared.is_incomplete.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Skips `node`, whose turn has come, and what depends on it.
    fn skip(&self, node: NodeId) {
        self.states.set(node, NodeState::Skipped);
        self.shared.skip_successors(node, self.states);
    }

    #[inline]
    pub(crate) fn dag(&self) -> &'r Dag {
        self.shared.dag
    }

    #[inline]
    pub(crate) fn shared(&self) -> &'r Shared<'r> {
        self.shared
    }

    #[inline]
    pub(crate) fn states(&self) -> &'r NodeStates {
        self.states
    }

    #[inline]
    pub(crate) fn waiting(&self) -> &'r [AtomicU32] {
        self.waiting
    }

    /// The nodes that are ready at the start, each once.
    pub(crate) fn roots(&self) -> impl Iterator<Item = NodeId> + use<'r> {
        let counts = self.shared.dag.counts();
        self.shared
            .dag
            .nodes()
            .filter(|node| counts[node.index()] == 0)
    }

    /// Runs `node`, unless something it depends on did not complete or the run is stopped.
    ///
    /// Never unwinds. Must be called once for each node, after all its dependencies.
    #[inline]
    pub(crate) fn run(&self, node: NodeId) {
        if self.shared.is_special() {
            return self.run_special(node);
        }
        let run = Run::new(self.shared, node);
        match catch_unwind(AssertUnwindSafe(|| self.shared.dag.call(&run))) {
            Ok(Ok(())) => self.states.set(node, NodeState::Completed),
            ended => {
                self.conclude(node, ended);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn run_special(&self, node: NodeId) {
        if self.shared.is_stopped() {
            return;
        }
        let observer = self.shared.options.observer;
        let state = if self.states.is_to_be_skipped(node) {
            self.skip(node);
            NodeState::Skipped
        } else {
            let run = Run::new(self.shared, node);
            let ended = catch_unwind(AssertUnwindSafe(|| {
                if let Some(observer) = observer {
                    observer.node_started(worker::index(), node);
                }
                self.shared.dag.call(&run)
            }));
            self.conclude(node, ended)
        };
        if let Some(observer) = observer {
            // An observer that panics was reported by the panic hook; the node has ended already.
            ignore_panic(|| observer.node_finished(worker::index(), node, state));
        }
    }

    #[cold]
    #[inline(never)]
    fn conclude(&self, node: NodeId, ended: Ended) -> NodeState {
        let (state, failure) = self.shared.conclude(node, ended, self.states);
        if let Some(failure) = failure {
            self.failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(failure);
        }
        state
    }

    /// Tells the successors of `node`, which has run, and hands out those that became ready: each
    /// of them once in a run.
    #[inline]
    pub(crate) fn release(&self, node: NodeId, mut ready: impl FnMut(NodeId)) {
        for &target in self.dag().targets(node) {
            let counter = target.counter();
            // `Release` publishes what this node wrote, its state and the marks of the nodes it
            // fails included; `Acquire` makes the thread that takes the last count see the writes
            // of *all* dependencies, because the decrements form one release sequence.
            if target.is_only()
                || self.waiting[counter as usize].fetch_sub(1, Ordering::AcqRel) == 1
            {
                for member in self.dag().members(counter) {
                    ready(NodeId::from_index(member));
                }
            }
        }
    }

    /// Number of nodes that were not yet counted as finished. Whoever takes the last one from it
    /// must not touch the run afterwards: it may be gone.
    #[inline]
    pub(crate) fn remaining(&self) -> &AtomicUsize {
        &self.remaining
    }

    /// Whether all nodes were counted as finished.
    #[inline]
    pub(crate) fn is_finished(&self) -> bool {
        // `Acquire` pairs with the `Release` of whoever counts nodes as finished.
        self.remaining.load(Ordering::Acquire) == 0
    }

    /// Runs up to `most` nodes that have not run, from `first` on, on the current thread in the
    /// order of their ids; returns how many it ran and where it stopped. No other thread may work on
    /// the run. No counter is touched.
    pub(crate) fn walk(&self, first: usize, most: usize) -> (usize, usize) {
        let mut ran = 0;
        let nodes = self.dag().len();
        for index in first..nodes {
            let node = NodeId::from_index(index as u32);
            if self.states.is_open(node) {
                self.run(node);
                ran += 1;
                if ran == most {
                    return (ran, index + 1);
                }
            }
        }
        (ran, nodes)
    }
}

/// Calls `code`; when it panics, nothing else happens.
pub(crate) fn ignore_panic(code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        drop(panic_message(payload));
    }
}

/// The text of a panic. Takes the payload, because dropping it is the panicking code's own and may
/// panic again.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let message = match payload.downcast_ref::<&str>() {
        Some(message) => (*message).to_owned(),
        None => match payload.downcast_ref::<String>() {
            Some(message) => message.clone(),
            None => "a panic whose payload is not text".to_owned(),
        },
    };
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A third one would end the process: this payload is given up.
        std::mem::forget(second);
    }
    message
}
