//! What became of every node of a run.

use std::fmt;
use std::sync::atomic::AtomicU32;

use crate::{NodeError, NodeId, NodeState, NodeStates};

/// The state of every node after a run.
///
/// It can be given to [`Scheduler::run_into`](crate::Scheduler::run_into) again, for the same graph
/// or another one: its memory is reused.
///
/// # Examples
///
/// ```
/// use engine::{Builder, NodeState, Scheduler, Sequential};
///
/// let mut graph = Builder::new();
/// graph.node("fetch", [], |_| Err("no network".into()))?;
/// graph.node("parse", ["fetch"], |_| Ok(()))?;
/// let dag = graph.build()?;
///
/// let outcome = Sequential.run(&dag);
/// assert_eq!(outcome.state(dag.node("parse").unwrap()), NodeState::Skipped);
/// let failure = &outcome.failures()[0];
/// assert_eq!(dag.name(failure.node), "fetch");
/// assert_eq!(failure.cause.to_string(), "no network");
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Debug, Default)]
// Aligned, because workers read where the states are for every node: nothing that is written
// meanwhile may lie on the same cache line.
#[repr(align(128))]
pub struct Outcome {
    pub(crate) states: NodeStates,
    pub(crate) failures: Vec<Failure>,
    /// Counters of unfinished dependencies: memory kept for the next run.
    pub(crate) waiting: Vec<AtomicU32>,
    /// Whether some node did not complete.
    pub(crate) is_incomplete: bool,
}

/// A node that failed, panicked or timed out.
#[derive(Debug)]
pub struct Failure {
    /// The node.
    pub node: NodeId,
    /// What went wrong in it.
    pub cause: Cause,
}

/// What went wrong in a node.
#[derive(Debug)]
pub enum Cause {
    /// Its work returned this error.
    Error(NodeError),
    /// Its work panicked with this message.
    Panic(String),
}

impl Cause {
    /// The error that the work returned, when it did.
    pub fn error(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        match self {
            Self::Error(error) => Some(&**error),
            Self::Panic(_) => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(formatter),
            Self::Panic(message) => message.fmt(formatter),
        }
    }
}

impl Outcome {
    /// An outcome of no nodes, to be filled by a run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the run before; the states of the `nodes` nodes are to be set.
    #[inline]
    pub(crate) fn begin(&mut self, nodes: usize) {
        self.is_incomplete = true;
        self.states.resize(nodes);
        self.failures.clear();
    }

    /// The state of `node`.
    ///
    /// # Panics
    ///
    /// Panics when the graph that was run has no such node.
    #[inline]
    pub fn state(&self, node: NodeId) -> NodeState {
        self.states.get(node)
    }

    /// The states of all nodes.
    #[inline]
    pub fn states(&self) -> &NodeStates {
        &self.states
    }

    /// Number of nodes in `state`. Takes O(nodes) time.
    pub fn count(&self, state: NodeState) -> usize {
        self.states.count(state)
    }

    /// Number of nodes that completed. Takes O(nodes) time when that is not all of them.
    pub fn completed(&self) -> usize {
        match self.is_incomplete {
            true => self.count(NodeState::Completed),
            false => self.len(),
        }
    }

    /// Whether every node completed.
    #[inline]
    pub fn all_completed(&self) -> bool {
        !self.is_incomplete
    }

    /// The nodes that failed, panicked or timed out, in the order of their ids.
    #[inline]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Number of nodes of the graph that was run.
    #[inline]
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether the graph that was run had no nodes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

/// `3 nodes: 2 completed, 1 failed, 0 panicked, 0 skipped`; the other states are only named when
/// nodes are in them.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALWAYS: [NodeState; 4] = [
            NodeState::Completed,
            NodeState::Failed,
            NodeState::Panicked,
            NodeState::Skipped,
        ];
        let nodes = self.len();
        let plural = if nodes == 1 { "node" } else { "nodes" };
        write!(formatter, "{nodes} {plural}: ")?;
        let others = NodeState::ALL.into_iter();
        let others = others.filter(|state| !ALWAYS.contains(state) && self.count(*state) > 0);
        for (index, state) in ALWAYS.into_iter().chain(others).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{} {}", self.count(state), state.name())?;
        }
        Ok(())
    }
}
