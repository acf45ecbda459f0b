//! A scheduler that runs the most urgent ready node first.
//!
//! Ready nodes of a run are in one heap behind one lock, so with one worker the order is exact: of
//! the nodes that are ready, always the one with the highest priority, and of equals the one with
//! the lowest id. With several workers it is so for each node a worker takes. A node costs more than
//! with [`WorkStealing`](crate::WorkStealing): this pays where nodes take long and their order
//! matters.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::execution::{self, Execution};
use crate::task::{Tally, Task, share};
use crate::worker::{Threads, WorkerMark};
use crate::{Dag, NodeId, Options, Outcome, Scheduler, SchedulerError, Workers};

/// How urgent each node of a graph is.
///
/// # Examples
///
/// ```
/// use engine::priority::Priorities;
///
/// let mut graph = engine::Builder::new();
/// graph.node("short", [], |_| Ok(()))?;
/// graph.node("long", [], |_| Ok(()))?;
/// graph.node("after long", ["long"], |_| Ok(()))?;
/// let dag = graph.build()?;
///
/// let priorities = Priorities::critical_path(&dag, |_| 1.0);
/// let order: Vec<_> = priorities.order().map(|node| dag.name(node)).collect();
/// assert_eq!(order, ["long", "short", "after long"]);
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priorities {
    /// By node, how many are more urgent. Ranks are all different, so that comparing two is all it
    /// takes to choose.
    ranks: Arc<[u32]>,
}

impl Priorities {
    /// A priority for each node: the greater one goes first, of equals the one with the lower id.
    /// Takes O(nodes log nodes) time.
    ///
    /// Numbers that are no number are ordered as [`f64::total_cmp`] does.
    pub fn new(dag: &Dag, priority: impl FnMut(NodeId) -> f64) -> Self {
        Self::from_values(&dag.nodes().map(priority).collect::<Vec<_>>())
    }

    /// Nodes with more work behind them go first: the priority of a node is the greatest sum of
    /// costs over the paths from it to a sink, its own cost included. Takes
    /// O(nodes log nodes + edges) time.
    ///
    /// This is the upward rank of Topcuoglu, Hariri and Wu, "Performance-effective and
    /// low-complexity task scheduling for heterogeneous computing", 2002, without communication.
    pub fn critical_path(dag: &Dag, mut cost: impl FnMut(NodeId) -> f64) -> Self {
        let mut values = vec![0.0; dag.len()];
        for node in dag.nodes().rev() {
            let behind = dag.successors(node).map(|node| values[node.index()]);
            values[node.index()] = cost(node) + behind.fold(0.0, f64::max);
        }
        Self::from_values(&values)
    }

    fn from_values(values: &[f64]) -> Self {
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        // Stable, so equals stay in the order of their ids.
        order.sort_by(|&left, &right| values[right as usize].total_cmp(&values[left as usize]));
        let mut ranks = vec![0; values.len()];
        for (rank, &node) in order.iter().enumerate() {
            ranks[node as usize] = rank as u32;
        }
        Self {
            ranks: ranks.into(),
        }
    }

    /// The nodes, the most urgent first. Takes O(nodes) time.
    pub fn order(&self) -> impl Iterator<Item = NodeId> + use<> {
        let mut order = vec![NodeId::from_index(0); self.ranks.len()];
        for (node, &rank) in self.ranks.iter().enumerate() {
            order[rank as usize] = NodeId::from_index(node as u32);
        }
        order.into_iter()
    }
}

/// Runs ready nodes by their priority, on the calling thread and on threads of its own.
///
/// With `workers` workers there are `workers - 1` threads. They serve all runs at the same time; each
/// caller serves its own.
///
/// # Examples
///
/// ```
/// use engine::Scheduler;
/// use engine::priority::{ByPriority, Priorities};
///
/// let mut graph = engine::Builder::new();
/// graph.node("tidy up", [], |_| Ok(()))?;
/// graph.node("answer", [], |_| Ok(()))?;
/// let dag = graph.build()?;
///
/// let priorities = Priorities::new(&dag, |node| match dag.name(node) {
///     "answer" => 1.0,
///     _ => 0.0,
/// });
/// let scheduler = ByPriority::new(2, priorities)?;
/// assert!(scheduler.run(&dag).all_completed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ByPriority {
    pool: Arc<Pool>,
    priorities: Priorities,
    threads: Threads,
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    /// A node became ready, a run has finished, or the threads are to stop.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is ready, by run.
    runs: Vec<Ready>,
    next_run: u64,
    /// How many wait for `changed`.
    waiting: usize,
    stop: bool,
}

