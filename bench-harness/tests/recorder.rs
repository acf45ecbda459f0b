//! What the recording allocator promises.
//!
//! A program without the test harness, whose own threads would be recorded too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};
use std::thread;

use bench_harness::trace::Blocks;
use bench_harness::{Recorder, Trace};

#[global_allocator]
static ALLOCATOR: Recorder<Handing> = Recorder(Handing);

/// The system's allocator; but what is reallocated with the alignment [`HANDED`] goes to another
/// thread, which waits for it, before the call returns.
struct Handing;

const HANDED: usize = 1 << 12;

/// The block that is handed over, until it is taken.
static BLOCK: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

// SAFETY: a block is handed over after its owner gave it back and has the layout that is asked for;
// everything else is done by `System`.
unsafe impl GlobalAlloc for Handing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() == HANDED && WAITS.get() {
            loop {
                // `Acquire` pairs with the `Release` of who hands it over.
                let block = BLOCK.swap(ptr::null_mut(), Ordering::Acquire);
                if !block.is_null() {
                    return block;
                }
                thread::yield_now();
            }
        }
        // SAFETY: the contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the contract is the same.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.align() == HANDED {
            BLOCK.store(block, Ordering::Release);
            while !BLOCK.load(Ordering::Acquire).is_null() {
                thread::yield_now();
            }
            // Time for the other thread to record what it got, if it may.
            (0..1_000).for_each(|_| thread::yield_now());
            let layout = Layout::from_size_align(new_size, HANDED).expect("a small size");
            // SAFETY: the size is not 0.
            return unsafe { System.alloc(layout) };
        }
        // SAFETY: the contract is the same.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

thread_local! {
    /// Whether this thread waits for the block that is handed over.
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

fn main() {
    calls_are_recorded_in_their_order();
    blocks_from_before_are_left_out();
    nothing_is_recorded_afterwards();
    panic_ends_the_recording();
    block_that_is_reused_before_a_reallocation_returns_is_another_one();
    blocks_handed_between_threads_keep_their_ids();
    calls_beyond_the_room_are_counted();
    println!("all checks of the recording allocator passed");
}

/// The text of a trace, but for its first line.
fn lines(trace: &Trace) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.trace");
    trace.write(&path).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

fn block(bytes: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(bytes))
}

fn calls_are_recorded_in_their_order() {
    let (kept, trace) = Recorder::record(|| {
        let mut first = block(100);
        let second = block(7);
        first.reserve_exact(300);
        drop(second);
        drop(black_box(vec![0_u64; 4]));
        first
    });
    let expected = [
        "a 100 1 0",
        "a 7 1 0",
        "r 0 300 0",
        "f 1 0",
        "a 32 8 0",
        "f 2 0",
        "end 0",
    ];
    assert_eq!(lines(&trace), expected);
    drop(kept);
}

fn blocks_from_before_are_left_out() {
    let (old, mut grown) = (block(10), block(20));
    let (_, trace) = Recorder::record(|| {
        drop(old);
        grown.reserve_exact(40);
    });
    // What grows is new to the trace.
    assert_eq!(lines(&trace), ["a 40 1 0", "end 0"]);
}

fn nothing_is_recorded_afterwards() {
    drop(block(5));
    let ((), trace) = Recorder::record(|| ());
    assert_eq!((trace.blocks(), trace.calls(), trace.threads()), (0, 0, 0));
}

fn panic_ends_the_recording() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let outer = catch_unwind(|| Recorder::record(|| panic!("expected")).0);
    let (inner, _) =
        Recorder::record(|| catch_unwind(AssertUnwindSafe(|| Recorder::record(|| ()))).is_err());
    std::panic::set_hook(hook);
    assert!(outer.is_err(), "the panic is passed on");
    assert!(inner, "two recordings would be mixed");
    let (_, trace) = Recorder::record(|| drop(block(5)));
    assert_eq!(lines(&trace), ["a 5 1 0", "f 0 0", "end 0"]);
}

