//! The schedulers of `engine`.

use arena::Bump;
use engine::{Dag, Outcome, Run, Scheduler, Shape, Strategy};

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

    fn build(&self, shape: &Shape, mut works: impl Iterator<Item = Work>) -> Dag {
        let work = |_| {
            let work = works.next().expect("a work for every node");
            move |_: &Run<'_>| {
                work.run();
                Ok(())
            }
        };
        shape.build(Bump::default(), work).expect("a valid shape")
    }

    fn run(&mut self, dag: &mut Dag) {
        self.scheduler.run_into(dag, &mut self.outcome);
        assert_eq!(self.outcome.completed(), dag.len(), "every node completes");
    }
}