/// The ready nodes of one call.
struct Ready {
    run: u64,
    ranks: Arc<[u32]>,
    heap: BinaryHeap<Reverse<Urgent>>,
}

/// A task that compares by its rank: the least is the most urgent.
struct Urgent {
    rank: u32,
    task: Task,
}

impl PartialEq for Urgent {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Urgent {}

impl PartialOrd for Urgent {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Urgent {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl ByPriority {
    /// A scheduler with these workers, of which the caller is one, for graphs of as many nodes as
    /// there are priorities.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 workers and when a thread cannot be started.
    pub fn new(
        workers: impl Into<Workers>,
        priorities: Priorities,
    ) -> Result<Self, SchedulerError> {
        let workers = workers.into().at_least_one()?;
        let mut scheduler = Self {
            pool: Arc::default(),
            priorities,
            threads: Threads::default(),
        };
        // The caller is worker 0.
        for index in 1..workers.count {
            let pool = Arc::clone(&scheduler.pool);
            scheduler
                .threads
                .start(&workers, index, move || pool.work(None))?;
        }
        Ok(scheduler)
    }

    #[track_caller]
    fn check(&self, dag: &Dag) {
        assert_eq!(
            self.priorities.ranks.len(),
            dag.len(),
            "there must be a priority for each node of the graph"
        );
    }

    fn run_graphs(&self, executions: &[Execution<'_>]) {
        let _mark = WorkerMark::new();
        share(executions, |roots| {
            let run = self.pool.enter(&self.priorities.ranks, roots);
            self.pool.work(Some((run, executions)));
        });
    }
}

impl Pool {
    /// Adds a run and returns its number.
    fn enter(&self, ranks: &Arc<[u32]>, roots: &mut dyn Iterator<Item = Task>) -> u64 {
        let heap = roots
            .map(|task| Reverse(Urgent::new(task, ranks)))
            .collect();
        let mut state = self.lock();
        let run = state.next_run;
        state.next_run += 1;
        state.runs.push(Ready {
            run,
            ranks: Arc::clone(ranks),
            heap,
        });
        self.wake(&state);
        run
    }

