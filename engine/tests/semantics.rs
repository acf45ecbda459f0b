//! What becomes of every node, whatever nodes do, whoever stops the run, and who runs it: random
//! graphs against a plain model.
//!
//! Where nothing stops a run, the model says the state of every node. A run that is stopped ends
//! somewhere: then the states must be consistent, and on one thread they are those of the model too.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::hint::black_box;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use engine::priority::{ByPriority, Priorities};
use engine::replay::Replay;
use engine::{
    Adaptive, CancelToken, Cancelled, Dag, IdBuilder, NodeError, NodeId, NodeState, Observer,
    Options, Outcome, Policy, Run, Scheduler, Shape, Skip, Strategy, TimedOut, shape,
};
use proptest::prelude::{Just, Strategy as _, any};
use proptest::prop_oneof;
use proptest::test_runner::{Config, TestRunner};

/// What a node does in a run that has a [`Plan`]; in one that has none, every node completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Complete,
    Fail,
    Panic,
    TimeOut,
    Skip,
    /// Returns that it was asked to stop, although it need not have been.
    GiveUp,
    /// Cancels the run and completes.
    Cancel,
    /// Runs another graph, and expects of it what the model says.
    Nest(Nested),
}

/// Where a node runs another graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nested {
    Same,
    Other,
    /// A node of the other graph runs a third one.
    Twice,
}

/// What stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Only what nodes do.
    Nothing,
    /// A token that was cancelled before.
    Before,
    /// Another thread, once so many nodes have begun.
    AfterBegun(usize),
}

/// How long a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    Nothing,
    /// Some microseconds, in rounds of a loop.
    Rounds(u32),
}

/// The context of a run in which nodes do what was made up for them.
struct Plan {
    same: Arc<dyn Scheduler>,
    other: Arc<dyn Scheduler>,
    token: CancelToken,
}

/// What nodes of a graph do and what they noticed.
struct World {
    behaviours: Vec<Behaviour>,
    dependencies: Vec<Box<[u32]>>,
    /// How many nodes that take time have begun.
    begun: AtomicUsize,
    /// By node: how often it has begun and ended, and on which thread.
    runs: Vec<AtomicUsize>,
    ends: Vec<AtomicUsize>,
    threads: Vec<AtomicUsize>,
    /// Whether a node began before a dependency had ended.
    is_too_early: AtomicBool,
}

thread_local! {
    static THREAD: Cell<usize> = const { Cell::new(0) };
}

/// The number of the current thread, from 1.
fn thread_number() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(1);
    if THREAD.get() == 0 {
        THREAD.set(THREADS.fetch_add(1, Ordering::Relaxed));
    }
    THREAD.get()
}

fn spend(cost: Cost) {
    if let Cost::Rounds(rounds) = cost {
        (0..rounds).for_each(|round| _ = black_box(round));
    }
}

