//! Runs whose order is known beforehand.
//!
//! [`Sequential`](crate::Sequential) always runs nodes in the order of their ids. A [`Recorder`]
//! notes the order in which the nodes of any run began, and a [`Replay`] runs them in that order, or
//! in any other that the graph allows, one after the other on the calling thread: to see again what
//! happened once, and to try an order that no scheduler chose.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::execution::{Execution, Shared};
use crate::worker::WorkerMark;
use crate::{Dag, NodeId, NodeState, Observer, Options, Outcome, Scheduler};

/// A scheduler that runs the nodes of one graph in a given order, on the calling thread.
///
/// Runs that nodes start inside are sequential walks, so that they are the same every time too.
///
/// # Examples
///
/// ```
/// use engine::replay::{Recorder, Replay};
/// use engine::{Options, Outcome, Scheduler, Strategy};
///
/// let mut graph = engine::Builder::new();
/// graph.node("a", [], |_| Ok(()))?;
/// graph.node("b", [], |_| Ok(()))?;
/// graph.node("c", ["a", "b"], |_| Ok(()))?;
/// let dag = graph.build()?;
///
/// let recorder = Recorder::new();
/// let options = Options { observer: Some(&recorder), ..Options::default() };
/// let scheduler = Strategy::WorkStealing.scheduler(2)?;
/// scheduler.run_with(&dag, &options, &mut Outcome::new());
///
/// let replay = Replay::new(&dag, recorder.order(&dag))?;
/// assert!(replay.run(&dag).all_completed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replay {
    order: Vec<NodeId>,
    /// By node, its place in `order`.
    places: Vec<u32>,
}

/// Why nodes cannot be run in an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It has too few nodes or too many.
    #[error("the order has {given} nodes and the graph {nodes}; name every node once")]
    Length {
        /// Nodes in the order.
        given: usize,
        /// Nodes in the graph.
        nodes: usize,
    },
    /// It has a node that is not in the graph.
    #[error("the order has node {node}, but the graph has only {nodes} nodes")]
    Unknown {
        /// Index of the node.
        node: usize,
        /// Nodes in the graph.
        nodes: usize,
    },
    /// It has a node twice.
    #[error("node {node} `{name}` is in the order twice")]
    Repeated {
        /// Index of the node.
        node: usize,
        /// Its id.
        name: String,
    },
    /// A node comes before one that it depends on.
    #[error(
        "node {node} `{name}` comes before node {dependency} `{dependency_name}`, which it depends \
         on"
    )]
    TooEarly {
        /// Index of the node.
        node: usize,
        /// Its id.
        name: String,
        /// Index of the dependency that comes later.
        dependency: usize,
        /// Its id.
        dependency_name: String,
    },
}

impl Replay {
    /// A scheduler that runs the nodes of `dag` in this order. Takes O(nodes + edges) time.
    ///
    /// # Errors
    ///
    /// Fails unless `order` has every node once, after all that it depends on.
    pub fn new(dag: &Dag, order: Vec<NodeId>) -> Result<Self, ReplayError> {
        let nodes = dag.len();
        if order.len() != nodes {
            return Err(ReplayError::Length {
                given: order.len(),
                nodes,
            });
        }
        let mut places = vec![u32::MAX; nodes];
        for (place, &node) in order.iter().enumerate() {
            let node = node.index();
            match places.get_mut(node) {
                None => return Err(ReplayError::Unknown { node, nodes }),
                Some(free) if *free == u32::MAX => *free = place as u32,
                Some(_) => {
                    return Err(ReplayError::Repeated {
                        node,
                        name: dag.name(NodeId::from_index(node as u32)).into(),
                    });
                }
            }
        }
        let replay = Self { order, places };
        match replay.too_early(dag) {
            None => Ok(replay),
            Some((node, dependency)) => Err(ReplayError::TooEarly {
                node: node.index(),
                name: dag.name(node).into(),
                dependency: dependency.index(),
                dependency_name: dag.name(dependency).into(),
            }),
        }
    }

