//! The same cases for every global allocator.
//!
//! A program has one global allocator, so each has a bench binary of its own in `benches/`. They
//! fill one group between them: a series is an allocator.

use std::alloc::{GlobalAlloc, Layout, alloc, dealloc, realloc};
use std::collections::HashMap;
use std::mem::{self, MaybeUninit};
use std::sync::Mutex;

use bench_harness::{Input, Lab, Rotation, Routine, race};

/// Objects of one size that are allocated before they are freed.
const BATCH: usize = 1_000;

/// Objects of mixed sizes that one iteration allocates, and nodes that it builds.
const MANY: usize = 10_000;

/// Adds the cases of the program's global allocator, called `allocator` in the report.
pub fn suite(lab: &mut Lab, allocator: &'static str) {
    if let Some(allocation) = lab.workload().and_then(|workload| workload.allocation) {
        let group = allocation.group(lab);
        group.case(allocator, allocation.input(), move || {
            allocation.cycles(|| Linked, |_| ())
        });
    }
    let group = lab.section("Global allocators").group(
        "global-alloc",
        "What if a program just links another allocator?",
    );
    group
        .work("Time of an object that is allocated and freed. `64 B` and `1 KiB`: 1 000 objects of a size known at compile time, first 8 bytes written, freed in the order in which they were allocated. `mixed`: 1 000 objects are live, each of 10 000 steps frees one at random and allocates another of 16 B to 4 KiB, small ones more often. `freed-elsewhere`: two threads allocate 1 000 objects of 64 B each and free those of the other. `graph`: a hash map of 10 000 names to boxed nodes, each with a vector of 0 to 8 edges, is built and dropped; an object is a node with up to three allocations. Every allocator is a program of its own.")
        .axis("what is allocated")
        .unit("object")
        .per_element()
        .baseline("system")
        .quick_limit(BATCH as u64)
        .standard_limit(MANY as u64);
    group.case(allocator, Input::new("64 B", BATCH as u64), same::<56>);
    // Left to the full profile: it is the input that says least.
    let larger = Input::new("1 KiB", BATCH as u64).sized(2 * MANY as u64);
    group.case(allocator, larger, same::<1_016>);
    group.case(allocator, Input::new("mixed", MANY as u64), mixed);
    let both = Input::new("freed-elsewhere", 2 * BATCH as u64).sized(MANY as u64);
    group.case(allocator, both, freed_elsewhere);
    group.case(allocator, Input::new("graph", MANY as u64), graph);
}

/// The global allocator, whichever it is.
struct Linked;

// SAFETY: every method hands the contract on.
unsafe impl GlobalAlloc for Linked {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { realloc(block, layout, new_size) }
    }
}

/// An object of 8 bytes and `REST` more, which are not written.
struct Object<const REST: usize> {
    number: u64,
    _rest: MaybeUninit<[u8; REST]>,
}

fn object<const REST: usize>(number: usize) -> Box<Object<REST>> {
    Box::new(Object {
        number: number as u64,
        _rest: MaybeUninit::uninit(),
    })
}

/// Frees `objects`, the oldest first, and returns the sum of their numbers.
fn free<const REST: usize>(objects: &mut Vec<Box<Object<REST>>>) -> u64 {
    objects.drain(..).map(|object| object.number).sum()
}

/// The sum of the numbers of a batch.
const BATCH_SUM: u64 = (BATCH * (BATCH - 1) / 2) as u64;

fn same<const REST: usize>() -> Routine {
    let mut objects = Vec::with_capacity(BATCH);
    Routine::new(
        move || {
            objects.extend((0..BATCH).map(object::<REST>));
            free(&mut objects)
        },
        |sum| assert_eq!(*sum, BATCH_SUM),
    )
}

/// A block that is put into `slot` in place of the one that is there.
struct Step {
    slot: usize,
    bytes: usize,
}

fn steps(seed: u64) -> Vec<Step> {
    let mut random = oorandom::Rand64::new(seed.into());
    (0..MANY)
        .map(|_| Step {
            slot: random.rand_range(0..BATCH as u64) as usize,
            // Every doubling of the size is as likely as any other.
            bytes: (4.0 + 8.0 * random.rand_float()).exp2() as usize,
        })
        .collect()
}

fn mixed() -> Routine {
    let mut inputs = Rotation::new(MANY, steps);
    let mut blocks: Vec<Vec<u8>> = (0..BATCH).map(|_| vec![0, 0]).collect();
    Routine::new(
        move || {
            let mut whole = 0;
            for (number, step) in inputs.turn().iter().enumerate() {
                let mut block = Vec::with_capacity(step.bytes);
                // A block that overlapped another would be found when it is freed.
                block.extend([number as u8; 2]);
                let old = mem::replace(&mut blocks[step.slot], block);
                whole += usize::from(old[0] == old[1]);
            }
            whole
        },
        |whole| assert_eq!(*whole, MANY),
    )
}

fn freed_elsewhere() -> Routine {
    let mailboxes: [Mutex<Vec<Box<Object<56>>>>; 2] = Default::default();
    Routine::timed(
        move |iterations| {
            let (elapsed, sums) = race(2, |thread| {
                let lock = |thread: usize| mailboxes[thread].lock().expect("no thread panics");
                let mut sum = 0;
                let mut objects = Vec::with_capacity(BATCH);
                for _ in 0..iterations {
                    objects.extend((0..BATCH).map(object));
                    lock(1 - thread).append(&mut objects);
                    // What arrives later is freed in the next iteration.
                    let mut received = mem::take(&mut *lock(thread));
                    sum += free(&mut received);
                }
                sum
            });
            let late: u64 = mailboxes
                .iter()
                .map(|mailbox| free(&mut mailbox.lock().expect("no thread panics")))
                .sum();
            (elapsed, (iterations, sums[0] + sums[1] + late))
        },
        |&(iterations, sum)| assert_eq!(sum, 2 * iterations * BATCH_SUM),
    )
}

/// A node of a graph as it is written without an arena.
struct Node {
    number: u64,
    edges: Vec<u32>,
}

fn graph() -> Routine {
    let mut inputs = Rotation::new(MANY, |seed| {
        let mut random = oorandom::Rand64::new(seed.into());
        (0..MANY)
            .map(|number| (format!("node-{number:05}"), random.rand_range(0..9) as u32))
            .collect::<Vec<_>>()
    });
    Routine::new(
        move || {
            let mut graph = HashMap::new();
            let mut edges = 0;
            for (number, (name, count)) in inputs.turn().iter().enumerate() {
                let node = Box::new(Node {
                    number: number as u64,
                    edges: (0..*count).map(|edge| number as u32 + edge).collect(),
                });
                edges += node.edges.len();
                graph.insert(name.clone(), node);
            }
            let last = graph.get("node-09999").map_or(0, |node| node.number);
            (graph.len(), last, edges)
        },
        |&(nodes, last, edges)| {
            assert_eq!((nodes, last), (MANY, MANY as u64 - 1));
            assert!(edges > 3 * MANY && edges < 5 * MANY, "{edges} edges");
        },
    )
}
