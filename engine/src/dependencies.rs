//! What nodes depend on, and what is known about a graph from that.
//!
//! Everything that can be computed of a node from the nodes before it is computed when it is
//! added, while its dependencies are at hand: freezing a graph then only has to fill its arrays.

use crate::dag::Join;

/// The dependencies of nodes in topological order: one list, cut into the parts of the nodes.
#[derive(Default)]
pub(crate) struct Dependencies {
    /// What lies behind the end of the last node is not any node's yet.
    list: Vec<u32>,
    /// Where the part of the last node ends.
    end: usize,
    nodes: Vec<Node>,
    joins: Vec<Join>,
    target_count: usize,
    level_count: u32,
}

/// What is known of a node.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    /// Where its part of the list ends; it begins where that of the node before ends.
    pub(crate) end: u32,
    /// 1 for a root; 1 more than the greatest of its dependencies for any other node.
    level: u32,
    /// How many targets it has: nodes and joins that depend on it. The members of a join do not
    /// count besides it.
    pub(crate) targets: u32,
    /// The last node that depends on it: how a dependency named twice is found.
    last_dependent: u32,
}

/// No node has this number.
const NONE: u32 = u32::MAX;

impl Dependencies {
    /// Without nodes, and with room for so many of them and so many edges.
    pub(crate) fn with_capacity(nodes: usize, edges: usize) -> Self {
        Self {
            list: Vec::with_capacity(edges),
            nodes: Vec::with_capacity(nodes),
            ..Self::default()
        }
    }

    /// Dependencies in the list, of nodes or not yet.
    #[inline]
    pub(crate) fn edge_count(&self) -> usize {
        self.list.len()
    }

    /// Number of targets of all nodes together.
    pub(crate) fn target_count(&self) -> usize {
        self.target_count
    }

    /// Number of nodes on the longest path.
    pub(crate) fn level_count(&self) -> usize {
        self.level_count as usize
    }

    /// Nodes next to each other that depend on the same nodes, and on more than one.
    pub(crate) fn joins(&self) -> &[Join] {
        &self.joins
    }

    /// The list, and where it is cut.
    pub(crate) fn parts(&mut self) -> (&[u32], &mut [Node]) {
        (&self.list, &mut self.nodes)
    }

    /// The list alone, and the end of the part of each node.
    pub(crate) fn into_list(self) -> (Vec<u32>, Vec<u32>) {
        (self.list, self.nodes.iter().map(|node| node.end).collect())
    }

    /// Adds a dependency of the next node: the index of a node that is there.
    #[inline]
    pub(crate) fn push(&mut self, dependency: u32) {
        self.list.push(dependency);
    }

    /// Adds dependencies of the next node.
    ///
    /// # Errors
    ///
    /// Gives the first that is no node yet; those before it are in the list.
    #[inline]
    pub(crate) fn extend(&mut self, dependencies: impl Iterator<Item = u32>) -> Result<(), u32> {
        let nodes = self.nodes.len();
        let mut later = None;
        for dependency in dependencies {
            if dependency as usize >= nodes {
                later = Some(dependency);
                break;
            }
            self.list.push(dependency);
        }
        later.map_or(Ok(()), Err)
    }

    /// Removes the dependencies that are not any node's yet.
    #[inline]
    pub(crate) fn remove_rest(&mut self) {
        self.list.truncate(self.end);
    }

    /// Adds a node with the dependencies that are not any node's yet, each once.
    ///
    /// Takes O(dependencies) time.
    ///
    /// # Panics
    ///
    /// Panics when a dependency is not before the node.
    #[inline]
    pub(crate) fn finish_node(&mut self) {
        let start = self.end;
        if self.list.len() - start > 1 && self.join_node_before(start) {
            return;
        }
        let this = self.nodes.len() as u32;
        let mut level = 0;
        let mut repeated = false;
        let nodes = &mut self.nodes[..];
        for &dependency in &self.list[start..] {
            let node = &mut nodes[dependency as usize];
            repeated |= node.last_dependent == this;
            node.last_dependent = this;
            node.targets += 1;
            level = level.max(node.level);
        }
        if repeated {
            self.remove_repeated(start);
        }
        level += 1;
        self.level_count = self.level_count.max(level);
        self.end = self.list.len();
        self.target_count += self.end - start;
        self.nodes.push(Node {
            end: self.end as u32,
            level,
            targets: 0,
            last_dependent: NONE,
        });
    }

