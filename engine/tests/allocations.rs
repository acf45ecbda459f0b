//! How often the engine allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use arena::Bump;
use engine::flow::FlowBuilder;
use engine::trace::Trace;
use engine::{
    Adaptive, Builder, Dag, IdBuilder, NodeId, Options, Outcome, Run, Scheduler, Sequential, Shape,
    shape,
};

/// Counts the allocations of each thread, growing one in place or by a move among them, and the
/// bytes it holds.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Whether the current thread's allocations are counted in `OF_WORKERS` too.
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
    /// Negative where memory of another thread is freed.
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

/// Allocations of all threads that have called [`count_this_thread`].
static OF_WORKERS: AtomicUsize = AtomicUsize::new(0);

fn count_this_thread() {
    IS_WORKER.set(true);
}

fn note_allocation() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    if IS_WORKER.get() {
        OF_WORKERS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting allocates nothing,
// because the counters are initialised at compile time and have no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note_allocation();
        LIVE_BYTES.set(LIVE_BYTES.get() + layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.set(LIVE_BYTES.get() - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `dealloc`; `System` made the allocation.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note_allocation();
        LIVE_BYTES.set(LIVE_BYTES.get() + new_size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `realloc`; `System` made the allocation.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

#[test]
fn chain_of_a_thousand_named_nodes_is_built_with_at_most_20_allocations() {
    let chain = shape::chain(1_000);
    let (allocations, dag) = count(|| {
        let mut graph = Builder::new();
        for (index, id) in chain.ids().iter().enumerate() {
            let dependencies = chain.dependencies(index).iter();
            let dependencies = dependencies.map(|&index| chain.ids()[index as usize].as_str());
            graph.node(id, dependencies, |_| Ok(())).unwrap();
        }
        graph.build().unwrap()
    });
    assert_eq!(dag.len(), 1_000);
    assert!(allocations <= 20, "{allocations} allocations");
}

/// A layered graph of closures that capture nothing, whose size is said in advance.
fn layered_by_number(nodes: usize) -> Dag {
    let shape = shape::layered(nodes, 1);
    let mut graph = IdBuilder::with_capacity(nodes, shape.edge_count());
    for node in 0..nodes {
        let dependencies = shape.dependencies(node).iter();
        let dependencies = dependencies.map(|&dependency| NodeId::from_index(dependency));
        graph.node(dependencies, |_| Ok(())).unwrap();
    }
    graph.build().unwrap()
}

#[test]
fn allocations_of_a_graph_without_names_do_not_grow_with_its_nodes() {
    let (small, dag) = count(|| layered_by_number(100));
    assert_eq!(dag.len(), 100);
    // The shape allocates by itself: an id a node, and lists.
    let of_shape = |nodes| count(|| shape::layered(nodes, 1)).0;
    let small = small - of_shape(100);
    let (large, dag) = count(|| layered_by_number(10_000));
    assert_eq!(dag.len(), 10_000);
    assert_eq!(large - of_shape(10_000), small);
}

#[test]
fn layered_graph_holds_at_most_48_bytes_a_node() {
    for nodes in [100, 10_000] {
        let before = LIVE_BYTES.get();
        let dag = layered_by_number(nodes);
        let held = (LIVE_BYTES.get() - before) as usize;
        assert_eq!(dag.len(), nodes);
        // What a graph holds however small it is: its arena and the end of a chunk.
        let fixed = 1_024;
        assert!(
            held <= 48 * nodes + fixed,
            "{held} bytes for {nodes} nodes and {} edges",
            dag.edge_count()
        );
    }
}

#[test]
fn second_run_on_one_thread_allocates_nothing() {
    let dag = shape::layered(1_000, 1)
        .build(Bump::default(), |_| |_: &Run<'_>| Ok(()))
        .unwrap();
    let adaptive = Adaptive::new(1).unwrap();
    for scheduler in [&Sequential as &dyn Scheduler, &adaptive] {
        let mut outcome = Outcome::new();
        scheduler.run_into(&dag, &mut outcome);
        let (allocations, ()) = count(|| scheduler.run_into(&dag, &mut outcome));
        assert_eq!(allocations, 0, "{}", scheduler.name());
        assert!(outcome.all_completed());
    }
}

/// A graph whose nodes take so many rounds of a loop and have their threads counted.
fn spending(shape: &Shape, rounds: u32) -> Dag {
    let work = |_| {
        move |_: &Run<'_>| {
            count_this_thread();
            (0..rounds).for_each(|round| _ = black_box(round));
            Ok(())
        }
    };
    shape.build(Bump::default(), work).unwrap()
}

/// Lists grow by doubling, so there is a most that they can do it, however many runs there are: two
/// lists of nodes for each worker, and once the counters of the outcome. One allocation a run is far
/// more than that.
#[test]
fn lists_of_workers_grow_and_nothing_else_allocates_in_runs_that_are_shared() {
    const RUNS: usize = 2_000;
    let nodes = 200;
    for workers in [1, 2, 4] {
        let schedulers = [Adaptive::new(workers), Adaptive::eager(workers)];
        for scheduler in schedulers.map(Result::unwrap) {
            for shape in [shape::independent(nodes), shape::layered(nodes, 1)] {
                // Of some nanoseconds, and of about a microsecond.
                for rounds in [0, 3_000] {
                    let dag = spending(&shape, rounds);
                    let mut outcome = Outcome::new();
                    scheduler.run_into(&dag, &mut outcome);
                    let before = OF_WORKERS.load(Ordering::Relaxed);
                    for _ in 0..RUNS / if rounds > 0 { 4 } else { 1 } {
                        scheduler.run_into(&dag, &mut outcome);
                    }
                    let allocations = OF_WORKERS.load(Ordering::Relaxed) - before;
                    let growths = nodes.ilog2() as usize + 1;
                    let most = workers * 2 * growths + 1;
                    assert!(
                        allocations <= most,
                        "{allocations} allocations, at most {most}"
                    );
                    assert!(outcome.all_completed());
                }
            }
        }
    }
}

#[test]
fn second_run_of_a_flow_of_plain_values_allocates_nothing() {
    let mut flow = FlowBuilder::new();
    let first = flow.input("first").unwrap();
    let mut last = first;
    for index in 0..100 {
        let inputs = (first, last);
        let work = |_: &Run<'_>, (first, last): (&u64, &u64)| Ok(first + last);
        last = flow.node(&index.to_string(), inputs, work).unwrap();
    }
    let flow = flow.build().unwrap();
    let mut outputs = flow.outputs();
    outputs.set(first, 1);
    flow.run_into(&Sequential, &mut outputs);
    let (allocations, ()) = count(|| {
        outputs.set(first, 2);
        flow.run_into(&Sequential, &mut outputs);
    });
    assert_eq!(allocations, 0);
    assert_eq!(outputs.get(last), Some(&202));
}

#[test]
fn recording_a_trace_allocates_nothing_even_when_it_is_full() {
    let dag = shape::layered(1_000, 1)
        .build(Bump::default(), |_| |_: &Run<'_>| Ok(()))
        .unwrap();
    let mut outcome = Outcome::new();
    Sequential.run_into(&dag, &mut outcome);
    for (room, dropped) in [(1_000, 0), (500, 1_000 - 640)] {
        let mut trace = Trace::with_capacity(1, room);
        let options = Options {
            observer: Some(&trace),
            ..Options::default()
        };
        let (allocations, ()) = count(|| Sequential.run_with(&dag, &options, &mut outcome));
        assert_eq!(allocations, 0);
        // Room comes in chunks of 128, of which every worker may leave one empty.
        assert_eq!(trace.finish().dropped, dropped);
    }
}
