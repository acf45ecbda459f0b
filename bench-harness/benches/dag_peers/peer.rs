//! What every way of running a graph has to offer here, and the nodes that all of them run.

use std::sync::atomic::{AtomicU32, Ordering};

use bench_harness::spin;
use engine::Shape;

/// A way to run graphs, with its threads already started.
pub(crate) trait Peer {
    /// A graph that can be run again and again.
    type Graph;

    /// Builds a graph whose nodes do `works`, one each, in order.
    fn build(&self, shape: &Shape, works: impl Iterator<Item = Work>) -> Self::Graph;

    /// Runs every node once, each after those it depends on.
    fn run(&mut self, graph: &mut Self::Graph);
}

/// What a node does: computes, and counts its run.
///
/// It is small, as work should be that is stored for every node.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    runs: &'static AtomicU32,
    grain_ns: f32,
}

impl Work {
    /// Work that computes for about `grain_ns`.
    pub(crate) fn new(runs: &'static AtomicU32, grain_ns: f32) -> Self {
        Self { runs, grain_ns }
    }

    #[inline]
    pub(crate) fn run(&self) {
        if self.grain_ns > 0.0 {
            spin(f64::from(self.grain_ns));
        }
        // A node runs once in a run, so nothing else writes its counter; a peer that breaks this
        // loses counts, and the check sees it.
        let runs = self.runs.load(Ordering::Relaxed) + 1;
        self.runs.store(runs, Ordering::Relaxed);
    }

    /// The work as one stores it who writes a runner by hand.
    pub(crate) fn boxed(self) -> BoxedWork {
        Box::new(move || self.run())
    }
}

pub(crate) type BoxedWork = Box<dyn Fn() + Send + Sync>;

/// The edges of a graph, from a node to those that depend on it.
pub(crate) fn successors(shape: &Shape) -> Vec<Vec<usize>> {
    let mut successors = vec![Vec::new(); shape.len()];
    for (from, to) in edges(shape) {
        successors[from].push(to);
    }
    successors
}

/// Every edge of a graph, as (node, a node that depends on it).
pub(crate) fn edges(shape: &Shape) -> impl Iterator<Item = (usize, usize)> {
    (0..shape.len()).flat_map(|node| {
        let dependencies = shape.dependencies(node).iter();
        dependencies.map(move |&dependency| (dependency as usize, node))
    })
}
