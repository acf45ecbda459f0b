//! The crate `dag_exec`, which starts its threads with every run.

use std::sync::Arc;

use ::dag_exec::{Dag, DagBuilder, Executor, ExecutorConfig};
use engine::Shape;

use crate::peer::{Peer, Work, successors};

pub(crate) struct DagExec(Executor);

impl DagExec {
    pub(crate) fn new(workers: usize) -> Self {
        Self(Executor::new(ExecutorConfig {
            max_workers: workers,
            ..ExecutorConfig::default()
        }))
    }
}

pub(crate) struct Graph {
    dag: Dag<usize, (), ()>,
    /// It runs what these need, so they have to be asked for.
    sinks: Vec<usize>,
}

impl Peer for DagExec {
    type Graph = Graph;

    fn build(&self, shape: &Shape, works: impl Iterator<Item = Work>) -> Graph {
        let mut dag = DagBuilder::new();
        for (node, work) in works.enumerate() {
            let dependencies = shape.dependencies(node).iter();
            let dependencies = dependencies.map(|&node| node as usize).collect();
            let task = move |_: &[Arc<()>]| {
                work.run();
                Ok(())
            };
            dag.add_task(node, dependencies, task).expect("a new node");
        }
        let successors = successors(shape).into_iter().enumerate();
        Graph {
            dag: dag.build().expect("a valid shape"),
            sinks: successors
                .filter(|(_, successors)| successors.is_empty())
                .map(|(node, _)| node)
                .collect(),
        }
    }

    fn run(&mut self, graph: &mut Graph) {
        let outputs = self.0.run_parallel(&graph.dag, graph.sinks.iter().copied());
        assert_eq!(
            outputs.expect("no node fails").len(),
            graph.sinks.len(),
            "every sink has an output"
        );
    }
}
