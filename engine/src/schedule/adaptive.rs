//! A scheduler that starts alone and shares only what pays.
//!
//! The calling thread walks over the nodes in the order of their ids, which needs no counters, and
//! reads a clock now and then. When nodes turn out to cost enough, and enough of them can run at
//! the same time, it makes the counters, runs what is left by Kahn's algorithm, and lets other
//! threads take part; when that turns out to be slower than being alone, it goes back to walking.
//! The idea is that of heartbeat scheduling (Acar, Charguéraud, Guatto, Rainey, Sieczkowski:
//! "Heartbeat scheduling: provable efficiency for nested parallelism", PLDI 2018), applied to graphs.
//!
//! Handing over a node moves its counter, its state and what it reads from core to core, which costs
//! more than a node of 0.1 us. So there is a third way to run a graph: all workers run one level after
//! the other, each its share, and nothing is counted but finished nodes. Which way is fastest depends
//! on the graph and on the machine of the moment; runs of the same graph find out and keep to it.

mod estimate;
mod lanes;
mod pool;
mod worker;

use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use crate::clock::Clock;
use crate::execution::{self, Execution, Shared};
use crate::worker::{Threads, WorkerMark, on_worker};
use crate::{Dag, NodeState, Options, Outcome, Scheduler, SchedulerError, Strategy, Workers};

use estimate::{Estimate, Plan};
use lanes::Lanes;
use pool::Pool;
use worker::Worker;

// The constants below were tuned on 2-core x86-64 VMs (2026-11). They decide how fast a run is,
// never what it does.

