//! The builder: collects nodes by id, checks them, and freezes them into a [`Dag`].
//!
//! As long as every dependency is defined before it is used, definition order is a topological
//! order and the symbol of a node is its number: nothing has to be sorted or looked up again. The
//! first forward reference ends that, and [`Builder::build`] puts the definitions in order.
//!
//! Two ways to wait less for memory among 100 000 names that are not in order were tried and lost
//! (2026-11-21, 2-core x86-64 VM with other load, medians of runs in turn). Putting off names of
//! dependencies and interning 64 or 512 at a time, in three loops that do not wait for what they
//! read, took 0.72 to 0.87 times as long for a layered graph in random order, but 1.2 to 1.6 times
//! in reverse order and 1.0 to 1.5 times for a chain in random order: copying the names costs about
//! what it hides. Keeping all of them until the graph is built, so that each is known when it is
//! looked up, took 1.1 times (random order) and 1.7 times (reverse) as long as the builder on lasso
//! before it: it touches much more memory.
//!
//! Two ways to guess less in the search for an order lost too (2026-11, same machine): putting all
//! dependencies that wait on the stack at once, without a branch for each, and giving nodes their
//! dependencies in a second loop, took 1.0 to 1.1 times as long; so did, on top of that, a place for
//! the definition of a name from the moment the name is known.

use arena::{AllocError, Arena, Bump};
use intern::{Compact, Interner, Symbol, Vacancy};

use crate::dag::{Dag, DefinedNames, DefinitionOrder, MOST_COUNTERS, Parts};
use crate::draft::{Draft, Open};
use crate::work::{Closures, Work};
use crate::{NodeError, NodeId, Run};

/// Why a graph cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two nodes have the same id.
    #[error("node `{node}` is defined twice; give each node its own id")]
    DuplicateNode {
        /// The id.
        node: String,
    },
    /// A node depends on an id no node has.
    #[error(
        "node `{node}` depends on `{dependency}`, which is not defined{}",
        did_you_mean(.suggestion)
    )]
    UnknownDependency {
        /// The node.
        node: String,
        /// What it depends on.
        dependency: String,
        /// A defined id that is spelled nearly the same.
        suggestion: Option<String>,
    },
    /// Nodes depend on each other in a circle.
    #[error("dependency cycle: {}", .path.join(" -> "))]
    Cycle {
        /// The nodes of the cycle, each depending on the next; the last one is the first again.
        path: Vec<String>,
    },
    /// A node depends on itself.
    #[error("node `{node}` depends on itself")]
    SelfDependency {
        /// The node.
        node: String,
    },
    /// There are more nodes or names than a graph can number.
    #[error("a graph has at most {MOST_NODES} nodes; split it")]
    TooManyNodes,
    /// There are more edges than a graph can number.
    #[error("a graph has at most {} edges; split it", u32::MAX)]
    TooManyEdges,
    /// A node was given a dependency that is not a node yet.
    #[error(
        "node {node} depends on node {dependency}, which is not added yet; add dependencies first"
    )]
    NotYetAdded {
        /// Number of the node.
        node: usize,
        /// Number of what it depends on.
        dependency: usize,
    },
    /// The ids are longer than the builder can keep.
    #[error(
        "the ids of a graph have at most {} bytes together; shorten them",
        u32::MAX
    )]
    TooMuchText,
    /// The arena has no memory left.
    #[error(transparent)]
    OutOfMemory(#[from] AllocError),
}

/// A graph with joins needs more counters than nodes, but never twice as many.
const MOST_NODES: usize = MOST_COUNTERS / 2;

fn did_you_mean(suggestion: &Option<String>) -> String {
    match suggestion {
        Some(suggestion) => format!("; did you mean `{suggestion}`?"),
        None => String::new(),
    }
}

