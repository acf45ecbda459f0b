//! The immutable graph.

use std::fmt;
use std::sync::{Mutex, OnceLock};

use arena::{AllocError, Arena};
use intern::{Interner, Local, Symbol};

use crate::slice::{ArenaSlice, Block};
use crate::work::{Closures, Work};
use crate::{NodeError, Run};

/// The number of a node in its graph, in four bytes.
///
/// Ids are dense and in topological order: every node has a greater id than the nodes it depends
/// on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The id with this index.
    #[inline]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }

    /// Position of the node in its graph, from 0.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A graph that was checked: immutable, without a lifetime, and shareable between threads.
///
/// It is made by a [`Builder`](crate::Builder) and owns everything its nodes need: their work,
/// their names and the memory they live in. Closures are dropped, once each, when the graph is.
///
/// # Examples
///
/// ```
/// let mut graph = engine::Builder::new();
/// graph.node("fetch", [], |_| Ok(()))?;
/// graph.node("parse", ["fetch"], |_| Ok(()))?;
/// let dag = graph.build()?;
///
/// let fetch = dag.node("fetch").unwrap();
/// let parse = dag.node("parse").unwrap();
/// assert_eq!(dag.successors(fetch), [parse]);
/// assert_eq!(dag.dependency_count(parse), 1);
/// assert_eq!(dag.name(parse), "parse");
/// # Ok::<(), engine::BuildError>(())
/// ```
pub struct Dag {
    works: ArenaSlice<Work>,
    /// The successors of node `i` are `targets[offsets[i]..offsets[i + 1]]`.
    offsets: ArenaSlice<u32>,
    targets: ArenaSlice<NodeId>,
    dependency_counts: ArenaSlice<u32>,
    /// Absent when the symbol of every node has the index of the node.
    renumbering: Option<Renumbering>,
    names: Local,
    levels: OnceLock<Levels>,
    /// Owns the closures `works` points to. Fields are dropped in order, so it goes before the
    /// arena.
    _closures: Closures,
    /// Owns the memory of everything above. The lock is never taken: it lets a graph be shared
    /// although an arena cannot be.
    _arena: Mutex<Box<dyn Send>>,
}

/// Which symbol a node has, and which node a symbol.
struct Renumbering {
    symbols: ArenaSlice<Symbol>,
    /// By symbol; absent for a name that was used but whose node was never defined.
    nodes: ArenaSlice<Option<NodeId>>,
}

/// What a graph is made of.
pub(crate) struct Parts<A> {
    pub(crate) closures: Closures,
    pub(crate) names: Local,
    pub(crate) definitions: Vec<Definition>,
    /// Dependencies of all definitions, as symbols, one definition after the other.
    pub(crate) dependencies: Vec<Symbol>,
    /// The definition of every node, when that is not the identity.
    pub(crate) order: Option<Vec<u32>>,
    /// Owns the memory of the closures, so it goes last: fields are dropped in order.
    pub(crate) arena: A,
}

/// A node as it was defined.
pub(crate) struct Definition {
    pub(crate) work: Work,
    pub(crate) symbol: Symbol,
    /// Where its dependencies end; they begin where those of the definition before end.
    pub(crate) dependencies_end: u32,
}

