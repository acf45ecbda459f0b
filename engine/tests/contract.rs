//! What every scheduler promises, checked for all of them.

use std::collections::HashSet;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, Once};
use std::thread;

use arena::Bump;
use engine::{
    Adaptive, BoundedPool, Builder, CancelToken, Dag, NodeError, NodeId, NodeState, Options,
    Outcome, Run, Scheduler, Shape, Strategy, WorkStealing, Workers, shape,
};
use proptest::prelude::{Strategy as _, any};
use proptest::test_runner::{Config, TestRunner};

/// All schedulers with 1 to 4 workers.
fn schedulers() -> Vec<Box<dyn Scheduler>> {
    Strategy::ALL
        .into_iter()
        .flat_map(|strategy| (1..=4).map(move |workers| strategy.scheduler(workers).unwrap()))
        // Small graphs of cheap nodes are never shared, unless somebody insists.
        .chain(
            (2..=4).map(|workers| -> Box<dyn Scheduler> {
                Box::new(Adaptive::eager(workers).unwrap())
            }),
        )
        .collect()
}

/// Records when the nodes of a graph begin and end, in steps of one clock.
struct Recorder {
    clock: AtomicUsize,
    begin: Vec<AtomicUsize>,
    end: Vec<AtomicUsize>,
    runs: Vec<AtomicUsize>,
}

impl Recorder {
    fn new(nodes: usize) -> Arc<Self> {
        let zeros = || (0..nodes).map(|_| AtomicUsize::new(0)).collect();
        Arc::new(Self {
            clock: AtomicUsize::new(0),
            begin: zeros(),
            end: zeros(),
            runs: zeros(),
        })
    }

    fn tick(&self) -> usize {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn record(&self, node: NodeId) {
        self.begin[node.index()].store(self.tick(), Ordering::Relaxed);
        self.runs[node.index()].fetch_add(1, Ordering::Relaxed);
        self.end[node.index()].store(self.tick(), Ordering::Relaxed);
    }

    /// Checks that every node ran once since the last check, after its dependencies.
    #[track_caller]
    fn check(&self, dag: &Dag, name: &str) {
        for node in dag.nodes() {
            let runs = self.runs[node.index()].swap(0, Ordering::Relaxed);
            assert_eq!(runs, 1, "{name}: runs of {}", dag.name(node));
            let end = self.end[node.index()].load(Ordering::Relaxed);
            for successor in dag.successors(node) {
                let begin = self.begin[successor.index()].load(Ordering::Relaxed);
                assert!(end < begin, "{name}: {} was not waited for", dag.name(node));
            }
        }
    }
}

fn recorded(shape: &Shape) -> (Dag, Arc<Recorder>) {
    let recorder = Recorder::new(shape.len());
    let dag = shape
        .build(Bump::default(), |_| {
            let recorder = Arc::clone(&recorder);
            move |run: &Run<'_>| {
                recorder.record(run.node());
                Ok(())
            }
        })
        .unwrap();
    (dag, recorder)
}

fn empty_nodes(shape: &Shape) -> Dag {
    shape
        .build(Bump::default(), |_| |_: &Run<'_>| Ok(()))
        .unwrap()
}

fn small_shapes() -> Vec<Shape> {
    vec![
        shape::independent(0),
        shape::independent(1),
        shape::independent(50),
        shape::chain(50),
        shape::diamond(50),
        shape::tree(50),
        shape::random(50, 3.0, 1),
        shape::layered(50, 1),
        shape::wavefront(50),
    ]
}

/// Keeps panics that are part of a test from printing.
fn silence_panics_on_purpose() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let message = info.payload_as_str().unwrap_or_default();
            if !message.contains("on purpose") && !message.contains("its own pool") {
                usual(info);
            }
        }));
    });
}

#[test]
fn every_node_runs_once_and_after_its_dependencies() {
    for shape in small_shapes() {
        let (dag, recorder) = recorded(&shape);
        for scheduler in schedulers() {
            for _ in 0..3 {
                let outcome = scheduler.run(&dag);
                assert!(outcome.all_completed(), "{}: {outcome}", scheduler.name());
                assert_eq!(outcome.len(), shape.len());
                recorder.check(&dag, scheduler.name());
            }
        }
    }
}