    /// Runs nodes: a thread those of all runs, until it is told to stop; a caller those of its own
    /// run, until that is finished.
    fn work(&self, own: Option<(u64, &[Execution<'_>])>) {
        let mut became_ready: Vec<Task> = Vec::new();
        let mut state = self.lock();
        loop {
            let taken = match own {
                None => state.take_any(),
                Some((run, _)) => state.take(run),
            };
            if let Some((run, task)) = taken {
                drop(state);
                task.run();
                task.release(|ready| became_ready.push(ready));
                // Pushed before the node is counted: until then the run is there, and so is its
                // heap.
                state = self.lock();
                if !became_ready.is_empty() {
                    state.push(run, &mut became_ready);
                    // One that is alone is taken by this worker, before it gives up the lock.
                    if state
                        .runs
                        .iter()
                        .map(|ready| ready.heap.len())
                        .sum::<usize>()
                        > 1
                    {
                        self.wake(&state);
                    }
                }
                let mut tally = Tally::default();
                let _ = tally.add(task);
                if tally.flush() {
                    // The caller looks under the lock, so it cannot miss this.
                    self.wake(&state);
                }
                continue;
            }
            let may_stop = match own {
                None => state.stop,
                Some((_, executions)) => executions.iter().all(Execution::is_finished),
            };
            if may_stop {
                break;
            }
            state.waiting += 1;
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        if let Some((run, _)) = own {
            state.runs.retain(|ready| ready.run != run);
        }
    }

    /// Wakes all that wait: which of them can do something is not known, and they are few.
    fn wake(&self, state: &State) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The most urgent node of this run.
    fn take(&mut self, run: u64) -> Option<(u64, Task)> {
        let ready = self.ready(run);
        let Reverse(urgent) = ready.heap.pop()?;
        Some((run, urgent.task))
    }

    /// The most urgent node of any run.
    fn take_any(&mut self) -> Option<(u64, Task)> {
        let ready = self.runs.iter_mut().filter(|ready| !ready.heap.is_empty());
        let ready = ready.min_by_key(|ready| ready.heap.peek().map(|urgent| urgent.0.rank))?;
        let Reverse(urgent) = ready.heap.pop()?;
        Some((ready.run, urgent.task))
    }

    fn push(&mut self, run: u64, tasks: &mut Vec<Task>) {
        let Ready { ranks, heap, .. } = self.ready(run);
        heap.extend(
            tasks
                .drain(..)
                .map(|task| Reverse(Urgent::new(task, ranks))),
        );
    }

    fn ready(&mut self, run: u64) -> &mut Ready {
        let found = self.runs.iter_mut().find(|ready| ready.run == run);
        found.expect("a run is listed until its caller has seen its end")
    }
}

impl Urgent {
    fn new(task: Task, ranks: &[u32]) -> Self {
        Self {
            rank: ranks[task.node().index()],
            task,
        }
    }
}

impl Drop for ByPriority {
    fn drop(&mut self) {
        self.pool.lock().stop = true;
        self.pool.changed.notify_all();
        self.threads.join();
    }
}

impl fmt::Debug for ByPriority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ByPriority")
            .field("workers", &(self.threads.len() + 1))
            .field("nodes", &self.priorities.ranks.len())
            .finish_non_exhaustive()
    }
}

/// # Panics
///
/// A run panics when the graph has more or fewer nodes than there are priorities.
impl Scheduler for ByPriority {
    fn name(&self) -> &'static str {
        "by-priority"
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        self.check(dag);
        execution::run_one(dag, options, outcome, |executions| {
            self.run_graphs(executions)
        });
    }

