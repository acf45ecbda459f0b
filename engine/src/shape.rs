//! Graphs of well-known shapes, for tests and benchmarks.
//!
//! Ids are `node-000000`, `node-000001` and so on. Every generator gives the same shape for the
//! same arguments; [`random`] computes with logarithms, whose last digit may differ between
//! platforms.

use arena::Arena;
use oorandom::Rand64;

use crate::{BuildError, Builder, Dag, IdBuilder, NodeError, NodeId, Run};

/// The ids and dependencies of a graph, without work.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use engine::{Scheduler, Sequential, shape};
///
/// let runs = Arc::new(AtomicUsize::new(0));
/// let dag = shape::diamond(5).build(arena::Bump::default(), |_| {
///     let runs = Arc::clone(&runs);
///     move |_: &engine::Run<'_>| {
///         runs.fetch_add(1, Ordering::Relaxed);
///         Ok(())
///     }
/// })?;
/// assert!(Sequential.run(&dag).all_completed());
/// assert_eq!(runs.load(Ordering::Relaxed), 5);
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    ids: Vec<String>,
    /// The dependencies of node `i` are `dependencies[ends[i - 1]..ends[i]]`.
    ends: Vec<usize>,
    dependencies: Vec<u32>,
}

impl Shape {
    /// A shape of no nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node with this id that depends on the nodes with these indices, which may be added
    /// later.
    ///
    /// # Panics
    ///
    /// Panics when an index does not fit into 32 bits.
    pub fn push(&mut self, id: String, dependencies: impl IntoIterator<Item = usize>) {
        self.ids.push(id);
        self.dependencies.extend(
            dependencies
                .into_iter()
                .map(|dependency| u32::try_from(dependency).expect("an index of a node")),
        );
        self.ends.push(self.dependencies.len());
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of edges.
    pub fn edge_count(&self) -> usize {
        self.dependencies.len()
    }

    /// The ids of the nodes.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The indices of the nodes that the node with this index depends on.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    pub fn dependencies(&self, index: usize) -> &[u32] {
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1],
        };
        &self.dependencies[start..self.ends[index]]
    }

    /// Builds the graph in `arena`; `work` makes the work of the node with this index.
    ///
    /// When every node comes after its dependencies, as in the shapes of this module, the index of
    /// a node is the index of its [`NodeId`]. Takes O(nodes + edges) time.
    ///
    /// # Errors
    ///
    /// Fails as [`Builder::node`] and [`Builder::build`] do.
    ///
    /// # Panics
    ///
    /// Panics when a node depends on an index that was never added.
    pub fn build<A, W>(&self, arena: A, mut work: impl FnMut(usize) -> W) -> Result<Dag, BuildError>
    where
        A: Arena + Send + 'static,
        W: Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
    {
        let mut graph = Builder::in_arena(arena);
        for (index, id) in self.ids.iter().enumerate() {
            let dependencies = self
                .dependencies(index)
                .iter()
                .map(|&dependency| self.ids[dependency as usize].as_str());
            graph.node(id, dependencies, work(index))?;
        }
        graph.build()
    }

    /// As [`build`](Self::build), without ids: the nodes have numbers only.
    ///
    /// # Errors
    ///
    /// Fails as [`IdBuilder::node`] and [`IdBuilder::build`] do: also when a node does not come after
    /// its dependencies.
    pub fn build_without_ids<A, W>(
        &self,
        arena: A,
        mut work: impl FnMut(usize) -> W,
    ) -> Result<Dag, BuildError>
    where
        A: Arena + Send + 'static,
        W: Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
    {
        let mut graph = IdBuilder::with_capacity_in(arena, self.len(), self.edge_count());
        for index in 0..self.len() {
            let dependencies = self.dependencies(index).iter();
            let dependencies = dependencies.map(|&dependency| NodeId::from_index(dependency));
            graph.node(dependencies, work(index))?;
        }
        graph.build()
    }

    /// Adds a node with the next generated id.
    fn push_next(&mut self, dependencies: impl IntoIterator<Item = usize>) {
        let id = format!("node-{:06}", self.len());
        self.push(id, dependencies);
    }
}

/// `nodes` nodes without edges.
pub fn independent(nodes: usize) -> Shape {
    let mut shape = Shape::new();
    for _ in 0..nodes {
        shape.push_next([]);
    }
    shape
}

/// Every node depends on the one before.
pub fn chain(nodes: usize) -> Shape {
    let mut shape = Shape::new();
    for index in 0..nodes {
        shape.push_next(index.checked_sub(1));
    }
    shape
}

/// One root, one sink, and between them all other nodes, independent of each other.
///
/// # Panics
///
/// Panics when `nodes` is less than 3.
pub fn diamond(nodes: usize) -> Shape {
    assert!(nodes >= 3, "a diamond has at least 3 nodes; got {nodes}");
    let mut shape = Shape::new();
    shape.push_next([]);
    for _ in 1..nodes - 1 {
        shape.push_next([0]);
    }
    shape.push_next(1..nodes - 1);
    shape
}

/// Diamonds of 4 nodes one after another: the sink of one is the root of the next.
///
/// The last one is cut off where `nodes` is not one more than a multiple of 3.
pub fn diamonds(nodes: usize) -> Shape {
    let mut shape = Shape::new();
    for index in 0..nodes {
        match index % 3 {
            // The first of all has none before it.
            0 => shape.push_next(index.saturating_sub(2)..index),
            side => shape.push_next([index - side]),
        }
    }
    shape
}

/// A binary tree: every node but the root depends on its parent.
pub fn tree(nodes: usize) -> Shape {
    let mut shape = Shape::new();
    for index in 0..nodes {
        shape.push_next(index.checked_sub(1).map(|above| above / 2));
    }
    shape
}