#[test]
fn random_graphs_run_every_node_once_and_after_its_dependencies() {
    let schedulers = schedulers();
    let input = (0..60_usize, 0.0..4.0, any::<u64>());
    TestRunner::new(Config::with_cases(40))
        .run(&input, |(nodes, mean_dependencies, seed)| {
            let (dag, recorder) = recorded(&shape::random(nodes, mean_dependencies, seed));
            for scheduler in &schedulers {
                assert!(scheduler.run(&dag).all_completed());
                recorder.check(&dag, scheduler.name());
            }
            Ok(())
        })
        .unwrap();
}

/// What a node of a test does.
#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Complete,
    Fail,
    Panic,
}

/// The states a graph must end in: one pass in topological order.
fn expected_states(dag: &Dag, behaviours: &[Behaviour]) -> Vec<NodeState> {
    let mut states = vec![NodeState::Pending; dag.len()];
    for node in dag.nodes() {
        let state = &mut states[node.index()];
        if *state == NodeState::Pending {
            *state = match behaviours[node.index()] {
                Behaviour::Complete => NodeState::Completed,
                Behaviour::Fail => NodeState::Failed,
                Behaviour::Panic => NodeState::Panicked,
            };
        }
        if *state != NodeState::Completed {
            for successor in dag.successors(node) {
                states[successor.index()] = NodeState::Skipped;
            }
        }
    }
    states
}

#[test]
fn failures_and_panics_skip_exactly_what_depends_on_them() {
    silence_panics_on_purpose();
    let schedulers = schedulers();
    let behaviour = proptest::prop_oneof![
        8 => proptest::prelude::Just(Behaviour::Complete),
        1 => proptest::prelude::Just(Behaviour::Fail),
        1 => proptest::prelude::Just(Behaviour::Panic),
    ];
    let input = (
        proptest::collection::vec(behaviour, 0..60),
        0.0..3.0,
        any::<u64>(),
    );
    TestRunner::new(Config::with_cases(40))
        .run(&input, |(behaviours, mean_dependencies, seed)| {
            let shape = shape::random(behaviours.len(), mean_dependencies, seed);
            let dag = shape
                .build(Bump::default(), |index| {
                    let behaviour = behaviours[index];
                    move |run: &Run<'_>| match behaviour {
                        Behaviour::Complete => Ok(()),
                        Behaviour::Fail => Err(format!("{} failed", run.name()).into()),
                        Behaviour::Panic => panic!("{} panicked on purpose", run.name()),
                    }
                })
                .unwrap();
            let expected = expected_states(&dag, &behaviours);
            for scheduler in &schedulers {
                let outcome = scheduler.run(&dag);
                let states: Vec<_> = outcome.states().iter().collect();
                assert_eq!(states, expected, "{}", scheduler.name());
                let messages: Vec<_> = outcome
                    .failures()
                    .iter()
                    .map(|failure| (failure.node, failure.cause.to_string()))
                    .collect();
                let expected: Vec<_> = dag
                    .nodes()
                    .filter_map(|node| match expected[node.index()] {
                        NodeState::Failed => Some((node, format!("{} failed", dag.name(node)))),
                        NodeState::Panicked => {
                            Some((node, format!("{} panicked on purpose", dag.name(node))))
                        }
                        _ => None,
                    })
                    .collect();
                assert_eq!(messages, expected, "{}", scheduler.name());
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn payload_that_panics_when_dropped_is_survived() {
    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            resume_unwind(Box::new("dropped"));
        }
    }

    let dag = shape::diamond(6)
        .build(Bump::default(), |index| {
            move |_: &Run<'_>| match index {
                1..=2 => resume_unwind(Box::new(PanicsWhenDropped)),
                _ => Ok(()),
            }
        })
        .unwrap();
    for scheduler in schedulers() {
        let outcome = scheduler.run(&dag);
        assert_eq!(
            outcome.to_string(),
            "6 nodes: 3 completed, 0 failed, 2 panicked, 1 skipped",
            "{}",
            scheduler.name()
        );
        let message = outcome.failures()[0].cause.to_string();
        assert_eq!(message, "a panic whose payload is not text");
    }
}