/// Collects the nodes of a graph.
///
/// Ids are strings that only have to differ. Dependencies may be named before they are defined.
/// A dependency named twice by the same node counts once. A call of [`node`](Self::node) that
/// returns an error adds nothing, and the builder can still be used.
///
/// The closures and the arrays of the finished graph live in the arena `A`, which the graph owns.
///
/// # Examples
///
/// ```
/// let mut graph = engine::Builder::new();
/// graph.node("a", ["c"], |_| Ok(()))?;
/// graph.node("b", ["a"], |_| Ok(()))?;
/// graph.node("c", ["b"], |_| Ok(()))?;
/// let error = graph.build().unwrap_err();
/// assert_eq!(error.to_string(), "dependency cycle: a -> c -> b -> a");
/// # Ok::<(), engine::BuildError>(())
/// ```
pub struct Builder<A = Bump> {
    /// Of no nodes once `unordered` is there. What belongs to no node is left from a call that failed.
    draft: Draft,
    /// From the first forward reference on.
    unordered: Option<Unordered>,
    names: Compact,
    /// Goes before the arena: fields are dropped in order.
    closures: Closures,
    arena: A,
}

/// What a builder remembers from the first forward reference on.
struct Unordered {
    /// By definition.
    works: Vec<Work>,
    /// By definition.
    symbols: Vec<Symbol>,
    /// By symbol; `NONE` for those that are not defined yet. May be shorter than there are symbols.
    definitions: Vec<u32>,
    /// Symbols of the dependencies of all definitions, one definition after the other. What is
    /// behind the last end is left from a call that failed.
    dependencies: Vec<u32>,
    /// By definition, where its dependencies end.
    ends: Vec<u32>,
}

/// No definition: what tables by symbol hold for a name without a node.
const NONE: u32 = u32::MAX;

/// Room a new builder starts with, so that graphs up to here never move and larger ones move
/// seldom.
const START_NODES: usize = 256;

/// Room for an id in a builder whose number of nodes is known. Room that is not used is never
/// touched, so it costs little; too little costs a copy of everything.
const USUAL_ID_BYTES: usize = 32;

impl Builder {
    /// A builder that keeps everything in a new [`Bump`] arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder with room for `nodes` nodes and `edges` edges.
    ///
    /// The room that is not used stays with the graph.
    pub fn with_capacity(nodes: usize, edges: usize) -> Self {
        Self::with_capacity_in(Bump::default(), nodes, edges)
    }
}

impl<A: Arena + Default + Send + 'static> Default for Builder<A> {
    fn default() -> Self {
        Self::in_arena(A::default())
    }
}

