//! The flow graph of oneTBB.

use std::sync::Arc;

use engine::Shape;

use crate::peer::{Peer, Work, edges};

pub(crate) struct OneTbb(Arc<onetbb::Pool>);

impl OneTbb {
    pub(crate) fn new(workers: usize) -> Self {
        Self(onetbb::Pool::new(workers).expect("cases are defined where the library is installed"))
    }
}

impl Peer for OneTbb {
    /// Boxed, because the type of a closure has no name.
    type Graph = Box<dyn FnMut()>;

    fn build(&self, shape: &Shape, works: impl Iterator<Item = Work>) -> Self::Graph {
        let works = works.map(|work| move || work.run());
        let mut graph = onetbb::Graph::new(&self.0, works, edges(shape));
        Box::new(move || graph.run())
    }

    fn run(&mut self, graph: &mut Self::Graph) {
        graph();
    }
}