/// A plain value that nodes hand on: nothing but the scheduler orders its accesses.
#[derive(Default)]
struct Plain(std::cell::UnsafeCell<Option<usize>>);

// SAFETY: written by one node and read by those that depend on it; that a scheduler runs them one
// after the other is what the tests that use it check.
unsafe impl Sync for Plain {}

impl Plain {
    fn get(&self) -> Option<usize> {
        // SAFETY: the node that writes has finished, see above.
        unsafe { *self.0.get() }
    }

    fn set(&self, value: Option<usize>) {
        // SAFETY: the nodes that read have not begun, see above.
        unsafe { *self.0.get() = value };
    }
}

#[test]
fn nodes_that_wait_for_each_other_get_a_worker_each_although_workers_sleep() {
    for workers in 2..=4 {
        let scheduler = engine::WorkStealing::new(workers).unwrap();
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
        let empty = empty_nodes(&shape::chain(10_000));
        for _ in 0..20 {
            // Long enough alone for the other workers to fall asleep.
            assert!(scheduler.run(&empty).all_completed());
            assert!(scheduler.run(&dag).all_completed());
        }
    }
}

#[test]
fn dependents_see_what_their_dependencies_wrote() {
    for shape in [shape::wavefront(400), shape::layered(400, 3)] {
        let depth_of: Arc<[Plain]> = (0..shape.len()).map(|_| Plain::default()).collect();
        // Longest path to each node, by plain values handed from node to node.
        let depths: Vec<_> = {
            let mut depths = vec![0_usize; shape.len()];
            for index in 0..shape.len() {
                let dependencies = shape.dependencies(index).iter();
                let deepest = dependencies.map(|&index| depths[index as usize] + 1).max();
                depths[index] = deepest.unwrap_or(0);
            }
            depths
        };
        let dag = shape
            .build(Bump::default(), |index| {
                let depth_of = Arc::clone(&depth_of);
                let dependencies: Vec<_> = shape.dependencies(index).to_vec();
                move |run: &Run<'_>| {
                    let mut deepest = 0;
                    for &dependency in &dependencies {
                        let depth = depth_of[dependency as usize].get();
                        deepest = deepest.max(depth.ok_or("a dependency left nothing")? + 1);
                    }
                    depth_of[run.node().index()].set(Some(deepest));
                    Ok(())
                }
            })
            .unwrap();
        for scheduler in schedulers() {
            let outcome = scheduler.run(&dag);
            assert!(outcome.all_completed(), "{}: {outcome}", scheduler.name());
            for node in dag.nodes() {
                assert_eq!(depth_of[node.index()].get(), Some(depths[node.index()]));
                depth_of[node.index()].set(None);
            }
        }
    }
}

#[test]
fn one_outcome_serves_different_graphs() {
    let dags: Vec<_> = small_shapes().iter().map(empty_nodes).collect();
    let failing = shape::diamond(4)
        .build(Bump::default(), |_| {
            |_: &Run<'_>| Err(NodeError::from("no"))
        })
        .unwrap();
    for scheduler in schedulers() {
        let mut outcome = Outcome::new();
        for dag in &dags {
            scheduler.run_into(&failing, &mut outcome);
            assert_eq!(
                outcome.to_string(),
                "4 nodes: 0 completed, 1 failed, 0 panicked, 3 skipped"
            );
            scheduler.run_into(dag, &mut outcome);
            assert_eq!(outcome.len(), dag.len());
            assert!(outcome.all_completed(), "{}", scheduler.name());
            assert!(outcome.failures().is_empty());
        }
    }
}

#[test]
fn several_graphs_run_at_once_give_their_outcomes_in_order() {
    let graphs: Vec<_> = small_shapes().iter().map(recorded).collect();
    let (dags, recorders): (Vec<_>, Vec<_>) = graphs.into_iter().unzip();
    for scheduler in schedulers() {
        let outcomes = scheduler.run_all(&dags);
        assert_eq!(outcomes.len(), dags.len());
        for ((outcome, dag), recorder) in outcomes.iter().zip(&dags).zip(&recorders) {
            assert_eq!(outcome.len(), dag.len());
            assert!(outcome.all_completed());
            recorder.check(dag, scheduler.name());
        }
        assert!(scheduler.run_all(&[]).is_empty());
    }
}