/// Adds one to a counter that no other thread changes meanwhile: cheap, and it shows when one does.
fn count_up(counter: &AtomicUsize) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl World {
    fn new(shape: &Shape, behaviours: &[Behaviour]) -> Self {
        let zeros = || behaviours.iter().map(|_| AtomicUsize::new(0)).collect();
        let dependencies = (0..shape.len()).map(|index| shape.dependencies(index).into());
        Self {
            behaviours: behaviours.to_vec(),
            dependencies: dependencies.collect(),
            begun: AtomicUsize::new(0),
            runs: zeros(),
            ends: zeros(),
            threads: zeros(),
            is_too_early: AtomicBool::new(false),
        }
    }

    fn work(&self, run: &Run<'_>, cost: Cost) -> Result<(), NodeError> {
        let node = run.node().index();
        count_up(&self.runs[node]);
        self.threads[node].store(thread_number(), Ordering::Relaxed);
        let has_ended = |&node: &u32| self.ends[node as usize].load(Ordering::Relaxed) > 0;
        if !self.dependencies[node].iter().all(has_ended) {
            self.is_too_early.store(true, Ordering::Relaxed);
        }
        if cost != Cost::Nothing {
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
        spend(cost);
        let result = match run.context::<Plan>() {
            None => Ok(()),
            Some(plan) => self.behave(run, plan),
        };
        count_up(&self.ends[node]);
        result
    }

    fn behave(&self, run: &Run<'_>, plan: &Plan) -> Result<(), NodeError> {
        let node = run.node().index();
        match self.behaviours[node] {
            Behaviour::Complete => Ok(()),
            Behaviour::Fail => Err(format!("{node} failed").into()),
            Behaviour::Panic => {
                count_up(&self.ends[node]);
                // Unlike a panic it says nothing on the terminal.
                resume_unwind(Box::new(format!("{node} panicked")))
            }
            Behaviour::TimeOut => {
                let limit = Duration::ZERO;
                Err(TimedOut { limit }.into())
            }
            Behaviour::Skip => Err(Skip.into()),
            Behaviour::GiveUp => Err(Cancelled.into()),
            Behaviour::Cancel => {
                plan.token.cancel();
                run.is_cancelled()
                    .then_some(())
                    .ok_or("cancelled and does not know it".into())
            }
            Behaviour::Nest(nested) => nest(nested, plan),
        }
    }

    /// Forgets the run before.
    fn forget(&self) {
        self.begun.store(0, Ordering::Relaxed);
        for count in self.runs.iter().chain(&self.ends) {
            count.store(0, Ordering::Relaxed);
        }
    }
}

/// Runs a small graph in which something fails, and checks what became of it: panics, and so does
/// its node, when that is not what it should be.
fn nest(nested: Nested, plan: &Plan) -> Result<(), NodeError> {
    use Behaviour::{Complete, Fail, Nest, Panic, Skip};

    let (scheduler, last) = match nested {
        Nested::Same => (&plan.same, Complete),
        Nested::Other => (&plan.other, Panic),
        Nested::Twice => (&plan.other, Nest(Nested::Same)),
    };
    let behaviours = [
        Complete, Skip, Complete, Fail, Complete, Complete, Complete, last,
    ];
    let shape = shape::random(behaviours.len(), 1.0, 3);
    let (dag, world) = build(&shape, &behaviours, |_| Cost::Rounds(10));
    let inner = Plan {
        same: Arc::clone(&plan.same),
        other: Arc::clone(&plan.other),
        token: CancelToken::new(),
    };
    let options = Options {
        context: Some(&inner),
        ..Options::default()
    };
    let mut outcome = Outcome::new();
    scheduler.run_with(&dag, &options, &mut outcome);
    let states: Vec<_> = outcome.states().iter().collect();
    let trial = Trial {
        dag: &dag,
        world: &world,
        policy: options.policy,
        stop: Stop::Nothing,
        is_observed: false,
        same: &plan.same,
        other: &plan.other,
    };
    let name = format!("{} in a node", scheduler.name());
    assert_eq!(
        states,
        model(&dag, &behaviours, &options, Stop::Nothing),
        "{name}"
    );
    trial.check_states(&states, false, &name);
    trial.check_failures(&states, &outcome, &name);
    Ok(())
}

/// A graph of this shape whose nodes do what is given.
fn build(
    shape: &Shape,
    behaviours: &[Behaviour],
    cost: impl Fn(usize) -> Cost,
) -> (Dag, Arc<World>) {
    let world = Arc::new(World::new(shape, behaviours));
    let mut graph = IdBuilder::with_capacity(shape.len(), shape.edge_count());
    for index in 0..shape.len() {
        let dependencies = shape.dependencies(index).iter();
        let dependencies = dependencies.map(|&dependency| NodeId::from_index(dependency));
        let (world, cost) = (Arc::clone(&world), cost(index));
        graph
            .node(dependencies, move |run| world.work(run, cost))
            .unwrap();
    }
    (graph.build().unwrap(), world)
}

/// The state a node ends in when it runs.
fn own_state(behaviour: Behaviour) -> NodeState {
    match behaviour {
        Behaviour::Complete | Behaviour::Cancel | Behaviour::Nest(_) => NodeState::Completed,
        Behaviour::Fail => NodeState::Failed,
        Behaviour::Panic => NodeState::Panicked,
        Behaviour::TimeOut => NodeState::TimedOut,
        Behaviour::Skip => NodeState::Skipped,
        Behaviour::GiveUp => NodeState::Cancelled,
    }
}

fn is_failure(state: NodeState) -> bool {
    use NodeState::{Failed, Panicked, TimedOut};
    matches!(state, Failed | Panicked | TimedOut)
}

/// The states of a run on one thread that takes the nodes in the order of their ids. When nothing
/// stops the run, every other order gives the same.
fn model(dag: &Dag, behaviours: &[Behaviour], options: &Options<'_>, stop: Stop) -> Vec<NodeState> {
    let mut states = vec![NodeState::Pending; dag.len()];
    let mut must_skip = vec![false; dag.len()];
    let mut is_stopped = stop == Stop::Before;
    for node in dag.nodes() {
        let behaviour = behaviours[node.index()];
        let (state, skips) = if must_skip[node.index()] {
            (NodeState::Skipped, true)
        } else if is_stopped {
            (NodeState::Cancelled, false)
        } else {
            is_stopped |= behaviour == Behaviour::Cancel && options.cancel.is_some();
            let state = own_state(behaviour);
            is_stopped |= is_failure(state) && options.policy == Policy::FailFast;
            let skips = state == NodeState::Cancelled
                || (is_failure(state) && options.policy != Policy::Collect);
            (state, skips)
        };
        states[node.index()] = state;
        if skips {
            for successor in dag.successors(node) {
                must_skip[successor.index()] = true;
            }
        }
    }
    states
}

/// What was told about every node.
struct Told {
    started: Vec<AtomicUsize>,
    finished: Vec<AtomicUsize>,
    state: Vec<AtomicU8>,
    /// By worker, whether it is telling something.
    busy: Vec<AtomicBool>,
    is_wrong: AtomicBool,
}

impl Told {
    fn new(nodes: usize, workers: usize) -> Self {
        let zeros = || (0..nodes).map(|_| AtomicUsize::new(0)).collect();
        Self {
            started: zeros(),
            finished: zeros(),
            state: (0..nodes).map(|_| AtomicU8::new(0)).collect(),
            busy: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            is_wrong: AtomicBool::new(false),
        }
    }

    /// Notes when two threads tell something with the same number at the same time.
    fn exclusively(&self, worker: usize, tell: impl FnOnce()) {
        let was_busy = match self.busy.get(worker) {
            None => true,
            Some(busy) => busy.swap(true, Ordering::Acquire),
        };
        tell();
        match was_busy {
            true => self.is_wrong.store(true, Ordering::Relaxed),
            false => self.busy[worker].store(false, Ordering::Release),
        }
    }
}

impl Observer for Told {
    fn node_started(&self, worker: usize, node: NodeId) {
        self.exclusively(worker, || {
            self.started[node.index()].fetch_add(1, Ordering::Relaxed);
        });
    }

    fn node_finished(&self, worker: usize, node: NodeId, state: NodeState) {
        self.exclusively(worker, || {
            self.finished[node.index()].fetch_add(1, Ordering::Relaxed);
            self.state[node.index()].store(state as u8, Ordering::Relaxed);
        });
    }
}

/// One run to be checked.
struct Trial<'t> {
    dag: &'t Dag,
    world: &'t World,
    policy: Policy,
    stop: Stop,
    is_observed: bool,
    /// On what nodes run other graphs.
    same: &'t Arc<dyn Scheduler>,
    other: &'t Arc<dyn Scheduler>,
}

