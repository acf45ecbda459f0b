//! A scheduler that starts alone and shares only what pays.
//!
//! The calling thread walks over the nodes in the order of their ids, which needs no counters, and
//! reads a clock now and then. When nodes turn out to cost enough, and enough of them can run at
//! the same time, it makes the counters, runs what is left by Kahn's algorithm, and lets other
//! threads take part; when that turns out to be slower than being alone, it goes back to walking.
//! The idea is that of heartbeat scheduling (Acar, Charguéraud, Guatto, Rainey, Sieczkowski:
//! "Heartbeat scheduling: provable efficiency for nested parallelism", PLDI 2018), applied to graphs.

mod pool;

use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};

use crate::clock::{Clock, Ticks};
use crate::execution::{self, Execution, Shared};
use crate::worker::{Threads, WorkerMark, on_worker};
use crate::{
    Dag, NodeId, NodeState, Options, Outcome, Scheduler, SchedulerError, Strategy, Workers,
};

use pool::{Pool, count_down};

// The constants below were tuned on two cores of a Zen 5 (2026-11). They decide how fast a run is,
// never what it does.

/// Nodes that run at most between two looks at the clock: so many that are slow after cheap ones may
/// run one after the other. A look takes 17 ns of a walk, so it costs a node 0.13 ns.
const MOST_NODES_A_LOOK: u32 = 128;
/// Time a worker means to work between two looks at the clock, which take 25 ns each.
const LOOK_NS: f32 = 2_000.0;
/// Nodes of this cost are coarse: a worker keeps those of one look and lets the others be taken.
const COARSE_NS: f32 = 250.0;
/// Coarse nodes are shared when what is left takes this long.
const COARSE_LEFT_NS: f32 = 1_000.0;
/// Below this cost of a node it is not taken for granted that sharing wins.
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
/// How often a worker without nodes looks at the others' shelves before it says that it has none:
/// to say so and to take it back touches more that is shared than the nodes themselves.
const LOOKS_BEFORE_RETIRING: u32 = 32;
/// Cheap nodes are only shared when that was faster than this part of the time alone. How fast cores
/// pass cache lines to each other changes while a machine runs (a round trip took 55 to 142 or 410 to
/// 540 ns), so of so many runs one is alone, to compare with, and some are shared even where that
/// lost: several in a row, because the first must wake threads.
const WORTH_SHARING: f32 = 0.97;
/// A shared run in which nodes took less than this part of the time alone, all workers together, says
/// that the latter was wrong.
const LEAST_SHARED: f32 = 0.7;
const RUNS_BEFORE_COMPARING: u32 = 32;
const RUNS_TO_RETRY: u32 = 4;
/// Decrements of a counter that many nodes count down are flushed when there are this many.
const MOST_COLLECTED: u32 = 64;

/// Runs cheap graphs on the calling thread alone and shares the others with threads: the default.
///
/// With `workers` workers there are `workers - 1` threads, asleep while there is nothing to do. They
/// serve one run at a time; a run that finds them taken goes on alone and asks again now and then.
/// A node of about 10 ns and more is shared where that was not slower before, one of half a
/// microsecond whenever others are ready. What a node costs is found while a graph runs, so where
/// many cheap nodes are followed by slow ones, up to 128 of these may run one after the other first.
///
/// Where nothing is shared a run costs what a walk costs, and a look at the clock now and then. It
/// blocks the calling thread until the last node has ended. From the second run with the same [`Outcome`] on,
/// a run of nodes that complete allocates nothing once the worker threads' own lists have grown.
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
    pool: Arc<Pool<Execution<'static>>>,
    /// What the caller of a shared run needs; whoever has it may use the threads.
    seat: Mutex<Seat>,
    threads: Threads,
    clock: Clock,
    eager: bool,
}