#[test]
fn several_threads_share_one_scheduler_and_one_graph() {
    for scheduler in schedulers() {
        let shape = shape::layered(60, 5);
        let runs = Arc::new(AtomicUsize::new(0));
        let dag = shape
            .build(Bump::default(), |_| {
                let runs = Arc::clone(&runs);
                move |_: &Run<'_>| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }
            })
            .unwrap();
        let times = if scheduler.name() == "direct-threads" {
            5
        } else {
            50
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut outcome = Outcome::new();
                    for _ in 0..times {
                        scheduler.run_into(&dag, &mut outcome);
                        assert!(outcome.all_completed());
                    }
                });
            }
        });
        let runs = runs.load(Ordering::Relaxed);
        assert_eq!(runs, 3 * times * shape.len(), "{}", scheduler.name());
    }
}

#[test]
fn nested_runs_finish_on_the_same_scheduler_and_on_another() {
    for strategy in Strategy::ALL {
        for workers in 1..=3 {
            let outer: Arc<dyn Scheduler> = strategy.scheduler(workers).unwrap().into();
            for other in Strategy::ALL {
                let other: Arc<dyn Scheduler> = other.scheduler(workers).unwrap().into();
                let inner = Arc::new(recorded_count(&shape::wavefront(16)));
                let dag = shape::independent(6)
                    .build(Bump::default(), |index| {
                        let scheduler = Arc::clone(if index % 2 == 0 { &outer } else { &other });
                        let inner = Arc::clone(&inner);
                        move |_: &Run<'_>| {
                            let outcomes = scheduler.run_all(std::slice::from_ref(&inner.0));
                            let outcome = scheduler.run(&inner.0);
                            let completed = outcomes[0].all_completed() && outcome.all_completed();
                            completed.then_some(()).ok_or("incomplete".into())
                        }
                    })
                    .unwrap();
                let outcome = outer.run(&dag);
                assert!(outcome.all_completed(), "{strategy}: {outcome}");
                assert_eq!(inner.1.load(Ordering::Relaxed), 6 * 2 * 16);
            }
        }
    }
}

fn recorded_count(shape: &Shape) -> (Dag, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let dag = shape
        .build(Bump::default(), |_| {
            let runs = Arc::clone(&runs);
            move |_: &Run<'_>| {
                runs.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        })
        .unwrap();
    (dag, runs)
}

#[test]
fn nodes_of_a_parallel_scheduler_run_at_the_same_time() {
    // Each of two nodes waits until the other has begun: one worker alone would never get on.
    for strategy in Strategy::ALL {
        // These two may run all nodes one after the other.
        if matches!(strategy, Strategy::Sequential | Strategy::Adaptive) {
            continue;
        }
        let begun = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let dag = shape::independent(2)
            .build(Bump::default(), |index| {
                let begun = Arc::clone(&begun);
                move |_: &Run<'_>| {
                    begun[index].store(true, Ordering::Release);
                    while !begun[1 - index].load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                    Ok(())
                }
            })
            .unwrap();
        let outcome = strategy.scheduler(2).unwrap().run(&dag);
        assert!(outcome.all_completed(), "{strategy}");
    }
}

#[test]
fn direct_threads_keep_to_their_limit() {
    let alive = Arc::new(Mutex::new((0, 0)));
    let dag = shape::independent(50)
        .build(Bump::default(), |_| {
            let alive = Arc::clone(&alive);
            move |_: &Run<'_>| {
                {
                    let mut alive = alive.lock().unwrap();
                    alive.0 += 1;
                    alive.1 = alive.0.max(alive.1);
                }
                thread::yield_now();
                alive.lock().unwrap().0 -= 1;
                Ok(())
            }
        })
        .unwrap();
    let scheduler = Strategy::DirectThreads.scheduler(3).unwrap();
    assert!(scheduler.run(&dag).all_completed());
    let most = alive.lock().unwrap().1;
    assert!((1..=3).contains(&most), "{most} nodes at the same time");
}

