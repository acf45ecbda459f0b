//! The immutable graph.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use arena::{AllocError, Arena};
use intern::{Compact, Interner, Symbol};

use crate::draft::Draft;
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
/// assert!(dag.successors(fetch).eq([parse]));
/// assert_eq!(dag.dependency_count(parse), 1);
/// assert_eq!(dag.name(parse), "parse");
/// # Ok::<(), engine::BuildError>(())
/// ```
// Aligned, because workers read where the arrays are for every node: nothing that is written
// meanwhile may lie on the same cache line.
#[repr(align(128))]
pub struct Dag {
    works: ArenaSlice<Work>,
    /// The targets of node `i` are `targets[offsets[i]..offsets[i + 1]]`.
    offsets: ArenaSlice<u32>,
    targets: ArenaSlice<Target>,
    /// By counter index: how many dependencies a node, or the members of a join, wait for.
    counts: ArenaSlice<u32>,
    joins: ArenaSlice<Join>,
    edge_count: usize,
    root_count: usize,
    level_count: usize,
    names: Option<Names>,
    levels: OnceLock<Levels>,
    hints: Hints,
    /// Owns the closures `works` points to. Fields are dropped in order, so it goes before the
    /// arena.
    _closures: Closures,
    /// Owns the memory of everything above. The lock is never taken: it lets a graph be shared
    /// although an arena cannot be.
    _arena: Mutex<Box<dyn Send>>,
}

/// What a node tells when it has finished: the counter of another node, or of a [`Join`], and what
/// is known about that counter.
///
/// Counters are numbered like nodes, and joins after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target(u32);

impl Target {
    pub(crate) const ONLY: u32 = 1 << 31;
    const WIDE: u32 = 1 << 30;
    /// From this many dependencies on, decrements of one counter are worth collecting.
    pub(crate) const WIDE_FROM: u32 = 16;

    #[inline]
    pub(crate) fn new(counter: u32, dependency_count: u32) -> Self {
        debug_assert!(counter < Self::WIDE, "counter {counter} is too large");
        match dependency_count {
            1 => Self(counter | Self::ONLY),
            Self::WIDE_FROM.. => Self(counter | Self::WIDE),
            _ => Self(counter),
        }
    }

    #[inline]
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// Index of the counter.
    #[inline]
    pub(crate) fn counter(self) -> u32 {
        self.0 & (Self::WIDE - 1)
    }

    /// Whether nothing else counts there, so that the counter need not be touched.
    #[inline]
    pub(crate) fn is_only(self) -> bool {
        self.0 & Self::ONLY != 0
    }

    /// Whether many nodes count there.
    #[inline]
    pub(crate) fn is_wide(self) -> bool {
        self.0 & Self::WIDE != 0
    }
}

/// Nodes next to each other that depend on the same nodes: they share a counter, so that `p`
/// dependencies of `m` members need `p` targets instead of `p * m`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Join {
    pub(crate) first: u32,
    pub(crate) members: u32,
}

/// What earlier runs of a graph learned: hints by which a later one decides at once whether threads
/// pay. They publish nothing, so no ordering is needed. Schedulers with different numbers of workers
/// that run the same graph mislead each other, for some runs.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// What a node took on one thread.
    pub(crate) alone: Hint,
    /// What a node took in runs whose nodes were handed over when they were ready, beyond its part of
    /// the time alone.
    pub(crate) sharing: Hint,
    /// The same in runs that went level by level.
    pub(crate) levels: Hint,
    runs: AtomicU32,
}

/// A time in nanoseconds, once it is known.
#[derive(Debug)]
pub(crate) struct Hint(AtomicU32);

impl Default for Hint {
    fn default() -> Self {
        Self(AtomicU32::new(f32::NAN.to_bits()))
    }
}

impl Hint {
    #[inline]
    pub(crate) fn get(&self) -> Option<f32> {
        let nanoseconds = f32::from_bits(self.0.load(Ordering::Relaxed));
        (!nanoseconds.is_nan()).then_some(nanoseconds)
    }

    /// A shorter time is believed sooner than a longer one, which may have been the machine.
    pub(crate) fn note(&self, nanoseconds: f32) {
        let believed = match self.get() {
            None => nanoseconds,
            Some(before) if nanoseconds < before => before + (nanoseconds - before) / 2.0,
            Some(before) => before + (nanoseconds - before) / 8.0,
        };
        self.0.store(believed.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn forget(&self) {
        self.0.store(f32::NAN.to_bits(), Ordering::Relaxed);
    }
}

impl Hints {
    /// As [`Hint::note`] for a run alone. When it is far from what it was, the nodes do something else
    /// now, and it is believed at once.
    pub(crate) fn note_alone(&self, nanoseconds: f32) {
        if let Some(before) = self.alone.get()
            && (nanoseconds > before * 1.5 || nanoseconds * 1.5 < before)
        {
            self.alone.forget();
        }
        self.alone.note(nanoseconds);
    }

    /// Makes them those of nodes that took this long alone, after so many runs.
    #[cfg(test)]
    pub(crate) fn pretend(&self, alone_ns: f32, runs: u32) {
        for hint in [&self.alone, &self.sharing, &self.levels] {
            hint.forget();
        }
        self.alone.note(alone_ns);
        self.runs.store(runs, Ordering::Relaxed);
    }

    /// Makes the next run that many after a multiple of `period`.
    pub(crate) fn go_back_to(&self, turn: u32, period: u32) {
        let runs = self.runs.load(Ordering::Relaxed);
        self.runs
            .store(runs - runs % period + turn, Ordering::Relaxed);
    }

    /// Counts a run and returns how many there were before.
    pub(crate) fn count_run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed)
    }
}

