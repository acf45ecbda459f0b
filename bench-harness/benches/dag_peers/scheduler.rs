//! The schedulers of `engine`.

use engine::{Dag, IdBuilder, NodeId, Outcome, Scheduler, Shape, Strategy};

use crate::peer::{Peer, Work};

/// A scheduler, and the memory of its outcomes.
pub(crate) struct Scheduled {
    scheduler: Box<dyn Scheduler>,
    outcome: Outcome,
}

impl Scheduled {
    pub(crate) fn new(strategy: Strategy, workers: usize) -> Self {
        Self {
            scheduler: strategy.scheduler(workers).expect("threads can be started"),
            outcome: Outcome::new(),
        }
    }
}

impl Peer for Scheduled {
    type Graph = Dag;

    fn build(&self, shape: &Shape, works: impl Iterator<Item = Work>) -> Dag {
        let mut graph = IdBuilder::with_capacity(shape.len(), shape.edge_count());
        for (index, work) in works.enumerate() {
            let dependencies = shape.dependencies(index).iter();
            graph
                .node(
                    dependencies.map(|&node| NodeId::from_index(node)),
                    move |_| {
                        work.run();
                        Ok(())
                    },
                )
                .expect("the shapes here are in topological order");
        }
        graph.build().expect("memory is left")
    }

    fn run(&mut self, dag: &mut Dag) {
        self.scheduler.run_into(dag, &mut self.outcome);
        assert_eq!(self.outcome.completed(), dag.len(), "every node completes");
    }
}