    /// The nodes in the order in which they run.
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// A node that comes before one that it depends on.
    fn too_early(&self, dag: &Dag) -> Option<(NodeId, NodeId)> {
        let place = |node: NodeId| self.places[node.index()];
        dag.nodes().find_map(|dependency| {
            dag.successors(dependency)
                .find(|&node| place(node) < place(dependency))
                .map(|node| (node, dependency))
        })
    }
}

/// Allocates nothing from the second run with the same outcome on. Checks the order again, which
/// takes O(nodes + edges) time.
///
/// # Panics
///
/// A run panics when the graph does not allow the order, because it is another graph than the one
/// the order was made for.
impl Scheduler for Replay {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        assert!(
            dag.len() == self.order.len() && self.too_early(dag).is_none(),
            "the order to replay is that of another graph"
        );
        let _mark = WorkerMark::new();
        let shared = Shared::new(dag, options);
        outcome.begin(dag.len());
        let Outcome {
            states,
            failures,
            is_incomplete,
            ..
        } = outcome;
        states.fill(0..dag.len(), NodeState::Pending);
        let execution = Execution::new(&shared, states, &[], failures);
        for &node in &self.order {
            execution.run(node);
        }
        (*failures, *is_incomplete) = execution.finish();
    }
}

/// An observer that notes the order in which nodes begin.
///
/// It takes a lock for every node.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<NodeId>>);

impl Recorder {
    /// A recorder that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything, to record another run.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The nodes that began, in the order in which they did.
    pub fn started(&self) -> Vec<NodeId> {
        self.lock().clone()
    }

    /// The order of the recorded run, to [`Replay`] it: the nodes that began, and after them, in the
    /// order of their ids, those that did not. Takes O(nodes) time.
    ///
    /// # Panics
    ///
    /// Panics when what was recorded was not a run of `dag`.
    pub fn order(&self, dag: &Dag) -> Vec<NodeId> {
        let mut order = self.started();
        let mut has_started = vec![false; dag.len()];
        for node in &order {
            assert!(
                node.index() < dag.len(),
                "a run of another graph was recorded"
            );
            has_started[node.index()] = true;
        }
        // What a node depends on began before the node did, so none of those that are left is a
        // dependency of one that began.
        order.extend(dag.nodes().filter(|node| !has_started[node.index()]));
        order
    }

    fn lock(&self) -> MutexGuard<'_, Vec<NodeId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn node_started(&self, _worker: usize, node: NodeId) {
        self.lock().push(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Policy, Run, Strategy, shape};
    use arena::Bump;
    use proptest::prelude::any;
    use proptest::test_runner::{Config, TestRunner};
    use std::sync::Arc;

    fn nodes(indices: &[u32]) -> Vec<NodeId> {
        indices.iter().copied().map(NodeId::from_index).collect()
    }

    /// A diamond of four nodes.
    fn diamond() -> Dag {
        let mut graph = Builder::new();
        graph.node("top", [], |_| Ok(())).unwrap();
        graph.node("left", ["top"], |_| Ok(())).unwrap();
        graph.node("right", ["top"], |_| Ok(())).unwrap();
        graph.node("sink", ["left", "right"], |_| Ok(())).unwrap();
        graph.build().unwrap()
    }

    #[track_caller]
    fn check(order: &[u32], expected: Result<(), &str>) {
        let result = Replay::new(&diamond(), nodes(order));
        let result = result.map(drop).map_err(|error| error.to_string());
        assert_eq!(result, expected.map_err(str::to_owned));
    }

    #[test]
    fn only_an_order_that_the_graph_allows_is_taken() {
        check(&[0, 1, 2, 3], Ok(()));
        check(&[0, 2, 1, 3], Ok(()));
        check(
            &[0, 1, 2],
            Err("the order has 3 nodes and the graph 4; name every node once"),
        );
        check(&[0, 1, 2, 1], Err("node 1 `left` is in the order twice"));
        check(
            &[0, 1, 4, 3],
            Err("the order has node 4, but the graph has only 4 nodes"),
        );
        check(
            &[0, 1, 3, 2],
            Err("node 3 `sink` comes before node 2 `right`, which it depends on"),
        );
    }