    fn run_all(&self, dags: &[Dag]) -> Vec<Outcome> {
        dags.iter().for_each(|dag| self.check(dag));
        execution::run_all(dags, |executions| self.run_graphs(executions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Recorder;
    use crate::{Builder, CancelToken, Cause, NodeState, Policy, ReadySet, Run, shape};
    use arena::Bump;
    use proptest::prelude::any;
    use proptest::test_runner::{Config, TestRunner};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn empty_nodes(shape: &shape::Shape) -> Dag {
        shape
            .build(Bump::default(), |_| |_: &Run<'_>| Ok(()))
            .unwrap()
    }

    /// The order in which one worker must run the nodes: a plain search for the best ready node.
    fn model(dag: &Dag, values: &[f64]) -> Vec<NodeId> {
        let mut ready_set = ReadySet::new(dag);
        let mut ready: Vec<NodeId> = Vec::new();
        let mut order = Vec::new();
        loop {
            ready.extend(std::iter::from_fn(|| ready_set.pop()));
            let better = |left: &&NodeId, right: &&NodeId| {
                let by_value = values[right.index()].total_cmp(&values[left.index()]);
                by_value.then(left.cmp(right))
            };
            let Some(&best) = ready.iter().min_by(better) else {
                return order;
            };
            ready.retain(|&node| node != best);
            order.push(best);
            ready_set.complete(best);
        }
    }

    #[test]
    fn one_worker_runs_nodes_in_exactly_the_order_of_the_model() {
        let values = proptest::collection::vec(0..5_i8, 0..60);
        let input = (values, 0.0..3.0, any::<u64>());
        TestRunner::new(Config::with_cases(100))
            .run(&input, |(values, mean_dependencies, seed)| {
                let dag = empty_nodes(&shape::random(values.len(), mean_dependencies, seed));
                // Few different values, so that there are ties.
                let values: Vec<_> = values.into_iter().map(f64::from).collect();
                let priorities = Priorities::new(&dag, |node| values[node.index()]);
                let recorder = Recorder::new();
                let options = Options {
                    observer: Some(&recorder),
                    ..Options::default()
                };
                let scheduler = ByPriority::new(1, priorities).unwrap();
                scheduler.run_with(&dag, &options, &mut Outcome::new());
                assert_eq!(recorder.started(), model(&dag, &values));
                Ok(())
            })
            .unwrap();
    }

    /// The greatest sum of costs from `node` on, by trying all paths.
    fn longest_path(dag: &Dag, node: NodeId, costs: &[f64]) -> f64 {
        let behind = dag
            .successors(node)
            .map(|next| longest_path(dag, next, costs));
        costs[node.index()] + behind.fold(0.0, f64::max)
    }

    #[test]
    fn critical_path_is_the_longest_of_all_paths() {
        let costs = proptest::collection::vec(0..9_u8, 0..14);
        let input = (costs, 0.0..2.0, any::<u64>());
        TestRunner::new(Config::with_cases(100))
            .run(&input, |(costs, mean_dependencies, seed)| {
                let dag = empty_nodes(&shape::random(costs.len(), mean_dependencies, seed));
                let costs: Vec<_> = costs.into_iter().map(f64::from).collect();
                let expected = Priorities::new(&dag, |node| longest_path(&dag, node, &costs));
                let priorities = Priorities::critical_path(&dag, |node| costs[node.index()]);
                assert_eq!(priorities, expected);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn any_number_of_workers_runs_every_node_once_after_its_dependencies() {
        let input = (0..60_usize, 0.0..3.0, any::<u64>());
        TestRunner::new(Config::with_cases(40))
            .run(&input, |(nodes, mean_dependencies, seed)| {
                let dag = empty_nodes(&shape::random(nodes, mean_dependencies, seed));
                for workers in 1..=4 {
                    let recorder = Recorder::new();
                    let options = Options {
                        observer: Some(&recorder),
                        ..Options::default()
                    };
                    let priorities = Priorities::critical_path(&dag, |_| 1.0);
                    let scheduler = ByPriority::new(workers, priorities).unwrap();
                    let mut outcome = Outcome::new();
                    for _ in 0..3 {
                        recorder.clear();
                        scheduler.run_with(&dag, &options, &mut outcome);
                        assert!(outcome.all_completed());
                        assert_eq!(recorder.started().len(), nodes);
                        crate::replay::Replay::new(&dag, recorder.started()).unwrap();
                    }
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn failures_and_panics_skip_what_depends_on_them_with_every_policy() {
        let dag = shape::random(80, 2.0, 5)
            .build(Bump::default(), |index| {
                move |_: &Run<'_>| match index % 20 {
                    3 => Err("broken".into()),
                    13 => std::panic::resume_unwind(Box::new("on purpose")),
                    _ => Ok(()),
                }
            })
            .unwrap();
        for policy in [Policy::Continue, Policy::Collect] {
            let options = Options {
                policy,
                ..Options::default()
            };
            let mut expected = Outcome::new();
            crate::Sequential.run_with(&dag, &options, &mut expected);
            for workers in 1..=4 {
                let priorities = Priorities::new(&dag, |node| node.index() as f64);
                let scheduler = ByPriority::new(workers, priorities).unwrap();
                let mut outcome = Outcome::new();
                scheduler.run_with(&dag, &options, &mut outcome);
                assert!(outcome.states().iter().eq(expected.states().iter()));
                assert_eq!(outcome.failures().len(), expected.failures().len());
            }
        }
    }

    #[test]
    fn nothing_begins_after_a_failure_that_stops_the_run_or_when_it_is_cancelled() {
        let token = CancelToken::new();
        for fails in [true, false] {
            let token_inside = token.clone();
            let dag = shape::independent(10)
                .build(Bump::default(), move |index| {
                    let token = token_inside.clone();
                    move |_: &Run<'_>| match (index, fails) {
                        (4, true) => Err("broken".into()),
                        (4, false) => {
                            token.cancel();
                            Ok(())
                        }
                        _ => Ok(()),
                    }
                })
                .unwrap();
            // The last node first: five run before the run is stopped.
            let priorities = Priorities::new(&dag, |node| node.index() as f64);
            let options = Options {
                policy: Policy::FailFast,
                cancel: Some(&token),
                ..Options::default()
            };
            let mut outcome = Outcome::new();
            let scheduler = ByPriority::new(1, priorities).unwrap();
            scheduler.run_with(&dag, &options, &mut outcome);
            assert_eq!(outcome.count(NodeState::Cancelled), 4, "{outcome}");
            assert_eq!(outcome.count(NodeState::Failed), usize::from(fails));
        }
    }

    #[test]
    fn nodes_that_wait_for_each_other_get_a_worker_each() {
        for workers in 1..=4 {
            let meeting = Arc::new(Barrier::new(workers));
            let dag = shape::independent(workers)
                .build(Bump::default(), |_| {
                    let meeting = Arc::clone(&meeting);
                    move |_: &Run<'_>| {
                        meeting.wait();
                        Ok(())
                    }
                })
                .unwrap();
            let scheduler = ByPriority::new(workers, Priorities::new(&dag, |_| 0.0)).unwrap();
            for _ in 0..200 {
                assert!(scheduler.run(&dag).all_completed());
            }
        }
    }

    #[test]
    fn several_threads_share_one_scheduler_and_never_exceed_its_workers() {
        for workers in 1..=3 {
            let dag = empty_nodes(&shape::layered(100, 4));
            let priorities = Priorities::critical_path(&dag, |_| 1.0);
            let scheduler = ByPriority::new(workers, priorities).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let inside = Arc::new(AtomicUsize::new(0));
                        let counted = Arc::clone(&inside);
                        let dag = shape::layered(100, 4)
                            .build(Bump::default(), |_| {
                                let inside = Arc::clone(&counted);
                                move |_: &Run<'_>| {
                                    let now = inside.fetch_add(1, Ordering::Relaxed) + 1;
                                    std::thread::yield_now();
                                    inside.fetch_sub(1, Ordering::Relaxed);
                                    match now <= workers {
                                        true => Ok(()),
                                        false => Err(format!("{now} at the same time").into()),
                                    }
                                }
                            })
                            .unwrap();
                        for _ in 0..20 {
                            let outcome = scheduler.run(&dag);
                            assert!(outcome.all_completed(), "{:?}", outcome.failures().first());
                        }
                    });
                }
            });
            let dags = [empty_nodes(&shape::layered(100, 4)), dag];
            let outcomes = scheduler.run_all(&dags);
            assert!(outcomes.iter().all(Outcome::all_completed));
        }
    }

    #[test]
    fn runs_inside_are_walks() {
        let inner = Arc::new(empty_nodes(&shape::independent(1)));
        let shared: Arc<std::sync::OnceLock<ByPriority>> = Arc::default();
        let scheduler = Arc::clone(&shared);
        let mut graph = Builder::new();
        graph
            .node("outer", [], move |_| {
                let outcome = scheduler.get().ok_or("no scheduler")?.run(&inner);
                match outcome.count(NodeState::Completed) {
                    1 => Ok(()),
                    _ => Err("not completed".into()),
                }
            })
            .unwrap();
        let dag = graph.build().unwrap();
        let scheduler = ByPriority::new(2, Priorities::new(&dag, |_| 0.0)).unwrap();
        assert!(shared.set(scheduler).is_ok());
        let outcome = shared.get().unwrap().run(&dag);
        let cause = outcome.failures().first().map(|failure| &failure.cause);
        assert!(outcome.all_completed(), "{:?}", cause.map(Cause::to_string));
    }

    #[test]
    #[should_panic(expected = "there must be a priority for each node of the graph")]
    fn graph_of_another_size_is_refused() {
        let dag = empty_nodes(&shape::chain(3));
        let scheduler = ByPriority::new(1, Priorities::new(&dag, |_| 0.0)).unwrap();
        scheduler.run(&empty_nodes(&shape::chain(4)));
    }
}
