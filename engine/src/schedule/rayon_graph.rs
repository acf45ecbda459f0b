//! A scheduler that spawns ready nodes into a scope of rayon's.

use rayon::{Scope, ThreadPool};

use crate::execution::{self, Execution};
use crate::{Dag, NodeId, Options, Outcome, Scheduler, SchedulerError, Strategy, Workers};

/// Counts down the dependencies of each node and spawns it into a rayon scope when it is ready.
///
/// The thread that finishes a node goes on with one of the nodes that became ready, in a loop, so a
/// chain spawns only its root and needs no stack.
#[derive(Debug)]
pub struct RayonGraph(ThreadPool);

impl RayonGraph {
    /// A scheduler with a pool of its own with these workers.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 and when a thread cannot be started.
    pub fn new(workers: impl Into<Workers>) -> Result<Self, SchedulerError> {
        super::rayon_pool(workers.into()).map(Self)
    }

    fn run_graphs(&self, executions: &[Execution<'_>]) {
        self.0.scope(|scope| {
            for execution in executions {
                for node in execution.roots() {
                    scope.spawn(move |scope| run_from(scope, execution, node));
                }
            }
        });
    }
}

fn run_from<'scope>(scope: &Scope<'scope>, execution: &'scope Execution<'_>, node: NodeId) {
    let mut current = Some(node);
    while let Some(node) = current.take() {
        execution.run(node);
        execution.release(node, |ready| match current {
            None => current = Some(ready),
            Some(_) => scope.spawn(move |scope| run_from(scope, execution, ready)),
        });
    }
}

impl Scheduler for RayonGraph {
    fn name(&self) -> &'static str {
        Strategy::RayonGraph.name()
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        execution::run_one(dag, options, outcome, |executions| {
            self.run_graphs(executions)
        });
    }

    fn run_all(&self, dags: &[Dag]) -> Vec<Outcome> {
        execution::run_all(dags, |executions| self.run_graphs(executions))
    }
}
