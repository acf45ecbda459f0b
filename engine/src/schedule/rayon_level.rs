//! A scheduler that runs one level after the other, the nodes of a level in parallel.

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::execution::{self, Execution};
use crate::{Dag, Options, Outcome, Scheduler, SchedulerError, Strategy, Workers};

/// Runs the levels of a graph one after the other, each as one parallel iteration of rayon's.
///
/// No counter is kept: the end of a level is the barrier that orders a node after its
/// dependencies. It is cheap for wide levels of equal nodes; a slow node holds up its whole level,
/// and neighbours in a level may run one after the other on one worker while another is idle, so
/// nodes must not wait for each other.
#[derive(Debug)]
pub struct RayonLevel(ThreadPool);

impl RayonLevel {
    /// A scheduler with a pool of its own with these workers.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 and when a thread cannot be started.
    pub fn new(workers: impl Into<Workers>) -> Result<Self, SchedulerError> {
        super::rayon_pool(workers.into()).map(Self)
    }

    fn run_levels(executions: &[Execution<'_>]) {
        executions.par_iter().for_each(|execution| {
            for level in execution.dag().levels().iter() {
                level.par_iter().for_each(|&node| execution.run(node));
            }
        });
    }
}

impl Scheduler for RayonLevel {
    fn name(&self) -> &'static str {
        Strategy::RayonLevel.name()
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        execution::run_one(dag, options, outcome, |executions| {
            self.0.install(|| Self::run_levels(executions));
        });
    }

    fn run_all(&self, dags: &[Dag]) -> Vec<Outcome> {
        execution::run_all(dags, |executions| {
            self.0.install(|| Self::run_levels(executions));
        })
    }
}