#[test]
fn chain_of_a_million_nodes_needs_no_stack() {
    let long = || {
        let dag = empty_nodes(&shape::chain(1_000_000));
        for strategy in [
            Strategy::Sequential,
            Strategy::RayonGraph,
            Strategy::WorkStealing,
            Strategy::BoundedPool,
        ] {
            let outcome = strategy.scheduler(2).unwrap().run(&dag);
            assert!(outcome.all_completed(), "{strategy}");
        }
        // A failure at the start is carried through the whole chain.
        let dag = shape::chain(100_000)
            .build(Bump::default(), |index| {
                move |_: &Run<'_>| if index == 0 { Err("no".into()) } else { Ok(()) }
            })
            .unwrap();
        let outcome = Strategy::WorkStealing.scheduler(2).unwrap().run(&dag);
        assert_eq!(outcome.count(NodeState::Skipped), 99_999);
    };
    let small_stack = thread::Builder::new().stack_size(128 * 1024);
    small_stack.spawn(long).unwrap().join().unwrap();
}

#[test]
fn chain_of_ten_thousand_threads_ends() {
    let dag = empty_nodes(&shape::chain(10_000));
    let outcome = Strategy::DirectThreads.scheduler(2).unwrap().run(&dag);
    assert!(outcome.all_completed());
}

#[test]
fn long_cycle_needs_no_stack() {
    let small_stack = thread::Builder::new().stack_size(128 * 1024);
    let nodes = 100_000;
    let cycle = move || {
        let mut shape = Shape::new();
        for index in 0..nodes {
            shape.push(format!("{index}"), [(index + 1) % nodes]);
        }
        let work = |_| |_: &Run<'_>| Ok(());
        match shape.build(Bump::default(), work).unwrap_err() {
            engine::BuildError::Cycle { path } => assert_eq!(path.len(), nodes + 1),
            other => panic!("{other}"),
        }
    };
    small_stack.spawn(cycle).unwrap().join().unwrap();
}

#[test]
fn wide_fan_runs_whatever_the_capacity() {
    let dag = empty_nodes(&shape::diamond(100_000));
    for strategy in Strategy::ALL {
        if strategy != Strategy::DirectThreads {
            let outcome = strategy.scheduler(3).unwrap().run(&dag);
            assert!(outcome.all_completed(), "{strategy}");
        }
    }
    let narrow = BoundedPool::new(3, 1).unwrap();
    assert!(narrow.run(&dag).all_completed());
}

#[test]
fn thousands_of_small_runs_never_hang() {
    let dags: Vec<_> = [
        shape::independent(1),
        shape::independent(2),
        shape::diamond(5),
        shape::chain(3),
        shape::tree(15),
        shape::layered(20, 1),
    ]
    .iter()
    .map(empty_nodes)
    .collect();
    for strategy in Strategy::ALL {
        if strategy == Strategy::DirectThreads {
            continue;
        }
        let scheduler = strategy.scheduler(4).unwrap();
        let mut outcome = Outcome::new();
        for round in 0..10_000 {
            scheduler.run_into(&dags[round % dags.len()], &mut outcome);
            assert!(outcome.all_completed(), "{strategy}");
        }
    }
}

#[test]
fn schedulers_come_and_go_without_hanging() {
    let dag = empty_nodes(&shape::layered(30, 2));
    for round in 0..200 {
        for scheduler in [
            Box::new(WorkStealing::new(4).unwrap()) as Box<dyn Scheduler>,
            Box::new(BoundedPool::new(4, 2).unwrap()),
        ] {
            if round % 2 == 0 {
                assert!(scheduler.run(&dag).all_completed());
            }
        }
    }
}

#[test]
fn last_owner_of_a_pool_may_be_a_task_on_it() {
    let pool = Arc::new(BoundedPool::new(1, 4).unwrap());
    let dropped = Arc::new(AtomicBool::new(false));
    let (kept, is_dropped) = (Arc::clone(&pool), Arc::clone(&dropped));
    let (released, is_released) = std::sync::mpsc::channel::<()>();
    pool.submit(move || {
        is_released.recv().unwrap();
        drop(kept);
        is_dropped.store(true, Ordering::Release);
    });
    drop(pool);
    released.send(()).unwrap();
    while !dropped.load(Ordering::Acquire) {
        thread::yield_now();
    }
}

