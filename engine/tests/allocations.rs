//! How often the engine allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use arena::Bump;
use engine::flow::FlowBuilder;
use engine::trace::Trace;
use engine::{
    Builder, Dag, IdBuilder, NodeId, Options, Outcome, Run, Scheduler, Sequential, shape,
};

/// Counts the allocations of each thread, growing one in place or by a move among them, and the
/// bytes it holds.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Negative where memory of another thread is freed.
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting allocates nothing,
// because the counter is initialised at compile time and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
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
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
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
fn second_sequential_run_allocates_nothing() {
    let dag = shape::layered(1_000, 1)
        .build(Bump::default(), |_| |_: &Run<'_>| Ok(()))
        .unwrap();
    let mut outcome = Outcome::new();
    Sequential.run_into(&dag, &mut outcome);
    let (allocations, ()) = count(|| Sequential.run_into(&dag, &mut outcome));
    assert_eq!(allocations, 0);
    assert!(outcome.all_completed());
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