/// The ids of the nodes.
struct Names {
    interner: Compact,
    /// Absent when the symbol of every node has the index of the node.
    renumbering: Option<Renumbering>,
}

/// Which symbol a node has, and which node a symbol.
struct Renumbering {
    /// By node.
    symbols: ArenaSlice<Symbol>,
    /// By symbol; absent for a name that was used but whose node was never defined.
    nodes: ArenaSlice<Option<NodeId>>,
}

/// What a graph is made of.
pub(crate) struct Parts<A> {
    pub(crate) closures: Closures,
    pub(crate) draft: Draft,
    pub(crate) names: Option<DefinedNames>,
    /// Owns the memory of the closures, so it goes last: fields are dropped in order.
    pub(crate) arena: A,
}

/// The names of definitions; without an order, of nothing else.
pub(crate) struct DefinedNames {
    pub(crate) interner: Compact,
    /// When definition order is not the order of the symbols, or not topological.
    pub(crate) order: Option<DefinitionOrder>,
}

/// Which definition becomes which node.
pub(crate) struct DefinitionOrder {
    /// By node, its definition.
    pub(crate) definitions: Vec<u32>,
    /// By definition, its symbol.
    pub(crate) symbols: Vec<Symbol>,
}

/// The most counters a graph can have, for its nodes and its joins.
pub(crate) const MOST_COUNTERS: usize = Target::WIDE as usize;

impl Dag {
    /// Freezes nodes that depend on nodes before them, on none of them twice, and whose numbers of
    /// edges fit `u32` and of nodes half of [`MOST_COUNTERS`].
    ///
    /// Without an order, definition `i` is node `i`, and its symbol has the index `i`. Everything
    /// goes into one block of the arena, or stays in that in which the draft is, where there is room
    /// for it; what has none there goes into another one.
    pub(crate) fn freeze<A>(parts: Parts<A>) -> Result<Self, AllocError>
    where
        A: Arena + Send + 'static,
    {
        // What is bound last is dropped first: the closures before their arena.
        let Parts {
            arena,
            closures,
            names,
            draft,
        } = parts;
        let (interner, order) = match names {
            None => (None, None),
            Some(DefinedNames { interner, order }) => (Some(interner), order),
        };
        let nodes = draft.len();
        let edge_count = draft.edge_count(&draft.open());
        let target_count = draft.target_count();
        let level_count = draft.level_count();
        let (mut rows, edges) = draft.into_parts();
        let joins = edges.joins();
        let names_count = interner.as_ref().map_or(0, Compact::len);

        let edges_bytes = Block::bytes::<u32>(nodes + 1) + Block::bytes::<Target>(target_count);
        let joins_bytes = Block::bytes::<Join>(joins.len());
        let names_bytes = match &order {
            None => 0,
            Some(_) => Self::renumbering_bytes(names_count),
        };
        let new_block = |bytes| {
            // SAFETY: the slices go into the graph beside the arena, which is never reset and is
            // dropped last; on an error they are dropped before it.
            unsafe { Block::new(&arena, bytes) }
        };
        let missing = edges_bytes + joins_bytes + names_bytes;
        let (works, counts, mut block) = match rows.take_slices(joins) {
            Some((works, counts, block)) if block.bytes_left() >= missing => (works, counts, block),
            Some((works, counts, _)) => (works, counts, new_block(missing)?),
            None => {
                let rows_bytes =
                    Block::bytes::<Work>(nodes) + Block::bytes::<u32>(nodes + joins.len());
                let mut block = new_block(rows_bytes + missing)?;
                let works = block.copy(rows.works());
                let counts = block.slice(nodes + joins.len(), |index| {
                    let node = match index.checked_sub(nodes) {
                        None => index,
                        Some(join) => joins[join].first as usize,
                    };
                    rows.counts()[node]
                });
                (works, counts, block)
            }
        };
        let own_counts = &counts[..nodes];
        let root_count = own_counts.iter().filter(|&&count| count == 0).count();
        let mut offsets = block.slice(nodes + 1, |_| 0_u32);
        let mut targets = block.slice(target_count, |_| Target(0));
        edges.fill(own_counts, &mut offsets, &mut targets);
        let joins = block.copy(joins);
        let renumbering = order.map(|order| {
            let symbols = block.slice(nodes, |node| {
                order.symbols[order.definitions[node] as usize]
            });
            let mut ids = block.slice(names_count, |_| None);
            for (node, symbol) in symbols.iter().enumerate() {
                ids[symbol.index()] = Some(NodeId(node as u32));
            }
            Renumbering {
                symbols,
                nodes: ids,
            }
        });

        Ok(Self {
            works,
            offsets,
            targets,
            counts,
            joins,
            edge_count,
            root_count,
            level_count,
            names: interner.map(|interner| Names {
                interner,
                renumbering,
            }),
            levels: OnceLock::new(),
            hints: Hints::default(),
            _closures: closures,
            _arena: Mutex::new(Box::new(arena)),
        })
    }