impl<A: Arena + Send + 'static> Builder<A> {
    /// A builder that keeps everything in `arena`, which the graph will own.
    pub fn in_arena(arena: A) -> Self {
        let draft = Draft::with_capacity(START_NODES, START_NODES);
        Self::sized(arena, draft, START_NODES)
    }

    /// A builder with room for `nodes` nodes and `edges` edges that keeps everything in `arena`,
    /// which the graph will own.
    ///
    /// The room that is not used stays with the graph.
    ///
    /// # Examples
    ///
    /// Graphs that come and go use the same memory again:
    ///
    /// ```
    /// use std::sync::LazyLock;
    ///
    /// use arena::{Bump, Pool};
    /// use engine::Builder;
    ///
    /// static ARENAS: LazyLock<Pool<Bump>> = LazyLock::new(Pool::default);
    ///
    /// for _ in 0..3 {
    ///     let mut graph = Builder::with_capacity_in(ARENAS.get(), 2, 1);
    ///     graph.node("fetch", [], |_| Ok(()))?;
    ///     graph.node("parse", ["fetch"], |_| Ok(()))?;
    ///     assert_eq!(graph.build()?.len(), 2);
    /// }
    /// assert_eq!(ARENAS.stats().created, 1);
    /// # Ok::<(), engine::BuildError>(())
    /// ```
    pub fn with_capacity_in(arena: A, nodes: usize, edges: usize) -> Self {
        // SAFETY: the builder, and after it the graph, has the draft before the arena.
        let draft = unsafe { Draft::in_arena(&arena, nodes, edges, Dag::renumbering_bytes(nodes)) };
        Self::sized(arena, draft, nodes)
    }

    fn sized(arena: A, draft: Draft, names: usize) -> Self {
        Self {
            draft,
            unordered: None,
            names: Compact::with_capacity(names, names.saturating_mul(USUAL_ID_BYTES)),
            closures: Closures::default(),
            arena,
        }
    }

    /// Number of nodes so far.
    pub fn len(&self) -> usize {
        self.node_count()
    }

    /// Whether no node was added yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a node: its id, the ids of the nodes it depends on, and its work.
    ///
    /// The work may own what it captures; it is dropped with the graph. Takes O(dependencies)
    /// time and no allocation of its own: one in the arena when the closure captures something.
    ///
    /// # Errors
    ///
    /// Fails when the id is taken, when the node depends on itself, and when the graph becomes too
    /// large. Unknown dependencies and cycles are found by [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// let mut graph = engine::Builder::new();
    /// let greeting = String::from("hello");
    /// graph.node("greet", [], move |run| {
    ///     println!("{greeting} from {}", run.name());
    ///     Ok(())
    /// })?;
    /// let error = graph.node("greet", [], |_| Ok(())).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "node `greet` is defined twice; give each node its own id"
    /// );
    /// # Ok::<(), engine::BuildError>(())
    /// ```
    pub fn node<'d>(
        &mut self,
        id: &str,
        dependencies: impl IntoIterator<Item = &'d str>,
        work: impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
    ) -> Result<(), BuildError> {
        if let Some(unordered) = &mut self.unordered {
            unordered.remove_rest();
        }
        let found = self.names.find(id);
        if found.is_ok_and(|symbol| self.is_defined(symbol)) {
            return Err(BuildError::DuplicateNode { node: id.into() });
        }
        let mut open = self.draft.open();
        for dependency in dependencies {
            let known = self.names.find(dependency);
            if let (Ok(symbol), None) = (known, &self.unordered) {
                if self.draft.push(&mut open, symbol.index() as u32).is_err() {
                    unreachable!("in order, every name is that of a node");
                }
                continue;
            }
            // A known name is compared as well: it may be the id, named before its definition.
            if dependency == id {
                return Err(BuildError::SelfDependency { node: id.into() });
            }
            let symbol = match known {
                Ok(symbol) => symbol,
                Err(vacancy) => self.add_name(vacancy, dependency)?,
            };
            let unordered = self
                .unordered
                .get_or_insert_with(|| Unordered::after(&mut self.draft, &open));
            unordered.dependencies.push(symbol.index() as u32);
        }
        let edges = match &self.unordered {
            None => self.draft.edge_count(&open),
            Some(unordered) => unordered.dependencies.len(),
        };
        let Ok(end) = u32::try_from(edges) else {
            return Err(BuildError::TooManyEdges);
        };
        // SAFETY: the builder, and after it the graph, drops the closures before the arena.
        let work = unsafe { self.closures.add(&self.arena, work) }?;
        let symbol = match found {
            Ok(symbol) => symbol,
            // After everything else that can fail: as long as definitions are in order, no name is
            // there but theirs.
            Err(vacancy) => self.add_name(vacancy, id)?,
        };
        match &mut self.unordered {
            None => self.draft.finish_node(open, work),
            Some(unordered) => unordered.enter(work, symbol, end),
        }
        Ok(())
    }

    /// Checks the graph and freezes it.
    ///
    /// Node ids follow definition order, except that a node defined before its dependencies comes
    /// directly after them. Takes O(nodes + edges) time.
    ///
    /// # Errors
    ///
    /// Fails when a node depends on one that is not defined, when nodes depend on each other in a
    /// circle, and when no memory is left.
    pub fn build(mut self) -> Result<Dag, BuildError> {
        let order = match self.unordered.take() {
            None => None,
            Some(mut unordered) => {
                unordered.remove_rest();
                let (nodes, edges) = (unordered.works.len(), unordered.dependencies.len());
                if !self.draft.has_room(nodes, edges) {
                    let more_bytes = Dag::renumbering_bytes(self.names.len());
                    // SAFETY: the builder, and after it the graph, has the draft before the arena.
                    self.draft = unsafe { Draft::in_arena(&self.arena, nodes, edges, more_bytes) };
                }
                Some(unordered.order(&self.names, &mut self.draft)?)
            }
        };
        Ok(Dag::freeze(Parts {
            closures: self.closures,
            draft: self.draft,
            names: Some(DefinedNames {
                interner: self.names,
                order,
            }),
            arena: self.arena,
        })?)
    }

    #[inline]
    fn add_name(&mut self, vacancy: Vacancy, name: &str) -> Result<Symbol, BuildError> {
        if self.names.len() >= MOST_NODES {
            return Err(BuildError::TooManyNodes);
        }
        if u32::try_from(self.names.text_len() + name.len()).is_err() {
            return Err(BuildError::TooMuchText);
        }
        Ok(self.names.insert(vacancy, name))
    }

    #[inline]
    fn is_defined(&self, symbol: Symbol) -> bool {
        match &self.unordered {
            None => true,
            Some(unordered) => unordered.is_defined(symbol),
        }
    }
}