impl Trial<'_> {
    /// Runs the graph on `scheduler` with everything that happens in it, checks it, and then once
    /// more with the same outcome without.
    #[track_caller]
    fn check(&self, scheduler: &Arc<dyn Scheduler>, workers: usize, outcome: &mut Outcome) {
        let Self { dag, world, .. } = *self;
        let plan = Plan {
            same: Arc::clone(self.same),
            other: Arc::clone(self.other),
            token: CancelToken::new(),
        };
        let told = Told::new(dag.len(), workers);
        let options = Options {
            policy: self.policy,
            cancel: Some(&plan.token),
            observer: self.is_observed.then_some(&told),
            context: Some(&plan),
        };
        self.run(scheduler, &options, outcome);

        let name = format!("{} with {workers} workers", scheduler.name());
        let is_on_one_thread = scheduler.name() == "sequential";
        let expected = model(dag, &world.behaviours, &options, self.stop);
        let states: Vec<_> = outcome.states().iter().collect();
        let may_stop = plan.token.is_cancelled()
            || (self.policy == Policy::FailFast && states.iter().copied().any(is_failure));
        if !may_stop || (is_on_one_thread && !matches!(self.stop, Stop::AfterBegun(_))) {
            assert_eq!(states, expected, "{name}");
        }
        self.check_states(&states, may_stop, &name);
        self.check_failures(&states, outcome, &name);
        if self.is_observed {
            self.check_told(&told, &states, &name);
        }

        world.forget();
        scheduler.run_into(dag, outcome);
        assert!(outcome.all_completed(), "{name}, again: {outcome}");
        assert!(outcome.failures().is_empty(), "{name}, again");
        self.check_states(&vec![NodeState::Completed; dag.len()], false, &name);
        world.forget();
    }

    fn run(&self, scheduler: &Arc<dyn Scheduler>, options: &Options<'_>, outcome: &mut Outcome) {
        let token = options.cancel.expect("a token");
        match self.stop {
            Stop::Nothing => scheduler.run_with(self.dag, options, outcome),
            Stop::Before => {
                token.cancel();
                scheduler.run_with(self.dag, options, outcome);
            }
            Stop::AfterBegun(nodes) => {
                let is_over = AtomicBool::new(false);
                thread::scope(|scope| {
                    let canceller = scope.spawn(|| {
                        let begun = &self.world.begun;
                        while begun.load(Ordering::Relaxed) < nodes
                            && !is_over.load(Ordering::Relaxed)
                        {
                            thread::yield_now();
                        }
                        token.cancel();
                    });
                    scheduler.run_with(self.dag, options, outcome);
                    is_over.store(true, Ordering::Relaxed);
                    // By hand, because a sanitizer sees the join of a thread and not that of a scope.
                    canceller.join().unwrap();
                });
            }
        }
    }

    fn has_run(&self, node: NodeId) -> bool {
        self.world.runs[node.index()].load(Ordering::Relaxed) > 0
    }

    /// Checks what holds for every run, node by node.
    #[track_caller]
    fn check_states(&self, states: &[NodeState], may_stop: bool, name: &str) {
        let Self { dag, world, .. } = self;
        let is_again = states.iter().all(|state| *state == NodeState::Completed);
        let is_too_early = world.is_too_early.load(Ordering::Relaxed);
        assert!(!is_too_early, "{name}: a dependency was not waited for");
        // By node, what its dependencies say about it.
        let mut is_held_back = vec![false; dag.len()];
        let mut is_skipped = vec![false; dag.len()];
        let mut may_be_skipped = vec![false; dag.len()];
        for node in dag.nodes() {
            let index = node.index();
            let state = states[index];
            let has_run = self.has_run(node);
            let context = || format!("{name}: {node:?} of {states:?}");
            let runs = world.runs[index].load(Ordering::Relaxed);
            assert!(runs <= 1, "{}: ran {runs} times", context());
            if has_run {
                assert!(!is_held_back[index], "{}", context());
                if !is_again {
                    assert_eq!(state, own_state(world.behaviours[index]), "{}", context());
                }
            } else if is_skipped[index] {
                assert_eq!(state, NodeState::Skipped, "{}", context());
            } else if may_be_skipped[index] && may_stop {
                let is_one_of_both = [NodeState::Skipped, NodeState::Cancelled].contains(&state);
                assert!(is_one_of_both, "{}", context());
            } else if may_be_skipped[index] {
                assert_eq!(state, NodeState::Skipped, "{}", context());
            } else {
                assert!(may_stop, "{}: did not run", context());
                assert_eq!(state, NodeState::Cancelled, "{}", context());
            }
            let collects = self.policy == Policy::Collect;
            let lets_run = has_run
                && match state {
                    NodeState::Completed | NodeState::Skipped => true,
                    NodeState::Failed | NodeState::Panicked | NodeState::TimedOut => collects,
                    _ => false,
                };
            let skips =
                (is_failure(state) && !collects) || (state == NodeState::Skipped && !has_run);
            let gave_up = has_run && state == NodeState::Cancelled;
            for successor in dag.successors(node) {
                is_held_back[successor.index()] |= !lets_run;
                is_skipped[successor.index()] |= skips;
                may_be_skipped[successor.index()] |= gave_up;
            }
        }
    }

    #[track_caller]
    fn check_failures(&self, states: &[NodeState], outcome: &Outcome, name: &str) {
        let failures: Vec<_> = outcome
            .failures()
            .iter()
            .map(|failure| (failure.node, failure.cause.to_string()))
            .collect();
        let expected: Vec<_> = self
            .dag
            .nodes()
            .filter_map(|node| match states[node.index()] {
                NodeState::Failed => Some((node, format!("{} failed", node.index()))),
                NodeState::Panicked => Some((node, format!("{} panicked", node.index()))),
                NodeState::TimedOut => Some((node, "not done within 0ns".into())),
                _ => None,
            })
            .collect();
        assert_eq!(failures, expected, "{name}");
    }

    #[track_caller]
    fn check_told(&self, told: &Told, states: &[NodeState], name: &str) {
        assert!(
            !told.is_wrong.load(Ordering::Relaxed),
            "{name}: numbers of workers"
        );
        for node in self.dag.nodes() {
            let (index, state) = (node.index(), states[node.index()]);
            let has_run = self.has_run(node);
            let started = told.started[index].load(Ordering::Relaxed);
            let finished = told.finished[index].load(Ordering::Relaxed);
            assert_eq!(started, usize::from(has_run), "{name}: {node:?} started");
            let least = usize::from(has_run);
            let most = usize::from(has_run || state == NodeState::Skipped);
            assert!(
                (least..=most).contains(&finished),
                "{name}: {node:?} finished"
            );
            if finished > 0 {
                let told = told.state[index].load(Ordering::Relaxed);
                assert_eq!(told, state as u8, "{name}: {node:?} is {state:?}");
            }
        }
    }
}

