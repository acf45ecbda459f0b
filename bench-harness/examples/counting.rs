//! What does it cost an allocation to be counted, alone and beside other threads?
//!
//! `cargo run --release -p bench-harness --example counting` prints, for a block of 64 bytes that is
//! allocated and freed, what [`Tally`] adds to the system's allocator while it counts and while it
//! does not. Rounds of all three ways take turns, and the medians of their differences are printed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use bench_harness::{Tally, stats};

/// Blocks of a round.
const BLOCKS: usize = 10_000;

/// Rounds of each way.
const ROUNDS: usize = 501;

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("64 bytes allocated and freed, ns");
    println!("threads  system  not counting  counting");
    for threads in [1, cores] {
        let [system, off, on] = pair_ns(threads);
        println!("{threads:>7}  {system:>6.2}  {off:>+12.2}  {on:>+8.2}");
        if cores == 1 {
            break;
        }
    }
}

/// What a block takes by the system's allocator, and what [`Tally`] adds while it does not count and
/// while it does, on so many threads at once.
fn pair_ns(threads: usize) -> [f64; 3] {
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let system = round(threads, &System);
        let off = round(threads, &Tally(System));
        let (on, counts) = Tally::count(|| round(threads, &Tally(System)));
        assert_eq!(
            counts.count,
            (threads * BLOCKS) as u64,
            "every block counts"
        );
        figures[0].push(system);
        figures[1].push(off - system);
        figures[2].push(on - system);
    }
    figures.map(|figures| stats::median(&figures).expect("there are rounds"))
}

/// Mean time of a block in the slowest of so many threads, in nanoseconds.
fn round(threads: usize, allocator: &(impl GlobalAlloc + Sync)) -> f64 {
    let together = Barrier::new(threads);
    let one = || {
        together.wait();
        let start = Instant::now();
        blocks(allocator);
        start.elapsed().as_nanos() as f64 / BLOCKS as f64
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        let own = one();
        let others = others
            .into_iter()
            .map(|other| other.join().expect("no thread panics"));
        others.fold(own, f64::max)
    })
}

fn blocks(allocator: &impl GlobalAlloc) {
    let layout = Layout::new::<[u64; 8]>();
    for _ in 0..BLOCKS {
        // SAFETY: the layout has a size.
        let block = black_box(unsafe { allocator.alloc(black_box(layout)) });
        assert!(!block.is_null(), "there are 64 bytes");
        // SAFETY: the block is freed once, with the allocator and the layout that it came from.
        unsafe { allocator.dealloc(block, layout) };
    }
}
