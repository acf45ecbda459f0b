//! Thousands of small runs from several threads: what gets lost or stuck only now and then.
//!
//! A wake-up that gets lost shows as a hang. [`Watchdog`] makes a failure of it, with a message,
//! where nothing has got on for a minute.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::process::abort;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use engine::priority::{ByPriority, Priorities};
use engine::{
    Adaptive, BoundedPool, CancelToken, Dag, IdBuilder, NodeId, NodeState, Options, Outcome,
    Scheduler, Shape, Strategy, WorkStealing, shape,
};

/// More than the machines that usually run this have cores.
const WORKERS: usize = 4;
const CALLERS: usize = 3;

/// Ends the process when nothing gets on.
struct Watchdog {
    progress: Arc<AtomicUsize>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Watchdog {
    fn new(what: &'static str) -> Self {
        let progress = Arc::new(AtomicUsize::new(0));
        let (sender, ends) = channel();
        let watched = Arc::clone(&progress);
        let thread = thread::spawn(move || {
            let mut before = 0;
            while ends.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
                let now = watched.load(Ordering::Relaxed);
                if now == before {
                    eprintln!("{what}: nothing got on for a minute after {now} steps");
                    abort();
                }
                before = now;
            }
        });
        Self {
            progress,
            thread: Some((sender, thread)),
        }
    }

    fn step(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let (sender, thread) = self.thread.take().expect("taken only here");
        drop(sender);
        thread.join().expect("the watchdog does not panic");
    }
}

/// Takes about so many times 30 ns.
fn spend(rounds: usize) {
    (0..100 * rounds).for_each(|round| _ = black_box(round));
}

/// A graph whose nodes count their runs and take so many rounds of a loop.
struct Counted {
    dag: Dag,
    runs: Arc<[AtomicUsize]>,
}

impl Counted {
    fn new(shape: &Shape, rounds: impl Fn(usize) -> usize) -> Self {
        let runs: Arc<[AtomicUsize]> = (0..shape.len()).map(|_| AtomicUsize::new(0)).collect();
        let mut graph = IdBuilder::new();
        for index in 0..shape.len() {
            let dependencies = shape.dependencies(index).iter();
            let dependencies = dependencies.map(|&dependency| NodeId::from_index(dependency));
            let (runs, rounds) = (Arc::clone(&runs), rounds(index));
            let node = graph.node(dependencies, move |_| {
                spend(rounds);
                runs[index].fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            node.unwrap();
        }
        let dag = graph.build().unwrap();
        Self { dag, runs }
    }

    #[track_caller]
    fn check(&self, runs: usize) {
        for (node, count) in self.runs.iter().enumerate() {
            assert_eq!(count.load(Ordering::Relaxed), runs, "runs of node {node}");
        }
    }
}

/// Small graphs, of nodes from nothing to some microseconds.
fn graphs() -> Vec<Counted> {
    vec![
        Counted::new(&shape::independent(1), |_| 0),
        Counted::new(&shape::independent(2), |_| 100),
        Counted::new(&shape::diamond(5), |_| 30),
        Counted::new(&shape::chain(3), |_| 0),
        Counted::new(&shape::tree(15), |index| index * 5),
        Counted::new(&shape::layered(20, 1), |index| index % 2 * 40),
        Counted::new(&shape::wavefront(25), |_| 2),
        Counted::new(&shape::random(30, 2.0, 1), |_| 0),
    ]
}

/// Runs all graphs from several threads on one scheduler, `rounds` times each.
fn run_from_several_threads(name: &'static str, scheduler: &dyn Scheduler, rounds: usize) {
    let watchdog = Watchdog::new(name);
    let graphs = graphs();
    thread::scope(|scope| {
        let (watchdog, graphs) = (&watchdog, &graphs);
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                scope.spawn(move || {
                    let mut outcome = Outcome::new();
                    for step in 0..rounds * graphs.len() {
                        let graph = &graphs[(step + caller) % graphs.len()];
                        scheduler.run_into(&graph.dag, &mut outcome);
                        assert!(outcome.all_completed(), "{name}: {outcome}");
                        watchdog.step();
                        // Gaps of all lengths, in which workers fall asleep or just do not.
                        spend(step % 7 * step % 2_000);
                    }
                })
            })
            .collect();
        // Joined one by one, because a sanitizer that does not see into the standard library only
        // sees that.
        callers
            .into_iter()
            .for_each(|caller| caller.join().unwrap());
    });
    for graph in &graphs {
        graph.check(CALLERS * rounds);
    }
}