fn behaviour() -> impl proptest::strategy::Strategy<Value = Behaviour> {
    prop_oneof![
        40 => Just(Behaviour::Complete),
        1 => Just(Behaviour::Fail),
        1 => Just(Behaviour::Panic),
        1 => Just(Behaviour::TimeOut),
        2 => Just(Behaviour::Skip),
        1 => Just(Behaviour::GiveUp),
        1 => Just(Behaviour::Nest(Nested::Same)),
        1 => Just(Behaviour::Nest(Nested::Other)),
        1 => Just(Behaviour::Nest(Nested::Twice)),
    ]
}

/// As [`behaviour`], and now and then the run is cancelled.
fn behaviour_or_cancel() -> impl proptest::strategy::Strategy<Value = Behaviour> {
    prop_oneof![50 => behaviour(), 1 => Just(Behaviour::Cancel)]
}

fn policy() -> impl proptest::strategy::Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::Continue),
        Just(Policy::FailFast),
        Just(Policy::Collect)
    ]
}

fn stop(nodes: usize) -> impl proptest::strategy::Strategy<Value = Stop> {
    prop_oneof![
        4 => Just(Stop::Nothing),
        1 => Just(Stop::Before),
        4 => (0..nodes).prop_map(Stop::AfterBegun),
    ]
}