/// Nodes that run at most between two looks at the clock: so many that are slow after cheap ones may
/// run one after the other. A look takes 17 ns of a walk, so it costs a node 0.13 ns.
const MOST_NODES_A_LOOK: u32 = 128;
/// Time a worker means to work between two looks at the clock.
const LOOK_NS: f32 = 4_000.0;
/// The same where earlier runs said that it does not pay to share, until nodes take so many times as
/// long as they did.
const LONG_LOOK_NS: f32 = 30_000.0;
const MOST_NODES_A_LONG_LOOK: u32 = 256;
const SURPRISE: f32 = 4.0;
/// A graph is not shared when fewer nodes than this can run at the same time, on average.
const LEAST_WIDTH: f32 = 1.05;
/// Nodes of this cost are coarse: a worker keeps those of one look and lets the others be taken.
const COARSE_NS: f32 = 250.0;
/// Coarse nodes are shared when what is left takes this long.
const COARSE_LEFT_NS: f32 = 1_000.0;
/// Below this cost of a node, or in short runs, it is not taken for granted that sharing wins.
const SURE_NS: f32 = 500.0;
/// From this cost on, a worker lets half of its nodes be taken before anybody asks.
const PUBLISH_NS: f32 = 60.0;
/// What a node is taken to cost by a scheduler that shares at once.
const EAGER_NS: f32 = 100_000.0;
/// A worker that looks for nodes is given some when the rest takes at least this long.
const SHARE_NS: f32 = 400.0;
/// One that sleeps is woken when the rest takes at least this long: to wake it takes 1.3 to 2.5 us
/// here and until it runs 2.2 to 5.5 us there.
const WAKE_NS: f32 = 12_000.0;
/// One that looks for nodes, or sleeps, gets some at least this often, whatever was estimated.
const HUNGRY_BEAT_NS: f32 = 20_000.0;
const ASLEEP_BEAT_NS: f32 = 80_000.0;
/// How long a worker looks for nodes before it sleeps.
const PATIENCE_NS: f32 = 40_000.0;
/// How many times it looks before it gives way to other threads between two looks.
const ROUNDS_BEFORE_YIELD: u32 = 64;
/// What handing over costs a node and an edge: below this a node is cheaper alone.
const SHARED_NODE_NS: f32 = 8.0;
const SHARED_EDGE_NS: f32 = 6.0;
/// What a walk must have taken before it decides: this long, and this long for each node of the
/// graph, which is what making the counters costs. A cold start alone must not decide.
const LEAST_WALK_NS: f32 = 300.0;
const LEAST_WALK_NODE_NS: f32 = 1.0;
/// Nodes that are not coarse are shared after this long, and when as many as run at once take this
/// long together.
const FINE_WALK_NS: f32 = 3_000.0;
const FINE_WIDTH_NS: f32 = 1_500.0;
/// The same where it was measured what sharing costs, or will be.
const TRIED_WIDTH_NS: f32 = 400.0;
/// How often a worker without nodes looks at the others' shelves before it says that it has none:
/// to say so and to take it back touches more that is shared than the nodes themselves.
const LOOKS_BEFORE_RETIRING: u32 = 32;
/// Levels are a way to run a graph when a node takes this long at least and at most. No node is handed
/// over then, but every level waits for the one before: for a cache line from one core to the other.
const LEAST_LEVELLED_NS: f32 = 5.0;
const MOST_LEVELLED_NS: f32 = 20_000.0;
/// A worker takes about so much of a level at a time.
const PIECE_NS: f32 = 2_000.0;
/// When the nodes of a level take this long together, and are not coarse, the first run goes by level
/// already.
const SURE_LEVEL_NS: f32 = 2_500.0;
/// How often a worker looks whether a level has ended before it takes from the shares of others.
const LOOKS_BEFORE_HELPING: u32 = 16;
/// Nodes below [`SURE_NS`] are only shared when that was faster than this part of the time alone. How
/// fast cores pass cache lines to each other changes while a machine runs (a round trip took 55 to 142
/// or 410 to 540 ns), so of so many runs one is alone, to compare with, and some are shared in each of
/// the two ways even where that lost: several in a row, because the first must wake threads. A way that
/// lost by much is tried more rarely.
const WORTH_SHARING: f32 = 0.97;
const RUNS_BEFORE_COMPARING: u32 = 128;
const FIRST_SHARE_TURN: u32 = 1;
const FIRST_LEVEL_TURN: u32 = 5;
const LAST_LEVEL_TURN: u32 = 8;
/// A shared run that takes so many times as long as expected counts as that, and that way is tried again
/// at once.
const OUTLIER: f32 = 1.5;
const LOST_BY_MUCH: f32 = 1.2;
/// Levels win when they are not slower by more than this: their first runs make their list, and the
/// caches are full of counters then.
const TIE: f32 = 0.96;
const RARELY: u32 = 4;
/// Runs of at most this time are never taken for granted to win by sharing: caches are cold in a first
/// run, and threads may sleep in all of them. The run alone wakes one for those that follow when so many
/// runs take longer than [`ASLEEP_BEAT_NS`] and nodes are coarse.
const SHORT_RUN_NS: f32 = 100_000.0;
/// A shared run in which nodes took less than this part of the time alone, or more than so many times as
/// long and that much, says that the latter is wrong.
const LEAST_SHARED: f32 = 0.7;
const MOST_SHARED: f32 = 2.5;
const MOST_OVERHEAD_NS: f32 = 100.0;
/// Decrements of a counter that many nodes count down are flushed when there are this many.
const MOST_COLLECTED: u32 = 64;

/// Runs cheap graphs on the calling thread alone and shares the others with threads: the default.
///
/// With `workers` workers there are `workers - 1` threads, asleep while there is nothing to do. They
/// serve one run at a time; a run that finds them taken goes on alone and asks again now and then.
/// Nodes of about 10 ns and more are shared where that was not slower before, those of half a
/// microsecond whenever others are ready, unless the run is short. What a node costs is found while a
/// graph runs, so where many cheap nodes are followed by slow ones, up to 256 of these may run one
/// after the other first. Runs of a graph try its ways, alone unless they are long, by handing over nodes
/// and level by level, some ten runs, keep to what won, and try the others now and then; so nodes must not
/// count on others running at the same time, as with every scheduler.
///
/// Where nothing is shared a run costs what a walk costs, and a look at the clock now and then. It
/// blocks the calling thread until the last node has ended. From the second run with the same [`Outcome`]
/// on, a run of nodes that complete allocates nothing, but for lists that are made when a way is tried
/// first and lists of the workers that grow now and then, a bounded number of times.
///
/// # Examples
///
/// ```
/// use engine::{Adaptive, Scheduler, shape};
///
/// let dag = shape::wavefront(100).build(arena::Bump::default(), |_| |_: &engine::Run<'_>| Ok(()))?;
/// let scheduler = Adaptive::new(2)?;
/// assert!(scheduler.run(&dag).all_completed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Adaptive {
    team: Arc<Team>,
    /// The stack of the caller of a shared run; whoever has it may use the threads.
    seat: Mutex<Vec<u32>>,
    threads: Threads,
    clock: Clock,
    eager: bool,
}

