//! What the counting allocator promises.
//!
//! A program without the test harness, whose own threads would be counted too. The checks run one
//! after the other.

use std::alloc::System;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, Mutex};
use std::thread;

use bench_harness::{Counts, Tally};

#[global_allocator]
static ALLOCATOR: Tally = Tally(System);

fn main() {
    nothing_is_counted_when_nothing_is_allocated();
    single_allocations_are_counted_exactly();
    reallocations_count_what_they_grow_by();
    vector_that_grows_is_counted_as_its_reallocations();
    zeroed_memory_counts_as_any_other();
    peak_of_one_thread_is_exact();
    peak_remembers_small_steps();
    older_memory_that_is_freed_takes_nothing_from_the_peak();
    what_is_done_in_a_pause_is_not_counted();
    panic_ends_the_counting();
    panic_in_a_pause_ends_the_counting();
    counting_within_a_counting_is_refused();
    memory_freed_by_another_thread_is_counted_once();
    threads_are_counted_exactly_and_their_peak_within_the_bound();
    short_lived_threads_are_counted_exactly();
    // All slots are taken by now.
    threads_are_counted_exactly_and_their_peak_within_the_bound();
    memory_freed_by_another_thread_is_counted_once();
    peak_of_one_thread_is_exact();
    println!("all checks of the counting allocator passed");
}

/// Counts `work`; checks calls, reallocations, bytes, peak and live bytes.
#[track_caller]
fn check<T>(work: impl FnOnce() -> T, expected: (u64, u64, u64, u64, i64)) -> T {
    let (value, counts) = Tally::count(work);
    let actual = (
        counts.count,
        counts.reallocations,
        counts.bytes,
        counts.peak_bytes,
        counts.live_bytes,
    );
    assert_eq!(actual, expected);
    value
}

/// A block that the compiler cannot leave out.
fn block(bytes: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(bytes))
}

fn nothing_is_counted_when_nothing_is_allocated() {
    drop(block(100));
    check(|| (), (0, 0, 0, 0, 0));
    let (_, counts) = Tally::count(|| ());
    assert_eq!(counts.threads, 0);
}

fn single_allocations_are_counted_exactly() {
    check(|| drop(black_box(Box::new([0_u8; 64]))), (1, 0, 64, 64, 0));
    let kept = check(|| black_box(Box::new(7_u64)), (1, 0, 8, 8, 8));
    check(|| drop(kept), (0, 0, 0, 0, -8));
    check(
        || drop(black_box(String::from("twelve bytes"))),
        (1, 0, 12, 12, 0),
    );
    let (_, counts) = Tally::count(|| drop(block(1)));
    assert_eq!(counts.threads, 1);
}

fn reallocations_count_what_they_grow_by() {
    check(
        || {
            let mut bytes = block(100);
            bytes.push(1);
            bytes.shrink_to(40);
            bytes.reserve_exact(299);
            black_box(&bytes);
            bytes.shrink_to(1);
            bytes
        },
        (4, 3, 100 + 260, 300, 1),
    );
    // Other blocks come and go between the steps.
    check(
        || {
            let mut outer = block(1_000);
            let inner = block(50);
            outer.reserve_exact(2_000);
            drop(inner);
            outer.shrink_to(10);
            drop(block(500));
        },
        (5, 2, 1_000 + 50 + 1_000 + 500, 2_050, 0),
    );
}

fn vector_that_grows_is_counted_as_its_reallocations() {
    let numbers = check(
        || {
            let mut numbers = Vec::new();
            for number in 0..1_000_u64 {
                numbers.push(black_box(number));
            }
            numbers
        },
        (9, 8, 8 * 1_024, 8 * 1_024, 8 * 1_024),
    );
    assert_eq!(numbers.capacity(), 1_024);
}

fn zeroed_memory_counts_as_any_other() {
    check(
        || drop(black_box(vec![0_u8; 4_096])),
        (1, 0, 4_096, 4_096, 0),
    );
}

fn peak_of_one_thread_is_exact() {
    check(
        || {
            let small = block(3);
            let large = block(1 << 20);
            drop(small);
            drop(block(10));
            drop(large);
            // Below the peak, over many batches.
            for _ in 0..100 {
                drop(block(100_000));
            }
        },
        (103, 0, 3 + (1 << 20) + 10 + 10_000_000, (1 << 20) + 10, 0),
    );
}

fn peak_remembers_small_steps() {
    let mut blocks = Vec::with_capacity(1_000);
    check(
        || {
            // Up by 1 000 blocks of 100 bytes, down, and up to one block less.
            blocks.extend((0..1_000).map(|_| block(100)));
            blocks.clear();
            blocks.extend((0..999).map(|_| block(100)));
            blocks.clear();
        },
        (1_999, 0, 199_900, 100_000, 0),
    );
}

fn older_memory_that_is_freed_takes_nothing_from_the_peak() {
    let old = block(1 << 20);
    check(
        || {
            drop(old);
            drop(block(500));
        },
        (1, 0, 500, 0, -(1 << 20)),
    );
    let old = block(100);
    check(
        || {
            let new = block(70);
            drop(old);
            drop(new);
        },
        (1, 0, 70, 70, -100),
    );
}