impl Dag {
    /// Freezes definitions whose `order` is topological, whose dependencies are all defined, none
    /// of them twice for one node, and whose numbers of nodes and edges fit `u32`.
    ///
    /// Without an order, the symbol of definition `i` must have the index `i`.
    pub(crate) fn freeze<A>(parts: Parts<A>) -> Result<Self, AllocError>
    where
        A: Arena + Send + 'static,
    {
        // What is bound last is dropped first: the closures before their arena.
        let Parts {
            arena,
            closures,
            names,
            definitions,
            dependencies,
            order,
        } = parts;
        let nodes = definitions.len();
        let definition_of = |node: usize| match &order {
            None => node,
            Some(order) => order[node] as usize,
        };
        let mut bytes = Block::bytes::<Work>(nodes)
            + Block::bytes::<u32>(nodes)
            + Block::bytes::<u32>(nodes + 1)
            + Block::bytes::<NodeId>(dependencies.len());
        if order.is_some() {
            bytes += Block::bytes::<Symbol>(nodes) + Block::bytes::<Option<NodeId>>(names.len());
        }
        // SAFETY: the slices go into the graph beside the arena, which is never reset and is
        // dropped last; on an error they are dropped before it.
        let block = unsafe { Block::new(&arena, bytes) };
        let mut block = block?;
        let works = block.slice(nodes, |node| definitions[definition_of(node)].work);
        let mut dependency_counts = block.slice(nodes, |_| 0_u32);
        let mut offsets = block.slice(nodes + 1, |_| 0_u32);
        let mut targets = block.slice(dependencies.len(), |_| NodeId(0));
        let renumbering = order.as_ref().map(|order| {
            let symbol_of = |node: usize| definitions[order[node] as usize].symbol;
            let symbols = block.slice(nodes, symbol_of);
            let mut ids = block.slice(names.len(), |_| None);
            for (node, symbol) in symbols.iter().enumerate() {
                ids[symbol.index()] = Some(NodeId(node as u32));
            }
            Renumbering {
                symbols,
                nodes: ids,
            }
        });
        let id = |symbol: Symbol| match &renumbering {
            None => symbol.index(),
            Some(renumbering) => renumbering.nodes[symbol.index()]
                .expect("every dependency is defined")
                .index(),
        };

        // Count successors, turn the counts into the ends of their ranges, and fill the ranges from
        // the back: afterwards every offset is a start, and successors are in ascending order.
        for &dependency in &dependencies {
            offsets[id(dependency)] += 1;
        }
        let mut end = 0;
        for offset in offsets.iter_mut() {
            end += *offset;
            *offset = end;
        }
        for node in (0..nodes).rev() {
            let definition = definition_of(node);
            let start = match definition {
                0 => 0,
                _ => definitions[definition - 1].dependencies_end as usize,
            };
            let end = definitions[definition].dependencies_end as usize;
            dependency_counts[node] = (end - start) as u32;
            for &dependency in &dependencies[start..end] {
                let dependency = id(dependency);
                debug_assert!(dependency < node, "{dependency} is not before {node}");
                offsets[dependency] -= 1;
                targets[offsets[dependency] as usize] = NodeId(node as u32);
            }
        }

        Ok(Self {
            works,
            offsets,
            targets,
            dependency_counts,
            renumbering,
            names,
            levels: OnceLock::new(),
            _closures: closures,
            _arena: Mutex::new(Box::new(arena)),
        })
    }

    /// Number of nodes.
    #[inline]
    pub fn len(&self) -> usize {
        self.works.len()
    }

    /// Whether there are no nodes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.works.is_empty()
    }

    /// Number of edges.
    #[inline]
    pub fn edge_count(&self) -> usize {
        self.targets.len()
    }

    /// The node with this id.
    #[inline]
    pub fn node(&self, id: &str) -> Option<NodeId> {
        let symbol = self.names.get(id)?;
        match &self.renumbering {
            // A definition that failed may have left its name behind.
            None => (symbol.index() < self.len()).then(|| NodeId(symbol.index() as u32)),
            Some(renumbering) => renumbering.nodes[symbol.index()],
        }
    }

    /// The id `node` was given when it was defined.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn name(&self, node: NodeId) -> &str {
        let symbol = match &self.renumbering {
            None => {
                assert!(node.index() < self.len(), "{node:?} is not of this graph");
                Symbol::from_index(node.0)
            }
            Some(renumbering) => renumbering.symbols[node.index()],
        };
        self.names.resolve(symbol)
    }

    /// The nodes that depend on `node`, each once, in ascending order.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn successors(&self, node: NodeId) -> &[NodeId] {
        let start = self.offsets[node.index()] as usize;
        let end = self.offsets[node.index() + 1] as usize;
        &self.targets[start..end]
    }

    /// Number of nodes that `node` depends on.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn dependency_count(&self, node: NodeId) -> usize {
        self.dependency_counts[node.index()] as usize
    }

    /// All nodes, in topological order.
    #[inline]
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.len() as u32).map(NodeId)
    }

    /// The nodes by their distance from the roots. Takes O(nodes + edges) time at the first call.
    pub fn levels(&self) -> &Levels {
        self.levels.get_or_init(|| Levels::new(self))
    }

    #[inline]
    pub(crate) fn dependency_counts(&self) -> &[u32] {
        &self.dependency_counts
    }

    /// Calls the work of `node` on the current thread.
    #[inline]
    pub(crate) fn call(&self, node: NodeId) -> Result<(), NodeError> {
        // SAFETY: the closures and their arena are fields of `self`.
        unsafe { self.works[node.index()].call(&Run::new(self, node)) }
    }
}