#[derive(Default)]
struct Seat {
    stack: Vec<u32>,
    /// How long shareable nodes ran alone while threads slept, in runs too short to wake one: many
    /// of them are worth it. Without it a loop of such runs never gets help.
    alone_ns: f32,
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
        let pool = Arc::new(Pool::new(workers.count));
        let mut scheduler = Self {
            pool: Arc::clone(&pool),
            seat: Mutex::default(),
            threads: Threads::default(),
            clock,
            eager,
        };
        for index in 1..workers.count {
            let pool = Arc::clone(&pool);
            scheduler
                .threads
                .start(&workers, index, move || work_as_thread(&pool, index, clock))?;
        }
        Ok(scheduler)
    }

    fn run_graph(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        let Outcome {
            states,
            failures,
            waiting,
            is_incomplete,
        } = outcome;
        let nodes = dag.len();
        *is_incomplete = true;
        states.resize(nodes);
        failures.clear();
        let shared = Shared::new(dag, options);
        let mut estimate = Estimate::new(dag, self.pool.workers(), self.clock);
        let mut next = 0;
        let mut seat = None;
        let mut is_fresh = true;
        if self.eager && self.pool.workers() > 1 {
            states.fill(0..nodes, NodeState::Pending);
            estimate.meter.cost_ns = EAGER_NS;
            seat = self.take_seat();
        } else if shared.is_observed() {
            states.fill(0..nodes, NodeState::Pending);
        } else {
            let plan = estimate.plan(dag);
            let mut pays = plan == Plan::Share;
            loop {
                if pays {
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
                    break;
                }
                if next == nodes {
                    *is_incomplete = shared.is_incomplete();
                    return self.ran_alone(dag, &estimate);
                }
                pays = estimate.look(next - first, nodes - next) && plan != Plan::StayAlone;
            }
        }
        execution::reset_counters(dag, waiting);
        let execution = Execution::new(&shared, states, waiting, failures);
        while seat.is_none() && next < nodes {
            is_fresh = false;
            let most = estimate.budget();
            let ran;
            (ran, next) = execution.walk(next, most);
            if estimate.look(ran, nodes - next) {
                seat = self.take_seat();
            }
        }
        if let Some(mut seat) = seat {
            let ended = is_fresh.then_some(next);
            let start = Clock::now();
            self.share(&execution, ended, estimate.meter, &mut seat);
            if is_fresh {
                let elapsed_ns = self.clock.elapsed_ns(start, Clock::now());
                self.note_shared(
                    dag,
                    elapsed_ns / (nodes - next) as f32,
                    &estimate,
                    &mut seat,
                );
            }
        }
        (*failures, *is_incomplete) = execution.finish();
    }

    fn take_seat(&self) -> Option<MutexGuard<'_, Seat>> {
        match self.seat.try_lock() {
            Ok(seat) => Some(seat),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn ran_alone(&self, dag: &Dag, estimate: &Estimate) {
        if let Some(alone_ns) = estimate.average_ns() {
            dag.hints().set_alone_ns(alone_ns);
            if alone_ns >= COARSE_NS
                && let Some(mut seat) = self.take_seat()
            {
                self.wake_after_long_alone(dag, alone_ns, &mut seat);
            }
        }
    }

    fn note_shared(&self, dag: &Dag, shared_ns: f32, estimate: &Estimate, seat: &mut Seat) {
        let hints = dag.hints();
        if let Some(alone_ns) = estimate.average_ns() {
            hints.set_alone_ns(alone_ns);
        }
        let alone_ns = hints.alone_ns();
        // Nodes have become cheap, or it was not they that took the time: think again.
        let is_impossible = shared_ns * self.pool.workers() as f32 <= alone_ns * LEAST_SHARED;
        if shared_ns < estimate.least_cost_ns || is_impossible {
            return hints.forget();
        }
        hints.note_shared_ns(shared_ns);
        if alone_ns >= COARSE_NS && shared_ns > alone_ns * WORTH_SHARING {
            self.wake_after_long_alone(dag, alone_ns, seat);
        }
    }

    /// Wakes a thread when too much of what could be shared was run alone.
    #[cold]
    fn wake_after_long_alone(&self, dag: &Dag, alone_ns: f32, seat: &mut Seat) {
        if self.pool.asleep() == 0 {
            return;
        }
        seat.alone_ns += alone_ns * (dag.len() - dag.level_count()) as f32;
        if seat.alone_ns >= ASLEEP_BEAT_NS {
            seat.alone_ns = 0.0;
            self.pool.wake_one();
        }
    }

    /// Runs what is open of `execution` together with the threads. `ended` says which nodes have
    /// ended when it is exactly the first so many.
    fn share(
        &self,
        execution: &Execution<'_>,
        ended: Option<usize>,
        meter: Meter,
        seat: &mut Seat,
    ) {
        let _mark = WorkerMark::new();
        let mut worker = Worker::new(&self.pool, 0, self.clock, std::mem::take(&mut seat.stack));
        worker.meter = meter;
        worker.enter(execution.dag());
        match ended {
            Some(ended) => worker.collect_rest(execution, ended),
            None => worker.collect_open(execution),
        }
        let guard = StaysOrAborts;
        let job = NonNull::from(execution).cast::<Execution<'static>>();
        self.pool.begin(job.as_ptr());
        worker.offer(Clock::now());
        loop {
            worker.work(execution);
            self.pool.retire();
            if !worker.wait_as_caller() {
                break;
            }
            worker.take_over();
        }
        // Only now, after the end of the run, may the execution go.
        std::mem::forget(guard);
        seat.stack = worker.stack;
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

fn work_as_thread(pool: &Pool<Execution<'static>>, index: usize, clock: Clock) {
    let mut worker = Worker::new(pool, index, clock, Vec::new());
    while worker.wait_as_thread() {
        {
            // SAFETY: `begin` was given a pointer to an execution. This worker is active, so the
            // run is not over, and `Adaptive::share` keeps the execution, or ends the process,
            // until it is. `Execution` is `Sync`, which `crate::task` checks.
            let execution = unsafe { &*pool.job() };
            let guard = StaysOrAborts;
            worker.enter(execution.dag());
            worker.take_over();
            worker.work(execution);
            std::mem::forget(guard);
        }
        pool.retire();
    }
}

/// How long nodes take, by looking at the clock once for many of them.
#[derive(Clone, Copy)]
struct Meter {
    clock: Clock,
    looked: Ticks,
    /// Nodes to run before the next look.
    budget: u32,
    /// What a node took between the last two looks.
    cost_ns: f32,
}

impl Meter {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            looked: Clock::now(),
            budget: 1,
            cost_ns: 0.0,
        }
    }

    fn restart(&mut self) {
        self.looked = Clock::now();
        self.budget = 1;
    }

    /// Looks at the clock after `ran` nodes, at least one.
    #[inline]
    fn look(&mut self, ran: u32) -> f32 {
        let now = Clock::now();
        let elapsed_ns = self.clock.elapsed_ns(self.looked, now);
        self.looked = now;
        self.cost_ns = elapsed_ns / ran as f32;
        let wanted = (LOOK_NS / self.cost_ns.max(0.5)) as u32;
        // It grows fourfold at most, because the first nodes may not be like the rest.
        let most = (self.budget * 4).min(MOST_NODES_A_LOOK);
        self.budget = wanted.clamp(1, most);
        elapsed_ns
    }
}

