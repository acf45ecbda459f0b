//! What nodes depend on: one list, cut into the parts of the nodes.

/// The dependencies of nodes, one node after the other.
#[derive(Default)]
pub(crate) struct Dependencies {
    /// What lies behind the end of the last node is not any node's yet.
    list: Vec<u32>,
    /// By node, the end of its part, which begins where that of the node before ends.
    ends: Vec<u32>,
    /// By dependency, the last node that had many dependencies and this among them: how one that
    /// is named twice is found.
    last_dependent: Vec<u32>,
}

/// Up to so many dependencies of a node are compared each with each, which reads nothing else.
///
/// For 3 dependencies that took 1 ns instead of 4 among 1000 nodes, where a table by dependency
/// fits the first cache (2026-11-21, 2-core x86-64 VM with other load).
const FEW: usize = 8;

/// No node has this number.
const NONE: u32 = u32::MAX;

impl Dependencies {
    /// Without nodes, and with room for so many of them and so many edges.
    pub(crate) fn with_capacity(nodes: usize, edges: usize) -> Self {
        Self {
            list: Vec::with_capacity(edges),
            ends: Vec::with_capacity(nodes),
            last_dependent: Vec::new(),
        }
    }

    /// Number of nodes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Dependencies in the list, of nodes or not yet.
    #[inline]
    pub(crate) fn edge_count(&self) -> usize {
        self.list.len()
    }

    /// Where the part of the last node ends.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.ends.last().map_or(0, |&end| end as usize)
    }

    /// The dependencies of `node`.
    #[inline]
    pub(crate) fn of(&self, node: usize) -> &[u32] {
        let start = match node {
            0 => 0,
            _ => self.ends[node - 1],
        };
        &self.list[start as usize..self.ends[node] as usize]
    }

    /// The node to which the dependency at this position belongs.
    pub(crate) fn owner(&self, position: usize) -> usize {
        self.ends.partition_point(|&end| end as usize <= position)
    }

    /// All dependencies, one node after the other.
    pub(crate) fn list_mut(&mut self) -> &mut [u32] {
        &mut self.list
    }

    /// Adds a dependency to the list.
    #[inline]
    pub(crate) fn push(&mut self, dependency: u32) {
        self.list.push(dependency);
    }

    /// Removes dependencies from the end of the list until so many are left.
    #[inline]
    pub(crate) fn truncate(&mut self, edges: usize) {
        self.list.truncate(edges);
    }

    /// Makes everything behind the end of the last node the dependencies of the next, each once.
    ///
    /// They must be indices below some number of nodes or names, because memory is taken for as
    /// many when they are not few. Takes O(dependencies) time.
    #[inline]
    pub(crate) fn finish_node(&mut self) {
        let start = self.end();
        if self.list.len() - start > 1 {
            self.remove_repeated(start);
        }
        self.finish_node_at(self.list.len() as u32);
    }

    /// Makes everything up to this end, which the list may not have reached yet, the dependencies
    /// of the next node.
    #[inline]
    pub(crate) fn finish_node_at(&mut self, end: u32) {
        self.ends.push(end);
    }

    #[inline]
    fn remove_repeated(&mut self, start: usize) {
        let own = &self.list[start..];
        if own.len() <= FEW {
            let repeated = (1..own.len()).any(|index| own[..index].contains(&own[index]));
            if !repeated {
                return;
            }
        }
        self.remove_repeated_of_many(start);
    }

    #[cold]
    #[inline(never)]
    fn remove_repeated_of_many(&mut self, start: usize) {
        let this = self.len() as u32;
        let largest = self.list[start..]
            .iter()
            .max()
            .map_or(0, |&max| max as usize);
        if self.last_dependent.len() <= largest {
            let len = (largest + 1).max(2 * self.last_dependent.len());
            self.last_dependent.resize(len, NONE);
        }
        let mut kept = start;
        for index in start..self.list.len() {
            let dependency = self.list[index];
            let last_dependent = &mut self.last_dependent[dependency as usize];
            if *last_dependent != this {
                *last_dependent = this;
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

    #[track_caller]
    fn check(nodes: &[&[u32]], expected: &[&[u32]]) {
        let mut dependencies = Dependencies::default();
        for node in nodes {
            for &dependency in *node {
                dependencies.push(dependency);
            }
            dependencies.finish_node();
        }
        let found: Vec<_> = (0..nodes.len()).map(|node| dependencies.of(node)).collect();
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
    fn owner_of_a_position_is_the_node_whose_part_holds_it() {
        let mut dependencies = Dependencies::default();
        for end in [0, 2, 2, 3] {
            dependencies.finish_node_at(end);
        }
        assert_eq!([0, 1, 2].map(|at| dependencies.owner(at)), [1, 1, 3]);
    }
}
