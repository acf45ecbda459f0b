//! A scheduler that runs all nodes on the calling thread.

use crate::execution::walk;
use crate::{Dag, Options, Outcome, Scheduler, Strategy};

/// Walks the nodes in the order of their ids, which is topological, on the calling thread.
///
/// There are no queues and no counters. From the second run of a graph with the same [`Outcome`]
/// on, a run of nodes that complete allocates nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Scheduler for Sequential {
    fn name(&self) -> &'static str {
        Strategy::Sequential.name()
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        walk(dag, options, outcome);
    }
}