/// Whether it pays to share what a walk has left.
struct Estimate {
    meter: Meter,
    is_alone: bool,
    elapsed_ns: f32,
    ran: usize,
    /// What the walk must have taken before it decides.
    least_ns: f32,
    /// Below this cost a node is cheaper alone.
    least_cost_ns: f32,
    /// How many nodes can run at the same time, on average.
    width: f32,
}

impl Estimate {
    fn new(dag: &Dag, workers: usize, clock: Clock) -> Self {
        Self {
            meter: Meter::new(clock),
            is_alone: workers == 1,
            elapsed_ns: 0.0,
            ran: 0,
            least_ns: LEAST_WALK_NS + LEAST_WALK_NODE_NS * dag.len() as f32,
            least_cost_ns: least_cost_ns(dag, workers),
            width: dag.len() as f32 / dag.level_count().max(1) as f32,
        }
    }

    /// What earlier runs of `dag` say.
    fn plan(&mut self, dag: &Dag) -> Plan {
        let hints = dag.hints();
        let alone_ns = hints.alone_ns();
        self.meter.cost_ns = alone_ns;
        if self.is_alone || alone_ns == 0.0 {
            return Plan::Decide;
        }
        if alone_ns < self.least_cost_ns || !self.is_enough(alone_ns, dag.len() as f32) {
            return Plan::Decide;
        }
        if alone_ns >= SURE_NS {
            return Plan::Share;
        }
        let run = hints.count_run() % RUNS_BEFORE_COMPARING;
        let is_slower = hints.shared_ns() > alone_ns * WORTH_SHARING;
        if run == 0 || (is_slower && run > RUNS_TO_RETRY) {
            return Plan::StayAlone;
        }
        Plan::Share
    }