    /// Room for the numbers of nodes that have other ones than their names.
    pub(crate) fn renumbering_bytes(names: usize) -> usize {
        Block::bytes::<Symbol>(names) + Block::bytes::<Option<NodeId>>(names)
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
        self.edge_count
    }

    /// Number of nodes that depend on nothing.
    #[inline]
    pub fn root_count(&self) -> usize {
        self.root_count
    }

    /// Number of nodes on the longest path.
    #[inline]
    pub fn level_count(&self) -> usize {
        self.level_count
    }

    /// The node with this id; none in a graph that was built without ids.
    #[inline]
    pub fn node(&self, id: &str) -> Option<NodeId> {
        let names = self.names.as_ref()?;
        let symbol = names.interner.get(id)?;
        match &names.renumbering {
            None => Some(NodeId(symbol.index() as u32)),
            Some(renumbering) => renumbering.nodes[symbol.index()],
        }
    }

    /// The id `node` was given when it was defined; empty in a graph that was built without ids.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn name(&self, node: NodeId) -> &str {
        assert!(node.index() < self.len(), "{node:?} is not of this graph");
        let Some(names) = &self.names else {
            return "";
        };
        let symbol = match &names.renumbering {
            None => Symbol::from_index(node.0),
            Some(renumbering) => renumbering.symbols[node.index()],
        };
        names.interner.resolve(symbol)
    }

    /// The nodes that depend on `node`, each once, in ascending order.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn successors(&self, node: NodeId) -> impl Iterator<Item = NodeId> + Clone {
        self.targets(node)
            .iter()
            .flat_map(|target| self.members(target.counter()))
            .map(NodeId)
    }

    /// Number of nodes that `node` depends on.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn dependency_count(&self, node: NodeId) -> usize {
        assert!(node.index() < self.len(), "{node:?} is not of this graph");
        self.counts[node.index()] as usize
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

    /// By counter index, what a run counts down from: the nodes', then the joins'.
    #[inline]
    pub(crate) fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Number of targets of all nodes: that of edges, less where joins stand for several.
    #[inline]
    pub(crate) fn target_count(&self) -> usize {
        self.targets.len()
    }

    /// The counters that `node` counts down when it has finished.
    #[inline]
    pub(crate) fn targets(&self, node: NodeId) -> &[Target] {
        let start = self.offsets[node.index()] as usize;
        let end = self.offsets[node.index() + 1] as usize;
        &self.targets[start..end]
    }

    /// The nodes that are ready when this counter has come to 0: the node itself, or the members of
    /// the join.
    #[inline]
    pub(crate) fn members(&self, counter: u32) -> Range<u32> {
        match (counter as usize).checked_sub(self.len()) {
            None => counter..counter + 1,
            Some(join) => {
                let Join { first, members } = self.joins[join];
                first..first + members
            }
        }
    }

    #[inline]
    pub(crate) fn hints(&self) -> &Hints {
        &self.hints
    }

    /// Calls the work of the node of `run`, which must be of this graph, on the current thread.
    #[inline]
    pub(crate) fn call(&self, run: &Run<'_>) -> Result<(), NodeError> {
        // SAFETY: the closures and their arena are fields of `self`.
        unsafe { self.works[run.node().index()].call(run) }
    }
}

impl Dag {
    /// Calls the work of the nodes from that of `run` to `end`, one after the other, making `run`
    /// the run of each; afterwards its node is the one that failed or panicked, the first that was
    /// not called because `stop` was raised, or `end`.
    // Not inlined, because its loop is as tight as it can be only by itself.
    #[inline(never)]
    pub(crate) fn call_in_order(
        &self,
        run: &mut Run<'_>,
        end: usize,
        stop: &AtomicBool,
    ) -> Result<(), NodeError> {
        let start = run.node().index();
        for (work, index) in self.works[start..end].iter().zip(start as u32..) {
            run.set_node(NodeId(index));
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            // SAFETY: the closures and their arena are fields of `self`.
            unsafe { work.call(run) }?;
        }
        run.set_node(NodeId(end as u32));
        Ok(())
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

    /// Where each level ends in [`nodes`](Self::nodes).
    pub(crate) fn ends(&self) -> &[u32] {
        &self.offsets[1..]
    }

    /// The nodes, one level after the other.
    pub(crate) fn nodes(&self) -> &[NodeId] {
        &self.nodes
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
