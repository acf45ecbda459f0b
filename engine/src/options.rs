//! How a graph is run.

use std::any::Any;
use std::fmt;

use crate::{CancelToken, NodeId, NodeState};

/// How a graph is run; the default is to run all nodes that can run and to watch nothing.
///
/// # Examples
///
/// ```
/// use engine::{NodeState, Options, Outcome, Policy, Scheduler, Sequential};
///
/// let mut graph = engine::Builder::new();
/// graph.node("a", [], |_| Err("broken".into()))?;
/// graph.node("b", ["a"], |_| Ok(()))?;
/// graph.node("c", [], |_| Ok(()))?;
/// let dag = graph.build()?;
///
/// let mut outcome = Outcome::new();
/// let options = Options { policy: Policy::FailFast, ..Options::default() };
/// Sequential.run_with(&dag, &options, &mut outcome);
/// assert_eq!(outcome.state(dag.node("b").unwrap()), NodeState::Skipped);
/// assert_eq!(outcome.state(dag.node("c").unwrap()), NodeState::Cancelled);
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Options<'o> {
    /// What happens after a node has failed.
    pub policy: Policy,
    /// What stops the run from outside.
    pub cancel: Option<&'o CancelToken>,
    /// What is told about every node. A run without an observer pays nothing for it.
    pub observer: Option<&'o dyn Observer>,
    /// A value that every node can reach with [`Run::context`](crate::Run::context).
    pub context: Option<&'o (dyn Any + Send + Sync)>,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("policy", &self.policy)
            .field("cancel", &self.cancel)
            .field("observer", &self.observer.is_some())
            .field("context", &self.context.is_some())
            .finish()
    }
}

/// What happens after a node has failed, panicked or timed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// What depends on it is skipped; everything else runs.
    #[default]
    Continue,
    /// No other node begins: what depends on it is skipped, the rest is cancelled. Nodes that run
    /// are asked to stop as by a [`CancelToken`].
    FailFast,
    /// Everything runs, what depends on it too: for checks and cleaning up, which make sense
    /// although something before them failed.
    Collect,
}

/// Is told what happens in a run, by the threads it happens on.
///
/// `worker` is the number of the calling thread in its scheduler, from 0; what is told of one run
/// with the same number is told in order, and never at the same time. A panic of an observer is
/// reported by the panic hook: in `node_started` the node has panicked, otherwise nothing else
/// happens.
pub trait Observer: Sync {
    /// The work of `node` is about to be called.
    fn node_started(&self, worker: usize, node: NodeId) {
        let _ = (worker, node);
    }

    /// `node` has ended in `state`. A node that was skipped or cancelled was not started; one that
    /// was cancelled before its turn is not told.
    fn node_finished(&self, worker: usize, node: NodeId, state: NodeState) {
        let _ = (worker, node, state);
    }
}