    /// Whether nodes of this cost are enough to be shared when so many are left.
    #[inline]
    fn is_enough(&self, cost_ns: f32, left: f32) -> bool {
        let left_ns = left * cost_ns;
        self.width >= 1.05
            && ((cost_ns >= COARSE_NS && left_ns >= COARSE_LEFT_NS)
                || (cost_ns * self.width.min(left) >= FINE_WIDTH_NS && left_ns >= FINE_WALK_NS))
    }

    /// Nodes to run before the next look.
    #[inline]
    fn budget(&self) -> usize {
        match self.is_alone {
            true => usize::MAX,
            false => self.meter.budget as usize,
        }
    }

    fn average_ns(&self) -> Option<f32> {
        (self.ran > 0).then(|| self.elapsed_ns / self.ran as f32)
    }

    /// Takes note that `ran` nodes have run and `left` are left; returns whether to share these.
    #[inline]
    fn look(&mut self, ran: usize, left: usize) -> bool {
        if self.is_alone || ran == 0 {
            return false;
        }
        self.elapsed_ns += self.meter.look(ran as u32);
        self.ran += ran;
        let average_ns = self.elapsed_ns / self.ran as f32;
        let cost_ns = self.meter.cost_ns.min(average_ns);
        cost_ns >= self.least_cost_ns
            && self.elapsed_ns >= self.least_ns
            && (cost_ns >= COARSE_NS || self.elapsed_ns >= FINE_WALK_NS)
            && self.is_enough(cost_ns, left as f32)
    }
}

/// How a run begins.
#[derive(Clone, Copy, PartialEq)]
enum Plan {
    /// By a walk that looks whether it pays to share.
    Decide,
    /// By sharing.
    Share,
    /// By a walk to the end.
    StayAlone,
}

/// Below this cost a node of `dag` is cheaper alone than shared by `workers`.
fn least_cost_ns(dag: &Dag, workers: usize) -> f32 {
    let edges = dag.target_count() as f32 / dag.len().max(1) as f32;
    (SHARED_NODE_NS + SHARED_EDGE_NS * edges) / (workers.max(2) - 1) as f32
}

/// A worker that takes part in a shared run.
struct Worker<'p> {
    pool: &'p Pool<Execution<'static>>,
    index: usize,
    /// Counters that have come to 0 and whose nodes are to be run, the next one last.
    stack: Vec<u32>,
    /// Whether there may be something on the own shelf.
    published: bool,
    /// A counter that many nodes count down, and how many times this worker has yet to.
    collected: (u32, u32),
    meter: Meter,
    left: u32,
    /// Looks in a row that found nodes too cheap to share.
    cheap: u32,
    offered: Ticks,
    least_cost_ns: f32,
    /// Whether to give way between two looks for nodes: there are more workers than cores.
    yields: bool,
}

/// Why a worker stopped working.
#[derive(PartialEq)]
enum End {
    /// There is nothing left for it.
    Dry,
    /// Nobody else has anything, and nodes are so cheap that walking is faster.
    Cheap,
}

impl<'p> Worker<'p> {
    fn new(
        pool: &'p Pool<Execution<'static>>,
        index: usize,
        clock: Clock,
        mut stack: Vec<u32>,
    ) -> Self {
        stack.clear();
        Self {
            pool,
            index,
            stack,
            published: false,
            collected: (0, 0),
            meter: Meter::new(clock),
            left: 1,
            cheap: 0,
            offered: Clock::now(),
            least_cost_ns: 0.0,
            yields: pool.workers() > cores(),
        }
    }