fn block_that_is_reused_before_a_reallocation_returns_is_another_one() {
    let layout = Layout::from_size_align(HANDED, HANDED).unwrap();
    let ready = Barrier::new(2);
    let ((), trace) = thread::scope(|scope| {
        let other = scope.spawn(|| {
            WAITS.set(true);
            ready.wait();
            // SAFETY: the size is not 0.
            let block = unsafe { ALLOCATOR.alloc(layout) };
            // SAFETY: just allocated.
            unsafe { ALLOCATOR.dealloc(block, layout) };
            ready.wait();
        });
        ready.wait();
        let recorded = Recorder::record(|| {
            // SAFETY: the size is not 0.
            let block = unsafe { ALLOCATOR.alloc(layout) };
            // SAFETY: just allocated.
            let block = unsafe { ALLOCATOR.realloc(block, layout, 2 * HANDED) };
            let larger = Layout::from_size_align(2 * HANDED, HANDED).unwrap();
            // SAFETY: reallocated to this layout.
            unsafe { ALLOCATOR.dealloc(block, larger) };
            ready.wait();
        });
        other.join().unwrap();
        recorded
    });
    let mut lines = lines(&trace);
    // What follows the reallocation comes in any order.
    lines[2..5].sort();
    let expected = [
        "a 4096 4096 0",
        "r 0 8192 0",
        "a 4096 4096 1",
        "f 0 0",
        "f 1 1",
        "end 0",
    ];
    assert_eq!(lines, expected);
}

fn blocks_handed_between_threads_keep_their_ids() {
    const BLOCKS: usize = 20_000;
    const THREADS: usize = 4;
    let (sums, trace) = Recorder::record(|| {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| channel::<Vec<u8>>()).unzip();
        let receivers: Vec<_> = receivers
            .into_iter()
            .map(|one| Mutex::new(Some(one)))
            .collect();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let next = senders[(thread + 1) % THREADS].clone();
                let receiver = receivers[thread].lock().unwrap().take().unwrap();
                scope.spawn(move || {
                    for number in 0..BLOCKS {
                        // Large enough for the system to hand the memory of one thread to another.
                        // Who receives may be done already.
                        let _ = next.send(vec![thread as u8; 2_000 + number % 64]);
                        if let Ok(mut received) = receiver.try_recv() {
                            received.reserve_exact(5_000);
                        }
                    }
                    drop(next);
                    BLOCKS
                });
            }
            drop(senders);
        });
        BLOCKS * THREADS
    });
    assert_eq!(sums, BLOCKS * THREADS);
    assert!(trace.blocks() >= BLOCKS * THREADS, "{}", trace.blocks());
    assert!(trace.threads() > THREADS, "{}", trace.threads());
    // Reading checks that no block is used before it is allocated or after it is freed.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.trace");
    trace.write(&path).unwrap();
    assert_eq!(Trace::read(&path).unwrap(), trace);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = |kind| text.lines().filter(|line| line.starts_with(kind)).count();
    // An address that was taken for another block's would leave that one behind. Threads leave a few.
    let kept = trace.blocks() - lines("f ");
    assert!(kept < 50, "{kept} blocks are never freed");
    let whole = trace.replay(&System, &mut Blocks::of(&trace));
    assert_eq!(whole, trace.blocks() + lines("r "));
}

fn calls_beyond_the_room_are_counted() {
    const ROOM: usize = 1 << 22;
    let layout = Layout::new::<u64>();
    let (block, trace) = Recorder::record(|| {
        // SAFETY: the size is not 0.
        let block = unsafe { ALLOCATOR.alloc(layout) };
        for _ in 0..ROOM / 2 {
            drop(black_box(Box::new(7_u64)));
        }
        block
    });
    assert_eq!((trace.calls(), trace.missed()), (ROOM, 1));
    // SAFETY: allocated above, with this layout.
    unsafe { ALLOCATOR.dealloc(block, layout) };
}
