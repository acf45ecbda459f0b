//! The builder: collects nodes by id, checks them, and freezes them into a [`Dag`].
//!
//! As long as every dependency is defined before it is used, definition order is a topological
//! order and the symbol of a node is its number: nothing has to be sorted or looked up again. The
//! first forward reference ends that, and [`Builder::build`] puts the definitions in order.

use arena::{AllocError, Arena, Bump};
use intern::{Interner, Local, Symbol};

use crate::dag::{Dag, DefinedNames, Definition, DefinitionOrder, MOST_COUNTERS, Parts};
use crate::work::Closures;
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
    definitions: Vec<Definition>,
    /// By definition, from the same moment on as `definition_of`: before, they have equal indices.
    symbols: Vec<Symbol>,
    /// Symbols of the dependencies of all definitions, one definition after the other. What lies
    /// behind the end of the last definition is left from a call that failed.
    dependencies: Vec<u32>,
    /// The definition of each symbol, from the moment on that it is not the one with its index.
    definition_of: Option<Vec<u32>>,
    /// By symbol, the last definition that depends on it: how a dependency named twice is found.
    last_dependent: Vec<u32>,
    names: Local,
    /// Goes before the arena: fields are dropped in order.
    closures: Closures,
    arena: A,
}

/// No definition: what tables by symbol hold for a name without a node.
const NONE: u32 = u32::MAX;

/// Room a new builder starts with, so that graphs up to here never move and larger ones move
/// seldom.
const START_NODES: usize = 256;

/// Room for an id in a builder whose number of nodes is known.
const USUAL_ID_BYTES: usize = 16;

impl Builder {
    /// A builder that keeps everything in a new [`Bump`] arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder with room for `nodes` nodes and `edges` edges.
    pub fn with_capacity(nodes: usize, edges: usize) -> Self {
        Self::sized(Bump::default(), nodes, edges)
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
        Self::sized(arena, START_NODES, START_NODES)
    }

    fn sized(arena: A, nodes: usize, edges: usize) -> Self {
        Self {
            definitions: Vec::with_capacity(nodes),
            symbols: Vec::new(),
            dependencies: Vec::with_capacity(edges),
            definition_of: None,
            last_dependent: Vec::new(),
            names: Local::with_capacity(nodes, nodes.saturating_mul(USUAL_ID_BYTES)),
            closures: Closures::default(),
            arena,
        }
    }

    /// Number of nodes so far.
    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    /// Whether no node was added yet.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
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
        let this = self.definitions.len();
        let start = self
            .definitions
            .last()
            .map_or(0, |last| last.dependencies_end as usize);
        self.dependencies.truncate(start);

        let symbol = self.symbol(id)?;
        if self.is_defined(symbol) {
            return Err(BuildError::DuplicateNode { node: id.into() });
        }
        for dependency in dependencies {
            let dependency = self.symbol(dependency)?;
            if dependency == symbol {
                return Err(BuildError::SelfDependency { node: id.into() });
            }
            self.dependencies.push(dependency.index() as u32);
        }
        if u32::try_from(self.dependencies.len()).is_err() {
            return Err(BuildError::TooManyEdges);
        }
        // SAFETY: the builder, and after it the graph, drops the closures before the arena.
        let work = unsafe { self.closures.add(&self.arena, work) }?;
        // Last, because it remembers this definition, which must not fail any more.
        if self.dependencies.len() - start > 1 {
            remove_repeated(
                &mut self.dependencies,
                start,
                this as u32,
                &mut self.last_dependent,
                self.names.len(),
            );
        }
        let dependencies_end = self.dependencies.len() as u32;
        self.definitions.push(Definition {
            work,
            dependencies_end,
        });
        self.enter(this as u32, symbol, start);
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
    pub fn build(self) -> Result<Dag, BuildError> {
        let order = match &self.definition_of {
            None => None,
            Some(definition_of) => Some(self.order(definition_of)?),
        };
        let end = self
            .definitions
            .last()
            .map_or(0, |last| last.dependencies_end as usize);
        let mut dependencies = self.dependencies;
        dependencies.truncate(end);
        Ok(Dag::freeze(Parts {
            closures: self.closures,
            definitions: self.definitions,
            dependencies,
            names: Some(DefinedNames {
                interner: self.names,
                order: order.map(|definitions| DefinitionOrder {
                    definitions,
                    symbols: self.symbols,
                }),
            }),
            arena: self.arena,
        })?)
    }

