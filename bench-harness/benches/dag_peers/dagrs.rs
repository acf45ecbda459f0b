//! The crate `dagrs`, in which every node is an asynchronous task with channels.

use std::sync::Arc;

use ::dagrs::{
    Action, Content, DefaultNode, EnvVar, Graph as Dag, InChannels, Node, NodeTable, OutChannels,
    Output, async_trait::async_trait,
};
use engine::Shape;
use tokio::runtime::Runtime;

use crate::peer::{Peer, Work, successors};
use crate::tokio_joinset::runtime;

pub(crate) struct Dagrs(Runtime);

impl Dagrs {
    pub(crate) fn new(workers: usize) -> Self {
        Self(runtime(workers))
    }
}

pub(crate) struct Graph {
    dag: Dag,
    ran: bool,
}

#[async_trait]
impl Action for Work {
    async fn run(
        &self,
        dependencies: &mut InChannels,
        successors: &mut OutChannels,
        _: Arc<EnvVar>,
    ) -> Output {
        dependencies.map(|_| ()).await;
        Work::run(self);
        successors.broadcast(Content::new(())).await;
        Output::empty()
    }
}

impl Peer for Dagrs {
    type Graph = Graph;

    fn build(&self, shape: &Shape, works: impl Iterator<Item = Work>) -> Graph {
        let _entered = self.0.enter();
        let mut names = NodeTable::new();
        let mut dag = Dag::new();
        let nodes = works.enumerate().map(|(index, work)| {
            let node = DefaultNode::with_action(shape.ids()[index].clone(), work, &mut names);
            let id = node.id();
            dag.add_node(node).expect("a new node");
            id
        });
        let nodes: Vec<_> = nodes.collect();
        for (index, successors) in successors(shape).into_iter().enumerate() {
            if !successors.is_empty() {
                let to: Vec<_> = successors.iter().map(|&node| nodes[node]).collect();
                dag.add_edge(nodes[index], to).expect("both are there");
            }
        }
        Graph { dag, ran: false }
    }

    fn run(&mut self, graph: &mut Graph) {
        self.0.block_on(async {
            // A graph that ran has closed its channels.
            if graph.ran {
                graph.dag.reset().await.expect("a valid graph");
            }
            graph.dag.async_start().await.expect("no node fails");
        });
        graph.ran = true;
    }
}