    /// Begins to work on a graph.
    fn enter(&mut self, dag: &Dag) {
        self.published = false;
        self.collected = (0, 0);
        self.left = self.meter.budget;
        self.cheap = 0;
        self.offered = self.meter.looked;
        self.least_cost_ns = least_cost_ns(dag, self.pool.workers());
    }

    fn wait_as_caller(&mut self) -> bool {
        let patience = patience(self.meter.clock, self.yields);
        self.pool.wait_as_caller(&mut self.stack, patience)
    }

    fn wait_as_thread(&mut self) -> bool {
        let patience = patience(self.meter.clock, self.yields);
        self.pool
            .wait_as_thread(self.index, &mut self.stack, patience)
    }

    /// Works until there is nothing left for this worker.
    fn work(&mut self, execution: &Execution<'_>) {
        self.left = self.meter.budget;
        while self.run_ready(execution) == End::Cheap {
            if !self.walk_open(execution) {
                return;
            }
            reset(execution);
            self.collect_open(execution);
        }
    }

    /// Runs nodes that are ready and those that become ready by them.
    fn run_ready(&mut self, execution: &Execution<'_>) -> End {
        let nodes = execution.dag().len() as u32;
        loop {
            let Some(counter) = self.next(execution) else {
                if self.look_around() {
                    self.take_over();
                    continue;
                }
                return End::Dry;
            };
            if counter >= nodes {
                self.stack.extend(execution.dag().members(counter).rev());
                if self.meter.cost_ns >= COARSE_NS {
                    // The first member may take long.
                    self.offer(Clock::now());
                }
                continue;
            }
            let node = NodeId::from_index(counter);
            execution.run(node);
            self.release(execution, node);
            self.left -= 1;
            if self.left == 0 {
                if self.look(execution) {
                    return End::Cheap;
                }
            } else if self.pool.hungry() > 0 && self.stack.len() > 1 {
                self.feed();
            }
        }
    }

    /// Gives half to those who look for nodes, without waiting for the next look at the clock.
    fn feed(&mut self) {
        let len = self.stack.len();
        let cost_ns = self.meter.cost_ns;
        if len as f32 * cost_ns >= SHARE_NS
            && cost_ns >= self.least_cost_ns
            && (!self.published || self.pool.shelved(self.index) == 0)
        {
            self.pool
                .publish(self.index, &mut self.stack, len.div_ceil(2), cost_ns);
            self.published = true;
        }
    }

    #[inline]
    fn next(&mut self, execution: &Execution<'_>) -> Option<u32> {
        if let Some(counter) = self.stack.pop() {
            return Some(counter);
        }
        if let Some(counter) = self.flush(execution) {
            return Some(counter);
        }
        if !self.published {
            return None;
        }
        let cost_ns = self.meter.cost_ns;
        let most = if cost_ns >= COARSE_NS {
            nodes_of_one_look(cost_ns)
        } else {
            self.pool.shelved(self.index).div_ceil(2).max(1)
        };
        self.published = self.pool.take_back(self.index, &mut self.stack, most);
        self.stack.pop()
    }

    /// Begins with nodes that were another worker's: passes on what is more than it needs itself, and
    /// wakes the next worker where that pays.
    fn take_over(&mut self) {
        // The time without nodes is none of theirs.
        self.meter.restart();
        self.left = self.meter.budget;
        self.meter.cost_ns = self.pool.cost_ns();
        if self.meter.cost_ns >= COARSE_NS {
            self.offer(self.meter.looked);
        }
    }

    /// Looks for nodes of others for a moment.
    fn look_around(&mut self) -> bool {
        if self.pool.is_alone() {
            return false;
        }
        (0..LOOKS_BEFORE_RETIRING).any(|_| {
            std::hint::spin_loop();
            self.pool.steal(self.index, &mut self.stack)
        })
    }