#[test]
fn adaptive_runs_from_several_threads_end() {
    let scheduler = Adaptive::new(WORKERS).unwrap();
    run_from_several_threads("adaptive", &scheduler, 400);
}

#[test]
fn adaptive_eager_runs_from_several_threads_end() {
    let scheduler = Adaptive::eager(WORKERS).unwrap();
    run_from_several_threads("adaptive, eager", &scheduler, 400);
}

#[test]
fn work_stealing_runs_from_several_threads_end() {
    let scheduler = WorkStealing::new(WORKERS).unwrap();
    run_from_several_threads("work-stealing", &scheduler, 400);
}

#[test]
fn rayon_runs_from_several_threads_end() {
    for strategy in [Strategy::RayonLevel, Strategy::RayonGraph] {
        let scheduler = strategy.scheduler(WORKERS).unwrap();
        run_from_several_threads(strategy.name(), &*scheduler, 100);
    }
}

#[test]
fn bounded_pool_runs_from_several_threads_end() {
    for capacity in [1, 4, BoundedPool::DEFAULT_CAPACITY] {
        let scheduler = BoundedPool::new(WORKERS, capacity).unwrap();
        run_from_several_threads("bounded-pool", &scheduler, 50);
    }
}

#[test]
fn direct_threads_runs_from_several_threads_end() {
    let scheduler = Strategy::DirectThreads.scheduler(WORKERS).unwrap();
    run_from_several_threads("direct-threads", &*scheduler, 10);
}

#[test]
fn by_priority_runs_from_several_threads_end() {
    let watchdog = Watchdog::new("by-priority");
    let graph = Counted::new(&shape::layered(20, 1), |index| index % 2 * 30);
    let priorities = Priorities::critical_path(&graph.dag, |_| 1.0);
    let scheduler = ByPriority::new(WORKERS, priorities).unwrap();
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                for step in 0..1_500 {
                    assert!(scheduler.run(&graph.dag).all_completed());
                    watchdog.step();
                    spend(step % 5 * 500);
                }
            });
        }
    });
    graph.check(CALLERS * 1_500);
}

/// Two nodes of which the second takes longer and longer: at some length the caller falls asleep
/// just when the run ends on another thread, and after some gap a thread just when the next run
/// begins.
#[test]
fn adaptive_run_that_ends_while_its_caller_falls_asleep_is_noticed() {
    let watchdog = Watchdog::new("adaptive, falling asleep");
    for workers in 2..=WORKERS {
        let scheduler = Adaptive::eager(workers).unwrap();
        let mut outcome = Outcome::new();
        for length in 0..60 {
            let graph = Counted::new(&shape::independent(2), |index| index * length * 50);
            for gap in 0..15 {
                scheduler.run_into(&graph.dag, &mut outcome);
                assert!(outcome.all_completed());
                watchdog.step();
                spend(gap * 150);
            }
            graph.check(15);
        }
    }
}

#[test]
fn adaptive_runs_that_are_cancelled_at_any_moment_end() {
    let watchdog = Watchdog::new("adaptive, cancelled");
    let graph = Counted::new(&shape::layered(60, 1), |_| 50);
    let scheduler = Adaptive::eager(WORKERS).unwrap();
    let mut outcome = Outcome::new();
    for round in 0..1_000 {
        let token = CancelToken::new();
        let canceller = thread::spawn({
            let token = token.clone();
            move || {
                spend(round % 250 * 10);
                token.cancel();
            }
        });
        let options = Options {
            cancel: Some(&token),
            ..Options::default()
        };
        scheduler.run_with(&graph.dag, &options, &mut outcome);
        let stopped = outcome.count(NodeState::Cancelled);
        assert_eq!(outcome.completed() + stopped, graph.dag.len(), "{outcome}");
        canceller.join().unwrap();
        watchdog.step();
    }
}