/// A random graph: each pair of nodes has an edge with the same probability, so that a node has
/// `mean_dependencies` dependencies on average, or as many as are possible.
///
/// # Panics
///
/// Panics when `mean_dependencies` is negative or not a number.
pub fn random(nodes: usize, mean_dependencies: f64, seed: u64) -> Shape {
    assert!(
        mean_dependencies >= 0.0,
        "a mean number of dependencies is at least 0; got {mean_dependencies}"
    );
    let probability = (2.0 * mean_dependencies / nodes.saturating_sub(1).max(1) as f64).min(1.0);
    // The gaps between the edges in the list of all pairs are distributed geometrically: this way
    // time is spent on edges, not on pairs.
    let log_no_edge = (-probability).ln_1p();
    let mut random = Rand64::new(seed.into());
    let mut gap = || {
        if probability == 0.0 {
            return usize::MAX;
        }
        // A float cast saturates, so a gap without end is one beyond every node.
        ((1.0 - random.rand_float()).ln() / log_no_edge) as usize
    };
    let mut shape = Shape::new();
    let mut pairs_until_edge = gap();
    for index in 0..nodes {
        let mut dependencies = Vec::new();
        let mut next = 0_usize;
        while pairs_until_edge < index - next {
            next += pairs_until_edge;
            dependencies.push(next);
            next += 1;
            pairs_until_edge = gap();
        }
        pairs_until_edge -= index - next;
        shape.push_next(dependencies);
    }
    shape
}

/// About √`nodes` layers of about √`nodes` nodes; every node depends on 1 to 4 random nodes of the
/// layer before.
pub fn layered(nodes: usize, seed: u64) -> Shape {
    let width = (nodes as f64).sqrt().ceil() as usize;
    let mut random = Rand64::new(seed.into());
    let mut shape = Shape::new();
    for index in 0..nodes {
        let layer = index / width;
        if layer == 0 {
            shape.push_next([]);
            continue;
        }
        let before = (layer - 1) * width;
        let count = random.rand_range(1..5) as usize;
        let mut dependencies: Vec<usize> = (0..count)
            .map(|_| before + random.rand_range(0..width as u64) as usize)
            .collect();
        dependencies.sort_unstable();
        dependencies.dedup();
        shape.push_next(dependencies);
    }
    shape
}

/// A square grid, filled row by row: every node depends on its left and its upper neighbour.
pub fn wavefront(nodes: usize) -> Shape {
    let width = (nodes as f64).sqrt().ceil() as usize;
    let mut shape = Shape::new();
    for index in 0..nodes {
        let upper = index.checked_sub(width);
        let left = (index % width > 0).then(|| index - 1);
        shape.push_next(upper.into_iter().chain(left));
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependencies(shape: &Shape) -> Vec<&[u32]> {
        (0..shape.len())
            .map(|index| shape.dependencies(index))
            .collect()
    }

    #[test]
    fn small_shapes_are_as_drawn() {
        assert_eq!(dependencies(&independent(2)), [&[] as &[u32], &[]]);
        assert_eq!(dependencies(&chain(3)), [&[] as &[u32], &[0], &[1]]);
        assert_eq!(
            dependencies(&diamond(5)),
            [&[] as &[u32], &[0], &[0], &[0], &[1, 2, 3]]
        );
        assert_eq!(
            dependencies(&diamonds(8)),
            [
                &[] as &[u32],
                &[0],
                &[0],
                &[1, 2],
                &[3],
                &[3],
                &[4, 5],
                &[6]
            ]
        );
        assert_eq!(
            dependencies(&tree(5)),
            [&[] as &[u32], &[0], &[0], &[1], &[1]]
        );
        assert_eq!(
            dependencies(&wavefront(4)),
            [&[] as &[u32], &[0], &[0], &[1, 2]]
        );
        assert_eq!(chain(2).ids(), ["node-000000", "node-000001"]);
    }

    #[test]
    fn every_generator_gives_the_nodes_it_was_asked_for_in_topological_order() {
        for nodes in [0, 1, 3, 10, 1_000] {
            let mut shapes = vec![
                independent(nodes),
                chain(nodes),
                diamonds(nodes),
                tree(nodes),
                random(nodes, 2.0, 1),
                layered(nodes, 1),
                wavefront(nodes),
            ];
            if nodes >= 3 {
                shapes.push(diamond(nodes));
            }
            for shape in shapes {
                assert_eq!(shape.len(), nodes);
                let dag = shape
                    .build(arena::Bump::default(), |_| |_: &Run<'_>| Ok(()))
                    .unwrap();
                assert_eq!(dag.edge_count(), shape.edge_count());
                for index in 0..nodes {
                    let node = dag.node(&shape.ids()[index]).unwrap();
                    assert_eq!(node.index(), index);
                    assert_eq!(dag.dependency_count(node), shape.dependencies(index).len());
                }
            }
        }
    }

    #[test]
    fn random_shapes_have_the_mean_they_were_asked_for_and_depend_on_the_seed() {
        let shape = random(2_000, 3.0, 7);
        let mean = shape.edge_count() as f64 / 2_000.0;
        assert!((2.8..3.2).contains(&mean), "{mean}");
        assert_eq!(shape, random(2_000, 3.0, 7));
        assert_ne!(shape, random(2_000, 3.0, 8));
        assert_eq!(random(10, 0.0, 1), independent(10));
        assert_eq!(random(10, 100.0, 1).edge_count(), 45);
        assert_eq!(random(1_000, 1e-15, 1).edge_count(), 0);
        assert_ne!(layered(100, 1), layered(100, 2));
    }

    #[test]
    #[should_panic(expected = "a diamond has at least 3 nodes; got 2")]
    fn two_nodes_are_no_diamond() {
        diamond(2);
    }
}
