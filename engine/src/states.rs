//! The state of every node, shared by the threads of a run.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::NodeId;

/// How far a node has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum NodeState {
    /// It has not run.
    #[default]
    Pending,
    /// Its work returned `Ok`.
    Completed,
    /// Its work returned an error.
    Failed,
    /// Its work panicked.
    Panicked,
    /// Its work returned [`TimedOut`](crate::TimedOut).
    TimedOut,
    /// The run was stopped before its turn, or its work returned [`Cancelled`](crate::Cancelled).
    Cancelled,
    /// It was not run because something it depends on did not complete, or its work returned
    /// [`Skip`](crate::Skip).
    Skipped,
}

impl NodeState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Completed,
        Self::Failed,
        Self::Panicked,
        Self::TimedOut,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// The name, as it is written in summaries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    #[inline]
    fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Pending,
            1 => Self::Completed,
            2 => Self::Failed,
            3 => Self::Panicked,
            4 => Self::TimedOut,
            5 => Self::Cancelled,
            _ => Self::Skipped,
        }
    }
}

/// The byte of a node that is going to be skipped when its turn comes. Outside that is
/// [`NodeState::Skipped`].
const TO_BE_SKIPPED: u8 = NodeState::Skipped as u8 + 1;

/// One [`NodeState`] for every node, one byte each, readable and writable from any thread.
///
/// A thread that reads a state sees what the thread that set it wrote before.
///
/// # Examples
///
/// ```
/// use engine::{NodeId, NodeState, NodeStates};
///
/// let states = NodeStates::new(2);
/// let second = NodeId::from_index(1);
/// states.set(second, NodeState::Completed);
/// assert_eq!(states.get(second), NodeState::Completed);
/// assert_eq!(states.count(NodeState::Pending), 1);
/// ```
#[derive(Debug, Default)]
pub struct NodeStates(Vec<AtomicU8>);

impl NodeStates {
    /// States of `nodes` nodes, all pending. Takes O(`nodes`) time.
    pub fn new(nodes: usize) -> Self {
        let mut states = Self::default();
        states.reset(nodes);
        states
    }

    /// Makes it `nodes` pending nodes, reusing the memory. Takes O(`nodes`) time.
    pub fn reset(&mut self, nodes: usize) {
        self.resize(nodes);
        self.fill(0..nodes, NodeState::Pending);
    }

    /// Makes it `nodes` nodes, whose states are to be set. Takes no time for as many as before.
    #[inline]
    pub(crate) fn resize(&mut self, nodes: usize) {
        if self.0.len() != nodes {
            self.0.resize_with(nodes, || AtomicU8::new(0));
        }
    }

    /// Sets the states of `nodes`. Without sharing this is one fill of memory.
    #[inline]
    pub(crate) fn fill(&mut self, nodes: Range<usize>, state: NodeState) {
        for byte in &mut self.0[nodes] {
            *byte.get_mut() = state as u8;
        }
    }

    /// Marks `node`, which is open, to be skipped when its turn comes.
    #[inline]
    pub(crate) fn mark_to_be_skipped(&self, node: NodeId) {
        debug_assert!(self.is_open(node), "{node:?} has run");
        self.0[node.index()].store(TO_BE_SKIPPED, Ordering::Release);
    }

    /// Whether `node` is marked to be skipped and its turn has not come.
    #[inline]
    pub(crate) fn is_to_be_skipped(&self, node: NodeId) -> bool {
        self.0[node.index()].load(Ordering::Acquire) == TO_BE_SKIPPED
    }

    /// Whether the turn of `node` has not come.
    #[inline]
    pub(crate) fn is_open(&self, node: NodeId) -> bool {
        let byte = self.0[node.index()].load(Ordering::Acquire);
        byte == NodeState::Pending as u8 || byte == TO_BE_SKIPPED
    }

    /// The state of `node`.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn get(&self, node: NodeId) -> NodeState {
        // `Acquire` pairs with the `Release` in `set`.
        NodeState::from_byte(self.0[node.index()].load(Ordering::Acquire))
    }

    /// Sets the state of `node`.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn set(&self, node: NodeId, state: NodeState) {
        // `Release` publishes what the node wrote to whoever reads its state in `get`.
        self.0[node.index()].store(state as u8, Ordering::Release);
    }

    /// Number of nodes in `state`. Takes O(nodes) time.
    pub fn count(&self, state: NodeState) -> usize {
        self.iter().filter(|&other| other == state).count()
    }

    /// The states in the order of the node ids.
    pub fn iter(&self) -> impl Iterator<Item = NodeState> + '_ {
        self.0
            .iter()
            .map(|state| NodeState::from_byte(state.load(Ordering::Acquire)))
    }

    /// Number of nodes.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no nodes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_survives_its_byte() {
        let states = NodeStates::new(1);
        let node = NodeId::from_index(0);
        for state in NodeState::ALL {
            states.set(node, state);
            assert_eq!(states.get(node), state);
        }
    }

    #[test]
    fn reset_forgets_old_states() {
        let mut states = NodeStates::new(2);
        states.set(NodeId::from_index(1), NodeState::Failed);
        states.reset(3);
        assert_eq!(states.count(NodeState::Pending), 3);
        assert_eq!(states.len(), 3);
    }
}