    /// Counts down what waits for `node`, which has run.
    #[inline]
    fn release(&mut self, execution: &Execution<'_>, node: NodeId) {
        let targets = execution.dag().targets(node);
        if targets.is_empty() {
            return;
        }
        let waiting = execution.waiting();
        let alone = !self.published && self.pool.is_alone();
        // The first one goes on top: its number is next to that of `node`, and so are the counters and
        // states it touches. The other way round two workers on a wavefront share cache lines all the
        // time (0.1 us nodes: 105 instead of 75 ns a node; Zen 5, 2026-11-21).
        for &target in targets.iter().rev() {
            let counter = target.counter();
            let is_last = if alone {
                let mut by = 1;
                if target.is_wide() && self.collected.0 == counter {
                    by += std::mem::take(&mut self.collected.1);
                }
                count_down(&waiting[counter as usize], by, true)
            } else if target.is_only() {
                true
            } else if target.is_wide() {
                if self.collected.0 != counter
                    && let Some(ready) = self.flush(execution)
                {
                    self.stack.push(ready);
                }
                self.collected = (counter, self.collected.1 + 1);
                false
            } else {
                count_down(&waiting[counter as usize], 1, false)
            };
            // Without a branch: whether a node is ready is a coin toss, and 8 ns when guessed wrong.
            let len = self.stack.len();
            self.stack.push(counter);
            self.stack.truncate(len + usize::from(is_last));
        }
    }

    /// Counts down what was collected; returns the counter when it has come to 0.
    #[inline]
    fn flush(&mut self, execution: &Execution<'_>) -> Option<u32> {
        let (counter, by) = self.collected;
        if by == 0 {
            return None;
        }
        self.collected.1 = 0;
        count_down(&execution.waiting()[counter as usize], by, false).then_some(counter)
    }

    /// Looks at the clock and decides who runs what is left; returns whether to walk over it alone.
    #[inline(never)]
    fn look(&mut self, execution: &Execution<'_>) -> bool {
        let ran = self.meter.budget;
        self.meter.look(ran);
        self.left = self.meter.budget;
        let cost_ns = self.meter.cost_ns;
        let is_long = self.collected.1 > 0 && cost_ns > HUNGRY_BEAT_NS;
        if (self.collected.1 >= MOST_COLLECTED || is_long)
            && let Some(counter) = self.flush(execution)
        {
            self.stack.push(counter);
        }
        if self.published && self.pool.shelved(self.index) == 0 {
            self.published = false;
        }
        // What a node takes here includes what sharing costs.
        if cost_ns < self.least_cost_ns && ran >= 16 && !execution.shared().is_observed() {
            self.cheap += 1;
            if self.cheap >= 2 {
                if !self.published && self.pool.is_alone() {
                    return true;
                }
                return false;
            }
        } else {
            self.cheap = 0;
        }
        self.offer(self.meter.looked);
        false
    }

    /// Lets others take nodes where that pays, and wakes one who sleeps where that pays.
    fn offer(&mut self, now: Ticks) {
        let len = self.stack.len();
        let cost_ns = self.meter.cost_ns;
        let starved_ns = self.meter.clock.elapsed_ns(self.offered, now);
        let mut shelved = self.pool.shelved(self.index);
        let count = if cost_ns >= COARSE_NS {
            len.saturating_sub(nodes_of_one_look(cost_ns))
        } else if len < 2 || shelved > 0 {
            0
        } else {
            let is_wanted = self.pool.hungry() > 0
                && (len as f32 * cost_ns >= SHARE_NS || starved_ns >= HUNGRY_BEAT_NS);
            match is_wanted || cost_ns >= PUBLISH_NS {
                true => len.div_ceil(2),
                false => 0,
            }
        };
        if count > 0 {
            self.pool
                .publish(self.index, &mut self.stack, count, cost_ns);
            self.published = true;
            shelved += count;
        }
        if self.pool.hungry() > 0 || (shelved == 0 && cost_ns < COARSE_NS) {
            self.offered = now;
        } else if self.pool.asleep() > 0 {
            let waiting_ns = self.pool.shelved_by_all() as f32 * cost_ns;
            if waiting_ns >= WAKE_NS || (waiting_ns > 0.0 && starved_ns >= ASLEEP_BEAT_NS) {
                self.offered = now;
                self.pool.wake_one();
            }
        }
    }