#[test]
fn pool_counts_panics_and_runs_every_task() {
    silence_panics_on_purpose();
    let pool = BoundedPool::new(2, 1).unwrap();
    let sum = Arc::new(AtomicU64::new(0));
    for number in 0..1_000 {
        let sum = Arc::clone(&sum);
        pool.submit(move || {
            sum.fetch_add(number, Ordering::Relaxed);
            assert!(number % 100 != 0, "on purpose");
        });
    }
    let panicked = pool.wait().unwrap_err();
    assert_eq!(panicked.to_string(), "10 of the submitted tasks panicked");
    assert_eq!(pool.wait(), Ok(()));
    assert_eq!(sum.load(Ordering::Relaxed), 499_500);
}

#[test]
fn tasks_may_submit_tasks_to_a_full_pool() {
    let pool = Arc::new(BoundedPool::new(1, 1).unwrap());
    let runs = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let (inner, runs) = (Arc::clone(&pool), Arc::clone(&runs));
        pool.submit(move || {
            for _ in 0..10 {
                let runs = Arc::clone(&runs);
                inner.submit(move || {
                    runs.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    }
    pool.wait().unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 100);
}

#[test]
fn task_that_waits_for_its_own_pool_panics_instead_of_hanging() {
    silence_panics_on_purpose();
    let pool = Arc::new(BoundedPool::new(1, 1).unwrap());
    let other = Arc::new(BoundedPool::new(1, 1).unwrap());
    let message = Arc::new(Mutex::new(String::new()));
    let (waits_for, same, seen) = (Arc::clone(&other), Arc::clone(&pool), Arc::clone(&message));
    pool.submit(move || {
        waits_for.wait().unwrap();
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| same.wait()));
        let payload = refused.unwrap_err();
        *seen.lock().unwrap() = (*payload.downcast::<&str>().unwrap()).to_owned();
    });
    assert_eq!(pool.wait(), Ok(()));
    assert_eq!(
        *message.lock().unwrap(),
        "a task cannot wait for its own pool"
    );
}

#[test]
fn task_that_runs_inside_another_schedulers_node_cannot_wait_for_its_own_pool_either() {
    silence_panics_on_purpose();
    let pool = Arc::new(BoundedPool::new(1, 1).unwrap());
    let gate = Arc::new(Barrier::new(2));
    let held = Arc::clone(&gate);
    // The worker waits at the gate, and the queue is full behind it.
    pool.submit(move || {
        held.wait();
        held.wait();
    });
    gate.wait();
    pool.submit(|| ());
    let refused = Arc::new(AtomicBool::new(false));
    let mut graph = Builder::new();
    let (submitter, seen) = (Arc::clone(&pool), Arc::clone(&refused));
    graph
        .node("submits", [], move |_| {
            let (waits_for, seen) = (Arc::clone(&submitter), Arc::clone(&seen));
            submitter.submit(move || {
                let wait = std::panic::AssertUnwindSafe(|| waits_for.wait());
                seen.store(std::panic::catch_unwind(wait).is_err(), Ordering::Relaxed);
            });
            Ok(())
        })
        .unwrap();
    let dag = graph.build().unwrap();
    assert!(
        engine::RayonGraph::new(1)
            .unwrap()
            .run(&dag)
            .all_completed()
    );
    assert!(refused.load(Ordering::Relaxed));
    gate.wait();
    pool.wait().unwrap();
}

#[test]
fn dropping_a_pool_runs_what_was_submitted() {
    let runs = Arc::new(AtomicUsize::new(0));
    let pool = BoundedPool::new(2, 100).unwrap();
    for _ in 0..100 {
        let runs = Arc::clone(&runs);
        pool.submit(move || {
            runs.fetch_add(1, Ordering::Relaxed);
        });
    }
    drop(pool);
    assert_eq!(runs.load(Ordering::Relaxed), 100);
}

#[test]
fn recorded_workflows_run_on_every_scheduler() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/workflows");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let mut names = HashSet::new();
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let workflow = engine::import::wfformat(&text).unwrap();
        let (dag, recorder) = recorded(&workflow.shape);
        assert_eq!(dag.edge_count(), workflow.shape.edge_count());
        for strategy in Strategy::ALL {
            let outcome = strategy.scheduler(2).unwrap().run(&dag);
            assert!(outcome.all_completed(), "{strategy}: {outcome}");
            recorder.check(&dag, strategy.name());
        }
        names.insert((workflow.name, dag.len()));
    }
    assert!(!names.is_empty(), "no workflow in {}", folder.display());
}