/// The number of workers and the scheduler, for all strategies.
fn schedulers() -> Vec<(usize, Arc<dyn Scheduler>)> {
    let mut schedulers: Vec<(usize, Arc<dyn Scheduler>)> = Vec::new();
    for workers in 1..=4 {
        for strategy in Strategy::ALL {
            schedulers.push((workers, strategy.scheduler(workers).unwrap().into()));
        }
        schedulers.push((workers, Arc::new(Adaptive::eager(workers).unwrap())));
    }
    schedulers
}

/// Those that are made for one graph.
fn schedulers_for(dag: &Dag, seed: u64) -> Vec<(usize, Arc<dyn Scheduler>)> {
    let mut random = oorandom::Rand64::new(seed.into());
    let priorities = Priorities::new(dag, |_| random.rand_float());
    // What one worker does by priority is an order that the graph allows.
    let recorder = engine::replay::Recorder::new();
    let options = Options {
        observer: Some(&recorder),
        ..Options::default()
    };
    let alone = ByPriority::new(1, priorities.clone()).unwrap();
    alone.run_with(dag, &options, &mut Outcome::new());
    let order = Replay::new(dag, recorder.started()).unwrap();
    vec![
        (1, Arc::new(alone)),
        (3, Arc::new(ByPriority::new(3, priorities).unwrap())),
        (1, Arc::new(order)),
    ]
}

