//! Schedulers: one trait, several strategies.

mod adaptive;
mod bounded_pool;
mod direct_threads;
mod rayon_graph;
mod rayon_level;
mod sequential;
mod work_stealing;

pub use adaptive::Adaptive;
pub use bounded_pool::{BoundedPool, TasksPanicked};
pub use direct_threads::DirectThreads;
pub use rayon_graph::RayonGraph;
pub use rayon_level::RayonLevel;
pub use sequential::Sequential;
pub use work_stealing::WorkStealing;

use std::fmt;
use std::io;
use std::str::FromStr;

use crate::{Dag, Options, Outcome, Workers};

/// A strategy for running graphs.
///
/// Every implementation runs each node once, after all its dependencies; catches panics of nodes;
/// and skips what depends on a node that failed or panicked. Any number of threads may run graphs
/// on one scheduler at the same time.
///
/// A run started from inside a node on a worker thread, of this scheduler or of another one of this
/// crate, is a sequential walk on that thread.
///
/// Nodes must not wait for each other without an edge between them: [`Sequential`], [`Adaptive`] and
/// [`RayonLevel`] may run any two nodes one after the other, and such a run never ends.
///
/// # Examples
///
/// ```
/// use engine::{Outcome, RayonGraph, Scheduler, shape};
///
/// let dag = shape::chain(100).build(arena::Bump::default(), |_| |_: &engine::Run<'_>| Ok(()))?;
/// let scheduler = RayonGraph::new(2)?;
/// let mut outcome = Outcome::new();
/// for _ in 0..3 {
///     scheduler.run_into(&dag, &mut outcome);
///     assert_eq!(outcome.completed(), 100);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Scheduler: Send + Sync {
    /// The name of the strategy, as [`Strategy`] spells it.
    fn name(&self) -> &'static str;

    /// Runs `dag` as `options` say and puts the state of every node into `outcome`, reusing its
    /// memory.
    ///
    /// Returns when all nodes have finished or the run was stopped.
    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome);

    /// Runs `dag` with the default options and puts the state of every node into `outcome`.
    fn run_into(&self, dag: &Dag, outcome: &mut Outcome) {
        self.run_with(dag, &Options::default(), outcome);
    }

    /// Runs `dag` and returns the state of every node.
    fn run(&self, dag: &Dag) -> Outcome {
        let mut outcome = Outcome::new();
        self.run_into(dag, &mut outcome);
        outcome
    }

    /// Runs several graphs and returns their outcomes in the same order.
    ///
    /// This runs one after the other; a scheduler that can overlap them does.
    fn run_all(&self, dags: &[Dag]) -> Vec<Outcome> {
        dags.iter().map(|dag| self.run(dag)).collect()
    }
}

/// Why a scheduler cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// It was asked to have no workers.
    #[error("a scheduler needs at least 1 worker; got 0")]
    ZeroWorkers,
    /// Its queue was asked to hold nothing.
    #[error("a queue needs room for at least 1 task; got 0")]
    ZeroCapacity,
    /// The system refused to start a thread.
    #[error("cannot start a worker thread: {0}; ask for fewer workers")]
    Thread(#[source] io::Error),
}

/// The schedulers of this crate by name, to choose one by a flag or from a file.
///
/// # Examples
///
/// ```
/// use engine::Strategy;
///
/// let strategy: Strategy = "work-stealing".parse()?;
/// assert_eq!(strategy.scheduler(2)?.name(), "work-stealing");
/// assert_eq!(
///     "fifo".parse::<Strategy>().unwrap_err().to_string(),
///     "no scheduler is called `fifo`; there are sequential, adaptive, work-stealing, \
///      rayon-level, rayon-graph, bounded-pool, direct-threads"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// [`Sequential`]
    Sequential,
    /// [`Adaptive`], the default.
    #[default]
    Adaptive,
    /// [`WorkStealing`]
    WorkStealing,
    /// [`RayonLevel`]
    RayonLevel,
    /// [`RayonGraph`]
    RayonGraph,
    /// [`BoundedPool`] with room for [`BoundedPool::DEFAULT_CAPACITY`] nodes.
    BoundedPool,
    /// [`DirectThreads`]
    DirectThreads,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 7] = [
        Self::Sequential,
        Self::Adaptive,
        Self::WorkStealing,
        Self::RayonLevel,
        Self::RayonGraph,
        Self::BoundedPool,
        Self::DirectThreads,
    ];

    /// The name, as it is written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Adaptive => "adaptive",
            Self::WorkStealing => "work-stealing",
            Self::RayonLevel => "rayon-level",
            Self::RayonGraph => "rayon-graph",
            Self::BoundedPool => "bounded-pool",
            Self::DirectThreads => "direct-threads",
        }
    }

    /// A scheduler with these workers, a number or [`Workers`].
    ///
    /// [`Sequential`] runs one node at a time, whatever they are.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 workers and when a thread cannot be started.
    pub fn scheduler(
        self,
        workers: impl Into<Workers>,
    ) -> Result<Box<dyn Scheduler>, SchedulerError> {
        let workers = workers.into().at_least_one()?;
        Ok(match self {
            Self::Sequential => Box::new(Sequential),
            Self::Adaptive => Box::new(Adaptive::new(workers)?),
            Self::WorkStealing => Box::new(WorkStealing::new(workers)?),
            Self::RayonLevel => Box::new(RayonLevel::new(workers)?),
            Self::RayonGraph => Box::new(RayonGraph::new(workers)?),
            Self::BoundedPool => {
                Box::new(BoundedPool::new(workers, BoundedPool::DEFAULT_CAPACITY)?)
            }
            Self::DirectThreads => Box::new(DirectThreads::new(workers)?),
        })
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// No scheduler has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no scheduler is called `{name}`; there are {}", Strategy::ALL.map(Strategy::name).join(", "))]
pub struct UnknownStrategy {
    /// The name that was asked for.
    pub name: String,
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.name() == name)
            .ok_or_else(|| UnknownStrategy { name: name.into() })
    }
}

/// A thread pool of rayon's whose threads are known as workers.
fn rayon_pool(workers: Workers) -> Result<rayon::ThreadPool, SchedulerError> {
    let workers = workers.at_least_one()?;
    let mut pool = rayon::ThreadPoolBuilder::new().num_threads(workers.count);
    if let Some(bytes) = workers.stack_bytes {
        pool = pool.stack_size(bytes);
    }
    let names = workers.clone();
    pool.thread_name(move |index| names.thread_name(index))
        .start_handler(move |index| workers.enter(index))
        .build()
        .map_err(|error| SchedulerError::Thread(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_strategy_and_scheduler() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
            assert_eq!(strategy.scheduler(1).unwrap().name(), strategy.name());
        }
    }

    #[test]
    fn zero_workers_are_refused_by_every_strategy() {
        for strategy in Strategy::ALL {
            let error = strategy.scheduler(0).err().expect("an error");
            assert_eq!(
                error.to_string(),
                "a scheduler needs at least 1 worker; got 0"
            );
        }
    }
}
