//! How often the engine allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use arena::Bump;
use engine::flow::FlowBuilder;
use engine::{Builder, Outcome, Run, Scheduler, Sequential, shape};

/// Counts the allocations of each thread; growing one in place or by a move counts too.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting allocates nothing,
// because the counter is initialised at compile time and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; `System` made the allocation.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
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