#[test]
fn every_node_ends_as_the_model_says_whatever_happens_and_whoever_runs_it() {
    let schedulers = schedulers();
    let input = (
        proptest::collection::vec(behaviour_or_cancel(), 0..60),
        0.0..3.0,
        any::<u64>(),
        policy(),
        stop(60),
        any::<bool>(),
    );
    TestRunner::new(Config::with_cases(100))
        .run(
            &input,
            |(behaviours, mean_dependencies, seed, policy, stop, is_observed)| {
                let shape = shape::random(behaviours.len(), mean_dependencies, seed);
                let (dag, world) = build(&shape, &behaviours, |_| Cost::Rounds(seed as u32 % 50));
                let made_for_it = schedulers_for(&dag, seed);
                world.forget();
                let mut outcome = Outcome::new();
                let mut check = |index: usize, scheduler, same, workers| {
                    let other = index.wrapping_add(seed as usize) % schedulers.len();
                    let trial = Trial {
                        dag: &dag,
                        world: &world,
                        policy,
                        stop,
                        is_observed,
                        same,
                        other: &schedulers[other].1,
                    };
                    trial.check(scheduler, workers, &mut outcome);
                };
                for (index, (workers, scheduler)) in schedulers.iter().enumerate() {
                    check(index, scheduler, scheduler, *workers);
                }
                for (index, (workers, scheduler)) in made_for_it.iter().enumerate() {
                    check(index, scheduler, &schedulers[index].1, *workers);
                }
                Ok(())
            },
        )
        .unwrap();
}

#[test]
fn cancelled_run_forgets_the_states_of_the_run_before_wherever_it_stops() {
    let schedulers = schedulers();
    for cancels in 0..40 {
        let mut behaviours = [Behaviour::Complete; 40];
        behaviours[cancels] = Behaviour::Cancel;
        let (dag, world) = build(&shape::chain(40), &behaviours, |_| Cost::Nothing);
        let mut outcome = Outcome::new();
        for (workers, scheduler) in &schedulers {
            let trial = Trial {
                dag: &dag,
                world: &world,
                policy: Policy::Continue,
                stop: Stop::Nothing,
                is_observed: false,
                same: scheduler,
                other: scheduler,
            };
            scheduler.run_into(&dag, &mut outcome);
            world.forget();
            trial.check(scheduler, *workers, &mut outcome);
            assert!(outcome.all_completed());
        }
    }
}

/// Phases of random graphs, each behind a node that waits for all of the one before. A phase is a
/// number of nodes and how many dependencies they have on average.
fn phases(phases: &[(usize, f64)], seed: u64) -> Shape {
    let mut shape = Shape::new();
    for &(nodes, mean_dependencies) in phases {
        let start = shape.len();
        let phase = shape::random(nodes, mean_dependencies, seed);
        for index in 0..nodes {
            let inner = phase.dependencies(index).iter();
            let inner = inner.map(|&dependency| start + dependency as usize);
            let gate = start.checked_sub(1);
            shape.push(shape.len().to_string(), inner.chain(gate));
        }
        shape.push(shape.len().to_string(), start..start + nodes);
    }
    shape
}