#[test]
fn definition_order_does_not_change_the_graph() {
    let input =
        (1..60_usize, 0.0..3.0, any::<u64>()).prop_flat_map(|(nodes, mean_dependencies, seed)| {
            let shape = shape::random(nodes, mean_dependencies, seed);
            let order = proptest::prelude::Just((0..nodes).collect::<Vec<_>>()).prop_shuffle();
            (proptest::prelude::Just(shape), order)
        });
    let edges = |dag: &Dag| -> HashSet<(String, String)> {
        dag.nodes()
            .flat_map(|node| dag.successors(node).map(move |other| (node, other)))
            .map(|(from, to)| (dag.name(from).to_owned(), dag.name(to).to_owned()))
            .collect()
    };
    TestRunner::default()
        .run(&input, |(shape, order)| {
            let sorted = empty_nodes(&shape);
            let runs = Arc::new(Mutex::new(Vec::new()));
            let mut graph = Builder::new();
            for &index in &order {
                let dependencies = shape.dependencies(index).iter();
                let dependencies = dependencies.map(|&index| shape.ids()[index as usize].as_str());
                let runs = Arc::clone(&runs);
                graph
                    .node(&shape.ids()[index], dependencies, move |run| {
                        runs.lock().unwrap().push((run.name().to_owned(), index));
                        Ok(())
                    })
                    .unwrap();
            }
            let shuffled = graph.build().unwrap();
            assert_eq!(edges(&shuffled), edges(&sorted));
            for node in shuffled.nodes() {
                assert_eq!(shuffled.node(shuffled.name(node)), Some(node));
                assert!(shuffled.successors(node).all(|other| other > node));
            }
            // Every node kept its own work.
            assert!(engine::Sequential.run(&shuffled).all_completed());
            let runs = runs.lock().unwrap();
            assert_eq!(runs.len(), shape.len());
            assert!(
                runs.iter()
                    .all(|(name, index)| shape.ids()[*index] == *name)
            );
            Ok(())
        })
        .unwrap();
}

/// A graph of `shape` whose node 0 cancels `token`.
fn cancels_at_once(shape: &Shape, token: &CancelToken) -> Dag {
    shape
        .build(Bump::default(), |index| {
            let token = token.clone();
            move |_: &Run<'_>| {
                if index == 0 {
                    token.cancel();
                }
                Ok(())
            }
        })
        .unwrap()
}

#[test]
fn run_that_its_first_node_cancels_reports_nothing_of_the_run_before() {
    for scheduler in schedulers() {
        let shape = shape::chain(10);
        let mut outcome = Outcome::new();
        scheduler.run_into(&empty_nodes(&shape), &mut outcome);
        let token = CancelToken::new();
        let dag = cancels_at_once(&shape, &token);
        let options = Options {
            cancel: Some(&token),
            ..Options::default()
        };
        for completed in [1, 0] {
            scheduler.run_with(&dag, &options, &mut outcome);
            assert_eq!(outcome.completed(), completed, "{}", scheduler.name());
            assert_eq!(outcome.count(NodeState::Cancelled), 10 - completed);
            assert!(!outcome.all_completed());
        }
    }
}

