//! Nodes of a run on its caller's stack, handed to threads that outlive the run.
//!
//! Worker threads are there before and after a run, so the compiler cannot see that they use it
//! only while it lasts. The argument, which every `unsafe` block here refers to:
//!
//! 1. Tasks are made only inside [`share`], from its `runs`, and later from the successors of
//!    such tasks. `share` returns or unwinds only after every run is finished; otherwise it ends
//!    the process.
//! 2. A run is finished when as many nodes as it has were counted. [`Execution::roots`] and
//!    [`Execution::release`] hand out each node once, so each node is one task, and a task is not
//!    `Clone`. A task is counted by [`Tally::add`], which takes it by value.
//! 3. So while a task exists, or a tally holds nodes that it has not yet counted, its run is not
//!    finished, and by 1 it is still there. [`Tally::flush`] forgets the run with the same step
//!    that counts.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use crate::NodeId;
use crate::execution::Execution;

/// A node that is ready, or has run, and is not yet counted as finished.
pub(crate) struct Task {
    run: NonNull<Execution<'static>>,
    node: NodeId,
}

// SAFETY: a task gives shared access to an `Execution`, which is `Sync` (checked below), and by
// point 3 the execution is there on whichever thread the task is.
unsafe impl Send for Task {}

const fn assert_sync<T: Sync>() {}
const _: () = assert_sync::<Execution<'static>>();

/// Lends `runs` to worker threads: calls `body` with the tasks of the nodes that are ready.
///
/// `body` must see to it that every task, and every task that comes of it, is run and counted
/// before it returns.
pub(crate) fn share(runs: &[Execution<'_>], body: impl FnOnce(&mut dyn Iterator<Item = Task>)) {
    struct FinishedOrAbort<'a>(&'a [Execution<'a>]);

    impl Drop for FinishedOrAbort<'_> {
        fn drop(&mut self) {
            if !self.0.iter().all(Execution::is_finished) {
                eprintln!("engine: a scheduler left a run before its end; this is a bug");
                std::process::abort();
            }
        }
    }

    let _guard = FinishedOrAbort(runs);
    let mut roots = runs.iter().flat_map(|run| {
        // Only the lifetime changes; points 1 to 3 replace it.
        let shared = NonNull::from(run).cast::<Execution<'static>>();
        run.roots().map(move |node| Task { run: shared, node })
    });
    body(&mut roots);
}

impl Task {
    #[inline]
    fn execution(&self) -> &Execution<'_> {
        // SAFETY: `self` is a task, so its run is there (point 3) for as long as `self` is
        // borrowed.
        unsafe { self.run.cast::<Execution<'_>>().as_ref() }
    }

    /// The node, to choose between the tasks of a run.
    #[inline]
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// Runs the node. Must be called once.
    #[inline]
    pub(crate) fn run(&self) {
        self.execution().run(self.node);
    }

    /// Hands out the tasks of the nodes that became ready because this one has run. Must be called
    /// once, after [`run`](Self::run).
    #[inline]
    pub(crate) fn release(&self, mut ready: impl FnMut(Task)) {
        self.execution().release(self.node, |node| {
            ready(Task {
                run: self.run,
                node,
            });
        });
    }
}

/// Nodes of one run that have finished but were not yet counted: one atomic step can count many.
///
/// It must be empty when it is dropped.
#[derive(Default)]
pub(crate) struct Tally {
    run: Option<NonNull<Execution<'static>>>,
    nodes: usize,
}

impl Tally {
    /// Takes a task that was released. When the tally holds nodes of another run it counts them
    /// first; the result says whether that finished their run.
    #[inline]
    #[must_use]
    pub(crate) fn add(&mut self, task: Task) -> bool {
        let finished = self.run != Some(task.run) && self.flush();
        self.run = Some(task.run);
        self.nodes += 1;
        finished
    }

    /// Counts the nodes and returns whether that finished their run. The run may be gone
    /// afterwards.
    #[inline]
    #[must_use]
    pub(crate) fn flush(&mut self) -> bool {
        let nodes = std::mem::take(&mut self.nodes);
        match self.run.take() {
            None => false,
            Some(run) => {
                // SAFETY: `nodes` is not 0 while `run` is set, and they are not counted yet, so
                // the run is there (point 3).
                let remaining = unsafe { run.as_ref() }.remaining();
                // The run may be gone once it is counted, and here only a reference to an atomic
                // is left of it, which may dangle while the call returns. `Release` publishes the
                // nodes' writes to the thread that sees the run finished.
                let before = remaining.fetch_sub(nodes, Ordering::AcqRel);
                debug_assert!(before >= nodes, "{nodes} nodes finished, {before} remained");
                before == nodes
            }
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        debug_assert_eq!(self.nodes, 0, "all nodes were counted");
    }
}
