//! What many workflow engines do: a coordinator spawns ready nodes as tasks and awaits each.

use std::sync::Arc;

use engine::Shape;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::peer::{BoxedWork, Peer, Work, successors};

/// The coordinator runs on the calling thread, beside the workers.
pub(crate) struct TokioJoinSet(Runtime);

impl TokioJoinSet {
    pub(crate) fn new(workers: usize) -> Self {
        Self(runtime(workers))
    }
}

pub(crate) fn runtime(workers: usize) -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(workers).build();
    runtime.expect("threads can be started")
}

pub(crate) struct Graph {
    works: Arc<[BoxedWork]>,
    successors: Vec<Vec<usize>>,
    dependencies: Vec<usize>,
    unfinished: Vec<usize>,
}

impl Peer for TokioJoinSet {
    type Graph = Graph;

    fn build(&self, shape: &Shape, works: impl Iterator<Item = Work>) -> Graph {
        Graph {
            works: works.map(Work::boxed).collect(),
            successors: successors(shape),
            dependencies: (0..shape.len())
                .map(|node| shape.dependencies(node).len())
                .collect(),
            unfinished: Vec::new(),
        }
    }

    fn run(&mut self, graph: &mut Graph) {
        graph.unfinished.clone_from(&graph.dependencies);
        self.0.block_on(async {
            let mut tasks = JoinSet::new();
            let spawn = |tasks: &mut JoinSet<usize>, node: usize| {
                let works = Arc::clone(&graph.works);
                tasks.spawn(async move {
                    works[node]();
                    node
                });
            };
            for node in 0..graph.works.len() {
                if graph.dependencies[node] == 0 {
                    spawn(&mut tasks, node);
                }
            }
            while let Some(finished) = tasks.join_next().await {
                let finished = finished.expect("a work does not panic");
                for &node in &graph.successors[finished] {
                    graph.unfinished[node] -= 1;
                    if graph.unfinished[node] == 0 {
                        spawn(&mut tasks, node);
                    }
                }
            }
        });
    }
}
