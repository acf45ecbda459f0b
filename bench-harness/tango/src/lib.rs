//! What suites find under the name `bench_harness` when other harnesses than criterion measure their
//! cases: the same library, but a [`main!`] that lets one program have several suites.

pub use harness::*;

/// Gives the suite of a module to the program around it, as a constant `SUITE`.
#[macro_export]
macro_rules! main {
    ($suite:path) => {
        pub(crate) const SUITE: fn(&mut $crate::Lab) = $suite;
    };
}
