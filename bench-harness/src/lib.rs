//! The measuring side of the lab: cases defined once, driven by criterion and by a counting pass.
//!
//! A bench file describes its cases and hands them to [`main!`]:
//!
//! ```
//! //! How long does a sum take?
//! use bench_harness::{Lab, Routine};
//!
//! fn suite(lab: &mut Lab) {
//!     let group = lab.group("sum", "How long does a sum take?");
//!     for length in [100, 1_000] {
//!         group.case("iterator", length, move || {
//!             let numbers: Vec<usize> = (0..length).collect();
//!             Routine::new(
//!                 move || numbers.iter().sum::<usize>(),
//!                 move |sum| assert_eq!(*sum, length * (length - 1) / 2),
//!             )
//!         });
//!     }
//! }
//!
//! bench_harness::main!(suite);
//! ```
//!
//! The library knows nothing of what it measures.

pub mod changepoint;
pub mod comparison;
pub mod criterion_output;
pub mod exchange;
pub mod gate;
pub mod policy;
pub mod record;
pub mod sampler;
pub mod sequential;
pub mod server;
pub mod shard;
pub mod stats;
pub mod trace;
pub mod workload;

mod callgrind;
mod counters;
mod environment;
mod grain;
mod lab;
mod recorder;
mod tally;
mod threads;
mod work;

pub use counters::processor_counts;
pub use environment::Environment;
pub use grain::{TaskError, Tasks, core_ping, half_efficiency};
pub use lab::{
    CARGO_METADATA, COUNT_INSTRUCTIONS, EXTRAS_FILE, Group, INPUT_FILES, Input, LIST_CASES, Lab,
    REFUSED, Routine, WORKLOAD_FILE, cargo_metadata,
};
pub use recorder::Recorder;
pub use tally::{Counts, Tally};
pub use threads::race;
pub use trace::Trace;
pub use work::{Rotation, shuffle, spin};
pub use workload::Workload;

#[doc(hidden)]
pub use lab::run;

/// Writes the `main` of a bench file: counts allocations, and runs the suite under criterion's
/// command line.
///
/// Memory comes from the system's allocator, or from a second argument: the path of a global
/// allocator without fields, as in `bench_harness::main!(suite, mimalloc::MiMalloc)`.
#[macro_export]
macro_rules! main {
    ($suite:path) => {
        $crate::main!($suite, ::std::alloc::System);
    };
    ($suite:path, $allocator:path) => {
        #[global_allocator]
        static ALLOCATOR: $crate::Tally<$allocator> = $crate::Tally($allocator);

        fn main() {
            $crate::run($suite);
        }
    };
}