/// Walks, shares, goes back to walking and shares again.
#[test]
fn adaptive_runs_of_coarse_and_empty_nodes_end_as_the_model_says() {
    check_large_graphs(&[
        (1, Arc::new(Adaptive::new(1).unwrap())),
        (2, Arc::new(Adaptive::new(2).unwrap())),
        (3, Arc::new(Adaptive::new(3).unwrap())),
        (4, Arc::new(Adaptive::new(4).unwrap())),
        (2, Arc::new(Adaptive::eager(2).unwrap())),
        (4, Arc::new(Adaptive::eager(4).unwrap())),
    ]);
}

#[test]
fn runs_of_coarse_and_empty_nodes_end_as_the_model_says_on_other_schedulers() {
    check_large_graphs(&[
        (3, Strategy::WorkStealing.scheduler(3).unwrap().into()),
        (2, Strategy::BoundedPool.scheduler(2).unwrap().into()),
        (2, Strategy::RayonLevel.scheduler(2).unwrap().into()),
        (2, Strategy::RayonGraph.scheduler(2).unwrap().into()),
    ]);
}

/// Large graphs of coarse nodes, many empty ones, and coarse ones again.
#[track_caller]
fn check_large_graphs(schedulers: &[(usize, Arc<dyn Scheduler>)]) {
    const COARSE: usize = 400;
    const EMPTY: usize = 3_000;
    /// Each phase has a node at its end.
    const NODES: usize = 2 * COARSE + EMPTY + 3;
    /// Some microseconds.
    const ROUNDS: u32 = 6_000;
    // By scheduler, on which threads nodes ran.
    let threads = RefCell::new(vec![HashSet::new(); schedulers.len()]);
    let input = (
        proptest::collection::vec((0..NODES, behaviour_or_cancel()), 0..30),
        // With many edges empty nodes are cheaper alone.
        prop_oneof![0.5..3.0, 10.0..16.0],
        any::<u64>(),
        policy(),
        stop(2 * COARSE),
    );
    TestRunner::new(Config::with_cases(10))
        .run(
            &input,
            |(changes, mean_dependencies, seed, policy, stop)| {
                let mut behaviours = vec![Behaviour::Complete; NODES];
                for (node, behaviour) in changes {
                    behaviours[node] = behaviour;
                }
                let shape = phases(
                    &[(COARSE, 1.0), (EMPTY, mean_dependencies), (COARSE, 1.0)],
                    seed,
                );
                let (dag, world) = build(&shape, &behaviours, |index| {
                    match (COARSE..COARSE + EMPTY).contains(&index) {
                        true => Cost::Nothing,
                        false => Cost::Rounds(ROUNDS),
                    }
                });
                for (index, (workers, scheduler)) in schedulers.iter().enumerate() {
                    let trial = Trial {
                        dag: &dag,
                        world: &world,
                        policy,
                        stop,
                        is_observed: false,
                        same: scheduler,
                        other: &schedulers[(index + 1) % schedulers.len()].1,
                    };
                    let mut outcome = Outcome::new();
                    // What one run has measured changes how the next one begins.
                    for _ in 0..4 {
                        trial.check(scheduler, *workers, &mut outcome);
                        threads.borrow_mut()[index]
                            .extend(world.threads.iter().map(|on| on.load(Ordering::Relaxed)));
                    }
                }
                Ok(())
            },
        )
        .unwrap();
    for ((workers, scheduler), threads) in schedulers.iter().zip(&*threads.borrow()) {
        let name = scheduler.name();
        assert_eq!(
            threads.len() > 1,
            *workers > 1,
            "{name} with {workers}: threads {threads:?}"
        );
    }
}