impl<A> Builder<A> {
    fn node_count(&self) -> usize {
        match &self.unordered {
            None => self.draft.len(),
            Some(unordered) => unordered.works.len(),
        }
    }
}

impl Unordered {
    /// Begins behind definitions in order; what belongs to none of them yet belongs to the next.
    #[cold]
    #[inline(never)]
    fn after(draft: &mut Draft, open: &Open) -> Self {
        /// Copies values into a vector with room for all definitions.
        fn with_room<T>(values: impl Iterator<Item = T>, room: usize) -> Vec<T> {
            let mut all = Vec::with_capacity(room);
            all.extend(values);
            all
        }

        let count = draft.len() as u32;
        let room = draft.node_capacity();
        let ends = draft.counts().iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        });
        let unordered = Self {
            works: with_room(draft.works().iter().copied(), room),
            symbols: with_room((0..count).map(Symbol::from_index), room),
            definitions: with_room(0..count, room),
            dependencies: draft.dependencies(open),
            ends: with_room(ends, room),
        };
        draft.clear();
        unordered
    }

    #[inline]
    fn is_defined(&self, symbol: Symbol) -> bool {
        let definition = self.definitions.get(symbol.index());
        definition.is_some_and(|&definition| definition != NONE)
    }

    /// Enters a definition, with all dependencies, and where they end.
    #[inline]
    fn enter(&mut self, work: Work, symbol: Symbol, end: u32) {
        let definition = self.works.len() as u32;
        if self.definitions.len() <= symbol.index() {
            self.definitions.resize(symbol.index() + 1, NONE);
        }
        self.definitions[symbol.index()] = definition;
        self.works.push(work);
        self.symbols.push(symbol);
        self.ends.push(end);
    }

    /// Removes the dependencies behind those of the last definition.
    #[inline]
    fn remove_rest(&mut self) {
        let end = self.ends.last().map_or(0, |&end| end as usize);
        self.dependencies.truncate(end);
    }

    /// Finds a topological order, depth-first in definition order, and puts the nodes into the draft
    /// in it. The stack of that search is a path of dependencies, so when it meets itself it holds
    /// the cycle.
    fn order(self, names: &Compact, placed: &mut Draft) -> Result<DefinitionOrder, BuildError> {
        const NEW: u32 = u32::MAX;
        const ON_PATH: u32 = u32::MAX - 1;

        let Self {
            works,
            symbols,
            definitions,
            mut dependencies,
            ends,
        } = self;
        // Tables by symbol are read before the search, one reading after the other without waiting:
        // in the search each decides what is read next.
        let mut unknown = None;
        for (position, dependency) in dependencies.iter_mut().enumerate() {
            let symbol = *dependency;
            *dependency = definitions.get(symbol as usize).copied().unwrap_or(NONE);
            if *dependency == NONE {
                unknown = unknown.or(Some((position, Symbol::from_index(symbol))));
            }
        }
        if let Some((position, symbol)) = unknown {
            let definition = ends.partition_point(|&end| end as usize <= position);
            return Err(unknown_dependency(names, &symbols, definition, symbol));
        }
        drop(definitions);

        let count = ends.len();
        let mut order = Vec::with_capacity(count);
        // By definition, once it has one; less than `ON_PATH`.
        let mut nodes = vec![NEW; count];
        let start_of = |definition: u32| match definition {
            0 => 0,
            _ => ends[definition as usize - 1],
        };
        // Definitions, with the position of the next dependency to look at.
        let mut path: Vec<(u32, u32)> = Vec::new();
        for first in 0..count as u32 {
            if nodes[first as usize] != NEW {
                continue;
            }
            nodes[first as usize] = ON_PATH;
            path.push((first, start_of(first)));
            while let Some((definition, next)) = path.last_mut() {
                let definition = *definition;
                let end = ends[definition as usize];
                let rest = &dependencies[*next as usize..end as usize];
                let open = rest
                    .iter()
                    .position(|&found| nodes[found as usize] >= ON_PATH);
                let Some(open) = open else {
                    let own = &dependencies[start_of(definition) as usize..end as usize];
                    let mut open = placed.open();
                    for &dependency in own {
                        let pushed = placed.push(&mut open, nodes[dependency as usize]);
                        pushed.expect("the dependencies of a node are placed before it");
                    }
                    placed.finish_node(open, works[definition as usize]);
                    nodes[definition as usize] = order.len() as u32;
                    order.push(definition);
                    path.pop();
                    continue;
                };
                let found = rest[open];
                *next += open as u32 + 1;
                if nodes[found as usize] == ON_PATH {
                    let on_cycle = path.iter().skip_while(|(on_path, _)| *on_path != found);
                    let definitions = on_cycle.map(|&(on_path, _)| on_path).chain([found]);
                    let symbols = definitions.map(|definition| symbols[definition as usize]);
                    return Err(BuildError::Cycle {
                        path: symbols.map(|symbol| names.resolve(symbol).into()).collect(),
                    });
                }
                nodes[found as usize] = ON_PATH;
                path.push((found, start_of(found)));
            }
        }
        Ok(DefinitionOrder {
            definitions: order,
            symbols,
        })
    }
}

