//! How small may a task be before running it costs more than it?
//!
//! The minimum effective task granularity of Task Bench (Slaughter and others, 2020), for graphs of
//! the same patterns: the smallest tasks with which a scheduler still does half of the work that its
//! workers could do. These are not results of that suite: kernels and runner are our own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arena::Bump;
use bench_harness::{Group, Input, Lab, Routine, Tally, Tasks, core_ping};
use engine::{Dag, NodeError, Outcome, Pattern, Run, Scheduler, Shape, Strategy};

fn suite(lab: &mut Lab) {
    lab.section("Task granularity");
    for pattern in Pattern::ALL {
        one_worker(lab, pattern);
    }
    // One core can run two workers, but not at the same time.
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        ping(lab);
        for pattern in Pattern::ALL {
            two_workers(lab, pattern);
        }
    }
}

bench_harness::main!(suite);

/// Points of a step.
const WIDTHS: [usize; 2] = [16, 64];

/// Steps of a graph.
const STEPS: usize = 50;

/// The schedulers that are measured with two workers. The others take microseconds a task.
const SCHEDULERS: [Strategy; 4] = [
    Strategy::Adaptive,
    Strategy::WorkStealing,
    Strategy::RayonLevel,
    Strategy::RayonGraph,
];

/// What a case is, for the report.
const WORK: &str = "A task reads 16 bytes of each of its dependencies and checks them, computes, and writes 16 bytes to a cache line of its own; a graph has 50 steps. The time is not that of an iteration but the granularity, wall time times workers by tasks, at which half of it is computing: doubling and bisection find it, once in a process, and the samples of the process repeat it. Where tasks of about 6 us are not large enough, what they take stands for it. Allocations are those of one run.";

fn one_worker(lab: &mut Lab, pattern: Pattern) {
    let id = format!("metg-1/{pattern}");
    let group = lab.group(
        &id,
        "How small may tasks be for one worker to spend half of its time on them?",
    );
    group.work(&format!("{WORK} `bare-loop` calls the same boxed closures in order, without an engine: what the tasks themselves cost."));
    describe(group, pattern)
        .baseline("bare-loop")
        .bound("bare-loop");
    for width in WIDTHS {
        let input = input(pattern, width);
        group.case("bare-loop", input.clone(), move || {
            let (_, tasks) = graph(pattern, width);
            let boxes = boxes(&tasks);
            search(tasks, 1, move || {
                let start = Instant::now();
                for work in &boxes {
                    work().map_err(|error| error.to_string())?;
                }
                Ok(start.elapsed())
            })
        });
        // On one worker the others are far from the loop.
        for strategy in [Strategy::Adaptive, Strategy::RayonLevel] {
            group.case(strategy, input.clone(), move || {
                schedule(strategy, 1, pattern, width)
            });
        }
    }
}

fn two_workers(lab: &mut Lab, pattern: Pattern) {
    let id = format!("metg-2/{pattern}");
    let group = lab.group(
        &id,
        "How small may tasks be for two workers to spend half of their time on them?",
    );
    group.work(&format!("{WORK} A search during which the distance of the cores changed (see `core-ping`) is repeated."));
    describe(group, pattern).baseline("work-stealing");
    for width in WIDTHS {
        for strategy in SCHEDULERS {
            group.case(strategy, input(pattern, width), move || {
                schedule(strategy, 2, pattern, width)
            });
        }
    }
}

/// What the groups have in common.
fn describe(group: &mut Group, pattern: Pattern) -> &mut Group {
    group.axis("tasks a step").unit("task").per_element();
    // Every search takes as long as several other cases.
    group.standard_limit(16);
    match pattern {
        Pattern::Stencil => group.quick_limit(16),
        _ => group.quick_limit(0),
    }
}

/// One iteration stands for one run of the graph.
fn input(pattern: Pattern, width: usize) -> Input {
    Input::number(width, pattern.shape(width, STEPS).len() as u64)
}

fn graph(pattern: Pattern, width: usize) -> (Shape, Arc<Tasks>) {
    let shape = pattern.shape(width, STEPS);
    let tasks = Tasks::new((0..shape.len()).map(|index| {
        let dependencies = shape.dependencies(index).iter();
        dependencies.map(|&dependency| dependency as usize)
    }));
    (shape, Arc::new(tasks))
}