    #[inline]
    fn symbol(&mut self, name: &str) -> Result<Symbol, BuildError> {
        if self.names.len() >= MOST_NODES {
            return Err(BuildError::TooManyNodes);
        }
        Ok(self.names.intern(name))
    }

    #[inline]
    fn is_defined(&self, symbol: Symbol) -> bool {
        match &self.definition_of {
            None => symbol.index() < self.definitions.len(),
            Some(definition_of) => definition_of
                .get(symbol.index())
                .is_some_and(|&definition| definition != NONE),
        }
    }

    /// Enters the last definition, `this`, which has this symbol and whose dependencies begin at `start`, into
    /// `definition_of` when there is such a table or when this definition needs one.
    #[inline]
    fn enter(&mut self, this: u32, symbol: Symbol, start: usize) {
        let in_order = symbol.index() == this as usize
            && self.dependencies[start..]
                .iter()
                .all(|&dependency| dependency < this);
        if self.definition_of.is_some() || !in_order {
            let table = self.definition_of.get_or_insert_with(|| {
                self.symbols = (0..this).map(Symbol::from_index).collect();
                (0..this).collect()
            });
            self.symbols.push(symbol);
            table.resize(self.names.len(), NONE);
            table[symbol.index()] = this;
        }
    }

    /// The definitions in topological order, found depth-first in definition order. The stack of
    /// that search is a path of dependencies, so when it meets itself it holds the cycle.
    fn order(&self, definition_of: &[u32]) -> Result<Vec<u32>, BuildError> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Placed,
        }

        let start_of = |definition: u32| match definition {
            0 => 0,
            _ => self.definitions[definition as usize - 1].dependencies_end,
        };
        let nodes = self.definitions.len();
        let mut marks = vec![Mark::New; nodes];
        let mut order = Vec::with_capacity(nodes);
        // Definitions, with the position of the next dependency to look at.
        let mut path: Vec<(u32, u32)> = Vec::new();
        for first in 0..nodes as u32 {
            if marks[first as usize] != Mark::New {
                continue;
            }
            marks[first as usize] = Mark::OnPath;
            path.push((first, start_of(first)));
            while let Some((definition, next)) = path.last_mut() {
                let definition = *definition;
                if *next == self.definitions[definition as usize].dependencies_end {
                    marks[definition as usize] = Mark::Placed;
                    order.push(definition);
                    path.pop();
                    continue;
                }
                let dependency = self.dependencies[*next as usize];
                *next += 1;
                let found = definition_of[dependency as usize];
                if found == NONE {
                    let dependency = Symbol::from_index(dependency);
                    return Err(self.unknown_dependency(definition, dependency));
                }
                match marks[found as usize] {
                    Mark::Placed => {}
                    Mark::New => {
                        marks[found as usize] = Mark::OnPath;
                        path.push((found, start_of(found)));
                    }
                    Mark::OnPath => {
                        let on_cycle = path.iter().skip_while(|(on_path, _)| *on_path != found);
                        let names = on_cycle.map(|&(on_path, _)| self.name_of(on_path));
                        return Err(BuildError::Cycle {
                            path: names.chain([self.name_of(found)]).collect(),
                        });
                    }
                }
            }
        }
        Ok(order)
    }

    fn symbol_of(&self, definition: u32) -> Symbol {
        match &self.definition_of {
            None => Symbol::from_index(definition),
            Some(_) => self.symbols[definition as usize],
        }
    }

    fn name_of(&self, definition: u32) -> String {
        self.names.resolve(self.symbol_of(definition)).into()
    }

    #[cold]
    fn unknown_dependency(&self, definition: u32, dependency: Symbol) -> BuildError {
        let wanted = self.names.resolve(dependency);
        // A third of the letters may differ: `fetsh` is close to `fetch`, `b` is not close to `a`.
        let limit = wanted.chars().count() / 3;
        let suggestion = self
            .symbols
            .iter()
            .map(|&symbol| self.names.resolve(symbol))
            .map(|name| (strsim::damerau_levenshtein(name, wanted), name))
            .filter(|(distance, _)| *distance <= limit)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| name.to_owned());
        BuildError::UnknownDependency {
            node: self.name_of(definition),
            dependency: wanted.into(),
            suggestion,
        }
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
    definitions: Vec<Definition>,
    dependencies: Vec<u32>,
    /// By node, the last node that depends on it: how a dependency named twice is found.
    last_dependent: Vec<u32>,
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
        Self::sized(Bump::default(), nodes, edges)
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
        Self::sized(arena, START_NODES, START_NODES)
    }

    fn sized(arena: A, nodes: usize, edges: usize) -> Self {
        Self {
            definitions: Vec::with_capacity(nodes),
            dependencies: Vec::with_capacity(edges),
            last_dependent: Vec::new(),
            closures: Closures::default(),
            arena,
        }
    }

    /// Number of nodes so far.
    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    /// Whether no node was added yet.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
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
        let node = self.definitions.len();
        if node >= MOST_NODES {
            return Err(BuildError::TooManyNodes);
        }
        let start = self
            .definitions
            .last()
            .map_or(0, |last| last.dependencies_end as usize);
        self.dependencies.truncate(start);
        for dependency in dependencies {
            if dependency.index() >= node {
                return Err(BuildError::NotYetAdded {
                    node,
                    dependency: dependency.index(),
                });
            }
            self.dependencies.push(dependency.index() as u32);
        }
        if u32::try_from(self.dependencies.len()).is_err() {
            return Err(BuildError::TooManyEdges);
        }
        // SAFETY: the builder, and after it the graph, drops the closures before the arena.
        let work = unsafe { self.closures.add(&self.arena, work) }?;
        if self.dependencies.len() - start > 1 {
            remove_repeated(
                &mut self.dependencies,
                start,
                node as u32,
                &mut self.last_dependent,
                node,
            );
        }
        self.definitions.push(Definition {
            work,
            dependencies_end: self.dependencies.len() as u32,
        });
        Ok(NodeId::from_index(node as u32))
    }

    /// Freezes the graph. Takes O(nodes + edges) time.
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    pub fn build(mut self) -> Result<Dag, BuildError> {
        let end = self
            .definitions
            .last()
            .map_or(0, |last| last.dependencies_end as usize);
        self.dependencies.truncate(end);
        Ok(Dag::freeze(Parts {
            closures: self.closures,
            definitions: self.definitions,
            dependencies: self.dependencies,
            names: None,
            arena: self.arena,
        })?)
    }
}

impl<A> std::fmt::Debug for IdBuilder<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("IdBuilder")
            .field("nodes", &self.definitions.len())
            .finish_non_exhaustive()
    }
}

/// Removes the dependencies of definition `this`, from `start` on, that occur there before.
/// `last_dependent` is grown to `names`.
fn remove_repeated(
    dependencies: &mut Vec<u32>,
    start: usize,
    this: u32,
    last_dependent: &mut Vec<u32>,
    names: usize,
) {
    last_dependent.resize(names, NONE);
    let mut kept = start;
    for index in start..dependencies.len() {
        let dependency = dependencies[index];
        let last_dependent = &mut last_dependent[dependency as usize];
        if *last_dependent != this {
            *last_dependent = this;
            dependencies[kept] = dependency;
            kept += 1;
        }
    }
    dependencies.truncate(kept);
}

impl<A> std::fmt::Debug for Builder<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("nodes", &self.definitions.len())
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
}