/// What the caller and the threads share.
struct Team {
    pool: Pool<Execution<'static>>,
    lanes: Lanes,
}

impl Adaptive {
    /// A scheduler with these workers, of which the caller is one.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 and when a thread cannot be started.
    pub fn new(workers: impl Into<Workers>) -> Result<Self, SchedulerError> {
        Self::with_threads(workers.into(), false)
    }

    /// A scheduler that shares from the first node on and takes nodes for coarse until it knows
    /// better: for graphs that run once, of nodes that are known to take microseconds and more.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 workers and when a thread cannot be started.
    pub fn eager(workers: impl Into<Workers>) -> Result<Self, SchedulerError> {
        Self::with_threads(workers.into(), true)
    }

    fn with_threads(workers: Workers, eager: bool) -> Result<Self, SchedulerError> {
        let workers = workers.at_least_one()?;
        let clock = Clock::new();
        let team = Arc::new(Team {
            pool: Pool::new(workers.count),
            lanes: Lanes::new(workers.count),
        });
        let mut scheduler = Self {
            team: Arc::clone(&team),
            seat: Mutex::default(),
            threads: Threads::default(),
            clock,
            eager,
        };
        for index in 1..workers.count {
            let team = Arc::clone(&team);
            scheduler
                .threads
                .start(&workers, index, move || work_as_thread(&team, index, clock))?;
        }
        Ok(scheduler)
    }

    fn run_graph(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        let nodes = dag.len();
        outcome.begin(nodes);
        let Outcome {
            states,
            failures,
            waiting,
            is_incomplete,
        } = outcome;
        let shared = Shared::new(dag, options);
        let mut estimate = Estimate::new(dag, self.team.pool.workers(), self.clock);
        let mut plan = Plan::Decide;
        let mut next = 0;
        let mut seat = None;
        let mut is_fresh = true;
        if self.eager {
            states.fill(0..nodes, NodeState::Pending);
            estimate.meter.cost_ns = EAGER_NS;
            seat = self.take_seat();
        } else if shared.is_observed() {
            states.fill(0..nodes, NodeState::Pending);
        } else {
            plan = estimate.plan(dag);
            let is_compared = plan == Plan::Compare;
            loop {
                if matches!(plan, Plan::Share | Plan::Level) {
                    seat = self.take_seat();
                    if seat.is_some() {
                        states.fill(next..nodes, NodeState::Pending);
                        break;
                    }
                }
                let most = estimate.budget();
                let first = next;
                let ended_early;
                (next, ended_early) = shared.walk_fresh(first, most, states, failures);
                if ended_early {
                    plan = Plan::Decide;
                    break;
                }
                // The last nodes of a first run need not be measured.
                if next < nodes || plan != Plan::Decide {
                    plan = estimate.look(next - first, nodes - next);
                }
                if next == nodes {
                    *is_incomplete = shared.is_incomplete();
                    if let Some(alone_ns) = estimate.average_ns() {
                        dag.hints().note_alone(alone_ns);
                    }
                    if is_compared && estimate.is_worth_waking(nodes) && self.is_asleep() {
                        self.team.pool.wake_one();
                    }
                    return;
                }
            }
        }
        if plan != Plan::Level {
            execution::reset_counters(dag, waiting);
        }
        let execution = Execution::new(&shared, states, waiting, failures);
        while seat.is_none() && next < nodes {
            is_fresh = false;
            let most = estimate.budget();
            let ran;
            (ran, next) = execution.walk(next, most);
            if estimate.look(ran, nodes - next) != Plan::Decide {
                seat = self.take_seat();
            }
        }
        let mut took = None;
        if let Some(mut seat) = seat {
            if plan == Plan::Level {
                // Made once, not in the time of the run.
                dag.levels();
            }
            let start = Clock::now();
            let stack = std::mem::take(&mut *seat);
            let mut caller = Worker::new(&self.team, 0, self.clock, stack);
            self.share(&execution, &mut caller, |caller| match plan {
                Plan::Level => caller.begin_levels(estimate.meter.cost_ns),
                _ => caller.begin(&execution, is_fresh.then_some(next), estimate.meter),
            });
            let elapsed_ns = self.clock.elapsed_ns(start, Clock::now());
            took = Some((elapsed_ns / (nodes - next) as f32, caller.busy_ns()));
            *seat = caller.into_stack();
        }
        (*failures, *is_incomplete) = execution.finish();
        if let Some((wall_ns, busy_ns)) = took
            && is_fresh
            && !*is_incomplete
            && !shared.is_observed()
        {
            estimate.note_shared(dag, plan, wall_ns, busy_ns);
        }
    }