fn what_is_done_in_a_pause_is_not_counted() {
    check(
        || {
            let input = Tally::pause(|| block(1_000));
            let output = block(10);
            drop(input);
            Tally::pause(|| drop(output));
            drop(block(5));
        },
        (2, 0, 15, 10, 10 - 1_000),
    );
    Tally::pause(|| drop(block(1)));
    check(|| (), (0, 0, 0, 0, 0));
}

fn panic_ends_the_counting() {
    let panicked = silently(|| Tally::count(|| panic!("expected")).1);
    assert!(panicked, "the panic is passed on");
    let before = block(100);
    check(|| (), (0, 0, 0, 0, 0));
    drop(before);
}

fn panic_in_a_pause_ends_the_counting() {
    let panicked = silently(|| Tally::count(|| Tally::pause(|| panic!("expected"))).1);
    assert!(panicked, "the panic is passed on");
    check(|| (), (0, 0, 0, 0, 0));
}

fn counting_within_a_counting_is_refused() {
    let ((), counts) = Tally::count(|| {
        let refused = Tally::pause(|| silently(|| Tally::count(|| ()).1));
        assert!(refused, "counts of two countings would be mixed");
        drop(block(20));
    });
    assert_eq!(
        (counts.count, counts.bytes),
        (1, 20),
        "the outer counting goes on"
    );
}

/// Whether `work` panics; the message is not printed.
fn silently<T>(work: impl FnOnce() -> T) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let panicked = catch_unwind(AssertUnwindSafe(work)).is_err();
    std::panic::set_hook(hook);
    panicked
}

/// Counts `work` while `threads` threads, started before, wait for it to call `meet` and then do
/// `theirs`.
fn count_beside(threads: usize, theirs: impl Fn() + Sync, work: impl FnOnce(&dyn Fn())) -> Counts {
    let barrier = Barrier::new(threads + 1);
    let meet = || {
        barrier.wait();
    };
    thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    meet();
                    meet();
                    theirs();
                    meet();
                    meet();
                })
            })
            .collect();
        // What it takes to start and to end a thread is outside the counting.
        meet();
        let ((), counts) = Tally::count(|| {
            work(&meet);
            meet();
        });
        meet();
        // A scope waits for what its threads run but not for their end, where they free memory.
        for handle in handles {
            handle.join().unwrap();
        }
        counts
    })
}

fn memory_freed_by_another_thread_is_counted_once() {
    const BLOCKS: usize = 1_000;
    let blocks = Mutex::new(Vec::with_capacity(BLOCKS));
    let free = || blocks.lock().unwrap().clear();
    let counts = count_beside(1, free, |meet| {
        blocks
            .lock()
            .unwrap()
            .extend((0..BLOCKS).map(|_| block(100)));
        meet();
    });
    assert_eq!((counts.count, counts.bytes), (1_000, 100_000));
    assert_eq!((counts.live_bytes, counts.threads), (0, 2));
    let error = counts.peak_bytes.abs_diff(100_000);
    assert!(error <= 3 * 8 * 1_024, "the peak is {error} bytes off");
}

fn threads_are_counted_exactly_and_their_peak_within_the_bound() {
    const THREADS: usize = 4;
    const BLOCKS: usize = 10_000;
    let [full, empty] = [THREADS; 2].map(Barrier::new);
    let fill = || {
        for _ in 0..2 {
            let mut blocks = Vec::with_capacity(BLOCKS);
            blocks.extend((0..BLOCKS).map(|_| block(64)));
            full.wait();
            drop(blocks);
            empty.wait();
        }
    };
    let counts = count_beside(THREADS, fill, |meet| meet());
    // Each thread fills a vector of 24 bytes a block twice.
    let (live, threads) = (THREADS * BLOCKS * (64 + 24), THREADS as u64);
    assert_eq!(counts.count, 2 * (THREADS * (BLOCKS + 1)) as u64);
    assert_eq!(counts.bytes, 2 * live as u64);
    assert_eq!((counts.live_bytes, counts.threads), (0, threads));
    let error = counts.peak_bytes.abs_diff(live as u64);
    assert!(
        error <= (threads + 1) * 8 * 1_024,
        "the peak is {error} bytes off"
    );
}

fn short_lived_threads_are_counted_exactly() {
    const THREADS: u64 = 3_000;
    let run = |blocks: usize| {
        let work = move || (0..blocks).for_each(|_| drop(block(24)));
        let ((), counts) = Tally::count(|| {
            for _ in 0..THREADS {
                thread::spawn(work).join().unwrap();
            }
        });
        counts
    };
    // The first thread that is started sets up more than the others.
    thread::spawn(|| ()).join().unwrap();
    let (idle, busy) = (run(0), run(10));
    assert_eq!(busy.count - idle.count, 10 * THREADS);
    assert_eq!(busy.bytes - idle.bytes, 240 * THREADS);
    assert_eq!((busy.live_bytes, idle.live_bytes), (0, 0));
    assert_eq!(
        busy.threads,
        THREADS + 1,
        "the threads and the one that starts them"
    );
}
