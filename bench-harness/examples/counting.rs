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
///
/// The threads live through all rounds: each that is ever counted has a slot, of which there is an end.
fn pair_ns(threads: usize) -> [f64; 3] {
    let together = Barrier::new(threads);
    let timed = |allocator: &dyn Fn()| {
        together.wait();
        let start = Instant::now();
        allocator();
        let elapsed_ns = start.elapsed().as_nanos() as f64 / BLOCKS as f64;
        together.wait();
        elapsed_ns
    };
    let system = || timed(&|| blocks(&System));
    let tally = || timed(&|| blocks(&Tally(System)));
    let counted = || {
        let (on, counts) = Tally::count(tally);
        assert_eq!(
            counts.count,
            (threads * BLOCKS) as u64,
            "every block counts"
        );
        on
    };
    let times: Vec<Vec<[f64; 3]>> = std::thread::scope(|scope| {
        let other = || (0..ROUNDS).map(|_| [system(), tally(), tally()]).collect();
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(other)).collect();
        let own = (0..ROUNDS)
            .map(|_| [system(), tally(), counted()])
            .collect();
        let others = others
            .into_iter()
            .map(|other| other.join().expect("no thread panics"));
        std::iter::once(own).chain(others).collect()
    });
    // A round takes as long as its slowest thread.
    let slowest = |round: usize, way: usize| {
        times
            .iter()
            .map(|times| times[round][way])
            .fold(0.0, f64::max)
    };
    let rounds = (0..ROUNDS).map(|round| [0, 1, 2].map(|way| slowest(round, way)));
    let rounds: Vec<[f64; 3]> = rounds.collect();
    let median = |figure: &dyn Fn(&[f64; 3]) -> f64| {
        let figures: Vec<f64> = rounds.iter().map(figure).collect();
        stats::median(&figures).expect("there are rounds")
    };
    [
        median(&|[system, ..]| *system),
        median(&|[system, off, _]| off - system),
        median(&|[system, _, on]| on - system),
    ]
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