impl fmt::Debug for Dag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dag")
            .field("nodes", &self.len())
            .field("edges", &self.edge_count())
            .finish_non_exhaustive()
    }
}

/// The nodes of a graph by level: a root is on level 0, any other node one level after the last of
/// its dependencies.
#[derive(Debug)]
pub struct Levels {
    /// Level `i` is `nodes[offsets[i]..offsets[i + 1]]`.
    offsets: Vec<u32>,
    nodes: Vec<NodeId>,
}

impl Levels {
    fn new(dag: &Dag) -> Self {
        let mut level_of = vec![0_u32; dag.len()];
        let mut offsets = vec![0_u32];
        // A node's level is final when its turn comes, because its dependencies have smaller ids.
        for node in dag.nodes() {
            let level = level_of[node.index()];
            if offsets.len() < level as usize + 2 {
                offsets.push(0);
            }
            offsets[level as usize + 1] += 1;
            for successor in dag.successors(node) {
                let successor = &mut level_of[successor.index()];
                *successor = (*successor).max(level + 1);
            }
        }
        let mut start = 0;
        for offset in &mut offsets {
            start += *offset;
            *offset = start;
        }
        let mut next = offsets.clone();
        let mut nodes = vec![NodeId(0); dag.len()];
        for node in dag.nodes() {
            let next = &mut next[level_of[node.index()] as usize];
            nodes[*next as usize] = node;
            *next += 1;
        }
        Self { offsets, nodes }
    }

    /// Number of levels: the number of nodes on the longest path.
    #[inline]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether the graph has no nodes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes of each level, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &[NodeId]> {
        self.offsets
            .windows(2)
            .map(|range| &self.nodes[range[0] as usize..range[1] as usize])
    }
}

#[cfg(test)]
mod tests {
    use crate::shape;

    const fn assert_send_sync<T: Send + Sync + 'static>() {}
    const _: () = assert_send_sync::<super::Dag>();
    const _: () = assert_send_sync::<crate::Outcome>();

    #[test]
    fn levels_follow_the_longest_path() {
        let dag = shape::diamond(5).build(arena::Bump::default(), |_| |_: &crate::Run<'_>| Ok(()));
        let dag = dag.unwrap();
        let widths: Vec<_> = dag.levels().iter().map(<[_]>::len).collect();
        assert_eq!(widths, [1, 3, 1]);
        assert_eq!(dag.levels().len(), 3);
    }

    #[test]
    fn empty_graph_has_no_levels() {
        let dag = crate::Builder::new().build().unwrap();
        assert!(dag.levels().is_empty());
        assert_eq!(dag.levels().len(), 0);
        assert_eq!(dag.levels().iter().count(), 0);
    }

    #[test]
    fn debug_shows_the_size() {
        let dag = crate::Builder::new().build().unwrap();
        assert_eq!(format!("{dag:?}"), "Dag { nodes: 0, edges: 0, .. }");
    }
}