    /// As [`collect_open`](Self::collect_open), when exactly the first `ended` nodes have ended.
    fn collect_rest(&mut self, execution: &Execution<'_>, ended: usize) {
        let dag = execution.dag();
        self.stack.clear();
        let mut roots = dag.root_count();
        for (node, &count) in dag.counts()[..dag.len()].iter().enumerate() {
            if roots == 0 {
                break;
            }
            if count == 0 {
                roots -= 1;
                if node >= ended {
                    self.stack.push(node as u32);
                }
            }
        }
        for node in dag.nodes().take(ended) {
            for target in dag.targets(node) {
                let counter = target.counter();
                if count_down(&execution.waiting()[counter as usize], 1, true) {
                    let members = dag.members(counter);
                    self.stack
                        .extend(members.filter(|&member| member as usize >= ended));
                }
            }
        }
        // The first node goes on top.
        self.stack.reverse();
    }

    /// Makes the counters those of a run in which exactly the nodes that are not open have ended,
    /// and the stack what is ready then. The counters must be as at the start; nobody else may be
    /// active.
    fn collect_open(&mut self, execution: &Execution<'_>) {
        let (dag, states) = (execution.dag(), execution.states());
        let waiting = execution.waiting();
        debug_assert_eq!(self.collected.1, 0, "nothing is collected");
        self.stack.clear();
        for node in dag.nodes() {
            if !states.is_open(node) {
                for target in dag.targets(node) {
                    count_down(&waiting[target.counter() as usize], 1, true);
                }
            }
        }
        let is_zero = |counter: usize| waiting[counter].load(Ordering::Relaxed) == 0;
        let is_open = |node: u32| states.is_open(NodeId::from_index(node));
        for node in (0..dag.len()).rev() {
            if is_zero(node) && is_open(node as u32) {
                self.stack.push(node as u32);
            }
        }
        for counter in dag.len()..waiting.len() {
            if is_zero(counter) {
                let members = dag.members(counter as u32);
                self.stack.extend(members.filter(|&node| is_open(node)));
            }
        }
    }

    /// Walks over what is open, alone; returns whether something is left, which is to be shared.
    fn walk_open(&mut self, execution: &Execution<'_>) -> bool {
        self.stack.clear();
        self.collected = (0, 0);
        let nodes = execution.dag().len();
        let mut estimate = Estimate::new(execution.dag(), self.pool.workers(), self.meter.clock);
        let mut next = 0;
        while next < nodes {
            let ran;
            (ran, next) = execution.walk(next, estimate.budget());
            if estimate.look(ran, nodes - next) {
                self.meter = estimate.meter;
                self.left = self.meter.budget;
                self.cheap = 0;
                return true;
            }
        }
        false
    }
}

/// How many coarse nodes of this cost a worker keeps.
fn nodes_of_one_look(cost_ns: f32) -> usize {
    (LOOK_NS / cost_ns).max(1.0) as usize
}

/// Cores this process may use. Asked once, because that reads files.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Makes the counters those of a run that has not begun.
fn reset(execution: &Execution<'_>) {
    for (counter, &count) in execution.waiting().iter().zip(execution.dag().counts()) {
        counter.store(count, Ordering::Relaxed);
    }
}

/// Says, when asked again and again, whether it is still worth looking for nodes.
fn patience(clock: Clock, yields: bool) -> impl FnMut() -> bool {
    let mut rounds = 0_u32;
    let mut since = None;
    move || {
        if yields {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
        rounds += 1;
        if !rounds.is_multiple_of(32) {
            return true;
        }
        let now = Clock::now();
        let since_when = *since.get_or_insert(now);
        let is_patient = clock.elapsed_ns(since_when, now) < PATIENCE_NS;
        if !is_patient {
            since = None;
        }
        is_patient
    }
}

impl Drop for Adaptive {
    fn drop(&mut self) {
        self.pool.stop();
        self.threads.join();
    }
}

impl fmt::Debug for Adaptive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Adaptive")
            .field("workers", &self.pool.workers())
            .finish_non_exhaustive()
    }
}

impl Scheduler for Adaptive {
    fn name(&self) -> &'static str {
        Strategy::Adaptive.name()
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        if self.pool.workers() == 1 || on_worker() {
            return execution::walk(dag, options, outcome);
        }
        self.run_graph(dag, options, outcome);
    }
}