    /// Whether threads sleep and none is about to take part.
    fn is_asleep(&self) -> bool {
        self.team.pool.hungry() == 0 && self.team.pool.asleep() > 0
    }

    fn take_seat(&self) -> Option<MutexGuard<'_, Vec<u32>>> {
        match self.seat.try_lock() {
            Ok(seat) => Some(seat),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Runs what is open of `execution` together with the threads. `begin` gives the caller its nodes.
    fn share(
        &self,
        execution: &Execution<'_>,
        caller: &mut Worker<'_>,
        begin: impl FnOnce(&mut Worker<'_>),
    ) {
        let _mark = WorkerMark::new();
        let guard = StaysOrAborts;
        let job = NonNull::from(execution).cast::<Execution<'static>>();
        self.team.pool.begin(job.as_ptr());
        begin(caller);
        loop {
            loop {
                let end = caller.work(execution);
                if caller.retire(end) {
                    break;
                }
            }
            if !caller.wait_as_caller() {
                break;
            }
            caller.take_over(execution.dag());
        }
        // Only now, after the end of the run, may the execution go.
        std::mem::forget(guard);
    }
}

/// Ends the process when it is dropped: others may still work on the run, or wait for this worker.
struct StaysOrAborts;

impl Drop for StaysOrAborts {
    fn drop(&mut self) {
        eprintln!("engine: a worker of the adaptive scheduler left a run; this is a bug");
        std::process::abort();
    }
}

fn work_as_thread(team: &Team, index: usize, clock: Clock) {
    let mut worker = Worker::new(team, index, clock, Vec::new());
    while worker.wait_as_thread() {
        let guard = StaysOrAborts;
        loop {
            // SAFETY: `begin` was given a pointer to an execution. This worker is active, so the
            // run is not over, and `Adaptive::share` keeps the execution, or ends the process, until
            // it is. `Execution` is `Sync`, which `crate::task` checks. The reference ends before the
            // worker retires.
            let execution = unsafe { &*team.pool.job() };
            worker.take_over(execution.dag());
            let end = worker.work(execution);
            if worker.retire(end) {
                break;
            }
        }
        std::mem::forget(guard);
    }
}

impl Drop for Adaptive {
    fn drop(&mut self) {
        self.team.pool.stop();
        self.threads.join();
    }
}

impl fmt::Debug for Adaptive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Adaptive")
            .field("workers", &self.team.pool.workers())
            .finish_non_exhaustive()
    }
}

impl Scheduler for Adaptive {
    fn name(&self) -> &'static str {
        Strategy::Adaptive.name()
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        if self.team.pool.workers() == 1 || on_worker() {
            return execution::walk(dag, options, outcome);
        }
        self.run_graph(dag, options, outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use crate::{CancelToken, IdBuilder, NodeError, NodeId, Policy, Run, Sequential, Shape, shape};

    const WORKERS: [usize; 3] = [2, 3, 4];

    /// What a node of a test does beside counting its run.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Act {
        Complete,
        Fail,
        Panic,
    }