/// `symbols` are those of all definitions.
#[cold]
fn unknown_dependency(
    names: &Compact,
    symbols: &[Symbol],
    definition: usize,
    dependency: Symbol,
) -> BuildError {
    let wanted = names.resolve(dependency);
    // A third of the letters may differ: `fetsh` is close to `fetch`, `b` is not close to `a`.
    let limit = wanted.chars().count() / 3;
    let suggestion = symbols
        .iter()
        .map(|&symbol| names.resolve(symbol))
        .map(|name| (strsim::damerau_levenshtein(name, wanted), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned());
    BuildError::UnknownDependency {
        node: names.resolve(symbols[definition]).into(),
        dependency: wanted.into(),
        suggestion,
    }
}

/// Collects the nodes of a graph that needs no names: nodes are numbered as they are added, and a
/// node can only depend on nodes that are there, so there is no order to find and no cycle to
/// report.
///
/// # Examples
///
/// ```
/// let mut graph = engine::IdBuilder::new();
/// let fetch = graph.node([], |_| Ok(()))?;
/// let parse = graph.node([fetch], |_| Ok(()))?;
/// let dag = graph.build()?;
/// assert!(dag.successors(fetch).eq([parse]));
/// assert_eq!(dag.name(fetch), "");
/// # Ok::<(), engine::BuildError>(())
/// ```
pub struct IdBuilder<A = Bump> {
    /// What belongs to no node is left from a call that failed.
    draft: Draft,
    /// Goes before the arena: fields are dropped in order.
    closures: Closures,
    arena: A,
}

impl IdBuilder {
    /// A builder that keeps everything in a new [`Bump`] arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder with room for `nodes` nodes and `edges` edges.
    pub fn with_capacity(nodes: usize, edges: usize) -> Self {
        Self::with_capacity_in(Bump::default(), nodes, edges)
    }
}

impl<A: Arena + Default + Send + 'static> Default for IdBuilder<A> {
    fn default() -> Self {
        Self::in_arena(A::default())
    }
}

