//! What there is where oneTBB is not installed: the same face, and no pool to start from.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

/// Threads of oneTBB, of which there are none: the library was not found at build time.
#[derive(Debug)]
pub struct Pool(Infallible);

impl Pool {
    /// `None`: the library was not found at build time.
    pub fn new(_workers: usize) -> Option<Arc<Self>> {
        None
    }
}

/// A graph, of which there are none without a [`Pool`].
#[derive(Debug)]
pub struct Graph<F>(Infallible, PhantomData<F>);

impl<F: Fn() + Send + Sync> Graph<F> {
    /// Never called: there is no pool.
    pub fn new(
        pool: &Arc<Pool>,
        _works: impl IntoIterator<Item = F>,
        _edges: impl IntoIterator<Item = (usize, usize)>,
    ) -> Self {
        match pool.0 {}
    }

    /// Never called: there is no graph.
    pub fn run(&mut self) {
        match self.0 {}
    }
}

/// `None`: the library was not found at build time.
pub fn version() -> Option<String> {
    None
}
