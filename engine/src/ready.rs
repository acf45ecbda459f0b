//! Kahn's algorithm, for callers who drive a graph themselves.

use crate::{Dag, NodeId};

/// The nodes of a graph that are ready, kept up to date as nodes are completed.
///
/// # Examples
///
/// ```
/// let mut graph = engine::Builder::new();
/// graph.node("fetch", [], |_| Ok(()))?;
/// graph.node("parse", ["fetch"], |_| Ok(()))?;
/// let dag = graph.build()?;
///
/// let mut ready = engine::ReadySet::new(&dag);
/// let mut order = Vec::new();
/// while let Some(node) = ready.pop() {
///     order.push(dag.name(node));
///     ready.complete(node);
/// }
/// assert_eq!(order, ["fetch", "parse"]);
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReadySet<'d> {
    dag: &'d Dag,
    /// By node, the number of dependencies not completed, or one of the marks below.
    waiting: Vec<u32>,
    /// Nodes in the order they became ready; those before `popped` were popped.
    queue: Vec<NodeId>,
    popped: usize,
}

const POPPED: u32 = u32::MAX - 1;
const COMPLETED: u32 = u32::MAX;

impl<'d> ReadySet<'d> {
    /// The roots of `dag`. Takes O(nodes) time and two allocations.
    pub fn new(dag: &'d Dag) -> Self {
        let mut set = Self {
            dag,
            waiting: Vec::with_capacity(dag.len()),
            queue: Vec::with_capacity(dag.len()),
            popped: 0,
        };
        set.reset();
        set
    }

    /// Takes a ready node: the one that became ready first. `None` means that nothing is ready
    /// until a popped node is completed, or that all nodes were popped.
    #[inline]
    pub fn pop(&mut self) -> Option<NodeId> {
        let node = *self.queue.get(self.popped)?;
        self.popped += 1;
        self.waiting[node.index()] = POPPED;
        Some(node)
    }

    /// Makes those successors of `node` ready that waited only for it. Takes O(successors) time.
    ///
    /// # Panics
    ///
    /// Panics when `node` was completed before, or was not popped.
    #[inline]
    pub fn complete(&mut self, node: NodeId) {
        if self.waiting[node.index()] != POPPED {
            self.refuse(node);
        }
        self.waiting[node.index()] = COMPLETED;
        for successor in self.dag.successors(node) {
            let waiting = &mut self.waiting[successor.index()];
            *waiting -= 1;
            if *waiting == 0 {
                self.queue.push(successor);
            }
        }
    }

    /// Starts again with the roots, reusing the memory. Takes O(nodes) time.
    pub fn reset(&mut self) {
        self.waiting.clear();
        self.waiting
            .extend_from_slice(&self.dag.counts()[..self.dag.len()]);
        self.queue.clear();
        self.popped = 0;
        let roots = self
            .dag
            .nodes()
            .filter(|&node| self.dag.dependency_count(node) == 0);
        self.queue.extend(roots);
    }

    #[cold]
    fn refuse(&self, node: NodeId) -> ! {
        let name = self.dag.name(node);
        match self.waiting[node.index()] {
            COMPLETED => panic!("node `{name}` was completed twice"),
            0 => panic!("node `{name}` was completed but never popped"),
            waiting => panic!("node `{name}` was completed before {waiting} of its dependencies"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape;

    fn diamond() -> Dag {
        shape::diamond(4)
            .build(arena::Bump::default(), |_| |_: &crate::Run<'_>| Ok(()))
            .unwrap()
    }

    #[test]
    fn sink_is_ready_after_all_its_dependencies() {
        let dag = diamond();
        let mut ready = ReadySet::new(&dag);
        for _ in 0..2 {
            let root = ready.pop().unwrap();
            assert_eq!(ready.pop(), None);
            ready.complete(root);
            let (left, right) = (ready.pop().unwrap(), ready.pop().unwrap());
            ready.complete(right);
            assert_eq!(ready.pop(), None);
            ready.complete(left);
            let sink = ready.pop().unwrap();
            assert_eq!(sink.index(), 3);
            ready.complete(sink);
            assert_eq!(ready.pop(), None);
            ready.reset();
        }
    }

    #[test]
    #[should_panic(expected = "node `node-000000` was completed twice")]
    fn completing_twice_is_refused() {
        let dag = diamond();
        let mut ready = ReadySet::new(&dag);
        let root = ready.pop().unwrap();
        ready.complete(root);
        ready.complete(root);
    }

    #[test]
    #[should_panic(expected = "node `node-000003` was completed before 2 of its dependencies")]
    fn completing_before_dependencies_is_refused() {
        let dag = diamond();
        ReadySet::new(&dag).complete(NodeId::from_index(3));
    }

    #[test]
    #[should_panic(expected = "node `node-000000` was completed but never popped")]
    fn completing_what_was_not_popped_is_refused() {
        let dag = diamond();
        ReadySet::new(&dag).complete(NodeId::from_index(0));
    }
}