impl<A: Arena + Send + 'static> IdBuilder<A> {
    /// A builder that keeps everything in `arena`, which the graph will own.
    pub fn in_arena(arena: A) -> Self {
        Self {
            draft: Draft::with_capacity(START_NODES, START_NODES),
            closures: Closures::default(),
            arena,
        }
    }

    /// A builder with room for `nodes` nodes and `edges` edges that keeps everything in `arena`,
    /// which the graph will own.
    ///
    /// The room that is not used stays with the graph.
    pub fn with_capacity_in(arena: A, nodes: usize, edges: usize) -> Self {
        Self {
            // SAFETY: the builder, and after it the graph, has the draft before the arena.
            draft: unsafe { Draft::in_arena(&arena, nodes, edges, 0) },
            closures: Closures::default(),
            arena,
        }
    }

    /// Number of nodes so far.
    pub fn len(&self) -> usize {
        self.draft.len()
    }

    /// Whether no node was added yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a node: the nodes it depends on, and its work. A dependency named twice counts once.
    ///
    /// Takes O(dependencies) time. A call that returns an error adds nothing.
    ///
    /// # Errors
    ///
    /// Fails when a dependency is not of a node that was added before, and when the graph becomes
    /// too large.
    pub fn node(
        &mut self,
        dependencies: impl IntoIterator<Item = NodeId>,
        work: impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
    ) -> Result<NodeId, BuildError> {
        let node = self.draft.len();
        if node >= MOST_NODES {
            return Err(BuildError::TooManyNodes);
        }
        let mut open = self.draft.open();
        for dependency in dependencies {
            if self
                .draft
                .push(&mut open, dependency.index() as u32)
                .is_err()
            {
                return Err(BuildError::NotYetAdded {
                    node,
                    dependency: dependency.index(),
                });
            }
        }
        if u32::try_from(self.draft.edge_count(&open)).is_err() {
            return Err(BuildError::TooManyEdges);
        }
        // SAFETY: the builder, and after it the graph, drops the closures before the arena.
        let work = unsafe { self.closures.add(&self.arena, work) }?;
        self.draft.finish_node(open, work);
        Ok(NodeId::from_index(node as u32))
    }

    /// Freezes the graph. Takes O(nodes + edges) time.
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    pub fn build(self) -> Result<Dag, BuildError> {
        Ok(Dag::freeze(Parts {
            closures: self.closures,
            draft: self.draft,
            names: None,
            arena: self.arena,
        })?)
    }
}

impl<A> std::fmt::Debug for IdBuilder<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("IdBuilder")
            .field("nodes", &self.draft.len())
            .finish_non_exhaustive()
    }
}

