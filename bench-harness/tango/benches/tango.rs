//! What does tango say of the cases of our suites?
//!
//! One program with the suites whose cases run mostly on one thread, compiled from their own files.
//! Tango starts it twice and lets both processes take each sample at the same time.

// In the suites.
extern crate tango_driver as bench_harness;

#[path = "../../benches/arena.rs"]
mod arena;
#[path = "../../benches/dag.rs"]
mod dag;
#[path = "../../benches/intern.rs"]
mod intern;
#[path = "../../benches/micro.rs"]
mod micro;
#[path = "../../benches/node.rs"]
mod node;

use std::alloc::System;
use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;

use tango_bench::{ErasedSampler, benchmark_fn, cli};
use tango_driver::server::Turn;
use tango_driver::{Lab, Tally};

/// As in the suites' own programs.
#[global_allocator]
static ALLOCATOR: Tally<System> = Tally(System);

fn main() -> cli::Result<ExitCode> {
    let mut lab = Lab::default();
    for suite in [
        arena::SUITE,
        dag::SUITE,
        intern::SUITE,
        micro::SUITE,
        node::SUITE,
    ] {
        suite(&mut lab);
    }
    let benchmarks = lab.turns().map(|(case, turn)| {
        let turn = Rc::new(RefCell::new(turn));
        benchmark_fn(case.to_string(), move |_| {
            Box::new(Sampler(Rc::clone(&turn)))
        })
    });
    cli::run(benchmarks.collect())
}

/// A case that is set up once, although tango asks for it first to choose the number of iterations
/// and then to measure.
struct Sampler<T>(Rc<RefCell<T>>);

impl<T: FnMut(u64) -> Turn> ErasedSampler for Sampler<T> {
    fn measure(&mut self, iterations: usize) -> u64 {
        self.0.borrow_mut()(iterations as u64).wall_ns
    }
}