    /// A graph whose nodes count their runs and check that their dependencies ran before.
    fn counted(shape: &Shape, acts: &[Act]) -> (Dag, Arc<[AtomicU32]>) {
        let runs: Arc<[AtomicU32]> = (0..shape.len()).map(|_| AtomicU32::new(0)).collect();
        let mut graph = IdBuilder::new();
        for index in 0..shape.len() {
            let dependencies = shape.dependencies(index).to_vec();
            let ids = dependencies.clone().into_iter().map(NodeId::from_index);
            let (own, act) = (Arc::clone(&runs), acts[index % acts.len()]);
            let work = move |_: &Run<'_>| {
                let before = own[index].load(Ordering::Relaxed);
                for &dependency in &dependencies {
                    let ran = own[dependency as usize].load(Ordering::Relaxed);
                    assert_eq!(ran, before + 1, "{dependency} before {index}");
                }
                own[index].store(before + 1, Ordering::Relaxed);
                match act {
                    Act::Complete => Ok(()),
                    Act::Fail => Err(NodeError::from("asked to")),
                    // Without the report of a panic, which is not what is tested.
                    Act::Panic => std::panic::resume_unwind(Box::new("asked to")),
                }
            };
            graph.node(ids, work).expect("dependencies come first");
        }
        (graph.build().expect("the graph is small"), runs)
    }

    /// Makes the next run of `dag` go level by level.
    fn expect_levels(dag: &Dag) {
        dag.hints().pretend(10_000.0, FIRST_LEVEL_TURN);
        let plan = Estimate::new(dag, 2, Clock::new()).plan(dag);
        assert_eq!(plan, Plan::Level);
    }

    fn act() -> impl proptest::strategy::Strategy<Value = Act> {
        prop_oneof![8 => Just(Act::Complete), 1 => Just(Act::Fail), 1 => Just(Act::Panic)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn levels_end_as_a_sequential_run(
            nodes in 20_usize..120,
            mean_dependencies in 0.0..3.0,
            seed: u64,
            acts in prop::collection::vec(act(), 1..40),
            policy in prop::sample::select(vec![Policy::Continue, Policy::Collect]),
        ) {
            let shape = shape::random(nodes, mean_dependencies, seed);
            let options = Options { policy, ..Options::default() };
            let (dag, _) = counted(&shape, &acts);
            // Long chains never go level by level.
            prop_assume!(dag.level_count() * 2 <= nodes);
            let mut expected = Outcome::new();
            Sequential.run_with(&dag, &options, &mut expected);
            for workers in WORKERS {
                let (dag, runs) = counted(&shape, &acts);
                let scheduler = Adaptive::new(workers).unwrap();
                let mut outcome = Outcome::new();
                for _ in 0..3 {
                    expect_levels(&dag);
                    scheduler.run_with(&dag, &options, &mut outcome);
                    for node in dag.nodes() {
                        prop_assert_eq!(outcome.state(node), expected.state(node));
                    }
                }
                for node in dag.nodes() {
                    let ran = runs[node.index()].load(Ordering::Relaxed);
                    let skipped = expected.state(node) == NodeState::Skipped;
                    prop_assert_eq!(ran, if skipped { 0 } else { 3 });
                }
            }
        }
    }

    #[test]
    fn levels_that_are_cancelled_end() {
        for workers in WORKERS {
            let scheduler = Adaptive::new(workers).unwrap();
            for last in (0..400).step_by(7) {
                let token = CancelToken::new();
                let shape = shape::wavefront(400);
                let dag = shape.build(arena::Bump::default(), |index| {
                    let token = token.clone();
                    move |_: &Run<'_>| {
                        if index == last {
                            token.cancel();
                        }
                        Ok(())
                    }
                });
                let dag = dag.unwrap();
                expect_levels(&dag);
                let mut outcome = Outcome::new();
                let options = Options {
                    cancel: Some(&token),
                    ..Options::default()
                };
                scheduler.run_with(&dag, &options, &mut outcome);
                for node in dag.nodes() {
                    let state = outcome.state(node);
                    assert!(
                        matches!(state, NodeState::Completed | NodeState::Cancelled),
                        "{state:?}"
                    );
                }
            }
        }
    }

    /// Ends when two nodes are there, or fails after a long time.
    fn meet(arrived: &AtomicU32) -> Result<(), NodeError> {
        arrived.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        while arrived.load(Ordering::Relaxed) < 2 {
            if start.elapsed() > Duration::from_secs(20) {
                return Err("nobody came".into());
            }
            std::hint::spin_loop();
        }
        Ok(())
    }

    #[test]
    fn workers_that_leave_a_level_that_takes_long_come_back() {
        for workers in WORKERS {
            let scheduler = Adaptive::new(workers).unwrap();
            let arrived = Arc::new(AtomicU32::new(0));
            let mut graph = IdBuilder::new();
            // Ten times a worker's patience.
            let long = graph.node([], |_| {
                let start = Instant::now();
                while start.elapsed() < Duration::from_micros(400) {
                    std::hint::spin_loop();
                }
                Ok(())
            });
            let short = graph.node([], |_| Ok(()));
            let both = [long.unwrap(), short.unwrap()];
            for _ in 0..2 {
                let arrived = Arc::clone(&arrived);
                graph.node(both, move |_| meet(&arrived)).unwrap();
            }
            let dag = graph.build().unwrap();
            for _ in 0..20 {
                arrived.store(0, Ordering::Relaxed);
                expect_levels(&dag);
                assert!(scheduler.run(&dag).all_completed(), "{workers} workers");
            }
        }
    }

    #[test]
    fn all_workers_are_woken_for_levels() {
        for workers in WORKERS {
            let scheduler = Adaptive::new(workers).unwrap();
            let arrived = Arc::new(AtomicU32::new(0));
            let dag = shape::independent(workers).build(arena::Bump::default(), |_| {
                let arrived = Arc::clone(&arrived);
                move |_: &Run<'_>| {
                    arrived.fetch_add(1, Ordering::Relaxed);
                    let start = Instant::now();
                    while arrived.load(Ordering::Relaxed) < workers as u32 {
                        assert!(start.elapsed() < Duration::from_secs(20), "somebody slept");
                        std::thread::yield_now();
                    }
                    Ok(())
                }
            });
            let dag = dag.unwrap();
            for _ in 0..20 {
                arrived.store(0, Ordering::Relaxed);
                expect_levels(&dag);
                assert!(scheduler.run(&dag).all_completed(), "{workers} workers");
            }
        }
    }

    #[test]
    fn runs_that_were_stopped_teach_nothing() {
        let scheduler = Adaptive::new(2).unwrap();
        let token = CancelToken::new();
        token.cancel();
        let dag = shape::layered(1_000, 1).build(arena::Bump::default(), |_| |_: &Run<'_>| Ok(()));
        let dag = dag.unwrap();
        let options = Options {
            cancel: Some(&token),
            ..Options::default()
        };
        for turn in [FIRST_SHARE_TURN, FIRST_LEVEL_TURN] {
            dag.hints().pretend(10_000.0, turn);
            scheduler.run_with(&dag, &options, &mut Outcome::new());
            assert_eq!(dag.hints().alone.get(), Some(10_000.0));
            assert_eq!(dag.hints().sharing.get(), None);
            assert_eq!(dag.hints().levels.get(), None);
        }
    }

    #[test]
    fn what_was_less_than_nothing_is_forgotten_with_the_time_it_came_from() {
        let dag = shape::independent(100).build(arena::Bump::default(), |_| |_: &Run<'_>| Ok(()));
        let dag = dag.unwrap();
        dag.hints().pretend(400.0, 0);
        // From when a node was taken to cost more than three times as much.
        dag.hints().levels.note(-300.0);
        let estimate = Estimate::new(&dag, 2, Clock::new());
        estimate.note_shared(&dag, Plan::Level, 210.0, None);
        assert_eq!(dag.hints().levels.get(), Some(10.0));
        // One that is far off counts as half as much again.
        estimate.note_shared(&dag, Plan::Level, 2_000.0 / 3.0, None);
        let most_ns = 210.0 * OUTLIER - 200.0;
        assert_eq!(
            dag.hints().levels.get(),
            Some(10.0 + (most_ns - 10.0) / 8.0)
        );
    }

    #[test]
    fn walk_alone_corrects_what_a_node_was_taken_to_cost() {
        let scheduler = Adaptive::new(2).unwrap();
        let dag = shape::independent(60).build(arena::Bump::default(), |_| |_: &Run<'_>| Ok(()));
        let dag = dag.unwrap();
        dag.hints().pretend(400.0, 0);
        assert!(scheduler.run(&dag).all_completed());
        assert!(
            dag.hints()
                .alone
                .get()
                .is_some_and(|alone_ns| alone_ns < 400.0)
        );
    }
}