    #[test]
    fn nodes_run_in_exactly_the_order_that_was_given() {
        let dag = diamond();
        let recorder = Recorder::new();
        let options = Options {
            observer: Some(&recorder),
            ..Options::default()
        };
        let order = nodes(&[0, 2, 1, 3]);
        let replay = Replay::new(&dag, order.clone()).unwrap();
        let mut outcome = Outcome::new();
        for _ in 0..2 {
            recorder.clear();
            replay.run_with(&dag, &options, &mut outcome);
            assert_eq!(recorder.started(), order);
            assert!(outcome.all_completed());
        }
    }

    #[test]
    fn every_recorded_run_can_be_replayed_failures_included() {
        let schedulers: Vec<_> = Strategy::ALL
            .into_iter()
            .map(|strategy| strategy.scheduler(3).unwrap())
            .collect();
        let input = (0..40_usize, 0.0..3.0, any::<u64>(), any::<u64>());
        TestRunner::new(Config::with_cases(30))
            .run(&input, |(nodes, mean_dependencies, seed, failing)| {
                let dag = shape::random(nodes, mean_dependencies, seed)
                    .build(Bump::default(), |index| {
                        move |_: &Run<'_>| match failing >> (index % 64)
                            & failing >> (index % 7)
                            & 1
                        {
                            0 => Ok(()),
                            _ => Err("broken".into()),
                        }
                    })
                    .unwrap();
                for scheduler in &schedulers {
                    for policy in [Policy::Continue, Policy::FailFast, Policy::Collect] {
                        let (first, again) = (Recorder::new(), Recorder::new());
                        let run = |scheduler: &dyn Scheduler, recorder: &Recorder| {
                            let mut outcome = Outcome::new();
                            let options = Options {
                                policy,
                                observer: Some(recorder),
                                ..Options::default()
                            };
                            scheduler.run_with(&dag, &options, &mut outcome);
                            outcome
                        };
                        let recorded = run(&**scheduler, &first);
                        let replay = Replay::new(&dag, first.order(&dag)).unwrap();
                        let replayed = run(&replay, &again);
                        // When a run fails fast, nodes beside the failed one had begun that now
                        // come after it.
                        if policy != Policy::FailFast {
                            assert_eq!(first.started(), again.started());
                            assert!(recorded.states().iter().eq(replayed.states().iter()));
                        }
                        assert!(first.started().starts_with(&again.started()));
                    }
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn runs_inside_are_walks_on_the_same_thread() {
        let thread = std::thread::current().id();
        let inner = crate::RayonGraph::new(2).unwrap();
        let nested = Arc::new(
            shape::independent(20)
                .build(Bump::default(), |_| {
                    move |_: &Run<'_>| match std::thread::current().id() == thread {
                        true => Ok(()),
                        false => Err("another thread".into()),
                    }
                })
                .unwrap(),
        );
        let dag = shape::independent(1)
            .build(Bump::default(), |_| {
                let nested = Arc::clone(&nested);
                let inner = crate::RayonGraph::new(2).unwrap();
                move |_: &Run<'_>| {
                    assert!(inner.run(&nested).all_completed());
                    Ok(())
                }
            })
            .unwrap();
        let replay = Replay::new(&dag, nodes(&[0])).unwrap();
        assert!(replay.run(&dag).all_completed());
        assert!(!inner.run(&nested).all_completed(), "the mark is gone");
    }

    #[test]
    #[should_panic(expected = "the order to replay is that of another graph")]
    fn order_of_another_graph_is_refused() {
        let replay = Replay::new(&diamond(), nodes(&[0, 1, 2, 3])).unwrap();
        let other = shape::independent(4)
            .build(Bump::default(), |_| |_: &Run<'_>| Ok(()))
            .unwrap();
        assert!(replay.run(&other).all_completed(), "any order will do");
        let reversed = Replay::new(&other, nodes(&[3, 2, 1, 0])).unwrap();
        reversed.run(&diamond());
    }
}