    /// Adds a node whose part begins at `start` if the node before depends on the same nodes, each
    /// named once and in the same order.
    #[inline]
    fn join_node_before(&mut self, start: usize) -> bool {
        let len = self.list.len() - start;
        // The last dependencies are compared alone, since they nearly always differ.
        if start < len || self.list[start - 1] != self.list[self.list.len() - 1] {
            return false;
        }
        self.join_if_equal(start)
    }

    #[inline(never)]
    fn join_if_equal(&mut self, start: usize) -> bool {
        let this = self.nodes.len();
        let before_start = match this {
            0 | 1 => 0,
            _ => self.nodes[this - 2].end as usize,
        };
        if self.list[before_start..start] != self.list[start..] {
            return false;
        }
        match self.joins.last_mut() {
            Some(join) if (join.first + join.members) as usize == this => join.members += 1,
            _ => self.joins.push(Join {
                first: this as u32 - 1,
                members: 2,
            }),
        }
        self.end = self.list.len();
        self.nodes.push(Node {
            end: self.end as u32,
            level: self.nodes[this - 1].level,
            targets: 0,
            last_dependent: NONE,
        });
        true
    }

    /// Keeps the first of equal dependencies in the part that begins at `start`, all of which the
    /// next node has counted.
    #[cold]
    #[inline(never)]
    fn remove_repeated(&mut self, start: usize) {
        for &dependency in &self.list[start..] {
            self.nodes[dependency as usize].last_dependent = NONE;
        }
        let this = self.nodes.len() as u32;
        let mut kept = start;
        for index in start..self.list.len() {
            let dependency = self.list[index];
            let node = &mut self.nodes[dependency as usize];
            if node.last_dependent == this {
                node.targets -= 1;
            } else {
                node.last_dependent = this;
                self.list[kept] = dependency;
                kept += 1;
            }
        }
        self.list.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds nodes behind 20 roots.
    #[track_caller]
    fn check(nodes: &[&[u32]], expected: &[&[u32]]) {
        let mut dependencies = Dependencies::default();
        for node in [&[][..]; 20].iter().chain(nodes) {
            for &dependency in *node {
                dependencies.push(dependency);
            }
            dependencies.finish_node();
        }
        let (list, ends) = dependencies.into_list();
        let parts = ends[19..].windows(2);
        let found: Vec<_> = parts
            .map(|ends| &list[ends[0] as usize..ends[1] as usize])
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn repeated_dependencies_of_few_and_of_many_count_once() {
        check(
            &[&[], &[0], &[0, 0], &[2, 1, 2, 0, 1]],
            &[&[], &[0], &[0], &[2, 1, 0]],
        );
        let many: Vec<u32> = (0..20).rev().collect();
        let twice = [&many[..], &many[..]].concat();
        check(&[&twice, &many, &twice], &[&many, &many, &many]);
    }

    #[test]
    fn nodes_that_depend_on_the_same_share_a_join() {
        let mut dependencies = Dependencies::default();
        let nodes: [&[u32]; 9] = [
            &[],
            &[],
            &[0, 1],
            &[0, 1],
            &[1],
            &[1],
            &[4, 5],
            &[4, 5],
            &[4, 5],
        ];
        for node in nodes {
            for &dependency in node {
                dependencies.push(dependency);
            }
            dependencies.finish_node();
        }
        let joins = dependencies.joins().iter();
        let joins: Vec<_> = joins.map(|join| (join.first, join.members)).collect();
        assert_eq!(joins, [(2, 2), (6, 3)]);
        assert_eq!(dependencies.level_count(), 3);
        assert_eq!(dependencies.target_count(), 6);
        assert_eq!(dependencies.edge_count(), 12);
        let targets: Vec<_> = dependencies
            .parts()
            .1
            .iter()
            .map(|node| node.targets)
            .collect();
        assert_eq!(targets, [1, 3, 0, 0, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_nodes_yet_can_be_removed() {
        let mut dependencies = Dependencies::default();
        dependencies.finish_node();
        dependencies.push(0);
        dependencies.remove_rest();
        dependencies.finish_node();
        assert_eq!(dependencies.into_list(), (vec![], vec![0, 0]));
    }
}