#[test]
fn nodes_with_the_same_dependencies_run_at_the_same_time() {
    // Steps of nodes that wait for each other: all but the first must be shared.
    let meeting = Arc::new(Barrier::new(2));
    let mut graph = engine::IdBuilder::new();
    let mut step: Vec<NodeId> = Vec::new();
    for _ in 0..20 {
        step = [0, 1]
            .map(|_| {
                let meeting = Arc::clone(&meeting);
                let work = move |_: &Run<'_>| {
                    meeting.wait();
                    Ok(())
                };
                graph.node(step.iter().copied(), work).unwrap()
            })
            .to_vec();
    }
    let dag = graph.build().unwrap();
    for scheduler in [
        Box::new(Adaptive::eager(2).unwrap()) as Box<dyn Scheduler>,
        Box::new(WorkStealing::new(2).unwrap()),
    ] {
        assert!(scheduler.run(&dag).all_completed(), "{}", scheduler.name());
    }
}

#[test]
fn long_chain_of_nodes_that_skip_themselves_takes_no_quadratic_time() {
    // A million steps forward are fast, 320 000 times as many states are not.
    let nodes = 320_000;
    let dag = shape::chain(nodes)
        .build_without_ids(Bump::default(), |_| |_: &Run<'_>| Err(engine::Skip.into()))
        .unwrap();
    for strategy in [Strategy::Sequential, Strategy::Adaptive] {
        let outcome = strategy.scheduler(2).unwrap().run(&dag);
        assert_eq!(outcome.count(NodeState::Skipped), nodes, "{strategy}");
        assert!(outcome.failures().is_empty());
    }
}

#[test]
fn second_token_of_a_node_stops_it_as_the_first_and_the_run_do() {
    let (outer, inner) = (CancelToken::new(), CancelToken::new());
    let mut graph = Builder::new();
    let tokens = (outer.clone(), inner.clone());
    graph
        .node("asks", [], move |run| {
            let with_outer = run.with_cancel(&tokens.0);
            let with_both = with_outer.with_cancel(&tokens.1);
            assert!(!with_both.is_cancelled());
            tokens.0.cancel();
            assert!(with_both.is_cancelled() && with_outer.is_cancelled());
            assert!(!run.is_cancelled() && !run.with_cancel(&tokens.1).is_cancelled());
            Ok(())
        })
        .unwrap();
    let outcome = engine::Sequential.run(&graph.build().unwrap());
    assert!(outcome.all_completed(), "{outcome}");
}

/// Needs more stack than a thread has by itself.
#[inline(never)]
fn needs_stack(index: usize) -> u8 {
    std::hint::black_box([1_u8; 6 << 20])[index]
}

#[test]
fn threads_have_the_names_and_the_stack_that_were_asked_for() {
    let workers = Workers {
        name: "etl".into(),
        stack_bytes: Some(16 << 20),
        pinned: true,
        ..Workers::new(2)
    };
    for strategy in Strategy::ALL {
        let names = Arc::new(Mutex::new(HashSet::new()));
        let dag = shape::independent(20)
            .build(Bump::default(), |_| {
                let names = Arc::clone(&names);
                move |run: &Run<'_>| {
                    let name = thread::current().name().unwrap_or_default().to_owned();
                    if name.starts_with("etl-") {
                        assert_eq!(needs_stack(run.node().index()), 1);
                    }
                    names.lock().unwrap().insert(name);
                    Ok(())
                }
            })
            .unwrap();
        let outcome = strategy.scheduler(workers.clone()).unwrap().run(&dag);
        assert!(outcome.all_completed(), "{strategy}: {outcome}");
        let names = names.lock().unwrap();
        let is_known = |name: &String| name == "etl-0" || name == "etl-1";
        match strategy {
            // All nodes are the threads'.
            Strategy::RayonLevel
            | Strategy::RayonGraph
            | Strategy::BoundedPool
            | Strategy::DirectThreads => assert!(names.iter().all(is_known), "{names:?}"),
            // The caller runs nodes too, under its own name.
            _ => assert!(names.iter().filter(|name| !is_known(name)).count() <= 1),
        }
    }
    let priorities = engine::priority::Priorities::new(&empty_nodes(&shape::chain(2)), |_| 0.0);
    let error = engine::priority::ByPriority::new(0, priorities).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a scheduler needs at least 1 worker; got 0"
    );
}
