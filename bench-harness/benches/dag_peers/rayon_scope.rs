//! What one writes by hand with rayon: a scope, and a count of unfinished dependencies a node.

use std::sync::atomic::{AtomicUsize, Ordering};

use engine::Shape;
use rayon::{Scope, ThreadPool, ThreadPoolBuilder};

use crate::peer::{BoxedWork, Peer, Work, successors};

pub(crate) struct RayonScope(ThreadPool);

impl RayonScope {
    pub(crate) fn new(workers: usize) -> Self {
        let pool = ThreadPoolBuilder::new().num_threads(workers).build();
        Self(pool.expect("threads can be started"))
    }
}

pub(crate) struct Graph(Vec<Node>);

struct Node {
    work: BoxedWork,
    successors: Vec<usize>,
    dependencies: usize,
    unfinished: AtomicUsize,
}

impl Peer for RayonScope {
    type Graph = Graph;

    fn build(&self, shape: &Shape, works: impl Iterator<Item = Work>) -> Graph {
        let nodes = works.zip(successors(shape)).enumerate();
        let nodes = nodes.map(|(index, (work, successors))| Node {
            work: work.boxed(),
            successors,
            dependencies: shape.dependencies(index).len(),
            unfinished: AtomicUsize::new(0),
        });
        Graph(nodes.collect())
    }

    fn run(&mut self, Graph(nodes): &mut Graph) {
        for node in nodes.iter_mut() {
            *node.unfinished.get_mut() = node.dependencies;
        }
        let nodes = &nodes[..];
        self.0.scope(|scope| {
            for node in nodes.iter().filter(|node| node.dependencies == 0) {
                scope.spawn(move |scope| visit(scope, nodes, node));
            }
        });
    }
}

fn visit<'n>(scope: &Scope<'n>, nodes: &'n [Node], node: &'n Node) {
    (node.work)();
    for &successor in &node.successors {
        let successor = &nodes[successor];
        // `Release` publishes what this node wrote; `Acquire` makes the thread that sees the count
        // reach zero see the writes of all dependencies.
        if successor.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            scope.spawn(move |scope| visit(scope, nodes, successor));
        }
    }
}