/// The graph of these tasks; the only place that knows how one is built.
fn dag(shape: &Shape, tasks: &Arc<Tasks>) -> Dag {
    shape
        .build_without_ids(Bump::default(), |index| {
            let work = work(tasks, index);
            move |_: &Run<'_>| work()
        })
        .expect("a pattern is a graph without cycles")
}

type Work = Box<dyn Fn() -> Result<(), NodeError> + Send + Sync>;

/// The work of all tasks, in an order in which it can be done.
fn boxes(tasks: &Arc<Tasks>) -> Vec<Work> {
    (0..tasks.len())
        .map(|index| Box::new(work(tasks, index)) as Work)
        .collect()
}

fn work(
    tasks: &Arc<Tasks>,
    index: usize,
) -> impl Fn() -> Result<(), NodeError> + Send + Sync + use<> {
    let tasks = Arc::clone(tasks);
    move || Ok(tasks.work(index)?)
}

fn schedule(strategy: Strategy, workers: usize, pattern: Pattern, width: usize) -> Routine {
    let scheduler = strategy.scheduler(workers).expect("threads can be started");
    let (shape, tasks) = graph(pattern, width);
    let dag = dag(&shape, &tasks);
    let mut outcome = Outcome::new();
    search(tasks, workers, move || {
        timed(&*scheduler, &dag, &mut outcome)
    })
}

/// How long a run takes.
fn timed(scheduler: &dyn Scheduler, dag: &Dag, outcome: &mut Outcome) -> Result<Duration, String> {
    let start = Instant::now();
    scheduler.run_into(dag, outcome);
    let elapsed = start.elapsed();
    match outcome.failures().first() {
        Some(failure) => Err(failure.cause.to_string()),
        None if outcome.all_completed() => Ok(elapsed),
        None => Err(outcome.to_string()),
    }
}

/// Searches in the first iteration; `run` runs all tasks once.
fn search(
    tasks: Arc<Tasks>,
    workers: usize,
    mut run: impl FnMut() -> Result<Duration, String> + 'static,
) -> Routine {
    // Without this argument criterion only tries every case, which is no reason to search.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let mut found = None;
    let mut iteration = move || {
        if measuring && found.is_none() {
            found = Some(Tally::pause(|| {
                near_or_far(workers, || tasks.metg(workers, &mut run))
            })?);
        }
        let metg_ns = found.unwrap_or(0.0);
        // This run is counted.
        tasks.begin(1);
        run()?;
        tasks.check().map_err(|error| error.to_string())?;
        Ok(Duration::from_nanos((metg_ns * tasks.len() as f64) as u64))
    };
    Routine::timed(
        move |iterations| {
            let searched: Result<Duration, String> = (0..iterations).map(|_| iteration()).sum();
            (searched.clone().unwrap_or_default(), searched)
        },
        |searched| {
            if let Err(sentence) = searched {
                panic!("{sentence}");
            }
        },
    )
}

/// What `search` finds; with two workers the search is repeated, at most twice, while the cores
/// were at different distances before and after it.
fn near_or_far<T>(workers: usize, mut search: impl FnMut() -> T) -> T {
    if workers == 1 {
        return search();
    }
    let mut before = core_ping();
    for _ in 0..2 {
        let found = search();
        let after = core_ping();
        // The two distances of one machine were a factor of four apart, and a distance varied by
        // up to two (2-core x86-64 VM, 2026-11).
        let same = before.max(after) < 2 * before.min(after);
        // This long, it was no distance: another program had a core, and repeating does not help.
        let busy = before.max(after) > Duration::from_micros(5);
        if same || busy {
            return found;
        }
        before = after;
    }
    search()
}

fn ping(lab: &mut Lab) {
    let group = lab.group("core-ping", "How far is it from one core to another?");
    group
        .work("An iteration is a round trip of a cache line between two threads: 32 of them, the best of 16 attempts. Whatever two workers do together follows this time; on a virtual machine it may change from second to second.")
        .axis("cores")
        .unit("round trip");
    group.case("round-trip", Input::number(2, 1), || {
        Routine::timed(
            |iterations| {
                let trips = (0..iterations).map(|_| Tally::pause(core_ping));
                (trips.sum(), iterations)
            },
            |&iterations| assert!(iterations > 0),
        )
    });
}