/// A plain value that a node leaves for those that depend on it: nothing but the scheduler orders
/// its accesses.
#[derive(Default)]
struct Plain(UnsafeCell<usize>);

// SAFETY: written by one node, or by the caller between runs, and read by the nodes that depend on it
// and by the caller afterwards. That a scheduler runs these one after the other is what the test that
// uses it checks.
unsafe impl Sync for Plain {}

impl Plain {
    fn get(&self) -> usize {
        // SAFETY: whoever writes has finished, see above.
        unsafe { *self.0.get() }
    }

    fn set(&self, value: usize) {
        // SAFETY: whoever reads has not begun, see above.
        unsafe { *self.0.get() = value };
    }
}

#[test]
fn adaptive_nodes_see_what_their_dependencies_wrote_in_run_after_run() {
    let watchdog = Watchdog::new("adaptive, plain values");
    for shape in [
        shape::wavefront(225),
        shape::layered(200, 3),
        shape::diamond(60),
    ] {
        // By node, how many nodes are on the longest path that ends there.
        let lengths: Arc<[Plain]> = (0..shape.len()).map(|_| Plain::default()).collect();
        let mut graph = IdBuilder::new();
        let mut expected: Vec<usize> = Vec::new();
        for index in 0..shape.len() {
            let dependencies = shape.dependencies(index).to_vec();
            let longest = dependencies.iter().map(|&node| expected[node as usize]);
            expected.push(longest.max().unwrap_or(0) + 1);
            let ids = dependencies.clone().into_iter().map(NodeId::from_index);
            let lengths = Arc::clone(&lengths);
            let node = graph.node(ids, move |_| {
                let longest = dependencies
                    .iter()
                    .map(|&node| lengths[node as usize].get());
                lengths[index].set(longest.max().unwrap_or(0) + 1);
                spend(index % 20);
                Ok(())
            });
            node.unwrap();
        }
        let dag = graph.build().unwrap();
        for workers in 2..=WORKERS {
            let schedulers = [Adaptive::new(workers), Adaptive::eager(workers)];
            for scheduler in schedulers.map(Result::unwrap) {
                let mut outcome = Outcome::new();
                for _ in 0..100 {
                    scheduler.run_into(&dag, &mut outcome);
                    watchdog.step();
                    for (length, &expected) in lengths.iter().zip(&expected) {
                        assert_eq!(length.get(), expected);
                        length.set(0);
                    }
                }
            }
        }
    }
}

#[test]
fn schedulers_come_and_go_from_several_threads() {
    let watchdog = Watchdog::new("schedulers come and go");
    let graphs = graphs();
    let priorities = Priorities::critical_path(&graphs[2].dag, |_| 1.0);
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (watchdog, graphs, priorities) = (&watchdog, &graphs, &priorities);
            scope.spawn(move || {
                for round in 0..60 {
                    let schedulers: [Box<dyn Scheduler>; 5] = [
                        Box::new(Adaptive::new(WORKERS).unwrap()),
                        Box::new(Adaptive::eager(WORKERS).unwrap()),
                        Box::new(WorkStealing::new(WORKERS).unwrap()),
                        Box::new(BoundedPool::new(WORKERS, 2).unwrap()),
                        Box::new(ByPriority::new(WORKERS, priorities.clone()).unwrap()),
                    ];
                    for scheduler in schedulers {
                        // From none to some, so that threads are dropped before they have slept,
                        // while they look for work, and asleep.
                        for _ in 0..(round + caller) % 4 {
                            assert!(scheduler.run(&graphs[2].dag).all_completed());
                        }
                        spend(round % 5 * 500);
                        drop(scheduler);
                        watchdog.step();
                    }
                }
            });
        }
    });
}