impl<A> std::fmt::Debug for Builder<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("nodes", &self.node_count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeId;

    /// Builds a graph from `node:dependency,dependency` definitions separated by spaces.
    fn build(text: &str) -> Result<Dag, BuildError> {
        let mut graph = Builder::new();
        for definition in text.split_whitespace() {
            let (id, dependencies) = definition.split_once(':').unwrap_or((definition, ""));
            let dependencies = dependencies.split(',').filter(|id| !id.is_empty());
            graph.node(id, dependencies, |_| Ok(()))?;
        }
        graph.build()
    }

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        assert_eq!(build(text).unwrap_err().to_string(), message);
    }

    /// Node ids in order, each with its successors.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let dag = build(text).unwrap();
        let names = |nodes: &[NodeId]| {
            let names: Vec<_> = nodes.iter().map(|&node| dag.name(node)).collect();
            names.join(",")
        };
        let shown: Vec<_> = dag
            .nodes()
            .map(|node| {
                format!(
                    "{}>{}",
                    dag.name(node),
                    names(&dag.successors(node).collect::<Vec<_>>())
                )
            })
            .collect();
        assert_eq!(shown.join(" "), expected);
        for node in dag.nodes() {
            assert_eq!(dag.node(dag.name(node)), Some(node));
        }
    }

    #[test]
    fn definition_order_is_kept_when_it_is_topological() {
        check("a b:a c:a d:b,c", "a>b,c b>d c>d d>");
    }

    #[test]
    fn forward_references_are_put_in_order() {
        check("d:b,c b:a e c:a a", "a>b,c b>d c>d d> e>");
        check("a b:a c:x x:a", "a>b,x b> x>c c>");
    }

    #[test]
    fn repeated_dependency_counts_once() {
        check("a b:a,a,a c:b,a,b", "a>b,c b>c c>");
        check("c:b,a,b b:a,a a", "a>b,c b>c c>");
    }

    #[test]
    fn duplicate_id_is_reported() {
        let message = "node `parse` is defined twice; give each node its own id";
        check_error("parse parse", message);
        check_error("parse:late parse", message);
    }

    #[test]
    fn unknown_dependency_is_reported_with_a_close_id() {
        check_error(
            "fetch parse:fetsh",
            "node `parse` depends on `fetsh`, which is not defined; did you mean `fetch`?",
        );
        check_error("a b:c", "node `b` depends on `c`, which is not defined");
    }

    #[test]
    fn cycle_is_reported_with_its_path() {
        check_error("a:b b:c c:b", "dependency cycle: b -> c -> b");
        check_error("a:b b:c c:d d:a", "dependency cycle: a -> b -> c -> d -> a");
    }

    #[test]
    fn node_that_depends_on_itself_is_reported() {
        check_error("a b:a,b", "node `b` depends on itself");
    }

    #[test]
    fn builder_is_usable_after_an_error() {
        let mut graph = Builder::new();
        graph.node("a", [], |_| Ok(())).unwrap();
        graph.node("b", ["a", "b"], |_| Ok(())).unwrap_err();
        graph.node("a", ["x"], |_| Ok(())).unwrap_err();
        graph.node("c", ["a"], |_| Ok(())).unwrap();
        graph.node("d", ["d"], |_| Ok(())).unwrap_err();
        let dag = graph.build().unwrap();
        assert_eq!((dag.len(), dag.edge_count()), (2, 1));
        assert_eq!(dag.node("b"), None);
        assert_eq!(dag.node("x"), None);
        assert_eq!(dag.name(dag.node("c").unwrap()), "c");
    }

    #[test]
    fn panicking_dependency_iterator_adds_nothing() {
        let mut graph = Builder::new();
        graph.node("a", [], |_| Ok(())).unwrap();
        let dependencies = ["a", "a"].into_iter().enumerate().map(|(index, id)| {
            if index == 1 {
                // Unwinds without the panic hook, so that nothing is printed.
                std::panic::resume_unwind(Box::new("stop here"));
            }
            id
        });
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            graph.node("b", dependencies, |_| Ok(()))
        }));
        assert!(panicked.is_err());
        assert_eq!(graph.build().unwrap().edge_count(), 0);
    }

    #[test]
    fn name_of_a_definition_that_failed_is_no_node() {
        let mut graph = Builder::new();
        graph.node("a", [], |_| Ok(())).unwrap();
        graph.node("b", ["b"], |_| Ok(())).unwrap_err();
        let dag = graph.build().unwrap();
        assert_eq!(dag.len(), 1);
        assert_eq!(dag.node("b"), None);
        let unknown = crate::NodeId::from_index(1);
        let named =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dag.name(unknown).len()));
        assert!(named.is_err());
    }

    #[test]
    fn dependencies_can_be_strings_of_any_lifetime() {
        let ids = [String::from("a"), String::from("b")];
        let mut graph = Builder::with_capacity(2, 1);
        graph.node(&ids[0], [], |_| Ok(())).unwrap();
        graph
            .node(&ids[1], ids[..1].iter().map(String::as_str), |_| Ok(()))
            .unwrap();
        assert_eq!(graph.len(), 2);
        assert_eq!(graph.build().unwrap().edge_count(), 1);
    }

    /// Dependencies of nodes by number, as tests of random graphs make them: roots between other
    /// nodes, repeated dependencies, few and many, and neighbours that have the same ones.
    fn random_dependencies(random: &mut oorandom::Rand32, nodes: u32) -> Vec<Vec<u32>> {
        let mut all: Vec<Vec<u32>> = Vec::new();
        for node in 0..nodes {
            let count = match random.rand_range(0..8) {
                _ if node == 0 => 0,
                0 => 0,
                1 | 2 => 1,
                3 => 14 + random.rand_range(0..6),
                4 | 5 => {
                    all.push(all[node as usize - 1].clone());
                    continue;
                }
                _ => 2 + random.rand_range(0..3),
            };
            all.push((0..count).map(|_| random.rand_range(0..node)).collect());
        }
        all
    }

    /// Compares the graph with what a plain model says; node `i` of the model is `of(i)`.
    #[track_caller]
    fn check_model(dag: &Dag, model: &[Vec<u32>], of: impl Fn(usize) -> NodeId) {
        let mut successors = vec![Vec::new(); model.len()];
        let mut levels = vec![0; model.len()];
        let (mut edges, mut roots) = (0, 0);
        for (node, dependencies) in model.iter().enumerate() {
            let distinct: std::collections::BTreeSet<_> = dependencies.iter().collect();
            for &&dependency in &distinct {
                successors[dependency as usize].push(of(node));
                levels[node] = levels[node].max(levels[dependency as usize] + 1);
            }
            assert_eq!(dag.dependency_count(of(node)), distinct.len());
            edges += distinct.len();
            roots += usize::from(distinct.is_empty());
        }
        assert_eq!((dag.len(), dag.edge_count()), (model.len(), edges));
        assert_eq!(dag.root_count(), roots);
        assert_eq!(
            dag.level_count(),
            levels.iter().max().map_or(0, |level| level + 1)
        );
        assert_eq!(dag.levels().len(), dag.level_count());
        for (node, mut expected) in successors.into_iter().enumerate() {
            expected.sort_unstable();
            assert!(dag.successors(of(node)).eq(expected), "node {node}");
        }
    }

    #[test]
    fn random_graphs_are_what_a_plain_model_says_whatever_room_was_asked_for() {
        let mut random = oorandom::Rand32::new(7);
        for round in 0..if cfg!(miri) { 6 } else { 300 } {
            let nodes = random.rand_range(0..40);
            let model = random_dependencies(&mut random, nodes);
            let edges = model.iter().map(Vec::len).sum();
            let nodes = nodes as usize;
            let room = [
                (nodes, edges),
                (nodes / 2, edges),
                (nodes, edges / 3),
                (50, 900),
            ];
            let mut builders: Vec<_> = room
                .iter()
                .map(|&(nodes, edges)| IdBuilder::with_capacity(nodes, edges))
                .collect();
            builders.push(IdBuilder::new());
            for mut graph in builders {
                for (node, dependencies) in model.iter().enumerate() {
                    if round % 3 == 0 {
                        let wrong = dependencies.iter().copied().chain([node as u32]);
                        let wrong = wrong.map(NodeId::from_index);
                        graph.node(wrong, |_| Ok(())).unwrap_err();
                    }
                    let own = dependencies.iter().copied().map(NodeId::from_index);
                    graph.node(own, |_| Ok(())).unwrap();
                }
                let dag = graph.build().unwrap();
                check_model(&dag, &model, |node| NodeId::from_index(node as u32));
            }

            let mut definitions: Vec<usize> = (0..nodes).collect();
            for from in (1..nodes).rev().filter(|_| round % 2 == 0) {
                definitions.swap(from, random.rand_range(0..from as u32 + 1) as usize);
            }
            let ids: Vec<_> = (0..nodes).map(|node| format!("node {node}")).collect();
            let mut builders: Vec<_> = room
                .iter()
                .map(|&(nodes, edges)| Builder::with_capacity(nodes, edges))
                .collect();
            builders.push(Builder::new());
            for mut graph in builders {
                for &node in &definitions {
                    let own = model[node].iter().map(|&node| ids[node as usize].as_str());
                    if round % 3 == 0 {
                        let wrong = own.clone().chain([ids[node].as_str()]);
                        graph.node(&ids[node], wrong, |_| Ok(())).unwrap_err();
                    }
                    graph.node(&ids[node], own, |_| Ok(())).unwrap();
                }
                assert_eq!(graph.len(), nodes);
                let dag = graph.build().unwrap();
                check_model(&dag, &model, |node| dag.node(&ids[node]).unwrap());
            }
        }
    }
}
