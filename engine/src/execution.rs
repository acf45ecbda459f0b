//! One run of one graph: what all schedulers share.
//!
//! A scheduler decides when and where [`Execution::run`] is called for a node, always after all
//! its dependencies, and asks [`Execution::release`] which nodes became ready. Everything else is
//! here: panics are caught, states recorded, dependents of a failed node marked.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crossbeam::utils::CachePadded;

use crate::worker::on_worker;
use crate::{Cause, Dag, Failure, NodeId, NodeState, NodeStates, Outcome};

/// One run of one graph, shared by the threads that work on it.
pub(crate) struct Execution<'r> {
    dag: &'r Dag,
    states: &'r NodeStates,
    /// By node, the dependencies that have not finished.
    waiting: &'r [AtomicU32],
    /// Nodes that have not finished, as far as [`finish`](Self::finish) was told.
    remaining: CachePadded<AtomicUsize>,
    /// Unordered. Locked once for every failed node.
    failures: Mutex<Vec<Failure>>,
}

/// Runs `dag` into `outcome` by calling `parallel` with its execution, or by a sequential walk when
/// the current thread is a worker already.
pub(crate) fn run_one(dag: &Dag, outcome: &mut Outcome, parallel: impl FnOnce(&[Execution<'_>])) {
    if on_worker() {
        return walk(dag, outcome);
    }
    let Outcome {
        states,
        failures,
        waiting,
    } = outcome;
    count_dependencies(dag, waiting);
    let execution = Execution::new(dag, states, waiting, failures);
    parallel(std::slice::from_ref(&execution));
    debug_assert_eq!(
        execution.states.count(NodeState::Pending),
        0,
        "every node ran"
    );
    *failures = execution.into_failures();
}

/// As [`run_one`], for several graphs at once.
pub(crate) fn run_all(dags: &[Dag], parallel: impl FnOnce(&[Execution<'_>])) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = dags.iter().map(|_| Outcome::new()).collect();
    if on_worker() {
        for (dag, outcome) in dags.iter().zip(&mut outcomes) {
            walk(dag, outcome);
        }
        return outcomes;
    }
    let executions: Vec<_> = dags
        .iter()
        .zip(&mut outcomes)
        .map(|(dag, outcome)| {
            count_dependencies(dag, &mut outcome.waiting);
            Execution::new(
                dag,
                &mut outcome.states,
                &outcome.waiting,
                &mut outcome.failures,
            )
        })
        .collect();
    parallel(&executions);
    let failures: Vec<_> = executions
        .into_iter()
        .map(Execution::into_failures)
        .collect();
    for (outcome, failures) in outcomes.iter_mut().zip(failures) {
        outcome.failures = failures;
    }
    outcomes
}

/// Runs `dag` into `outcome` on the current thread, in the order of node ids.
pub(crate) fn walk(dag: &Dag, outcome: &mut Outcome) {
    let Outcome {
        states, failures, ..
    } = outcome;
    let execution = Execution::new(dag, states, &[], failures);
    execution.walk();
    *failures = execution.into_failures();
}

fn count_dependencies(dag: &Dag, waiting: &mut Vec<AtomicU32>) {
    waiting.clear();
    waiting.extend(dag.dependency_counts().iter().copied().map(AtomicU32::new));
}

impl<'r> Execution<'r> {
    fn new(
        dag: &'r Dag,
        states: &'r mut NodeStates,
        waiting: &'r [AtomicU32],
        failures: &mut Vec<Failure>,
    ) -> Self {
        states.reset(dag.len());
        failures.clear();
        Self {
            dag,
            states,
            waiting,
            remaining: CachePadded::new(AtomicUsize::new(dag.len())),
            failures: Mutex::new(std::mem::take(failures)),
        }
    }

    fn into_failures(self) -> Vec<Failure> {
        let mut failures = self
            .failures
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        failures.sort_unstable_by_key(|failure| failure.node);
        failures
    }

    #[inline]
    pub(crate) fn dag(&self) -> &'r Dag {
        self.dag
    }

    /// The nodes that are ready at the start, each once.
    pub(crate) fn roots(&self) -> impl Iterator<Item = NodeId> + use<'r> {
        let counts = self.dag.dependency_counts();
        self.dag.nodes().filter(|node| counts[node.index()] == 0)
    }

    /// Runs `node`, or skips it when something it depends on did not complete.
    ///
    /// Never unwinds. Must be called once for each node, after all its dependencies.
    #[inline]
    pub(crate) fn run(&self, node: NodeId) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.step(node))) {
            self.panicked(node, payload);
        }
    }

    /// Tells the successors of `node`, which has run, and hands out those that became ready: each
    /// of them once in a run.
    #[inline]
    pub(crate) fn release(&self, node: NodeId, mut ready: impl FnMut(NodeId)) {
        for &successor in self.dag.successors(node) {
            // `Release` publishes what this node wrote, its state and the marks of the nodes it
            // fails included; `Acquire` makes the thread that takes the last count see the writes
            // of *all* dependencies, because the decrements form one release sequence.
            if self.waiting[successor.index()].fetch_sub(1, Ordering::AcqRel) == 1 {
                ready(successor);
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

    /// Runs all nodes on the current thread in the order of their ids. No counter is touched, and
    /// panics are caught once for the whole stretch up to a panic.
    pub(crate) fn walk(&self) {
        let mut rest = self.dag.nodes();
        let current = Cell::new(None);
        loop {
            let stretch = catch_unwind(AssertUnwindSafe(|| {
                for node in rest.by_ref() {
                    current.set(Some(node));
                    self.step(node);
                }
            }));
            match (stretch, current.get()) {
                (Err(payload), Some(node)) => self.panicked(node, payload),
                _ => return,
            }
        }
    }

    // Forced, because the compiler leaves a call in the walk: 3.0 instead of 1.9 ns for an empty node
    // of a chain of 1000 (Zen 5, 2026-11-21).
    #[inline(always)]
    fn step(&self, node: NodeId) {
        if self.states.get(node) == NodeState::Skipped {
            return self.skip_successors(node);
        }
        match self.dag.call(node) {
            Ok(()) => self.states.set(node, NodeState::Completed),
            Err(error) => self.failed(node, NodeState::Failed, Cause::Error(error)),
        }
    }

    #[cold]
    #[inline(never)]
    fn panicked(&self, node: NodeId, payload: Box<dyn Any + Send>) {
        let cause = Cause::Panic(panic_message(payload));
        self.failed(node, NodeState::Panicked, cause);
    }

    #[cold]
    #[inline(never)]
    fn failed(&self, node: NodeId, state: NodeState, cause: Cause) {
        self.states.set(node, state);
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Failure { node, cause });
        self.skip_successors(node);
    }

    /// Marks the successors of `node` before they are released, so that they find the mark when
    /// their turn comes. Several dependencies may write the same mark.
    #[cold]
    #[inline(never)]
    fn skip_successors(&self, node: NodeId) {
        for &successor in self.dag.successors(node) {
            self.states.set(successor, NodeState::Skipped);
        }
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
